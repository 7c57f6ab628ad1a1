//! One thread of a member that stands still while the others go on, as in a system call that takes long.
//!
//! A signal stops a whole process; a tracer stops what it is told to.

use std::fs;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// A thread that does not move until this is dropped.
#[derive(Debug)]
pub struct StoppedThread {
    release: Option<mpsc::Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

impl StoppedThread {
    /// The thread of this name in a child of ours; `None` where one may not trace.
    ///
    /// # Panics
    /// If there is no such thread.
    pub fn of(process: u32, name: &str) -> Option<StoppedThread> {
        let thread = find(process, name).unwrap_or_else(|| panic!("no thread of {process} is called {name}"));
        let (release, until) = mpsc::channel::<()>();
        let (stopped, told) = mpsc::channel();
        // Only the thread that began to trace may end it.
        let tracer = std::thread::spawn(move || {
            let stop = ptrace::seize(thread, Options::empty())
                .and_then(|()| ptrace::interrupt(thread))
                .and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)));
            let _ = stopped.send(stop.is_ok());
            if stop.is_ok() {
                let _ = until.recv();
                // It may have been killed meanwhile.
                let _ = ptrace::detach(thread, None);
            }
        });
        let stopped = told.recv().expect("the tracer answers");
        stopped.then_some(StoppedThread { release: Some(release), tracer: Some(tracer) })
    }
}

impl Drop for StoppedThread {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}

pub(super) fn find(process: u32, name: &str) -> Option<Pid> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads.flatten().find_map(|thread| {
        let called = fs::read_to_string(thread.path().join("comm")).ok()?;
        let id = thread.file_name().to_str()?.parse().ok()?;
        (called.trim_end() == name).then(|| Pid::from_raw(id))
    })
}
