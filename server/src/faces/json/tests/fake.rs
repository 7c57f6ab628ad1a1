//! Services that answer what a test wants, and a server on loopback with nothing but the gateway in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Extensions;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::auth_server::Auth;
use keyport_api::etcdserverpb::cluster_server::Cluster;
use keyport_api::etcdserverpb::kv_server::Kv;
use keyport_api::etcdserverpb::lease_server::Lease;
use keyport_api::etcdserverpb::maintenance_server::Maintenance;
use keyport_api::etcdserverpb::watch_request::RequestUnion;
use keyport_api::etcdserverpb::*;
use keyport_api::mvccpb::{Event, KeyValue, event::EventType};
use keyport_api::v3electionpb::election_server::Election;
use keyport_api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse, ResignRequest,
    ResignResponse,
};
use keyport_api::v3lockpb::lock_server::Lock;
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use keyport_storage::KeyRange;
use keyport_storage::watch::WatchStream;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::world::World;
use crate::faces::json::{Answers, GatewayOptions, GatewayService, ServiceSet, StreamCall, WatchAnswer, WatchEnd};

/// Answers by the key of the request; see each method.
#[derive(Clone)]
pub(crate) struct Fake {
    /// Feeds every watcher: an event of this revision.
    pub(super) events: broadcast::Sender<i64>,
    /// Watch streams that are open.
    pub(super) watching: Arc<AtomicUsize>,
    /// Answers ranges, if it is there, and watches of the SSE kind.
    world: Option<Arc<World>>,
}

pub(super) fn header(revision: i64) -> ResponseHeader {
    ResponseHeader { cluster_id: u64::MAX, member_id: 2, revision, raft_term: 3 }
}

fn kv(key: impl Into<Bytes>, value: impl Into<Bytes>) -> KeyValue {
    KeyValue { key: key.into(), value: value.into(), create_revision: 2, mod_revision: 7, version: 3, lease: 0 }
}

impl Fake {
    pub(super) fn new() -> Fake {
        Fake { events: broadcast::channel(64).0, watching: Arc::default(), world: None }
    }

    pub(crate) fn with(world: &Arc<World>) -> Fake {
        Fake { world: Some(Arc::clone(world)), ..Fake::new() }
    }

    /// Serves until the test's runtime goes.
    pub(crate) async fn serve(&self, options: GatewayOptions) -> SocketAddr {
        let gateway = GatewayService::new(self.clone(), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let service = TowerToHyperService::new(gateway.clone());
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
                });
            }
        });
        address
    }
}

/// What a call's metadata said, as text.
fn told(metadata: &MetadataMap) -> String {
    let mut told: Vec<String> =
        metadata.as_ref().iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap_or("?"))).collect();
    told.sort();
    told.join(";")
}

#[tonic::async_trait]
impl Kv for Fake {
    /// `metadata` shows the call's metadata, `slow` never answers, a key that is an error's text gives that error.
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        if let Some(world) = &self.world {
            return world.range(request.into_inner()).map(Response::new);
        }
        let text = String::from_utf8_lossy(&request.get_ref().key).into_owned();
        if let Some(error) = Error::from_message(&text) {
            return Err(error.into());
        }
        let response = |kvs: Vec<KeyValue>| {
            let count = i64::try_from(kvs.len()).unwrap();
            Ok(Response::new(RangeResponse { header: Some(header(9)), kvs, more: false, count }))
        };
        match &*text {
            "metadata" => response(vec![kv("metadata", told(request.metadata()))]),
            "slow" => std::future::pending().await,
            "none" => response(Vec::new()),
            "large" => response((0..40_000).map(|i| kv(format!("{i:08}"), vec![0xAB; 128])).collect()),
            _ => response(vec![kv(request.into_inner().key, &b"value"[..])]),
        }
    }

    type RangeStreamStream = Answers<RangeStreamResponse>;
    async fn range_stream(&self, _: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(Status::unimplemented("unused"))
    }

    /// Shows what was understood.
    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let PutRequest { key, value, lease, prev_kv, .. } = request.into_inner();
        let prev_kv = prev_kv.then(|| KeyValue { lease, ..kv(key, value) });
        let mut response = Response::new(PutResponse { header: Some(header(10)), prev_kv });
        response.metadata_mut().insert("seen", "yes".parse().unwrap());
        Ok(response)
    }

    async fn delete_range(&self, _: Request<DeleteRangeRequest>) -> Result<Response<DeleteRangeResponse>, Status> {
        Ok(Response::new(DeleteRangeResponse { header: Some(header(11)), deleted: 0, prev_kvs: Vec::new() }))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        use response_op::Response as Op;
        let request = request.into_inner();
        let put = ResponseOp { response: Some(Op::ResponsePut(PutResponse::default())) };
        let responses = vec![put; request.success.len()];
        Ok(Response::new(TxnResponse { header: Some(header(12)), succeeded: !request.compare.is_empty(), responses }))
    }

    async fn compact(&self, _: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        Ok(Response::new(CompactionResponse { header: Some(header(13)) }))
    }
}

