//! Starts child processes that die with this one.
//!
//! The kernel ties "parent death" to the *thread* that forked, and each test has a thread of its own. So one thread that
//! lives as long as the process does all the forking.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{LazyLock, mpsc};

use rustix::process::{Signal, set_parent_process_death_signal};

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

static SPAWNER: LazyLock<mpsc::SyncSender<Order>> = LazyLock::new(|| {
    let (send, orders) = mpsc::sync_channel::<Order>(0);
    std::thread::spawn(move || {
        for (mut command, reply) in orders {
            let _ = reply.send(command.spawn());
        }
    });
    send
});

/// Starts `command`; the child is killed if this process ends, however it ends.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    die_with_us(&mut command);
    let (send, reply) = mpsc::sync_channel(1);
    let gone = |_| io::Error::other("the spawner thread is gone");
    SPAWNER.send((command, send)).map_err(|_| io::Error::other("the spawner thread is gone"))?;
    reply.recv().map_err(gone)?
}

#[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
fn die_with_us(command: &mut Command) {
    // SAFETY: the hook makes one system call; it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}
