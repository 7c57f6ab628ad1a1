//! What was written is read.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

#[track_caller]
fn the_same(contents: &Contents) {
    let bytes = write(contents);
    assert!(read(&bytes).unwrap() == *contents, "other rows");
}

#[test]
fn no_buckets_and_empty_ones() {
    the_same(&Vec::new());
    the_same(&vec![(b"key".to_vec(), Vec::new())]);
    the_same(&among_others(Vec::new()));
}

#[test]
fn few_rows_and_many() {
    for count in [1, 2, 3, 15, 16, 17, 1000, 100_000] {
        the_same(&among_others(rows(count, 18, 200)));
    }
}

#[test]
fn one_page_to_the_last_byte_and_one_more() {
    // A header of 16 bytes, and four rows of 16 + 18 + 986.
    let full = rows(4, 18, 986);
    let bytes = write(&vec![(b"key".to_vec(), full.clone())]);
    assert_eq!(bytes.len(), 4 * 4096);
    the_same(&among_others(full));
    let mut more = rows(4, 18, 986);
    more[3].1.push(1);
    // Two leaves and their branch.
    let bytes = write(&vec![(b"key".to_vec(), more.clone())]);
    assert_eq!(bytes.len(), 6 * 4096);
    the_same(&among_others(more));
}

#[test]
fn large_values_and_long_keys() {
    let mut large = rows(5, 18, 3 << 19);
    large[1].1.clear();
    large[3].1.truncate(4096 - 16 - 16 - 18);
    the_same(&among_others(large));
    // Three children are more than a page of a branch, and so are two.
    for count in 0..20 {
        the_same(&among_others(rows(count, layout::MAX_KEY_BYTES, 3)));
    }
    the_same(&among_others(rows(100, 1300, 4000)));
    the_same(&among_others(rows(100, 2100, 4000)));
}

#[test]
fn many_buckets() {
    let bucket = |n: usize| (format!("bucket {n:05}").into_bytes(), rows(n % 40, 18, 100));
    the_same(&(0..2000).map(bucket).collect());
}

#[test]
fn other_page_sizes() {
    for page_bytes in [1 << 10, 1 << 13, 1 << 14, 1 << 16] {
        let contents = among_others(rows(3000, 18, 100));
        assert!(read(&write_with(page_bytes, &contents)).unwrap() == contents);
    }
    for page_bytes in [0, 512, 4095, 5000, 1 << 17] {
        let refused = Writer::with_page_bytes(Cursor::new(Vec::new()), page_bytes).unwrap_err();
        assert_eq!(refused.to_string(), format!("pages of {page_bytes} bytes are not written"));
    }
}

#[test]
fn buckets_may_be_left_out() {
    let contents: Contents = (0..9).map(|n| (vec![b'a' + n], rows(500, 18, 100))).collect();
    let bytes = write(&contents);
    let reader = Reader::open(&bytes[..]).unwrap();
    let mut buckets = reader.buckets().unwrap();
    let mut bucket = buckets.find(b"c").unwrap().unwrap();
    assert_eq!((bucket.name(), bucket.next_row().unwrap().unwrap().key), (&b"c"[..], &contents[2].1[0].0[..]));
    assert_eq!(bucket.next_row().unwrap().unwrap().key, &contents[2].1[1].0[..]);
    assert_eq!(buckets.next_bucket().unwrap().unwrap().name(), b"d");
    assert!(buckets.find(b"ee").unwrap().is_none());
    assert_eq!(buckets.next_bucket().unwrap().unwrap().name(), b"g");
    assert!(buckets.find(b"z").unwrap().is_none());
    assert!(buckets.next_bucket().unwrap().is_none());
}

#[test]
fn a_file_is_read_like_bytes() {
    let contents = among_others(rows(3000, 18, 100));
    let mut writer = Writer::new(tempfile::tempfile().unwrap()).unwrap();
    for (name, rows) in &contents {
        writer.bucket(name).unwrap();
        rows.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
    }
    let (file, written) = writer.finish().unwrap();
    assert_eq!(file.metadata().unwrap().len(), written.bytes);
    let mut same = vec![0; usize::try_from(written.bytes).unwrap()];
    ReadAt::read_exact_at(&file, &mut same, 0).unwrap();
    assert!(same == write(&contents));
    let reader = Reader::open(&file).unwrap();
    assert_eq!((reader.bytes(), reader.meta().txid, reader.meta().free_list), (written.bytes, 2, None));
    reader.check().unwrap();
    // A digest, or room that the next transactions may take.
    let longer = [&same[..], &[7; 5000]].concat();
    assert!(read(&longer).unwrap() == contents);
}

fn contents() -> impl Strategy<Value = Contents> {
    let short = vec(any::<u8>(), 1..20);
    let key = prop_oneof![20 => short.clone(), 1 => vec(Just(b'k'), 1..5000)];
    let value = prop_oneof![20 => vec(any::<u8>(), 0..300), 1 => vec(Just(b'v'), 0..20_000)];
    let rows = btree_map(key, value, 0..200);
    btree_map(short, rows, 0..6).prop_map(|buckets: BTreeMap<_, BTreeMap<_, _>>| {
        buckets.into_iter().map(|(name, rows)| (name, rows.into_iter().collect())).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    #[test]
    fn any_rows_are_read_as_they_were_written(contents in contents(), page_bytes in prop_oneof![Just(1024), Just(4096)]) {
        let bytes = write_with(page_bytes, &contents);
        prop_assert!(read(&bytes).unwrap() == contents);
        shape::check(&bytes, page_bytes as usize);
    }
}
