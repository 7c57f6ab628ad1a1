//! The log on a simulated disk: what was synced comes back, whatever a crash or a bad medium does.

mod kinds;
mod restart;
mod scan;

use std::sync::Arc;

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Entry, EntryType, HardState};
use proptest::prelude::*;

use super::disk::Disk as _;
use super::record::Kind;
use super::{EntryRef, Metadata, Recovered, SnapshotMark, Wal, WalError, WalOptions};
use crate::sim::{Faults, Keep, SimDisk};

const METADATA: Metadata = Metadata { node_id: 1, cluster_id: 2 };

fn options() -> WalOptions {
    WalOptions {
        segment_bytes: 16 << 10,
        first_segment_bytes: 4 << 10,
        large_batch_bytes: 600,
        background: false,
        ..WalOptions::default()
    }
}

fn create(disk: &SimDisk) -> Wal {
    Wal::create(Arc::new(disk.clone()), options(), METADATA, &[], HardState::default()).unwrap()
}

fn open(disk: &SimDisk, applied: u64) -> Result<(Wal, Recovered), WalError> {
    Wal::open(Arc::new(disk.clone()), options(), applied)
}

fn entry(index: u64, term: u64, bytes: usize) -> Entry {
    let fill = u8::try_from((index * 31 + term) % 251).unwrap() + 1;
    Entry { r#type: Some(0), term: Some(term), index: Some(index), data: Some(Bytes::from(vec![fill; bytes.max(1)])) }
}

fn state(term: u64, commit: u64) -> HardState {
    HardState { term: Some(term), vote: Some(1), commit: Some(commit) }
}

fn mark(index: u64, term: u64) -> SnapshotMark {
    let conf_state = ConfState { voters: vec![1], ..ConfState::default() };
    SnapshotMark { index, term, conf_state }
}

fn append(wal: &mut Wal, range: std::ops::RangeInclusive<u64>, term: u64) {
    for index in range.clone() {
        wal.push_entry(EntryRef::from(&entry(index, term, 200)));
    }
    wal.push_state(state(term, *range.end()));
    wal.sync().unwrap();
}

fn indexes(recovered: &Recovered) -> Vec<(u64, u64)> {
    recovered.entries.iter().map(|entry| (entry.index(), entry.term())).collect()
}

fn segments(disk: &SimDisk) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.ends_with(".wal")).collect()
}

#[test]
fn a_log_comes_back_over_many_segments() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    for index in 1..=300 {
        append(&mut wal, index..=index, 1);
    }
    drop(wal);
    assert!(segments(&disk).len() > 4);
    disk.crash(Keep::Nothing);
    let (mut wal, recovered) = open(&disk, 0).unwrap();
    assert_eq!(recovered.metadata, METADATA);
    assert_eq!(recovered.hard_state, state(1, 299));
    assert_eq!(recovered.entries, (1..=300).map(|index| entry(index, 1, 200)).collect::<Vec<_>>());
    append(&mut wal, 301..=301, 1);
    drop(wal);
    assert_eq!(open(&disk, 0).unwrap().1.entries.len(), 301);
}

#[test]
fn later_entries_replace_earlier_ones() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    append(&mut wal, 1..=5, 1);
    append(&mut wal, 3..=4, 2);
    drop(wal);
    let (_, recovered) = open(&disk, 0).unwrap();
    assert_eq!(indexes(&recovered), [(1, 1), (2, 1), (3, 2), (4, 2)]);
    // Entry 4 was replaced in the batch that would have committed it.
    assert_eq!(recovered.hard_state.commit(), 2);
}

#[test]
fn a_mark_is_where_the_log_begins_and_old_segments_go() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    for index in 1..=100 {
        append(&mut wal, index..=index, 1);
    }
    wal.push_snapshot(&mark(90, 1));
    wal.sync().unwrap();
    let before = segments(&disk).len();
    wal.release(90);
    assert!(segments(&disk).len() < before);
    append(&mut wal, 101..=101, 1);
    drop(wal);
    let (_, recovered) = open(&disk, 95).unwrap();
    assert_eq!(recovered.snapshot, mark(90, 1));
    assert_eq!(indexes(&recovered).first(), Some(&(91, 1)));
    let needed = open(&disk, 89).unwrap_err();
    assert!(matches!(needed, WalError::SnapshotNeeded { index: 90, applied: 89, .. }), "{needed}");
    let lost = open(&disk, 102).unwrap_err();
    assert!(matches!(lost, WalError::Lost { last: 101, applied: 102, .. }), "{lost}");
}

#[test]
fn an_older_mark_may_lead_the_oldest_segment_left() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    while segments(&disk).len() < 2 {
        let next = wal.last_index() + 1;
        append(&mut wal, next..=next, 1);
    }
    let cut = wal.last_index();
    wal.push_snapshot(&mark(cut - 3, 1));
    append(&mut wal, cut + 1..=cut + 4, 1);
    wal.push_snapshot(&mark(cut + 2, 1));
    wal.sync().unwrap();
    wal.release(cut + 2);
    drop(wal);
    assert_eq!(segments(&disk).len(), 1);
    let (_, recovered) = open(&disk, cut + 4).unwrap();
    assert_eq!((recovered.snapshot.index, recovered.entries.len()), (cut + 2, 2));
}

