//! What goes on beside the clients that are measured: watches that stay open, logins without end, or a crowd.

mod crowd;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use bytes::Bytes;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::{Run, contains, join_all, key, within};
use crate::entry::Entry;
use crate::fail::{Fail, rpc};
use crate::grpc::{Conn, Method, Stream};
use crate::http1::Http;
use crate::proto::*;
use crate::stats::Outcome;

/// What a setup may take: a thousand handshakes, of a debug build too.
const SETUP_SECONDS: u64 = 300;

/// Connections that are opened at once.
const AT_ONCE: usize = 16;

/// What a login waits for that was refused.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub(crate) enum Beside {
    /// Each on one of the keys that are put.
    Watches { count: usize, each_connection: usize, json: bool },
    /// Clients that log in all the time, with a connection each.
    Logins { clients: Vec<Names> },
    /// Connections that have been of use once, and are idle.
    Connections { count: usize },
    /// Over so many streams, which share a few connections: each on a key of its own, or all on all that is put.
    Watchers { count: usize, streams: usize, of_one: bool },
}

/// Sets it up, and goes on with it while the others are measured. The outcome holds no operations, since those are not
/// what is measured, but errors and a rate.
pub(super) async fn go_on(run: Arc<Run>, what: Beside) -> Outcome {
    match what {
        Beside::Watches { count, each_connection, json } => watches(run, count, each_connection, json).await,
        Beside::Logins { clients } => logins(run, clients).await,
        Beside::Connections { count } => crowd::connections(run, count).await,
        Beside::Watchers { count, streams, of_one } => crowd::watchers(run, count, streams, of_one).await,
    }
}

/// A watch that stands, and the connection that it needs.
enum Open {
    Grpc(Stream, #[expect(dead_code, reason = "without it the stream ends")] Rc<Conn>),
    Json(Box<Http>),
}

async fn watches(run: Arc<Run>, count: usize, each_connection: usize, json: bool) -> Outcome {
    // A connection over HTTP/1.1 has room for one answer that does not end.
    let each = if json { 1 } else { each_connection.min(count) };
    let mut out = watched(&run, open_watches(&run, count, each, json)).await;
    out.extra.insert("watches", count as f64);
    out
}

/// Opens watches before the others are measured, and takes what comes on them meanwhile.
async fn watched(run: &Run, opening: impl Future<Output = Result<Vec<Open>, Fail>>) -> Outcome {
    let out = Rc::new(RefCell::new(Outcome::default()));
    let open = within(SETUP_SECONDS, opening).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    match open {
        Err(e) => out.borrow_mut().error(format!("watching: {e}")),
        Ok(open) => {
            let rate = events_of(run, open, &out).await;
            out.borrow_mut().extra.insert("events_per_s", rate);
        }
    }
    out.take()
}

/// Takes what comes while the others are measured: events a second.
async fn events_of(run: &Run, open: Vec<Open>, out: &Rc<RefCell<Outcome>>) -> f64 {
    let (start, events) = (Instant::now(), Rc::new(Cell::new(0u64)));
    let held = open.into_iter().map(|watch| spawn_local(hold(watch, events.clone(), out.clone())));
    let held: Vec<_> = held.collect();
    sleep(Duration::from_secs_f64(run.spec.seconds)).await;
    held.iter().for_each(tokio::task::JoinHandle::abort);
    events.get() as f64 / start.elapsed().as_secs_f64()
}

async fn open_watches(run: &Run, count: usize, each: usize, json: bool) -> Result<Vec<Open>, Fail> {
    let s = &run.spec;
    let opening = (0..count.div_ceil(each)).map(|number| {
        let entry = s.access.entry(s.targets[number % s.targets.len()], number);
        let numbers = (number * each..count.min((number + 1) * each)).map(|i| i as u64 % s.keyspace);
        let keys = numbers.map(|i| key(b'k', i, s.key_size)).collect();
        async move { if json { open_json(entry, keys).await } else { open_grpc(entry, keys).await } }
    });
    Ok(opened(AT_ONCE, opening).await?.into_iter().flatten().collect())
}

/// What all of them open, so many at a time.
async fn opened<T: 'static>(
    at_once: usize,
    opening: impl Iterator<Item = impl Future<Output = Result<T, Fail>> + 'static>,
) -> Result<Vec<T>, Fail> {
    let (mut opening, mut open) = (opening, vec![]);
    loop {
        let some: Vec<_> = opening.by_ref().take(at_once).map(spawn_local).collect();
        if some.is_empty() {
            return Ok(open);
        }
        for task in some {
            open.push(task.await.map_err(rpc)??);
        }
    }
}

