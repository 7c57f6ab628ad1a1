//! Request headers to gRPC metadata, and the deadline a caller may set.
//!
//! What the services can use is passed on: `Authorization`, everything under `Grpc-Metadata-`, and where a proxy
//! says the request came from. etcd's gateway also copies two dozen ordinary headers as `grpcgateway-…` for the sake
//! of a hop over a loopback connection; there is no such hop here, and nothing reads them.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tonic::Status;
use tonic::metadata::{Ascii, AsciiMetadataKey, Binary, BinaryMetadataKey, MetadataKey, MetadataMap, MetadataValue};

const PREFIX: &str = "grpc-metadata-";

/// What the headers of a request say to the service.
#[derive(Debug, Default)]
pub(crate) struct CallHeaders {
    pub(crate) metadata: MetadataMap,
    pub(crate) timeout: Option<Duration>,
}

impl CallHeaders {
    /// One pass over the headers; a request without anything of interest allocates nothing.
    pub(crate) fn read(headers: &HeaderMap) -> Result<CallHeaders, Status> {
        let mut call = CallHeaders::default();
        for (name, value) in headers {
            match name.as_str() {
                "authorization" => call.insert("authorization", value),
                "x-forwarded-for" => call.insert("x-forwarded-for", value),
                "x-forwarded-host" => call.insert("x-forwarded-host", value),
                "grpc-timeout" => call.timeout = Some(timeout(value)?),
                name => {
                    if let Some(name) = name.strip_prefix(PREFIX) {
                        call.insert_named(name, value)?;
                    }
                }
            }
        }
        Ok(call)
    }

    /// Sets the token of a caller that cannot set headers, unless there is one already.
    pub(crate) fn set_token(&mut self, token: &str) {
        if self.metadata.contains_key("authorization") || self.metadata.contains_key("token") {
            return;
        }
        if let Ok(value) = format!("Bearer {token}").parse() {
            self.metadata.insert(MetadataKey::from_static("authorization"), value);
        }
    }

    fn insert(&mut self, name: &'static str, value: &HeaderValue) {
        if let Ok(value) = MetadataValue::<Ascii>::try_from(value.as_bytes()) {
            self.metadata.append(name, value);
        }
    }

    fn insert_named(&mut self, name: &str, value: &HeaderValue) -> Result<(), Status> {
        if name.ends_with("-bin") {
            let bytes = base64(value.as_bytes())
                .ok_or_else(|| Status::invalid_argument(format!("header Grpc-Metadata-{name} is not base64")))?;
            let Ok(key) = name.parse::<BinaryMetadataKey>() else { return Ok(()) };
            self.metadata.append_bin(key, MetadataValue::<Binary>::from_bytes(&bytes));
        } else if let Ok(key) = name.parse::<AsciiMetadataKey>()
            && let Ok(value) = MetadataValue::<Ascii>::try_from(value.as_bytes())
        {
            self.metadata.append(key, value);
        }
        Ok(())
    }
}

/// Response metadata goes back as headers under the same prefix.
pub(super) fn write_headers(metadata: &MetadataMap, headers: &mut HeaderMap) {
    for (name, value) in metadata.as_ref() {
        if let Ok(name) = http::HeaderName::try_from(format!("{PREFIX}{name}")) {
            headers.append(name, value.clone());
        }
    }
}

/// gRPC's own form: at most eight digits and a unit.
fn timeout(value: &HeaderValue) -> Result<Duration, Status> {
    let malformed = || Status::invalid_argument(format!("invalid grpc-timeout: {value:?}"));
    let text = value.to_str().map_err(|_| malformed())?;
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(malformed)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    let count: u64 = digits.parse().map_err(|_| malformed())?;
    match unit {
        "H" => Ok(Duration::from_secs(count * 3600)),
        "M" => Ok(Duration::from_secs(count * 60)),
        "S" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_millis(count)),
        "u" => Ok(Duration::from_micros(count)),
        "n" => Ok(Duration::from_nanos(count)),
        _ => Err(malformed()),
    }
}

/// Standard or URL-safe alphabet, padding optional.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let bare = text.trim_ascii_end().strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    base64_simd::STANDARD_NO_PAD.decode_to_vec(bare).or_else(|_| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(bare)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<CallHeaders, Status> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        CallHeaders::read(&headers)
    }

    #[test]
    fn headers_become_metadata_by_their_names() {
        let call = read(&[
            ("authorization", "Bearer t"),
            ("grpc-metadata-token", "t2"),
            ("grpc-metadata-hasleader", "true"),
            ("grpc-metadata-trace-bin", "AP8"),
            ("x-forwarded-for", "10.0.0.1"),
            ("token", "dropped"),
            ("content-type", "text/plain"),
        ])
        .unwrap();
        let text = |name: &str| call.metadata.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(text("authorization").as_deref(), Some("Bearer t"));
        assert_eq!(text("token").as_deref(), Some("t2"));
        assert_eq!(text("hasleader").as_deref(), Some("true"));
        assert_eq!(text("x-forwarded-for").as_deref(), Some("10.0.0.1"));
        assert_eq!(text("content-type"), None);
        assert_eq!(call.metadata.get_bin("trace-bin").unwrap().to_bytes().unwrap()[..], [0, 255]);
        assert!(read(&[("grpc-metadata-trace-bin", "!")]).is_err());
    }

    #[test]
    fn timeouts_are_read_in_every_unit_and_refused_otherwise() {
        for (text, duration) in [
            ("2H", Duration::from_secs(7200)),
            ("3M", Duration::from_secs(180)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("5m", Duration::from_millis(5)),
            ("6u", Duration::from_micros(6)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read(&[("grpc-timeout", text)]).unwrap().timeout, Some(duration), "{text}");
        }
        for text in ["", "5", "S", "-1S", "1s", "123456789S", "1.5S", "5 S"] {
            let status = read(&[("grpc-timeout", text)]).unwrap_err();
            assert!(status.message().starts_with("invalid grpc-timeout: "), "{text}: {status:?}");
        }
    }

    #[test]
    fn a_token_of_the_request_itself_wins() {
        let mut call = read(&[("authorization", "own")]).unwrap();
        call.set_token("other");
        assert_eq!(call.metadata.get("authorization").unwrap(), "own");
        let mut none = CallHeaders::default();
        none.set_token("t");
        assert_eq!(none.metadata.get("authorization").unwrap(), "Bearer t");
    }
}
