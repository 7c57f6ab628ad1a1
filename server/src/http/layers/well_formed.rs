//! What HTTP forbids and its parser lets through: a request names one host, and one that can be one, encodes its body in
//! a way that is known here, and gRPC is always a POST. Bodies that are packed are not unpacked: of a little it would make
//! much. (gRPC has a header of its own for that, and a bound on what comes of it.)

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Version};
use keyport_api::error::Error;

use super::super::rare::Rare;
use super::super::refusal::refusal_as;
use super::super::{Call, Protocol};
use super::Check;

/// See the module's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct WellFormed;

impl Check for WellFormed {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let protocol = call.map_or(Protocol::Http, |call| call.protocol);
        let (status, error) = fault(request, protocol, Call::may_have(call, Rare::TRANSFER_ENCODING))
            .or_else(|| if Call::may_have(call, Rare::HOST) { other_host(request) } else { None })
            .or_else(|| if Call::may_have(call, Rare::CONTENT_ENCODING) { packed(request, protocol) } else { None })?;
        let mut response = refusal_as(protocol, status, &error.into());
        let headers = response.headers_mut();
        match status {
            StatusCode::METHOD_NOT_ALLOWED => _ = headers.insert(ALLOW, HeaderValue::from_static("POST")),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            _ => {}
        }
        Some(response)
    }
}

/// Whoever only reads sends nothing that could be packed.
fn packed<B>(request: &Request<B>, protocol: Protocol) -> Option<(StatusCode, Error)> {
    if protocol.is_grpc() || matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let as_they_are = |value: &HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    let packed = !request.headers().get_all(CONTENT_ENCODING).iter().all(as_they_are);
    packed.then_some((StatusCode::UNSUPPORTED_MEDIA_TYPE, Error::UnknownContentEncoding))
}

/// Whether a request is to one host by its target (`:authority`, or the whole URL in HTTP/1.1), and to another by its header:
/// whoever stands between may have gone by the one that is not looked at here.
fn other_host<B>(request: &Request<B>) -> Option<(StatusCode, Error)> {
    let authority = request.uri().authority()?.as_str();
    let usual_port = if request.uri().scheme() == Some(&Scheme::HTTPS) { ":443" } else { ":80" };
    let target = authority.strip_suffix(usual_port).unwrap_or(authority).as_bytes();
    let is_same = |host: &HeaderValue| {
        let host = host.as_bytes();
        host.strip_suffix(usual_port.as_bytes()).unwrap_or(host).eq_ignore_ascii_case(target)
    };
    let is_other = !request.headers().get_all(HOST).iter().all(is_same);
    is_other.then_some((StatusCode::BAD_REQUEST, Error::DifferentHosts))
}

fn fault<B>(request: &Request<B>, protocol: Protocol, is_encoded: bool) -> Option<(StatusCode, Error)> {
    if protocol.is_grpc() && request.method() != Method::POST && request.method() != Method::OPTIONS {
        return Some((StatusCode::METHOD_NOT_ALLOWED, Error::GrpcNotPosted));
    }
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Some((StatusCode::BAD_REQUEST, Error::SeveralHosts));
    }
    if host.is_none() && request.version() == Version::HTTP_11 {
        return Some((StatusCode::BAD_REQUEST, Error::MissingHost));
    }
    if host.is_some_and(|host| !host.as_bytes().iter().all(|byte| may_be_in_host(*byte))) {
        return Some((StatusCode::BAD_REQUEST, Error::MalformedHost));
    }
    if !is_encoded {
        return None;
    }
    let mut encodings = request.headers().get_all(TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => None,
        (Some(only), None) if only.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => None,
        _ => Some((StatusCode::NOT_IMPLEMENTED, Error::UnknownTransferEncoding)),
    }
}

/// As lenient as etcd: whatever RFC 3986 has in a host of any kind, or in a port.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_a_header_name_the_same_host() {
        let answer = |version: Version, uri: &str, hosts: &[&str]| {
            let request = Request::builder().version(version).uri(uri);
            let request = hosts.iter().fold(request, |request, host| request.header(HOST, *host));
            let answer = WellFormed.answer::<_, Bytes>(&request.body(()).unwrap(), None);
            answer.map_or(200, |answer| answer.status().as_u16())
        };
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for (uri, host, status) in [
                ("http://a:80/version", "a", 200),
                ("http://a/version", "a:80", 200),
                ("https://a/version", "a:443", 200),
                ("http://a:2379/version", "A:2379", 200),
                ("http://[::1]:2379/version", "[::1]:2379", 200),
                ("/version", "a", 200),
                ("http://a/version", "b", 400),
                ("http://a/version", "", 400),
                ("http://a/version", "a:443", 400),
                ("http://a:2379/version", "a", 400),
                ("http://b@a/version", "a", 400),
            ] {
                assert_eq!(answer(version, uri, &[host]), status, "{version:?} {uri} {host}");
            }
        }
        assert_eq!(answer(Version::HTTP_2, "http://a/version", &[]), 200);
        assert_eq!(answer(Version::HTTP_2, "http://a/version", &["a", "b"]), 400);
    }
}
