//! The checksum covers a record's data, not its kind: a record under another name is refused for what it says.

use keyport_api::raftpb::EntryType;

use super::*;
use crate::wal::record::{Kind, WORD, parse_head, parse_word};

/// Where the kinds of all records of a segment are.
fn kinds(content: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(word) = content.get(at..at + WORD)
        && let Some((len, pad)) = parse_word(u64::from_le_bytes(word.try_into().unwrap()))
    {
        let record = at + WORD;
        assert!(parse_head(&content[record..], len).is_some());
        places.push(record + 1);
        at = record + usize::try_from(len + pad).unwrap();
    }
    places
}

/// Records of every kind in every order in which they come, over two segments.
fn some_of_everything() -> SimDisk {
    let disk = SimDisk::new(1);
    let change = |index, term, data: &'static [u8]| Entry {
        r#type: Some(EntryType::EntryConfChange as i32),
        data: Some(Bytes::from_static(data)),
        ..entry(index, term, 1)
    };
    let mut wal = Wal::create(
        Arc::new(disk.clone()),
        options(),
        METADATA,
        &[change(1, 1, b"\x08\0"), change(2, 1, b"")],
        state(1, 2),
    )
    .unwrap();
    for term in 1..=3 {
        let last = wal.last_index();
        wal.push_entry(EntryRef { kind: 0, term, index: last + 1, data: &[] });
        wal.push_entry(EntryRef::from(&change(last + 2, term, b"")));
        append(&mut wal, last + 3..=last + 7, term);
        wal.push_snapshot(&mark(last + 4, term));
        wal.push_state(state(term, last + 7));
        wal.sync().unwrap();
    }
    assert!(segments(&disk).len() > 1);
    disk
}

#[test]
fn a_record_under_the_name_of_another_kind_is_refused() {
    let disk = some_of_everything();
    let whole = open(&disk, 0).unwrap().1;
    let mut tried = 0;
    for name in segments(&disk) {
        let content = disk.content(&name).unwrap();
        for at in kinds(&content) {
            for kind in (0..=7).filter(|kind| *kind != content[at]) {
                let mut other = content.clone();
                other[at] = kind;
                disk.set_content(&name, other);
                let opened = open(&disk, 0).map(|(_, recovered)| recovered);
                assert!(opened.is_err(), "{name}, {at}: {} as {kind}: {opened:?} for {whole:?}", content[at]);
                tried += 1;
            }
        }
        disk.set_content(&name, content);
    }
    assert!(tried > 30 * Kind::Snapshot as usize);
    assert_eq!(open(&disk, 0).unwrap().1, whole);
}
