//! Which names the server answers to: a page on another site cannot reach it by pointing its own name here.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};

use super::super::plain::text;
use super::super::{Call, Protocol};
use super::Check;
use crate::config::AllowList;
use crate::net::Face;

/// See the module's text. gRPC goes by other names, and browsers cannot speak it.
#[derive(Clone, Debug)]
pub struct Hosts(pub Arc<AllowList>);

impl Check for Hosts {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let AllowList::Only(names) = &*self.0 else { return None };
        let exempt = call.is_some_and(|call| call.protocol == Protocol::Grpc || call.connection.face == Face::Metrics);
        if exempt || names.iter().any(|name| name.eq_ignore_ascii_case(host(request))) {
            return None;
        }
        let message = "the Host header of this request is not in --host-whitelist\n";
        Some(text(StatusCode::MISDIRECTED_REQUEST, message))
    }
}

/// The host that a request names, without port and brackets.
fn host<B>(request: &Request<B>) -> &str {
    let named = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|a| a.as_str())).unwrap_or_default();
    if let Some((inside, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_brackets_are_left_out() {
        for (given, host) in
            [("a", "a"), ("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("1.2.3.4:5", "1.2.3.4")]
        {
            let request = Request::builder().header("host", given).body(()).unwrap();
            assert_eq!(super::host(&request), host);
        }
        let by_uri = Request::builder().uri("http://b:80/x").body(()).unwrap();
        assert_eq!(super::host(&by_uri), "b");
    }
}
