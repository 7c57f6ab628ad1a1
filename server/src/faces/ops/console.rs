//! `/ui/`: the console, which is part of the program, and what it is told of this server before anybody has logged in.
//!
//! The page has to be asked for again each time, by its tag; what it is made of has names that change with it, and may be
//! kept for ever. It is packed when the program is built, so nothing is when it is asked for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use keyport_web_ui::console::{self, File};
use serde_json::json;

use super::{HealthSource, Ops, document, forms, no_page};
use crate::config::ConsoleMode;
use crate::version;

const ASK_AGAIN: &str = "no-cache";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Of every file: it is what it is called, and tells nobody where its reader came from.
const GUARDS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(console::POLICY)),
];

/// The page.
pub(super) async fn page<H: HealthSource>(State(ops): State<Arc<Ops<H>>>, headers: HeaderMap) -> Response {
    answer(ops.offer.console, console::PAGE, &headers)
}

/// One of the files that it is made of.
pub(super) async fn file<H: HealthSource>(
    State(ops): State<Arc<Ops<H>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(ops.offer.console, &name, &headers)
}

/// What the page may be used for, and what it talks to.
pub(super) async fn settings<H: HealthSource>(State(ops): State<Arc<Ops<H>>>) -> Response {
    let settings = json!({
        "mode": ops.offer.console.word(),
        "version": version::KEYPORT,
        "etcdserver": version::ETCD_SERVER,
    });
    ([(header::CACHE_CONTROL, "no-store")], document(&settings)).into_response()
}

fn answer(mode: ConsoleMode, name: &str, headers: &HeaderMap) -> Response {
    if mode == ConsoleMode::Off {
        return no_page("The console is switched off here (--console=off). See /docs.\n");
    }
    match console::file(name) {
        Some(file) => sent(file, headers),
        None => no_page("The console has no such file: it is another version. See /ui/.\n"),
    }
}

fn sent(file: &'static File, asked: &HeaderMap) -> Response {
    let forms: Vec<_> = file.packed.iter().map(|(form, _)| *form).collect();
    let bytes = |form: &str| {
        let packed = file.packed.iter().find(|(name, _)| *name == form);
        packed.map_or_else(|| file.plain(), |(_, bytes)| *bytes)
    };
    let mut response = forms::answer(asked, (file.hash, file.media_type), &forms, bytes);
    let for_ever = file.name != console::PAGE && !file.name.ends_with(".txt");
    let kept = if for_ever { FOR_EVER } else { ASK_AGAIN };
    response.headers_mut().extend(GUARDS);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

#[cfg(test)]
mod tests;
