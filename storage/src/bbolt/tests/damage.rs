//! Bytes that are not what was written: refused, or a row is another one; never a panic.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A bit of everything: several levels, a large value, an empty bucket.
fn sample() -> Contents {
    let mut contents = among_others(rows(24, 18, 60));
    contents[1].1[10].1 = vec![7; 1100];
    contents
}

/// How many rows are not the same, if there are as many, and how many buckets.
fn differences(found: &Contents, written: &Contents) -> Option<usize> {
    let flat = |contents: &Contents| -> Vec<(Vec<u8>, Vec<u8>)> {
        contents.iter().flat_map(|(name, rows)| [&[(name.clone(), Vec::new())], &rows[..]].concat()).collect()
    };
    let (found, written) = (flat(found), flat(written));
    let same_shape = found.len() == written.len();
    same_shape.then(|| found.iter().zip(&written).filter(|(a, b)| a != b).count())
}

#[test]
fn each_byte_of_a_file() {
    let (contents, page_bytes) = (sample(), 1024);
    let bytes = write_with(page_bytes, &contents);
    let (mut refused, mut other, mut same) = (0, 0, 0);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        for mask in [0x01, 0x80, 0xff] {
            damaged[at] = bytes[at] ^ mask;
            match read(&damaged) {
                Ok(found) => match differences(&found, &contents) {
                    Some(0) => same += 1,
                    Some(1) => other += 1,
                    more => panic!("byte {at}: {more:?} other rows"),
                },
                Err(ReadError::Damaged(_) | ReadError::Truncated { .. }) => refused += 1,
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
    }
    // Elements, values, and what is left free.
    assert!(refused > 3000 && other > 8000 && same > 8000, "{refused}, {other}, {same}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_read_without_a_panic(
        edits in proptest::collection::vec((any::<Index>(), prop_oneof![any::<u8>(), Just(0), Just(0xff)]), 1..20),
        cut in any::<Index>(),
        sealed in any::<bool>(),
    ) {
        let mut bytes = write_with(1024, &vec![(b"key".to_vec(), rows(12, 18, 180))]);
        for (at, byte) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.truncate(cut.index(bytes.len() * 4));
        if sealed && bytes.len() > 2048 {
            for at in [0, 1024] {
                let sum = layout::checksum(&bytes[at + 16..at + 72]);
                bytes[at + 72..at + 80].copy_from_slice(&sum.to_le_bytes());
            }
        }
        // What is found is in the file.
        if let Ok(found) = read(&bytes) {
            let size: usize = found.iter().flat_map(|(_, rows)| rows).map(|(key, value)| key.len() + value.len()).sum();
            prop_assert!(size < bytes.len());
        }
    }
}
