//! `/`: what there is to find here.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, header};
use keyport_openapi::endpoints::{Operation, Resource};
use serde_json::json;

/// A page for browsers, the same as JSON for everything else.
pub(super) async fn index(headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return Html(PAGE).into_response();
    }
    let index = json!({
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
            "health": Operation::Health.info().path,
            "metrics": Operation::Metrics.info().path,
            "version": Operation::Version.info().path,
        },
    });
    Json(index).into_response()
}

pub(super) const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Keyport</title>\
<h1>Keyport</h1><p>This is the client port of a key-value store.</p><ul>\
<li><a href=/docs>Documentation of the API</a> (<a href=/openapi.json>OpenAPI</a>, <a href=/v3/>paths</a>)\
<li><a href=/health>Health</a>, <a href='/readyz?verbose'>readiness</a>\
<li><a href=/metrics>Metrics</a>\
<li><a href=/version>Version</a></ul></html>\n";
