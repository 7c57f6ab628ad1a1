//! What faces share.

use std::any::Any;
use std::future::poll_fn;
use std::task::Poll;

use http::request::Parts;
use http::{Extensions, HeaderValue, Version};
use keyport_api::error::Error;
use keyport_api::etcdserverpb::{LeaseLeasesResponse, LeaseTimeToLiveResponse};
use prost::Message;

use crate::bulk::{LARGE, LONG};
use crate::calls::{Caller, Calls, Claims, Identified};
use crate::http::Call;
use crate::http::layers::Identify;

/// Who asks, as the stack found out.
///
/// # Errors
/// `Unidentified`, for a request that did not come through the stack.
pub(super) fn caller(extensions: &Extensions) -> Result<Caller, Error> {
    Call::get(extensions).and_then(|call| call.caller.clone()).ok_or(Error::Unidentified)
}

/// Ends when who asks is gone, which over HTTP/1.1 nothing else tells of somebody who waits.
pub(super) async fn gone(parts: &Parts) {
    let connection = Call::get(&parts.extensions).map(|call| &call.connection);
    let connection = connection.filter(|_| parts.version < Version::HTTP_2);
    poll_fn(|cx| connection.map_or(Poll::Pending, |connection| connection.poll_read_closed(cx))).await;
}

/// The value of a header, of digits and signs of ours: there always is a form.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The same of a number. `From` would take two pieces of memory for it.
pub(super) fn number(number: i64) -> HeaderValue {
    header(itoa::Buffer::new().format(number))
}

/// The bytes that base64 stands for, in either alphabet, padded or not.
pub(super) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let bare = text.get(..end).unwrap_or_default();
    let standard = base64_simd::STANDARD_NO_PAD.decode_to_vec(bare);
    standard.or_else(|_| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(bare)).ok()
}

/// Whether a text is a number as they are written here: digits alone, and no zeros in front.
pub(super) fn is_plain(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text.len() == 1 || !text.starts_with('0'))
}

/// An id as addresses have it: a number as they are written here, or hexadecimal digits behind `0x`, as `etcdctl` writes them.
pub(super) fn id(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        None if is_plain(text) => text.parse().ok(),
        _ => None,
    }
}

/// The id of a lease, which is never 0.
pub(super) fn lease_id(text: &str) -> Option<i64> {
    id(text).and_then(|id| i64::try_from(id).ok()).filter(|id| *id > 0)
}

/// Whether encoding an answer would hold up an event loop. Finding out does not: a long list is not gone through for it.
pub(super) fn is_large<T: Message + 'static>(answer: &T) -> bool {
    elements(answer) > LONG || answer.encoded_len() > LARGE
}

/// How many elements the lists of an answer have that may be long.
fn elements(answer: &dyn Any) -> usize {
    if let Some(answer) = answer.downcast_ref::<LeaseLeasesResponse>() {
        answer.leases.len()
    } else if let Some(answer) = answer.downcast_ref::<LeaseTimeToLiveResponse>() {
        answer.keys.len()
    } else {
        0
    }
}

impl Identify for Calls {
    fn identify(&self, claims: &Claims) -> Identified {
        Calls::identify(self, claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::etcdserverpb::{LeaseStatus, StatusResponse};

    #[test]
    fn long_lists_are_large_and_so_are_many_bytes() {
        for (len, large) in [(LONG, false), (LONG + 1, true)] {
            let leases = vec![LeaseStatus::default(); len];
            assert_eq!(is_large(&LeaseLeasesResponse { leases, ..LeaseLeasesResponse::default() }), large);
            let keys = vec![bytes::Bytes::new(); len];
            assert_eq!(is_large(&LeaseTimeToLiveResponse { keys, ..LeaseTimeToLiveResponse::default() }), large);
        }
        for (len, large) in [(1, false), (LARGE, true)] {
            assert_eq!(is_large(&StatusResponse { version: "v".repeat(len), ..StatusResponse::default() }), large);
        }
    }
}
