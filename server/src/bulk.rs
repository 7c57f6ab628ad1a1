//! Work that is too large for an event loop: it is done aside, by a few threads that nobody else waits for.
//!
//! An event loop serves many connections, and while it works for one of them the others get nothing. So what may take
//! longer than a few milliseconds (a walk over many keys, a sort, a large message to be read or written) is tried under a
//! [`Leash`] first, or weighed, and what is too large comes here. One piece of work of each connection is under way at
//! most, in its [`Lane`], and whoever came first is served first, so that nobody gets ahead by asking for more. Whoever
//! is gone is noticed, and his work dropped.

mod leash;
mod pace;

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io, thread};

use keyport_api::error::Error;
use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::metrics::IntCounter;
pub(crate) use leash::Leash;
pub(crate) use pace::Pace;

/// Messages of more bytes are read and written aside.
pub(crate) const LARGE: usize = 256 * 1024;

/// Lists of more records are gone through aside.
pub(crate) const LONG: usize = 4096;

/// The priority of those who get a quarter of a core that somebody else wants, too. They get out of the way by themselves
/// ([`Pace`]); with less they would hardly get back to a core, once they have.
const BEHIND: i32 = 5;

/// Puts the thread that calls behind others for good. What has begun must end: behind is not last, or on a machine where
/// others want every core all the time it would never be done.
pub(crate) fn step_behind() {
    // Of this thread. Nobody refuses to be asked for less.
    let _ = setpriority_process(None, BEHIND);
}

/// The threads. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Bulk(Arc<Threads>);

struct Threads {
    /// Of it only the threads for blocking work are used. There until the end.
    runtime: Option<Runtime>,
    /// One for each thread, given out in the order of asking.
    places: Arc<Semaphore>,
    count: usize,
    done: IntCounter,
}

/// A connection's own place in the queue: its work is done one piece after the other. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Lane(Arc<Semaphore>);

/// Says whether anybody still waits for the work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone(Arc<AtomicBool>);

/// What is done aside, and what comes of it: of one type, or each kind of work would have all that leads to it written anew.
type Work = Box<dyn FnOnce(&Gone) -> Box<dyn Any + Send> + Send>;

/// The threads, and the lane of whoever asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aside<'a> {
    bulk: &'a Bulk,
    lane: Option<&'a Lane>,
}

impl Bulk {
    /// A thread for every second core, so that those who ask for little have the others, and two at least; `done` counts
    /// what was done.
    ///
    /// # Errors
    /// When the system refuses what a runtime needs.
    pub(crate) fn start(done: IntCounter) -> io::Result<Bulk> {
        Bulk::of(threads(), done, "keyport-bulk", || {})
    }

    /// The same, behind others: for work that is one long calculation, whatever it is for, at its [`Pace`].
    ///
    /// # Errors
    /// The same.
    pub(crate) fn start_patient(done: IntCounter) -> io::Result<Bulk> {
        Bulk::of(threads(), done, "keyport-hash", step_behind)
    }

    fn of(threads: usize, done: IntCounter, name: &str, begin: impl Fn() + Send + Sync + 'static) -> io::Result<Bulk> {
        let mut builder = Builder::new_current_thread();
        builder.thread_name(name).on_thread_start(begin);
        // One more, for what is only to be dropped.
        let runtime = builder.max_blocking_threads(threads + 1).build()?;
        let places = Arc::new(Semaphore::new(threads));
        Ok(Bulk(Arc::new(Threads { runtime: Some(runtime), places, count: threads, done })))
    }

    /// How much is done at once.
    pub(crate) fn threads(&self) -> usize {
        self.0.count
    }

    /// With the lane of whoever asks, if he has one.
    pub(crate) fn aside<'a>(&'a self, lane: Option<&'a Lane>) -> Aside<'a> {
        Aside { bulk: self, lane }
    }

    /// Drops what is left of a list: here, or aside if that is much.
    pub(crate) fn discard<T: ExactSizeIterator + Send + 'static>(&self, rest: T) {
        match &self.0.runtime {
            Some(runtime) if rest.len() > LONG => drop(runtime.spawn_blocking(move || drop(rest))),
            _ => drop(rest),
        }
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).div_ceil(2).max(2)
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Drop for Threads {
    /// Whatever is still under way belongs to somebody who is gone.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An [`Aside`] for who outlives the request that it was made for.
#[derive(Clone, Debug)]
pub(crate) struct OwnAside {
    bulk: Bulk,
    lane: Option<Lane>,
}

impl OwnAside {
    pub(crate) fn get(&self) -> Aside<'_> {
        self.bulk.aside(self.lane.as_ref())
    }
}

