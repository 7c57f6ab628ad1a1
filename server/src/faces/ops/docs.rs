//! `/openapi.json` (and the same for older generators) and `/docs`: the API described, and a page to try it, with a script and a style sheet of its own.
//!
//! All are part of the program. Browsers may keep them and have to ask, by the tag, whether they still hold.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tower_http::compression::CompressionLayer;

/// They change with the server's version only.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// What the tag of the compressed form has more, within its quotes: a strong tag stands for bytes as they are sent.
const GZIP: &str = "-gzip\"";

/// Has answers compressed, each form with a tag of its own.
pub(super) fn tagged<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.layer(CompressionLayer::new().gzip(true)).layer(axum::middleware::map_response(tag_as_sent))
}

pub(super) async fn document(headers: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| tag(keyport_openapi::document()));
    let kind = [(header::CONTENT_TYPE, "application/json")];
    unless_known(&headers, &TAG, || (kind, keyport_openapi::document()).into_response())
}

pub(super) async fn older_document(headers: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| tag(keyport_openapi::older_document()));
    let kind = [(header::CONTENT_TYPE, "application/json")];
    unless_known(&headers, &TAG, || (kind, keyport_openapi::older_document()).into_response())
}

pub(super) async fn page(headers: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| tag(keyport_web_ui::DOCS_PAGE));
    let kind = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, keyport_web_ui::DOCS_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    unless_known(&headers, &TAG, || (kind, keyport_web_ui::DOCS_PAGE).into_response())
}

pub(super) async fn script(headers: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| tag(keyport_web_ui::DOCS_SCRIPT));
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    unless_known(&headers, &TAG, || (kind, keyport_web_ui::DOCS_SCRIPT).into_response())
}

pub(super) async fn style(headers: HeaderMap) -> Response {
    static TAG: LazyLock<String> = LazyLock::new(|| tag(keyport_web_ui::DOCS_STYLE));
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    unless_known(&headers, &TAG, || (kind, keyport_web_ui::DOCS_STYLE).into_response())
}

/// A quoted tag of the content.
fn tag(content: &str) -> String {
    let hash = Sha256::digest(content);
    let start: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{start}\"")
}

/// The whole answer, or that what the client has still holds.
fn unless_known(headers: &HeaderMap, tag: &str, whole: impl FnOnce() -> Response) -> Response {
    let known = held(headers, tag);
    let mut response = if known.is_some() { StatusCode::NOT_MODIFIED.into_response() } else { whole() };
    let tag = HeaderValue::from_str(known.as_deref().unwrap_or(tag));
    let headers = response.headers_mut();
    headers.extend(tag.ok().map(|tag| (header::ETAG, tag)));
    headers.insert(header::CACHE_CONTROL, REVALIDATE);
    headers.insert(header::VARY, header::ACCEPT_ENCODING.into());
    response
}

/// The form of `tag` that `If-None-Match` names. Weak or not makes no difference to that header.
fn held(headers: &HeaderMap, tag: &str) -> Option<String> {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let gzip = with_gzip(tag)?;
    named.flat_map(|list| list.split(',')).map(str::trim).find_map(|known| {
        let known = known.strip_prefix("W/").unwrap_or(known);
        if known == "*" { Some(tag.to_owned()) } else { (known == tag || known == gzip).then(|| known.to_owned()) }
    })
}

fn with_gzip(tag: &str) -> Option<String> {
    Some(format!("{}{GZIP}", tag.strip_suffix('"')?))
}

/// Gives an answer that has been compressed the tag of that form.
async fn tag_as_sent(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get(header::ETAG).and_then(|tag| with_gzip(tag.to_str().ok()?))
        && let Ok(tag) = HeaderValue::try_from(tag)
    {
        headers.insert(header::ETAG, tag);
    }
    response
}
