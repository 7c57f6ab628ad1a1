//! Short answers in plain text, that no browser may take for a page.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Such an answer.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, text.into()).into_response()
}

/// The answer to paths that nobody knows.
pub(crate) async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}
