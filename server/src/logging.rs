//! The log: lines shaped as etcd's, to the outputs that the configuration names; shorter ones on a terminal.
//!
//! Other parts only use `tracing`. A field `some_field` is written `some-field`, as etcd spells its own. `RUST_LOG`, when
//! set, replaces the level with its own directives. Both can be changed while the process runs (`control`).

mod control;
mod format;
mod kept;
mod output;
mod rotated;
mod sampled;
mod short;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::{LogConfig, LogFormat, LogLevel};
pub(crate) use control::{ControlError, Verbosity, set_verbosity, verbosity};
use format::{Console, Json};
use kept::Keeper;
pub(crate) use kept::{newest_warning, warnings};
use output::Outputs;
use sampled::Sampled;
use short::Short;

/// The target of lines that say why the process ends; written with level `fatal`.
pub const FATAL: &str = "keyport::fatal";

/// Logs the reason why the process ends.
#[macro_export]
macro_rules! fatal {
    ($($arg:tt)+) => { ::tracing::error!(target: $crate::logging::FATAL, $($arg)+) };
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot open log file {path:?}: {source}")]
    Open { path: std::path::PathBuf, source: std::io::Error },
    #[error("cannot tell local time for the names of log files: {0}")]
    Zone(time::error::IndeterminateOffset),
    #[error("cannot read RUST_LOG: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("a log is open already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Opens the log for the whole process. `directives` is the value of `RUST_LOG`, if there is one.
pub fn init(config: &LogConfig, directives: Option<&str>) -> Result<(), LogError> {
    let layer = layer(config, Outputs::open(config)?);
    let verbosity = Verbosity { level: config.level, targets: directives.unwrap_or_default().to_owned() };
    let (filter, handle) = reload::Layer::new(verbosity.filter()?);
    let keeper = Keeper::new().with_filter(self::filter(LogLevel::Warn));
    tracing_subscriber::registry().with(layer.with_filter(filter)).with(keeper).try_init()?;
    control::install(handle, verbosity);
    Ok(())
}

/// Has panics written to the log, as lines of their own.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("panic");
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(panic = message, at, thread, %backtrace, "a thread panicked");
    }));
}

fn layer(config: &LogConfig, outputs: Outputs) -> Box<dyn Layer<Registry> + Send + Sync> {
    let terminal = outputs.are_terminals();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(outputs);
    match config.format {
        LogFormat::Fitting if terminal => layer.event_format(Sampled::new(Short)).boxed(),
        LogFormat::Json | LogFormat::Fitting => layer.event_format(Sampled::new(Json)).boxed(),
        LogFormat::Console => layer.event_format(Sampled::new(Console)).boxed(),
    }
}

/// What the other side of a connection gets to hear from, by name: they warn of what it sends, however often it does.
const SPEAKERS: [&str; 7] = ["axum", "h2", "hyper", "hyper_util", "rustls", "tonic", "tungstenite"];

/// Our own lines from `level` on. Libraries are heard from `warn` on, or `info` when everything is: their debug lines
/// tell of every frame. Those that speak with clients are heard of errors alone, unless everything is.
fn filter(level: LogLevel) -> Targets {
    let (own, others) = match level {
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        LogLevel::Panic | LogLevel::Fatal => (LevelFilter::OFF, LevelFilter::OFF),
    };
    let speakers = if level == LogLevel::Debug { others } else { others.min(LevelFilter::ERROR) };
    let targets = Targets::new().with_default(others).with_target("keyport", own);
    targets.with_targets(SPEAKERS.map(|name| (name, speakers))).with_target(FATAL, LevelFilter::ERROR)
}

#[cfg(test)]
mod tests;
