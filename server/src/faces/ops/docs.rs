//! `/openapi.json` and `/docs`: the API described, and a page to try it.

use axum::response::{IntoResponse, Response};
use http::header;

/// Both change with the server's version only: a browser may keep them, but has to ask.
const REVALIDATE: &str = "no-cache";

pub(super) async fn document() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, REVALIDATE)];
    (headers, keyport_openapi::document()).into_response()
}

pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, REVALIDATE),
        (header::CONTENT_SECURITY_POLICY, keyport_web_ui::DOCS_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, keyport_web_ui::docs_page()).into_response()
}
