//! What a request says of its caller, whatever it speaks: headers, and what stands for headers where none can be set.
//!
//! | | in this order |
//! |---|---|
//! | gRPC, gRPC-Web | `token`, `authorization` |
//! | JSON, other HTTP | `Grpc-Metadata-Token`, `Authorization` (a token, or `Basic`), `Grpc-Metadata-Authorization` |
//! | WebSocket from a page | the subprotocol after `Bearer` |
//! | `EventSource` from a page | `access_token` in the query, with `--access-token-in-query` |
//! | any page | a cookie ([`session_cookie`]) |
//!
//! gRPC without any of them goes by the name in the connection's certificate, and with `--client-cert-auth-http` all of them do.

use std::borrow::Cow;

use base64_simd::STANDARD;
use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request};
use keyport_api::routes;
use keyport_openapi::endpoints::{EventsParameter, Resource};
use percent_encoding::percent_decode_str;

use super::rare::Rare;
use super::{Call, Protocol, asks_for_websocket, session_cookie};
use crate::gate::{Claims, Login, Secret};

const HASLEADER: HeaderName = HeaderName::from_static("hasleader");
const TOKEN: HeaderName = HeaderName::from_static("token");
/// The gateway's way to send what in gRPC is metadata.
const GATEWAY_HASLEADER: HeaderName = HeaderName::from_static("grpc-metadata-hasleader");
const GATEWAY_TOKEN: HeaderName = HeaderName::from_static("grpc-metadata-token");
const GATEWAY_AUTHORIZATION: HeaderName = HeaderName::from_static("grpc-metadata-authorization");

const ACCESS_TOKEN: &str = EventsParameter::AccessToken.info().name;

/// What is taken beside what always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Whether a token may stand in the query.
    pub token_in_query: bool,
    /// Whether the name in a certificate counts over HTTP, too.
    pub certificate_names: bool,
}

/// Everything that is claimed.
pub(super) fn find<B>(request: &Request<B>, call: Option<&Call>, ways: Ways) -> Claims {
    let from = call.and_then(|call| call.connection.remote).map(|remote| remote.ip());
    let protocol = call.map_or(Protocol::Http, |call| call.protocol);
    // As in etcd, whose gateway has a certificate of its own.
    let is_named = protocol.is_grpc() || ways.certificate_names;
    let common_name = call.filter(|_| is_named).and_then(|call| call.connection.common_name().cloned());
    // Most requests claim nothing.
    let query = request.uri().query().filter(|_| ways.token_in_query);
    if !Call::may_have(call, Rare::CREDENTIALS) && query.is_none() {
        return Claims { common_name, from, ..Claims::default() };
    }
    let headers = request.headers();
    let (insists, names): (_, &[HeaderName]) = if protocol.is_grpc() {
        (&HASLEADER, &[TOKEN, AUTHORIZATION])
    } else {
        (&GATEWAY_HASLEADER, &[GATEWAY_TOKEN, AUTHORIZATION, GATEWAY_AUTHORIZATION])
    };
    let mut token = names.iter().find_map(|name| headers.get(name)?.to_str().ok()).map(Cow::Borrowed);
    if token.is_none() && !protocol.is_grpc() {
        token = of_a_page(request, call, query);
    }
    // Over gRPC it would be new to everybody, and is a token that nobody has.
    let login = if protocol.is_grpc() { None } else { token.as_deref().and_then(login) };
    let token = token.filter(|_| login.is_none());
    Claims {
        common_name,
        token: token.map(|token| Secret::new(token.strip_prefix("Bearer ").unwrap_or(&token))),
        login,
        from,
        insists_on_leader: headers.get(insists).is_some_and(|value| value == "true"),
    }
}

/// A user and his password (RFC 7617), if the credentials are that.
fn login(credentials: &str) -> Option<Login> {
    let (scheme, encoded) = credentials.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode_to_vec(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Login { user: user.into(), password: Secret::new(password) })
}

