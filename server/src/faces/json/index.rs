//! `GET /v3/`: which paths there are, for whoever follows the link or guesses.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Method, Response, header};
use keyport_api::routes::ROUTES;
use keyport_openapi::endpoints::Operation;
use serde_json::json;

use super::refusal::JSON;
use crate::faces::text::GatewayBody;

/// The paths of the gateway, and where they are described.
pub(in crate::faces) fn answer(method: &Method) -> Response<GatewayBody> {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        let index = json!({
            "about": "The etcd v3 API in JSON: POST a message to one of the paths. Bytes are base64.",
            "docs": Operation::Docs.info().path,
            "openapi": Operation::OpenApi.info().path,
            "paths": ROUTES.iter().map(|route| route.path).collect::<Vec<_>>(),
        });
        format!("{index:#}\n").into()
    });
    let text = if method == Method::HEAD { Bytes::new() } else { TEXT.clone() };
    let mut response = Response::new(GatewayBody::Full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().insert(header::CONTENT_LENGTH, TEXT.len().into());
    response
}
