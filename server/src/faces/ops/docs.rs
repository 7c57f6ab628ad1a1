//! `/openapi.json` (and the same for older generators) and `/docs`: the API described, and the way to the page to try it.
//!
//! The documents are part of the program. Browsers may keep them and have to ask, by the tag, whether they still hold.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, header};
use keyport_openapi::{DOCUMENT, Document, OLDER_DOCUMENT};
use keyport_web_ui::console;
use sha2::{Digest as _, Sha256};

use super::{HealthSource, Ops, forms};
use crate::config::ConsoleMode;

/// They change with the server's version only.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

pub(super) async fn document(headers: HeaderMap) -> Response {
    static HASH: LazyLock<String> = LazyLock::new(|| hash(&DOCUMENT));
    sent(&DOCUMENT, &HASH, &headers)
}

pub(super) async fn older_document(headers: HeaderMap) -> Response {
    static HASH: LazyLock<String> = LazyLock::new(|| hash(&OLDER_DOCUMENT));
    sent(&OLDER_DOCUMENT, &HASH, &headers)
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

/// Of what is in a document, in digits of 16. Packing is a matter of the content alone.
fn hash(document: &Document) -> String {
    let hash = Sha256::digest(document.gzip);
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn sent(document: &'static Document, hash: &str, asked: &HeaderMap) -> Response {
    let plain = || document.text().as_bytes();
    let mut response = forms::answer(asked, (hash, "application/json"), &[("gzip", document.gzip)], plain);
    response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
    response
}
