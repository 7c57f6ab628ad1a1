//! The same random history on two servers: Keyport and a real etcd must say the same.
//!
//! `KEYPORT_TESTS_SEED` runs one history again, `KEYPORT_TESTS_ROUNDS` runs more of them than usual.

use std::ops::Range;

use keyport_tests::differential::{DEPARTURES, run, run_with_users};
use keyport_tests::random::Op;
use keyport_tests::{Flavor, Server};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seeds(first: u64) -> Range<u64> {
    match (number("KEYPORT_TESTS_SEED"), number("KEYPORT_TESTS_ROUNDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, rounds) => first..first + rounds.unwrap_or(2),
    }
}

/// Compares with each etcd there is, a Keyport that is started with these flags.
async fn histories(first: u64, flags: &[&str]) {
    let seeds = seeds(first);
    for peer in Flavor::peers() {
        for seed in seeds.clone() {
            let (one, two) = (Server::builder().args(flags).start(), Server::of(peer).start());
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
    histories(1, &[]).await;
}

/// Every value that is not short is read from the database.
#[tokio::test]
async fn random_histories_without_room_for_values() {
    histories(1001, &["--value-cache-bytes=0"]).await;
}

/// Several users with authentication on, beside the etcd that Keyport follows: older ones have holes that it does not have.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_of_users() {
    for peer in Flavor::peers().into_iter().filter(|peer| !peer.older_than("3.7")) {
        for seed in seeds(1) {
            let start = |flavor| Server::of(flavor).args(["--bcrypt-cost=4", "--auth-token-ttl=10000"]).start();
            let (mut one, mut two) = (start(Flavor::Keyport), start(peer));
            match run_with_users(seed, 1200, &mut one, &mut two).await {
                Ok(report) => {
                    println!("{peer:?}, seed {seed}: {report:?}");
                    let enough = report.requests > 1000
                        && report.refused > 200
                        && report.denied > 100
                        && report.changes > 100
                        && report.logins > 20
                        && report.watchers > 5
                        && report.restarts > 2;
                    assert!(enough, "{report:?}");
                }
                Err(difference) => panic!("unlike {peer:?}, but for {DEPARTURES:#?}: {difference}"),
            }
        }
    }
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
