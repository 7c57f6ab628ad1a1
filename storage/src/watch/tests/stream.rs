//! Requests of a stream and their answers.

use std::task::{Context, Waker};

use super::store::{World, brief, briefs, from, next, range};
use crate::watch::{CreateError, WatchSpec};

#[test]
fn ids_count_up_past_those_in_use() {
    let world = World::new();
    let stream = world.hub.stream();
    let with_id = |watch_id| WatchSpec { watch_id, ..WatchSpec::new(range("a", "")) };
    let ids: Vec<_> =
        [0, 2, 0, 0, -7, 0].into_iter().map(|id| stream.create(with_id(id)).expect("created").watch_id).collect();
    assert_eq!(ids, [0, 2, 1, 3, -7, 4]);
    assert_eq!(stream.create(with_id(2)), Err(CreateError::DuplicateId));
    assert!(stream.cancel(2));
    assert_eq!(stream.create(with_id(2)).map(|created| created.watch_id), Ok(2));
    assert_eq!(
        briefs(&stream)[6..],
        ["refused at 1: mvcc: duplicate watch ID provided on the WatchStream", "canceled 2 at 1", "created 2 at 1"]
    );
}

#[test]
fn refusals_say_why_and_use_no_id() {
    let world = World::new();
    let stream = world.hub.stream();
    assert_eq!(stream.create(WatchSpec::new(range("b", "a"))), Err(CreateError::EmptyRange));
    assert_eq!(stream.create(WatchSpec::new(range("b", "b"))), Err(CreateError::EmptyRange));
    assert_eq!(stream.create(from(-1, range("b", ""))), Err(CreateError::NegativeRevision));
    stream.create(WatchSpec::new(range("b", ""))).expect("created");
    assert_eq!(
        briefs(&stream),
        [
            "refused at 1: mvcc: watcher range is empty",
            "refused at 1: mvcc: watcher range is empty",
            "refused at 1: etcdserver: mvcc: required revision has been compacted",
            "created 0 at 1"
        ]
    );
}

#[test]
fn cancelling_drops_what_is_queued_and_frees_the_id() {
    let world = World::new();
    let stream = world.hub.stream();
    let first = WatchSpec { watch_id: 5, ..WatchSpec::new(range("a", "b")) };
    stream.create(first.clone()).expect("created");
    stream.create(WatchSpec::new(range("a", "b"))).expect("created");
    world.put("a1", "x");
    assert!(stream.cancel(5));
    assert!(!stream.cancel(5));
    assert!(!stream.cancel(99));
    stream.create(first).expect("created");
    world.put("a2", "x");
    assert_eq!(
        briefs(&stream),
        [
            "created 5 at 1",
            "created 0 at 1",
            "events 0 at 2: +a1@2.0",
            "canceled 5 at 2",
            "created 5 at 2",
            "events 0 at 3: +a2@3.0",
            "events 5 at 3: +a2@3.0"
        ]
    );
    let stats = world.hub.stats();
    assert_eq!((stats.watchers, stats.pending_events, stats.events_sent), (2, 0, 3));
}

#[test]
fn what_was_cancelled_long_ago_is_forgotten_on_a_busy_stream() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec { watch_id: -1, ..WatchSpec::new(range("a", "")) }).expect("created");
    for _ in 0..2000 {
        // Something always waits.
        world.put("a", "x");
        let id = stream.create(WatchSpec::new(range("a", ""))).expect("created").watch_id;
        assert!(stream.cancel(id));
        let mut messages = Vec::new();
        let _ = stream.poll_batch(&mut Context::from_waker(Waker::noop()), &mut messages, 3);
    }
    assert!(stream.remembered_cancellations() < 100, "{}", stream.remembered_cancellations());
}

#[test]
fn a_compacted_start_is_created_then_cancelled_and_keeps_its_id() {
    let world = World::new();
    for _ in 0..5 {
        world.put("a", "x");
    }
    world.store.compact(4);
    let stream = world.hub.stream();
    let spec = WatchSpec { watch_id: 3, ..from(3, range("a", "")) };
    stream.create(spec.clone()).expect("created");
    assert_eq!(briefs(&stream), ["created 3 at 6", "compacted 3: 4"]);

    assert_eq!(stream.create(spec), Err(CreateError::DuplicateId));
    stream.request_progress();
    assert_eq!(briefs(&stream).len(), 1, "a cancelled watcher that still has its id blocks progress");
    assert!(stream.cancel(3));
    assert_eq!(briefs(&stream), ["canceled 3 at 6"]);

    stream.create(from(4, range("a", ""))).expect("created");
    assert_eq!(brief(&next(&stream)), "created 0 at 6");
    assert_eq!(brief(&next(&stream)), "events 0 at 6: +a@4.0 +a@5.0 +a@6.0");
}

#[test]
fn progress_is_answered_only_when_all_are_up_to_date_and_none_is_in_the_future() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.request_progress();
    assert!(briefs(&stream).is_empty(), "no watcher, no answer");

    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    world.put("a", "x");
    stream.request_progress();
    assert_eq!(briefs(&stream), ["created 0 at 1", "events 0 at 2: +a@2.0", "progress -1 at 2"]);

    for start in [3, 4] {
        stream.create(from(start, range("b", ""))).expect("created");
    }
    stream.request_progress();
    world.put("a", "x");
    stream.request_progress();
    world.put("b", "x");
    stream.request_progress();
    assert_eq!(
        briefs(&stream),
        [
            "created 1 at 2",
            "created 2 at 2",
            "events 0 at 3: +a@3.0",
            "events 1 at 4: +b@4.0",
            "events 2 at 4: +b@4.0",
            "progress -1 at 4"
        ]
    );
}

#[test]
fn progress_waits_for_what_the_store_already_shows() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", ""))).expect("created");
    let made = world.store.commit(&[("a", Some("x"))]);
    stream.request_progress();
    assert_eq!(briefs(&stream), ["created 0 at 1"]);
    world.hub.publish(&[made]);
    assert_eq!(briefs(&stream), ["events 0 at 2: +a@2.0", "progress -1 at 2"]);
}

#[test]
fn progress_notifications_go_to_the_quiet_ones_that_asked() {
    let world = World::new();
    let stream = world.hub.stream();
    let notify = |key| WatchSpec { progress_notify: true, ..WatchSpec::new(range(key, "")) };
    stream.create(notify("a")).expect("created");
    stream.create(notify("b")).expect("created");
    stream.create(WatchSpec::new(range("c", ""))).expect("created");
    world.put("a", "x");
    briefs(&stream);
    stream.notify_progress();
    assert_eq!(briefs(&stream), ["progress 1 at 2"]);
    stream.notify_progress();
    let mut said = briefs(&stream);
    said.sort_unstable();
    assert_eq!(said, ["progress 0 at 2", "progress 1 at 2"]);
}

#[test]
fn a_dropped_stream_leaves_nothing_and_a_dropped_hub_ends_the_streams() {
    let world = World::new();
    let stream = world.hub.stream();
    for key in ["a", "b", "c"] {
        stream.create(WatchSpec::new(range(key, ""))).expect("created");
    }
    let other = world.hub.stream();
    other.create(WatchSpec::new(range("a", "z"))).expect("created");
    world.put("a", "x");
    drop(stream);
    let stats = world.hub.stats();
    assert_eq!((stats.streams, stats.watchers, stats.pending_events), (1, 1, 1));

    drop(world);
    assert_eq!(brief(&next(&other)), "created 0 at 1");
    assert_eq!(brief(&next(&other)), "events 0 at 2: +a@2.0");
    assert!(super::store::block_on(other.next()).is_none());
}
