//! Why a change of users and roles, or a call of a user, is refused.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    #[error("root user does not exist")]
    RootUserNotExist,
    #[error("root user does not have root role")]
    RootRoleNotExist,
    #[error("user name already exists")]
    UserAlreadyExist,
    /// Also for a call by nobody, where somebody is needed.
    #[error("user name is empty")]
    UserEmpty,
    #[error("user name not found")]
    UserNotFound,
    #[error("role name already exists")]
    RoleAlreadyExist,
    #[error("role name not found")]
    RoleNotFound,
    #[error("role name is empty")]
    RoleEmpty,
    #[error("permission not given")]
    PermissionNotGiven,
    #[error("role is not granted to the user")]
    RoleNotGranted,
    #[error("permission is not granted to the role")]
    PermissionNotGranted,
    #[error("permission denied")]
    PermissionDenied,
    /// What would leave nobody in charge, and a range that is none.
    #[error("invalid auth management")]
    InvalidAuthMgmt,
    /// The caller was found to be who he is before the last change.
    #[error("revision of auth store is old")]
    OldRevision,
    /// A hash that cannot be read.
    #[error("password was given for no password user")]
    NoPasswordUser,
}
