//! What is known of a request: found out once, before the first layer, and carried as one extension of the request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Extensions, HeaderMap, Method as Verb, Request, Version, header};
use keyport_api::methods::Method;
use keyport_api::routes;

use super::line::Line;
use super::rare::Rare;
use super::unread::Unread;
use super::vigil::Vigil;
use crate::audit::Trail;
use crate::bulk::Lane;
use crate::gate::Caller;
use crate::net::{Face, Stream};
use crate::tls::CertificateIdentity;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `None` for unix sockets.
    pub remote: Option<SocketAddr>,
    /// What its listener is for.
    pub face: Face,
    /// Who is at its other end by his certificate; `None` without encryption.
    identity: Option<CertificateIdentity>,
    stream: Option<Stream>,
    /// For what its requests ask that is too large for an event loop.
    lane: Lane,
    /// What becomes of bodies that nobody reads.
    pub(super) unread: Arc<Unread>,
    /// How long it may keep the server waiting.
    pub(super) vigil: Arc<Vigil>,
    /// Where its requests stand when there are many at once.
    pub(super) line: Option<Arc<Line>>,
}

impl Connection {
    pub(crate) fn new(
        remote: Option<SocketAddr>,
        face: Face,
        identity: Option<CertificateIdentity>,
        stream: Stream,
        vigil: Arc<Vigil>,
        line: Option<Arc<Line>>,
    ) -> Connection {
        let (lane, unread) = (Lane::new(), Arc::default());
        Connection { remote, face, identity, stream: Some(stream), lane, unread, vigil, line }
    }

    /// One without a socket: of requests that are made in the process.
    pub fn in_process(face: Face) -> Connection {
        let (lane, unread, vigil) = (Lane::new(), Arc::default(), Arc::default());
        Connection { remote: None, face, identity: None, stream: None, lane, unread, vigil, line: None }
    }

    /// As [`Connection::in_process`], of somebody whom a certificate names.
    #[cfg(test)]
    pub(super) fn of_holder(common_name: &str) -> Connection {
        let identity = Some(CertificateIdentity { common_name: Some(common_name.into()) });
        Connection { identity, ..Connection::in_process(Face::All) }
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.identity.is_some()
    }

    /// The common name in the certificate of who is at the other end, where certificates say who somebody is.
    pub fn common_name(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()?.common_name.as_ref()
    }

    /// Whether the other side sends nothing more, or is gone. Only HTTP/1.1 has to ask, where nothing else would tell.
    pub(crate) fn poll_read_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.as_ref().map_or(Poll::Pending, |stream| stream.poll_read_closed(cx))
    }
}

/// What a request speaks, and so how it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    /// gRPC in the form that browsers can send.
    GrpcWeb,
    /// A call of the JSON gateway.
    Json,
    /// Any other HTTP.
    Http,
}

impl Protocol {
    /// Whether it is gRPC in one of its forms.
    pub fn is_grpc(self) -> bool {
        matches!(self, Protocol::Grpc | Protocol::GrpcWeb)
    }
}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Call {
    pub connection: Arc<Connection>,
    pub protocol: Protocol,
    /// The RPC that the path names, in gRPC or on the JSON gateway.
    pub method: Option<Method>,
    pub started: Instant,
    /// Which of the headers that few requests have are there.
    pub(super) rare: Rare,
    /// When the caller's patience ends.
    pub deadline: Option<Instant>,
    /// Who asks, once that is known.
    pub caller: Option<Caller>,
    /// Whether somebody is told of it as a span.
    pub(super) is_traced: bool,
    /// For its line in the audit log, where there is one.
    pub(super) trail: Option<Arc<Trail>>,
}

impl Call {
    /// What the head of a request says.
    pub fn of<B>(request: &Request<B>, connection: Arc<Connection>) -> Call {
        let path = request.uri().path();
        let rare = Rare::of(request.headers());
        let grpc = grpc_form(request);
        let method = match grpc {
            Some(_) => Method::of_path(path),
            None => routed(request, path, rare),
        };
        let protocol = grpc.unwrap_or(if method.is_some() { Protocol::Json } else { Protocol::Http });
        Call {
            connection,
            protocol,
            method,
            started: Instant::now(),
            rare,
            deadline: None,
            caller: None,
            is_traced: false,
            trail: None,
        }
    }

    /// That of a request on its way through the stack.
    pub fn get(extensions: &Extensions) -> Option<&Call> {
        extensions.get()
    }

    /// Says who asks.
    pub(super) fn identified(&mut self, caller: Caller) {
        self.caller = Some(caller.in_lane(&self.connection.lane).on_trail(self.trail.clone()));
    }

    /// Whether one of these headers may be there; if nothing is known of the request, it may.
    pub(super) fn may_have(call: Option<&Call>, header: Rare) -> bool {
        call.is_none_or(|call| call.rare.has(header))
    }