async fn open_grpc(entry: Entry, keys: Vec<Bytes>) -> Result<Vec<Open>, Fail> {
    let conn = Conn::open(entry).await?;
    let mut open = vec![];
    for key in keys {
        let mut stream = conn.stream(Method::Watch).await?;
        stream.send(&WatchRequest { create: Some(WatchCreate { key, ..Default::default() }) })?;
        let answer: WatchResponse = stream.recv().await?;
        if !answer.created || answer.canceled {
            return Err(rpc("watch not created"));
        }
        open.push(Open::Grpc(stream, conn.clone()));
    }
    Ok(open)
}

async fn open_json(entry: Entry, keys: Vec<Bytes>) -> Result<Vec<Open>, Fail> {
    let mut open = vec![];
    for key in keys {
        let mut http = Http::open(entry.clone()).await?;
        let create = format!(r#"{{"create_request":{{"key":"{}"}}}}"#, B64.encode(key));
        http.post_endless("/v3/watch", create.as_bytes()).await?;
        let first = http.more().await?;
        if !contains(first, b"\"created\":true") {
            return Err(rpc(format!("watch not created: {}", String::from_utf8_lossy(first))));
        }
        open.push(Open::Json(Box::new(http)));
    }
    Ok(open)
}

/// Takes what comes, until it is aborted.
async fn hold(mut watch: Open, events: Rc<Cell<u64>>, out: Rc<RefCell<Outcome>>) {
    loop {
        let came = match &mut watch {
            Open::Grpc(stream, _) => stream.recv::<WatchResponse>().await.and_then(|answer| match answer.canceled {
                true => Err(rpc("watch canceled")),
                false => Ok(answer.events.len()),
            }),
            // Every event has its key once. One that is cut in two by chance is not seen, which does not matter here.
            Open::Json(http) => http.more().await.map(|text| text.windows(6).filter(|w| *w == b"\"key\":").count()),
        };
        match came {
            Ok(n) => events.set(events.get() + n as u64),
            Err(e) => return out.borrow_mut().error(format!("watch: {e}")),
        }
    }
}

async fn logins(run: Arc<Run>, clients: Vec<Names>) -> Outcome {
    let (s, out, count) = (&run.spec, Rc::new(RefCell::new(Outcome::default())), clients.len());
    let setup = async {
        let mut conns = vec![];
        for (number, client) in clients.iter().enumerate() {
            let entry = s.access.stranger(s.targets[number % s.targets.len()]);
            conns.push((Conn::open(entry).await?, frame(client)));
        }
        Ok::<_, Fail>(conns)
    };
    let conns = within(SETUP_SECONDS, setup).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    match conns {
        Err(e) => out.borrow_mut().error(format!("logins: {e}")),
        Ok(conns) => {
            let start = Instant::now();
            let until = start + Duration::from_secs_f64(s.seconds);
            let done = Rc::new(Cell::new(0u64));
            let tasks = conns
                .into_iter()
                .map(|(conn, request)| spawn_local(log_in(conn, request, until, done.clone(), out.clone())));
            if !join_all(tasks.collect(), until + Duration::from_secs(60)).await {
                out.borrow_mut().error("logins unanswered 60 s after the end");
            }
            let rate = done.get() as f64 / start.elapsed().as_secs_f64();
            out.borrow_mut().extra = [("logging_in", count as f64), ("logins_per_s", rate)].into();
        }
    }
    out.take()
}

/// One login after the other.
async fn log_in(conn: Rc<Conn>, request: Bytes, until: Instant, done: Rc<Cell<u64>>, out: Rc<RefCell<Outcome>>) {
    while Instant::now() < until {
        match conn.call::<AuthenticateResponse>(Method::Authenticate, request.clone()).await {
            Ok(_) => done.set(done.get() + 1),
            Err(e) => {
                out.borrow_mut().error(format!("login: {e}"));
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}
