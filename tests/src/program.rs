//! `keyport` with other words than those of a server: a process that goes on until it is told to end.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::own_environment;
use crate::spawn::spawn;
use crate::target::Flavor;
use crate::wait::eventually_blocking;

/// A running one. Dropped, it is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl Program {
    /// Starts the program of a flavor.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(flavor: Flavor, args: impl IntoIterator<Item = A>) -> Program {
        Program::other(&flavor.binary(), args)
    }

    /// Starts somebody else's program.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn other<A: AsRef<OsStr>>(binary: &Path, args: impl IntoIterator<Item = A>) -> Program {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let log = dir.path().join("log");
        let output = File::options().create(true).append(true).open(&log).expect("a log file can be made");
        let mut command = Command::new(binary);
        own_environment(&mut command);
        command.args(args).current_dir(dir.path()).stdin(Stdio::null());
        command.stderr(output.try_clone().expect("a file can be opened twice")).stdout(output);
        Program { child: spawn(command).expect("the program can be started"), log, _dir: dir }
    }

    /// Everything it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it says something.
    ///
    /// # Panics
    /// If it ends before, with what it said.
    pub fn says(&mut self, text: &str) {
        eventually_blocking(text, || {
            let ended = self.child.try_wait().expect("a child can be waited for");
            let said = self.log().contains(text);
            assert!(said || ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            said.then_some(())
        });
    }

    /// Sends a signal and waits for its end.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        let _ = kill_process(Pid::from_child(&self.child), signal);
        eventually_blocking("the program ends", || self.child.try_wait().expect("a child can be waited for"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the program said ---\n{}", self.log());
        }
    }
}
