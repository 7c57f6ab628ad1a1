//! Watchers that start in the past, or lag.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::store::{Store, World, brief, briefs, from, next, range};
use crate::Record;
use crate::backend::RowKey;
use crate::watch::{
    EventFilters, History, HistoryError, HistoryPage, HistoryRead, WatchHub, WatchMessage, WatchOptions, WatchSpec,
    WatchStream,
};

fn options(queue_messages: usize, page_revisions: usize) -> WatchOptions {
    WatchOptions { queue_messages, page_revisions, ..WatchOptions::default() }
}

/// Reads until an event of a revision comes, and returns the revisions of all events.
fn revisions_up_to(stream: &WatchStream, last: i64) -> Vec<i64> {
    let mut revisions = Vec::new();
    while revisions.last() != Some(&last) {
        if let WatchMessage::Events { selection, .. } = next(stream) {
            revisions.extend(selection.iter().map(|selected| selected.revision));
        }
    }
    revisions
}

#[test]
fn history_comes_in_pages_headed_by_the_current_revision() {
    let world = World::with(options(128, 3));
    for n in 0..7 {
        world.put(if n == 2 { "b" } else { "a" }, "x");
    }
    let stream = world.hub.stream();
    stream.create(from(2, range("a", ""))).expect("created");
    let said: Vec<_> = (0..4).map(|_| brief(&next(&stream))).collect();
    assert_eq!(
        said,
        [
            "created 0 at 8",
            "events 0 at 8: +a@2.0 +a@3.0",
            "events 0 at 8: +a@5.0 +a@6.0 +a@7.0",
            "events 0 at 8: +a@8.0"
        ]
    );
    world.put("a", "x");
    assert_eq!(brief(&next(&stream)), "events 0 at 9: +a@9.0");
}

#[test]
fn what_is_published_late_is_not_said_twice() {
    let world = World::new();
    world.put("a", "x");
    let late = [world.store.commit(&[("a", Some("y"))]), world.store.commit(&[("a", Some("z"))])];
    let stream = world.hub.stream();
    stream.create(from(2, range("a", ""))).expect("created");
    assert_eq!(brief(&next(&stream)), "created 0 at 4");
    assert_eq!(brief(&next(&stream)), "events 0 at 4: +a@2.0 +a@3.0 +a@4.0");
    let both = world.store.commit(&[("a", Some("!"))]);
    world.hub.publish(&[late[0].clone(), late[1].clone(), both]);
    assert_eq!(brief(&next(&stream)), "events 0 at 5: +a@5.0");
    assert_eq!(world.hub.stats().pending_events, 0);
}

#[test]
fn a_full_stream_is_fed_from_history_once_it_is_read() {
    let world = World::with(options(4, 1000));
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    stream.create(WatchSpec::new(range("b", ""))).expect("created");
    for _ in 0..20 {
        world.put("a", "x");
    }
    let last = world.put("b", "x");
    assert_eq!(world.hub.stats().slow_watchers, 2);
    assert_eq!(stream.backlog(), 4);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    while a.len() < 20 || b.is_empty() {
        if let WatchMessage::Events { watch_id, selection, .. } = next(&stream) {
            let revisions = selection.iter().map(|selected| selected.revision);
            if watch_id == 0 { a.extend(revisions) } else { b.extend(revisions) }
        }
    }
    assert_eq!((a, b), ((2..=21).collect(), vec![last]));
}

#[test]
fn the_bytes_of_a_queue_are_bounded_too_but_one_message_always_fits() {
    let world = World::with(WatchOptions { queue_bytes: 1000, page_bytes: 1000, ..WatchOptions::default() });
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    briefs(&stream);
    let value = "v".repeat(5000);
    let mut last = 0;
    for _ in 0..10 {
        last = world.put("a", &value);
    }
    assert_eq!(stream.backlog(), 1);
    assert!(world.hub.shared.held.load(Ordering::Relaxed) < 6000);
    assert_eq!(revisions_up_to(&stream, last), (2..=last).collect::<Vec<_>>());
    assert_eq!(world.hub.stats().pending_events, 0);
}

#[test]
fn streams_that_nobody_reads_hold_little() {
    let world = World::with(WatchOptions { held_bytes: 20_000, ..WatchOptions::default() });
    let streams: Vec<_> = (0..10)
        .map(|n| {
            let stream = world.hub.stream();
            let filters = EventFilters { no_delete: n % 2 == 0, ..EventFilters::default() };
            stream.create(WatchSpec { filters, ..from(2, range("a", "")) }).expect("created");
            briefs(&stream);
            stream
        })
        .collect();
    let value = "v".repeat(500);
    let mut last = 0;
    for _ in 0..200 {
        last = world.put("a", &value);
    }
    assert!(world.hub.shared.held.load(Ordering::Relaxed) < 25_000);
    for stream in &streams {
        assert_eq!(revisions_up_to(stream, last), (2..=last).collect::<Vec<_>>());
    }
    // The thread lets go of its last page in its own time.
    let held = Arc::clone(&world.hub.shared.held);
    drop((streams, world));
    assert_eq!(held.load(Ordering::Relaxed), 0);
}

#[test]
fn compaction_cancels_only_who_has_not_seen_what_it_takes() {
    let world = World::with(options(2, 1000));
    let (slow, quick) = (world.hub.stream(), world.hub.stream());
    for stream in [&slow, &quick] {
        stream.create(WatchSpec::new(range("a", ""))).expect("created");
    }
    for n in 2..12 {
        assert_eq!(revisions_up_to(&quick, world.put("a", "x")), [n]);
    }
    world.store.compact(10);
    let said: Vec<_> = (0..3).map(|_| brief(&next(&slow))).collect();
    assert_eq!(said, ["created 0 at 1", "events 0 at 2: +a@2.0", "compacted 0: 10"]);
    assert_eq!(world.hub.stats().slow_watchers, 0);
    assert_eq!(revisions_up_to(&quick, world.put("a", "x")), [12]);
    slow.request_progress();
    assert_eq!(briefs(&slow), [""; 0]);
    assert!(slow.cancel(0));
    assert_eq!(brief(&next(&slow)), "canceled 0 at 12");
}

