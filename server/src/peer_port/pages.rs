//! Pages in a browser, which are no members: a browser beside a member sends what any page wants sent, and the port for
//! peers asks nobody who he is. None of it is looked at.
//!
//! What a page sends to another site says where it comes from (`Origin`), and so does everything but a GET. To the page of
//! somebody who lets a name of his own lead here this is no other site, and his GETs say nothing: but they name that host.
//! A member may have been told of names that this one has not heard of yet; it says what no page can say.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ORIGIN, UPGRADE};
use http::{HeaderMap, StatusCode};
use keyport_raft::peers;

use crate::asking::paths::MEMBER_HEADER;
use crate::http::layers::{Hosts, host};
use crate::http::plain::text;
use crate::node::Node;

/// In the extensions of requests: whether their connection is encrypted. A browser has looked at the certificate then, and
/// nobody has one for the name of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encrypted(pub(super) bool);

/// Characters of a host or a path that are logged.
const MAX_TOLD: usize = 64;

/// See the module's text.
pub(super) async fn turn_away(State((node, hosts)): State<(Node, Hosts)>, request: Request, next: Next) -> Response {
    let refused = if is_of_browser(request.headers()) {
        Some((StatusCode::FORBIDDEN, "pages in a browser have no business here\n"))
    } else if !cannot_be_of_page(&request) && !hosts.are_named_in(&request) && !is_of_member(&node, host(&request)) {
        let message = "the Host header of this request names no member; --host-whitelist lists more, * is all\n";
        Some((StatusCode::MISDIRECTED_REQUEST, message))
    } else {
        None
    };
    let Some((status, message)) = refused else { return next.run(request).await };
    let short = |text: &str| text.chars().take(MAX_TOLD).collect::<String>();
    let (host, path) = (short(host(&request)), short(request.uri().path()));
    tracing::warn!(host, path, "refused a request to the port for peers that a page may have sent");
    text(status, message)
}

/// Whether it has what only browsers send: where a page is from, or what they say of a request (`Sec-Fetch-Site` and so on).
fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN)
        || headers.keys().any(|name| name.as_str().starts_with("sec-") && *name != MEMBER_HEADER)
}

/// Whether it is none that a page could send. Pages can set neither of these headers.
fn cannot_be_of_page(request: &Request) -> bool {
    let headers = request.headers();
    let is_stream = || headers.get(UPGRADE).is_some_and(|protocol| protocol == peers::STREAM_PROTOCOL);
    headers.contains_key(MEMBER_HEADER) || is_stream() || request.extensions().get().is_some_and(|Encrypted(is)| *is)
}

/// Whether a member is reached by that name, as far as is known here.
fn is_of_member(node: &Node, host: &str) -> bool {
    let members = node.state().membership.list();
    let mut urls = members.iter().flat_map(|member| &member.peer_urls);
    urls.any(|url| {
        url.parse::<http::Uri>().is_ok_and(|url| url.host().is_some_and(|own| own.eq_ignore_ascii_case(host)))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn browsers_give_themselves_away() {
        for headers in [
            &[("origin", "http://elsewhere.example")][..],
            &[("origin", "null")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-mode", "navigate")],
            &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")],
            &[("sec-keyport-member", "?1"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(is_of_browser(request(headers).headers()), "{headers:?}");
        }
        for headers in [&[][..], &[("sec-keyport-member", "?1")], &[("x-server-from", "1"), ("referer", "x")]] {
            assert!(!is_of_browser(request(headers).headers()), "{headers:?}");
        }
    }

    #[test]
    fn what_pages_cannot_set_says_that_it_is_none() {
        for headers in [&[("sec-keyport-member", "?1")], &[("upgrade", "keyport-raft/1")]] {
            assert!(cannot_be_of_page(&request(headers)), "{headers:?}");
        }
        for headers in [&[("x-server-from", "1")], &[("upgrade", "websocket")], &[("host", "keyport-raft/1")]] {
            assert!(!cannot_be_of_page(&request(headers)), "{headers:?}");
        }
        for is in [true, false] {
            let mut request = request(&[]);
            request.extensions_mut().insert(Encrypted(is));
            assert_eq!(cannot_be_of_page(&request), is);
        }
    }
}
