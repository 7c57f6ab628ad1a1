//! What one delivered event costs: matching, queueing, waking, taking out and copying the shared encoding.
//!
//! `cargo bench -p keyport-storage --bench watch`. Elements are events as the watchers see them.

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keyport_storage::backend::RowKey;
use keyport_storage::watch::{
    History, HistoryError, HistoryPage, HistoryRead, RevisionEvents, WatchHub, WatchMessage, WatchOptions, WatchSpec,
    WatchStream,
};
use keyport_storage::{Event, EventKind, KeyRange, Record, Versions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nobody lags here, so nothing is read from history.
struct NoHistory;

impl History for NoHistory {
    fn revision(&self) -> i64 {
        1
    }

    fn compacted(&self) -> i64 {
        -1
    }

    fn events(&self, read: HistoryRead) -> Result<HistoryPage, HistoryError> {
        Ok(HistoryPage { revisions: Vec::new(), through: read.from })
    }

    fn record(&self, _: RowKey) -> Result<Option<Record>, HistoryError> {
        Ok(None)
    }
}

/// A hub with its streams, and revisions to publish.
struct Rig {
    hub: WatchHub,
    streams: Vec<WatchStream>,
    messages: Vec<WatchMessage>,
    revision: i64,
}

impl Rig {
    fn new(watchers: usize, streams: usize, range: impl Fn(usize) -> KeyRange) -> Rig {
        let hub = WatchHub::new(Arc::new(NoHistory), WatchOptions::default()).expect("a hub");
        let streams: Vec<_> = (0..streams).map(|_| hub.stream()).collect();
        for watcher in 0..watchers {
            streams[watcher % streams.len()].create(WatchSpec::new(range(watcher))).expect("created");
        }
        let mut rig = Rig { hub, streams, messages: Vec::new(), revision: 1 };
        rig.read();
        rig
    }

    fn batch(&mut self, revisions: usize, key: impl Fn(i64) -> String) -> Vec<RevisionEvents> {
        let mut batch = Vec::new();
        for _ in 0..revisions {
            self.revision += 1;
            let mod_revision = self.revision;
            let versions = Versions { create_revision: 2, mod_revision, version: mod_revision - 1, lease: 0 };
            let kv = Record::new(key(mod_revision).as_bytes(), &[b'v'; 256], versions);
            let event = Event { kind: EventKind::Put, kv, prev_kv: None };
            batch.push(RevisionEvents::new(mod_revision, vec![event]));
        }
        batch
    }

    /// Reads all streams, and writes what came as a connection would.
    fn read(&mut self) -> usize {
        let mut events = 0;
        let mut frame = BytesMut::with_capacity(64 << 10);
        for stream in &self.streams {
            let _ = stream.poll_batch(&mut Context::from_waker(Waker::noop()), &mut self.messages, usize::MAX);
            for message in self.messages.drain(..) {
                if let WatchMessage::Events { watch_id, revision, selection, .. } = message {
                    events += selection.len();
                    frame.clear();
                    frame.put_i64(watch_id);
                    frame.put_i64(revision);
                    frame.put(selection.protobuf());
                    black_box(&frame);
                }
            }
        }
        events
    }
}

fn one_group(c: &mut Criterion) {
    let mut group = c.benchmark_group("watch/prefix");
    for (watchers, streams) in [(1, 1), (64, 8), (256, 8)] {
        for revisions in [1, 16] {
            let range = KeyRange::new(Bytes::from_static(b"key"), Bytes::from_static(b"kez"));
            let mut rig = Rig::new(watchers, streams, |_| range.clone());
            let delivered = watchers * revisions;
            group.throughput(Throughput::Elements(delivered as u64));
            group.bench_function(format!("{watchers} watchers, {revisions} puts at once"), |b| {
                b.iter_custom(|iterations| {
                    let mut spent = std::time::Duration::ZERO;
                    for _ in 0..iterations {
                        let batch = rig.batch(revisions, |revision| format!("key{:08}", revision % 1000));
                        let start = std::time::Instant::now();
                        rig.hub.publish(&batch);
                        assert_eq!(rig.read(), delivered);
                        spent += start.elapsed();
                    }
                    spent
                });
            });
        }
    }
    group.finish();
}

fn many_groups(c: &mut Criterion) {
    const WATCHERS: usize = 10_000;
    let key = |watcher: usize| format!("key{watcher:08}");
    let mut group = c.benchmark_group("watch/10,000 groups");
    group.throughput(Throughput::Elements(16));
    for kind in ["single keys", "prefixes"] {
        let mut rig = Rig::new(WATCHERS, 8, |watcher| {
            let end = if kind == "prefixes" { format!("{}z", key(watcher)) } else { String::new() };
            KeyRange::new(key(watcher).into(), end.into())
        });
        group.bench_function(format!("{kind}, 16 puts at once"), |b| {
            b.iter_custom(|iterations| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..iterations {
                    // A stride without a common factor, so that neighbours do not help each other.
                    let batch =
                        rig.batch(16, |revision| key(usize::try_from(revision).expect("positive") * 7919 % WATCHERS));
                    let start = std::time::Instant::now();
                    rig.hub.publish(&batch);
                    assert_eq!(rig.read(), 16);
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();

    c.bench_function("watch/create and cancel among 10,000", |b| {
        let rig = Rig::new(WATCHERS, 8, |watcher| KeyRange::single(key(watcher).into()));
        let stream = rig.hub.stream();
        let mut messages = Vec::new();
        b.iter_batched(
            || WatchSpec::new(KeyRange::new(Bytes::from_static(b"key5"), Bytes::from_static(b"key6"))),
            |spec| {
                let created = stream.create(spec).expect("created");
                stream.cancel(created.watch_id);
                let _ = stream.poll_batch(&mut Context::from_waker(Waker::noop()), &mut messages, 8);
                messages.clear();
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, one_group, many_groups);
criterion_main!(benches);
