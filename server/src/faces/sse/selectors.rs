//! The keys of a stream: any mixture of keys, prefixes and ranges, as a sorted list of intervals that do not touch.

use bytes::Bytes;
use keyport_storage::{KeyRange, RangeEnd, next_key};

/// The same keys in as few ranges as possible, in the order of keys.
pub(super) fn normalized(ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    let mut ranges: Vec<(Bytes, Option<Bytes>)> = ranges.into_iter().map(bounds).collect();
    ranges.sort();
    let mut merged: Vec<(Bytes, Option<Bytes>)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match merged.last_mut() {
            Some((_, last)) if last.as_ref().is_none_or(|last| *last >= start) => {
                let longer = match (&*last, &end) {
                    (None, _) => false,
                    (_, None) => true,
                    (Some(last), Some(end)) => end > last,
                };
                if longer {
                    *last = end;
                }
            }
            _ => merged.push((start, end)),
        }
    }
    merged.into_iter().map(range).collect()
}

/// First key, and the first that is no longer in it.
fn bounds(range: KeyRange) -> (Bytes, Option<Bytes>) {
    match range.end {
        RangeEnd::Single => {
            let next = next_key(&range.start);
            (range.start, Some(next))
        }
        RangeEnd::Before(end) => (range.start, Some(end)),
        RangeEnd::Unbounded => (range.start, None),
    }
}

fn range((start, end): (Bytes, Option<Bytes>)) -> KeyRange {
    let end = match end {
        None => RangeEnd::Unbounded,
        Some(end) if end.strip_suffix(&[0]) == Some(&start[..]) => RangeEnd::Single,
        Some(end) => RangeEnd::Before(end),
    };
    KeyRange { start, end }
}

/// What is left of sorted ranges after a key.
pub(super) fn after(ranges: &[KeyRange], key: &[u8]) -> Vec<KeyRange> {
    let next = next_key(key);
    let rest = ranges.iter().filter_map(|range| {
        if range.start >= next {
            return Some(range.clone());
        }
        let rest = KeyRange { start: next.clone(), end: range.end.clone() };
        match rest.end {
            RangeEnd::Single => None,
            RangeEnd::Before(_) if rest.is_empty() => None,
            _ => Some(rest),
        }
    });
    rest.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xFE), Just(0xFF)], 1..4).prop_map(Bytes::from)
    }

    fn ranges() -> impl Strategy<Value = Vec<KeyRange>> {
        let one = prop_oneof![
            key().prop_map(KeyRange::single),
            key().prop_map(|key| KeyRange::prefix(&key)),
            (key(), key()).prop_filter("empty", |(a, b)| a < b).prop_map(|(a, b)| KeyRange::new(a, b)),
        ];
        prop::collection::vec(one, 1..6)
    }

    fn contained(ranges: &[KeyRange], key: &[u8]) -> usize {
        ranges.iter().filter(|range| range.contains(key)).count()
    }

    proptest! {
        #[test]
        fn normalizing_changes_no_key_and_leaves_no_overlap(given in ranges(), key in key()) {
            let normal = normalized(given.clone());
            prop_assert_eq!(contained(&normal, &key), contained(&given, &key).min(1));
            prop_assert!(normal.windows(2).all(|pair| pair[0].start < pair[1].start));
            prop_assert_eq!(normalized(normal.clone()), normal);
        }

        #[test]
        fn after_a_key_is_what_is_greater(given in ranges(), seen in key(), key in key()) {
            let normal = normalized(given);
            let expected = if key > seen { contained(&normal, &key) } else { 0 };
            prop_assert_eq!(contained(&after(&normal, &seen), &key), expected);
        }

        #[test]
        fn a_prefix_is_what_starts_with_it(start in prop::collection::vec(0xFD_u8.., 0..3), key in key()) {
            prop_assert_eq!(KeyRange::prefix(&start).contains(&key), key.starts_with(&start));
        }
    }
}