#[tonic::async_trait]
impl Maintenance for Fake {
    type SnapshotStream = Answers<SnapshotResponse>;

    /// Two blobs, then an error.
    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let blob = |remaining_bytes, blob: &'static [u8]| {
            Ok(SnapshotResponse { remaining_bytes, blob: Bytes::from_static(blob), ..Default::default() })
        };
        let parts = vec![blob(3, b"abc"), blob(0, b"def"), Err(Status::data_loss("the disk is gone"))];
        Ok(Response::new(Box::pin(stream::iter(parts))))
    }

    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let AlarmRequest { member_id, alarm, .. } = request.into_inner();
        Ok(Response::new(AlarmResponse { header: Some(header(1)), alarms: vec![AlarmMember { member_id, alarm }] }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let status = StatusResponse {
            header: Some(header(1)),
            version: "3.7.1".into(),
            db_size: 4096,
            leader: 2,
            errors: vec!["NOSPACE".into()],
            downgrade_info: Some(DowngradeInfo::default()),
            ..Default::default()
        };
        Ok(Response::new(status))
    }

    async fn hash(&self, _: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        Ok(Response::new(HashResponse { header: Some(header(1)), hash: u32::MAX }))
    }

    async fn defragment(&self, _: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        Ok(Response::new(DefragmentResponse::default()))
    }

    async fn hash_kv(&self, _: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        Err(Error::FutureRev.into())
    }

    async fn move_leader(&self, _: Request<MoveLeaderRequest>) -> Result<Response<MoveLeaderResponse>, Status> {
        Err(Error::NotLeader.into())
    }

    async fn downgrade(&self, _: Request<DowngradeRequest>) -> Result<Response<DowngradeResponse>, Status> {
        Err(Status::unimplemented("later"))
    }
}

/// A whole service that says UNIMPLEMENTED, but for what is given in full.
macro_rules! stub {
    ($Service:ident { $($method:ident: $Request:ty => $Response:ty,)* } $($rest:tt)*) => {
        #[tonic::async_trait]
        impl $Service for Fake {
            $(async fn $method(&self, _: Request<$Request>) -> Result<Response<$Response>, Status> {
                Err(Status::unimplemented(stringify!($method)))
            })*
            $($rest)*
        }
    };
}

stub!(Cluster {
    member_add: MemberAddRequest => MemberAddResponse,
    member_remove: MemberRemoveRequest => MemberRemoveResponse,
    member_update: MemberUpdateRequest => MemberUpdateResponse,
    member_promote: MemberPromoteRequest => MemberPromoteResponse,
}
    async fn member_list(&self, _: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        let member = Member { id: 2, name: "m".into(), client_ur_ls: vec!["http://h:1".into()], ..Default::default() };
        Ok(Response::new(MemberListResponse { header: Some(header(0)), members: vec![member] }))
    }
);

