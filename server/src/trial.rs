//! `keyport cluster`: three members on this machine, to try things out. Each is a process of its own, as it would be on
//! a machine of its own; what they write comes out behind their names.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

const DEFAULT_DIR: &str = "keyport-cluster";
const NAMES: [&str; 3] = ["m1", "m2", "m3"];
const FIRST_PORTS: [u16; 3] = [2379, 22379, 32379];
/// How often the processes are looked at.
const WATCH: Duration = Duration::from_millis(100);
const HELP: &str = "\
Usage: keyport cluster [directory] [flags for every member]
  Runs three members on 127.0.0.1, for trying things out: clients on 2379, 22379 and 32379, peers one port further.
  The directory (./keyport-cluster) keeps their data from one run to the next.
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
        print!("{HELP}");
        return Ok(());
    }
    let (dir, flags) = match words.split_first() {
        Some((dir, flags)) if !dir.starts_with('-') => (PathBuf::from(dir), flags),
        _ => (PathBuf::from(DEFAULT_DIR), words),
    };
    for number in 0..NAMES.len() {
        check_ports(number)?;
    }
    std::fs::create_dir_all(&dir).map_err(|error| because(&dir.display(), &error))?;
    let program = std::env::current_exe()?;
    let mut members = Vec::new();
    for number in 0..NAMES.len() {
        members.push(Member::start(command(&program, &dir, number, flags), number)?);
    }
    say(&format!("three members; their data is in {}", dir.display()));
    members.iter().for_each(Member::introduce);
    say("1, 2 or 3 and Enter kills that member, or starts it again. Ctrl-C ends all.");

    let mut keys = keys();
    let mut clock = tokio::time::interval(WATCH);
    tokio::pin!(shutdown);
    let outcome = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            Some(number) = keys.recv() => {
                if let Some(member) = members.get_mut(number) {
                    member.toggle(|| command(&program, &dir, number, flags))?;
                }
            }
            _ = clock.tick() => {
                members.iter_mut().for_each(Member::look);
                if members.iter().all(|member| member.child.is_none() && !member.killed) {
                    break Err(io::Error::other("all members have ended"));
                }
            }
        }
    };
    members.iter_mut().for_each(Member::ask_to_end);
    while members.iter().any(|member| member.child.is_some()) {
        clock.tick().await;
        members.iter_mut().for_each(Member::look);
    }
    outcome
}

fn say(text: &str) {
    print("--", text);
}

/// One line, whole. Whoever does not listen any more does not keep the members from going on.
fn print(who: &str, text: &str) {
    let _ = writeln!(io::stdout().lock(), "{who} | {text}");
}

fn because(what: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Said before anybody starts: two members would go on without the third, beside whoever answers at its address.
fn check_ports(number: usize) -> io::Result<()> {
    for port in <[u16; 2]>::from(ports(number)) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address)
            .map_err(|error| because(&format_args!("m{} cannot listen on {address}", number + 1), &error))?;
    }
    Ok(())
}

/// For clients and for peers.
fn ports(number: usize) -> (u16, u16) {
    let first = FIRST_PORTS.get(number).copied().unwrap_or_default();
    (first, first + 1)
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

struct Member {
    number: usize,
    child: Option<Child>,
    /// It was us.
    killed: bool,
}

impl Member {
    fn start(mut command: Command, number: usize) -> io::Result<Member> {
        let mut child = command.spawn()?;
        let name = NAMES.get(number).copied().unwrap_or_default();
        let pipes: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
        for pipe in pipes.into_iter().flatten() {
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    print(name, &line);
                }
            });
        }
        Ok(Member { number, child: Some(child), killed: false })
    }

    fn introduce(&self) {
        if let Some(child) = &self.child {
            say(&format!(
                "m{} serves http://127.0.0.1:{}, process {}",
                self.number + 1,
                ports(self.number).0,
                child.id()
            ));
        }
    }

    fn toggle(&mut self, command: impl FnOnce() -> Command) -> io::Result<()> {
        match &mut self.child {
            Some(child) => {
                self.killed = true;
                child.kill()
            }
            None => {
                *self = Member::start(command(), self.number)?;
                self.introduce();
                Ok(())
            }
        }
    }

    /// Notices the end of its process.
    fn look(&mut self) {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().transpose());
        if let Some(status) = ended {
            self.child = None;
            say(&format!("m{} has ended: {}", self.number + 1, status.map_or_else(|e| e.to_string(), describe)));
        }
    }

    fn ask_to_end(&mut self) {
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Member {
    /// Nobody else would end it.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(9) => "killed".to_owned(),
        _ => status.to_string(),
    }
}
