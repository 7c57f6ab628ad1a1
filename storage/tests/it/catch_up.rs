//! A member that is behind takes over the database of another: image, install, reload, recover, resync.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use keyport_api::etcdserverpb::AlarmType;
use keyport_storage::KeyRange;
use keyport_storage::alarm::Alarms;
use keyport_storage::backend::{Applied, Backend, BackendOptions, Bucket, ImageWriter};
use keyport_storage::lease::{Lessor, LessorOptions, Renewal};
use keyport_storage::mvcc::{MvccError, RangeOptions, Store, StoreOptions};
use keyport_storage::watch::{History, RevisionEvents, SelectedEvent, WatchHub, WatchOptions, WatchSpec, WatchStream};

use crate::streams::read;

/// What a key holds, by key.
type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

struct Member {
    backend: Arc<Backend>,
    store: Arc<Store>,
    lessor: Lessor,
    alarms: Alarms,
    hub: WatchHub,
    now: Instant,
}

impl Member {
    fn open(path: &Path) -> Member {
        let options = BackendOptions { batch_interval: Duration::from_millis(5), batch_limit: 64, ..backend_options() };
        let backend = Arc::new(Backend::open(path, options).expect("a backend"));
        let options =
            StoreOptions { compaction_batch_limit: 16, compaction_pause: Duration::ZERO, ..StoreOptions::default() };
        let store = Arc::new(Store::open(Arc::clone(&backend), options).expect("a store"));
        let now = Instant::now();
        let options = WatchOptions { page_revisions: 16, queue_messages: 4, ..WatchOptions::default() };
        let hub = WatchHub::new(Arc::clone(&store) as Arc<dyn History>, options).expect("a hub");
        let (lessor, alarms) = (Lessor::new(LessorOptions::default(), now), Alarms::new());
        Member { backend, store, lessor, alarms, hub, now }
    }

    /// Applies the entry of a log: what it does follows from its index alone.
    fn apply(&self, index: u64) -> RevisionEvents {
        let mut txn = self.store.write();
        let lease = i64::try_from(index % 5).expect("small");
        match index % 40 {
            1..5 => _ = self.lessor.grant(lease, 100, self.now, txn.batch()),
            20 => {
                for key in self.lessor.revoke(3, txn.batch()).unwrap_or_default() {
                    txn.delete(&key);
                }
            }
            30 => _ = self.alarms.activate(index % 3, AlarmType::Nospace as i32, txn.batch()),
            _ => {
                for change in 0..=index % 3 {
                    let key = format!("key{:02}", index.wrapping_mul(7 + change) % 31);
                    let lease = if self.lessor.exists(lease) { lease } else { 0 };
                    if (index + change).is_multiple_of(4) {
                        if let Some(old) = txn.delete(key.as_bytes()) {
                            self.lessor.reattach(key.as_bytes(), old.lease(), 0);
                        }
                    } else {
                        let (_, old) = txn.put(key.as_bytes(), format!("value{index}").as_bytes(), lease);
                        self.lessor.reattach(key.as_bytes(), old.map_or(0, |old| old.lease()), lease);
                    }
                }
            }
        }
        let changes = txn.commit(Some(Applied { index, term: 1 }));
        let events = changes;
        if !events.events.is_empty() {
            self.hub.publish(std::slice::from_ref(&events));
        }
        events
    }

    /// Takes over everything that the other has.
    fn catch_up(&self, from: &Member, dir: &Path) -> Applied {
        let file = dir.join("image.snap.db");
        let mut image = from.backend.image().expect("an image");
        let applied = image.applied();
        let mut writer = ImageWriter::create(&file, backend_options()).expect("a file");
        while let Some(chunk) = image.next_chunk().expect("a chunk") {
            writer.write(&chunk).expect("written");
        }
        assert_eq!(writer.finish().expect("finished"), applied);
        assert_eq!(self.backend.install(&file).expect("installed"), applied);
        self.store.reload().expect("reloaded");
        self.lessor.recover(&self.backend, &self.store).expect("leases");
        self.alarms.recover(&self.backend).expect("alarms");
        self.hub.resync();
        assert_eq!(self.backend.durable_applied(), applied);
        applied
    }

    fn watch(&self, start_revision: i64) -> WatchStream {
        let stream = self.hub.stream();
        stream.create(WatchSpec { start_revision, prev_kv: true, ..WatchSpec::new(all()) }).expect("created");
        stream
    }

    fn contents(&self, revision: i64) -> Result<(i64, Contents), MvccError> {
        let found = self.store.range(&all(), RangeOptions { revision, ..RangeOptions::default() })?;
        let pairs = found.records.iter().map(|record| (record.key().to_vec(), record.value().to_vec()));
        Ok((found.revision, pairs.collect()))
    }

    fn leases(&self) -> Vec<(i64, Option<Vec<Bytes>>)> {
        self.lessor.list().into_iter().map(|id| (id, self.lessor.keys(id))).collect()
    }
}

