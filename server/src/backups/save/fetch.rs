//! The way to a server, and what it streams.

use std::time::Duration;

use bytes::Bytes;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_api::etcdserverpb::maintenance_client::MaintenanceClient;
use keyport_api::etcdserverpb::{AuthenticateRequest, SnapshotRequest, SnapshotResponse};
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::config::{TlsSide, Url};
use crate::net::dial::Dialler;
use crate::tls::{Outgoing, Speaks, TlsError};

/// What may be on its way: a server far away is not waited for after each blob.
const WINDOW_BYTES: u32 = 4 << 20;
/// A server that says nothing is asked whether it is there, and has as long to answer.
const SILENCE: Duration = Duration::from_secs(30);

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) endpoints: Vec<Url>,
    pub(super) tls: TlsSide,
    /// Name and password.
    pub(super) user: Option<(String, String)>,
    pub(super) token: Option<String>,
    /// For a connection.
    pub(super) patience: Duration,
}

/// Why there is nothing more to come.
#[derive(Debug, thiserror::Error)]
pub(in crate::backups) enum FetchError {
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("cannot reach {url}: {}", whole(source))]
    Connect { url: Url, source: tonic::transport::Error },
    #[error("no endpoint is named")]
    NoEndpoint,
    #[error("{}", .0.message())]
    Refused(#[from] Status),
    #[error("bad token: {0}")]
    Token(#[from] InvalidMetadataValue),
    #[error("the server stopped {0} bytes before the end")]
    CutOff(u64),
}

/// What is behind an error as well, for it says more than the error itself.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Server {
    /// Begins to stream, from the first server that can be reached.
    ///
    /// # Errors
    /// When none can be, or it refuses.
    pub(super) async fn snapshot(&self) -> Result<Blobs, FetchError> {
        let channel = self.connect().await?;
        let mut token = self.token.clone();
        if let Some((name, password)) = &self.user {
            let request = AuthenticateRequest { name: name.clone(), password: password.clone() };
            match AuthClient::new(channel.clone()).authenticate(request).await {
                Ok(answer) => token = Some(answer.into_inner().token),
                // Whoever names a user does not mind a server that asks for none.
                Err(status) if status.message().contains("authentication is not enabled") => {}
                Err(status) => return Err(status.into()),
            }
        }
        let mut request = Request::new(SnapshotRequest::default());
        if let Some(token) = token {
            request.metadata_mut().insert("token", token.parse()?);
        }
        let stream = MaintenanceClient::new(channel).snapshot(request).await?.into_inner();
        Ok(Blobs { stream, left: u64::MAX })
    }

    async fn connect(&self) -> Result<Channel, FetchError> {
        let tls = Outgoing::new(self.tls.clone(), Speaks::Http2);
        tls.open()?;
        let mut last = FetchError::NoEndpoint;
        for url in &self.endpoints {
            match self.dial(url, &tls).await {
                Ok(channel) => return Ok(channel),
                Err(source) => last = FetchError::Connect { url: url.clone(), source },
            }
        }
        Err(last)
    }

    async fn dial(&self, url: &Url, tls: &Outgoing) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(url.origin())?
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(SILENCE)
            .keep_alive_timeout(SILENCE);
        let dialler = Dialler { always: Some(url.clone()), patience: self.patience, tls: tls.clone() };
        endpoint.connect_with_connector(dialler).await
    }
}

/// A copy of a database under way.
#[derive(Debug)]
pub(super) struct Blobs {
    stream: Streaming<SnapshotResponse>,
    /// As the server last said.
    left: u64,
}

impl Blobs {
    /// What follows, and how many bytes of the database then are to come; none after the last.
    ///
    /// # Errors
    /// When the server refuses, fails, or stops too early.
    pub(super) async fn next(&mut self) -> Result<Option<(Bytes, u64)>, FetchError> {
        match self.stream.message().await? {
            Some(message) => {
                self.left = message.remaining_bytes;
                Ok(Some((message.blob, message.remaining_bytes)))
            }
            None if self.left > 0 => Err(FetchError::CutOff(self.left)),
            None => Ok(None),
        }
    }
}
