//! Many seeds without a violation; and planted bugs, found.
//!
//! `KEYPORT_SIM_SEEDS` says how many seeds.

use super::{Plant, Simulation, SimulationOptions, Summary, Violation};

fn run(members: u64, seed: u64, plant: Plant) -> Result<Summary, Violation> {
    run_with(seed, SimulationOptions { members, steps: 1_500, membership: false, plant })
}

fn run_with(seed: u64, options: SimulationOptions) -> Result<Summary, Violation> {
    Simulation::new(seed, options).run()
}

fn seeds() -> u64 {
    std::env::var("KEYPORT_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn holds(members: u64, membership: bool) {
    let mut total = Summary::default();
    for seed in 0..seeds() {
        let options = SimulationOptions { members, steps: 1_500, membership, plant: Plant::Nothing };
        let summary = run_with(seed, options).unwrap_or_else(|violation| panic!("{violation}"));
        total.applied += summary.applied;
        total.crashes += summary.crashes;
        total.reads += summary.reads;
        total.snapshots += summary.snapshots;
        total.terms += summary.terms;
    }
    println!("{members} members: {total:?}");
    assert!(total.applied > 0 && total.crashes > 0 && total.reads > 0);
}

/// Looks from a seed a little before the first that is known to find it, so that the suite stays quick.
fn finds(members: u64, plant: Plant, from: u64) {
    let found = (from..from + 2_000).find_map(|seed| run(members, seed, plant).err());
    println!("{plant:?}: {}", found.expect("the planted bug was not found"));
}

#[test]
fn one_member_keeps_its_promises() {
    holds(1, false);
}

#[test]
fn three_members_keep_their_promises() {
    holds(3, false);
}

#[test]
fn five_members_keep_their_promises() {
    holds(5, false);
}

#[test]
fn changing_members_keep_their_promises() {
    holds(4, true);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..5 {
        assert_eq!(run(3, seed, Plant::Nothing).unwrap(), run(3, seed, Plant::Nothing).unwrap());
    }
}

#[test]
fn acknowledging_before_the_sync_is_found() {
    finds(1, Plant::AckBeforeSync, 0);
    finds(3, Plant::AckBeforeSync, 0);
}

#[test]
fn applying_twice_is_found() {
    finds(1, Plant::ApplyTwice, 0);
}

#[test]
fn reusing_a_read_context_is_found() {
    finds(3, Plant::ReuseReadContext, 0);
}

#[test]
fn skipping_the_term_check_is_found() {
    finds(3, Plant::SkipTermCheck, 1_310);
}
