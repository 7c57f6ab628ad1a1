//! The threads that serve connections: one event loop each, and a connection stays with its loop.
//!
//! A runtime that moves tasks between threads wakes a second thread for nearly every request, to look for work that is
//! not there. Connections are many and alike, so they are dealt out once instead, to the loop that has the fewest.
//!
//! A connection's panic is its own. A loop that panics itself, by what delivers the answers there, is lost with all its
//! connections, and would be the one with the fewest ever after: that is told, and the process is expected to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use keyport_storage::ThreadPanic;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::turn;
use crate::courier::Courier;
use crate::metrics::Metrics;

/// The loops; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct EventLoops {
    loops: Vec<Loop>,
    /// The first panic of a loop.
    panicked: watch::Receiver<Option<ThreadPanic>>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Loop {
    handle: Handle,
    /// Connections on it.
    taken: Arc<AtomicUsize>,
}

/// A connection's place on a loop.
#[derive(Debug)]
pub(crate) struct Seat {
    number: usize,
    taken: Arc<AtomicUsize>,
}

impl EventLoops {
    /// Starts `count` threads, the turns on which are counted.
    ///
    /// # Errors
    /// When the system refuses one.
    pub(crate) fn start(count: usize, metrics: &Metrics) -> io::Result<EventLoops> {
        let stop = CancellationToken::new();
        let (panics, panicked) = watch::channel(None);
        let loops = (0..count.max(1)).map(|number| {
            let runtime = turn::notice(Builder::new_current_thread().enable_all()).build()?;
            let handle = runtime.handle().clone();
            let (stopped, panics) = (stop.clone(), panics.clone());
            let turns = metrics.turns();
            thread::Builder::new().name(format!("keyport-io-{number}")).spawn(move || {
                let arrivals = Courier::settle_here();
                turn::count_here(turns);
                let done = ThreadPanic::catch(|| runtime.block_on(stopped.run_until_cancelled(arrivals.deliver())));
                if let Err(panic) = done {
                    panics.send_modify(|first| _ = first.get_or_insert(panic));
                }
            })?;
            Ok(Loop { handle, taken: Arc::default() })
        });
        Ok(EventLoops { loops: loops.collect::<io::Result<_>>()?, panicked, _stop: stop.drop_guard() })
    }

    /// Returns once a loop has panicked.
    pub(crate) async fn panicked(&self) -> ThreadPanic {
        let mut panicked = self.panicked.clone();
        let panic = panicked.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        match panic {
            Some(panic) => panic,
            // All have ended, as they were told to.
            None => std::future::pending().await,
        }
    }

    /// Has connections, and the tasks of the loops and of the runtime that this is called on, counted whenever metrics are asked for.
    pub(crate) fn count_tasks(&self, metrics: &Metrics) {
        let loops = self.loops.iter().map(|Loop { handle, .. }| handle.clone());
        metrics.event_loops.set(i64::try_from(loops.len()).unwrap_or(i64::MAX));
        let runtimes: Vec<Handle> = loops.chain(Handle::try_current()).collect();
        let taken: Vec<_> = self.loops.iter().map(|Loop { taken, .. }| Arc::clone(taken)).collect();
        metrics.on_scrape(move |metrics| {
            let connections: usize = taken.iter().map(|taken| taken.load(Ordering::Relaxed)).sum();
            metrics.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
            let tasks: usize = runtimes.iter().map(|runtime| runtime.metrics().num_alive_tasks()).sum();
            metrics.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        });
    }

    /// Returns once that loop has come to a new task; at once where there is no such loop.
    pub(crate) async fn attend(&self, number: usize) {
        if let Some(Loop { handle, .. }) = self.loops.get(number) {
            // One that has ended is told of by `panicked`.
            let _ = handle.spawn(async {}).await;
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.loops.len()
    }

    /// The loop with the fewest connections, and a place on it.
    pub(crate) fn seat(&self) -> Option<(&Handle, Seat)> {
        let loops = self.loops.iter().enumerate();
        let (number, Loop { handle, taken }) = loops.min_by_key(|(_, one)| one.taken.load(Ordering::Relaxed))?;
        taken.fetch_add(1, Ordering::Relaxed);
        Some((handle, Seat { number, taken: Arc::clone(taken) }))
    }
}

impl Seat {
    /// Which of the loops it is on, below [`EventLoops::count`].
    pub(crate) fn event_loop(&self) -> usize {
        self.number
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;
    use crate::courier::Parcels;

    #[tokio::test]
    async fn a_loop_that_panics_is_noticed_and_a_connection_that_does_is_not() {
        struct Panicking;
        impl Wake for Panicking {
            fn wake(self: Arc<Panicking>) {
                panic!("woken");
            }
        }

        let loops = EventLoops::start(2, &Metrics::new(false)).unwrap();
        let (handle, _seat) = loops.seat().unwrap();
        handle.spawn(async { panic!("a connection") }).await.unwrap_err();
        let courier = handle.spawn(async { Courier::here() }).await.unwrap();
        let (waiter, waiting) = oneshot::channel();
        let (mut waiting, waker) = (pin!(waiting), Waker::from(Arc::new(Panicking)));
        // Whoever waits is woken where the answer is handed over.
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut parcels = Parcels::new(|waiter: oneshot::Sender<()>| _ = waiter.send(()));
        parcels.add(courier, waiter);
        parcels.send();
        let panic = tokio::time::timeout(Duration::from_secs(10), loops.panicked()).await.unwrap();
        assert_eq!(panic.to_string(), "the thread \"keyport-io-0\" panicked: woken");
    }

    #[tokio::test]
    async fn connections_are_dealt_out_evenly_and_run_on_their_loop() {
        let loops = EventLoops::start(2, &Metrics::new(false)).unwrap();
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
