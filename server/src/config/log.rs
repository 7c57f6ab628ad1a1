//! What to log, how and where.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::error::Category;

/// The settings of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub level: LogLevel,
    pub format: LogFormat,
    pub outputs: Vec<LogOutput>,
    /// Of the one file among the outputs.
    pub rotation: Option<Rotation>,
}

/// When a log file is moved aside, and what becomes of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub max_bytes: u64,
    /// `None` keeps files however old they are.
    pub max_age: Option<Duration>,
    /// How many are kept; 0 keeps all.
    pub max_backups: usize,
    /// Whether names have the time of this place instead of UTC.
    pub local_time: bool,
    pub compress: bool,
}

/// As it is given: megabytes, days.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RotationText {
    maxsize: u32,
    maxage: u32,
    maxbackups: u32,
    localtime: bool,
    compress: bool,
}

impl Rotation {
    /// # Errors
    /// What is wrong with it, with etcd's beginning.
    pub fn parse(json: &str) -> Result<Rotation, String> {
        let text: RotationText = serde_json::from_str(json).map_err(|error| match error.classify() {
            Category::Data => format!("invalid log rotation config: {error}"),
            _ => format!("improperly formatted log rotation config: {error}"),
        })?;
        let megabytes = if text.maxsize == 0 { 100 } else { text.maxsize };
        Ok(Rotation {
            max_bytes: u64::from(megabytes) * 1024 * 1024,
            max_age: (text.maxage > 0).then(|| Duration::from_secs(u64::from(text.maxage) * 24 * 60 * 60)),
            max_backups: usize::try_from(text.maxbackups).unwrap_or(usize::MAX),
            local_time: text.localtime,
            compress: text.compress,
        })
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            level: LogLevel::Info,
            format: LogFormat::Fitting,
            outputs: vec![LogOutput::Stderr],
            rotation: None,
        }
    }
}

/// The least level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    Panic,
    Fatal,
}

impl LogLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
            LogLevel::Panic => "panic",
            LogLevel::Fatal => "fatal",
        }
    }

    pub fn parse(text: &str) -> Option<LogLevel> {
        Some(match text.to_ascii_lowercase().as_str() {
            "debug" => LogLevel::Debug,
            "info" | "" => LogLevel::Info,
            "warn" => LogLevel::Warn,
            "error" => LogLevel::Error,
            "dpanic" | "panic" => LogLevel::Panic,
            "fatal" => LogLevel::Fatal,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Short lines on a terminal, else JSON: when nothing was asked for.
    Fitting,
    Json,
    Console,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    Stderr,
    Stdout,
    File(PathBuf),
}

impl LogOutput {
    /// `default` is standard error; so is the journal, which reads it of every service it runs.
    pub fn parse(text: &str) -> LogOutput {
        match text {
            "default" | "stderr" | "systemd/journal" => LogOutput::Stderr,
            "stdout" => LogOutput::Stdout,
            path => LogOutput::File(PathBuf::from(path)),
        }
    }
}
