//! What is asked of each of the two servers, and how.

use std::collections::BTreeMap;

use keyport_api::authpb::Permission;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_api::etcdserverpb::{
    AuthDisableRequest, AuthEnableRequest, AuthRoleListRequest, AuthStatusRequest, AuthUserListRequest,
    LeaseKeepAliveRequest, WatchCreateRequest, WatchRequest, watch_request,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::Server;
use crate::differential::answers::{self, Answer, Reading, by, own, settled};
use crate::grpc::Grpc;
use crate::http::Http;
use crate::random::{AuthOp, Op};
use crate::wait::within;

const BAD_TOKEN: &str = "abcdefghijklmnop.1";

/// One request.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Keys(Op),
    Users(AuthOp),
    Watch(WatchCreateRequest),
    KeepAlive(i64),
}

/// One of the two servers, and the tokens that it gave out.
pub(super) struct Side {
    grpc: Grpc,
    auth: AuthClient<Channel>,
    http: Http,
    pub(super) tokens: BTreeMap<String, String>,
}

impl Side {
    pub(super) async fn new(server: &Server) -> Side {
        let grpc = server.grpc().await;
        let auth = AuthClient::new(grpc.channel.clone());
        Side { grpc, auth, http: server.http(), tokens: BTreeMap::new() }
    }

    /// Nobody's is empty; whoever has none yet, or none any more, shows one that was never given out.
    fn token(&self, user: Option<&str>) -> String {
        user.map_or(String::new(), |user| self.tokens.get(user).map_or(BAD_TOKEN, String::as_str).to_owned())
    }

    pub(super) async fn ask(&mut self, user: Option<&str>, asked: &Asked, json: bool, reading: Reading) -> Answer {
        let token = &*self.token(user);
        let ask = async {
            match asked {
                Asked::Keys(op) if json => answers::json(&self.http, token, op).await,
                Asked::Keys(op) => answers::grpc(&self.grpc, token, op, reading).await,
                Asked::Users(op) if json && comparable_as_json(op) => {
                    let (path, body) = op.gateway();
                    answers::json_call(&self.http, token, path, body).await
                }
                Asked::Users(op) => self.users(token, op).await,
                Asked::Watch(create) => watch(&mut self.grpc, token, create.clone()).await,
                Asked::KeepAlive(id) => keep_alive(&mut self.grpc, token, *id).await,
            }
        };
        within("an answer", ask).await
    }

    async fn users(&mut self, token: &str, op: &AuthOp) -> Answer {
        let c = &mut self.auth.clone();
        match op.clone() {
            AuthOp::Enable => settled(c.auth_enable(by(token, AuthEnableRequest {})).await, |a| own(&mut a.header)),
            AuthOp::Disable => settled(c.auth_disable(by(token, AuthDisableRequest {})).await, |a| own(&mut a.header)),
            AuthOp::Status => settled(c.auth_status(by(token, AuthStatusRequest {})).await, |a| own(&mut a.header)),
            AuthOp::Authenticate(r) => {
                let user = r.name.clone();
                settled(c.authenticate(by(token, r)).await, |a| {
                    self.tokens.insert(user, std::mem::take(&mut a.token));
                    own(&mut a.header)
                })
            }
            AuthOp::UserAdd(r) => settled(c.user_add(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::UserGet(r) => settled(c.user_get(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::UserList => settled(c.user_list(by(token, AuthUserListRequest {})).await, |a| own(&mut a.header)),
            AuthOp::UserDelete(r) => settled(c.user_delete(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::UserChangePassword(r) => {
                settled(c.user_change_password(by(token, r)).await, |a| own(&mut a.header))
            }
            AuthOp::UserGrantRole(r) => settled(c.user_grant_role(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::UserRevokeRole(r) => settled(c.user_revoke_role(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::RoleAdd(r) => settled(c.role_add(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::RoleGet(r) => settled(c.role_get(by(token, r)).await, |a| {
                a.perm = without_repetitions(std::mem::take(&mut a.perm));
                own(&mut a.header)
            }),
            AuthOp::RoleList => settled(c.role_list(by(token, AuthRoleListRequest {})).await, |a| own(&mut a.header)),
            AuthOp::RoleDelete(r) => settled(c.role_delete(by(token, r)).await, |a| own(&mut a.header)),
            AuthOp::RoleGrantPermission(r) => {
                settled(c.role_grant_permission(by(token, r)).await, |a| own(&mut a.header))
            }
            AuthOp::RoleRevokePermission(r) => {
                settled(c.role_revoke_permission(by(token, r)).await, |a| own(&mut a.header))
            }
        }
    }
}

/// Grants of a role as far as they say something new, in the order of what they are for.
fn without_repetitions(mut grants: Vec<Permission>) -> Vec<Permission> {
    grants.sort_by(|x, y| (&x.key, &x.range_end, x.perm_type).cmp(&(&y.key, &y.range_end, y.perm_type)));
    grants.dedup();
    grants
}

/// Whether an answer over JSON is the same to the last byte.
fn comparable_as_json(op: &AuthOp) -> bool {
    !matches!(op, AuthOp::Authenticate(_) | AuthOp::RoleGet(_))
}

/// The first answer to a new watcher, which is then left alone.
async fn watch(client: &mut Grpc, token: &str, create: WatchCreateRequest) -> Answer {
    let (send, requests) = mpsc::channel(1);
    let create = Some(watch_request::RequestUnion::CreateRequest(create));
    send.send(WatchRequest { request_union: create }).await.expect("there is room for one");
    let first = async {
        let mut answers = client.watch.watch(by(token, ReceiverStream::new(requests))).await?.into_inner();
        let first = answers.message().await?;
        first.map(Response::new).ok_or_else(|| Status::aborted("no answer"))
    };
    settled(first.await, |a| own(&mut a.header))
}

async fn keep_alive(client: &mut Grpc, token: &str, id: i64) -> Answer {
    let once = by(token, tokio_stream::iter([LeaseKeepAliveRequest { id }]));
    let answer = async {
        let mut answers = client.lease.lease_keep_alive(once).await?.into_inner();
        answers.message().await?.map(Response::new).ok_or_else(|| Status::aborted("no answer"))
    };
    settled(answer.await, |a| own(&mut a.header))
}
