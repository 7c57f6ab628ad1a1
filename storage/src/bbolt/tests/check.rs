//! Each page is in use once, or free.

use super::raw::Raw;
use super::*;
use crate::bbolt::layout::MANY;

/// A bucket in page 3, a list of free pages in page 4, and three pages more.
fn with_list(count: u16, numbers: &[u64]) -> Raw {
    let mut raw = Raw::new(8, 2);
    raw.metas(8, 2, Some(4));
    raw.buckets(&[("key", 3)]);
    raw.keys(3, &["a"]);
    raw.free_list(4, count, numbers);
    raw
}

#[track_caller]
fn refused(raw: &Raw, page: u64, expected: Damage) {
    let damaged = damage(&raw.bytes);
    assert_eq!((damaged.page, damaged.damage), (page, expected));
    let reader = Reader::open(&raw.bytes[..]).unwrap();
    assert!(reader.check().is_err());
}

#[test]
fn a_list_of_free_pages_is_read() {
    for raw in [with_list(3, &[5, 6, 7]), with_list(3, &[7, 5, 6]), with_list(MANY, &[3, 5, 6, 7])] {
        assert_eq!(read(&raw.bytes).unwrap()[0].1.len(), 1);
        Reader::open(&raw.bytes[..]).unwrap().check().unwrap();
    }
}

#[test]
fn pages_that_are_nowhere_are_found() {
    refused(&with_list(0, &[]), 5, Damage::Lost);
    refused(&with_list(2, &[5, 7]), 6, Damage::Lost);
    refused(&with_list(MANY, &[2, 5, 6, 7]), 7, Damage::Lost);
    // Without a list what is not in use is free.
    let mut raw = with_list(0, &[]);
    raw.metas(8, 2, None);
    read(&raw.bytes).unwrap();
    // Nobody knows after a walk that left something out.
    let raw = with_list(0, &[]);
    let reader = Reader::open(&raw.bytes[..]).unwrap();
    let mut buckets = reader.buckets().unwrap();
    assert_eq!(buckets.next_bucket().unwrap().unwrap().name(), b"key");
    assert!(buckets.next_bucket().unwrap().is_none());
}

#[test]
fn free_pages_are_not_in_use() {
    refused(&with_list(4, &[3, 5, 6, 7]), 3, Damage::Free(3));
    refused(&with_list(4, &[4, 5, 6, 7]), 4, Damage::Free(4));
    refused(&with_list(4, &[2, 5, 6, 7]), 2, Damage::Free(2));
    refused(&with_list(4, &[5, 5, 6, 7]), 4, Damage::FreeTwice(5));
    for page in [0, 1, 8, u64::MAX] {
        refused(&with_list(4, &[5, 6, 7, page]), 4, Damage::NotFree(page));
    }
}

#[test]
fn a_list_is_no_longer_than_its_pages() {
    refused(&with_list(126, &[5]), 4, Damage::NotFree(0));
    refused(&with_list(200, &[]), 4, Damage::FreeList);
    for count in [125, 126, 1 << 61, u64::MAX / 8, u64::MAX] {
        refused(&with_list(MANY, &[count]), 4, if count == 125 { Damage::NotFree(0) } else { Damage::FreeList });
    }
    let mut raw = with_list(0, &[]);
    raw.keys(4, &["a"]);
    refused(&raw, 4, Damage::Kind);
}
