//! Bugs that tests switch on, to see that the simulation finds them. In a build without the simulation there are none, and
//! nothing of them is left.

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

impl Plants {
    /// Whether this bug is.
    #[inline]
    pub(crate) fn has(self, plant: Plant) -> bool {
        #[cfg(any(test, feature = "sim"))]
        let planted = self.planted == plant;
        #[cfg(not(any(test, feature = "sim")))]
        let planted = {
            let _ = plant;
            false
        };
        planted
    }
}

#[cfg(any(test, feature = "sim"))]
impl Plants {
    /// Plants one bug.
    pub fn only(planted: Plant) -> Plants {
        Plants { planted }
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
