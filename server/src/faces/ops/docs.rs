//! `/openapi.json` (and the same for older generators) and `/docs`: the API described, and the way to the page to try it.
//!
//! The documents are part of the program. Browsers may keep them and have to ask, by the tag, whether they still hold.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, header};
use keyport_openapi::{DOCUMENT, Document, OLDER_DOCUMENT};
use keyport_web_ui::console;
use sha2::{Digest as _, Sha256};

use super::{HealthSource, Ops, forms};
use crate::config::ConsoleMode;

/// They change with the server's version only.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// A level that takes some milliseconds, once.
const ZSTD: i32 = 6;

pub(super) async fn document(headers: HeaderMap) -> Response {
    static SERVED: Served = Served::new(&DOCUMENT);
    SERVED.answer(&headers)
}

pub(super) async fn older_document(headers: HeaderMap) -> Response {
    static SERVED: Served = Served::new(&OLDER_DOCUMENT);
    SERVED.answer(&headers)
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

/// A document, and what is made of it when somebody asks for the first time.
struct Served {
    document: &'static Document,
    hash: OnceLock<String>,
    /// Packed anew: both in this form as well would be 66 KB more of the program.
    zstd: OnceLock<Vec<u8>>,
}

impl Served {
    const fn new(document: &'static Document) -> Served {
        Served { document, hash: OnceLock::new(), zstd: OnceLock::new() }
    }

    fn answer(&'static self, asked: &HeaderMap) -> Response {
        let hash = self.hash.get_or_init(|| hash(self.document));
        let bytes = |form: &str| match form {
            "zstd" => self.zstd.get_or_init(|| zstd_of(self.document)),
            "gzip" => self.document.gzip,
            _ => self.document.text().as_bytes(),
        };
        let mut response = forms::answer(asked, (hash, "application/json"), &["zstd", "gzip"], bytes);
        response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
        response
    }
}

/// Through memory alone, which does not fail.
fn zstd_of(document: &Document) -> Vec<u8> {
    let packed = zstd::encode_all(GzDecoder::new(document.gzip), ZSTD);
    packed.unwrap_or_else(|error| panic!("a document is packed wrongly: {error}"))
}

/// Of what is in a document, in digits of 16. Packing is a matter of the content alone.
fn hash(document: &Document) -> String {
    let hash = Sha256::digest(document.gzip);
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
