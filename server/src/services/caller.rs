//! What the metadata of a call says of its caller.

use http::HeaderMap;
use keyport_api::error::Error;

use crate::node::Node;

/// Refuses a caller who would rather be refused than be served by a member without a leader.
///
/// # Errors
/// `NoLeader`.
pub(crate) fn admit(node: &Node, metadata: &HeaderMap) -> Result<(), Error> {
    if wants_leader(metadata) { node.require_leader() } else { Ok(()) }
}

/// Whether the call carries `hasleader: true`.
pub(crate) fn wants_leader(metadata: &HeaderMap) -> bool {
    metadata.get("hasleader").is_some_and(|value| value == "true")
}
