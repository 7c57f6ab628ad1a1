//! What goes into a run, and what comes out.

use std::fmt;
use std::ops::AddAssign;

use crate::sim::{Plant, Random};

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// Initial members.
    pub members: u64,
    /// Members that may be added later. With any, the membership changes in the run; without, it never does.
    pub spares: u64,
    /// Clients, each with one operation at a time.
    pub clients: usize,
    /// Things that happen before calm returns.
    pub steps: usize,
    /// Applied entries between two snapshots.
    pub snapshot_count: u64,
    /// Entries kept for followers that are behind.
    pub catchup_entries: u64,
    /// Whether candidates ask first whether they could win.
    pub pre_vote: bool,
    /// A bug to find.
    pub plant: Plant,
    /// Print what happens.
    pub trace: bool,
}

impl SimulationOptions {
    /// The scenario of a seed: everything is drawn from it.
    pub fn for_seed(seed: u64) -> SimulationOptions {
        // Not the sequence that the run itself draws from.
        let mut random = Random::new(!seed);
        let members = [1, 2, 3, 3, 3, 3, 4, 5, 5][random.index(9)];
        SimulationOptions {
            members,
            spares: if random.chance(50) { 1 + random.below(2) } else { 0 },
            clients: 1 + random.index(6),
            steps: 1_600,
            snapshot_count: [5, 15, 15, 60][random.index(4)],
            catchup_entries: [1, 10, 30][random.index(3)],
            pre_vote: random.chance(75),
            plant: Plant::Nothing,
            trace: false,
        }
    }
}

/// An invariant was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Seed that leads to it.
    pub seed: u64,
    /// Step at which it was noticed.
    pub step: usize,
    /// The bug that was planted.
    pub plant: Plant,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { seed, step, plant, what } = self;
        write!(f, "seed {seed} step {step}: {what}\nreplay: KEYPORT_SIM_SEED={seed} ")?;
        if *plant != Plant::Nothing {
            write!(f, "KEYPORT_SIM_PLANT={plant:?} ")?;
        }
        write!(f, "cargo test -p keyport-raft --lib replay -- --nocapture")
    }
}

impl std::error::Error for Violation {}

/// What a run did, or several; equal for equal seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Runs.
    pub seeds: usize,
    /// Steps, those of the calm after them included.
    pub steps: usize,
    /// Entries that were committed and applied.
    pub applied: usize,
    /// Operations of clients.
    pub operations: usize,
    /// Operations whose outcome is known.
    pub answered: usize,
    /// Histories whose check was given up.
    pub undecided: usize,
    /// Terms that had a leader.
    pub terms: usize,
    /// Crashes of members.
    pub crashes: usize,
    /// Among them: because the power failed between two effects of a turn.
    pub power_failures: usize,
    /// Syncs that took long.
    pub slow_syncs: usize,
    /// Members that got no time for a while.
    pub pauses: usize,
    /// State machines that had no room for more entries for a while.
    pub full: usize,
    /// Members that heard, rightly or wrongly, that another one's process has ended.
    pub rumors: usize,
    /// Messages delivered.
    pub messages: usize,
    /// Leases that were renewed.
    pub renewals: usize,
    /// Revocations that leaders decided on.
    pub expiries: usize,
    /// Among them: given up, because the term was over.
    pub decisions_dropped: usize,
    /// Snapshots that arrived completely.
    pub snapshots: usize,
    /// Snapshot transfers that did not.
    pub broken_transfers: usize,
    /// Installations completed at the next start.
    pub resumed_installations: usize,
    /// Membership changes carried out.
    pub changes: usize,
    /// Among them: after which there were learners.
    pub with_learners: usize,
    /// Among them: after which a joint configuration was in force.
    pub joint: usize,
    /// Membership changes that were refused when they were committed.
    pub refused_changes: usize,
    /// Folded over everything that was applied.
    pub hash: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.applied += other.applied;
        self.operations += other.operations;
        self.answered += other.answered;
        self.undecided += other.undecided;
        self.terms += other.terms;
        self.crashes += other.crashes;
        self.power_failures += other.power_failures;
        self.slow_syncs += other.slow_syncs;
        self.pauses += other.pauses;
        self.full += other.full;
        self.rumors += other.rumors;
        self.messages += other.messages;
        self.renewals += other.renewals;
        self.expiries += other.expiries;
        self.decisions_dropped += other.decisions_dropped;
        self.snapshots += other.snapshots;
        self.broken_transfers += other.broken_transfers;
        self.resumed_installations += other.resumed_installations;
        self.changes += other.changes;
        self.with_learners += other.with_learners;
        self.joint += other.joint;
        self.refused_changes += other.refused_changes;
        // Whichever thread ran which seed.
        self.hash ^= other.hash;
    }
}
