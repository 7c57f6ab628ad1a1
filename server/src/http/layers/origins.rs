//! Which pages may do something: those that this server serves, and those of the sites that `--cors` lists. A browser sends the
//! requests of any page to a server on its user's own machine, and it says whose page it is.
//!
//! Reading is left alone, for a page is not shown what it may not read; but a WebSocket is shown to whoever opens it, and a copy
//! of the database costs as much whether it is shown or not.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderName, ORIGIN};
use http::{Method, Request, Response};
use keyport_api::error::Error;
use keyport_api::routes;
use keyport_openapi::endpoints::Resource;

use super::super::rare::Rare;
use super::super::refusal::refusal;
use super::super::{Call, asks_for_websocket};
use super::{Check, protocol};
use crate::config::{AllowList, canonical_origin};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// See the module's text. What is listed is as browsers say it: in lower case, without the scheme's own port.
#[derive(Clone, Debug)]
pub struct Origins(pub Arc<AllowList>);

impl Check for Origins {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let AllowList::Only(listed) = &*self.0 else { return None };
        if !Call::may_have(call, Rare::OF_PAGES) || !acts(request) {
            return None;
        }
        let headers = request.headers();
        let may = match headers.get(ORIGIN) {
            Some(origin) => {
                let origin = canonical_origin(origin.to_str().unwrap_or_default());
                origin.is_some_and(|origin| listed.contains(&origin) || is_own(request, &origin))
            }
            None => headers.get(SEC_FETCH_SITE).is_none_or(|site| site != "cross-site" && site != "same-site"),
        };
        (!may).then(|| refusal(protocol(request), &Error::ForeignPage.into()))
    }
}

/// Whether a request may change something, costs much, or shows a page what comes of it.
fn acts<B>(request: &Request<B>) -> bool {
    let (verb, headers) = (request.method(), request.headers());
    match *verb {
        Method::OPTIONS => false,
        Method::GET | Method::HEAD => asks_for_websocket(verb, headers) || copies(request.uri().path()),
        _ => true,
    }
}

fn copies(path: &str) -> bool {
    routes::canonical(path).is_some_and(|path| path == Resource::Snapshot.info().path)
}

/// Whether the page came from where its request goes to. The scheme may be another one where a proxy stands between.
fn is_own<B>(request: &Request<B>, origin: &str) -> bool {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let (Some(host), Some((scheme, authority))) = (host, origin.split_once("://")) else { return false };
    let port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
    bare(host) == bare(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(listed: &[&str], verb: &str, headers: &[(&str, &str)]) -> bool {
        passes_at("/v3/kv/put", listed, verb, headers)
    }

    fn passes_at(path: &str, listed: &[&str], verb: &str, headers: &[(&str, &str)]) -> bool {
        let origins = Origins(Arc::new(AllowList::Only(listed.iter().map(|&origin| origin.to_owned()).collect())));
        let request = Request::builder().method(verb).uri(path).header("host", "here:2379");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        origins.answer::<_, Bytes>(&request.body(()).unwrap(), None).is_none()
    }

    #[test]
    fn only_own_and_listed_pages_act() {
        let listed = ["http://listed"];
        for headers in [
            &[][..],
            &[("origin", "http://here:2379")],
            &[("origin", "https://HERE:2379")],
            &[("origin", "http://listed:80")],
            &[("origin", "http://listed")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://here:2379"), ("sec-fetch-site", "same-site")],
        ] {
            assert!(passes(&listed, "POST", headers), "{headers:?}");
        }
        for headers in [
            &[("origin", "http://elsewhere")][..],
            &[("origin", "http://here")],
            &[("origin", "http://here:2380")],
            &[("origin", "https://listed")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "http://hü")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            for verb in ["POST", "PUT", "DELETE", "PATCH"] {
                assert!(!passes(&listed, verb, headers), "{verb} {headers:?}");
            }
            assert!(passes(&listed, "GET", headers), "{headers:?}");
            let socket = [headers, &[("upgrade", "websocket")]].concat();
            assert!(!passes(&listed, "GET", &socket), "{socket:?}");
        }
    }

    #[test]
    fn foreign_pages_have_no_copies_made() {
        for path in ["/v3/snapshot", "/v3beta/snapshot"] {
            for verb in ["GET", "HEAD"] {
                let foreign = [("sec-fetch-site", "cross-site")];
                assert!(!passes_at(path, &[], verb, &foreign), "{verb} {path}");
                assert!(passes_at(path, &[], verb, &[("sec-fetch-site", "same-origin")]), "{verb} {path}");
                assert!(passes_at(path, &[], verb, &[]), "{verb} {path}");
            }
            assert!(passes_at(path, &[], "OPTIONS", &[("origin", "http://elsewhere")]));
        }
    }

    #[test]
    fn the_usual_port_need_not_be_named() {
        let request = |host: &str| Request::builder().header("host", host).body(()).unwrap();
        for (host, origin, own) in [
            ("h", "http://h:80", true),
            ("h:80", "http://h", true),
            ("h:443", "https://h", true),
            ("h", "https://h", true),
            ("h:443", "http://h", false),
            ("[::1]:2379", "http://[::1]:2379", true),
        ] {
            assert_eq!(is_own(&request(host), origin), own, "{host} {origin}");
        }
    }
}
