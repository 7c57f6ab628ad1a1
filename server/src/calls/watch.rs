//! The `etcdserverpb.Watch` service: one subscription to the hub, in whatever encoding its face wants.

mod reply;
mod session;

use keyport_api::etcdserverpb::watch_server::Watch;
use keyport_api::etcdserverpb::{WatchRequest, WatchResponse};
use keyport_storage::watch::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::caller::StreamEnd;
use crate::node::Node;
pub use reply::WatchReply;
pub use session::WatchSession;

/// Watches keys.
#[derive(Clone, Debug)]
pub struct WatchService {
    node: Node,
}

impl WatchService {
    pub(crate) fn new(node: Node) -> WatchService {
        WatchService { node }
    }

    /// A stream on which nobody watches yet.
    pub(crate) fn stream(&self) -> WatchStream {
        self.node.state().hub.stream()
    }

    /// The compacted revision.
    pub(crate) fn compacted(&self) -> i64 {
        self.node.store().compacted()
    }

    /// Whether a caller may watch keys without [`WatchService::serve`], and until when.
    ///
    /// # Errors
    /// `NoLeader`, for a caller that insists on one.
    pub(crate) fn admit(&self, metadata: &MetadataMap) -> Result<StreamEnd, Status> {
        Ok(StreamEnd::admit(&self.node, metadata.as_ref())?)
    }

    /// Serves one stream of watch requests. The end of `requests` does not end it; dropping the session does.
    ///
    /// # Errors
    /// `NoLeader`, for a caller that insists on one.
    pub fn serve<S>(&self, metadata: &MetadataMap, requests: S) -> Result<WatchSession<S>, Status>
    where
        S: Stream<Item = Result<WatchRequest, Status>> + Send + Unpin + 'static,
    {
        let end = StreamEnd::admit(&self.node, metadata.as_ref())?;
        Ok(WatchSession::new(self.node.clone(), requests, end))
    }
}

#[tonic::async_trait]
impl Watch for WatchService {
    type WatchStream = std::pin::Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let (metadata, _, requests) = request.into_parts();
        let session = self.serve(&metadata, requests)?;
        Ok(Response::new(Box::pin(session.map(|reply| reply.map(WatchReply::into_message)))))
    }
}
