//! Users of a server: root, and one with a role for the keys that the workloads use. Who is logged in, and for how many
//! connections.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::entry::{Access, Entry, Login};
use crate::fail::{Fail, rpc};
use crate::grpc::{Conn, Method};
use crate::proto::*;
use crate::workload::{PREFIXES, key};

const ROOT: (&str, &str) = ("root", "root's password");
const PLAIN: (&str, &str) = ("loadgen", "loadgen's password");
const ROLE: &str = "workloads";

/// More connections than that share logins: each costs a server most of a tenth of a second.
const MOST_LOGINS: usize = 64;

/// Every permission more makes a role's row longer, which is written anew with each.
const KEYS_EACH_ROLE: u64 = 100;
const ROLES_AT_ONCE: usize = 64;

/// Logins under way at once.
const AT_ONCE: usize = 8;

pub(crate) struct Users {
    /// For what is done to members.
    pub(crate) root: Arc<Login>,
    /// For the workloads.
    logins: Vec<Arc<Login>>,
}

impl Users {
    /// Makes the users on a server without any, with so many bystanders, and turns authentication on.
    pub(crate) async fn enable(stranger: Entry, extra: usize) -> Result<Users, Fail> {
        let conn = Conn::open(stranger).await?;
        let names = |name: &str, second: &str| frame(&Names { name: name.into(), second: second.into() });
        let mut steps = vec![
            (Method::UserAdd, names(ROOT.0, ROOT.1)),
            (Method::UserGrantRole, names(ROOT.0, "root")),
            (Method::UserAdd, names(PLAIN.0, PLAIN.1)),
            (Method::RoleAdd, names(ROLE, "")),
            (Method::UserGrantRole, names(PLAIN.0, ROLE)),
        ];
        steps.extend(PREFIXES.map(|prefix| (Method::RoleGrantPermission, frame(&read_write(prefix)))));
        steps.extend(bystanders(extra).map(|user| (Method::UserAdd, frame(&user))));
        steps.push((Method::AuthEnable, frame(&Empty {})));
        for (method, request) in steps {
            conn.call::<HeaderOnly>(method, request).await?;
        }
        Ok(Users { root: Arc::new(Login::new(ROOT.0, ROOT.1)), logins: vec![] })
    }

    /// Logins for so many connections, each with a token that the servers know now.
    pub(crate) async fn logged_in(&mut self, access: &Access, at: &[SocketAddr], n: usize) -> Result<Access, Fail> {
        while self.logins.len() < n.min(MOST_LOGINS) {
            self.logins.push(Arc::new(Login::new(PLAIN.0, PLAIN.1)));
        }
        let access = Access { logins: self.logins.clone(), ..access.clone() };
        let mut checks = JoinSet::new();
        for number in 0..self.logins.len() {
            let entry = access.entry(at[number % at.len()], number);
            if checks.len() == AT_ONCE {
                checks.join_next().await.expect("some are under way").map_err(|e| Fail::Net(e.to_string()))??;
            }
            checks.spawn_local(check(entry));
        }
        while let Some(checked) = checks.join_next().await {
            checked.map_err(|e| Fail::Net(e.to_string()))??;
        }
        Ok(access)
    }
}

/// Takes the permission for all keys of puts from the user, and gives one for each of the first `count` keys instead.
pub(crate) async fn permit_one_by_one(root: Entry, count: u64, key_size: usize) -> Result<(), Fail> {
    let conn = Conn::open(root).await?;
    let wide = read_write(PREFIXES[0]).perm.unwrap_or_default();
    let revoke = RoleRevokePermissionRequest { role: ROLE.into(), key: wide.key, range_end: wide.range_end };
    conn.call::<HeaderOnly>(Method::RoleRevokePermission, frame(&revoke)).await?;
    let roles = count.div_ceil(KEYS_EACH_ROLE);
    let mut making = JoinSet::new();
    for number in 0..roles {
        if making.len() == ROLES_AT_ONCE {
            making.join_next().await.expect("some are under way").map_err(rpc)??;
        }
        making.spawn_local(make_role(conn.clone(), number, count, key_size));
    }
    while let Some(made) = making.join_next().await {
        made.map_err(rpc)??;
    }
    for number in 0..roles {
        let grant = Names { name: PLAIN.0.into(), second: role_of(number) };
        conn.call::<HeaderOnly>(Method::UserGrantRole, frame(&grant)).await?;
    }
    Ok(())
}

fn role_of(number: u64) -> String {
    format!("role-{number}")
}

/// A role for its share of the keys: each with what is below it, so that no two ranges touch.
async fn make_role(conn: Rc<Conn>, number: u64, count: u64, key_size: usize) -> Result<(), Fail> {
    let name = role_of(number);
    conn.call::<HeaderOnly>(Method::RoleAdd, frame(&Names { name: name.clone(), second: String::new() })).await?;
    for i in number * KEYS_EACH_ROLE..count.min((number + 1) * KEYS_EACH_ROLE) {
        let key = key(PREFIXES[0], i, key_size);
        let range_end = [&key[..], b"~"].concat().into();
        let perm = Some(Permission { kind: 2, key, range_end });
        let grant = RoleGrantPermissionRequest { name: name.clone(), perm };
        conn.call::<HeaderOnly>(Method::RoleGrantPermission, frame(&grant)).await?;
    }
    Ok(())
}

/// Those who only log in. Each is a user of its own, since a server may refuse many logins of one user at once.
pub(crate) fn bystanders(count: usize) -> impl Iterator<Item = Names> {
    (0..count).map(|i| Names { name: format!("bystander-{i}"), second: "a bystander's password".into() })
}

/// A request with the token, so that a new one is there if it has expired; of a key that is permitted always.
async fn check(entry: Entry) -> Result<(), Fail> {
    let read = RangeRequest { key: Bytes::from_static(&[PREFIXES[1]]), serializable: true, ..Default::default() };
    Conn::open(entry).await?.call::<RangeCount>(Method::Range, frame(&read)).await?;
    Ok(())
}

fn read_write(prefix: u8) -> RoleGrantPermissionRequest {
    let (key, range_end) = (Bytes::copy_from_slice(&[prefix]), Bytes::copy_from_slice(&[prefix + 1]));
    RoleGrantPermissionRequest { name: ROLE.into(), perm: Some(Permission { kind: 2, key, range_end }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_holds_the_keys_of_the_workloads() {
        for prefix in PREFIXES {
            let granted = read_write(prefix).perm.unwrap();
            for i in [0, 1, 1_000_000] {
                let key = key(prefix, i, 16);
                assert!(granted.key <= key && key < granted.range_end, "{key:?}");
            }
        }
    }
}