#[test]
fn a_snapshot_from_the_leader_replaces_the_log() {
    for (keep_state, applied) in [(true, 20), (true, 3), (false, 3)] {
        let disk = SimDisk::new(1);
        let mut wal = create(&disk);
        append(&mut wal, 1..=5, 1);
        wal.install_snapshot(&mark(20, 2)).unwrap();
        if keep_state {
            append(&mut wal, 21..=22, 2);
        }
        drop(wal);
        disk.crash(Keep::Nothing);
        match (open(&disk, applied), keep_state, applied) {
            (Ok((_, recovered)), true, 20) => {
                assert_eq!(recovered.snapshot.index, 20);
                assert_eq!(indexes(&recovered), [(21, 2), (22, 2)]);
            }
            (Err(WalError::SnapshotNeeded { index: 20, .. }), true, 3) => {}
            // The crash came before the mark counted.
            (Ok((_, recovered)), false, 3) => assert_eq!(recovered.entries.len(), 5),
            (other, ..) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_segment_lost_in_the_middle_is_noticed() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    for index in 1..=200 {
        append(&mut wal, index..=index, 1);
    }
    drop(wal);
    disk.remove(&segments(&disk)[1]).unwrap();
    let error = open(&disk, 0).unwrap_err();
    assert!(matches!(error, WalError::SnapshotNeeded { .. } | WalError::Inconsistent { .. }), "{error}");
}

#[test]
fn a_zeroed_sector_in_what_was_committed_is_no_torn_end() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    wal.push_entry(EntryRef::from(&entry(1, 1, 1500)));
    wal.sync().unwrap();
    append(&mut wal, 2..=2, 1);
    drop(wal);
    let name = segments(&disk).remove(0);
    let mut content = disk.content(&name).unwrap();
    content[512..1024].fill(0);
    disk.set_content(&name, content);
    let error = open(&disk, 0).unwrap_err();
    assert!(error.to_string().contains("had been committed"), "{error}");
}

#[test]
fn a_state_record_does_not_pass_for_an_entry() {
    for term in 1..4 {
        let disk = SimDisk::new(1);
        let mut wal = create(&disk);
        append(&mut wal, 1..=2, term);
        wal.push_state(state(term, 2));
        wal.sync().unwrap();
        drop(wal);
        let name = segments(&disk).remove(0);
        let mut content = disk.content(&name).unwrap();
        let kinds = content.windows(3).enumerate().filter(|(_, record)| *record == [0x08, Kind::State as u8, 0x10]);
        let last = kinds.map(|(at, _)| at + 1).next_back().unwrap();
        content[last] = Kind::Entry as u8;
        disk.set_content(&name, content);
        let error = open(&disk, 0).unwrap_err();
        assert!(matches!(error, WalError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_change_without_content_is_read_as_it_was_written() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    let leave = Entry {
        r#type: Some(EntryType::EntryConfChangeV2 as i32),
        term: Some(1),
        index: Some(1),
        data: Some(Bytes::new()),
    };
    wal.push_entry(EntryRef::from(&leave));
    wal.sync().unwrap();
    drop(wal);
    assert_eq!(open(&disk, 0).unwrap().1.entries, [leave]);
}

#[test]
fn a_failed_write_or_sync_ends_it() {
    for faults in [
        Faults { fail_write: Some(0), ..Faults::default() },
        Faults { fail_sync: Some(0), ..Faults::default() },
        Faults { room: Some(0), ..Faults::default() },
    ] {
        let disk = SimDisk::new(1);
        let mut wal = create(&disk);
        append(&mut wal, 1..=1, 1);
        disk.set_faults(faults.clone());
        wal.push_entry(EntryRef::from(&entry(2, 1, 10)));
        assert!(matches!(wal.sync(), Err(WalError::Io { .. })), "{faults:?}");
        disk.set_faults(Faults::default());
        assert!(matches!(wal.sync(), Err(WalError::Poisoned)));
        assert!(matches!(wal.write(), Err(WalError::Poisoned)));
        drop(wal);
        disk.crash(Keep::Some);
        assert!(matches!(open(&disk, 1).unwrap().1.entries.len(), 1 | 2));
    }
}

#[test]
fn a_log_half_made_is_none() {
    for fail_sync in 0..4 {
        let disk = SimDisk::new(u64::from(fail_sync));
        disk.set_faults(Faults { fail_sync: Some(fail_sync), ..Faults::default() });
        let made = Wal::create(Arc::new(disk.clone()), options(), METADATA, &[entry(1, 1, 9)], state(1, 1));
        assert!(made.is_err());
        disk.crash(Keep::Some);
        match open(&disk, 0) {
            Err(WalError::NotFound(_)) => drop(create(&disk)),
            Ok((_, recovered)) => assert_eq!(recovered.hard_state, state(1, 1)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// One push or sync.
#[derive(Debug, Clone)]
enum Op {
    Entries { back: u64, count: u64, bytes: usize },
    State,
    Mark,
    Sync,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..3u64, 1..6u64, 0..1200usize).prop_map(|(back, count, bytes)| Op::Entries { back, count, bytes }),
        3 => Just(Op::State),
        1 => Just(Op::Mark),
        4 => Just(Op::Sync),
    ];
    prop::collection::vec(op, 1..60)
}

/// What a log should hold; one after every record.
#[derive(Debug, Clone, Default)]
struct Model {
    entries: Vec<Entry>,
    state: HardState,
}

impl Model {
    fn matches(&self, recovered: &Recovered) -> bool {
        let rest = self.entries.iter().filter(|entry| entry.index() > recovered.snapshot.index);
        rest.eq(&recovered.entries)
            && self.state.term() == recovered.hard_state.term()
            && self.state.commit() == recovered.hard_state.commit()
    }
}

struct Run {
    disk: SimDisk,
    /// After every record.
    models: Vec<Model>,
    /// How many of them were synced.
    synced: usize,
    /// The last mark synced.
    applied: u64,
}

fn carry_out(ops: &[Op], seed: u64) -> Run {
    let disk = SimDisk::new(seed);
    let mut wal = create(&disk);
    let mut model = Model { state: state(0, 0), ..Model::default() };
    let mut run = Run { disk, models: vec![model.clone()], synced: 1, applied: 0 };
    let (mut term, mut marked, mut durable) = (1, 0, 0);
    for op in ops {
        match *op {
            Op::Entries { back, count, bytes } => {
                let last = model.entries.len() as u64;
                let from = (last + 1).saturating_sub(back).max(model.state.commit() + 1).max(durable.min(last) + 1);
                term += u64::from(from <= last);
                model.entries.truncate(usize::try_from(from - 1).unwrap());
                for index in from..from + count {
                    let entry = entry(index, term, bytes);
                    wal.push_entry(EntryRef::from(&entry));
                    model.entries.push(entry);
                    run.models.push(model.clone());
                }
            }
            Op::State => {
                wal.push_state(state(term, model.entries.len() as u64));
                model.state = wal.hard_state();
                run.models.push(model.clone());
            }
            Op::Mark => {
                let index = model.state.commit();
                if index > marked {
                    let term = model.entries[usize::try_from(index - 1).unwrap()].term();
                    wal.push_snapshot(&mark(index, term));
                    run.models.push(model.clone());
                    marked = index;
                }
            }
            Op::Sync => {
                wal.sync().unwrap();
                (run.synced, run.applied) = (run.models.len(), marked);
                durable = model.entries.len() as u64;
            }
        }
    }
    wal.write().unwrap();
    run
}

impl Run {
    /// What was read has to be one of the states since the last sync.
    fn check(&self, recovered: &Recovered) {
        let since = &self.models[self.synced - 1..];
        assert!(since.iter().any(|model| model.matches(recovered)), "{recovered:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_loses_nothing_that_was_synced(ops in ops(), seed: u64) {
        let run = carry_out(&ops, seed);
        run.disk.crash(Keep::Some);
        let (wal, recovered) = open(&run.disk, run.applied).unwrap();
        run.check(&recovered);
        drop(wal);
        let (_, again) = open(&run.disk, run.applied).unwrap();
        prop_assert_eq!(Recovered { repaired: None, ..recovered }, again);
    }

    #[test]
    fn a_truncated_segment_is_repaired_to_a_prefix_or_refused(ops in ops(), cut in 0..10_000usize, seed: u64) {
        let run = carry_out(&ops, seed);
        let name = segments(&run.disk).pop().unwrap();
        let mut content = run.disk.content(&name).unwrap();
        content.truncate(cut);
        run.disk.set_content(&name, content);
        if let Ok((_, recovered)) = open(&run.disk, run.applied) {
            prop_assert!(run.models.iter().any(|model| model.matches(&recovered)), "{:?}", recovered);
        }
    }

    #[test]
    fn a_flipped_bit_never_gives_wrong_data(ops in ops(), at: prop::sample::Index, bit in 0..8u32, seed: u64) {
        let run = carry_out(&ops, seed);
        let names = segments(&run.disk);
        let name = &names[at.index(names.len())];
        let mut content = run.disk.content(name).unwrap();
        let used = content.iter().rposition(|byte| *byte != 0).unwrap_or_default() + 1;
        content[at.index(used)] ^= 1 << bit;
        run.disk.set_content(name, content);
        if let Ok((_, recovered)) = open(&run.disk, run.applied) {
            prop_assert!(run.models.iter().any(|model| model.matches(&recovered)), "{:?}", recovered);
        }
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(crate::sim::replay_wal(&bytes).is_err());
    }
}
