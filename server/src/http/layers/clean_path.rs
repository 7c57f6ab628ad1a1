//! Paths that are written with needless parts, as by whoever joins a base URL and a path with a slash each: `//health`,
//! `/v3//kv/put`, `/./version`. As with etcd, the answer is where to go instead, method and body the same.

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Request, Response, StatusCode, Uri};
use keyport_api::routes;

use super::super::Call;
use super::Check;

/// What stands behind it is a key, every byte of it.
const KEYS: &str = "/v3/keys/";

/// See the module's text.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanPath;

impl Check for CleanPath {
    fn answer<B, RB: From<Bytes>>(&self, request: &Request<B>, call: Option<&Call>) -> Option<Response<RB>> {
        // Keys may be anything.
        if routes::canonical(request.uri().path()).is_some_and(|path| path.starts_with(KEYS)) {
            return None;
        }
        // A path that names a method is as it should be, and those of gRPC are nothing but such names.
        if call.is_some_and(|call| call.method.is_some() || call.protocol.is_grpc()) {
            return None;
        }
        let location = elsewhere(request.uri())?;
        let mut response = Response::new(RB::from(Bytes::new()));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(LOCATION, location);
        Some(response)
    }
}

/// Path and query as they should be, if they are not. Always within this server: one slash begins it.
fn elsewhere(uri: &Uri) -> Option<HeaderValue> {
    let path = uri.path();
    // Such as the asterisk of OPTIONS.
    let inside = path.strip_prefix('/')?;
    let is_needless = |part: &str| matches!(part, "" | "." | "..");
    // A slash at the end is part of the name.
    if !inside.strip_suffix('/').unwrap_or(inside).split('/').any(is_needless) || inside.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for part in inside.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let mut clean = format!("/{}", parts.join("/"));
    if path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    if let Some(query) = uri.query() {
        clean.push('?');
        clean.push_str(query);
    }
    HeaderValue::try_from(clean).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_needless_parts_are_left_out() {
        let elsewhere = |path: &str| {
            let uri = Uri::builder().path_and_query(path).build().unwrap();
            elsewhere(&uri).map(|to| to.to_str().unwrap().to_owned())
        };
        for clean in ["/", "/health", "/v3/", "/v3/kv/put", "/docs/a..b", "/.hidden", "/health?a=//b", "*"] {
            assert_eq!(elsewhere(clean), None, "{clean}");
        }
        for (given, clean) in [
            ("//", "/"),
            ("//health", "/health"),
            ("///health?exclude=NOSPACE", "/health?exclude=NOSPACE"),
            ("/v3//kv/put", "/v3/kv/put"),
            ("/v3//", "/v3/"),
            ("/./health", "/health"),
            ("/x/../health", "/health"),
            ("/../..", "/"),
            ("//other.example/x", "/other.example/x"),
        ] {
            assert_eq!(elsewhere(given).as_deref(), Some(clean), "{given}");
        }
    }
}
