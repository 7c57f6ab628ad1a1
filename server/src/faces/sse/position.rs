//! Where a reader is: the `id` of an event, and what a reader that comes back says it has seen.
//!
//! | text | everything is seen up to and including |
//! |---|---|
//! | `42` | revision 42 |
//! | `42.3` | the change number 3 (from 0) inside revision 42 |
//! | `42~Zm9v` | the key `foo` (base64url) of the state at revision 42, which is sent in the order of keys |
//! | `42~` | nothing of that state |
//!
//! All of it may stand in a URL as it is. The number of a change counts all changes of its revision, whatever is watched, so a position means the same to
//! every reader.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

/// See the module's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Whole revisions up to this one, 0 for none.
    After(i64),
    /// And some changes of the next.
    Inside { revision: i64, index: u32 },
    /// The state at a revision up to a key, empty before the first.
    State { revision: i64, key: Bytes },
}

impl Position {
    /// The newest revision of which something is seen.
    pub(super) fn revision(&self) -> i64 {
        match *self {
            Position::After(revision) | Position::Inside { revision, .. } | Position::State { revision, .. } => {
                revision
            }
        }
    }

    /// Whether a change that came with the revision is still to be shown.
    pub(super) fn is_before(&self, revision: i64, index: u32) -> bool {
        match *self {
            Position::After(seen) | Position::State { revision: seen, .. } => revision > seen,
            Position::Inside { revision: inside, index: seen } => (revision, index) > (inside, seen),
        }
    }
}

/// An id that no server of ours gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an event id is a revision, optionally followed by . and a number or by ~ and a key in base64url")]
pub(super) struct MalformedId;

impl FromStr for Position {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Position, MalformedId> {
        // The next revision must be a revision too.
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().ok().filter(|&number: &i64| number < i64::MAX).ok_or(MalformedId),
            false => Err(MalformedId),
        };
        let real = |revision: i64| if revision > 0 { Ok(revision) } else { Err(MalformedId) };
        if let Some((revision, index)) = text.split_once('.') {
            let index = u32::try_from(number(index)?).map_err(|_| MalformedId)?;
            return Ok(Position::Inside { revision: real(number(revision)?)?, index });
        }
        if let Some((revision, key)) = text.split_once('~') {
            let key = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(key).map_err(|_| MalformedId)?;
            return Ok(Position::State { revision: real(number(revision)?)?, key: key.into() });
        }
        number(text).map(Position::After)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::After(revision) => write!(f, "{revision}"),
            Position::Inside { revision, index } => write!(f, "{revision}.{index}"),
            Position::State { revision, key } => {
                write!(f, "{revision}~{}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(revision in 1..i64::MAX, index in any::<u32>(), key in any::<Vec<u8>>()) {
            for position in [
                Position::After(revision),
                Position::Inside { revision, index },
                Position::State { revision, key: key.clone().into() },
            ] {
                let text = position.to_string();
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(text.parse(), Ok(position));
            }
        }

        #[test]
        fn anything_else_is_refused_or_harmless(text in ".*") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let too_large = ["9223372036854775807", "9223372036854775808", "1.4294967296"];
        for text in
            ["", "-1", "~", ".", "1.", ".1", "1.1.1", "0.1", "0~", "1~!", "1~Zg==", "1+Zg", "0x1", "1 ", " 1", "１"]
                .iter()
                .chain(&too_large)
        {
            assert_eq!(text.parse::<Position>(), Err(MalformedId), "{text:?}");
        }
    }

    #[test]
    fn positions_are_ordered_against_changes() {
        assert!(!Position::After(5).is_before(5, 9) && Position::After(5).is_before(6, 0));
        let inside = Position::Inside { revision: 5, index: 2 };
        assert!(!inside.is_before(5, 2) && inside.is_before(5, 3) && inside.is_before(6, 0));
    }
}
