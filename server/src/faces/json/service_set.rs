//! What the gateway calls: the services of a node, seen through their traits.

use std::fmt;
use std::pin::Pin;

use futures_core::Stream;
use http::Extensions;
use keyport_api::etcdserverpb::auth_server::Auth;
use keyport_api::etcdserverpb::cluster_server::Cluster;
use keyport_api::etcdserverpb::kv_server::Kv;
use keyport_api::etcdserverpb::lease_server::Lease;
use keyport_api::etcdserverpb::maintenance_server::Maintenance;
use keyport_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse, RangeRequest, WatchRequest};
use keyport_api::json::ToJson;
use keyport_api::v3electionpb::election_server::Election;
use keyport_api::v3lockpb::lock_server::Lock;
use keyport_storage::KeyRange;
use keyport_storage::watch::WatchStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

/// The requests of a streaming call, as they arrive. The end of it is the end of the request, not of the call.
pub type Requests<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
/// The answers to a streaming call. After an error nothing follows. Dropping it ends the call.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Done when a watch has to end, with the reason. A server that stops needs none: it ends its streams itself.
pub type WatchEnd = Pin<Box<dyn Future<Output = Status> + Send>>;

/// A streaming call as a service gets it.
pub struct StreamCall<T> {
    /// What the caller's headers said.
    pub metadata: MetadataMap,
    /// What the middleware found out about the caller.
    pub extensions: Extensions,
    /// What the caller says, message by message.
    pub requests: Requests<T>,
}

impl<T> fmt::Debug for StreamCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCall").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// An answer of a watch stream, whatever it is made of.
pub trait WatchAnswer: ToJson + Send + 'static {
    /// See `etcdserverpb.WatchResponse`.
    fn watch_id(&self) -> i64;
    /// See `etcdserverpb.WatchResponse`.
    fn created(&self) -> bool;
    /// See `etcdserverpb.WatchResponse`.
    fn canceled(&self) -> bool;
}

/// Every service with a JSON face. Unary and server-streaming calls go through the tonic traits; the two calls that
/// stream both ways cannot, since tonic's request stream exists only on a connection.
pub trait ServiceSet: Send + Sync + 'static {
    /// `etcdserverpb.KV`
    type Kv: Kv;
    /// What a range gives, its keys perhaps still shared with the store.
    type RangeAnswer: ToJson + Send;
    /// What a watch gives, its events perhaps shared with others.
    type WatchAnswer: WatchAnswer;
    /// `etcdserverpb.Lease`
    type Lease: Lease;
    /// `etcdserverpb.Cluster`
    type Cluster: Cluster;
    /// `etcdserverpb.Maintenance`
    type Maintenance: Maintenance;
    /// `etcdserverpb.Auth`
    type Auth: Auth;
    /// `v3lockpb.Lock`
    type Lock: Lock;
    /// `v3electionpb.Election`
    type Election: Election;

    /// Ranges and writes.
    fn kv(&self) -> &Self::Kv;
    /// `etcdserverpb.KV/Range`
    fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> impl Future<Output = Result<Response<Self::RangeAnswer>, Status>> + Send;
    /// Leases, but for [`lease_keep_alive`](ServiceSet::lease_keep_alive).
    fn lease(&self) -> &Self::Lease;
    /// Members.
    fn cluster(&self) -> &Self::Cluster;
    /// The state of the node.
    fn maintenance(&self) -> &Self::Maintenance;
    /// Users and roles.
    fn auth(&self) -> &Self::Auth;
    /// Locks.
    fn lock(&self) -> &Self::Lock;
    /// Elections.
    fn election(&self) -> &Self::Election;
    /// A stream on which nobody watches yet, for server-sent events.
    fn watch_stream(&self) -> WatchStream;
    /// The compacted revision.
    fn compacted(&self) -> i64;
    /// Whether the caller may watch these keys through [`watch_stream`](ServiceSet::watch_stream), which asks nobody;
    /// and why that has to end, once it has.
    ///
    /// # Errors
    /// What the Watch service would refuse the caller with.
    fn admit_watch(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
        ranges: &[KeyRange],
    ) -> Result<WatchEnd, Status>;
    /// `etcdserverpb.Watch/Watch`
    fn watch(&self, call: StreamCall<WatchRequest>) -> Answers<Self::WatchAnswer>;
    /// `etcdserverpb.Lease/LeaseKeepAlive`
    fn lease_keep_alive(&self, call: StreamCall<LeaseKeepAliveRequest>) -> Answers<LeaseKeepAliveResponse>;
}
