//! `keyport cluster` as it is typed: a process with a keyboard, whose members are processes too.
//!
//! Its ports are fixed, so it runs on a host of its own ([`Hosts`]), where they are free.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::cluster::Hosts;
use crate::http::Http;
use crate::server::health;
use crate::spawn::spawn;
use crate::target::Flavor;
use crate::wait::eventually;

/// What clients connect to, by member.
pub const PORTS: [u16; 3] = [2379, 22379, 32379];

/// A running `keyport cluster`. Dropped, it is killed with its members.
#[derive(Debug)]
pub struct Trial {
    child: Child,
    log: PathBuf,
}

impl Trial {
    /// Types it on the only host, in a folder.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(hosts: &Hosts, dir: &Path, args: impl IntoIterator<Item = A>) -> Trial {
        let log = dir.join("log");
        let output = File::options().create(true).append(true).open(&log).expect("a log file can be made");
        let mut command = hosts.host(0).command(Flavor::Keyport.binary());
        command.arg("cluster").args(args).current_dir(dir).stdin(Stdio::piped());
        command.stderr(output.try_clone().expect("a file can be opened twice")).stdout(output);
        Trial { child: spawn(command).expect("the server's program can be started"), log }
    }

    /// An HTTP client of a member.
    pub fn http(&self, member: usize) -> Http {
        Http::new(addr(member))
    }

    /// Waits until a member serves.
    pub async fn until_ready(&self, member: usize) {
        let what = format!("m{} serves", member + 1);
        eventually(&what, async || health(addr(member)).starts_with("HTTP/1.1 200").then_some(())).await;
    }

    /// Types a line.
    ///
    /// # Panics
    /// If nobody reads it.
    pub fn types(&mut self, line: &str) {
        let keyboard = self.child.stdin.as_mut().expect("was asked for");
        writeln!(keyboard, "{line}").expect("somebody reads it");
    }

    /// Everything it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it says something.
    pub async fn says(&self, text: &str) {
        eventually(text, async || self.log().contains(text).then_some(())).await;
    }

    /// The processes of all members that it ever had, as it told them.
    pub fn members(&self) -> Vec<Pid> {
        let log = self.log();
        let pids = log.lines().filter_map(|line| line.strip_prefix("-- | m")?.split_once(", process ")?.1.parse().ok());
        pids.filter_map(Pid::from_raw).collect()
    }

    /// Those that are still there.
    pub fn left(&self) -> Vec<Pid> {
        self.members().into_iter().filter(|pid| test_kill_process(*pid).is_ok()).collect()
    }

    /// Sends a signal to it, and to nobody else.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits until it ends.
    pub async fn end(&mut self) -> ExitStatus {
        eventually("keyport cluster ends", async || self.child.try_wait().expect("a child can be waited for")).await
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let left = if matches!(self.child.try_wait(), Ok(None)) { self.members() } else { Vec::new() };
        let _ = self.child.kill();
        let _ = self.child.wait();
        for member in left {
            let _ = kill_process(member, Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("--- what keyport cluster said ---\n{}", self.log());
        }
    }
}

fn addr(member: usize) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, PORTS[member]).into()
}
