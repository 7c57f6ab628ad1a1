//! Bugs that tests switch on, to see that the simulation finds them.
//!
//! A bug belongs where it could be made, in the middle of what Raft and the log do. So that this code stays one plain
//! function, it asks [`Plants`] in an ordinary condition, and nothing else there depends on how it is built. Without the
//! simulation [`Plants`] is of no size and has nothing, which the compiler knows: the branch is left out.

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plant {
    /// None.
    #[default]
    Nothing,
    /// Entries count as persisted before they are synced.
    AckBeforeSync,
    /// A restart applies the last entry again.
    ApplyTwice,
    /// Every ReadIndex round has the same context.
    ReuseReadContext,
    /// Messages of older terms count as of the current one.
    SkipTermCheck,
    /// A leader answers reads without asking the others whether it still leads.
    UnconfirmedRead,
    /// A membership change takes effect when it is written, not when it is committed.
    ConfChangeOnAppend,
    /// A snapshot is installed without having been recorded in the log.
    SnapshotWithoutRecord,
    /// A restart forgets whom the member has voted for.
    ForgetVote,
    /// A start syncs the log that it can read, but does not write it again: after a failed sync that keeps nothing.
    TrustAfterFailedSync,
    /// The only voter reads its state at once, whatever of the log is not applied yet.
    ReadUnapplied,
    /// Others are told that entries are committed before this process can know it.
    CommitToldLate,
    /// What a leader decided waits for the next leader, or is passed on to it, like what clients propose.
    HeldDecision,
    /// A snapshot is promised up to what was delivered, which may be more than any image has.
    PromiseDelivered,
    /// A member without room for entries refuses questions for the read index as well.
    FullRefusesReads,
    /// A lease is renewed, whatever of the log is not applied yet.
    RenewUnapplied,
}

/// What is planted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plants {
    #[cfg(any(test, feature = "sim"))]
    planted: Plant,
}

#[cfg(not(any(test, feature = "sim")))]
impl Plants {
    /// Whether this bug is: never.
    #[inline(always)]
    pub(crate) const fn has(self, _: Plant) -> bool {
        false
    }
}

#[cfg(not(any(test, feature = "sim")))]
const _: () = assert!(size_of::<Plants>() == 0, "nothing is planted in what is released");

#[cfg(any(test, feature = "sim"))]
impl Plants {
    /// Plants one bug.
    pub fn only(planted: Plant) -> Plants {
        Plants { planted }
    }

    /// Whether this bug is.
    pub(crate) fn has(self, plant: Plant) -> bool {
        self.planted == plant
    }
}

#[cfg(any(test, feature = "sim"))]
impl Plant {
    /// All bugs.
    pub const ALL: [Plant; 15] = [
        Plant::AckBeforeSync,
        Plant::ApplyTwice,
        Plant::ReuseReadContext,
        Plant::SkipTermCheck,
        Plant::UnconfirmedRead,
        Plant::ConfChangeOnAppend,
        Plant::SnapshotWithoutRecord,
        Plant::ForgetVote,
        Plant::TrustAfterFailedSync,
        Plant::ReadUnapplied,
        Plant::CommitToldLate,
        Plant::HeldDecision,
        Plant::PromiseDelivered,
        Plant::FullRefusesReads,
        Plant::RenewUnapplied,
    ];
}