/// The token of a caller that cannot set headers.
fn of_a_page<'a, B>(request: &'a Request<B>, call: Option<&Call>, query: Option<&'a str>) -> Option<Cow<'a, str>> {
    let headers = request.headers();
    let mut token = None;
    if asks_for_websocket(request.method(), headers) {
        let mut protocols = parts(headers, &SEC_WEBSOCKET_PROTOCOL, ',');
        token = if protocols.next() == Some("Bearer") { protocols.next().map(Cow::Borrowed) } else { None };
    } else if request.method() == Method::GET {
        token = query.filter(|_| may_stream(request)).and_then(|query| parameter(query, ACCESS_TOKEN));
    }
    token.or_else(|| cookies(headers, call).next().map(Cow::Borrowed))
}

/// Whether it may be for a stream of events. All else can set a header, and its URL is not one to be handed around.
fn may_stream<B>(request: &Request<B>) -> bool {
    let resource = routes::canonical(request.uri().path()).and_then(|path| Resource::find("GET", &path));
    matches!(resource, Some(Resource::Events | Resource::Key | Resource::Keys))
}

/// The tokens in all cookies of a page, whichever of them it is known by.
pub(crate) fn of_cookies(parts: &Parts) -> impl Iterator<Item = Secret> {
    cookies(&parts.headers, Call::get(&parts.extensions)).map(Secret::new)
}

/// The first is the one that counts.
fn cookies<'a>(headers: &'a HeaderMap, call: Option<&Call>) -> impl Iterator<Item = &'a str> + use<'a> {
    session_cookie::names(call).into_iter().flat_map(move |wanted| {
        let pairs = parts(headers, &COOKIE, ';').filter_map(|cookie| cookie.split_once('='));
        pairs.filter(move |(name, _)| *name == wanted).map(|(_, token)| token)
    })
}

