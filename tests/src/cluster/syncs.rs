//! A log on a slow disk: every sync of a member stands still until it is told to go on.
//!
//! A tracer stops the thread at each of its system calls, looks which one it is, and holds those that sync.

use std::fs;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::sync::mpsc as telling;

use super::threads::find;

/// A thread whose syncs are held. Dropped, it is as before.
#[derive(Debug)]
pub struct HeldSyncs {
    release: Option<mpsc::Sender<()>>,
    held: telling::UnboundedReceiver<()>,
    tracer: Option<JoinHandle<()>>,
}

impl HeldSyncs {
    /// Of the thread of this name in a child of ours; `None` where one may not trace.
    ///
    /// # Panics
    /// If there is no such thread.
    pub(super) fn of(process: u32, name: &str) -> Option<HeldSyncs> {
        let thread = find(process, name).unwrap_or_else(|| panic!("no thread of {process} is called {name}"));
        let (release, released) = mpsc::channel();
        let (tell, held) = telling::unbounded_channel();
        let (began, may_trace) = mpsc::channel();
        // Only the thread that began to trace may go on.
        let tracer = std::thread::spawn(move || {
            let begin = ptrace::seize(thread, Options::PTRACE_O_TRACESYSGOOD).and_then(|()| ptrace::interrupt(thread));
            let _ = began.send(begin.is_ok());
            // An error is the end of the thread.
            let _ = begin.and_then(|()| trace(process, thread, &tell, &released));
        });
        let may_trace = may_trace.recv().expect("the tracer answers");
        may_trace.then_some(HeldSyncs { release: Some(release), held, tracer: Some(tracer) })
    }

    /// Waits until a sync stands still.
    ///
    /// # Panics
    /// If the member has ended.
    pub async fn held(&mut self) {
        self.held.recv().await.expect("the thread runs");
    }

    /// Lets the sync go on that stands still, or the next one to come.
    pub fn release(&self) {
        let _ = self.release.as_ref().map(|release| release.send(()));
    }
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        // Its timers bring the thread to a system call soon.
        self.held.close();
        drop(self.release.take());
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}

fn trace(
    process: u32,
    thread: Pid,
    tell: &telling::UnboundedSender<()>,
    released: &mpsc::Receiver<()>,
) -> nix::Result<()> {
    let mut inside = false;
    let mut signal = None;
    loop {
        match waitpid(thread, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceSyscall(_) if is_sync(process, thread) => {
                inside = !inside;
                if inside {
                    let _ = tell.send(());
                    if released.recv().is_err() {
                        return ptrace::detach(thread, None);
                    }
                }
            }
            WaitStatus::PtraceSyscall(_) => inside = false,
            WaitStatus::Stopped(_, caught) => signal = Some(caught),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(()),
            _ => {}
        }
        if tell.is_closed() {
            return ptrace::detach(thread, signal.take());
        }
        ptrace::syscall(thread, signal.take())?;
    }
}

/// Whether the call that a stopped thread is about to make, or has made, is `fdatasync`.
fn is_sync(process: u32, thread: Pid) -> bool {
    let call = fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall")).unwrap_or_default();
    let number = call.split_whitespace().next().and_then(|number| number.parse().ok());
    number == Some(libc::SYS_fdatasync)
}