fn backend_options() -> BackendOptions {
    BackendOptions { unsafe_no_fsync: true, ..BackendOptions::default() }
}

fn all() -> KeyRange {
    KeyRange::new(Bytes::from_static(b"\0"), Bytes::from_static(b"\0"))
}

/// Two members that apply the same log, one of them less of it; what it did, and the contents after each revision.
struct World {
    dir: tempfile::TempDir,
    leader: Member,
    follower: Member,
    told: Vec<RevisionEvents>,
    contents: BTreeMap<i64, Contents>,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().expect("a directory");
        let (leader, follower) = (Member::open(&dir.path().join("leader")), Member::open(&dir.path().join("db")));
        let contents = BTreeMap::from([(1, Contents::new())]);
        World { dir, leader, follower, told: Vec::new(), contents }
    }

    fn lead(&mut self, to: u64) {
        for index in self.leader.backend.flush().expect("flushed").index + 1..=to {
            let events = self.leader.apply(index);
            if !events.events.is_empty() {
                let (revision, contents) = self.leader.contents(0).expect("the present");
                assert_eq!(revision, events.revision);
                self.contents.insert(revision, contents);
                self.told.push(events);
            }
        }
    }

    fn follow(&self, to: u64) {
        for index in self.follower.backend.flush().expect("flushed").index + 1..=to {
            self.follower.apply(index);
        }
    }

    /// What a watcher is to be told of the revisions from the given one.
    fn events(&self, from: i64) -> Vec<(i64, usize, Vec<u8>, Vec<u8>)> {
        let told = self.told.iter().filter(|revision| revision.revision >= from);
        told.flat_map(|told| {
            let place = |(at, event): (usize, &keyport_storage::Event)| {
                (told.revision, at, event.kv.key().to_vec(), event.kv.value().to_vec())
            };
            told.events.iter().enumerate().map(place)
        })
        .collect()
    }
}

fn places(events: &[SelectedEvent]) -> Vec<(i64, usize, Vec<u8>, Vec<u8>)> {
    let place = |event: &SelectedEvent| {
        (event.revision, event.index as usize, event.event.kv.key().to_vec(), event.event.kv.value().to_vec())
    };
    events.iter().map(place).collect()
}

#[test]
fn watchers_of_all_states_see_everything_once() {
    let mut world = World::new();
    world.lead(100);
    world.follow(60);
    // Some have read all there is, some nothing for so long that their queue is full.
    let now = world.follower.store.revision();
    let (synced, parked) = (world.follower.watch(0), world.follower.watch(0));
    world.follow(100);
    let middle = world.follower.store.revision();
    let first = read(&synced, middle).expect("not compacted");
    assert_eq!(world.leader.store.revision(), middle);

    world.lead(400);
    let last = world.leader.store.revision();
    let starts = [1, 2, now, middle, middle + 1, middle + 2, last - 1, last, last + 1, last + 3];
    let early: Vec<_> = starts.iter().map(|start| (*start, world.follower.watch(*start))).collect();
    // What the other has forgotten is what this one has told.
    world.leader.store.compact(middle).expect("a compaction").wait().expect("compacted");
    assert_eq!(world.follower.catch_up(&world.leader, world.dir.path()), Applied { index: 400, term: 1 });
    let late: Vec<_> = starts.iter().map(|start| (*start, world.follower.watch(*start))).collect();

    assert_eq!((world.follower.store.revision(), world.follower.store.compacted()), (last, middle));
    world.lead(450);
    world.follow(450);
    let end = world.leader.store.revision();
    let mut seen = first;
    seen.extend(read(&synced, end).expect("not compacted"));
    assert_eq!(places(&seen), world.events(now + 1));
    match read(&parked, end) {
        // What its queue could not take was compacted before it was read.
        Err(compacted) => assert_eq!(compacted, middle),
        Ok(seen) => assert_eq!(places(&seen), world.events(now + 1)),
    }
    for (start, stream) in early {
        match read(&stream, end) {
            // In time or too late; but what was told is what happened.
            Err(compacted) => assert!(start < middle && compacted == middle, "from {start}"),
            Ok(seen) => assert_eq!(places(&seen), world.events(start), "from {start}"),
        }
    }
    for (start, stream) in late {
        match read(&stream, end) {
            Err(compacted) => assert!(start < middle && compacted == middle, "from {start}"),
            // At the compacted revision itself only what was still in force is left.
            Ok(seen) if start == middle => assert!(places(&seen).ends_with(&world.events(middle + 1))),
            Ok(seen) => {
                assert!(start > middle);
                assert_eq!(places(&seen), world.events(start), "from {start}");
            }
        }
    }
    assert_eq!(world.follower.store.hash_kv(0).expect("a hash"), world.leader.store.hash_kv(0).expect("a hash"));
    assert_eq!(world.follower.backend.hash().expect("a hash"), world.leader.backend.hash().expect("a hash"));
}

