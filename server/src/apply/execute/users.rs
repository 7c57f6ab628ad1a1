//! What the commands for users and roles do. That their authors may is known here.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_storage::auth::{AuthError, Edit, Grant};
use keyport_storage::backend::{Applied, Batch};

use super::super::command::Entrance;
use super::super::error::OpError;
use super::Reply;
use crate::auth::passwords;
use crate::state::State;

type Outcome = Result<Reply, OpError>;

fn change<T>(
    state: &State,
    batch: &mut Batch,
    change: impl FnOnce(&mut Edit<'_>) -> Result<T, AuthError>,
) -> Result<T, OpError> {
    let outcome = state.auth.change(batch, change)?;
    state.rules_changed.happened();
    Ok(outcome)
}

pub(super) fn enable(state: &State, batch: &mut Batch) -> Outcome {
    change(state, batch, |edit| edit.enable())?;
    tracing::info!(auth_revision = state.auth.revision(), "enabled authentication");
    Ok(Reply::AuthEnable(()))
}

pub(super) fn disable(state: &State, batch: &mut Batch) -> Outcome {
    change(state, batch, |edit| {
        edit.disable();
        Ok(())
    })?;
    state.tokens.forget_all();
    tracing::info!(auth_revision = state.auth.revision(), "disabled authentication");
    Ok(Reply::AuthDisable(()))
}

pub(super) fn status(state: &State) -> Reply {
    let (enabled, auth_revision) = state.auth.with(|policy| (policy.is_enabled(), policy.revision()));
    Reply::AuthStatus(AuthStatusResponse { header: None, enabled, auth_revision })
}

/// # Errors
/// `AuthNotEnabled`; `AuthFailed` for who is no user any more.
pub(super) fn authenticate(state: &State, request: &InternalAuthenticateRequest, entry: Applied) -> Outcome {
    let auth_revision = state.auth.with(|policy| {
        if !policy.is_enabled() {
            return Err(Error::AuthNotEnabled);
        }
        let account = policy.user(&request.name).ok_or(Error::AuthFailed)?;
        account.password_hash().map(|_| policy.revision()).ok_or(Error::NoPasswordUser)
    })?;
    state.tokens.enter(&request.name, &request.simple_token, entry.index);
    Ok(Reply::Authenticate(Entrance { auth_revision, index: entry.index }))
}

pub(super) fn user_add(state: &State, batch: &mut Batch, request: &AuthUserAddRequest) -> Outcome {
    let AuthUserAddRequest { name, password, options, hashed_password } = request;
    let no_password = options.is_some_and(|options| options.no_password);
    change(state, batch, |edit| edit.user_add(name, no_password, || passwords::of_entry(password, hashed_password)))?;
    tracing::info!(user = name, "added a user");
    Ok(Reply::AuthUserAdd(()))
}

pub(super) fn user_delete(state: &State, batch: &mut Batch, request: &AuthUserDeleteRequest) -> Outcome {
    change(state, batch, |edit| edit.user_delete(&request.name))?;
    state.tokens.forget_user(&request.name);
    tracing::info!(user = request.name, "deleted a user");
    Ok(Reply::AuthUserDelete(()))
}

pub(super) fn user_change_password(
    state: &State,
    batch: &mut Batch,
    request: &AuthUserChangePasswordRequest,
) -> Outcome {
    let AuthUserChangePasswordRequest { name, password, hashed_password } = request;
    change(state, batch, |edit| edit.user_change_password(name, || passwords::of_entry(password, hashed_password)))?;
    state.tokens.forget_user(name);
    tracing::info!(user = name, "changed the password of a user");
    Ok(Reply::AuthUserChangePassword(()))
}

pub(super) fn user_get(state: &State, request: &AuthUserGetRequest) -> Outcome {
    let roles = state.auth.with(|policy| policy.user(&request.name).map(|account| account.roles().to_vec()));
    let roles = roles.ok_or(AuthError::UserNotFound)?;
    Ok(Reply::AuthUserGet(AuthUserGetResponse { header: None, roles }))
}

pub(super) fn user_list(state: &State) -> Reply {
    let users = state.auth.with(|policy| policy.users().collect());
    Reply::AuthUserList(AuthUserListResponse { header: None, users })
}

pub(super) fn user_grant_role(state: &State, batch: &mut Batch, request: &AuthUserGrantRoleRequest) -> Outcome {
    let AuthUserGrantRoleRequest { user, role } = request;
    if change(state, batch, |edit| edit.user_grant_role(user, role))? == Grant::Granted {
        tracing::info!(user, role, "granted a role to a user");
    }
    Ok(Reply::AuthUserGrantRole(()))
}

pub(super) fn user_revoke_role(state: &State, batch: &mut Batch, request: &AuthUserRevokeRoleRequest) -> Outcome {
    let AuthUserRevokeRoleRequest { name, role } = request;
    change(state, batch, |edit| edit.user_revoke_role(name, role))?;
    tracing::info!(user = name, role, "revoked a role of a user");
    Ok(Reply::AuthUserRevokeRole(()))
}

pub(super) fn role_add(state: &State, batch: &mut Batch, request: &AuthRoleAddRequest) -> Outcome {
    change(state, batch, |edit| edit.role_add(&request.name))?;
    tracing::info!(role = request.name, "added a role");
    Ok(Reply::AuthRoleAdd(()))
}

pub(super) fn role_get(state: &State, request: &AuthRoleGetRequest) -> Outcome {
    let perm = state.auth.with(|policy| policy.role(&request.role)).ok_or(AuthError::RoleNotFound)?;
    Ok(Reply::AuthRoleGet(AuthRoleGetResponse { header: None, perm }))
}

pub(super) fn role_list(state: &State) -> Reply {
    let roles = state.auth.with(|policy| policy.roles().collect());
    Reply::AuthRoleList(AuthRoleListResponse { header: None, roles })
}

pub(super) fn role_delete(state: &State, batch: &mut Batch, request: &AuthRoleDeleteRequest) -> Outcome {
    change(state, batch, |edit| edit.role_delete(&request.role))?;
    tracing::info!(role = request.role, "deleted a role");
    Ok(Reply::AuthRoleDelete(()))
}

pub(super) fn role_grant_permission(
    state: &State,
    batch: &mut Batch,
    AuthRoleGrantPermissionRequest { name, perm }: AuthRoleGrantPermissionRequest,
) -> Outcome {
    change(state, batch, |edit| edit.role_grant_permission(&name, perm))?;
    tracing::info!(role = name, "granted a permission to a role");
    Ok(Reply::AuthRoleGrantPermission(()))
}

pub(super) fn role_revoke_permission(
    state: &State,
    batch: &mut Batch,
    request: &AuthRoleRevokePermissionRequest,
) -> Outcome {
    let AuthRoleRevokePermissionRequest { role, key, range_end } = request;
    change(state, batch, |edit| edit.role_revoke_permission(role, key, range_end))?;
    tracing::info!(role, "revoked a permission of a role");
    Ok(Reply::AuthRoleRevokePermission(()))
}
