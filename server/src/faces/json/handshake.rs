//! The head of a request for a WebSocket, and what is said where it is not in order (RFC 6455, 4.2 and 4.4).

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_KEY;
use http::request::Parts;
use keyport_api::error::not_understood;

use super::refusal::Refusal;

/// How many bytes a key stands for.
const KEY_BYTES: usize = 16;

#[derive(Debug, thiserror::Error)]
#[error("`Sec-WebSocket-Key` header is not the base64 of {KEY_BYTES} bytes")]
struct MalformedKey;

/// What it takes to go on as a WebSocket.
///
/// # Errors
/// What is wrong with the head: 426 where another version might do, else 400.
pub(super) async fn read(parts: &mut Parts) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejection| match rejection {
        WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_) => Refusal::upgrade_required(rejection),
        _ => Refusal::from(not_understood(rejection)),
    })?;
    check_key(&parts.headers).map_err(|malformed| Refusal::from(not_understood(malformed)))?;
    Ok(upgrade)
}

fn check_key(headers: &HeaderMap) -> Result<(), MalformedKey> {
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(MalformedKey)?;
    match base64_simd::forgiving_decode_to_vec(key.as_bytes()) {
        Ok(bytes) if bytes.len() == KEY_BYTES => Ok(()),
        _ => Err(MalformedKey),
    }
}
