//! Pages that are right one by one, and not together; and elements that are not right.

use super::raw::{Raw, leaf};
use super::*;
use crate::bbolt::layout::{IS_BUCKET, PageKind};

/// A bucket "key" with a root in page 3, and five pages behind it.
fn with_root() -> Raw {
    let mut raw = Raw::new(9, 2);
    raw.buckets(&[("key", 3)]);
    raw
}

#[track_caller]
fn refused(raw: &Raw, page: u64, path: &[u64], expected: Damage) {
    let damaged = damage(&raw.bytes);
    assert_eq!(damaged, Damaged { page, bucket: Some(b"key".to_vec()), path: path.to_vec(), damage: expected });
}

#[test]
fn circles_end() {
    let mut raw = with_root();
    raw.branch(3, &[("a", 3), ("b", 4)]);
    refused(&raw, 3, &[3], Damage::Twice(3));
    raw.branch(3, &[("a", 4), ("b", 5)]);
    raw.branch(4, &[("a", 6), ("aa", 3)]);
    raw.keys(6, &["a"]);
    refused(&raw, 3, &[3, 4], Damage::Twice(3));
    // The bucket is its own name.
    raw.buckets(&[("key", 2)]);
    refused(&raw, 2, &[], Damage::Twice(2));
    // Two buckets in one tree.
    raw.buckets(&[("a", 6), ("key", 6)]);
    refused(&raw, 6, &[], Damage::Twice(6));
}

#[test]
fn a_chain_of_branches_has_an_end() {
    let mut raw = Raw::new(100, 2);
    raw.buckets(&[("key", 3)]);
    for page in 3..99 {
        raw.branch(page, &[("a", page + 1)]);
    }
    raw.keys(99, &["a"]);
    refused(&raw, 67, &(3..67).collect::<Vec<_>>(), Damage::Deep(64));
    raw.buckets(&[("key", 36)]);
    assert_eq!(read(&raw.bytes).unwrap()[0].1.len(), 1);
}

#[test]
fn runs_stay_apart_and_inside() {
    let mut raw = with_root();
    raw.branch(3, &[("a", 4), ("b", 5)]);
    raw.keys(4, &["a"]);
    raw.keys(5, &["b"]);
    read(&raw.bytes).unwrap();
    raw.header(4, PageKind::Leaf, 1, 1);
    refused(&raw, 5, &[3], Damage::Twice(5));
    for (overflow, pages) in [(5, 6), (u32::MAX - 1, u64::from(u32::MAX)), (u32::MAX, 1 << 32)] {
        raw.header(4, PageKind::Leaf, 1, overflow);
        refused(&raw, 4, &[3], Damage::Run { pages });
    }
    raw.header(4, PageKind::Leaf, 1, 4);
    refused(&raw, 5, &[3], Damage::Twice(5));
    for page in [9, u64::MAX, 0, 1] {
        raw.branch(3, &[("a", page), ("b", 5)]);
        refused(&raw, page, &[3], Damage::NoPage { last: 8 });
    }
}

#[test]
fn pages_are_what_they_are_taken_for() {
    let mut raw = with_root();
    raw.branch(3, &[("a", 4), ("b", 5)]);
    raw.keys(5, &["b"]);
    raw.header(4, PageKind::Meta, 0, 0);
    refused(&raw, 4, &[3], Damage::Kind);
    raw.header(4, PageKind::FreeList, 0, 0);
    refused(&raw, 4, &[3], Damage::Kind);
    raw.header(4, PageKind::Leaf, 0, 0);
    read(&raw.bytes).unwrap();
    raw.put(4, 1023, &[1]);
    refused(&raw, 4, &[3], Damage::NotEmpty);
    raw.put(4, 1023, &[0]);
    for flags in [0u8, 3, 6, 8] {
        raw.put(4, 8, &[flags]);
        refused(&raw, 4, &[3], Damage::Kind);
    }
    raw.header(4, PageKind::Branch, 0, 0);
    refused(&raw, 4, &[3], Damage::NoChildren);
    raw.put(4, 0, &[7]);
    refused(&raw, 4, &[3], Damage::OtherPage(7));
}

#[test]
fn elements_stay_in_their_run() {
    let with = |offset: usize, number: u32| {
        let mut raw = with_root();
        raw.keys(3, &["a", "b"]);
        raw.put(3, offset, &number.to_le_bytes());
        raw
    };
    let (pos, key, value) = (16 + 4, 16 + 8, 16 + 12);
    for huge in [1024, 1 << 31, u32::MAX - 16, u32::MAX] {
        refused(&with(pos, huge), 3, &[], Damage::Gap(0));
        refused(&with(key, huge), 3, &[], Damage::Beyond(0));
        refused(&with(value, huge), 3, &[], Damage::Beyond(0));
        refused(&with(pos + 16, huge), 3, &[], Damage::Gap(1));
        refused(&with(value + 16, huge), 3, &[], Damage::Beyond(1));
    }
    // Into its own element, over the first row, and with a gap.
    for place in [0, 15, 16, 21, 23] {
        refused(&with(pos + 16, place), 3, &[], Damage::Gap(1));
    }
    refused(&with(key, 0), 3, &[], Damage::Key(0, 0));
    refused(&with(value, 4), 3, &[], Damage::Gap(1));
    for count in [64, 65, u16::MAX] {
        let mut raw = with(pos, 32);
        raw.header(3, PageKind::Leaf, count, 0);
        refused(&raw, 3, &[], Damage::Table);
    }
    for flags in [2, 0x8000_0001, u32::MAX] {
        refused(&with(16, flags), 3, &[], Damage::Flags(0, flags));
    }
}

