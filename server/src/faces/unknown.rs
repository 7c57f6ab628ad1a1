//! A path below `/v3/` that is nobody's, asked for as resources are: which one may be meant.

use http::{Response, StatusCode};
use keyport_api::routes::ROUTES;
use keyport_openapi::endpoints::{Operation, Resource};
use tonic::Code;

use super::problem;
use super::text::GatewayBody;
use crate::config::nearest;

const BELOW: &str = "/v3/";

pub(super) fn answer(path: &str) -> Response<GatewayBody> {
    let docs = Operation::Docs.info().path;
    let there_is = format!("GET {BELOW} lists the calls, {docs} describes everything");
    let detail = match meant(path) {
        Some(meant) => format!("there is no such path; did you mean {meant}? {there_is}"),
        None => format!("there is no such path: {there_is}"),
    };
    let mut response = problem::of_http(StatusCode::NOT_FOUND, detail);
    response.extensions_mut().insert(Code::NotFound);
    response
}

/// The path of a call that is spelt nearly so, or the kind of things whose name is.
fn meant(path: &str) -> Option<&'static str> {
    let calls = || ROUTES.iter().map(|route| route.path);
    let heads = || Resource::ALL.iter().filter_map(|resource| head(resource.info().path));
    if let Some(call) = nearest(path, calls()) {
        return Some(call);
    }
    nearest(head(path)?, heads()).and_then(|name| {
        let is_of_it = |row: &&'static str| head(row) == Some(name);
        let mut rows = Resource::ALL.iter().map(|resource| resource.info().path);
        // The shortest comes first in the table, or is the only one.
        rows.clone().filter(is_of_it).find(|row| !row.contains('{')).or_else(|| rows.find(|row| is_of_it(row)))
    })
}

/// The first part behind `/v3/`.
fn head(path: &str) -> Option<&str> {
    path.strip_prefix(BELOW)?.split('/').next().filter(|head| !head.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        for (path, guess) in [
            ("/v3/kyes/app/db", Some("/v3/keys")),
            ("/v3/key", Some("/v3/keys")),
            ("/v3/lock/nightly", Some("/v3/locks/{lock}")),
            ("/v3/election", Some("/v3/elections/{election}")),
            ("/v3/transaction", Some("/v3/transactions")),
            ("/v3/leases/7/x", Some("/v3/leases")),
            ("/v3/kv/rang", Some("/v3/kv/range")),
            ("/v3/lease/grand", Some("/v3/lease/grant")),
            ("/v3/nothing-of-ours", None),
            ("/v3/", None),
            ("/elsewhere", None),
        ] {
            assert_eq!(meant(path), guess, "{path}");
        }
    }
}
