//! A large file on its way to the disk while the rest of it is made, instead of all at once when it is synced: making it and writing
//! it go on at the same time, and what others sync meanwhile has little of it to wait for.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// See the module's text. Ends with it; whoever needs the file to be durable syncs it himself.
#[derive(Debug)]
pub(super) struct WriteBack {
    more: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WriteBack {
    /// Of the file that has this name now.
    ///
    /// # Errors
    /// When it cannot be opened, or there is no thread to be had.
    pub(super) fn start(path: &Path) -> io::Result<WriteBack> {
        let file = File::open(path)?;
        let (more, asked) = sync_channel(1);
        let thread = thread::Builder::new().name("write-back".to_owned()).spawn(move || {
            // An error is told to everybody who has the file open: here it is of no use.
            asked.iter().for_each(|()| _ = file.sync_data());
        })?;
        Ok(WriteBack { more: Some(more), thread: Some(thread) })
    }

    /// There is more to be written. Does not wait.
    pub(super) fn more(&self) {
        if let Some(more) = &self.more {
            // If it is full, the next round has this, too.
            let _ = more.try_send(());
        }
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        self.more = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
