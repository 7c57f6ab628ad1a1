//! What a process left behind that ended while its machine went on: readable, but not on the disk.

use super::*;
use crate::plant::{Plant, Plants};

#[test]
fn what_a_failed_sync_left_is_written_again_before_it_is_trusted() {
    let mut lost = 0;
    for seed in 0..20 {
        for trusting in [false, true] {
            let disk = SimDisk::new(seed);
            let mut wal = create(&disk);
            append(&mut wal, 1..=1, 1);
            disk.set_faults(Faults { fail_sync: Some(0), ..Faults::default() });
            wal.push_entry(EntryRef::from(&entry(2, 1, 2000)));
            wal.sync().unwrap_err();
            drop(wal);
            // Only the process ends, so all of it can be read.
            disk.crash(Keep::All);
            let plant = if trusting { Plant::TrustAfterFailedSync } else { Plant::Nothing };
            let options = WalOptions { plants: Plants::only(plant), ..options() };
            let (mut wal, recovered) = Wal::open(Arc::new(disk.clone()), options, 0).unwrap();
            assert_eq!(recovered.entries.len(), 2);
            wal.push_entry(EntryRef::from(&entry(3, 1, 200)));
            wal.sync().unwrap();
            append(&mut wal, 4..=4, 1);
            drop(wal);
            disk.crash(Keep::Nothing);
            match open(&disk, 0) {
                Ok((_, recovered)) if recovered.entries.len() == 4 => {}
                outcome if trusting => {
                    assert!(matches!(outcome, Err(WalError::Corrupt { .. })));
                    lost += 1;
                }
                outcome => panic!("seed {seed}: {outcome:?}"),
            }
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_name_that_was_not_synced_is_before_the_log_is_trusted() {
    let disk = SimDisk::new(1);
    // The last one of all: that of the directory.
    disk.set_faults(Faults { fail_sync: Some(3), ..Faults::default() });
    Wal::create(Arc::new(disk.clone()), options(), METADATA, &[], HardState::default()).unwrap_err();
    disk.crash(Keep::All);
    let (mut wal, _) = open(&disk, 0).unwrap();
    append(&mut wal, 1..=1, 1);
    drop(wal);
    disk.crash(Keep::Nothing);
    assert_eq!(open(&disk, 0).unwrap().1.entries.len(), 1);
}

#[test]
fn a_torn_end_whose_repair_was_not_synced_does_not_come_back() {
    let mut failed = 0;
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let mut wal = create(&disk);
        append(&mut wal, 1..=1, 1);
        wal.push_entry(EntryRef::from(&entry(2, 1, 2500)));
        wal.write().unwrap();
        drop(wal);
        disk.crash(Keep::Some);
        // After those of the segment, the directory, the copy, and the directory once more.
        disk.set_faults(Faults { fail_sync: Some(4), ..Faults::default() });
        let repaired = open(&disk, 0).map(drop);
        failed += u32::from(repaired.is_err());
        disk.crash(Keep::All);
        let (_, recovered) = open(&disk, 0).unwrap();
        disk.crash(Keep::Nothing);
        assert_eq!(open(&disk, 0).unwrap().1, recovered, "seed {seed}");
    }
    assert!(failed > 0);
}

#[test]
fn looking_finds_what_opening_does_and_writes_nothing() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let mut wal = create(&disk);
        append(&mut wal, 1..=3, 1);
        wal.push_entry(EntryRef::from(&entry(4, 1, 2500)));
        wal.write().unwrap();
        drop(wal);
        disk.crash(Keep::Some);
        let contents = || disk.list().unwrap().into_iter().map(|name| (disk.content(&name), name)).collect::<Vec<_>>();
        let before = contents();
        let looked = Wal::look(&disk, 2).unwrap();
        assert_eq!(contents(), before, "seed {seed}");
        let (_, opened) = open(&disk, 2).unwrap();
        assert_eq!(looked, Recovered { repaired: None, ..opened }, "seed {seed}");
    }
    assert!(matches!(Wal::look(&SimDisk::new(1), 0), Err(WalError::NotFound(_))));
}
