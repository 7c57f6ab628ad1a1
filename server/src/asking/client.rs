//! Calls to other members: short, bounded, over connections that are kept.

use std::time::Duration;

use bytes::Bytes;
use http::uri::InvalidUri;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::paths::{CLUSTER_ID_HEADER, MEMBER_HEADER};
use crate::config::{Url, UrlError};
use crate::net::dial::Dialler;
use crate::tls::{Outgoing, Speaks};

/// What is read of an answer; member lists and renewals are far smaller.
const MAX_ANSWER_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections kept to each peer, and how long without use.
pub(crate) const IDLE_CONNECTIONS: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks other members. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct PeerClient {
    client: Client<Dialler, Full<Bytes>>,
    /// Sent along once it is known, so that a stranger's cluster refuses.
    cluster_id: Option<u64>,
    /// Whether it is members that are asked.
    of_members: bool,
}

/// What a peer said.
#[derive(Clone, Debug)]
pub(crate) struct PeerResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerCallError {
    #[error("bad peer URL {url}: {source}")]
    Uri { url: String, source: InvalidUri },
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("cannot reach {url}: {source}")]
    Unreachable { url: String, source: hyper_util::client::legacy::Error },
    #[error("answer of {url} was cut off: {source}")]
    Cut { url: String, source: hyper::Error },
    #[error("answer of {0} is too large")]
    TooLarge(String),
    #[error("no answer from {url} within {timeout:?}")]
    Timeout { url: String, timeout: Duration },
}

impl PeerClient {
    pub(crate) fn new(tls: &Outgoing) -> PeerClient {
        PeerClient { of_members: true, ..PeerClient::dialling(tls, CONNECT_TIMEOUT) }
    }

    /// For those who are no members and may be further away: a connection has this long to be there.
    pub(crate) fn dialling(tls: &Outgoing, patience: Duration) -> PeerClient {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(Dialler { always: None, patience, tls: tls.clone() });
        PeerClient { client, cluster_id: None, of_members: false }
    }

    /// For members that do not encrypt, or by what the system knows of those who do.
    pub(crate) fn without_files() -> PeerClient {
        PeerClient::new(&Outgoing::without_files(Speaks::Http1))
    }

    /// The same for a member of this cluster.
    pub(crate) fn of_cluster(self, cluster_id: u64) -> PeerClient {
        PeerClient { cluster_id: Some(cluster_id), ..self }
    }

    /// `url` is a peer URL, `path` begins with a slash.
    ///
    /// # Errors
    /// When there is no whole answer in time. A refusal by status is an answer.
    pub(crate) async fn get(&self, url: &str, path: &str, timeout: Duration) -> Result<PeerResponse, PeerCallError> {
        self.call(Method::GET, url, path, None, timeout).await
    }

    /// As [`PeerClient::get`], with a body. (etcd gives some of its GET requests one.)
    ///
    /// # Errors
    /// As [`PeerClient::get`].
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        path: &str,
        content: (&'static str, Bytes),
        timeout: Duration,
    ) -> Result<PeerResponse, PeerCallError> {
        self.call(method, url, path, Some(content), timeout).await
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        path: &str,
        content: Option<(&'static str, Bytes)>,
        timeout: Duration,
    ) -> Result<PeerResponse, PeerCallError> {
        Url::parse(url)?;
        let uri: http::Uri =
            format!("{url}{path}").parse().map_err(|source| PeerCallError::Uri { url: url.to_owned(), source })?;
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(id) = self.cluster_id {
            request = request.header(CLUSTER_ID_HEADER, format!("{id:x}"));
        }
        if self.of_members {
            request = request.header(MEMBER_HEADER, "?1");
        }
        let body = match content {
            Some((kind, body)) => {
                request = request.header(header::CONTENT_TYPE, kind);
                Full::new(body)
            }
            None => Full::default(),
        };
        let answered = self.answer(url, request.body(body)?);
        match tokio::time::timeout(timeout, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(PeerCallError::Timeout { url: url.to_owned(), timeout }),
        }
    }

    async fn answer(&self, url: &str, request: Request<Full<Bytes>>) -> Result<PeerResponse, PeerCallError> {
        let unreachable = |source| PeerCallError::Unreachable { url: url.to_owned(), source };
        let response = self.client.request(request).await.map_err(unreachable)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| {
            match error.downcast::<hyper::Error>() {
                Ok(source) => PeerCallError::Cut { url: url.to_owned(), source: *source },
                Err(error) => {
                    debug_assert!(error.is::<LengthLimitError>());
                    PeerCallError::TooLarge(url.to_owned())
                }
            }
        })?;
        Ok(PeerResponse { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}
