//! The threads that serve connections: one event loop each, and a connection stays with its loop.
//!
//! A runtime that moves tasks between threads wakes a second thread for nearly every request, to look for work that is
//! not there. Connections are many and alike, so they are dealt out once instead, to the loop that has the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::courier::Courier;

/// The loops; they end when this is dropped.
#[derive(Debug)]
pub(super) struct EventLoops {
    loops: Vec<(Handle, Arc<AtomicUsize>)>,
    _stop: DropGuard,
}

/// A connection's place on a loop.
#[derive(Debug)]
pub(super) struct Seat(Arc<AtomicUsize>);

impl EventLoops {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// When the system refuses one.
    pub(super) fn start(count: usize) -> io::Result<EventLoops> {
        let stop = CancellationToken::new();
        let loops = (0..count.max(1)).map(|number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let stopped = stop.clone();
            thread::Builder::new().name(format!("keyport-io-{number}")).spawn(move || {
                let arrivals = Courier::settle_here();
                runtime.block_on(stopped.run_until_cancelled(arrivals.deliver()));
            })?;
            Ok((handle, Arc::default()))
        });
        Ok(EventLoops { loops: loops.collect::<io::Result<_>>()?, _stop: stop.drop_guard() })
    }

    /// The loop with the fewest connections, and a place on it.
    pub(super) fn seat(&self) -> Option<(&Handle, Seat)> {
        let (handle, taken) = self.loops.iter().min_by_key(|(_, taken)| taken.load(Ordering::Relaxed))?;
        taken.fetch_add(1, Ordering::Relaxed);
        Some((handle, Seat(Arc::clone(taken))))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_dealt_out_evenly_and_run_on_their_loop() {
        let loops = EventLoops::start(2).unwrap();
        let mut seats = Vec::new();
        for _ in 0..6 {
            let (handle, seat) = loops.seat().unwrap();
            let name = handle.spawn(async { thread::current().name().map(str::to_owned) }).await.unwrap();
            seats.push((name.unwrap(), seat));
        }
        let on_first = seats.iter().filter(|(name, _)| name == "keyport-io-0").count();
        assert_eq!(on_first, 3);
        seats.retain(|(name, _)| name == "keyport-io-1");
        let (handle, _seat) = loops.seat().unwrap();
        let name = handle.spawn(async { thread::current().name().map(str::to_owned) }).await.unwrap();
        assert_eq!(name.as_deref(), Some("keyport-io-0"));
    }
}
