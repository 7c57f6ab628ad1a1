//! Every target for a few seconds; `KEYPORT_FUZZ_SECONDS` for longer, `KEYPORT_TESTS_SEED` for other inputs.

use std::time::Duration;

use keyport_fuzz::{TARGETS, mutate};

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn no_input_does_harm() {
    let (time, seed) = (Duration::from_secs(setting("KEYPORT_FUZZ_SECONDS", 2)), setting("KEYPORT_TESTS_SEED", 1));
    let only = std::env::var("KEYPORT_FUZZ_TARGET").ok();
    for target in TARGETS.into_iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        let count = mutate::run(target, seed, time);
        println!("{}: {count} inputs", target.name);
    }
}