    /// The same of a request on its way through the stack.
    pub(crate) fn may_say(extensions: &Extensions, header: Rare) -> bool {
        Call::may_have(Call::get(extensions), header)
    }

    /// Whether it lasts for as long as others like.
    pub fn is_endless(&self) -> bool {
        self.method.is_some_and(|method| method.info().is_endless())
    }
}

/// By the content type, as gRPC has it: `application/grpc`, `application/grpc+proto`, `application/grpc-web`, ... What is
/// not HTTP/2 cannot be gRPC, whatever it says: a page in a browser could say so, too.
fn grpc_form<B>(request: &Request<B>) -> Option<Protocol> {
    let content_type = request.headers().get(header::CONTENT_TYPE)?;
    match content_type.as_bytes().strip_prefix(b"application/grpc")? {
        [] | [b'+' | b';', ..] => (request.version() == Version::HTTP_2).then_some(Protocol::Grpc),
        rest => rest.starts_with(b"-web").then_some(Protocol::GrpcWeb),
    }
}

/// The RPC behind a path of the gateway, for those who call it: the same path may lead elsewhere for others, such as those who
/// only want to read, or who ask what they may do.
fn routed<B>(request: &Request<B>, path: &str, rare: Rare) -> Option<Method> {
    let method = || Method::of_route(&routes::canonical(path)?);
    if *request.method() == Verb::POST {
        method()
    } else if rare.has(Rare::UPGRADE) && asks_for_websocket(request.method(), request.headers()) {
        method().filter(|method| method.info().kind.server_streams())
    } else {
        None
    }
}

/// Whether a request asks for a WebSocket. Some clients offer something else to upgrade to, and go on without it.
pub(crate) fn asks_for_websocket(verb: &Verb, headers: &HeaderMap) -> bool {
    let upgrade = || headers.get(header::UPGRADE);
    *verb == Verb::GET && upgrade().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(version: Version, verb: &str, path: &str, content_type: &str) -> (Protocol, Option<Method>) {
        let request = Request::builder().version(version).method(verb).uri(path).header("content-type", content_type);
        let connection = Arc::new(Connection::in_process(Face::All));
        let call = Call::of(&request.body(()).unwrap(), connection);
        (call.protocol, call.method)
    }

    #[test]
    fn gateway_calls_are_known_by_their_path() {
        let json = |verb, path| call(Version::HTTP_11, verb, path, "text/plain");
        assert_eq!(json("POST", "/v3/kv/put"), (Protocol::Json, Some(Method::Put)));
        assert_eq!(json("POST", "/v3beta/kv/put"), (Protocol::Json, Some(Method::Put)));
        assert_eq!(json("GET", "/v3/watch"), (Protocol::Http, None));
        for verb in ["PUT", "OPTIONS"] {
            assert_eq!(json(verb, "/v3/kv/put"), (Protocol::Http, None), "{verb} is no way to call");
        }
        assert_eq!(json("POST", "/v3/watch"), (Protocol::Json, Some(Method::Watch)));
        assert_eq!(json("POST", "/health"), (Protocol::Http, None));
    }

    #[test]
    fn a_socket_is_one_only_by_its_name_and_where_there_is_one() {
        let upgrade = |verb: &str, path: &str, to: &str| {
            let request = Request::builder().method(verb).uri(path).header("upgrade", to).body(()).unwrap();
            let call = Call::of(&request, Arc::new(Connection::in_process(Face::All)));
            (call.protocol, call.method)
        };
        for to in ["websocket", "WebSocket"] {
            assert_eq!(upgrade("GET", "/v3/watch", to), (Protocol::Json, Some(Method::Watch)));
            assert_eq!(upgrade("HEAD", "/v3/watch", to), (Protocol::Http, None));
            assert_eq!(upgrade("GET", "/v3/kv/put", to), (Protocol::Http, None));
            assert_eq!(upgrade("POST", "/v3/kv/put", to), (Protocol::Json, Some(Method::Put)));
        }
        for path in ["/v3/watch", "/v3/kv/put"] {
            assert_eq!(upgrade("GET", path, "h2c"), (Protocol::Http, None));
        }
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        let range = "/etcdserverpb.KV/Range";
        for (text, protocol) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("application/grpc;x=y", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web-text+proto", Protocol::GrpcWeb),
            ("application/grpcx", Protocol::Http),
            ("application/json", Protocol::Http),
        ] {
            assert_eq!(call(Version::HTTP_2, "POST", range, text).0, protocol, "{text}");
        }
        assert_eq!(call(Version::HTTP_2, "POST", range, "application/grpc").1, Some(Method::Range));
        let claimed = call(Version::HTTP_11, "POST", "/v3/kv/put", "application/grpc");
        assert_eq!(claimed, (Protocol::Json, Some(Method::Put)), "what cannot be gRPC is none");
    }
}
