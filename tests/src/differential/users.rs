//! The same random history of several users on two servers, with authentication on, and with ends and crashes between.
//!
//! What is asked comes from anybody, from users and from root; it is about keys, and about users and roles themselves. What
//! differs is the error, except for [`DEPARTURES`].

mod side;

use std::collections::BTreeMap;

use keyport_api::etcdserverpb::{
    AuthRoleGetRequest, AuthUserAddRequest, AuthUserGetRequest, AuthUserGrantRoleRequest, AuthenticateRequest,
};

use super::answers::{Answer, Reading};
use crate::random::{AuthOp, Op, ROLES, Random, RandomUsers, USERS};
use crate::{Flavor, Server};
use side::{Asked, Side};

/// Where Keyport is known to answer otherwise than etcd 3.7, and why.
pub const DEPARTURES: [(&str, &str); 4] = [
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
    (
        "a password that is too long, from who may not change any",
        "he hears that he may not; etcd hashes passwords before it asks who brings them, and refuses this one there",
    ),
    ("logins in vain", "so many of them are answered for a user from one address; etcd lets everybody guess"),
];

const TOO_MANY: &str = "keyport: too many failed logins";
const NO_TOKEN: &str = "etcdserver: invalid auth token";
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

/// Whether it is who asks that is refused.
fn is_for_who_asks(why: &str) -> bool {
    ["permission denied", "user name is empty", "user name not found", NO_TOKEN].iter().any(|text| why.contains(text))
}

/// Whether two answers differ as they are known to, and nothing was done on either side.
fn is_known(asked: &Asked, one: &Answer, two: &Answer) -> bool {
    let password = match asked {
        Asked::Users(AuthOp::UserAdd(r)) => &r.password,
        Asked::Users(AuthOp::UserChangePassword(r)) => &r.password,
        _ => return false,
    };
    match (one, two) {
        (Answer::Refused(_, one), Answer::Refused(_, two)) => {
            password.len() > 72 && is_for_who_asks(one) && two.contains("bcrypt: password length")
        }
        _ => false,
    }
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
        if is_known(&asked, &x, &y) {
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
                self.report.denied += usize::from(is_for_who_asks(&why));
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
            // An etcd that was asked to stop was seen not to, with clients that watched.
            if kill || server.flavor() != Flavor::Keyport {
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
        let mut all = vec![AuthOp::Status, AuthOp::UserList, AuthOp::RoleList];
        for user in ["root"].into_iter().chain(USERS) {
            all.push(AuthOp::UserGet(AuthUserGetRequest { name: user.into() }));
        }
        for role in ROLES {
            all.push(AuthOp::RoleGet(AuthRoleGetRequest { role: role.into() }));
        }
        for op in all {
            self.ask(Some("root"), Asked::Users(op)).await?;
        }
        self.ask(Some("root"), Asked::Keys(Op::Hash(0))).await.map(drop)
    }
}
