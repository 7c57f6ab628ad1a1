//! The `keyport` program: settings, log, runtime, exit status.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic once nobody listens")]

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use keyport_server::config::{self, Action, Config, ConfigError, LogConfig, Sources};
use keyport_server::offline::Outcome;
use keyport_server::{backups, doctor, etcd_dir, logging, net, offline, reference, staging, tcp_gateway, trial};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if trial::is_asked_for(&args) {
        return try_cluster(&args);
    }
    if backups::is_asked_for(&args) {
        return carry_out_or_clear(|out| backups::run(&args, out));
    }
    if etcd_dir::is_asked_for(&args) {
        return carry_out_or_clear(|out| etcd_dir::run(&args, out));
    }
    if reference::is_asked_for(&args) {
        return carry_out(|out| reference::run(&args, out));
    }
    if doctor::is_asked_for(&args) {
        return carry_out_or_clear(|out| doctor::run(&args, out));
    }
    if offline::is_asked_for(&args) {
        return look_at(&args);
    }
    if tcp_gateway::is_asked_for(&args) {
        return carry_out(|out| pass_on(&args, out));
    }
    let env: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let default_host = || net::own_address().map(|address| address.to_string());
    let read_file = |path: &str| std::fs::read_to_string(path);
    match config::load(&Sources { args: &args, env: &env, read_file: &read_file, default_host: &default_host }) {
        Ok(Action::Help) => {
            tell(io::stdout(), config::usage());
            ExitCode::SUCCESS
        }
        Ok(Action::Version) => {
            tell(io::stdout(), config::version_text());
            ExitCode::SUCCESS
        }
        Ok(Action::Run(config)) => serve(*config),
        Err(error) => refuse(&error),
    }
}

/// Runs several members, each in a process of its own.
fn try_cluster(args: &[String]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(async { trial::run(args, closed()?).await }));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(io::stderr(), format_args!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// A command that ends by itself.
fn carry_out(command: impl FnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>) -> ExitCode {
    match command(&mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever has read enough does not want to hear more.
        Err(error) if is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(io::stderr(), format_args!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// The same for one that makes files, of which nothing is left when it is interrupted.
fn carry_out_or_clear(command: impl FnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let watched = runtime.and_then(|runtime| {
        // From here on signals end the process only after what is not whole is gone.
        let mut signals = runtime.block_on(async { endings() })?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let code = runtime.block_on(async {
                let [interrupt, terminate, hangup] = &mut signals;
                tokio::select! {
                    _ = interrupt.recv() => Signal::INT,
                    _ = terminate.recv() => Signal::TERM,
                    _ = hangup.recv() => Signal::HUP,
                }
            });
            staging::remove_unfinished();
            // As a shell says of who is ended by a signal.
            std::process::exit(128 + code.as_raw());
        })
    });
    match watched {
        Ok(_) => carry_out(command),
        Err(error) => {
            tell(io::stderr(), format_args!("cannot listen for signals: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn endings() -> io::Result<[tokio::signal::unix::Signal; 3]> {
    Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?])
}

fn is_closed(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A look at a data directory; 2 says that it was possible, and that something is wrong there.
fn look_at(args: &[String]) -> ExitCode {
    let mut outcome = Outcome::Sound;
    let code = carry_out(|out| {
        outcome = offline::run(args, out)?;
        Ok(())
    });
    match outcome {
        Outcome::Sound => code,
        Outcome::Damaged => ExitCode::from(2),
    }
}

/// Passes connections on, for as long as nobody asks it to end.
fn pass_on(args: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let Some(gateway) = tcp_gateway::read(args, out)? else { return Ok(()) };
    logging::init(&LogConfig::default(), std::env::var("RUST_LOG").ok().as_deref())?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("keyport").enable_all().build()?;
    let ended = runtime.block_on(async {
        outlive_strays()?;
        gateway.run(terminated()?).await
    });
    // Connections end with the process, whatever they wait for.
    runtime.shutdown_background();
    ended
}

/// Whoever does not listen any more changes nothing.
fn tell(mut to: impl Write, text: impl Display) {
    let _ = write!(to, "{text}");
}

/// Says what is wrong with the settings.
fn refuse(error: &ConfigError) -> ExitCode {
    if matches!(error, ConfigError::Usage(_)) {
        tell(io::stderr(), format_args!("{error}\nRun 'keyport --help' for all flags.\n"));
    } else if logging::init(&LogConfig::default(), None).is_ok() {
        keyport_server::fatal!(%error, "failed to verify flags");
    }
    ExitCode::from(error.exit_code())
}

fn serve(config: Config) -> ExitCode {
    if let Err(error) = logging::init(&config.log, std::env::var("RUST_LOG").ok().as_deref()) {
        tell(io::stderr(), format_args!("{error}\n"));
        return ExitCode::FAILURE;
    }
    logging::log_panics();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    raise_descriptor_limit();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("keyport").enable_all().build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                keyport_server::fatal!(%error, "failed to start the runtime");
                return ExitCode::FAILURE;
            }
        };
    match runtime.block_on(async {
        outlive_strays()?;
        keyport_server::run(config, terminated()?).await
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            keyport_server::fatal!(%error, "the server cannot go on");
            ExitCode::FAILURE
        }
    }
}

/// Keeps signals that ask for nothing here from ending the process: scripts send some of them to every server they
/// know, and a limit of file sizes is then the error of a write, which says what is wrong.
fn outlive_strays() -> std::io::Result<()> {
    let [user1, user2, alarm, io] =
        [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::alarm(), SignalKind::io()];
    let others = [Signal::VTALARM, Signal::PROF, Signal::POWER, Signal::XCPU, Signal::XFSZ];
    let others = others.map(|signal| SignalKind::from_raw(signal.as_raw()));
    for stray in [user1, user2, alarm, io].into_iter().chain(others) {
        // What the first listener puts in the place of the default action stays when it is gone.
        drop(signal(stray)?);
    }
    Ok(())
}

/// Done when the process is asked to end.
fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "terminated",
            _ = interrupt.recv() => "interrupt",
        };
        tracing::info!(signal = name, "received signal; shutting down");
    })
}

/// Done when the process is asked to end, or its window is closed: that reaches this process only.
fn closed() -> std::io::Result<impl Future<Output = ()>> {
    let (mut hangup, terminated) = (signal(SignalKind::hangup())?, terminated()?);
    Ok(async move {
        tokio::select! {
            () = terminated => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Fewer descriptors than this are gone sooner than anybody expects.
const FEW_DESCRIPTORS: u64 = 1024;

/// Takes as many descriptors as may be had: each connection needs one.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(limit) = limit.maximum.filter(|limit| *limit < FEW_DESCRIPTORS) {
        tracing::warn!(limit, "few files may be open (ulimit -Hn, LimitNOFILE=): each connection needs one");
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
