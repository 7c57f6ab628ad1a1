//! The tags that stand for what a key is: `ETag`, by the revision of its last change.

use bytes::Bytes;
use http::HeaderValue;

/// What the tag of the document about a key has behind its revision: other bytes have another tag.
const DOCUMENT: &str = ".json";
/// The same with the end of the tag.
const END_OF_DOCUMENT: &str = ".json\"";

/// Of the value at a revision, or of the document about it: what is written, it says alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) revision: i64,
    pub(super) is_document: bool,
}

/// The tag of a value, or of the document about it.
pub(super) fn tag(revision: i64, is_document: bool) -> HeaderValue {
    let mut digits = itoa::Buffer::new();
    let (digits, end) = (digits.format(revision), if is_document { END_OF_DOCUMENT } else { "\"" });
    let mut text = Vec::with_capacity(1 + digits.len() + end.len());
    text.push(b'"');
    text.extend_from_slice(digits.as_bytes());
    text.extend_from_slice(end.as_bytes());
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What a tag says. Quotes are easily lost in shells.
pub(super) fn read(tag: &str) -> Option<Tag> {
    let bare = tag.strip_prefix('"').map_or(Some(tag), |rest| rest.strip_suffix('"'))?;
    let (digits, is_document) = bare.strip_suffix(DOCUMENT).map_or((bare, false), |digits| (digits, true));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    // None was ever given for the revision 0, which stands for what is not there.
    let revision = digits.parse().ok().filter(|&revision| is_number && revision > 0)?;
    Some(Tag { revision, is_document })
}