fn parts<'a>(headers: &'a HeaderMap, name: &HeaderName, separator: char) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(move |value| value.split(separator)).map(str::trim)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    percent_decode_str(value).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Connection;
    use super::*;
    use crate::net::Face;
    use std::sync::Arc;

    fn claims(protocol: Protocol, uri: &str, headers: &[(&str, &str)]) -> Claims {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let request = request.body(()).unwrap();
        let call = Call { protocol, ..Call::of(&request, Arc::new(Connection::in_process(Face::All))) };
        find(&request, Some(&call), Ways { token_in_query: true, certificate_names: false })
    }

    fn token(protocol: Protocol, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        claims(protocol, uri, headers).token.map(|token| token.as_str().to_owned())
    }

    #[test]
    fn a_token_is_found_wherever_it_may_stand() {
        let found = Some("t".to_owned());
        for (protocol, uri, headers) in [
            (Protocol::Grpc, "/", vec![("token", "t")]),
            (Protocol::Grpc, "/", vec![("authorization", "other"), ("token", "t")]),
            (Protocol::GrpcWeb, "/", vec![("authorization", "Bearer t")]),
            (Protocol::Json, "/", vec![("authorization", "t")]),
            (Protocol::Json, "/", vec![("grpc-metadata-token", "t")]),
            (Protocol::Json, "/", vec![("grpc-metadata-authorization", "Bearer t")]),
            (Protocol::Json, "/", vec![("upgrade", "websocket"), ("sec-websocket-protocol", "Bearer, t")]),
            (Protocol::Json, "/", vec![("upgrade", "websocket"), ("cookie", "a=b; token=t")]),
            (Protocol::Http, "/v3/watch?key=a&access_token=%74", vec![]),
            (Protocol::Http, "/v3beta/keys/a?watch&access_token=t", vec![]),
            (Protocol::Http, "/?access_token=other", vec![("authorization", "t")]),
            (
                Protocol::Http,
                "/v3/watch?access_token=t",
                vec![("upgrade", "h2c"), ("sec-websocket-protocol", "Bearer, other")],
            ),
            (Protocol::Http, "/", vec![("cookie", "token=t")]),
            (Protocol::Http, "/", vec![("cookie", "token=other; keyport=t")]),
            // Of an encrypted connection, and this is none.
            (Protocol::Http, "/", vec![("cookie", "__Host-keyport=other; keyport=t")]),
        ] {
            assert_eq!(token(protocol, uri, &headers), found, "{protocol:?} {uri} {headers:?}");
        }
        for (protocol, uri, headers) in [
            (Protocol::Grpc, "/?access_token=t", vec![("cookie", "token=t")]),
            (Protocol::Json, "/", vec![("token", "t")]),
            (Protocol::Http, "/?access_token=t", vec![]),
            (Protocol::Http, "/v3/snapshot?access_token=t", vec![]),
            (Protocol::Http, "/v3/leases?access_token=t", vec![]),
            (Protocol::Json, "/", vec![("upgrade", "websocket"), ("sec-websocket-protocol", "other, t")]),
        ] {
            assert_eq!(token(protocol, uri, &headers), None, "{protocol:?} {uri} {headers:?}");
        }
    }

    #[test]
    fn a_cookie_counts_where_it_was_given() {
        let of = |connection, cookies: &str| {
            let request = Request::get("/").header("cookie", cookies).body(()).unwrap();
            let call = Call { protocol: Protocol::Http, ..Call::of(&request, Arc::new(connection)) };
            let claims = find(&request, Some(&call), Ways::default());
            claims.token.map(|token| token.as_str().to_owned())
        };
        let (plain, encrypted) = (|| Connection::in_process(Face::All), || Connection::of_holder("alice"));
        let both = "keyport=plain; __Host-keyport=secure";
        assert_eq!(of(plain(), both).as_deref(), Some("plain"));
        assert_eq!(of(encrypted(), both).as_deref(), Some("secure"));
        assert_eq!((of(plain(), "__Host-keyport=secure"), of(encrypted(), "keyport=plain")), (None, None));
    }

    #[test]
    fn a_certificate_names_its_holder_over_grpc_and_where_it_is_asked_for() {
        let named = |protocol, certificate_names, headers: &[(&str, &str)]| {
            let request =
                headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
            let request = request.body(()).unwrap();
            let call = Call { protocol, ..Call::of(&request, Arc::new(Connection::of_holder("alice"))) };
            let claims = find(&request, Some(&call), Ways { token_in_query: false, certificate_names });
            (claims.common_name.as_deref().map(str::to_owned), claims.token.is_some() || claims.login.is_some())
        };
        let alice = Some("alice".to_owned());
        for (protocol, by_default) in [
            (Protocol::Grpc, alice.clone()),
            (Protocol::GrpcWeb, alice.clone()),
            (Protocol::Json, None),
            (Protocol::Http, None),
        ] {
            assert_eq!(named(protocol, false, &[]), (by_default, false), "{protocol:?}");
            assert_eq!(named(protocol, true, &[]), (alice.clone(), false), "{protocol:?}");
            // What is said beside it is heard, and says more.
            assert_eq!(named(protocol, true, &[("authorization", "t")]), (alice.clone(), true), "{protocol:?}");
        }
        assert_eq!(named(Protocol::Http, true, &[("authorization", "Basic YTpi")]), (alice, true));
    }

    #[test]
    fn insisting_on_a_leader_is_said_in_the_ways_of_the_protocol() {
        let insists = |protocol, name| claims(protocol, "/", &[(name, "true")]).insists_on_leader;
        assert!(insists(Protocol::Grpc, "hasleader") && insists(Protocol::Http, "grpc-metadata-hasleader"));
        assert!(!insists(Protocol::Json, "hasleader") && !insists(Protocol::Grpc, "grpc-metadata-hasleader"));
        assert!(!claims(Protocol::Grpc, "/", &[("hasleader", "yes")]).insists_on_leader);
    }
}
