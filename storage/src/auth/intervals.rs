//! A set of keys: intervals that neither touch nor overlap.

use bytes::Bytes;
use keyport_api::authpb::Permission;

use crate::{KeyRange, RangeEnd, next_key};

/// Sorted by start; each ends before the next one starts. No end is behind every key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals(Vec<(Bytes, Option<Bytes>)>);

impl Intervals {
    pub(super) fn of<'a>(granted: impl Iterator<Item = &'a Permission>) -> Intervals {
        let mut intervals: Vec<_> = granted.filter_map(interval).collect();
        intervals.sort();
        let mut merged: Vec<(Bytes, Option<Bytes>)> = Vec::new();
        for (start, end) in intervals {
            match merged.last_mut() {
                Some((_, last)) if last.as_ref().is_none_or(|last| *last >= start) => {
                    // Where one of them has no end the union has none.
                    *last = last.take().zip(end).map(|(last, end)| last.max(end));
                }
                _ => merged.push((start, end)),
            }
        }
        Intervals(merged)
    }

    /// Its parts, in the order of keys.
    pub(super) fn ranges(&self) -> impl Iterator<Item = KeyRange> {
        self.0.iter().map(|(start, end)| {
            let end = match end {
                None => RangeEnd::Unbounded,
                Some(end) if *end == next_key(start) => RangeEnd::Single,
                Some(end) => RangeEnd::Before(end.clone()),
            };
            KeyRange { start: start.clone(), end }
        })
    }

    /// Whether all of `range` is in the set. A range that ends before it starts counts as its first key: what holds nothing is
    /// not free for everybody.
    pub(super) fn cover(&self, range: &KeyRange) -> bool {
        let behind = self.0.partition_point(|(start, _)| *start <= range.start);
        let Some((_, end)) = behind.checked_sub(1).and_then(|index| self.0.get(index)) else { return false };
        let Some(end) = end else { return true };
        match &range.end {
            RangeEnd::Unbounded => false,
            RangeEnd::Before(before) if *before > range.start => end >= before,
            RangeEnd::Single | RangeEnd::Before(_) => *end > range.start,
        }
    }
}

/// None for what holds no key.
fn interval(permission: &Permission) -> Option<(Bytes, Option<Bytes>)> {
    let Permission { key, range_end, .. } = permission;
    match &range_end[..] {
        [] => Some((key.clone(), Some([&key[..], &[0]].concat().into()))),
        [0] => Some((key.clone(), None)),
        _ if key < range_end => Some((key.clone(), Some(range_end.clone()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(granted: &[(&str, &str)]) -> Intervals {
        let granted: Vec<_> = granted
            .iter()
            .map(|(key, end)| Permission {
                key: Bytes::copy_from_slice(key.as_bytes()),
                range_end: Bytes::copy_from_slice(end.as_bytes()),
                ..Permission::default()
            })
            .collect();
        Intervals::of(granted.iter())
    }

    fn covers(granted: &[(&str, &str)], key: &str, end: &str) -> bool {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        intervals(granted).cover(&KeyRange::new(bytes(key), bytes(end)))
    }

    #[test]
    fn what_touches_or_overlaps_is_one() {
        assert_eq!(intervals(&[("c", "e"), ("a", "c")]).0, intervals(&[("a", "e")]).0);
        assert_eq!(intervals(&[("a", "d"), ("b", "c"), ("c", "f")]).0, intervals(&[("a", "f")]).0);
        assert_eq!(intervals(&[("a", "\0"), ("b", "c")]).0, intervals(&[("a", "\0")]).0);
        assert_eq!(intervals(&[("a", "c"), ("b", "\0")]).0, intervals(&[("a", "\0")]).0);
        assert_eq!(intervals(&[("a", "a\0"), ("a", "")]).0, intervals(&[("a", "")]).0);
        assert_eq!(intervals(&[("a", ""), ("a\0", "b")]).0, intervals(&[("a", "b")]).0);
        assert_eq!(intervals(&[("a", "b"), ("c", "d")]).0.len(), 2);
        assert_eq!(intervals(&[("b", "a"), ("b", "b")]).0, []);
    }

    #[test]
    fn parts_are_told_as_they_are_granted() {
        let told: Vec<_> = intervals(&[("k", ""), ("a", "c"), ("b", "d"), ("x", "\0")]).ranges().collect();
        let range = |key: &'static str, end: &'static str| KeyRange::new(key.into(), end.into());
        assert_eq!(told, [range("a", "d"), range("k", ""), range("x", "\0")]);
    }

    #[test]
    fn a_range_is_in_the_set_if_all_of_it_is() {
        let granted = [("a", "c"), ("c", "e"), ("k", ""), ("x", "\0")];
        for (key, end) in
            [("a", ""), ("b", "d"), ("a", "e"), ("d", ""), ("k", ""), ("k", "k\0"), ("x", ""), ("x", "\0"), ("z", "zz")]
        {
            assert!(covers(&granted, key, end), "{key:?} {end:?}");
        }
        for (key, end) in [
            ("", ""),
            ("e", ""),
            ("a", "f"),
            ("a", "\0"),
            ("k", "l"),
            ("w", "\0"),
            ("w", "y"),
            ("k\0", ""),
            ("\0", "\0"),
        ] {
            assert!(!covers(&granted, key, end), "{key:?} {end:?}");
        }
        assert!(!covers(&[], "a", ""));
    }

    #[test]
    fn a_range_without_keys_counts_as_its_first() {
        assert!(covers(&[("b", "c")], "b", "a"));
        assert!(!covers(&[("b", "c")], "d", "a"));
    }
}