#[test]
fn who_has_not_seen_what_was_compacted_is_told_so() {
    let mut world = World::new();
    world.lead(400);
    world.follow(100);
    let now = world.follower.store.revision();
    let last = world.leader.store.revision();
    let compacted = last - 50;
    let streams = |starts: &[i64]| starts.iter().map(|start| world.follower.watch(*start)).collect::<Vec<_>>();
    let lost = streams(&[0, now + 1, compacted - 1]);
    let kept = streams(&[compacted + 1, last, last + 2]);
    world.leader.store.compact(compacted).expect("a compaction");
    world.follower.catch_up(&world.leader, world.dir.path());
    for stream in lost {
        assert_eq!(read(&stream, last), Err(compacted));
    }
    world.lead(450);
    world.follow(450);
    let end = world.leader.store.revision();
    for (start, stream) in [compacted + 1, last, last + 2].into_iter().zip(kept) {
        assert_eq!(places(&read(&stream, end).expect("not compacted")), world.events(start), "from {start}");
    }
}

#[test]
fn leases_and_alarms_are_those_of_the_other() {
    let mut world = World::new();
    world.lead(300);
    world.follow(20);
    let follower = &world.follower;
    // Something that only an old leader knows of.
    follower.lessor.grant(99, 100, follower.now, follower.store.write().batch()).expect("granted");
    follower.lessor.promote(1, Duration::ZERO, follower.now);
    follower.catch_up(&world.leader, world.dir.path());
    assert_eq!(follower.leases(), world.leader.leases());
    assert_eq!(follower.lessor.list(), [1, 2, 4]);
    assert_eq!(follower.lessor.renew(99, follower.now), Renewal::NotPrimary);
    follower.lessor.promote(1, Duration::ZERO, follower.now);
    assert_eq!(follower.lessor.renew(99, follower.now), Renewal::Unknown);
    assert!(matches!(follower.lessor.renew(1, follower.now), Renewal::Renewed { ttl: 100, .. }));
    assert_eq!(follower.alarms.list(0), world.leader.alarms.list(0));
    assert!(follower.alarms.no_space());
    world.lead(360);
    world.follow(360);
    assert_eq!(world.follower.leases(), world.leader.leases());
}

#[test]
fn readers_see_one_of_the_two_and_nothing_between() {
    let mut world = World::new();
    world.lead(1000);
    let images: Vec<_> = [300_u64, 600, 1000].into_iter().map(|to| lead_to(&world, to)).collect();
    let (done, floor) = (AtomicBool::new(false), AtomicI64::new(1));
    let reads = AtomicU64::new(0);
    let (follower, contents) = (&world.follower, &world.contents);
    thread::scope(|scope| {
        for reader in 0..3_i64 {
            let (done, floor, reads) = (&done, &floor, &reads);
            scope.spawn(move || {
                for n in 0.. {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let least = floor.load(Ordering::SeqCst);
                    let (revision, found) = follower.contents(0).expect("the present can always be read");
                    assert!(revision >= least, "{revision} after {least}");
                    assert_eq!(contents.get(&revision), Some(&found), "at {revision}");
                    // Some revision of the past, in the middle of which the database may be replaced.
                    let past = (revision - (n * 13 + reader) % 200).max(1);
                    match follower.contents(past) {
                        Ok((_, found)) => assert_eq!(contents.get(&past), Some(&found), "at {past}"),
                        Err(MvccError::Compacted) => assert!(follower.store.compacted() > past),
                        Err(error) => panic!("at {past}: {error}"),
                    }
                    match follower.store.hash_kv(past) {
                        Ok(_) | Err(MvccError::Compacted) => {}
                        Err(error) => panic!("hash at {past}: {error}"),
                    }
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let at_least = |more: u64| {
            let wanted = reads.load(Ordering::SeqCst) + more;
            while reads.load(Ordering::SeqCst) < wanted {
                thread::yield_now();
            }
        };
        for source in &images {
            at_least(5);
            world.follow(follower.backend.durable_applied().index + 100);
            let _ = follower.store.compact(follower.store.revision() - 50);
            floor.store(follower.store.revision(), Ordering::SeqCst);
            follower.catch_up(source, world.dir.path());
            floor.store(follower.store.revision(), Ordering::SeqCst);
            at_least(5);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(follower.store.revision(), world.leader.store.revision());
    assert_eq!(follower.contents(0).expect("contents").1, world.leader.contents(0).expect("contents").1);
    // The other may have been in the middle of its compaction.
    follower.store.last_compaction().expect("one").wait().expect("finished");
    assert!(follower.backend.get(Bucket::Meta, b"finishedCompactRev").expect("a row").is_some());
}

/// Another member that has applied so much of the log, and compacted some of it.
fn lead_to(world: &World, to: u64) -> Member {
    let member = Member::open(&world.dir.path().join(format!("at{to}")));
    (1..=to).for_each(|index| _ = member.apply(index));
    member.store.compact(member.store.revision() - 120).expect("a compaction");
    member
}
