//! What the machine itself can do: fdatasync rate of the disk, and requests/s of a server that does nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::entry::Access;
use crate::stats::{Outcome, Row, num, row_table, table};
use crate::workload::{Kind, Spec, drive, sample_range};
use crate::{machine::machine, stats};

#[derive(clap::Args)]
pub(crate) struct FsyncArgs {
    /// Folder on the disk to measure
    #[arg(long, default_value = "/tmp")]
    dir: PathBuf,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long)]
    json: bool,
}

/// Sequential write + fdatasync for `seconds`, growing the file or overwriting 64 MiB written before.
pub(crate) fn fsync_probe(dir: &Path, size: usize, prealloc: bool, seconds: f64) -> Result<Outcome> {
    let path = dir.join(format!("loadgen-fsync-{}", std::process::id()));
    let mut f = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
    std::fs::remove_file(&path)?;
    if prealloc {
        f.write_all(&vec![0; 64 << 20])?;
        std::io::Seek::rewind(&mut f)?;
    }
    f.sync_all()?;
    let block = vec![0x5a; size];
    let (mut out, start) = (Outcome::default(), Instant::now());
    let mut t = start;
    while t < start + Duration::from_secs_f64(seconds) && (!prealloc || (out.ops as usize + 1) * size < 64 << 20) {
        f.write_all(&block)?;
        rustix::fs::fdatasync(&f)?;
        let end = Instant::now();
        out.ok(1, (end - t).as_nanos() as u64);
        t = end;
    }
    out.elapsed = t - start;
    Ok(out)
}

pub(crate) fn fsync(a: &FsyncArgs) -> Result<()> {
    let mut rows: Vec<Row> = vec![];
    let cases = [(256, false), (4096, false), (256, true), (4096, true)];
    for (size, prealloc) in (0..a.rounds).flat_map(|_| cases) {
        let workload = format!("{size} B {}", if prealloc { "into preallocated" } else { "append" });
        let mut row = Row { workload, clients: 1, ..Default::default() };
        row.fill(fsync_probe(&a.dir, size, prealloc, a.seconds)?, (0.0, 0.0, 0.0));
        rows.push(row);
    }
    let of = |i: usize| stats::median_row(&rows.iter().skip(i).step_by(cases.len()).collect::<Vec<_>>());
    let medians: Vec<Row> = (0..cases.len()).map(of).collect();
    if a.json {
        println!("{}", serde_json::to_string_pretty(&medians)?);
    } else {
        let cells = |r: &Row| {
            vec![r.workload.clone(), num(r.ops_per_s), num(r.p50_ms), num(r.p95_ms), num(r.p99_ms), num(r.max_ms)]
        };
        println!(
            "{}",
            table(
                &["fdatasync", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"],
                &medians.iter().map(cells).collect::<Vec<_>>()
            )
        );
    }
    Ok(())
}

#[derive(clap::Args)]
pub(crate) struct LimitArgs {
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    #[arg(long, default_value_t = 8)]
    conns: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Worker threads of the hello server
    #[arg(long, default_value_t = 2)]
    server_threads: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[arg(long)]
    json: bool,
}

/// The json-range and range clients against a hyper server that answers every request with one fixed reply.
pub(crate) fn http_limit(a: &LimitArgs) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["hello", "--threads", &a.server_threads.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("the hello server has no output")?).read_line(&mut line)?;
    let target: SocketAddr = line.trim().parse().context("the hello server did not start")?;
    let mut medians = vec![];
    for (kind, clients) in
        [Kind::JsonRange, Kind::Range].into_iter().flat_map(|k| a.clients.iter().map(move |c| (k, *c)))
    {
        let mut rows = vec![];
        for round in 0..=a.rounds {
            let spec = Spec {
                kind,
                clients,
                targets: vec![target],
                access: Access::default(),
                conns: a.conns,
                threads: a.threads,
                seconds: if round == 0 { 1.0 } else { a.seconds },
                key_size: 16,
                value_size: 256,
                keyspace: 1,
                load_batch: 1,
                watchers: 1,
                streams: 1,
                rate: 1.0,
                writers: 1,
                leases_end: std::time::Instant::now(),
                beside: None,
            };
            let workload = format!("hello {}", if kind == Kind::Range { "grpc" } else { "json" });
            let mut row = Row { workload, clients, nodes: 1, ..Default::default() };
            let mut meter = stats::Meter::new(vec![child.id()]);
            let out = drive(spec, vec![], || meter.restart());
            row.fill(out, meter.read());
            row.server_peak_rss_mib = stats::status_mib(child.id(), "VmHWM");
            rows.extend((round > 0).then_some(row));
        }
        medians.push(stats::median_row(&rows.iter().collect::<Vec<_>>()));
    }
    child.kill()?;
    child.wait()?;
    if a.json {
        println!("{}", serde_json::to_string_pretty(&medians)?);
    } else {
        println!("{}\n{}", machine(), row_table(&medians));
    }
    Ok(())
}

/// The child of `http-limit`; prints its address, and ends when its stdin closes.
pub(crate) fn hello(threads: usize) -> Result<()> {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    rt.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        let (grpc, json) = sample_range(16, 256);
        let json = Bytes::from(json);
        loop {
            let (tcp, _) = listener.accept().await?;
            tcp.set_nodelay(true)?;
            let (grpc, json) = (grpc.clone(), json.clone());
            let service = hyper::service::service_fn(move |req: Request<Incoming>| {
                let (grpc, json) = (grpc.clone(), json.clone());
                async move {
                    let h2 = req.version() == hyper::Version::HTTP_2;
                    req.into_body().collect().await?;
                    let kind = if h2 { "application/grpc" } else { "application/json" };
                    let trailers = http::HeaderMap::from_iter([(
                        http::HeaderName::from_static("grpc-status"),
                        http::HeaderValue::from_static("0"),
                    )]);
                    let body = Full::new(if h2 { grpc } else { json });
                    let body = if h2 { body.with_trailers(async { Some(Ok(trailers)) }).boxed() } else { body.boxed() };
                    let mut response = Response::new(body);
                    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
                    Ok::<_, hyper::Error>(response)
                }
            });
            tokio::spawn(async move {
                let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(tcp), service)
                    .await;
            });
        }
    })
}
