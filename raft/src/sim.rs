//! Whole members under one seeded scheduler: simulated disks, network and clocks around the real driver, log and turn.
//!
//! Everything that happens follows from the seed, so a run that breaks an invariant can be repeated exactly. Only built
//! for tests (feature `sim`).
//!
//! # What is simulated
//!
//! A seed draws a scenario (one to five members, up to two that join later, clients, how often snapshots are taken) and a
//! weather (how often what goes wrong), then steps follow each other: messages arrive, clocks tick, clients ask, and
//! things break. After the last step everything works again: all members have to come to one state, go on, and answer.
//!
//! - Network: loss, delay, reordering, duplicates soon and much later, partitions in one direction or both.
//! - Disk: what was not synced is lost by sectors, writes are short or fail, the disk is full, syncs fail or take many
//!   steps, and the power fails between any two effects of a turn.
//! - Time: clocks that are fast, slow or jump; members that get no time for long, and then all their messages at once.
//! - State machines that apply at a pace of their own, some at once, some long after, and take no more entries for a while.
//! - Members that hear that another one's process has ended, the leader's above all, be it true or not.
//! - Snapshots travel beside the messages, are taken when they begin to travel and not when they were promised, and break
//!   off; the receiver may crash between any two steps of the installation, which waits its turn behind other entries.
//! - Membership: members join, become learners, are promoted and leave, one at a time and through joint configurations;
//!   some changes are refused when they are committed.
//! - Clients put, delete, compare and swap, and read through any member, and through former leaders that do not know it
//!   above all; what they do not hear of stays open.
//! - Leases: granted and revoked through any member, renewed by whoever believes to lead, and revoked by leaders where they
//!   have run out, which takes its time from the decision to the proposal.
//!
//! # What must hold
//!
//! After every turn: one leader a term; logs that agree in an entry agree in all before; what is committed stays, and
//! every later leader has it; a leader has one membership change under way; entries are applied in order, once, and lead
//! to the same state on all members, compared by hash. From time to time: what is committed is on the disks of enough
//! members that every election meets it, and no member has applied what its own disk does not have. When an image is
//! taken: it has what was promised. When a lease is renewed, or found to be gone: see `cluster/leases.rs`. At the end: the
//! history of the clients is linearizable ([`history`]), also where somebody takes no entries.
//!
//! # How to run it
//!
//! `cargo test -p keyport-raft --lib sim` runs 2,000 seeds on all cores and looks for every planted bug.
//! `KEYPORT_SIM_SEEDS` says how many seeds, `KEYPORT_SIM_FROM` from which on; `make soak` runs many. A seed that fails
//! prints how to replay it: `KEYPORT_SIM_SEED=n cargo test -p keyport-raft --lib replay -- --nocapture` prints every step.
//!
//! # How to add a fault
//!
//! Give it a name in `weather::Happening` and a weight in `Weather::draw`, do it in `Simulation::one_step`, count it in
//! [`Summary`], and undo it in `calm_down`. Whatever it needs of chance it draws from the simulation's own [`Random`].
//! Seeds mean something else afterwards. Then plant a bug that only this fault brings to light ([`Plant`]).

mod cluster;
mod command;
mod disk;
pub mod history;
mod lessor;
mod machine;
mod replay;
mod weather;

pub use crate::plant::Plant;
pub use crate::random::Random;
pub use cluster::{Simulation, SimulationOptions, Summary, Violation};
pub use disk::{Faults, Keep, SimDisk};
pub use replay::replay_wal;
