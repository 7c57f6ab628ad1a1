//! Whole members under one seeded scheduler: simulated disks, network and clock around the real driver, log and turn.
//!
//! Everything that happens follows from the seed, so a run that breaks an invariant can be repeated exactly. Only built
//! for tests (feature `sim`).

mod cluster;
mod disk;
pub mod history;
mod machine;
mod weather;

pub use crate::random::Random;
pub use cluster::{Simulation, SimulationOptions, Summary, Violation};
pub use disk::{Faults, Keep, SimDisk};

/// A bug that tests switch on, to see that the simulation finds it.
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
}

impl Plant {
    /// All bugs.
    pub const ALL: [Plant; 8] = [
        Plant::AckBeforeSync,
        Plant::ApplyTwice,
        Plant::ReuseReadContext,
        Plant::SkipTermCheck,
        Plant::UnconfirmedRead,
        Plant::ConfChangeOnAppend,
        Plant::SnapshotWithoutRecord,
        Plant::ForgetVote,
    ];
}
