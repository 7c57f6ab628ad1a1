//! Runs the same random history on two servers and compares everything they say.

mod answers;
mod users;
mod watchers;

use crate::Server;
use crate::grpc::Grpc;
use crate::http::Http;
use crate::random::{Op, Random};
use answers::{Answer, Reading};
pub use users::{DEPARTURES, UsersReport, run_with_users};
use watchers::Watchers;

/// What a run has compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Requests
    pub requests: usize,
    /// Those that were refused, by both in the same words
    pub refused: usize,
    /// Watchers
    pub watchers: usize,
    /// Events they saw
    pub events: usize,
    /// Hashes of the whole history that were equal
    pub hashes: usize,
}

/// One of the two servers.
struct Side {
    grpc: Grpc,
    http: Http,
    watchers: Watchers,
}

impl Side {
    async fn new(server: &Server) -> Side {
        Side { grpc: server.grpc().await, http: server.http(), watchers: Watchers::new(server).await }
    }
}

/// Sends `count` random requests to both servers, which are fresh, over gRPC and JSON; what differs is the error.
///
/// `disturb` may change a request for the second server only: for a test of the comparison itself.
///
/// # Errors
/// The first difference: the request and both answers.
pub async fn run(
    seed: u64,
    count: usize,
    one: &Server,
    two: &Server,
    mut disturb: impl FnMut(usize, &mut Op),
) -> Result<Report, String> {
    let older = |version| one.older_than(version) || two.older_than(version);
    let reading = Reading { leases_of_keys_only: !older("3.7"), hash_has_a_path: !older("3.6") };
    let mut random = Random::new(seed);
    random.odd_numbers = !older("3.6");
    let mut report = Report::default();
    let (mut a, mut b) = (Side::new(one).await, Side::new(two).await);
    for number in 0..count {
        let mut op = random.op();
        if let (Op::Watch(create), true) = (&mut op, older("3.6"))
            && create.start_revision == random.compacted
        {
            create.start_revision += 1; // those removed a tombstone at the compacted revision at once
        }
        let mut other = op.clone();
        disturb(number, &mut other);
        let at = |what: String| format!("seed {seed}, request {number}: {what}");
        if let Op::Watch(create) = &op {
            let compacted = random.compacted;
            tokio::join!(a.watchers.open(create.clone(), compacted), b.watchers.open(create.clone(), compacted));
            report.watchers += 1;
            continue;
        }
        if let Op::Compact(_) = &op {
            // A watcher that is still reading history would be cancelled, or not.
            report.events = compare_watchers(&mut a, &mut b, random.revision).await.map_err(at)?;
        }
        let json = random.one_in(3) && reading.comparable_as_json(&op);
        let (x, y) = if json {
            tokio::join!(answers::json(&a.http, "", &op), answers::json(&b.http, "", &other))
        } else {
            tokio::join!(answers::grpc(&a.grpc, "", &op, reading), answers::grpc(&b.grpc, "", &other, reading))
        };
        if let (Op::Hash(at), true) = (&op, older("3.6")) {
            // The same tombstones; and hashes of compacted revisions were not kept.
            if a.watchers.deletes_at(random.compacted) || (*at != 0 && *at <= random.compacted) {
                continue;
            }
        }
        // Those checked the operations of a transaction in another order.
        let either = older("3.6") && matches!((&op, &x, &y), (Op::Txn(_), Answer::Refused(..), Answer::Refused(..)));
        if x != y && !either {
            return Err(at(format!("{op:#?}\nover {}\none: {x:#?}\ntwo: {y:#?}", if json { "JSON" } else { "gRPC" })));
        }
        report.requests += 1;
        match x {
            Answer::Refused(..) => report.refused += 1,
            Answer::Done { revision, .. } => {
                random.revision = random.revision.max(revision);
                match op {
                    Op::Compact(compact) => random.compacted = compact.revision,
                    Op::Hash(_) => report.hashes += 1,
                    _ => {}
                }
            }
        }
    }
    let at = |what: String| format!("seed {seed}, at the end: {what}");
    report.events = compare_watchers(&mut a, &mut b, random.revision).await.map_err(at)?;
    a.watchers.nothing_more().await.map_err(at)?;
    b.watchers.nothing_more().await.map_err(at)?;
    Ok(report)
}

/// Waits until all watchers have seen what happened up to `revision`; the number of events.
async fn compare_watchers(a: &mut Side, b: &mut Side, revision: i64) -> Result<usize, String> {
    let (x, y) = tokio::join!(a.watchers.catch_up(revision), b.watchers.catch_up(revision));
    x.map_err(|e| format!("one: {e}"))?;
    y.map_err(|e| format!("two: {e}"))?;
    a.watchers.compare(&b.watchers)
}
