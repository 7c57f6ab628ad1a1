//! The same random history of several users on two servers, with authentication on, and with ends and crashes between.
//!
//! What is asked comes from anybody, from users and from root; it is about keys, and about users and roles themselves. What
//! differs is the error, except for [`DEPARTURES`].

use std::collections::BTreeMap;

use keyport_api::authpb::Permission;
use keyport_api::etcdserverpb::auth_client::AuthClient;
use keyport_api::etcdserverpb::{
    AuthDisableRequest, AuthEnableRequest, AuthRoleListRequest, AuthStatusRequest, AuthUserListRequest,
    AuthenticateRequest, LeaseKeepAliveRequest, WatchCreateRequest, WatchRequest, watch_request,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::answers::{self, Answer, Reading, by, own, settled};
use crate::Server;
use crate::grpc::Grpc;
use crate::http::Http;
use crate::random::{AuthOp, Op, Random, RandomUsers, USERS};
use crate::wait::within;

/// Where Keyport is known to answer otherwise than etcd 3.7, and why.
pub const DEPARTURES: [(&str, &str); 3] = [
    (
        "the grants of a role",
        "who grants the same keys once more has one grant of them; etcd looks at the first grant that begins at the same \
         key, and adds a second one beside the others",
    ),
    (
        "who may ask for a range that ends before it begins",
        "whoever may ask for its first key; with etcd that depends on how its tree of grants happens to be built. There is \
         nothing in such a range, and none is asked for here",
    ),
    ("logins in vain", "so many of them are answered for a user from one address; etcd lets everybody guess"),
];

const TOO_MANY: &str = "keyport: too many failed logins";
const NO_TOKEN: &str = "etcdserver: invalid auth token";
const BAD_TOKEN: &str = "abcdefghijklmnop.1";
/// As few as make every history see some of them.
const RESTARTS: usize = 120;

/// What a run has compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsersReport {
    /// Requests
    pub requests: usize,
    /// Those that were refused, by both in the same words
    pub refused: usize,
    /// Those that were refused because of who made them
    pub denied: usize,
    /// Changes of users and roles that were made
    pub changes: usize,
    /// Tokens that were given out
    pub logins: usize,
    /// Watchers that were let in
    pub watchers: usize,
    /// How often both were killed, or stopped, and started again
    pub restarts: usize,
}

/// One request.
#[derive(Clone, Debug)]
enum Asked {
    Keys(Op),
    Users(AuthOp),
    Watch(WatchCreateRequest),
    KeepAlive(i64),
}

/// One of the two servers, and the tokens that it gave out.
struct Side {
    grpc: Grpc,
    auth: AuthClient<Channel>,
    http: Http,
    tokens: BTreeMap<String, String>,
}

impl Side {
    async fn new(server: &Server) -> Side {
        let grpc = server.grpc().await;
        let auth = AuthClient::new(grpc.channel.clone());
        Side { grpc, auth, http: server.http(), tokens: BTreeMap::new() }
    }

    /// Nobody's is empty; whoever has none yet, or none any more, shows one that was never given out.
    fn token(&self, user: Option<&str>) -> String {
        user.map_or(String::new(), |user| self.tokens.get(user).map_or(BAD_TOKEN, String::as_str).to_owned())
    }

