//! How the pages of a written file lie, seen without the reader.

use super::*;
use crate::bbolt::layout::{LeafElement, PageHeader, PageKind, node_bytes};

/// What a run is, and how many elements it has.
type Run = (PageKind, usize);

/// All runs of a file, behind the metas. Every page is in one, and each is as full as it may be.
pub(super) fn check(bytes: &[u8], page_bytes: usize) -> Vec<Run> {
    let (mut page, mut runs) = (2, Vec::new());
    while page * page_bytes < bytes.len() {
        let run = &bytes[page * page_bytes..];
        let header = PageHeader::decode(run).unwrap();
        let (count, kind) = (usize::from(header.count), header.kind.unwrap());
        let pages = header.overflow as usize + 1;
        assert_eq!(header.page, page as u64);
        let used = used(run, count, kind);
        assert_eq!(used.div_ceil(page_bytes), pages, "page {page}: {used} bytes");
        assert!(run[used..pages * page_bytes].iter().all(|byte| *byte == 0), "page {page}");
        match kind {
            // Only a row that is larger than a page is in several.
            PageKind::Leaf => assert!(pages == 1 || count == 1, "page {page}: {count} rows"),
            // bbolt could not delete from it.
            PageKind::Branch => assert!(count >= 2 && (pages == 1 || count <= 3), "page {page}: {count} children"),
            PageKind::Meta | PageKind::FreeList => panic!("page {page}"),
        }
        runs.push((kind, count));
        page += pages;
    }
    runs
}

/// To the end of the last key or value.
fn used(run: &[u8], count: usize, kind: PageKind) -> usize {
    let Some(last) = count.checked_sub(1) else { return node_bytes(0, 0) };
    let at = node_bytes(last, 0);
    // In a branch the key is in the place of pos, and pos in that of the flags.
    let LeafElement { flags, pos, key_bytes, value_bytes } = LeafElement::decode(&run[at..]).unwrap();
    let (pos, bytes) = if kind == PageKind::Leaf { (pos, key_bytes + value_bytes) } else { (flags, pos) };
    at + (pos + bytes) as usize
}

fn branches(runs: &[Run]) -> Vec<usize> {
    runs.iter().filter(|(kind, _)| *kind == PageKind::Branch).map(|(_, count)| *count).collect()
}

#[test]
fn a_branch_never_has_one_child() {
    // A leaf for each row, and 29 of them for a branch: 16 + 29 × (16 + 18) bytes of 1024.
    let shape = |leaves| {
        let contents = among_others(rows(leaves, 18, 980));
        let bytes = write_with(1024, &contents);
        assert!(read(&bytes).unwrap() == contents);
        branches(&check(&bytes, 1024))
    };
    assert!(shape(0).is_empty());
    assert!(shape(1).is_empty());
    assert_eq!(shape(2), [2]);
    assert_eq!(shape(29), [29]);
    assert_eq!(shape(30), [28, 2, 2]);
    assert_eq!(shape(31), [28, 3, 2]);
    assert_eq!(shape(57), [28, 29, 2]);
    assert_eq!(shape(58), [28, 28, 2, 3]);
    // Up to four levels of them.
    (59..=120).chain(780..=850).chain([5000, 25_000]).for_each(|leaves| drop(shape(leaves)));
}

#[test]
fn no_branch_of_long_keys_has_one_child() {
    for key_bytes in [300, 330, 480, 500, 520, 1000, 1100, 5000, layout::MAX_KEY_BYTES] {
        for leaves in (0..30).chain([100]) {
            let contents = among_others(rows(leaves, key_bytes, 900));
            let bytes = write_with(1024, &contents);
            check(&bytes, 1024);
            assert!(read(&bytes).unwrap() == contents);
        }
    }
}

#[test]
fn levels_grow_slowly() {
    let bytes = write(&vec![(b"key".to_vec(), rows(100_000, 18, 200))]);
    let runs = check(&bytes, 4096);
    // 17 rows a leaf, 119 children a branch but for the last of a level.
    let leaves = 100_000usize.div_ceil(17);
    assert_eq!(runs.len(), leaves + leaves.div_ceil(119) + 1 + 1);
    let full = branches(&runs).into_iter().filter(|count| *count == 119).count();
    assert_eq!(full, leaves / 119);
}
