//! `etcdserverpb.Auth`: users and roles, which a later release brings.

use keyport_api::error::Error;
use keyport_api::etcdserverpb::*;
use keyport_api::methods::Method;

use super::Desk;
use crate::gate::Caller;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Auth {
    desk: Desk,
}

macro_rules! not_built {
    ($($call:ident: $method:ident($Request:ty) -> $Response:ty;)*) => {
        impl Auth {
            pub(super) fn new(desk: Desk) -> Auth {
                Auth { desk }
            }

            $(
                /// # Errors
                /// Always: it is not built yet.
                pub async fn $call(&self, caller: &Caller, _: $Request) -> Result<$Response, Error> {
                    self.desk.gate.admit(caller, Method::$method)?;
                    Err(Error::NotBuilt)
                }
            )*
        }
    };
}

not_built! {
    auth_enable: AuthEnable(AuthEnableRequest) -> AuthEnableResponse;
    auth_disable: AuthDisable(AuthDisableRequest) -> AuthDisableResponse;
    auth_status: AuthStatus(AuthStatusRequest) -> AuthStatusResponse;
    authenticate: Authenticate(AuthenticateRequest) -> AuthenticateResponse;
    user_add: UserAdd(AuthUserAddRequest) -> AuthUserAddResponse;
    user_get: UserGet(AuthUserGetRequest) -> AuthUserGetResponse;
    user_list: UserList(AuthUserListRequest) -> AuthUserListResponse;
    user_delete: UserDelete(AuthUserDeleteRequest) -> AuthUserDeleteResponse;
    user_change_password: UserChangePassword(AuthUserChangePasswordRequest) -> AuthUserChangePasswordResponse;
    user_grant_role: UserGrantRole(AuthUserGrantRoleRequest) -> AuthUserGrantRoleResponse;
    user_revoke_role: UserRevokeRole(AuthUserRevokeRoleRequest) -> AuthUserRevokeRoleResponse;
    role_add: RoleAdd(AuthRoleAddRequest) -> AuthRoleAddResponse;
    role_get: RoleGet(AuthRoleGetRequest) -> AuthRoleGetResponse;
    role_list: RoleList(AuthRoleListRequest) -> AuthRoleListResponse;
    role_delete: RoleDelete(AuthRoleDeleteRequest) -> AuthRoleDeleteResponse;
    role_grant_permission: RoleGrantPermission(AuthRoleGrantPermissionRequest) -> AuthRoleGrantPermissionResponse;
    role_revoke_permission: RoleRevokePermission(AuthRoleRevokePermissionRequest) -> AuthRoleRevokePermissionResponse;
}