    async fn ask(&mut self, user: Option<&str>, asked: &Asked, json: bool, reading: Reading) -> Answer {
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

/// A history in the making.
struct History<'a> {
    servers: [&'a mut Server; 2],
    sides: [Side; 2],
    random: Random,
    users: RandomUsers,
    /// What everybody's password is, if the servers were asked for what they said.
    passwords: BTreeMap<String, String>,
    enabled: bool,
    reading: Reading,
    report: UsersReport,
}

/// Sends `count` random requests to both servers, which are fresh, by several users.
///
/// # Errors
/// The first difference: the request and both answers.
pub async fn run_with_users(
    seed: u64,
    count: usize,
    one: &mut Server,
    two: &mut Server,
) -> Result<UsersReport, String> {
    let sides = [Side::new(one).await, Side::new(two).await];
    let mut random = Random::new(seed);
    random.straight = true;
    let mut history = History {
        servers: [one, two],
        sides,
        random,
        users: RandomUsers::default(),
        passwords: BTreeMap::new(),
        enabled: false,
        reading: Reading { leases_of_keys_only: true, hash_has_a_path: true },
        report: UsersReport::default(),
    };
    let at = |number: usize, what: String| format!("seed {seed}, request {number}: {what}");
    history.put_root_in_charge().await.map_err(|what| at(0, what))?;
    for number in 0..count {
        history.step().await.map_err(|what| at(number, what))?;
    }
    history.look_at_all().await.map_err(|what| at(count, what))?;
    Ok(history.report)
}

impl History<'_> {
    /// Asks both and compares; whether they did it.
    async fn ask(&mut self, user: Option<&str>, asked: Asked) -> Result<bool, String> {
        let json = self.random.one_in(3) && !matches!(&asked, Asked::Keys(op) if !self.reading.comparable_as_json(op));
        let [a, b] = &mut self.sides;
        let (x, y) = tokio::join!(a.ask(user, &asked, json, self.reading), b.ask(user, &asked, json, self.reading));
        if let (Asked::Users(AuthOp::Authenticate(login)), Answer::Refused(_, why)) = (&asked, &x)
            && why == TOO_MANY
        {
            // Whether it would have been in vain or not, nobody has a token now.
            for side in [a, b] {
                side.tokens.remove(&login.name);
            }
            return Ok(false);
        }
        if x != y {
            let face = if json { "JSON" } else { "gRPC" };
            return Err(format!("{asked:#?}\nby {user:?} over {face}\none: {x:#?}\ntwo: {y:#?}"));
        }
        self.report.requests += 1;
        match x {
            Answer::Refused(_, why) => {
                self.report.refused += 1;
                let by_identity = ["permission denied", "user name is empty", "user name not found", NO_TOKEN];
                self.report.denied += usize::from(by_identity.iter().any(|text| why.contains(text)));
                if why.contains(NO_TOKEN)
                    && let Some(user) = user
                    && self.random.one_in(2)
                {
                    Box::pin(self.log_in(user.to_owned())).await?;
                }
                Ok(false)
            }
            Answer::Done { revision, body } => {
                self.random.revision = self.random.revision.max(revision);
                self.note(&asked, &body);
                Ok(true)
            }
        }
    }

    /// What follows from a request that was done.
    fn note(&mut self, asked: &Asked, body: &str) {
        match asked {
            Asked::Keys(Op::Compact(compact)) => self.random.compacted = compact.revision,
            Asked::Watch(_) if !body.contains("canceled: true") => self.report.watchers += 1,
            Asked::Users(op) => {
                self.report.changes += usize::from(!matches!(
                    op,
                    AuthOp::Status
                        | AuthOp::Authenticate(_)
                        | AuthOp::UserGet(_)
                        | AuthOp::UserList
                        | AuthOp::RoleGet(_)
                        | AuthOp::RoleList
                ));
                match op {
                    AuthOp::Enable => self.enabled = true,
                    AuthOp::Disable => self.enabled = false,
                    AuthOp::Authenticate(_) => self.report.logins += 1,
                    AuthOp::UserAdd(r) => drop(self.passwords.insert(r.name.clone(), r.password.clone())),
                    AuthOp::UserChangePassword(r) => drop(self.passwords.insert(r.name.clone(), r.password.clone())),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    async fn log_in(&mut self, name: String) -> Result<bool, String> {
        let mut password = self.passwords.get(&name).cloned().unwrap_or_default();
        if self.random.one_in(8) {
            password = self.random.password();
        }
        self.ask(None, Asked::Users(AuthOp::Authenticate(AuthenticateRequest { name, password }))).await
    }

    /// Turns authentication on, whatever has become of root.
    async fn put_root_in_charge(&mut self) -> Result<(), String> {
        use keyport_api::etcdserverpb::{AuthUserAddRequest, AuthUserGrantRoleRequest};
        let add = AuthUserAddRequest { name: "root".into(), password: "root".into(), ..AuthUserAddRequest::default() };
        let grant = AuthUserGrantRoleRequest { user: "root".into(), role: "root".into() };
        for op in [AuthOp::UserAdd(add), AuthOp::UserGrantRole(grant), AuthOp::Enable] {
            self.ask(None, Asked::Users(op)).await?;
        }
        self.log_in("root".into()).await.map(drop)
    }

    async fn restart(&mut self) -> Result<(), String> {
        let kill = self.random.one_in(2);
        for (server, side) in self.servers.iter_mut().zip(&mut self.sides) {
            if kill {
                server.kill();
            } else {
                server.stop();
            }
            server.restart();
            *side = Side::new(server).await;
        }
        self.report.restarts += 1;
        for user in ["root"].into_iter().chain(USERS) {
            self.log_in(user.to_owned()).await?;
        }
        self.look_at_all().await
    }

    async fn step(&mut self) -> Result<(), String> {
        if self.random.one_in(RESTARTS) {
            return self.restart().await;
        }
        if !self.enabled && self.random.one_in(15) {
            return self.put_root_in_charge().await;
        }
        let admin = self.random.one_in(2);
        let user = match self.random.below(20) {
            0 => None,
            1..5 => Some("root".to_owned()),
            5..15 if admin => Some("root".to_owned()),
            _ => Some(self.random.user()).filter(|name| !name.is_empty()),
        };
        let asked = match self.random.below(60) {
            _ if admin && self.random.one_in(120) => Asked::Users(AuthOp::Disable),
            _ if admin && self.random.one_in(60) => Asked::Users(AuthOp::Enable),
            _ if admin => Asked::Users(self.users.op(&mut self.random)),
            0..4 => return self.log_in(user.unwrap_or_default()).await.map(drop),
            4..10 => Asked::Watch(self.random.watch()),
            10..13 => Asked::KeepAlive(i64::try_from(self.random.below(9)).unwrap_or(0)),
            _ => match self.random.op() {
                Op::Watch(create) => Asked::Watch(create),
                op => Asked::Keys(op),
            },
        };
        self.ask(user.as_deref(), asked).await.map(drop)
    }

    /// All that there is, as root sees it; or as anybody, with authentication off.
    async fn look_at_all(&mut self) -> Result<(), String> {
        use keyport_api::etcdserverpb::{AuthRoleGetRequest, AuthUserGetRequest};
        let mut all = vec![AuthOp::Status, AuthOp::UserList, AuthOp::RoleList];
        for user in ["root"].into_iter().chain(USERS) {
            all.push(AuthOp::UserGet(AuthUserGetRequest { name: user.into() }));
        }
        for role in crate::random::ROLES {
            all.push(AuthOp::RoleGet(AuthRoleGetRequest { role: role.into() }));
        }
        for op in all {
            self.ask(Some("root"), Asked::Users(op)).await?;
        }
        self.ask(Some("root"), Asked::Keys(Op::Hash(0))).await.map(drop)
    }
}
