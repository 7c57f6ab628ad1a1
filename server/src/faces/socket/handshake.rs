//! The head of a request for a WebSocket, and what is said where it is not in order (RFC 6455, 4.2 and 4.4).

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
/// How many bytes a key stands for.
const KEY_BYTES: usize = 16;

/// What is wrong with such a head.
#[derive(Debug, thiserror::Error)]
pub(in crate::faces) enum Failed {
    /// Another version might do.
    #[error("{0}")]
    OtherVersion(String),
    #[error("{0}")]
    Malformed(String),
    #[error("`Sec-WebSocket-Key` header is not the base64 of {KEY_BYTES} bytes")]
    MalformedKey,
}

/// What it takes to go on as a WebSocket.
///
/// # Errors
/// What is wrong with the head.
pub(in crate::faces) async fn read(parts: &mut Parts) -> Result<WebSocketUpgrade, Failed> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejection| match rejection {
        WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_) => Failed::OtherVersion(rejection.to_string()),
        _ => Failed::Malformed(rejection.to_string()),
    })?;
    check_key(&parts.headers)?;
    Ok(upgrade)
}

/// Says in an answer which version there is.
pub(in crate::faces) fn name_version(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
}

fn check_key(headers: &HeaderMap) -> Result<(), Failed> {
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(Failed::MalformedKey)?;
    match base64_simd::forgiving_decode_to_vec(key.as_bytes()) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(()),
        _ => Err(Failed::MalformedKey),
    }
}
