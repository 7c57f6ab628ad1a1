//! `etcdserverpb.Auth`: users, roles, and who is who.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;
use keyport_storage::KeyRange;
use keyport_storage::auth::Access;

use super::{Desk, note};
use crate::apply::waiters::Answer;
use crate::auth::{Line, Login, Logins, Secret};
use crate::gate::{Caller, Pass};

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Auth {
    desk: Desk,
    logins: Logins,
}

/// A user, and what he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub roles: Vec<String>,
}

/// What a user may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    pub(crate) roles: Vec<String>,
    /// Ranges that neither touch nor overlap.
    pub(crate) read: Vec<KeyRange>,
    pub(crate) write: Vec<KeyRange>,
    /// With the keys that were asked for; none if none were.
    pub(crate) may_read: Option<bool>,
    pub(crate) may_write: Option<bool>,
}

impl Auth {
    pub(super) fn new(desk: Desk, logins: Logins) -> Auth {
        Auth { desk, logins }
    }

    /// # Errors
    /// As the RPC.
    pub async fn authenticate(
        &self,
        caller: &Caller,
        AuthenticateRequest { name, password }: AuthenticateRequest,
    ) -> Result<AuthenticateResponse, Error> {
        let node = &self.desk.node;
        if let Some(trail) = caller.trail() {
            trail.set_claimed_user(&name);
        }
        let login = self.logins.login(name, &password);
        // Whoever waits for his turn does not hold what he sent meanwhile.
        drop(password);
        let pass = self.desk.gate.admit(caller, Method::Authenticate)?;
        node.read_barrier().await?;
        loop {
            let known = self.logins.check(&login, caller.from()).await?.auth_revision;
            if let Some(trail) = caller.trail() {
                trail.user_is_proven();
            }
            let seed = node.state().tokens.seed();
            let request = InternalAuthenticateRequest {
                name: login.user.to_string(),
                password: String::new(),
                simple_token: seed.clone(),
            };
            let Answer { revision, reply } = node.propose(&pass, request).await?;
            if reply.auth_revision != known {
                // The password may be another one since.
                continue;
            }
            let (signing, user) = (node.clone(), login.user.clone());
            let issue = move || signing.state().tokens.issue(&user, reply.auth_revision, &seed, reply.index);
            let line = self.logins.line(caller.from(), Some(&login.user));
            let token = self.logins.passwords().aside(line, issue).await??;
            return Ok(AuthenticateResponse { header: Some(node.header(revision)), token });
        }
    }

    /// # Errors
    /// As the RPC.
    pub async fn user_add(&self, caller: &Caller, request: AuthUserAddRequest) -> Result<AuthUserAddResponse, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::UserAdd)?;
        let AuthUserAddRequest { name, password, options, .. } = request;
        let hashed_password = match options {
            Some(options) if options.no_password => String::new(),
            _ => self.logins.passwords().hash(self.line(caller), password).await?,
        };
        let request = AuthUserAddRequest { name, password: String::new(), options, hashed_password };
        let header = self.change(&pass, request).await?;
        Ok(AuthUserAddResponse { header })
    }

    /// # Errors
    /// As the RPC.
    pub async fn user_change_password(
        &self,
        caller: &Caller,
        request: AuthUserChangePasswordRequest,
    ) -> Result<AuthUserChangePasswordResponse, Error> {
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::UserChangePassword)?;
        let AuthUserChangePasswordRequest { name, password, hashed_password } = request;
        // A hash can be given in place of a password, and is taken as it is. With neither of them nobody can log in any more.
        let hashed_password = match password.is_empty() {
            true => hashed_password,
            false => self.logins.passwords().hash(self.line(caller), password).await?,
        };
        let request = AuthUserChangePasswordRequest { name, password: String::new(), hashed_password };
        let header = self.change(&pass, request).await?;
        Ok(AuthUserChangePasswordResponse { header })
    }

    /// Who the caller is; nobody where nobody is asked.
    ///
    /// # Errors
    /// `InvalidAuthToken`, `UserEmpty` for who says nothing of himself.
    #[expect(clippy::unused_async, reason = "a call like the others")]
    pub async fn whoami(&self, caller: &Caller) -> Result<Option<Account>, Error> {
        let pass = self.desk.gate.admit(caller, Method::AuthStatus)?;
        let enabled = self.desk.node.state().auth.is_enabled();
        let author = pass.caller().author().filter(|_| enabled);
        match author {
            Some(author) => {
                let roles = author.roles.map(|roles| roles.iter().map(|role| role.to_string()).collect());
                let roles = roles.unwrap_or_else(|| self.roles_of(&author.user));
                Ok(Some(Account { roles, name: author.user.to_string() }))
            }
            None if enabled => Err(Error::UserEmpty),
            None => Ok(None),
        }
    }

    /// The roles of a user; none if there is no such user.
    pub fn roles_of(&self, user: &str) -> Vec<String> {
        let auth = &self.desk.node.state().auth;
        auth.with(|policy| policy.user(user).map(|account| account.roles().to_vec())).unwrap_or_default()
    }

    /// What a user may, and whether he may do it with a range of keys, if one is asked for. For root, and for himself.
    ///
    /// # Errors
    /// As [`Auth::user_get`].
    pub(crate) async fn permissions(
        &self,
        caller: &Caller,
        name: String,
        asked: Option<KeyRange>,
    ) -> Result<Permissions, Error> {
        let request = AuthUserGetRequest { name };
        note(caller, &request);
        let pass = self.desk.gate.admit(caller, Method::UserGet)?;
        self.desk.allow_as_of_now(&pass, &request).await?;
        self.desk.node.read_barrier().await?;
        let permissions = self.desk.node.state().auth.with(|policy| {
            let account = policy.user(&request.name)?;
            let may = |access| asked.as_ref().map(|range| account.may(access, range));
            Some(Permissions {
                roles: account.roles().to_vec(),
                read: account.keys(Access::Read),
                write: account.keys(Access::Write),
                may_read: may(Access::Read),
                may_write: may(Access::Write),
            })
        });
        permissions.ok_or(Error::UserNotFound)
    }

    /// Changes the password of the caller, who knows the old one.
    ///
    /// # Errors
    /// `AuthNotEnabled`, `UserEmpty`, `AuthFailed`; as [`Auth::user_change_password`].
    pub async fn change_own_password(&self, caller: &Caller, old: &str, new: String) -> Result<(), Error> {
        let pass = self.desk.gate.admit(caller, Method::AuthStatus)?;
        let auth = &self.desk.node.state().auth;
        if !auth.is_enabled() {
            return Err(Error::AuthNotEnabled);
        }
        let author = pass.caller().author().ok_or(Error::UserEmpty)?;
        let login = Login { user: (&*author.user).into(), password: Secret::new(old) };
        let proof = self.logins.check(&login, caller.from()).await?;
        let hashed_password = self.logins.passwords().hash(self.line(caller), new).await?;
        // Hashing takes long, and somebody may have changed it for him meanwhile, by another member, too. Who does so from here on
        // until the entry is in the log is overwritten: it has no way to say which password it is to replace.
        self.desk.node.read_barrier().await?;
        auth.with(|policy| proof.author(policy)).ok_or(Error::AuthFailed)?;
        let name = author.user.to_string();
        let request = AuthUserChangePasswordRequest { name, password: String::new(), hashed_password };
        self.change(&Pass::internal("a user's own password").on_trail_of(caller), request).await?;
        Ok(())
    }

    /// Ends tokens, for whoever has them, at this member: others know them until they were not used for long, and one that is
    /// signed is good for as long as it says.
    pub fn log_out(&self, tokens: impl Iterator<Item = Secret>) {
        tokens.for_each(|token| self.desk.node.state().tokens.forget(token.as_str()));
    }

    /// The line of who is known by now.
    fn line(&self, caller: &Caller) -> Line {
        let author = caller.author().filter(|_| caller.is_user());
        self.logins.line(caller.from(), author.as_ref().map(|author| &*author.user))
    }

    async fn change<R>(&self, pass: &Pass, request: R) -> Result<Option<ResponseHeader>, Error>
    where
        R: crate::apply::Replicated<Reply = ()> + crate::auth::Needs + crate::audit::Subject + Clone + Send + Sync,
    {
        let Answer { revision, reply: () } = self.desk.propose(pass, request).await?;
        Ok(Some(self.desk.node.header(revision)))
    }
}

