//! Random changes of users and roles, and questions about them: few names, so that they meet.

use bytes::Bytes;
use keyport_api::authpb::{Permission, UserAddOptions};
use keyport_api::etcdserverpb::{
    AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest, AuthRoleGrantPermissionRequest,
    AuthRoleRevokePermissionRequest, AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest,
    AuthUserGetRequest, AuthUserGrantRoleRequest, AuthUserRevokeRoleRequest, AuthenticateRequest,
};
use serde_json::{Value, json};

use super::Random;

/// The users that there may be beside root.
pub const USERS: [&str; 4] = ["u1", "u2", "u3", "u4"];
/// The roles that there may be beside root.
pub const ROLES: [&str; 4] = ["r1", "r2", "r3", "r4"];

/// One request of the service Auth.
#[derive(Clone, Debug)]
pub enum AuthOp {
    /// From now on callers need to be somebody
    Enable,
    /// From now on anybody may do anything
    Disable,
    /// Whether, and how often that was changed
    Status,
    /// The answer has a token
    Authenticate(AuthenticateRequest),
    /// User
    UserAdd(AuthUserAddRequest),
    /// User
    UserGet(AuthUserGetRequest),
    /// User
    UserList,
    /// User
    UserDelete(AuthUserDeleteRequest),
    /// User
    UserChangePassword(AuthUserChangePasswordRequest),
    /// User
    UserGrantRole(AuthUserGrantRoleRequest),
    /// User
    UserRevokeRole(AuthUserRevokeRoleRequest),
    /// Role
    RoleAdd(AuthRoleAddRequest),
    /// Role
    RoleGet(AuthRoleGetRequest),
    /// Role
    RoleList,
    /// Role
    RoleDelete(AuthRoleDeleteRequest),
    /// Role
    RoleGrantPermission(AuthRoleGrantPermissionRequest),
    /// Role
    RoleRevokePermission(AuthRoleRevokePermissionRequest),
}

impl AuthOp {
    /// Where the same is asked over JSON, and how.
    pub fn gateway(&self) -> (&'static str, Value) {
        let body = |message: serde_json::Result<Value>| message.unwrap_or_default();
        match self {
            AuthOp::Enable => ("/v3/auth/enable", json!({})),
            AuthOp::Disable => ("/v3/auth/disable", json!({})),
            AuthOp::Status => ("/v3/auth/status", json!({})),
            AuthOp::UserList => ("/v3/auth/user/list", json!({})),
            AuthOp::RoleList => ("/v3/auth/role/list", json!({})),
            AuthOp::Authenticate(r) => ("/v3/auth/authenticate", body(serde_json::to_value(r))),
            AuthOp::RoleGet(r) => ("/v3/auth/role/get", body(serde_json::to_value(r))),
            AuthOp::UserAdd(r) => ("/v3/auth/user/add", body(serde_json::to_value(r))),
            AuthOp::UserGet(r) => ("/v3/auth/user/get", body(serde_json::to_value(r))),
            AuthOp::UserDelete(r) => ("/v3/auth/user/delete", body(serde_json::to_value(r))),
            AuthOp::UserChangePassword(r) => ("/v3/auth/user/changepw", body(serde_json::to_value(r))),
            AuthOp::UserGrantRole(r) => ("/v3/auth/user/grant", body(serde_json::to_value(r))),
            AuthOp::UserRevokeRole(r) => ("/v3/auth/user/revoke", body(serde_json::to_value(r))),
            AuthOp::RoleAdd(r) => ("/v3/auth/role/add", body(serde_json::to_value(r))),
            AuthOp::RoleDelete(r) => ("/v3/auth/role/delete", body(serde_json::to_value(r))),
            AuthOp::RoleGrantPermission(r) => ("/v3/auth/role/grant", body(serde_json::to_value(r))),
            AuthOp::RoleRevokePermission(r) => ("/v3/auth/role/revoke", body(serde_json::to_value(r))),
        }
    }
}

/// The generator.
#[derive(Debug, Default)]
pub struct RandomUsers {
    /// What was asked to be granted, to revoke it sometimes.
    granted: Vec<(String, Permission)>,
}

