//! The `etcdserverpb.KV` service.

mod range_stream;
mod snapshot_view;

use keyport_api::error::Error;
use keyport_api::etcdserverpb::kv_server::Kv;
use keyport_api::etcdserverpb::*;
use tonic::{Request, Response, Status};

use super::{caller, validate};
use crate::apply::{Command, Reply};
use crate::kv::{KvError, RangeReply, range, txn};
use crate::node::Node;
use range_stream::RangeChunks;
use snapshot_view::SnapshotView;

/// Reads and writes keys.
#[derive(Clone, Debug)]
pub struct KvService {
    node: Node,
}

impl KvService {
    pub(crate) fn new(node: Node) -> KvService {
        KvService { node }
    }

    /// What every call but a range has to pass first.
    ///
    /// # Errors
    /// `NotSupportedForLearner`, `NoLeader`.
    pub(crate) fn admit(&self, metadata: &http::HeaderMap) -> Result<(), Error> {
        caller::admit(&self.node, metadata)
    }

    /// What a range has to pass before it is read: only then is it known whether a learner may serve it.
    ///
    /// # Errors
    /// `NoLeader`.
    pub(crate) fn admit_range(&self, metadata: &http::HeaderMap) -> Result<(), Error> {
        caller::admit_to_any_member(&self.node, metadata)
    }

    /// A range whose keys are still shared with the store: the faces encode from there.
    ///
    /// # Errors
    /// As the RPC.
    pub async fn range_shared(&self, request: RangeRequest) -> Result<(ResponseHeader, RangeReply), Error> {
        if !request.serializable {
            caller::refuse_on_learner(&self.node)?;
        }
        validate::range(&request)?;
        if !request.serializable {
            self.node.read_barrier().await?;
        }
        self.node.metrics().range_total.inc();
        let reply = range::range(self.node.store(), request)?;
        Ok((self.node.header(reply.revision), reply))
    }

    /// # Errors
    /// As the RPC.
    pub async fn put(&self, request: PutRequest) -> Result<PutResponse, Error> {
        let command = Command::Put(request);
        self.node.check_quota(&command)?;
        if let Command::Put(request) = &command {
            validate::put(request)?;
        }
        match self.node.propose(command).await? {
            Reply::Put(mut response) => {
                self.node.complete(&mut response.header);
                Ok(response)
            }
            _ => Err(Error::Stopped),
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn delete_range(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse, Error> {
        validate::delete_range(&request)?;
        match self.node.propose(Command::DeleteRange(request)).await? {
            Reply::DeleteRange(mut response) => {
                self.node.complete(&mut response.header);
                Ok(response)
            }
            _ => Err(Error::Stopped),
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        let command = Command::Txn(request);
        self.node.check_quota(&command)?;
        let Command::Txn(request) = command else { return Err(Error::Stopped) };
        validate::txn(&request, self.node.limits().txn_ops)?;
        if txn::is_read_only(&request) {
            return self.read_only_txn(request).await;
        }
        match self.node.propose(Command::Txn(request)).await? {
            Reply::Txn(mut response) => {
                self.node.complete(&mut response.header);
                Ok(response)
            }
            _ => Err(Error::Stopped),
        }
    }

    /// Needs no log entry: all of it is answered at the one revision at which it began.
    async fn read_only_txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        if !txn::is_serializable(&request) {
            self.node.read_barrier().await?;
        }
        let view = SnapshotView::now(self.node.store());
        let mut response = txn::read(&view, view.revision(), request)?;
        self.node.complete(&mut response.header);
        Ok(response)
    }

    /// # Errors
    /// As the RPC.
    pub async fn compact(&self, request: CompactionRequest) -> Result<CompactionResponse, Error> {
        let physical = request.physical;
        match self.node.propose(Command::Compaction(request)).await? {
            Reply::Compaction { revision, removal } => {
                if physical {
                    removal.finished().await.map_err(|failed| KvError::from(failed))?;
                }
                Ok(CompactionResponse { header: Some(self.node.header(revision)) })
            }
            _ => Err(Error::Stopped),
        }
    }
}

#[tonic::async_trait]
impl Kv for KvService {
    type RangeStreamStream = RangeChunks;

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        self.admit_range(request.metadata().as_ref())?;
        let (header, reply) = self.range_shared(request.into_inner()).await?;
        Ok(Response::new(reply.into_message(header)))
    }

    async fn range_stream(&self, request: Request<RangeRequest>) -> Result<Response<RangeChunks>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        let request = request.into_inner();
        validate::range(&request)?;
        range_stream::check(&request)?;
        if !request.serializable {
            self.node.read_barrier().await?;
        }
        Ok(Response::new(RangeChunks::new(self.node.clone(), request)))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.put(request.into_inner()).await?))
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.delete_range(request.into_inner()).await?))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.txn(request.into_inner()).await?))
    }

    async fn compact(&self, request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        caller::admit(&self.node, request.metadata().as_ref())?;
        Ok(Response::new(self.compact(request.into_inner()).await?))
    }
}