impl<'a> Aside<'a> {
    pub(crate) fn bulk(self) -> &'a Bulk {
        self.bulk
    }

    pub(crate) fn to_own(self) -> OwnAside {
        OwnAside { bulk: self.bulk.clone(), lane: self.lane.cloned() }
    }

    /// Has `work` done, once it is its turn. It goes on beyond an end of the waiting until it asks [`Gone`].
    ///
    /// # Errors
    /// `Stopped`, when the server ends meanwhile.
    ///
    /// # Panics
    /// As `work` does.
    pub(crate) fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Gone) -> T + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>> {
        let work: Work = Box::new(move |gone| Box::new(work(gone)));
        // In a box, lest every request that might have been large is as large as this.
        Box::pin(async move {
            let outcome = self.finished(work).await?.downcast();
            Ok(*outcome.unwrap_or_else(|_| unreachable!("it is what the work returned")))
        })
    }

    async fn finished(self, work: Work) -> Result<Box<dyn Any + Send>, Error> {
        let threads = &self.bulk.0;
        let Some(runtime) = &threads.runtime else { return Err(Error::Stopped) };
        let turn = match self.lane {
            Some(Lane(lane)) => Some(Arc::clone(lane).acquire_owned().await.map_err(|_| Error::Stopped)?),
            None => None,
        };
        let place = Arc::clone(&threads.places).acquire_owned().await.map_err(|_| Error::Stopped)?;
        let waiting = Waiting(Gone::default());
        let (gone, done) = (waiting.0.clone(), threads.done.clone());
        let task = runtime.spawn_blocking(move || {
            let outcome = work(&gone);
            done.inc();
            // Only now, though nobody may wait any more: it is the threads that are counted.
            drop((turn, place));
            outcome
        });
        task.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Error::Stopped,
        })
    }
}

impl Lane {
    pub(crate) fn new() -> Lane {
        Lane(Arc::new(Semaphore::new(1)))
    }
}

impl Gone {
    /// Whether nobody waits any more.
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whoever waits; gone when it is dropped.
struct Waiting(Gone);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use rustix::process::getpriority_process;

    use super::*;

    fn done() -> IntCounter {
        IntCounter::new("done", "done").unwrap()
    }

    fn threads(count: usize) -> Bulk {
        Bulk::of(count, done(), "keyport-bulk", || {}).unwrap()
    }

    fn bulk() -> Bulk {
        threads(1)
    }

    #[tokio::test]
    async fn patient_threads_are_behind_and_others_are_not() {
        let priority = || getpriority_process(None).unwrap();
        let own = priority();
        for (bulk, expected) in [(Bulk::start_patient(done()).unwrap(), BEHIND), (Bulk::start(done()).unwrap(), own)] {
            assert_eq!(bulk.aside(None).run(move |_| priority()).await, Ok(expected));
        }
        assert_eq!(priority(), own);
    }

    #[tokio::test]
    async fn work_is_done_on_another_thread_and_counted() {
        let bulk = bulk();
        let name = bulk.aside(None).run(|_| thread::current().name().map(str::to_owned)).await.unwrap();
        assert_eq!(name.as_deref(), Some("keyport-bulk"));
        assert_eq!(bulk.0.done.get(), 1);
    }

    #[tokio::test]
    async fn a_connection_has_one_piece_under_way_and_another_is_not_held_up() {
        let bulk = threads(2);
        let (busy, idle) = (Lane::new(), Lane::new());
        let (go, wait) = mpsc::channel::<()>();
        let mut first = bulk.aside(Some(&busy)).run(move |_| wait.recv().unwrap());
        let mut second = bulk.aside(Some(&busy)).run(|_| ());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        bulk.aside(Some(&idle)).run(|_| ()).await.unwrap();
        assert_eq!(bulk.0.done.get(), 1, "the second has not begun");
        go.send(()).unwrap();
        first.await.unwrap();
        second.await.unwrap();
    }

    #[tokio::test]
    async fn work_learns_that_nobody_waits() {
        let bulk = bulk();
        let (begun, beginning) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let mut waiting = bulk.aside(None).run(move |gone| {
            begun.send(()).unwrap();
            while !gone.is_so() {
                thread::yield_now();
            }
            end.send(()).unwrap();
        });
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        beginning.recv().unwrap();
        drop(waiting);
        ended.recv().unwrap();
    }

    #[tokio::test]
    async fn only_what_is_long_is_dropped_aside() {
        struct Told(mpsc::Sender<Option<String>>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(thread::current().name().map(str::to_owned));
            }
        }

        let bulk = bulk();
        for (len, aside) in [(1, false), (LONG, false), (LONG + 1, true)] {
            let (tell, told) = mpsc::channel();
            let list: Vec<Told> = (0..len).map(|_| Told(tell.clone())).collect();
            bulk.discard(list.into_iter());
            assert_eq!(told.recv().unwrap().as_deref() == Some("keyport-bulk"), aside, "{len}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_callers() {
        let bulk = bulk();
        let asked = tokio::spawn(async move { bulk.aside(None).run(|_| panic!("too large")).await });
        assert!(asked.await.unwrap_err().is_panic());
    }
}
