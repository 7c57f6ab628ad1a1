//! `/openapi.json` (and the same for older generators) and `/docs`: the API described, and the way to the page to try it.
//!
//! The documents are part of the program. Browsers may keep them and have to ask, by the tag, whether they still hold.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keyport_web_ui::console;
use sha2::{Digest as _, Sha256};
use tower_http::compression::CompressionLayer;

use super::{HealthSource, Ops};
use crate::config::ConsoleMode;

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

/// Leads to the explorer, which is a screen of the console; says what is missing where there is none.
pub(super) async fn page<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Response {
    if ops.offer.console != ConsoleMode::Off && console::is_there() {
        // From here, wherever a proxy has put this.
        return Redirect::temporary("ui/#/explorer").into_response();
    }
    let kind = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(console::POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, REVALIDATE),
    ];
    (kind, keyport_web_ui::NO_EXPLORER).into_response()
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
