//! Keys as paths, and back.

use bytes::Bytes;
use http::{HeaderValue, Uri};
use keyport_api::routes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode, utf8_percent_encode};

use super::failure::Failure;
use crate::faces::kit;

/// Where keys begin in paths.
const KEYS: &str = "/v3/keys/";

/// What a path cannot have as it is, and what is easily taken for something else.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The same of one part of a path.
const PART: &AsciiSet = &ENCODED.add(b'/');

/// A percent sign that begins no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a percent sign in the path has no two hexadecimal digits behind it: %25 stands for the sign itself")]
pub(super) struct Malformed;

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Failure {
        Failure::Malformed(error.to_string())
    }
}

/// What follows `/v3/keys/`, whatever bytes that is.
///
/// # Errors
/// See [`behind`].
pub(super) fn key(uri: &Uri) -> Result<Bytes, Malformed> {
    behind(uri, KEYS)
}

/// What follows a part of the path, whatever bytes that is.
///
/// # Errors
/// What is encoded wrongly would be somebody else's name, or a second address of one.
pub(super) fn behind(uri: &Uri, prefix: &str) -> Result<Bytes, Malformed> {
    let path = routes::canonical(uri.path()).unwrap_or_default();
    decoded(path.strip_prefix(prefix).unwrap_or_default())
}

fn decoded(name: &str) -> Result<Bytes, Malformed> {
    if !name.contains('%') {
        return Ok(Bytes::copy_from_slice(name.as_bytes()));
    }
    let is_byte = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    if !name.split('%').skip(1).all(is_byte) {
        return Err(Malformed);
    }
    Ok(percent_decode_str(name).collect::<Vec<u8>>().into())
}

/// The parts of the path that follow one, each a text.
///
/// # Errors
/// See [`behind`]; what is no text is nobody's name.
pub(super) fn parts(uri: &Uri, prefix: &str) -> Result<Vec<String>, Failure> {
    let path = routes::canonical(uri.path()).unwrap_or_default();
    let parts = path.strip_prefix(prefix).unwrap_or_default().split('/');
    let decoded = parts.map(|part| {
        let bytes = decoded(part)?;
        String::from_utf8(bytes.into()).map_err(|_| Failure::Malformed(format!("{part} is not UTF-8")))
    });
    decoded.collect()
}

/// Where a key is found.
pub(super) fn location(key: &[u8]) -> HeaderValue {
    let is_dots = |part: &[u8]| matches!(part, b"." | b"..");
    let location = if key.split(|&byte| byte == b'/').any(is_dots) {
        // Clients leave such parts out of paths, percent-encoded or not.
        format!("{KEYS}?key_b64={}", base64_simd::URL_SAFE_NO_PAD.encode_to_string(key))
    } else {
        return place_of(KEYS, key);
    };
    kit::header(&location)
}

/// Where something with a name is found whose slashes are of the path.
pub(super) fn place_of(prefix: &str, name: &[u8]) -> HeaderValue {
    kit::header(&format!("{prefix}{}", percent_encode(name, ENCODED)))
}

/// Where something with a name is found that is one part of the path.
pub(super) fn part_of(prefix: &str, name: &str) -> HeaderValue {
    kit::header(&format!("{prefix}{}", utf8_percent_encode(name, PART)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::query::parameters;
    use proptest::prelude::*;

    #[test]
    fn slashes_stay_and_the_rest_is_readable() {
        for (bytes, path) in [
            (&b"app/db"[..], "/v3/keys/app/db"),
            (b"/registry//pods/", "/v3/keys//registry//pods/"),
            (b"a b?c#d%e", "/v3/keys/a%20b%3Fc%23d%25e"),
            (b"\0\xff", "/v3/keys/%00%FF"),
            (b"a/../b", "/v3/keys/?key_b64=YS8uLi9i"),
            (b"...", "/v3/keys/..."),
        ] {
            assert_eq!(location(bytes), path);
        }
        assert_eq!(key(&Uri::from_static("/v3beta/keys/a%2fb/c+d")).unwrap(), "a/b/c+d");
        assert_eq!(key(&Uri::from_static("/v3/keys")).unwrap(), "");
        for path in ["/v3/keys/a%zz", "/v3/keys/a%2", "/v3/keys/%", "/v3/keys/%%41"] {
            assert_eq!(key(&Uri::from_static(path)), Err(Malformed), "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_a_place(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            let uri: Uri = location(&bytes).to_str().unwrap().parse().unwrap();
            let named = uri.query().and_then(|query| parameters(query).next());
            let found = named.map_or_else(|| key(&uri).unwrap().to_vec(), |named| named.base64().unwrap());
            prop_assert_eq!(found, bytes);
        }
    }
}