stub!(Auth {
    auth_enable: AuthEnableRequest => AuthEnableResponse,
    auth_disable: AuthDisableRequest => AuthDisableResponse,
    auth_status: AuthStatusRequest => AuthStatusResponse,
    authenticate: AuthenticateRequest => AuthenticateResponse,
    user_add: AuthUserAddRequest => AuthUserAddResponse,
    user_get: AuthUserGetRequest => AuthUserGetResponse,
    user_list: AuthUserListRequest => AuthUserListResponse,
    user_delete: AuthUserDeleteRequest => AuthUserDeleteResponse,
    user_change_password: AuthUserChangePasswordRequest => AuthUserChangePasswordResponse,
    user_grant_role: AuthUserGrantRoleRequest => AuthUserGrantRoleResponse,
    user_revoke_role: AuthUserRevokeRoleRequest => AuthUserRevokeRoleResponse,
    role_add: AuthRoleAddRequest => AuthRoleAddResponse,
    role_get: AuthRoleGetRequest => AuthRoleGetResponse,
    role_list: AuthRoleListRequest => AuthRoleListResponse,
    role_delete: AuthRoleDeleteRequest => AuthRoleDeleteResponse,
    role_grant_permission: AuthRoleGrantPermissionRequest => AuthRoleGrantPermissionResponse,
    role_revoke_permission: AuthRoleRevokePermissionRequest => AuthRoleRevokePermissionResponse,
});

stub!(Lock {
    lock: LockRequest => LockResponse,
    unlock: UnlockRequest => UnlockResponse,
});

stub!(Election {
    campaign: CampaignRequest => CampaignResponse,
    proclaim: ProclaimRequest => ProclaimResponse,
    leader: LeaderRequest => LeaderResponse,
    resign: ResignRequest => ResignResponse,
}
    type ObserveStream = Answers<LeaderResponse>;

    /// `none` has no leader yet, everything else is refused.
    async fn observe(&self, request: Request<LeaderRequest>) -> Result<Response<Self::ObserveStream>, Status> {
        match &request.get_ref().name[..] {
            b"none" => Ok(Response::new(Box::pin(stream::pending()))),
            _ => Err(Error::UserEmpty.into()),
        }
    }
);

stub!(Lease {
    lease_grant: LeaseGrantRequest => LeaseGrantResponse,
}
    async fn lease_revoke(&self, _: Request<LeaseRevokeRequest>) -> Result<Response<LeaseRevokeResponse>, Status> {
        Ok(Response::new(LeaseRevokeResponse { header: Some(header(4)) }))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let LeaseTimeToLiveRequest { id, keys } = request.into_inner();
        let keys = if keys { vec![Bytes::from_static(b"k")] } else { Vec::new() };
        let response = LeaseTimeToLiveResponse { header: Some(header(4)), id, ttl: -1, granted_ttl: 0, keys };
        Ok(Response::new(response))
    }

    async fn lease_leases(&self, _: Request<LeaseLeasesRequest>) -> Result<Response<LeaseLeasesResponse>, Status> {
        Ok(Response::new(LeaseLeasesResponse { header: Some(header(4)), leases: vec![LeaseStatus { id: i64::MAX }] }))
    }

    type LeaseKeepAliveStream = Answers<LeaseKeepAliveResponse>;
    async fn lease_keep_alive(
        &self,
        _: Request<tonic::Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        Err(Status::unimplemented("unused"))
    }
);

