//! `/`: what there is to find here.

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};
use keyport_api::error::PROBLEMS;
use keyport_openapi::endpoints::{Operation, Resource};
use serde_json::json;

use crate::faces::negotiation;

/// Programs that do not say get the first.
const FORMS: [&str; 2] = ["application/json", "text/html"];

/// Links for programs; browsers are led to a page.
pub(super) async fn index(headers: HeaderMap) -> Response {
    let mut response = match negotiation::best(&headers, &FORMS) {
        1 => Redirect::temporary(Operation::Docs.info().path).into_response(),
        _ => Json(links()).into_response(),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn links() -> serde_json::Value {
    json!({
        "name": "keyport",
        "version": crate::version::KEYPORT,
        "etcdserver": crate::version::ETCD_SERVER,
        "links": {
            "docs": Operation::Docs.info().path,
            "openapi": Operation::OpenApi.info().path,
            "gateway": Resource::Paths.info().path,
            "keys": Resource::Keys.info().path,
            "leases": Resource::Leases.info().path,
            "watch": Resource::Events.info().path,
            "problems": PROBLEMS,
            "health": Operation::Health.info().path,
            "metrics": Operation::Metrics.info().path,
            "version": Operation::Version.info().path,
        },
    })
}
