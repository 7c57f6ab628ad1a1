//! Going through a log record by record.

use std::ops::ControlFlow;

use super::*;
use crate::wal::{FsDisk, Item};

fn scan(disk: &dyn crate::wal::Disk) -> Result<(Vec<String>, crate::wal::Scanned), WalError> {
    let mut seen = Vec::new();
    let scanned = Wal::scan(disk, &mut |item| {
        seen.push(match item {
            Item::Segment(path) => path.file_name().unwrap().to_str().unwrap()[..16].trim_start_matches('0').to_owned(),
            Item::Metadata(metadata) => format!("member {}", metadata.node_id),
            Item::Entry(entry) => format!("entry {}", entry.index()),
            Item::State(state) => format!("commit {}", state.commit()),
            Item::Snapshot(mark) => format!("mark {}", mark.index),
        });
        ControlFlow::Continue(())
    })?;
    Ok((seen, scanned))
}

#[test]
fn everything_is_seen_in_the_order_of_writing() {
    let disk = SimDisk::new(1);
    let mut wal = create(&disk);
    append(&mut wal, 1..=2, 1);
    append(&mut wal, 2..=2, 2);
    wal.push_snapshot(&mark(2, 2));
    wal.sync().unwrap();
    let (seen, scanned) = scan(&disk).unwrap();
    assert_eq!(seen[..3], ["", "member 1", "mark 0"]);
    let entries: Vec<_> = seen.iter().filter(|what| what.starts_with("entry")).collect();
    assert_eq!(entries, ["entry 1", "entry 2", "entry 2"], "what is replaced is shown, too");
    assert!(seen.contains(&"mark 2".to_owned()));
    assert_eq!((scanned.segments, scanned.torn), (1, None));
    append(&mut wal, 3..=200, 2);
    let (seen, scanned) = scan(&disk).unwrap();
    assert_eq!(scanned.segments, segments(&disk).len());
    assert!(scanned.segments > 1 && seen.contains(&"entry 200".to_owned()));
    let mut few = 0;
    Wal::scan(&disk, &mut |_| {
        few += 1;
        if few == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(few, 4, "it ends when nobody wants more");
}

#[test]
fn a_directory_is_looked_at_without_being_touched() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FsDisk::look(dir.path().join("none")).is_err() && !dir.path().join("none").exists());
    let disk = Arc::new(FsDisk::open(dir.path()).unwrap());
    let mut wal = Wal::create(Arc::clone(&disk) as Arc<_>, options(), METADATA, &[], HardState::default()).unwrap();
    append(&mut wal, 1..=3, 1);
    assert!(matches!(FsDisk::look(dir.path()), Err(WalError::Locked(_))), "a member has it");
    drop((wal, disk));
    let (one, other) = (FsDisk::look(dir.path()).unwrap(), FsDisk::look(dir.path()).unwrap());
    assert!(matches!(FsDisk::open(dir.path()), Err(WalError::Locked(_))), "somebody looks");
    assert_eq!(scan(&one).unwrap(), scan(&other).unwrap());
    let name = crate::wal::Disk::list(&one).unwrap().remove(0);
    assert!(crate::wal::Disk::open(&one, &name).unwrap().write_at(b"x", 0).is_err());
    assert!(one.rename(&name, "x").is_err() && one.remove(&name).is_err());

    // A byte of the second entry: there is no sector of zeros, so no crash explains it.
    let path = dir.path().join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(100).position(|window| window.iter().all(|byte| *byte == window[0] && *byte > 1)).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let told = scan(&one).unwrap_err().to_string();
    assert!(told.contains(&name) && told.contains("corrupt at offset") && told.contains("checksum mismatch"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
