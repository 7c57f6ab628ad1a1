//! The pages that say where everything is.

use super::raw::{Raw, SIZE};
use super::*;
use crate::bbolt::layout::{Meta, MetaFault, checksum};

/// Bytes of a meta page that mean something.
const MEANT: usize = 80;

fn meta(root: u64, free_list: Option<u64>, high_water: u64, txid: u64) -> Meta {
    Meta { page_bytes: 4096, root, free_list, high_water, txid }
}

fn sample() -> (Contents, Vec<u8>) {
    let contents = among_others(rows(50, 18, 100));
    let bytes = write(&contents);
    (contents, bytes)
}

/// Gives both metas the checksums that they should have.
fn seal(bytes: &mut [u8], page_bytes: usize) {
    for at in [0, page_bytes] {
        let sum = checksum(&bytes[at + 16..at + 72]);
        bytes[at + 72..at + 80].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn checksums_are_bbolts() {
    let sum = |meta: Meta| u64::from_le_bytes(meta.encode(0)[72..80].try_into().unwrap());
    // Of a new file.
    assert_eq!(sum(meta(3, Some(2), 4, 0)), 0x0751_6e11_4689_fdee);
    assert_eq!(sum(meta(3, Some(2), 4, 1)), 0x264c_351a_5179_480f);
    assert_eq!(sum(meta(12, None, 13, 2)), 0x6dc0_2e3e_67a0_b870);
    assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
}

#[test]
fn a_meta_has_these_bytes() {
    let bytes = meta(12, None, 13, 2).encode(1);
    let expected: [&[u8]; 11] = [
        b"\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0",
        b"\xed\xda\x0c\xed",
        b"\x02\0\0\0",
        b"\0\x10\0\0",
        b"\0\0\0\0",
        b"\x0c\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0d\0\0\0\0\0\0\0",
        b"\x02\0\0\0\0\0\0\0",
        b"\x70\xb8\xa0\x67\x3e\x2e\xc0\x6d",
    ];
    assert_eq!(bytes, expected.concat());
    assert_eq!(Meta::decode(1, &bytes), Ok(meta(12, None, 13, 2)));
    assert_eq!(Meta::decode(0, &bytes), Err(MetaFault::Header));
    assert_eq!(Meta::decode(1, &bytes[..79]), Err(MetaFault::Missing));
}

#[test]
fn the_second_is_one_transaction_behind() {
    let (_, bytes) = sample();
    let first = Meta::decode(0, &bytes).unwrap();
    assert_eq!(Meta::decode(1, &bytes[4096..]), Ok(Meta { txid: 1, ..first }));
    assert_eq!((first.txid, first.free_list, first.high_water), (2, None, bytes.len() as u64 / 4096));
}

#[test]
fn the_later_transaction_counts() {
    let (mut raw, roots) = (Raw::new(6, 2), [("a", 3), ("b", 4)]);
    raw.buckets(&roots);
    raw.keys(3, &["x"]);
    raw.keys(4, &["y"]);
    raw.leaf(5, 1, &[]);
    let meta = |txid, root| Meta { page_bytes: 1024, root, free_list: None, high_water: 6, txid };
    for (first, second, buckets) in [(7, 6, 2), (7, 8, 0), (7, 7, 2)] {
        raw.put(0, 0, &meta(first, 2).encode(0));
        raw.put(1, 0, &meta(second, 5).encode(1));
        assert_eq!(read(&raw.bytes).unwrap().len(), buckets, "{first}, {second}");
    }
    // The earlier one, if the later one is no good.
    raw.put(1, 0, &meta(8, 5).encode(1));
    raw.put(1, 72, &[0]);
    assert_eq!(read(&raw.bytes).unwrap().len(), 2);
}

#[test]
fn one_good_meta_is_enough() {
    for page_bytes in [1024, 4096, 16384, 65536] {
        let contents = among_others(rows(50, 18, 100));
        let bytes = write_with(page_bytes, &contents);
        for at in [0, page_bytes as usize] {
            for byte in at..at + MEANT {
                for mask in [1, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[byte] ^= mask;
                    assert!(read(&damaged).unwrap() == contents, "byte {byte}");
                }
            }
        }
    }
}

#[test]
fn two_damaged_metas_are_refused() {
    let (_, bytes) = sample();
    for first in 0..MEANT {
        for second in 0..MEANT {
            let mut damaged = bytes.clone();
            damaged[first] ^= 0x10;
            damaged[4096 + second] ^= 0x10;
            let error = Reader::open(&damaged[..]).unwrap_err();
            let is_sum = |byte: usize| byte >= 24;
            match error {
                ReadError::Metas { .. } => {}
                ReadError::NotBbolt => assert!((16..20).contains(&first) && (16..20).contains(&second)),
                ReadError::Version(version) => assert!((20..24).contains(&first) && version != 2),
                other => panic!("{first}, {second}: {other}"),
            }
            if is_sum(first) && is_sum(second) {
                let said = error.to_string();
                assert!(said.contains("of page 0, its checksum is"), "{said}");
            }
        }
    }
}

#[test]
fn other_files_are_told_apart() {
    let (_, bytes) = sample();
    let refusal = |bytes: &[u8]| Reader::open(bytes).unwrap_err().to_string();
    for other in [&b""[..], b"redb", &[0; 79], &[0; 5000], &[0xff; 100_000]] {
        assert_eq!(refusal(other), "not a bbolt file");
    }
    let mut swapped = bytes.clone();
    for at in [0, 4096] {
        swapped[at + 16..at + 20].reverse();
    }
    assert_eq!(refusal(&swapped), "written by a big-endian machine: have it copied by an etcd on a little-endian one");
    let mut newer = bytes.clone();
    for at in [0, 4096] {
        newer[at + 20] = 3;
    }
    seal(&mut newer, 4096);
    assert_eq!(refusal(&newer), "bbolt version 3, which this program does not know");
    for page_bytes in [0u32, 1, 512, 4095, 5000, 32 << 20, 1 << 31, u32::MAX] {
        let mut other = bytes.clone();
        for at in [0, 4096] {
            other[at + 24..at + 28].copy_from_slice(&page_bytes.to_le_bytes());
        }
        seal(&mut other, 4096);
        let said = refusal(&other);
        assert!(said.contains(&format!("of page 0, its pages are of {page_bytes} bytes")), "{said}");
    }
}

#[test]
fn what_is_missing_is_counted() {
    let (_, bytes) = sample();
    for pages in 1..bytes.len() / 4096 {
        for length in [pages * 4096, pages * 4096 + 1, pages * 4096 + 4095] {
            let Err(ReadError::Truncated { expected, missing }) = Reader::open(&bytes[..length]) else {
                panic!("{length} bytes")
            };
            assert_eq!((expected, missing), (bytes.len() as u64, (bytes.len() - length) as u64));
        }
    }
    let error = Reader::open(&bytes[..4096 * 2]).unwrap_err();
    assert_eq!(error.to_string(), format!("truncated: {} of {} bytes are missing", bytes.len() - 8192, bytes.len()));
}

#[test]
fn pages_that_there_cannot_be_are_refused() {
    let far = u64::MAX;
    for (high_water, root, free_list) in [
        (0, 2, None),
        (2, 2, None),
        (3, 3, None),
        (3, 0, None),
        (3, 1, None),
        (3, far, None),
        (3, 2, Some(0)),
        (3, 2, Some(1)),
        (3, 2, Some(3)),
        (far, 2, None),
        (far / 1024 + 1, 2, None),
    ] {
        let mut raw = Raw::new(3, 2);
        raw.buckets(&[]);
        read(&raw.bytes).unwrap();
        raw.metas(high_water, root, free_list);
        let Damaged { page, damage, .. } = damage(&raw.bytes);
        assert_eq!((page, damage), (0, Damage::Meta), "{high_water}, {root}, {free_list:?}");
    }
    let mut raw = Raw::new(3, 2);
    raw.metas(far / 1024, 2, None);
    let Err(ReadError::Truncated { missing, .. }) = Reader::open(&raw.bytes[..]) else { panic!("opened") };
    assert_eq!(missing, far / 1024 * 1024 - 3 * SIZE as u64);
}