#[test]
fn slow_watchers_can_be_cancelled_and_their_streams_dropped() {
    let world = World::with(options(2, 1000));
    let stream = world.hub.stream();
    for _ in 0..3 {
        stream.create(WatchSpec::new(range("a", ""))).expect("created");
    }
    for _ in 0..5 {
        world.put("a", "x");
    }
    assert_eq!(world.hub.stats().slow_watchers, 3);
    assert!(stream.cancel(1));
    assert_eq!(world.hub.stats().slow_watchers, 2);
    drop(stream);
    let stats = world.hub.stats();
    assert_eq!((stats.slow_watchers, stats.watchers, stats.streams, stats.pending_events), (0, 0, 0, 0));
    assert!(world.hub.shared.state.lock().groups.is_empty());
}

#[test]
fn progress_is_not_answered_while_one_lags() {
    let world = World::with(options(2, 1000));
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    for _ in 0..3 {
        world.put("a", "x");
    }
    stream.request_progress();
    assert_eq!(revisions_up_to(&stream, 4), [2, 3, 4]);
    stream.request_progress();
    assert_eq!(brief(&next(&stream)), "progress -1 at 4");
}

#[test]
fn a_replaced_store_is_read_from_where_each_watcher_was() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    stream.create(from(4, range("a", ""))).expect("created");
    stream.create(from(9, range("a", ""))).expect("created");
    world.put("a", "x");
    for _ in 0..3 {
        world.store.commit(&[("a", Some("x"))]);
    }
    world.hub.resync();
    let mut said: Vec<_> = (0..6).map(|_| brief(&next(&stream))).collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "created 0 at 1",
            "created 1 at 1",
            "created 2 at 1",
            "events 0 at 2: +a@2.0",
            "events 0 at 5: +a@3.0 +a@4.0 +a@5.0",
            "events 1 at 5: +a@4.0 +a@5.0"
        ]
    );
    // Revisions that were never published are read from history as well.
    world.store.commit(&[("a", Some("x"))]);
    world.put("a", "x");
    let mut said: Vec<_> = (0..2).map(|_| brief(&next(&stream))).collect();
    said.sort_unstable();
    assert_eq!(said, ["events 0 at 7: +a@6.0 +a@7.0", "events 1 at 7: +a@6.0 +a@7.0"]);
}

/// A store whose history is read only when it is let.
#[derive(Debug)]
struct Gated {
    store: Store,
    /// Told that a reading has begun.
    begun: Mutex<mpsc::Sender<()>>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl History for Gated {
    fn revision(&self) -> i64 {
        self.store.revision()
    }

    fn compacted(&self) -> i64 {
        self.store.compacted()
    }

    fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        let page = self.store.events(read);
        let _ = self.begun.lock().send(());
        let _ = self.go_on.lock().recv();
        page
    }

    fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError> {
        self.store.record(row)
    }
}

#[test]
fn a_watcher_that_takes_the_place_of_one_being_served_is_not_taken_for_it() {
    let (begun, has_begun) = mpsc::channel();
    let (go, go_on) = mpsc::channel();
    let store = Gated { store: Store::new(), begun: Mutex::new(begun), go_on: Mutex::new(go_on) };
    store.store.commit(&[("a", Some("x")), ("b", Some("x"))]);
    let hub = WatchHub::new(Arc::new(store), WatchOptions::default()).expect("a hub");
    let (first, second) = (hub.stream(), hub.stream());
    first.create(from(2, range("a", ""))).expect("created");
    has_begun.recv().expect("a reading");
    assert!(first.cancel(0));
    second.create(from(2, range("b", ""))).expect("created");
    (0..2).for_each(|_| go.send(()).expect("a reader"));
    let said: Vec<_> = (0..2).map(|_| brief(&next(&second))).collect();
    assert_eq!(said, ["created 0 at 2", "events 0 at 2: +b@2.1"]);
    assert_eq!(briefs(&first), ["created 0 at 2", "canceled 0 at 2"]);
}

/// History that cannot even be looked at.
struct Broken(Store);

impl History for Broken {
    fn revision(&self) -> i64 {
        self.0.revision()
    }

    fn compacted(&self) -> i64 {
        self.0.compacted()
    }

    fn events(&self, _: HistoryRead) -> Result<HistoryPage, HistoryError> {
        panic!("no such page")
    }

    fn record(&self, row: RowKey) -> Result<Option<Record>, HistoryError> {
        self.0.record(row)
    }
}

#[test]
fn a_panic_of_the_thread_is_told() {
    let store = Store::new();
    store.commit(&[("a", Some("x"))]);
    let hub = WatchHub::new(Arc::new(Broken(store)), WatchOptions::default()).expect("a hub");
    assert!(hub.failure().is_none());
    let stream = hub.stream();
    stream.create(from(2, range("a", ""))).expect("created");
    let deadline = Instant::now() + Duration::from_secs(20);
    while hub.failure().is_none() {
        assert!(Instant::now() < deadline, "nobody is told");
        std::thread::yield_now();
    }
    let failure = hub.failure().map(|failure| failure.to_string());
    assert_eq!(failure.as_deref(), Some("the thread \"watch-catch-up\" panicked: no such page"));
}
