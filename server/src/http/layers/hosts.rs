//! Which names the server answers to: a page on another site cannot reach it by pointing its own name here.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use keyport_api::error::Problem;

use super::super::plain::text;
use super::super::rare::Rare;
use super::super::refusal::problem_document;
use super::super::{Call, Protocol};
use super::Check;
use crate::config::{AllowList, OWN};
use crate::net::Face;

/// See the module's text. gRPC goes by other names, and browsers cannot speak it; nor have they a certificate for another's
/// name, on a connection that is encrypted.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<Known>);

#[derive(Debug)]
enum Known {
    Any,
    Only {
        names: Vec<String>,
        /// Whether addresses will do, and the names that every machine has for itself: nobody else can have these.
        own: bool,
    },
}

impl Hosts {
    /// `own` are the server's own names, which count where the list says so.
    pub fn new(list: AllowList, own: impl IntoIterator<Item = String>) -> Hosts {
        Hosts(Arc::new(match list {
            AllowList::Any => Known::Any,
            AllowList::Only(mut names) => {
                let has_own = names.iter().any(|name| name == OWN);
                names.extend(own.into_iter().filter(|name| has_own && !name.is_empty()));
                Known::Only { names, own: has_own }
            }
        }))
    }

    /// Whether a request names one of them, or none at all: only HTTP/1.0 can leave it out, and no browser does.
    pub(crate) fn are_named_in<B>(&self, request: &Request<B>) -> bool {
        let host = host(request);
        host.is_empty() || self.knows(host)
    }

    /// Whether a request of a page goes to the address that means any: to some systems that is this machine, and browsers let
    /// pages of any site ask for it. Who has listed it wants it.
    fn is_anywhere<B>(&self, request: &Request<B>) -> bool {
        let Known::Only { names, .. } = &*self.0 else { return false };
        let host = host(request);
        let means_any = address(host).is_some_and(|address| address.to_canonical().is_unspecified());
        means_any && !names.iter().any(|name| name == host) && is_of_browser(request.headers())
    }

    fn knows(&self, host: &str) -> bool {
        let Known::Only { names, own } = &*self.0 else { return true };
        let host = host.strip_suffix('.').unwrap_or(host);
        let is = |name: &str| host.eq_ignore_ascii_case(name);
        let is_loopback = || is("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
        names.iter().any(|name| is(name)) || (*own && (is_loopback() || address(host).is_some()))
    }
}

impl Check for Hosts {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        let exempt = call.is_some_and(|call| {
            let connection = &call.connection;
            call.protocol == Protocol::Grpc || connection.face == Face::Metrics || connection.is_encrypted()
        });
        let is_anywhere = || Call::may_have(call, Rare::OF_PAGES) && self.is_anywhere(request);
        if exempt || (self.are_named_in(request) && !is_anywhere()) {
            return None;
        }
        let message =
            "the Host header of this request names no host of this server; --host-whitelist lists more, * is all";
        let is_resource = request.uri().path().starts_with("/v3/");
        if is_resource && call.is_some_and(|call| call.protocol == Protocol::Http) {
            return Some(problem_document(&Problem::http(StatusCode::MISDIRECTED_REQUEST, message)));
        }
        Some(text(StatusCode::MISDIRECTED_REQUEST, format!("{message}\n")))
    }
}

/// An address in the place of a name. Of one inside a link, the link is the caller's affair.
fn address(host: &str) -> Option<IpAddr> {
    host.split('%').next()?.parse().ok()
}

/// Whether a request has one of the headers that browsers add for pages.
fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == header::ORIGIN || name.as_str().starts_with("sec-fetch-"))
}

/// The host that a request names, without port and brackets.
pub(crate) fn host<B>(request: &Request<B>) -> &str {
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
    fn own_names_are_those_that_nobody_else_can_have() {
        let own = || ["etcd-0.etcd".to_owned(), String::new()];
        let hosts = Hosts::new(AllowList::Only(vec![OWN.to_owned(), "listed".to_owned()]), own());
        for known in [
            "localhost",
            "LocalHost",
            "a.localhost",
            "127.0.0.1",
            "10.1.2.3",
            "::1",
            "fe80::1%25lo",
            "etcd-0.etcd",
            "listed",
            "listed.",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for other in
            ["elsewhere", "localhost.elsewhere", "notlocalhost", "etcd-0", "own.elsewhere", "127.0.0.1.elsewhere"]
        {
            assert!(!hosts.knows(other), "{other}");
        }
        let listed = Hosts::new(AllowList::Only(vec!["listed".to_owned()]), own());
        assert!(listed.knows("listed") && !listed.knows("localhost") && !listed.knows("etcd-0.etcd"));
        assert!(Hosts::new(AllowList::Any, own()).knows("elsewhere"));
    }

    #[test]
    fn pages_do_not_go_to_any_address() {
        let own = Hosts::new(AllowList::Only(vec![OWN.to_owned()]), []);
        let listed = Hosts::new(AllowList::Only(vec![OWN.to_owned(), "0.0.0.0".to_owned()]), []);
        let status = |hosts: &Hosts, host: &str, header: &str| {
            let request = Request::builder().header("host", host).header(header, "x").body(()).unwrap();
            hosts.answer::<_, Bytes>(&request, None).map_or(200, |answer| answer.status().as_u16())
        };
        for host in ["0.0.0.0", "0.0.0.0:2379", "[::]", "[::]:2379", "[::ffff:0.0.0.0]:2379"] {
            for header in ["origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"] {
                assert_eq!(status(&own, host, header), 421, "{host} {header}");
            }
            assert_eq!(status(&own, host, "user-agent"), 200, "{host}");
            assert_eq!(status(&Hosts::new(AllowList::Any, []), host, "origin"), 200, "{host}");
        }
        assert_eq!(status(&listed, "0.0.0.0:2379", "origin"), 200);
        assert_eq!(status(&own, "127.0.0.1:2379", "origin"), 200);
    }

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
