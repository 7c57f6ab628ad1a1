//! Puts that look for the first member which takes one again after the leader was killed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::entry::Entry;
use crate::fail::Fail;
use crate::grpc::{Conn, Method};
use crate::proto::*;

/// From one put to the next through the same member: how exact the result is.
const EVERY: Duration = Duration::from_millis(5);
/// A put that was taken before there was a new leader may hang in either server; it is given up after this.
const BOUND: Duration = Duration::from_millis(250);

pub(super) struct FirstPut {
    /// Since `kill` was called.
    pub(super) after: Duration,
    /// The term that its answer names.
    pub(super) term: u64,
}

/// Connects to `members`, calls `kill`, and puts through all of them until one acknowledges.
pub(super) async fn first_put(members: Vec<Entry>, kill: impl FnOnce(), limit: Duration) -> Result<FirstPut> {
    let mut conns = vec![];
    for entry in members {
        let addr = entry.addr;
        conns.push(Conn::open(entry).await.with_context(|| format!("connecting to {addr}"))?);
    }
    let (acknowledged, mut first) = mpsc::channel(1);
    let killed = Instant::now();
    kill();
    for c in conns {
        spawn_local(puts(c, acknowledged.clone()));
    }
    let (at, term): (Instant, u64) = timeout(limit, first.recv())
        .await
        .with_context(|| format!("no put acknowledged within {limit:?} of the kill"))?
        .context("all probes ended")?;
    Ok(FirstPut { after: at - killed, term })
}

/// Puts to one member, whether those before were answered or not: waiting for one that hangs would add its bound to the
/// result.
async fn puts(conn: Rc<Conn>, acknowledged: mpsc::Sender<(Instant, u64)>) {
    let put = frame(&PutRequest { key: Bytes::from_static(b"failover"), value: Bytes::from_static(b"v"), lease: 0 });
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (conn, put, acknowledged) = (conn.clone(), put.clone(), acknowledged.clone());
        spawn_local(async move {
            let seen = conn.generation();
            match timeout(BOUND, conn.call::<HeaderOnly>(Method::Put, put)).await {
                Ok(Ok(HeaderOnly { header: Some(h) })) => {
                    let _ = acknowledged.try_send((Instant::now(), h.raft_term));
                }
                Ok(Err(Fail::Net(_))) => {
                    let _ = conn.reconnect(seen).await;
                }
                _ => {} // refused, or given up
            }
        });
    }
}
