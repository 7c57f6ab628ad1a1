//! `Range`, as far as it asks for one part (RFC 9110). Anything else is as if it were not there.

use std::ops::Range;

use http::HeaderValue;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Some(Range<u64>),
    /// It asks for what is behind the end.
    Beyond,
}

/// Of so many bytes.
pub(super) fn part(asked: &HeaderValue, all: u64) -> Part {
    let Some((first, last)) = asked.to_str().ok().and_then(one) else { return Part::All };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::All,
        (Some(first), _) if first >= all => Part::Beyond,
        (Some(first), Some(last)) => Part::Some(first..last.saturating_add(1).min(all)),
        (Some(first), None) if last.is_empty() => Part::Some(first..all),
        (None, Some(0)) if first.is_empty() => Part::Beyond,
        // Of nothing there is no part, and nothing is all of it.
        (None, Some(_)) if all == 0 => Part::All,
        (None, Some(length)) if first.is_empty() => Part::Some(all.saturating_sub(length)..all),
        _ => Part::All,
    }
}

/// The two sides of the one range that there is.
fn one(text: &str) -> Option<(&str, &str)> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some((first, last))
}

/// Of digits alone; one that is too large is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_taken_and_anything_else_is_not_there() {
        for (asked, expected) in [
            ("bytes=0-", Part::Some(0..100)),
            ("bytes=10-", Part::Some(10..100)),
            ("Bytes=10-19", Part::Some(10..20)),
            ("bytes=99-99", Part::Some(99..100)),
            ("bytes=10-1000", Part::Some(10..100)),
            ("bytes=10-99999999999999999999999", Part::Some(10..100)),
            ("bytes=-5", Part::Some(95..100)),
            ("bytes=-1000", Part::Some(0..100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=99999999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=20-10", Part::All),
            ("bytes=-", Part::All),
            ("bytes=0-1,5-6", Part::All),
            ("bytes=+1-2", Part::All),
            ("bytes=a-b", Part::All),
            ("pages=0-1", Part::All),
            ("", Part::All),
        ] {
            assert_eq!(part(&HeaderValue::from_static(asked), 100), expected, "{asked}");
        }
        for (asked, expected) in [("bytes=-1", Part::All), ("bytes=-0", Part::Beyond), ("bytes=0-", Part::Beyond)] {
            assert_eq!(part(&HeaderValue::from_static(asked), 0), expected, "{asked} of nothing");
        }
    }
}
