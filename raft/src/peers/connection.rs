//! A connection to a peer's URL, and the request that is made on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use super::dial::{Dial, DialError, PeerStream};
use super::{LocalMember, STREAM_PATH, handshake};

/// Of a refusal's text; more is cut.
const MAX_REASON: usize = 256;
/// Of an answer's header.
const MAX_HEAD: usize = 16 << 10;

/// Why a peer could not be reached, or would not talk.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("HTTP {status}: {reason}")]
    Refused { status: StatusCode, reason: String, from_cluster: bool },
    #[error("answer is not from this member")]
    Stranger,
}

impl ConnectError {
    /// Errors of the same kind are logged once.
    pub(super) fn kind(&self) -> u16 {
        match self {
            ConnectError::Dial(DialError::Url(_)) => 1,
            ConnectError::Dial(DialError::Connect(_)) => 2,
            ConnectError::Dial(DialError::Timeout) => 3,
            ConnectError::Http(_) => 4,
            ConnectError::Stranger => 5,
            ConnectError::Refused { status, .. } => status.as_u16(),
        }
    }

    /// Nobody listens there: the host is up, and the process is not.
    pub(super) fn is_down(&self) -> bool {
        matches!(
            self,
            ConnectError::Dial(DialError::Connect(error)) if error.kind() == io::ErrorKind::ConnectionRefused
        )
    }

    /// The cluster says that this member was removed from it.
    pub(super) fn is_removed(&self) -> bool {
        matches!(self, ConnectError::Refused { status: StatusCode::GONE, from_cluster: true, .. })
    }
}

/// A connection on which a request can be made.
pub(super) struct Connection<B> {
    sender: http1::SendRequest<B>,
    /// Moves the bytes.
    _driver: AbortOnDropHandle<Result<(), hyper::Error>>,
    authority: String,
}

impl<B> Connection<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// # Errors
    /// When there is none within `patience`.
    pub(super) async fn open(dial: &dyn Dial, url: &str, patience: Duration) -> Result<Connection<B>, ConnectError> {
        let stream = dial.dial(url, patience).await?;
        let (sender, driver) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(driver.with_upgrades()));
        Ok(Connection { sender, _driver: driver, authority: authority(url).to_owned() })
    }

    /// Makes a request, introducing this member.
    pub(super) async fn request(
        &mut self,
        request: Request<B>,
        local: &LocalMember,
        to: u64,
    ) -> Result<Response<Incoming>, ConnectError> {
        let mut request = request;
        handshake::introduce(request.headers_mut(), local, to);
        if let Ok(host) = self.authority.parse() {
            request.headers_mut().insert(http::header::HOST, host);
        }
        Ok(self.sender.send_request(request).await?)
    }
}

/// Sets up a stream; what the peer has already said on it comes along.
pub(super) async fn open_stream(
    dial: &dyn Dial,
    url: &str,
    patience: Duration,
    local: &LocalMember,
    to: u64,
) -> Result<(Arc<dyn PeerStream>, Bytes), ConnectError> {
    let mut connection = Connection::open(dial, url, patience).await?;
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = http::Uri::from_static(STREAM_PATH);
    handshake::put_upgrade(request.headers_mut());
    let response = connection.request(request, local, to).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response, local).await);
    }
    if !handshake::is_from(response.headers(), local, Some(to)) || !handshake::has_upgrade(response.headers()) {
        return Err(ConnectError::Stranger);
    }
    let upgraded = hyper::upgrade::on(response).await?;
    let parts = upgraded.downcast::<TokioIo<Box<dyn PeerStream>>>().map_err(|_| ConnectError::Stranger)?;
    Ok((Arc::from(parts.io.into_inner()), parts.read_buf))
}

/// What a refusal says.
pub(super) async fn refused(response: Response<Incoming>, local: &LocalMember) -> ConnectError {
    let status = response.status();
    let from_cluster = handshake::is_from(response.headers(), local, None);
    let body = Limited::new(response.into_body(), MAX_REASON).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let reason = String::from_utf8_lossy(&body).trim().escape_debug().to_string();
    ConnectError::Refused { status, reason, from_cluster }
}

/// What a URL has between its scheme and its path: for the `Host` header.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}
