//! `keyport cluster`: three members on this machine, to try things out. Each is a process of its own, as it would be on
//! a machine of its own; what they write goes to files, and comes out behind their names where it must not be missed.

mod member;
mod output;
mod standing;

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::{self, Sources};
use crate::net;
use member::{Member, Recipe};

const DEFAULT_DIR: &str = "keyport-cluster";
const NAMES: [&str; 3] = ["m1", "m2", "m3"];
const FIRST_PORTS: [u16; 3] = [2379, 22379, 32379];
/// How often the processes are looked at.
const WATCH: Duration = Duration::from_millis(100);
const HELP: &str = "\
Usage: keyport cluster [directory] [flags for every member]
  Runs three members on 127.0.0.1, for trying things out: clients on 2379, 22379 and 32379, peers one port further.
  The directory (./keyport-cluster) keeps their data from one run to the next, and their logs, which are shown here
  if there is a --log-level among the flags.
";

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    args.first().is_some_and(|word| word == "cluster")
}

/// Runs the members until `shutdown`; then asks them to end and waits for that.
///
/// # Errors
/// When a port is taken, a process cannot be started, or none of them stays.
pub async fn run(args: &[String], shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let words = args.get(1..).unwrap_or_default();
    if words.iter().any(|word| matches!(word.as_str(), "-h" | "-help" | "--help")) {
        let _ = io::stdout().write_all(HELP.as_bytes());
        return Ok(());
    }
    let (dir, flags) = match words.split_first() {
        Some((dir, flags)) if !dir.starts_with('-') => (PathBuf::from(dir), flags),
        _ => (PathBuf::from(DEFAULT_DIR), words),
    };
    check_flags(flags)?;
    for number in 0..NAMES.len() {
        check_ports(number)?;
    }
    std::fs::create_dir_all(&dir).map_err(|error| because(&dir.display(), &error))?;
    let program = std::env::current_exe()?;
    let mut members = Vec::new();
    for (number, name) in NAMES.iter().enumerate() {
        let command = command(&program, &dir, number, flags);
        let log = dir.join(format!("{name}.log"));
        members.push(Member::start(Recipe { number, command, log, show: output::is_wanted(flags) })?);
    }
    say(&format!("three members; their data and logs are in {}", dir.display()));
    members.iter().for_each(Member::introduce);
    say("1, 2 or 3 and Enter kills that member, or starts it again. Ctrl-C ends all.");
    say(&format!("To look at the API, and to try it: {}/docs", client_url(0)));

    let mut keys = keys();
    let mut standing = standing::follow();
    let mut said = None;
    let mut clock = tokio::time::interval(WATCH);
    tokio::pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(number) = keys.recv() => {
                if let Some(member) = members.get_mut(number) {
                    member.toggle()?;
                }
            }
            _ = clock.tick() => {
                members.iter_mut().try_for_each(Member::look)?;
                if members.iter().all(Member::has_left) {
                    break Err(io::Error::other("all members have ended"));
                }
            }
            Ok(()) = standing.changed() => {}
        }
        let running = std::array::from_fn(|number| members.get(number).is_some_and(Member::runs));
        let sentence = standing.borrow().sentence(running);
        if sentence.is_some() && sentence != said {
            sentence.iter().for_each(|sentence| say(sentence));
            said = sentence;
        }
    };
    members.iter_mut().for_each(Member::ask_to_end);
    while members.iter().any(Member::is_there) {
        clock.tick().await;
        members.iter_mut().try_for_each(Member::look)?;
    }
    outcome
}

fn say(text: &str) {
    output::print("--", text);
}

fn because(what: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// What no member would start with is said once, and not by three.
fn check_flags(flags: &[String]) -> io::Result<()> {
    let read_file = |path: &str| std::fs::read_to_string(path);
    let sources = Sources { args: flags, env: &[], read_file: &read_file, default_host: &|| None };
    config::load(&sources).map(drop).map_err(io::Error::other)
}

/// Said before anybody starts: two members would go on without the third, beside whoever answers at its address.
fn check_ports(number: usize) -> io::Result<()> {
    for port in <[u16; 2]>::from(ports(number)) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        net::check_free(address)
            .map_err(|error| because(&format_args!("m{} cannot listen on {address}", number + 1), &error))?;
    }
    Ok(())
}

/// For clients and for peers.
fn ports(number: usize) -> (u16, u16) {
    let first = FIRST_PORTS.get(number).copied().unwrap_or_default();
    (first, first + 1)
}

fn client_url(number: usize) -> String {
    format!("http://127.0.0.1:{}", ports(number).0)
}

fn command(program: &Path, dir: &Path, number: usize, flags: &[String]) -> Command {
    let name = NAMES.get(number).copied().unwrap_or_default();
    let (client, peer) = ports(number);
    let cluster: Vec<String> =
        NAMES.iter().enumerate().map(|(n, name)| format!("{name}=http://127.0.0.1:{}", ports(n).1)).collect();
    let mut command = Command::new(program);
    command.args(["--name", name, "--log-format", "console", "--initial-cluster-token", "keyport-cluster"]);
    command.arg("--data-dir").arg(dir.join(name));
    for (flag, port) in [
        ("listen-client", client),
        ("advertise-client", client),
        ("listen-peer", peer),
        ("initial-advertise-peer", peer),
    ] {
        command.arg(format!("--{flag}-urls=http://127.0.0.1:{port}"));
    }
    command.arg(format!("--initial-cluster={}", cluster.join(","))).args(flags);
    // Settings of one server make no sense for three.
    for (variable, _) in std::env::vars_os() {
        let text = variable.to_string_lossy();
        if text.starts_with("ETCD_") || text.starts_with("KEYPORT_") {
            command.env_remove(&variable);
        }
    }
    // Ctrl-C reaches this process only, which then ends them in order.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The members' numbers that somebody types. Reading blocks, so a thread does it; it ends with the process.
fn keys() -> mpsc::Receiver<usize> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            let number = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            if let Some(number) = number
                && sender.blocking_send(number).is_err()
            {
                return;
            }
        }
    });
    receiver
}
