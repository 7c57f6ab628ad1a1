//! Random histories, watchers, readers and compactions: every watcher sees exactly its events, in order, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::store::{World, block_on, range};
use crate::watch::{
    EventFilters, History, RevisionEvents, SelectedEvent, WatchMessage, WatchOptions, WatchSpec, WatchStream,
};
use crate::{Event, KeyRange, RangeEnd};

/// Of one message; a few events.
const MESSAGE_BYTES: usize = 90;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(&'static str, bool)>),
    /// Publishes so many of the revisions that were not.
    Publish(usize),
    Create {
        stream: usize,
        spec: WatchSpec,
        back: i64,
    },
    Cancel {
        stream: usize,
        nth: usize,
    },
    Read {
        stream: usize,
        messages: usize,
    },
    Progress {
        stream: usize,
    },
    Compact {
        back: i64,
    },
    Resync,
}

fn spec() -> impl Strategy<Value = WatchSpec> {
    let ranges = select(vec![
        vec![range("a", "")],
        vec![range("b", "d")],
        vec![range("a", "z")],
        vec![KeyRange { end: RangeEnd::Unbounded, ..range("c", "") }],
        vec![range("d", ""), range("a", "c"), range("b", "")],
    ]);
    let kept = select(vec![(false, false), (false, false), (true, false), (false, true)]);
    (ranges, kept, any::<bool>()).prop_map(|(ranges, (no_put, no_delete), prev_kv)| WatchSpec {
        ranges,
        filters: EventFilters { no_put, no_delete },
        prev_kv,
        ..WatchSpec::new(range("a", ""))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let stream = || 0_usize..3;
    prop_oneof![
        6 => vec((select(&KEYS[..]), any::<bool>()), 1..4).prop_map(Step::Commit),
        6 => (1_usize..5).prop_map(Step::Publish),
        3 => (stream(), spec(), -3_i64..12).prop_map(|(stream, spec, back)| Step::Create { stream, spec, back }),
        1 => (stream(), 0_usize..8).prop_map(|(stream, nth)| Step::Cancel { stream, nth }),
        4 => (stream(), 1_usize..8).prop_map(|(stream, messages)| Step::Read { stream, messages }),
        1 => stream().prop_map(|stream| Step::Progress { stream }),
        1 => (1_i64..10).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Resync),
    ]
}

/// What a watcher has seen.
struct Watched {
    spec: WatchSpec,
    /// The first revision that it should see.
    first: i64,
    is_created: bool,
    is_over: bool,
    seen: Vec<SelectedEvent>,
    /// (how many events it had seen, the revision) of each answer about progress.
    progress: Vec<(usize, i64)>,
}

impl Watched {
    fn expected(&self, history: &[RevisionEvents]) -> Vec<SelectedEvent> {
        let revisions = history.iter().filter(|revision| revision.revision >= self.first);
        let events = revisions.flat_map(|RevisionEvents { revision, events, .. }| {
            events.iter().zip(0..).map(|(event, index)| SelectedEvent {
                revision: *revision,
                index,
                event: event.clone(),
            })
        });
        let wanted = |event: &Event| {
            self.spec.filters.admits(event.kind) && self.spec.ranges.iter().any(|range| range.contains(event.kv.key()))
        };
        let mut events: Vec<_> = events.filter(|selected| wanted(&selected.event)).collect();
        if !self.spec.prev_kv {
            events.iter_mut().for_each(|selected| selected.event.prev_kv = None);
        }
        events
    }

    fn check(&self, history: &[RevisionEvents]) {
        let expected = self.expected(history);
        let seen = if self.is_over { &expected[..self.seen.len().min(expected.len())] } else { &expected[..] };
        assert_eq!(self.seen, seen, "{:?} from {}", self.spec, self.first);
        let next = expected.get(self.seen.len()).map(|next| next.revision);
        assert!(self.seen.last().map(|last| last.revision) != next || next.is_none(), "a revision was cut");
        for (seen, revision) in &self.progress {
            assert_eq!(expected.iter().filter(|event| event.revision <= *revision).count(), *seen, "at {revision}");
        }
    }
}

struct Reader {
    stream: WatchStream,
    watched: BTreeMap<i64, Watched>,
    cancelled: Vec<Watched>,
}

impl Reader {
    fn create(&mut self, spec: WatchSpec) {
        let created = self.stream.create(spec.clone()).expect("created");
        let first = if spec.start_revision == 0 { created.revision + 1 } else { spec.start_revision };
        let (seen, progress) = (Vec::new(), Vec::new());
        let watched = Watched { spec, first, is_created: false, is_over: false, seen, progress };
        assert!(self.watched.insert(created.watch_id, watched).is_none());
    }

    fn cancel(&mut self, nth: usize) {
        let Some(&watch_id) = self.watched.keys().nth(nth) else { return };
        assert!(self.stream.cancel(watch_id));
        let mut watched = self.watched.remove(&watch_id).expect("known");
        watched.is_over = true;
        self.cancelled.push(watched);
    }

    fn take(&mut self, message: &WatchMessage) {
        match message {
            WatchMessage::Created { watch_id, .. } => {
                if let Some(watched) = self.watched.get_mut(watch_id) {
                    watched.is_created = true;
                }
            }
            WatchMessage::Events { watch_id, selection, revision, .. } => {
                let watched = self.watched.get_mut(watch_id).expect("not cancelled");
                assert!(watched.is_created && !watched.is_over);
                assert!(!selection.is_empty() && selection.last_revision() <= *revision);
                let is_one_revision = selection.iter().all(|event| event.revision == selection.last_revision());
                assert!(is_one_revision || selection.protobuf().len() < MESSAGE_BYTES);
                let seen = watched.seen.last();
                assert!(seen.is_none_or(|last| last.revision < selection[0].revision), "a revision was cut");
                watched.seen.extend(selection.iter().cloned());
            }
            WatchMessage::Compacted { watch_id, compact_revision } => {
                if let Some(watched) = self.watched.get_mut(watch_id) {
                    assert!(watched.is_created && !watched.is_over);
                    assert!(watched.seen.last().is_none_or(|last| last.revision < *compact_revision));
                    watched.is_over = true;
                }
            }
            WatchMessage::Progress { watch_id: -1, revision } => {
                for watched in self.watched.values_mut().filter(|watched| watched.is_created) {
                    assert!(!watched.is_over && watched.spec.start_revision <= *revision);
                    watched.progress.push((watched.seen.len(), *revision));
                }
            }
            WatchMessage::Canceled { watch_id, .. } => assert!(!self.watched.contains_key(watch_id)),
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn read(&mut self, messages: usize) {
        let mut taken = Vec::new();
        let _ = self.stream.poll_batch(&mut Context::from_waker(Waker::noop()), &mut taken, messages);
        taken.iter().for_each(|message| self.take(message));
    }

    fn is_waiting(&self, history: &[RevisionEvents]) -> bool {
        let mut watched = self.watched.values();
        watched.any(|watched| !watched.is_over && watched.seen.len() < watched.expected(history).len())
    }
}

fn run(steps: Vec<Step>) {
    let world = World::with(WatchOptions {
        queue_messages: 3,
        message_bytes: MESSAGE_BYTES,
        page_revisions: 4,
        pass_watchers: 2,
        ..WatchOptions::default()
    });
    let mut readers: Vec<Reader> = (0..3)
        .map(|_| Reader { stream: world.hub.stream(), watched: BTreeMap::new(), cancelled: Vec::new() })
        .collect();
    let mut history: Vec<RevisionEvents> = Vec::new();
    let mut published = 0;
    let commit = |history: &mut Vec<RevisionEvents>, changes: &[(&str, bool)]| {
        let changes: Vec<_> = changes.iter().map(|(key, put)| (*key, put.then_some("value"))).collect();
        history.extend(Some(world.store.commit(&changes)).filter(|made| !made.events.is_empty()));
    };
    for step in steps {
        let revision = 1 + i64::try_from(history.len()).expect("few");
        match step {
            Step::Commit(changes) => commit(&mut history, &changes),
            Step::Publish(revisions) => {
                let end = history.len().min(published + revisions);
                world.publish(&history[published..end]);
                published = end;
            }
            Step::Create { stream, mut spec, back } => {
                spec.start_revision = if back < 0 { 0 } else { (revision - back + 3).max(1) };
                readers[stream].create(spec);
            }
            Step::Cancel { stream, nth } => readers[stream].cancel(nth),
            Step::Read { stream, messages } => readers[stream].read(messages),
            Step::Progress { stream } => readers[stream].stream.request_progress(),
            Step::Compact { back } => {
                let at = revision - back;
                if at > world.store.compacted().max(1) {
                    world.store.compact(at);
                }
            }
            Step::Resync => world.hub.resync(),
        }
    }
    commit(&mut history, &KEYS.map(|key| (key, true)));
    commit(&mut history, &KEYS.map(|key| (key, false)));
    world.publish(&history[published..]);
    for reader in &mut readers {
        while reader.is_waiting(&history) {
            let message = block_on(reader.stream.next()).expect("the hub is there");
            reader.take(&message);
        }
        reader.read(usize::MAX);
        reader.watched.values().chain(&reader.cancelled).for_each(|watched| watched.check(&history));
    }
    drop(readers);
    let stats = world.hub.stats();
    assert_eq!((stats.streams, stats.watchers, stats.slow_watchers, stats.pending_events), (0, 0, 0, 0));
    let held = Arc::clone(&world.hub.shared.held);
    drop(world);
    assert_eq!(held.load(Ordering::Relaxed), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn every_watcher_sees_its_events_in_order_once(steps in vec(step(), 1..120)) {
        run(steps);
    }
}
