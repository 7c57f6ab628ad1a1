//! The same random history on two servers: Keyport and a real etcd must say the same.
//!
//! `KEYPORT_TESTS_SEED` runs one history again, `KEYPORT_TESTS_ROUNDS` runs more of them than usual.

use keyport_tests::differential::run;
use keyport_tests::random::Op;
use keyport_tests::{Flavor, Server};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Compares with each etcd there is.
async fn histories(first: u64) {
    let seeds = match (number("KEYPORT_TESTS_SEED"), number("KEYPORT_TESTS_ROUNDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, rounds) => first..first + rounds.unwrap_or(2),
    };
    for peer in Flavor::peers() {
        for seed in seeds.clone() {
            let (one, two) = (Server::start(), Server::of(peer).start());
            match run(seed, 1200, &one, &two, |_, _| ()).await {
                Ok(report) => {
                    println!("{peer:?}, seed {seed}: {report:?}");
                    let enough =
                        report.requests > 900 && report.refused > 50 && report.events > 500 && report.hashes > 0;
                    assert!(enough, "{report:?}");
                }
                Err(difference) => panic!("unlike {peer:?}: {difference}"),
            }
        }
    }
}

#[tokio::test]
async fn random_histories() {
    histories(1).await;
}

#[tokio::test]
async fn more_random_histories() {
    histories(1001).await;
}

/// The comparison itself: one changed byte in one request must be noticed, in whichever answer it shows.
#[tokio::test]
async fn a_planted_difference_is_found() {
    for (seed, planted) in [(1, 30), (2, 60), (3, 90)] {
        let (one, two) = (Server::of(Flavor::Etcd).start(), Server::of(Flavor::Etcd).start());
        let mut done = false;
        let outcome = run(seed, 400, &one, &two, |number, op| {
            if let (Op::Put(put), true, false) = (op, number >= planted, done)
                && !put.ignore_value
                && !put.ignore_lease
                && put.lease == 0
                && !put.key.is_empty()
            {
                put.value = [&put.value[..], b"!"].concat().into();
                done = true;
            }
        })
        .await;
        assert!(done && outcome.is_err(), "seed {seed}: {outcome:?}");
    }
}
