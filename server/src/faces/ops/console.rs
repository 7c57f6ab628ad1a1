//! `/ui/`: the console, which is part of the program, and what it is told of this server before anybody has logged in.
//!
//! The page has to be asked for again each time, by its tag; what it is made of has names that change with it, and may be
//! kept for ever. It is packed when the program is built, so nothing is when it is asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keyport_web_ui::console::{self, File};
use serde_json::json;

use super::{HealthSource, Ops, no_page};
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
    ([(header::CACHE_CONTROL, "no-store")], Json(settings)).into_response()
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

/// A file in the best of the forms that are taken, or that what the browser has still holds.
fn sent(file: &'static File, headers: &HeaderMap) -> Response {
    let (form, bytes) = form(file, headers);
    let tag = format!("\"{}{}{form}\"", file.hash, if form.is_empty() { "" } else { "-" });
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.media_type)], bytes).into_response()
    };
    let for_ever = file.name != console::PAGE && !file.name.ends_with(".txt");
    let kept = if for_ever { FOR_EVER } else { ASK_AGAIN };
    let told = response.headers_mut();
    told.extend(GUARDS);
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    told.insert(header::VARY, header::ACCEPT_ENCODING.into());
    told.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    if !form.is_empty() && !is_known {
        told.insert(header::CONTENT_ENCODING, HeaderValue::from_static(form));
    }
    response
}

/// The name of the form, empty for the plain one, and its bytes.
fn form(file: &'static File, headers: &HeaderMap) -> (&'static str, &'static [u8]) {
    let packed = [("br", file.brotli), ("gzip", file.gzip)];
    let best = packed.into_iter().find_map(|(name, bytes)| takes(headers, name).then_some((name, bytes?)));
    best.unwrap_or(("", file.plain))
}

/// Whether the browser takes an encoding: it says so, and not with a quality of zero.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let (name, quality) = entry.split_once(';').unwrap_or((entry, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && quality.is_none_or(|quality| quality > 0.0)
    })
}

/// Whether a list of tags has one; weak or not is the same to it.
fn names(list: &HeaderValue, tag: &str) -> bool {
    let mut tags = list.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests;
