//! Everything at once: a publisher, slow and quick readers that come and go, and compactions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use super::store::{World, block_on, from, range};
use crate::watch::{WatchMessage, WatchOptions, WatchSpec};

const KEYS: i64 = 4;
const LAST: i64 = 3000;

/// Revision r puts the key `k{r % 4}`, so everyone can tell whether something is missing.
fn key(revision: i64) -> String {
    format!("k{}", revision % KEYS)
}

/// The next revision of a single key, or of all.
fn next_of(single: Option<i64>, from: i64) -> i64 {
    single.map_or(from, |single| from + (single - from).rem_euclid(KEYS))
}

#[test]
fn nothing_is_lost_or_repeated_under_load() {
    let options = WatchOptions { queue_messages: 8, page_revisions: 50, ..WatchOptions::default() };
    let world = World::with(options);
    let current = AtomicI64::new(1);
    thread::scope(|scope| {
        let (world, current) = (&world, &current);
        scope.spawn(move || {
            let mut batch = Vec::new();
            for revision in 2..=LAST {
                batch.push(world.store.commit(&[(&key(revision), Some("value"))]));
                if revision % 7 == 0 || revision == LAST {
                    world.hub.publish(&batch);
                    batch.clear();
                    current.store(revision, Ordering::SeqCst);
                }
                if revision % 400 == 0 {
                    world.store.compact(revision - 100);
                }
            }
        });
        for reader in 0..6 {
            scope.spawn(move || read(world, current, reader));
        }
    });
    let stats = world.hub.stats();
    assert_eq!((stats.streams, stats.watchers, stats.slow_watchers, stats.pending_events), (0, 0, 0, 0));
}

fn read(world: &World, current: &AtomicI64, reader: i64) {
    let mut random = reader + 1;
    let mut random = move |below: i64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33).rem_euclid(below)
    };
    let mut stream = world.hub.stream();
    // By watch id: the key, if it is a single one, and the next revision that must come.
    let mut watched: BTreeMap<i64, (Option<i64>, i64)> = BTreeMap::new();
    let mut is_done = false;
    while !is_done {
        if watched.is_empty() || random(20) == 0 {
            let single = (random(2) == 0).then(|| random(KEYS));
            let range = single.map_or(range("k", "l"), |single| range(&key(single), ""));
            let start = (random(3) != 0).then(|| (current.load(Ordering::SeqCst) - random(300)).max(2));
            let spec = start.map_or(WatchSpec::new(range.clone()), |start| from(start, range));
            let created = stream.create(spec).expect("created");
            watched.insert(created.watch_id, (single, next_of(single, start.unwrap_or(created.revision + 1))));
        }
        if watched.len() > 8 {
            let id = *watched.keys().next().expect("some");
            assert!(stream.cancel(id));
            watched.remove(&id);
        }
        if random(30) == 0 {
            stream.request_progress();
        }
        if random(200) == 0 {
            stream = world.hub.stream();
            watched.clear();
            continue;
        }
        if reader % 2 == 0 {
            (0..random(50)).for_each(|_| thread::yield_now());
        }
        // Who began behind the end, or has all of it, is told nothing any more.
        if watched.values().all(|(_, next)| *next > LAST) {
            break;
        }
        let mut messages = Vec::new();
        let max = usize::try_from(1 + random(20)).expect("small");
        block_on(stream.next_batch(&mut messages, max));
        for message in messages {
            match message {
                WatchMessage::Events { watch_id, selection, .. } => {
                    let (single, next) = watched.get_mut(&watch_id).expect("not cancelled");
                    for selected in selection.iter() {
                        assert_eq!(selected.revision, *next, "watcher {watch_id} of {reader}");
                        *next = next_of(*single, selected.revision + 1);
                    }
                    is_done |= selection.last_revision() > LAST - KEYS;
                }
                WatchMessage::Progress { revision, .. } => {
                    assert!(watched.values().all(|(_, next)| *next > revision), "progress {revision} of {reader}");
                }
                WatchMessage::Compacted { watch_id, .. } => {
                    if watched.remove(&watch_id).is_some() {
                        assert!(stream.cancel(watch_id));
                    }
                }
                WatchMessage::Created { .. } | WatchMessage::Canceled { .. } => {}
                WatchMessage::Refused { error, .. } => panic!("{error}"),
            }
        }
        // With nobody left to be told of the end, it would never come.
        is_done |= current.load(Ordering::SeqCst) == LAST && watched.is_empty();
    }
    drop(stream);
}
