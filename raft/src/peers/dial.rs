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
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::url::{PeerUrl, UrlError};
use super::{LocalMember, STREAM_PATH, handshake};

/// Of a refusal's text; more is cut.
const MAX_REASON: usize = 256;
/// Of an answer's header.
const MAX_HEAD: usize = 16 << 10;
/// A connection that says nothing is probed after this, and again after this; three times.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Why a peer could not be reached, or would not talk.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("{0}")]
    Connect(#[from] io::Error),
    #[error("timed out")]
    Timeout,
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("HTTP {status}: {reason}")]
    Refused { status: StatusCode, reason: String, from_cluster: bool },
    #[error("answer is not from this member")]
    Stranger,
}

impl DialError {
    /// Errors of the same kind are logged once.
    pub(super) fn kind(&self) -> u16 {
        match self {
            DialError::Url(_) => 1,
            DialError::Connect(_) => 2,
            DialError::Timeout => 3,
            DialError::Http(_) => 4,
            DialError::Stranger => 5,
            DialError::Refused { status, .. } => status.as_u16(),
        }
    }

    /// Nobody listens there: the host is up, and the process is not.
    pub(super) fn is_down(&self) -> bool {
        matches!(self, DialError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// The cluster says that this member was removed from it.
    pub(super) fn is_removed(&self) -> bool {
        matches!(self, DialError::Refused { status: StatusCode::GONE, from_cluster: true, .. })
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
    pub(super) async fn open(url: &str) -> Result<Connection<B>, DialError> {
        let url = PeerUrl::parse(url)?;
        let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(3);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let (sender, driver) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(driver.with_upgrades()));
        Ok(Connection { sender, _driver: driver, authority: url.authority })
    }

    /// Makes a request, introducing this member.
    pub(super) async fn request(
        &mut self,
        request: Request<B>,
        local: &LocalMember,
        to: u64,
    ) -> Result<Response<Incoming>, DialError> {
        let mut request = request;
        handshake::introduce(request.headers_mut(), local, to);
        if let Ok(host) = self.authority.parse() {
            request.headers_mut().insert(http::header::HOST, host);
        }
        Ok(self.sender.send_request(request).await?)
    }
}

/// Sets up a stream; what the peer has already said on it comes along.
pub(super) async fn open_stream(url: &str, local: &LocalMember, to: u64) -> Result<(Arc<TcpStream>, Bytes), DialError> {
    let mut connection = Connection::open(url).await?;
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = http::Uri::from_static(STREAM_PATH);
    handshake::put_upgrade(request.headers_mut());
    let response = connection.request(request, local, to).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response, local).await);
    }
    if !handshake::is_from(response.headers(), local, Some(to)) || !handshake::has_upgrade(response.headers()) {
        return Err(DialError::Stranger);
    }
    let upgraded = hyper::upgrade::on(response).await?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| DialError::Stranger)?;
    Ok((Arc::new(parts.io.into_inner()), parts.read_buf))
}

/// What a refusal says.
pub(super) async fn refused(response: Response<Incoming>, local: &LocalMember) -> DialError {
    let status = response.status();
    let from_cluster = handshake::is_from(response.headers(), local, None);
    let body = Limited::new(response.into_body(), MAX_REASON).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let reason = String::from_utf8_lossy(&body).trim().escape_debug().to_string();
    DialError::Refused { status, reason, from_cluster }
}
