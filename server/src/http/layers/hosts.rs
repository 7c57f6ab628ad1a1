//! Which names the server answers to: a page on another site cannot reach it by pointing its own name here.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use tower::{Layer, Service};

use super::super::refusal::text;
use super::super::{Call, Protocol};
use super::Answer;
use crate::config::AllowList;
use crate::net::Face;

/// See the module's text. gRPC goes by other names, and browsers cannot speak it.
#[derive(Clone, Debug)]
pub struct HostsLayer(pub Arc<AllowList>);

/// See [`HostsLayer`].
#[derive(Clone, Debug)]
pub struct Hosts<S> {
    inner: S,
    allowed: Arc<AllowList>,
}

impl<S> Layer<S> for HostsLayer {
    type Service = Hosts<S>;

    fn layer(&self, inner: S) -> Hosts<S> {
        Hosts { inner, allowed: Arc::clone(&self.0) }
    }
}

impl<S> Hosts<S> {
    fn allows<B>(&self, request: &Request<B>) -> bool {
        let AllowList::Only(names) = &*self.allowed else { return true };
        let exempt = Call::get(request.extensions())
            .is_some_and(|call| call.protocol == Protocol::Grpc || call.connection.face == Face::Metrics);
        exempt || names.iter().any(|name| name.eq_ignore_ascii_case(host(request)))
    }
}

impl<S, B, RB> Service<Request<B>> for Hosts<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: From<Bytes>,
{
    type Response = Response<RB>;
    type Error = S::Error;
    type Future = Answer<S::Future, Response<RB>>;

    super::ready_as_inner!();

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.allows(&request) {
            return Answer::Later { answer: self.inner.call(request) };
        }
        let message = "the Host header of this request is not in --host-whitelist\n";
        Answer::now(text(StatusCode::MISDIRECTED_REQUEST, message))
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
