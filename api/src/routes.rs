//! The gateway's routes, from the `google.api.http` options of the proto files: as a table ([`ROUTES`]) and as a macro
//! ([`for_each_route!`](crate::for_each_route)) that lets a server dispatch without writing one by hand.
//!
//! `for_each_route!(callback)` expands to a single call of `callback!` with all routes, ordered by path, each as
//!
//! ```text
//! (kind, "/v3/path", field, trait path, method, request type, response type)
//! ```
//!
//! where `kind` is `unary`, `server_stream`, `client_stream` or `bidi`, `field` names the service in snake case (`kv`,
//! `watch`, `lease`, `cluster`, `maintenance`, `auth`, `lock`, `election`), and `trait path::method` is the tonic
//! service trait's method. They are preceded by one bracket with whatever followed the callback's name, which is how
//! identifiers of the caller get past macro hygiene:
//!
//! ```
//! macro_rules! describe {
//!     ([$path:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
//!         match $path {
//!             $($route => Some((stringify!($kind), stringify!($field), stringify!($method))),)*
//!             _ => None,
//!         }
//!     };
//! }
//!
//! let path = "/v3/maintenance/snapshot";
//! let route = keyport_api::for_each_route!(describe, path);
//! assert_eq!(route, Some(("server_stream", "maintenance", "snapshot")));
//! ```
//!
//! To treat kinds apart, let the callback hand each route to a second macro that matches on the kind's identifier:
//! `(unary, ...) => { ... }`, `(bidi, ...) => { ... }`.

use std::borrow::Cow;

use crate::methods::Method;

/// One way into an RPC through the JSON gateway. All are POST with the whole request message as body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Path of the URL, `/v3/kv/range`.
    pub path: &'static str,
    /// Where it leads: the table of methods knows the rest, and finds a method by its route ([`Method::of_route`]).
    pub method: Method,
}

/// A path below `/v3/`, or below one of the two older prefixes, as the routes have it; none for any other.
pub fn canonical(path: &str) -> Option<Cow<'_, str>> {
    let rest = path.strip_prefix("/v3")?;
    if rest.starts_with('/') {
        return Some(Cow::Borrowed(path));
    }
    let rest = rest.strip_prefix("beta").or_else(|| rest.strip_prefix("alpha"))?;
    rest.starts_with('/').then(|| Cow::Owned(format!("/v3{rest}")))
}

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Kind;
    use crate::{etcdserverpb, v3electionpb, v3lockpb};

    #[test]
    fn older_prefixes_lead_to_the_same_routes() {
        for path in ["/v3/kv/put", "/v3beta/kv/put", "/v3alpha/kv/put"] {
            assert_eq!(canonical(path).as_deref(), Some("/v3/kv/put"));
        }
        for path in ["/v3", "/v3betakv", "/v33/kv/put", "/v2/keys", "/"] {
            assert_eq!(canonical(path), None, "{path}");
        }
    }

    #[test]
    fn the_table_is_complete_and_ordered() {
        assert_eq!(ROUTES.len(), 51);
        assert!(ROUTES.is_sorted_by(|a, b| a.path < b.path));
        for route in ROUTES {
            assert_eq!(Method::of_route(route.path), Some(route.method));
        }
    }

    #[test]
    fn streams_are_marked() {
        let kind = |path| Method::of_route(path).map(|method| method.info().kind);
        assert_eq!(kind("/v3/watch"), Some(Kind::BidiStream));
        assert_eq!(kind("/v3/lease/keepalive"), Some(Kind::BidiStream));
        assert_eq!(kind("/v3/maintenance/snapshot"), Some(Kind::ServerStream));
        assert_eq!(kind("/v3/election/observe"), Some(Kind::ServerStream));
        assert_eq!(ROUTES.iter().filter(|route| route.method.info().kind != Kind::Unary).count(), 4);
    }

    /// A dispatcher in miniature: it compiles only if traits, methods and types of every route fit together.
    #[test]
    fn the_macro_dispatches_to_the_service_traits() {
        struct Services<S>(S);

        macro_rules! call {
            (unary, $this:ident, $Service:path, $method:ident, $Request:ty, $Response:ty) => {
                let _ = async move || -> Result<$Response, tonic::Status> {
                    let request = tonic::Request::new(<$Request>::default());
                    Ok(<S as $Service>::$method(&$this.0, request).await?.into_inner())
                };
            };
            (server_stream, $this:ident, $Service:path, $method:ident, $Request:ty, $Response:ty) => {
                let _ = async move || {
                    let request = tonic::Request::new(<$Request>::default());
                    <S as $Service>::$method(&$this.0, request).await.map(|stream| stream.into_inner())
                };
            };
            (bidi, $this:ident, $Service:path, $method:ident, $Request:ty, $Response:ty) => {
                let _ = async move |requests: tonic::Request<tonic::Streaming<$Request>>| {
                    <S as $Service>::$method(&$this.0, requests).await.map(|stream| stream.into_inner())
                };
            };
        }
        macro_rules! dispatch {
            ([$this:ident, $path:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
                match $path {
                    $($route => {
                        call!($kind, $this, $Service, $method, $Request, $Response);
                        Some((stringify!($kind), stringify!($field)))
                    })*
                    _ => None,
                }
            };
        }
        impl<S> Services<S>
        where
            S: etcdserverpb::kv_server::Kv
                + etcdserverpb::watch_server::Watch
                + etcdserverpb::lease_server::Lease
                + etcdserverpb::cluster_server::Cluster
                + etcdserverpb::maintenance_server::Maintenance
                + etcdserverpb::auth_server::Auth
                + v3lockpb::lock_server::Lock
                + v3electionpb::election_server::Election,
        {
            #[allow(dead_code)]
            fn dispatch(&'static self, path: &str) -> Option<(&'static str, &'static str)> {
                for_each_route!(dispatch, self, path)
            }
        }

        macro_rules! paths {
            ([] $(($kind:ident, $route:literal, $($rest:tt)*))*) => { [$($route),*] };
        }
        let paths = for_each_route!(paths);
        assert!(paths.into_iter().eq(ROUTES.iter().map(|route| route.path)));
    }
}
