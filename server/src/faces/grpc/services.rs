//! The services as tonic generates them, each method an adapter of the call behind it.

use std::pin::Pin;

use futures_util::TryStreamExt as _;
use futures_util::stream::ErrInto;
use keyport_api::etcdserverpb::auth_server::{Auth, AuthServer};
use keyport_api::etcdserverpb::cluster_server::{Cluster, ClusterServer};
use keyport_api::etcdserverpb::kv_server::{Kv, KvServer};
use keyport_api::etcdserverpb::lease_server::{Lease, LeaseServer};
use keyport_api::etcdserverpb::maintenance_server::{Maintenance, MaintenanceServer};
use keyport_api::etcdserverpb::watch_server::{Watch, WatchServer};
use keyport_api::etcdserverpb::*;
use keyport_api::v3electionpb::election_server::{Election, ElectionServer};
use keyport_api::v3electionpb::*;
use keyport_api::v3lockpb::lock_server::{Lock, LockServer};
use keyport_api::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::calls::{Calls, KeepAlives, RangeChunks, SnapshotBlobs, WatchReply};
use crate::faces::grpc::health;
use crate::faces::kit::caller;

/// Every service of etcd's, and gRPC's own.
pub(crate) fn routes(calls: &Calls, max_message_bytes: usize) -> Routes {
    macro_rules! add {
        ($routes:ident, $($server:ident),* $(,)?) => {
            $($routes = $routes.add_service(
                $server::new(Adapter(calls.clone()))
                    .accept_compressed(CompressionEncoding::Gzip)
                    .max_decoding_message_size(max_message_bytes)
                    .max_encoding_message_size(usize::MAX),
            );)*
        };
    }
    let mut routes = Routes::default();
    add!(
        routes,
        KvServer,
        WatchServer,
        LeaseServer,
        ClusterServer,
        MaintenanceServer,
        AuthServer,
        LockServer,
        ElectionServer,
    );
    routes = routes.add_service(health::service(calls));
    match tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(keyport_api::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(keyport_api::HEALTH_DESCRIPTOR_SET)
        .build_v1()
    {
        Ok(reflection) => routes.add_service(reflection),
        Err(error) => {
            tracing::error!(%error, "reflection is not available");
            routes
        }
    }
}

#[derive(Clone, Debug)]
struct Adapter(Calls);

/// A service whose unary methods are told by name; what streams is written out behind them.
macro_rules! service {
    ($Service:ident, $field:ident { $($method:ident($Request:ty) -> $Response:ty;)* } $($streams:tt)*) => {
        #[tonic::async_trait]
        impl $Service for Adapter {
            $(async fn $method(&self, request: Request<$Request>) -> Result<Response<$Response>, Status> {
                let caller = caller(request.extensions())?;
                let answer = self.0.$field.$method(&caller, request.into_inner()).await?;
                Ok(Response::new(answer.into()))
            })*

            $($streams)*
        }
    };
}

service!(Kv, kv {
    range(RangeRequest) -> RangeResponse;
    put(PutRequest) -> PutResponse;
    delete_range(DeleteRangeRequest) -> DeleteRangeResponse;
    txn(TxnRequest) -> TxnResponse;
    compact(CompactionRequest) -> CompactionResponse;
}
    type RangeStreamStream = ErrInto<RangeChunks, Status>;

    async fn range_stream(&self, request: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        let caller = caller(request.extensions())?;
        let chunks = self.0.kv.range_stream(&caller, request.into_inner()).await?;
        Ok(Response::new(chunks.err_into()))
    }
);

service!(Watch, watch {}
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(request.extensions())?;
        let session = self.0.watch.watch(&caller, request.into_inner())?;
        Ok(Response::new(Box::pin(session.map(|reply| reply.map(WatchReply::into_message)))))
    }
);