/// Calls that are one entry of the log, and come to nothing else than that.
macro_rules! changes {
    ($($call:ident: $method:ident($Request:ty) -> $Response:ident;)*) => {
        impl Auth {
            $(
                /// # Errors
                /// As the RPC.
                pub async fn $call(&self, caller: &Caller, request: $Request) -> Result<$Response, Error> {
                    note(caller, &request);
                    let pass = self.desk.gate.admit(caller, Method::$method)?;
                    let header = self.change(&pass, request).await?;
                    Ok($Response { header })
                }
            )*
        }
    };
}

/// Calls that are one entry of the log, and answered by what it found.
macro_rules! looks {
    ($($call:ident: $method:ident($Request:ty) -> $Response:ident;)*) => {
        impl Auth {
            $(
                /// # Errors
                /// As the RPC.
                pub async fn $call(&self, caller: &Caller, request: $Request) -> Result<$Response, Error> {
                    note(caller, &request);
                    let pass = self.desk.gate.admit(caller, Method::$method)?;
                    let Answer { revision, reply } = self.desk.propose(&pass, request).await?;
                    Ok($Response { header: Some(self.desk.node.header(revision)), ..reply })
                }
            )*
        }
    };
}

changes! {
    auth_enable: AuthEnable(AuthEnableRequest) -> AuthEnableResponse;
    auth_disable: AuthDisable(AuthDisableRequest) -> AuthDisableResponse;
    user_delete: UserDelete(AuthUserDeleteRequest) -> AuthUserDeleteResponse;
    user_grant_role: UserGrantRole(AuthUserGrantRoleRequest) -> AuthUserGrantRoleResponse;
    user_revoke_role: UserRevokeRole(AuthUserRevokeRoleRequest) -> AuthUserRevokeRoleResponse;
    role_add: RoleAdd(AuthRoleAddRequest) -> AuthRoleAddResponse;
    role_delete: RoleDelete(AuthRoleDeleteRequest) -> AuthRoleDeleteResponse;
    role_grant_permission: RoleGrantPermission(AuthRoleGrantPermissionRequest) -> AuthRoleGrantPermissionResponse;
    role_revoke_permission: RoleRevokePermission(AuthRoleRevokePermissionRequest) -> AuthRoleRevokePermissionResponse;
}

looks! {
    auth_status: AuthStatus(AuthStatusRequest) -> AuthStatusResponse;
    user_get: UserGet(AuthUserGetRequest) -> AuthUserGetResponse;
    user_list: UserList(AuthUserListRequest) -> AuthUserListResponse;
    role_get: RoleGet(AuthRoleGetRequest) -> AuthRoleGetResponse;
    role_list: RoleList(AuthRoleListRequest) -> AuthRoleListResponse;
}
