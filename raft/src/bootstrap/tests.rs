//! The survivor of a lost cluster, on a disk that may crash at any point.

use super::*;
use crate::sim::{Faults, Keep, SimDisk};
use crate::wal::SnapshotMark;

const METADATA: Metadata = Metadata { node_id: 2, cluster_id: 9 };

fn options() -> WalOptions {
    WalOptions { segment_bytes: 16 << 10, first_segment_bytes: 4 << 10, background: false, ..WalOptions::default() }
}

fn open(disk: &SimDisk) -> (Wal, Recovered) {
    Wal::open(Arc::new(disk.clone()), options(), 0).unwrap()
}

fn rejoin() -> Rejoin {
    Rejoin { promotion: Bytes::from_static(b"promote"), addition: Bytes::from_static(b"add") }
}

fn normal(index: u64) -> Entry {
    Entry { r#type: Some(0), term: Some(3), index: Some(index), data: Some(Bytes::from(vec![1; 300])) }
}

fn change(kind: ConfChangeType, node_id: u64, index: u64) -> Entry {
    let change = ConfChange { id: Some(7), r#type: Some(kind as i32), node_id: Some(node_id), context: None };
    conf_change_entry(&change, 3, index)
}

/// Three founders, then `more`, of which nothing is committed.
fn cluster(disk: &SimDisk, founders: &[u64], more: &[Entry]) {
    let members = founders.iter().map(|id| InitialMember { id: *id, context: Bytes::new() }).collect();
    let (mut wal, _) = create_log(Arc::new(disk.clone()), options(), METADATA, members).unwrap();
    more.iter().for_each(|entry| wal.push_entry(entry.into()));
    wal.push_state(HardState { term: Some(3), vote: Some(1), commit: Some(founders.len() as u64) });
    wal.sync().unwrap();
}

fn force(disk: &SimDisk) -> Result<Vec<u64>, ForceNewError> {
    let (mut wal, mut recovered) = open(disk);
    force_new_cluster(&mut wal, &mut recovered, 0, None, rejoin())
}

fn changes(recovered: &Recovered, from: u64) -> Vec<(ConfChangeType, u64, Bytes)> {
    let behind = recovered.entries.iter().filter(|entry| entry.index() > from);
    let changes = behind.filter_map(|entry| change_of(entry).unwrap());
    changes.map(|change| (change.r#type(), change.node_id(), change.context().to_vec().into())).collect()
}

#[test]
fn the_others_are_removed_and_nothing_is_lost() {
    let disk = SimDisk::new(1);
    cluster(&disk, &[1, 2, 3], &[normal(4), normal(5)]);
    let (mut wal, mut recovered) = open(&disk);
    assert_eq!(force_new_cluster(&mut wal, &mut recovered, 0, None, rejoin()).unwrap(), [1, 3]);
    drop(wal);
    disk.crash(Keep::Nothing);
    let (mut wal, again) = open(&disk);
    assert_eq!(again, recovered);
    assert_eq!(again.hard_state, HardState { term: Some(3), vote: Some(1), commit: Some(7) });
    assert_eq!(again.metadata, METADATA);
    let remove = |id| (ConfChangeType::ConfChangeRemoveNode, id, Bytes::new());
    assert_eq!(changes(&again, 5), [remove(1), remove(3)]);
    assert_eq!(again.entries.iter().map(Entry::index).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);

    // Another time, and the log goes on.
    assert!(force(&disk).unwrap().is_empty());
    wal.push_entry((&normal(8)).into());
    wal.sync().unwrap();
    assert_eq!(open(&disk).1.entries.len(), 8);
}

#[test]
fn changes_in_the_tail_count() {
    let disk = SimDisk::new(1);
    let tail = [
        change(ConfChangeType::ConfChangeRemoveNode, 3, 4),
        change(ConfChangeType::ConfChangeAddLearnerNode, 5, 5),
        change(ConfChangeType::ConfChangeUpdateNode, 1, 6),
    ];
    cluster(&disk, &[1, 2, 3], &tail);
    assert_eq!(force(&disk).unwrap(), [1, 5]);
}

#[test]
fn the_state_machine_knows_better_than_the_log() {
    let disk = SimDisk::new(1);
    cluster(&disk, &[1, 2, 3], &[normal(4)]);
    let (mut wal, mut recovered) = open(&disk);
    let known = ConfState { voters: vec![2, 8], learners: vec![9], ..ConfState::default() };
    assert_eq!(force_new_cluster(&mut wal, &mut recovered, 4, Some(&known), rejoin()).unwrap(), [8, 9]);
}

#[test]
fn a_learner_becomes_a_voter_and_a_newcomer_a_member() {
    let disk = SimDisk::new(1);
    cluster(&disk, &[1, 3], &[change(ConfChangeType::ConfChangeAddLearnerNode, 2, 3)]);
    force(&disk).unwrap();
    let promoted = (ConfChangeType::ConfChangeAddNode, 2, Bytes::from_static(b"promote"));
    assert_eq!(changes(&open(&disk).1, 3).first(), Some(&promoted));

    let disk = SimDisk::new(2);
    cluster(&disk, &[], &[]);
    assert!(force(&disk).unwrap().is_empty());
    let (_, recovered) = open(&disk);
    assert_eq!(changes(&recovered, 0), [(ConfChangeType::ConfChangeAddNode, 2, Bytes::from_static(b"add"))]);
    assert_eq!(recovered.hard_state.commit(), 1);
}

#[test]
fn what_cannot_go_on_alone_is_left_as_it_is() {
    for (entry, expected) in [
        (change(ConfChangeType::ConfChangeRemoveNode, 2, 4), "removed from its cluster"),
        (Entry { r#type: Some(EntryType::EntryConfChangeV2 as i32), ..normal(4) }, "joint"),
        (Entry { r#type: Some(EntryType::EntryConfChange as i32), ..normal(4) }, "index 4"),
    ] {
        let disk = SimDisk::new(1);
        cluster(&disk, &[1, 2, 3], &[entry]);
        let before = open(&disk).1;
        let error = force(&disk).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(open(&disk).1, before);
    }
}

#[test]
fn a_crash_anywhere_leaves_all_of_it_or_nothing() {
    let mut outcomes = [0; 2];
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        cluster(&disk, &[1, 2, 3], &[normal(4), normal(5)]);
        let before = open(&disk).1;
        let step = u32::try_from(seed % 12).unwrap();
        let (fail_write, fail_sync) = if seed % 2 == 0 { (Some(step), None) } else { (None, Some(step)) };
        disk.set_faults(Faults { fail_write, fail_sync, short_writes: seed % 3 == 0, ..Faults::default() });
        let forced = Wal::open(Arc::new(disk.clone()), options(), 0).map_err(ForceNewError::from).and_then(
            |(mut wal, mut recovered)| {
                force_new_cluster(&mut wal, &mut recovered, 0, None, rejoin()).map(|_| recovered)
            },
        );
        disk.crash(Keep::Some);
        let after = open(&disk).1;
        match forced {
            Ok(recovered) => assert_eq!(after, recovered),
            Err(_) => assert!(after == before || after.hard_state.commit() == 7, "seed {seed}: {after:?}"),
        }
        outcomes[usize::from(after != before)] += 1;
        // Whatever it was, another time ends it.
        force(&disk).unwrap();
        let (_, ended) = open(&disk);
        assert_eq!((ended.hard_state.commit(), ended.entries.len()), (7, 7));
        assert_eq!(ended.snapshot, SnapshotMark::default());
    }
    assert!(outcomes.iter().all(|count| *count > 20), "{outcomes:?}");
}

#[test]
fn a_copy_goes_on_from_its_mark_as_the_log_does() {
    let conf_state = ConfState { voters: vec![1, 2, 3], ..ConfState::default() };
    for (count, commit) in [(0, 7), (1, 8), (200, 100)] {
        let log = Recovered {
            metadata: METADATA,
            hard_state: HardState { term: Some(4), vote: Some(3), commit: Some(commit) },
            snapshot: SnapshotMark { index: 7, term: 3, conf_state: conf_state.clone() },
            entries: (8..8 + count).map(normal).collect(),
            repaired: None,
        };
        let disk = SimDisk::new(1);
        copy_log(Arc::new(disk.clone()), options(), &log).unwrap();
        disk.crash(Keep::Nothing);
        assert_eq!(Wal::open(Arc::new(disk.clone()), options(), 7).unwrap().1, log);
        assert!(matches!(copy_log(Arc::new(disk), options(), &log), Err(WalError::Exists(_))));
    }
}

#[test]
fn the_configuration_is_that_of_the_changes_up_to_there() {
    let disk = SimDisk::new(1);
    let learner = change(ConfChangeType::ConfChangeAddLearnerNode, 4, 3);
    cluster(&disk, &[1, 2], &[learner, change(ConfChangeType::ConfChangeRemoveNode, 1, 4)]);
    let log = open(&disk).1;
    let at = |index| {
        let found = configuration_at(&log, index).unwrap();
        (found.voters, found.learners)
    };
    assert_eq!(
        [at(0), at(2), at(3), at(4)],
        [(vec![], vec![]), (vec![1, 2], vec![]), (vec![1, 2], vec![4]), (vec![2], vec![4])]
    );
}
