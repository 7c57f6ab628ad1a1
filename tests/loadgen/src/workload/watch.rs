//! The watch fan-out: W watchers over some streams, and the writers that feed them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::{Kind::WatchMax, Run, Spec, join_all, key, within};
use crate::fail::{Fail, rpc};
use crate::grpc::{Conn, Method, Stream};
use crate::proto::*;
use crate::stats::Outcome;

/// What the watcher thread and the writer thread tell each other.
#[derive(Default)]
pub(super) struct Fan {
    puts: AtomicU64,
    done: AtomicBool,
}

/// W watchers over C streams on one prefix; latency is from sending the put to receiving its event.
pub(super) async fn watchers(run: Arc<Run>, fan: Arc<Fan>) -> Outcome {
    let (s, out) = (&run.spec, Rc::new(RefCell::new(Outcome::default())));
    let streams = s.streams.clamp(1, s.watchers);
    let last = Rc::new(RefCell::new(Instant::now()));
    let open = within(60, open_streams(s, streams)).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    let (open, _conns) = match open {
        Ok(v) => v,
        Err(e) => {
            out.borrow_mut().error(format!("watching: {e}"));
            return out.take();
        }
    };
    let start = Instant::now();
    let tasks: Vec<_> =
        open.into_iter().map(|stream| spawn_local(follow(stream, run.base, out.clone(), last.clone()))).collect();
    let limit = start + Duration::from_secs_f64(s.seconds + 60.0);
    loop {
        sleep(Duration::from_millis(1)).await;
        let want = fan.puts.load(Relaxed) * s.watchers as u64;
        let idle = last.borrow().elapsed();
        if Instant::now() > limit
            || fan.done.load(Relaxed) && (out.borrow().ops >= want || idle > Duration::from_secs(5))
        {
            break;
        }
    }
    tasks.iter().for_each(|t| t.abort());
    let mut out = out.take();
    let want = fan.puts.load(Relaxed) * s.watchers as u64;
    out.elapsed = *last.borrow() - start;
    let puts = want as f64 / s.watchers as f64;
    out.extra = [
        ("watchers", s.watchers as f64),
        ("puts_per_s", puts / out.elapsed.as_secs_f64()),
        ("events_expected", want as f64),
    ]
    .into();
    if out.ops != want {
        out.errors += want.abs_diff(out.ops);
        out.first_error.get_or_insert(format!("{} events delivered, {want} expected", out.ops));
    }
    out
}

/// Streams whose watchers stand, and the connections that they need.
async fn open_streams(s: &Spec, streams: usize) -> Result<(Vec<Stream>, Vec<Rc<Conn>>), Fail> {
    let (mut conns, mut open) = (vec![], vec![]);
    for i in 0..streams {
        if i < s.conns {
            conns.push(Conn::open(s.access.entry(s.targets[i % s.targets.len()], i)).await?);
        }
        let mut stream = conns[i % conns.len()].stream(Method::Watch).await?;
        for _ in (i..s.watchers).step_by(streams) {
            let create = WatchCreate { key: Bytes::from_static(b"w"), range_end: Bytes::from_static(b"x") };
            stream.send(&WatchRequest { create: Some(create) })?;
            let r: WatchResponse = stream.recv().await?;
            if !r.created {
                return Err(rpc("watch not created"));
            }
        }
        open.push(stream);
    }
    Ok((open, conns))
}

/// Takes the events of a stream; `last` is when the last one came.
async fn follow(mut stream: Stream, base: Instant, out: Rc<RefCell<Outcome>>, last: Rc<RefCell<Instant>>) {
    loop {
        let r: WatchResponse = match stream.recv().await {
            Ok(r) => r,
            Err(e) => return out.borrow_mut().error(e),
        };
        let now = base.elapsed().as_nanos() as u64;
        let mut out = out.borrow_mut();
        if r.canceled {
            out.error("watch canceled");
        }
        for kv in r.events.iter().filter_map(|e| e.kv.as_ref()) {
            let sent = kv.value.first_chunk().map_or(now, |b| u64::from_le_bytes(*b));
            out.ok(1, now.saturating_sub(sent));
        }
        last.replace(Instant::now());
    }
}

/// Puts on the watched prefix: at --rate (open loop), or as fast as --writers closed loops go.
pub(super) async fn writers(run: Arc<Run>, fan: Arc<Fan>) -> Outcome {
    let (s, out) = (run.spec.clone(), Rc::new(RefCell::new(Outcome::default())));
    let conn = Conn::open(s.access.entry(s.targets[0], 0)).await;
    run.barrier.wait().await;
    run.barrier.wait().await;
    match conn {
        Err(e) => out.borrow_mut().error(format!("connecting: {e}")),
        Ok(conn) => {
            let put = {
                let (run, fan, out) = (run.clone(), fan.clone(), out.clone());
                move |i: u64| {
                    let (run, fan, out, conn) = (run.clone(), fan.clone(), out.clone(), conn.clone());
                    async move {
                        let n = run.spec.value_size.max(8);
                        let mut value = BytesMut::with_capacity(n);
                        value.put_u64_le(run.base.elapsed().as_nanos() as u64);
                        value.extend_from_slice(&run.pool[..n - 8]);
                        let req =
                            PutRequest { key: key(b'w', i % 1000, run.spec.key_size), value: value.freeze(), lease: 0 };
                        match conn.call::<HeaderOnly>(Method::Put, frame(&req)).await {
                            Ok(_) => drop(fan.puts.fetch_add(1, Relaxed)),
                            Err(e) => out.borrow_mut().error(format!("put: {e}")),
                        }
                    }
                }
            };
            let start = Instant::now();
            let until = start + Duration::from_secs_f64(s.seconds);
            let mut tasks = vec![];
            if s.kind == WatchMax {
                for w in 0..s.writers as u64 {
                    let put = put.clone();
                    tasks.push(spawn_local(async move {
                        let mut i = w;
                        while Instant::now() < until {
                            put(i).await;
                            i += 1;
                        }
                    }));
                }
            } else {
                let mut sent = 0u64;
                while Instant::now() < until {
                    let due = (start.elapsed().as_secs_f64() * s.rate) as u64;
                    tasks.retain(|t: &tokio::task::JoinHandle<()>| !t.is_finished());
                    while sent < due && tasks.len() < 10_000 {
                        tasks.push(spawn_local(put(sent)));
                        sent += 1;
                    }
                    sleep(Duration::from_millis(1)).await;
                }
            }
            if !join_all(tasks, until + Duration::from_secs(30)).await {
                out.borrow_mut().error("puts unanswered after 30 s");
            }
        }
    }
    fan.done.store(true, Relaxed);
    out.take()
}