impl RandomUsers {
    /// The next request. Authentication is neither turned on nor off by it; that is up to the caller.
    pub fn op(&mut self, random: &mut Random) -> AuthOp {
        match random.below(100) {
            0..12 => AuthOp::UserAdd(random.user_add()),
            12..16 => AuthOp::UserDelete(AuthUserDeleteRequest { name: random.user() }),
            16..22 => AuthOp::UserChangePassword(random.user_change_password()),
            22..38 => AuthOp::UserGrantRole(AuthUserGrantRoleRequest { user: random.user(), role: random.role() }),
            38..44 => AuthOp::UserRevokeRole(AuthUserRevokeRoleRequest { name: random.user(), role: random.role() }),
            44..54 => AuthOp::RoleAdd(AuthRoleAddRequest { name: random.role() }),
            54..57 => AuthOp::RoleDelete(AuthRoleDeleteRequest { role: random.role() }),
            57..77 => {
                let (name, perm) = (random.role(), random.permission());
                self.granted.extend(perm.clone().map(|perm| (name.clone(), perm)));
                AuthOp::RoleGrantPermission(AuthRoleGrantPermissionRequest { name, perm })
            }
            77..83 => AuthOp::RoleRevokePermission(self.revocation(random)),
            83..88 => AuthOp::UserGet(AuthUserGetRequest { name: random.user() }),
            88..93 => AuthOp::RoleGet(AuthRoleGetRequest { role: random.role() }),
            93..95 => AuthOp::UserList,
            95..97 => AuthOp::RoleList,
            _ => AuthOp::Status,
        }
    }

    fn revocation(&mut self, random: &mut Random) -> AuthRoleRevokePermissionRequest {
        let once = match self.granted.len() {
            0 => None,
            len => Some(self.granted[random.below(len)].clone()),
        };
        let (role, perm) = match once.filter(|_| !random.one_in(4)) {
            Some((role, perm)) => (role, perm),
            None => (random.role(), random.permission().unwrap_or_default()),
        };
        AuthRoleRevokePermissionRequest { role, key: perm.key, range_end: perm.range_end }
    }
}

impl Random {
    /// The name of somebody who may be a user.
    pub fn user(&mut self) -> String {
        match self.below(30) {
            0 => String::new(),
            1..4 => "root".to_owned(),
            _ => self.pick(&USERS).to_owned(),
        }
    }

    fn role(&mut self) -> String {
        match self.below(30) {
            0 => String::new(),
            1..3 => "root".to_owned(),
            _ => self.pick(&ROLES).to_owned(),
        }
    }

    /// A password for somebody.
    pub fn password(&mut self) -> String {
        if self.one_in(30) {
            return "p".repeat(self.pick(&[72, 73, 100]));
        }
        self.pick(&["p1", "p2", "p3", ""]).to_owned()
    }

    fn user_add(&mut self) -> AuthUserAddRequest {
        let no_password = self.one_in(8);
        let options = (no_password || self.one_in(3)).then_some(UserAddOptions { no_password });
        AuthUserAddRequest { name: self.user(), password: self.password(), options, hashed_password: String::new() }
    }

    /// Root keeps one that there is, or nobody would be in charge any more.
    fn user_change_password(&mut self) -> AuthUserChangePasswordRequest {
        let (name, mut password) = (self.user(), self.password());
        if name == "root" && password.is_empty() {
            password.push('p');
        }
        AuthUserChangePasswordRequest { name, password, hashed_password: String::new() }
    }

    /// Leave to read or write some keys.
    ///
    /// Who is granted the same keys a second time, for another kind of access, has both with etcd unless these keys were the first
    /// of all grants that begin at the same key. So the kind goes by the keys, except where no other grant can be before it.
    fn permission(&mut self) -> Option<Permission> {
        if self.one_in(40) {
            return None;
        }
        let key = self.key_or_none();
        if key.starts_with(b"d") {
            return Some(Permission { perm_type: self.pick(&[0, 1, 2]), key, range_end: Bytes::new() });
        }
        let range_end = self.any_end(&key);
        let sum: i32 = key.iter().chain(&range_end).map(|byte| i32::from(*byte)).sum();
        Some(Permission { perm_type: sum % 3, key, range_end })
    }
}
