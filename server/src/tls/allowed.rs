//! Whom a certificate may name, besides being vouched for.

use std::sync::Arc;

use rustls::{Error, OtherError};

use super::certificate::Certificate;
use crate::config::Allowed;

/// The certificate is good, and its holder not wanted.
#[derive(Debug, thiserror::Error)]
#[error("client certificate authentication failed")]
struct NotAllowed;

/// # Errors
/// When there are lists, and no entry fits.
pub(super) fn check(allowed: &Allowed, certificate: &Certificate) -> Result<(), Error> {
    let Allowed { common_names, hosts } = allowed;
    let fits = (common_names.is_empty() || common_names.contains(&certificate.common_name))
        && (hosts.is_empty() || hosts.iter().any(|host| certificate.is_for_host(host)));
    if fits { Ok(()) } else { Err(OtherError(Arc::new(NotAllowed)).into()) }
}
