//! What the rules of users and roles refuse, in the words that clients know.

use keyport_api::error::Error;
use keyport_storage::auth::AuthError;

pub(crate) fn refused(error: AuthError) -> Error {
    match error {
        AuthError::RootUserNotExist => Error::RootUserNotExist,
        AuthError::RootRoleNotExist => Error::RootRoleNotExist,
        AuthError::UserAlreadyExist => Error::UserAlreadyExist,
        AuthError::UserEmpty => Error::UserEmpty,
        AuthError::UserNotFound => Error::UserNotFound,
        AuthError::RoleAlreadyExist => Error::RoleAlreadyExist,
        AuthError::RoleNotFound => Error::RoleNotFound,
        AuthError::RoleEmpty => Error::RoleEmpty,
        AuthError::PermissionNotGiven => Error::PermissionNotGiven,
        AuthError::RoleNotGranted => Error::RoleNotGranted,
        AuthError::PermissionNotGranted => Error::PermissionNotGranted,
        AuthError::PermissionDenied => Error::PermissionDenied,
        AuthError::InvalidAuthMgmt => Error::InvalidAuthMgmt,
        AuthError::OldRevision => Error::AuthOldRevision,
        AuthError::NoPasswordUser => Error::NoPasswordUser,
    }
}