service!(Lease, lease {
    lease_grant(LeaseGrantRequest) -> LeaseGrantResponse;
    lease_revoke(LeaseRevokeRequest) -> LeaseRevokeResponse;
    lease_time_to_live(LeaseTimeToLiveRequest) -> LeaseTimeToLiveResponse;
    lease_leases(LeaseLeasesRequest) -> LeaseLeasesResponse;
}
    type LeaseKeepAliveStream = KeepAlives<Streaming<LeaseKeepAliveRequest>>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let caller = caller(request.extensions())?;
        Ok(Response::new(self.0.lease.lease_keep_alive(&caller, request.into_inner())?))
    }
);

service!(Cluster, cluster {
    member_add(MemberAddRequest) -> MemberAddResponse;
    member_remove(MemberRemoveRequest) -> MemberRemoveResponse;
    member_update(MemberUpdateRequest) -> MemberUpdateResponse;
    member_list(MemberListRequest) -> MemberListResponse;
    member_promote(MemberPromoteRequest) -> MemberPromoteResponse;
});

service!(Maintenance, maintenance {
    alarm(AlarmRequest) -> AlarmResponse;
    status(StatusRequest) -> StatusResponse;
    defragment(DefragmentRequest) -> DefragmentResponse;
    hash(HashRequest) -> HashResponse;
    hash_kv(HashKvRequest) -> HashKvResponse;
    move_leader(MoveLeaderRequest) -> MoveLeaderResponse;
    downgrade(DowngradeRequest) -> DowngradeResponse;
}
    type SnapshotStream = SnapshotBlobs;

    async fn snapshot(&self, request: Request<SnapshotRequest>) -> Result<Response<SnapshotBlobs>, Status> {
        let caller = caller(request.extensions())?;
        Ok(Response::new(self.0.maintenance.snapshot(&caller, request.into_inner()).await?))
    }
);

service!(Auth, auth {
    auth_enable(AuthEnableRequest) -> AuthEnableResponse;
    auth_disable(AuthDisableRequest) -> AuthDisableResponse;
    auth_status(AuthStatusRequest) -> AuthStatusResponse;
    authenticate(AuthenticateRequest) -> AuthenticateResponse;
    user_add(AuthUserAddRequest) -> AuthUserAddResponse;
    user_get(AuthUserGetRequest) -> AuthUserGetResponse;
    user_list(AuthUserListRequest) -> AuthUserListResponse;
    user_delete(AuthUserDeleteRequest) -> AuthUserDeleteResponse;
    user_change_password(AuthUserChangePasswordRequest) -> AuthUserChangePasswordResponse;
    user_grant_role(AuthUserGrantRoleRequest) -> AuthUserGrantRoleResponse;
    user_revoke_role(AuthUserRevokeRoleRequest) -> AuthUserRevokeRoleResponse;
    role_add(AuthRoleAddRequest) -> AuthRoleAddResponse;
    role_get(AuthRoleGetRequest) -> AuthRoleGetResponse;
    role_list(AuthRoleListRequest) -> AuthRoleListResponse;
    role_delete(AuthRoleDeleteRequest) -> AuthRoleDeleteResponse;
    role_grant_permission(AuthRoleGrantPermissionRequest) -> AuthRoleGrantPermissionResponse;
    role_revoke_permission(AuthRoleRevokePermissionRequest) -> AuthRoleRevokePermissionResponse;
});

service!(Lock, lock {
    lock(LockRequest) -> LockResponse;
    unlock(UnlockRequest) -> UnlockResponse;
});

service!(Election, election {
    campaign(CampaignRequest) -> CampaignResponse;
    proclaim(ProclaimRequest) -> ProclaimResponse;
    leader(LeaderRequest) -> LeaderResponse;
    resign(ResignRequest) -> ResignResponse;
}
    type ObserveStream = ReceiverStream<Result<LeaderResponse, Status>>;

    async fn observe(&self, request: Request<LeaderRequest>) -> Result<Response<Self::ObserveStream>, Status> {
        let caller = caller(request.extensions())?;
        Ok(Response::new(self.0.election.observe(&caller, request.into_inner()).await?))
    }
);
