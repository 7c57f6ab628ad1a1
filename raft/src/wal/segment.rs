//! Names of the files in a log directory.

use std::fmt;

/// The name of a segment: its number, and the first index that it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) seq: u64,
    pub(super) index: u64,
}

impl SegmentName {
    /// Reads `{seq:016x}-{index:016x}.wal`; other names are not segments.
    pub(super) fn parse(name: &str) -> Option<SegmentName> {
        let (seq, index) = name.strip_suffix(".wal")?.split_once('-')?;
        Some(SegmentName { seq: parse_hex(seq)?, index: parse_hex(index)? })
    }
}

fn parse_hex(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}.wal", self.seq, self.index)
    }
}

/// Names of segments in the making; after a crash they are left over.
pub(super) const UNFINISHED: [&str; 2] = ["0.tmp", "1.tmp"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let name = SegmentName { seq: 10, index: 0xbeef };
        assert_eq!(name.to_string(), "000000000000000a-000000000000beef.wal");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        for other in
            ["0.tmp", "a-b.wal", "000000000000000A-000000000000beef.wal", "+00000000000000a-000000000000beef.wal"]
        {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }
}
