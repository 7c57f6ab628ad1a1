//! What the checks have seen of a member's log already.

/// The part of a member's log that was looked at.
#[derive(Debug, Default)]
pub(super) struct KnownLog {
    /// Terms, from index 1; 0 where not known.
    pub(super) terms: Vec<u64>,
    pub(super) commit: u64,
}
