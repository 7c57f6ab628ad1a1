//! `/`: what there is to find here.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};
use keyport_api::error::PROBLEMS;
use keyport_openapi::endpoints::{Operation, Resource};
use serde_json::json;

use super::{HealthSource, Ops, document};
use crate::config::ConsoleMode;
use crate::faces::negotiation;

/// Programs that do not say get the first.
const FORMS: [&str; 2] = ["application/json", "text/html"];

/// Links for programs; browsers are led to a page.
pub(super) async fn index<H: HealthSource>(State(ops): State<Arc<Ops<H>>>, headers: HeaderMap) -> Response {
    let has_console = ops.offer.console != ConsoleMode::Off;
    let mut response = match negotiation::best(&headers, &FORMS) {
        // From here, wherever a proxy has put this: the page finds the rest by where it is itself.
        1 if has_console => Redirect::temporary("ui/").into_response(),
        1 => Redirect::temporary("docs").into_response(),
        _ => document(&links(has_console)),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn links(has_console: bool) -> serde_json::Value {
    let mut index = json!({
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
            "members": Resource::Members.info().path,
            "users": Resource::Users.info().path,
            "roles": Resource::Roles.info().path,
            "alarms": Resource::Alarms.info().path,
            "snapshot": Resource::Snapshot.info().path,
            "problems": PROBLEMS,
            "health": Operation::Health.info().path,
            "metrics": Operation::Metrics.info().path,
            "version": Operation::Version.info().path,
        },
    });
    if has_console && let Some(links) = index.get_mut("links") {
        links["console"] = Operation::Console.info().path.into();
    }
    index
}
