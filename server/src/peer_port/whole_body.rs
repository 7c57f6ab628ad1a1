//! The body of a call between peers, there as a whole before anything is done with the request.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;

/// Such bodies; snapshots are not read here.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long such a body may take: a peer sends it with the head.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// See the module's text. Who takes no body leaves it on the connection, whatever its size.
pub(super) struct WholeBody(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for WholeBody {
    type Rejection = (StatusCode, &'static str);

    async fn from_request(request: Request, _: &S) -> Result<WholeBody, Self::Rejection> {
        match tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), MAX_BODY_BYTES)).await {
            Ok(Ok(body)) => Ok(WholeBody(body)),
            Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "request body is too large or broken\n")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "request body takes too long\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn what_is_too_large_is_not_read_to_its_end() {
        let read = async |len: usize| {
            let request = Request::new(Body::from(vec![0; len]));
            WholeBody::from_request(request, &()).await.map(|WholeBody(body)| body.len())
        };
        assert_eq!(read(MAX_BODY_BYTES).await, Ok(MAX_BODY_BYTES));
        let (status, _) = read(MAX_BODY_BYTES + 1).await.unwrap_err();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
