//! `/v3/users` and `/v3/authentication`: who may come in, and whether anybody is asked.

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{Response, StatusCode};
use keyport_api::authpb::UserAddOptions;
use keyport_api::etcdserverpb::*;
use keyport_openapi::endpoints::Resource;
use serde::Deserialize;
use serde_json::json;

use super::failure::Failure;
use super::{address, permissions, shown};
use crate::calls::{Caller, Calls};
use crate::faces::fields::{self, Confidential};
use crate::faces::text::GatewayBody;

const USERS: &str = "/v3/users/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
    password: Option<String>,
    #[serde(default)]
    no_password: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

impl Confidential for NewUser {
    const WANTED: &str = "; its fields are name, password and no_password";
}

impl Confidential for NewPassword {
    const WANTED: &str = "; its field is password";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authentication {
    enabled: bool,
}

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<GatewayBody>, Failure> {
    let auth = &calls.auth;
    let mut names = address::parts(&parts.uri, USERS)?.into_iter();
    let (user, role) = (names.next().unwrap_or_default(), names.nth(1).unwrap_or_default());
    match resource {
        Resource::Users => {
            let users = auth.user_list(caller, AuthUserListRequest {}).await?.users;
            let users: Vec<_> = users.into_iter().map(|name| json!({ "name": name })).collect();
            return Ok(shown::document(&json!({ "users": users })));
        }
        Resource::UserAdd => return add(calls, caller, &body).await,
        Resource::User => {
            let roles = auth.user_get(caller, AuthUserGetRequest { name: user.clone() }).await?.roles;
            return Ok(shown::document(&json!({ "name": user, "roles": roles })));
        }
        Resource::UserPermissions => return permissions::answer(calls, caller, user, parts).await,
        Resource::UserRemove => drop(auth.user_delete(caller, AuthUserDeleteRequest { name: user }).await?),
        Resource::UserPassword => {
            let NewPassword { password } = fields::read_confidential(&body)?;
            if password.is_empty() {
                return Err(Failure::Malformed("password is empty".into()));
            }
            let request = AuthUserChangePasswordRequest { name: user, password, ..Default::default() };
            auth.user_change_password(caller, request).await?;
        }
        Resource::UserGrant => drop(auth.user_grant_role(caller, AuthUserGrantRoleRequest { user, role }).await?),
        Resource::UserRevoke => {
            auth.user_revoke_role(caller, AuthUserRevokeRoleRequest { name: user, role }).await?;
        }
        Resource::AuthenticationSet => {
            let Authentication { enabled } = fields::read(&body)?;
            if enabled {
                auth.auth_enable(caller, AuthEnableRequest {}).await?;
            } else {
                auth.auth_disable(caller, AuthDisableRequest {}).await?;
            }
        }
        _ => {
            let status = auth.auth_status(caller, AuthStatusRequest {}).await?;
            let revision = status.auth_revision.to_string();
            return Ok(shown::document(&json!({ "enabled": status.enabled, "revision": revision })));
        }
    }
    Ok(shown::nothing())
}

async fn add(calls: &Calls, caller: &Caller, body: &Bytes) -> Result<Response<GatewayBody>, Failure> {
    let NewUser { name, password, no_password } = fields::read_confidential(body)?;
    if name.is_empty() {
        return Err(Failure::Malformed("name is empty".into()));
    }
    let password = match (password, no_password) {
        (Some(password), false) if !password.is_empty() => password,
        (None, true) => String::new(),
        _ => return Err(Failure::Malformed("a user has a password, or no_password is true".into())),
    };
    let options = Some(UserAddOptions { no_password });
    let request = AuthUserAddRequest { name: name.clone(), password, options, ..Default::default() };
    calls.auth.user_add(caller, request).await?;
    let mut response = shown::document(&json!({ "name": name, "roles": [] }));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(LOCATION, address::part_of(USERS, &name));
    Ok(response)
}
