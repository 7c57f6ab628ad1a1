//! Very many connections or watchers, which are there while puts are measured.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{Open, SETUP_SECONDS, opened, watched};
use crate::entry::Entry;
use crate::fail::{Fail, rpc};
use crate::grpc::{Conn, Method};
use crate::proto::*;
use crate::stats::Outcome;
use crate::workload::{Run, Spec, key, within};

/// Connections or streams that are opened at once.
const AT_ONCE: usize = 64;

pub(super) async fn connections(run: Arc<Run>, count: usize) -> Outcome {
    let mut out = Outcome::default();
    let open = within(SETUP_SECONDS, open_connections(&run.spec, count)).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    match open {
        Err(e) => out.error(format!("connecting: {e}")),
        Ok(_open) => sleep(Duration::from_secs_f64(run.spec.seconds)).await,
    }
    out
}

async fn open_connections(s: &Spec, count: usize) -> Result<Vec<Rc<Conn>>, Fail> {
    let entries = (0..count).map(|number| s.access.entry(s.targets[number % s.targets.len()], number));
    opened(AT_ONCE, entries.map(used_once)).await
}

/// As a client's connection is that has read something, and waits.
async fn used_once(entry: Entry) -> Result<Rc<Conn>, Fail> {
    let conn = Conn::open(entry).await?;
    let read = RangeRequest { key: Bytes::from_static(b"k"), serializable: true, ..Default::default() };
    conn.call::<RangeCount>(Method::Range, frame(&read)).await?;
    Ok(conn)
}

pub(super) async fn watchers(run: Arc<Run>, count: usize, streams: usize, of_one: bool) -> Outcome {
    watched(&run, open_watchers(&run.spec, count, streams.min(count), of_one)).await
}

async fn open_watchers(s: &Spec, count: usize, streams: usize, of_one: bool) -> Result<Vec<Open>, Fail> {
    let mut conns = vec![];
    for number in 0..s.conns.min(streams) {
        conns.push(Conn::open(s.access.entry(s.targets[number % s.targets.len()], number)).await?);
    }
    let opening = (0..streams).map(|number| {
        let creates = (number..count).step_by(streams).map(|i| to_watch(s, i as u64, of_one)).collect();
        open_stream(conns[number % conns.len()].clone(), creates)
    });
    opened(AT_ONCE, opening).await
}

fn to_watch(s: &Spec, number: u64, of_one: bool) -> WatchCreate {
    if of_one {
        WatchCreate { key: Bytes::from_static(b"k"), range_end: Bytes::from_static(b"l") }
    } else {
        WatchCreate { key: key(b'k', number, s.key_size), ..Default::default() }
    }
}

/// A stream on which all of them stand.
async fn open_stream(conn: Rc<Conn>, creates: Vec<WatchCreate>) -> Result<Open, Fail> {
    let mut stream = conn.stream(Method::Watch).await?;
    let count = creates.len();
    for create in creates {
        stream.send(&WatchRequest { create: Some(create) })?;
    }
    for _ in 0..count {
        let answer: WatchResponse = stream.recv().await?;
        if !answer.created || answer.canceled {
            return Err(rpc("watch not created"));
        }
    }
    Ok(Open::Grpc(stream, conn))
}
