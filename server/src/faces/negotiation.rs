//! `Accept` and `Accept-Encoding`: which of the forms that there are somebody likes best.

use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderName};

/// How well a form is liked: its quality in thousandths, how exactly it is named, and how early.
type Liking = (u32, u8, std::cmp::Reverse<usize>);

/// The place of the best one in `offered`; the first where nobody minds, or nothing will do.
pub(super) fn best(headers: &HeaderMap, offered: &[&str]) -> usize {
    if !headers.contains_key(ACCEPT) {
        return 0;
    }
    let mut best: Option<(Liking, usize)> = None;
    for (at, form) in offered.iter().enumerate() {
        let liking = liking(headers, form).filter(|&(quality, ..)| quality > 0);
        if let Some(liking) = liking
            && best.is_none_or(|(other, _)| liking > other)
        {
            best = Some((liking, at));
        }
    }
    best.map_or(0, |(_, at)| at)
}

/// What lines of JSON are called.
pub(super) const LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// Whether a media type is named as one that is taken.
pub(super) fn accepts(headers: &HeaderMap, form: &str) -> bool {
    ranges(headers, ACCEPT).any(|range| range.quality > 0 && range.name.eq_ignore_ascii_case(form))
}

/// Whether it is named, and none of these is liked better.
pub(super) fn prefers(headers: &HeaderMap, form: &str, others: &[&str]) -> bool {
    accepts(headers, form) && {
        let wanted = liking(headers, form);
        others.iter().all(|other| liking(headers, other) < wanted)
    }
}

struct Range<'a> {
    name: &'a str,
    quality: u32,
}

/// What a list of things that are liked has in it.
fn ranges(headers: &HeaderMap, list: HeaderName) -> impl Iterator<Item = Range<'_>> {
    let values = headers.get_all(list).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Range { name, quality: quality.map_or(1000, thousandths) }
    })
}

/// By the range that names a form most exactly.
fn liking(headers: &HeaderMap, form: &str) -> Option<Liking> {
    let exactness = |name: &str| match name.strip_suffix('*') {
        Some("*/") => Some(0),
        Some(kind) => form.starts_with(kind).then_some(1),
        None => name.eq_ignore_ascii_case(form).then_some(2),
    };
    let matching =
        ranges(headers, ACCEPT).enumerate().filter_map(|(at, range)| Some((exactness(range.name)?, at, range.quality)));
    let (exact, at, quality) = matching.max_by_key(|&(exact, at, _)| (exact, std::cmp::Reverse(at)))?;
    Some((quality, exact, std::cmp::Reverse(at)))
}

/// The place of the encoding in `offered` that is liked best, of those that are liked alike the first; none where the answer as
/// it is will do as well. (RFC 9110, 12.5.3)
pub(super) fn encoding(headers: &HeaderMap, offered: &[&str]) -> Option<usize> {
    let named = |name: &str| {
        let alias = |own| if str::eq_ignore_ascii_case(own, "x-gzip") { "gzip" } else { own };
        let mut ranges = ranges(headers, ACCEPT_ENCODING);
        ranges.find(|range| alias(range.name).eq_ignore_ascii_case(name)).map(|range| range.quality)
    };
    let others = named("*");
    let likings = offered.iter().map(|name| named(name).or(others).unwrap_or_default()).enumerate();
    let (best, liking) = likings.rev().max_by_key(|&(_, liking)| liking)?;
    let plain = named("identity").unwrap_or(0);
    (liking > 0 && liking >= plain).then_some(best)
}

/// `0.5`, `1`; what is no such number is nothing.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(part) || part.len() > 3 || !matches!(whole, "0" | "1") {
        return 0;
    }
    let part: u32 = format!("{part:0<3}").parse().unwrap_or_default();
    if whole == "1" { 1000 } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_best_liked_form_is_found() {
        let forms = ["application/octet-stream", "application/json", "text/plain"];
        for (accept, chosen) in [
            ("*/*", 0),
            ("", 0),
            ("text/html,application/xhtml+xml,*/*;q=0.8", 0),
            ("application/json", 1),
            ("Application/JSON; charset=utf-8", 1),
            ("application/json, text/plain, */*", 1),
            ("text/plain, application/json", 2),
            ("text/plain;q=0.5, application/json", 1),
            ("text/*, application/json;q=0.9", 2),
            ("application/json;q=0", 0),
            ("application/json;q=0, */*", 0),
            ("application/octet-stream;q=0.1, application/*", 1),
            ("image/png", 0),
            ("application/json;q=much, text/plain;q=0.001", 2),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(best(&headers, &forms), chosen, "{accept}");
        }
        assert_eq!(best(&HeaderMap::new(), &forms), 0);
    }

    #[test]
    fn the_best_liked_encoding_is_taken() {
        let choice = |headers: &HeaderMap| encoding(headers, &["zstd", "gzip"]);
        for (accept, chosen) in [
            ("gzip, deflate, br, zstd", Some(0)),
            ("gzip", Some(1)),
            ("X-GZip", Some(1)),
            ("zstd;q=0.5, gzip;q=0.8", Some(1)),
            ("zstd;q=0, gzip;q=0.001", Some(1)),
            ("*", Some(0)),
            ("zstd;q=0, *;q=0.5", Some(1)),
            ("identity;q=1, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(1)),
            ("gzip;q=0", None),
            ("gzip;q=much", None),
            ("*;q=0", None),
            ("br, deflate", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(choice(&headers), chosen, "{accept}");
        }
        assert_eq!(choice(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_refused_or_liked_less_is_not_preferred() {
        for (accept, is_named, is_preferred) in [
            ("text/event-stream", true, true),
            ("text/event-stream, */*", true, true),
            ("text/event-stream, application/json", true, true),
            ("application/json, text/event-stream", true, false),
            ("application/json, text/event-stream;q=0.9", true, false),
            ("application/json;q=0.5, Text/Event-Stream;q=0.9", true, true),
            ("text/event-stream;q=0", false, false),
            ("text/event-stream;q=0, */*", false, false),
            ("*/*", false, false),
            ("text/*", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(accepts(&headers, "text/event-stream"), is_named, "{accept}");
            assert_eq!(prefers(&headers, "text/event-stream", &["application/json"]), is_preferred, "{accept}");
        }
    }
}