/// Counts itself while it exists.
struct Watching(Arc<AtomicUsize>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl WatchAnswer for WatchResponse {
    fn watch_id(&self) -> i64 {
        self.watch_id
    }

    fn created(&self) -> bool {
        self.created
    }

    fn canceled(&self) -> bool {
        self.canceled
    }
}

impl ServiceSet for Fake {
    type Kv = Fake;
    type RangeAnswer = RangeResponse;
    type WatchAnswer = WatchResponse;
    type Lease = Fake;
    type Cluster = Fake;
    type Maintenance = Fake;
    type Auth = Fake;
    type Lock = Fake;
    type Election = Fake;

    fn kv(&self) -> &Fake {
        self
    }

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        Kv::range(self, request).await
    }

    fn lease(&self) -> &Fake {
        self
    }

    fn cluster(&self) -> &Fake {
        self
    }

    fn maintenance(&self) -> &Fake {
        self
    }

    fn auth(&self) -> &Fake {
        self
    }

    fn lock(&self) -> &Fake {
        self
    }

    fn election(&self) -> &Fake {
        self
    }

    fn watch_stream(&self) -> WatchStream {
        self.world.as_ref().unwrap().hub.stream()
    }

    fn compacted(&self) -> i64 {
        self.world.as_ref().unwrap().store.compacted()
    }

    /// A caller with the token `denied` may not; with `leaderless`, not for long.
    fn admit_watch(&self, metadata: &MetadataMap, _: &Extensions, _: &[KeyRange]) -> Result<WatchEnd, Status> {
        match metadata.get("authorization").map(|token| token.as_bytes()) {
            Some(b"Bearer denied") => Err(Error::PermissionDenied.into()),
            Some(b"Bearer stale") => Err(Error::InvalidAuthToken.into()),
            Some(b"Bearer leaderless") => Ok(Box::pin(std::future::ready(Error::NoLeader.into()))),
            _ => Ok(Box::pin(std::future::pending())),
        }
    }

    /// One watcher at a time. A create with the key `refused` is refused, with `broken` it breaks the stream, with
    /// `large` its events are; a progress request shows the call's metadata as `cancel_reason`.
    fn watch(&self, mut call: StreamCall<WatchRequest>) -> Answers<WatchResponse> {
        let (sender, receiver) = mpsc::channel(4);
        let mut events = self.events.subscribe();
        self.watching.fetch_add(1, Ordering::SeqCst);
        let watching = Watching(Arc::clone(&self.watching));
        tokio::spawn(async move {
            let _watching = watching;
            let answer = |watch_id| WatchResponse { header: Some(header(5)), watch_id, ..Default::default() };
            let (mut open, mut large, mut id) = (true, false, None);
            loop {
                let response = tokio::select! {
                    () = sender.closed() => return,
                    request = call.requests.next(), if open => match request.map(|request| request.unwrap().request_union) {
                        None => {
                            open = false;
                            continue;
                        }
                        Some(Some(RequestUnion::CreateRequest(create))) => match &create.key[..] {
                            b"broken" => Err(Error::NoLeader.into()),
                            b"refused" => Ok(WatchResponse {
                                created: true,
                                canceled: true,
                                cancel_reason: "no".into(),
                                ..answer(-1)
                            }),
                            key => {
                                large = key == b"large";
                                id = Some(create.watch_id);
                                Ok(WatchResponse { created: true, ..answer(create.watch_id) })
                            }
                        },
                        Some(Some(RequestUnion::CancelRequest(cancel))) => {
                            id = None;
                            Ok(WatchResponse { canceled: true, ..answer(cancel.watch_id) })
                        }
                        Some(Some(RequestUnion::ProgressRequest(_))) => {
                            Ok(WatchResponse { cancel_reason: told(&call.metadata), ..answer(-1) })
                        }
                        Some(None) => continue,
                    },
                    Ok(revision) = events.recv(), if id.is_some() => {
                        let value = if large { vec![b'x'; 300_000] } else { b"v".to_vec() };
                        let put = Event { r#type: EventType::Put.into(), kv: Some(kv("k", value)), prev_kv: None };
                        let deleted = KeyValue { key: "k".into(), mod_revision: revision, ..Default::default() };
                        let delete = Event { r#type: EventType::Delete.into(), kv: Some(deleted), prev_kv: None };
                        let header = Some(header(revision));
                        Ok(WatchResponse { header, events: vec![put, delete], ..answer(id.unwrap_or_default()) })
                    }
                };
                let last = response.is_err();
                if sender.send(response).await.is_err() || last {
                    return;
                }
            }
        });
        Box::pin(ReceiverStream::new(receiver))
    }

    /// Lease 404 is gone, 500 breaks the stream, 99 is never answered.
    fn lease_keep_alive(&self, call: StreamCall<LeaseKeepAliveRequest>) -> Answers<LeaseKeepAliveResponse> {
        let answer = async |request: Result<LeaseKeepAliveRequest, Status>| match request?.id {
            500 => Err(Error::NoLeader.into()),
            99 => std::future::pending().await,
            id => Ok(LeaseKeepAliveResponse { header: Some(header(6)), id, ttl: if id == 404 { 0 } else { 30 } }),
        };
        Box::pin(call.requests.then(answer))
    }
}
