//! Reading a stream of watchers on an ordinary thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use keyport_storage::watch::{SelectedEvent, WatchMessage, WatchStream};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn next(stream: &WatchStream) -> WatchMessage {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut next = pin!(stream.next());
    loop {
        match next.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(message) => return message.expect("the hub is there"),
            Poll::Pending => thread::park(),
        }
    }
}

/// All events up to a revision, and the compact revision if the watcher was cancelled instead.
pub(crate) fn read(stream: &WatchStream, last: i64) -> Result<Vec<SelectedEvent>, i64> {
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &SelectedEvent| event.revision < last) {
        match next(stream) {
            WatchMessage::Events { selection, .. } => events.extend(selection.iter().cloned()),
            WatchMessage::Compacted { compact_revision, .. } => return Err(compact_revision),
            _ => {}
        }
    }
    Ok(events)
}