#[test]
fn keys_that_are_too_long() {
    let key = vec![b'k'; layout::MAX_KEY_BYTES + 1];
    let mut raw = Raw::new(3 + 40, 2);
    raw.buckets(&[("key", 3)]);
    raw.leaf(3, 0, &[(&key, b"")]);
    raw.put(3, 12, &[39]);
    refused(&raw, 3, &[], Damage::Key(0, 32769));
}

#[test]
fn keys_ascend_through_all_leaves() {
    let with = |first: &[&str], second: &[&str]| {
        let mut raw = with_root();
        raw.branch(3, &[("b", 4), ("d", 5)]);
        raw.keys(4, first);
        raw.keys(5, second);
        raw
    };
    for (first, second) in [(&["b", "c"], &["d", "e"]), (&["bb", "cc"], &["dd", "x"])] {
        assert_eq!(read(&with(first, second).bytes).unwrap()[0].1.len(), 4);
    }
    refused(&with(&["b", "a"], &[]), 4, &[3], Damage::Order(1));
    refused(&with(&["b", "b"], &[]), 4, &[3], Damage::Order(1));
    refused(&with(&["a", "b"], &[]), 4, &[3], Damage::Before);
    refused(&with(&["b", "d"], &[]), 4, &[3], Damage::After);
    refused(&with(&["b"], &["c"]), 5, &[3], Damage::Before);
    refused(&with(&["b"], &["e", "d"]), 5, &[3], Damage::Order(1));
    // The next key may be in a branch far above.
    let mut raw = with(&[], &["d"]);
    raw.branch(4, &[("b", 6), ("bb", 7)]);
    raw.keys(6, &["b"]);
    raw.keys(7, &["bb", "d"]);
    refused(&raw, 7, &[3, 4], Damage::After);
    raw.keys(7, &["bb", "c"]);
    read(&raw.bytes).unwrap();
    raw.branch(4, &[("b", 6), ("d", 7)]);
    refused(&raw, 4, &[3], Damage::After);
    raw.branch(4, &[("a", 6), ("bb", 7)]);
    refused(&raw, 4, &[3], Damage::Before);
}

#[test]
fn empty_leaves_are_nothing_special() {
    let mut raw = with_root();
    raw.branch(3, &[("a", 4), ("b", 5), ("c", 6)]);
    for (full, page) in [("a", 4), ("b", 5), ("c", 6)] {
        for page in 4..7 {
            raw.put(page, 0, &[0; 100]);
            raw.keys(page, &[]);
        }
        raw.keys(page, &[full]);
        let found = read(&raw.bytes).unwrap();
        assert_eq!(found, [(b"key".to_vec(), vec![(full.into(), b"value".to_vec())])]);
    }
    // But each is one of its own.
    raw.branch(3, &[("a", 4), ("b", 4)]);
    refused(&raw, 4, &[3], Damage::Twice(4));
}

#[test]
fn inline_buckets_are_read_and_checked() {
    let rows: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"2")];
    let with = |page: &[u8]| {
        let value = [&[0; 16], page].concat();
        let mut raw = Raw::new(3, 2);
        raw.leaf(2, IS_BUCKET, &[(b"key", &value), (b"meta", &[&[0; 16], &leaf(0, 0, &[])[..]].concat())]);
        raw
    };
    let good = leaf(0, 0, &rows);
    let found = read(&with(&good).bytes).unwrap();
    let expected = rows.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_eq!(found, [(b"key".to_vec(), expected.to_vec()), (b"meta".to_vec(), Vec::new())]);
    refused(&with(b""), 2, &[], Damage::Table);
    refused(&with(&good[..15]), 2, &[], Damage::Table);
    refused(&with(&good[..47]), 2, &[], Damage::Table);
    refused(&with(&good[..good.len() - 1]), 2, &[], Damage::Beyond(1));
    refused(&with(&leaf(2, 0, &rows)), 2, &[], Damage::Kind);
    refused(&with(&leaf(0, IS_BUCKET, &rows)), 2, &[], Damage::Nested(0));
    refused(&with(&leaf(0, 0, &[rows[1], rows[0]])), 2, &[], Damage::Order(1));
    let mut run = good.clone();
    run[12] = 1;
    refused(&with(&run), 2, &[], Damage::Kind);
}

#[test]
fn only_the_root_has_buckets_and_it_has_nothing_else() {
    let mut raw = with_root();
    raw.leaf(3, IS_BUCKET, &[(b"deeper", &[0; 16])]);
    refused(&raw, 3, &[], Damage::Nested(0));
    let mut raw = with_root();
    raw.leaf(2, 0, &[(b"key", &[3; 16])]);
    let plain = damage(&raw.bytes);
    assert_eq!(plain, Damaged { page: 2, bucket: None, path: Vec::new(), damage: Damage::NotBucket(0) });
    for value in [&b""[..], &[3; 15], &[3; 17]] {
        raw.leaf(2, IS_BUCKET, &[(b"key", value)]);
        refused(&raw, 2, &[], Damage::Bucket);
    }
}

#[test]
fn an_error_says_where() {
    let mut raw = with_root();
    raw.branch(3, &[("a", 4), ("b", 5)]);
    raw.branch(4, &[("a", 6), ("aa", 6)]);
    raw.keys(6, &["a"]);
    let error = read(&raw.bytes).unwrap_err();
    assert_eq!(error.to_string(), "damaged: page 6 of bucket \"key\", by way of 3 → 4: page 6 is in use twice");
}
