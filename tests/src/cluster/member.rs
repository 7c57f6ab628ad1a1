//! One member: its process, addresses and folder.

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sha1::{Digest, Sha1};

use super::hosts::Host;
use super::network::{Network, Proxy};
use super::syncs::HeldSyncs;
use super::threads::{self, StoppedThread};
use crate::grpc::Grpc;
use crate::http::Http;
use crate::server::{free_port, health, own_environment};
use crate::spawn::spawn;
use crate::target::Flavor;
use crate::wait::eventually;

/// On its own host nobody takes a member's ports.
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// Where a member is, and how the others reach it.
#[derive(Debug)]
pub(super) enum Place {
    Loopback { client: u16, peer: u16, proxy: Option<Proxy> },
    Host(Host),
}

impl Place {
    /// Behind a proxy, if there is a network of them.
    pub(super) fn loopback(network: Option<&Network>) -> Place {
        let peer = free_port();
        let proxy = network.map(|network| network.proxy(peer));
        Place::Loopback { client: free_port(), peer, proxy }
    }
}

/// A member of a cluster, running or not. Its addresses stay the same for as long as it exists.
#[derive(Debug)]
pub struct Member {
    /// `m0`, `m1`, ...
    pub name: String,
    /// Its id in the cluster.
    pub id: u64,
    pub(super) args: Vec<OsString>,
    pub(super) peer_scheme: &'static str,
    flavor: Flavor,
    place: Place,
    child: Option<Child>,
    paused: bool,
    memory: &'static str,
    dir: PathBuf,
    data: PathBuf,
}

impl Member {
    pub(super) fn new(
        flavor: Flavor,
        name: String,
        dir: PathBuf,
        data: Option<PathBuf>,
        place: Place,
        memory: &'static str,
    ) -> Member {
        std::fs::create_dir_all(&dir).expect("a member's folder can be made");
        let data = data.unwrap_or_else(|| dir.join("data"));
        Member {
            name,
            id: 0,
            args: Vec::new(),
            peer_scheme: "http",
            flavor,
            place,
            child: None,
            paused: false,
            memory,
            dir,
            data,
        }
    }

    pub(super) fn become_a(&mut self, flavor: Flavor, data: &str) {
        assert!(self.child.is_none(), "{} runs", self.name);
        (self.flavor, self.data) = (flavor, self.dir.join(data));
    }

    pub(super) fn set_id(&mut self, id: u64) {
        self.id = id;
        if let Place::Loopback { proxy: Some(proxy), .. } = &self.place {
            proxy.belongs_to(id);
        }
    }

    /// The id that a member of the first hour gets.
    pub(super) fn first_id(&self, token: &str) -> u64 {
        let hash = Sha1::new().chain_update(self.peer_url()).chain_update(token).finalize();
        hash.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        match &self.place {
            Place::Loopback { client, .. } => (Ipv4Addr::LOCALHOST, *client).into(),
            Place::Host(host) => (host.addr, CLIENT_PORT).into(),
        }
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The URL that the other members know: the proxy's, if there is one.
    pub fn peer_url(&self) -> String {
        match &self.place {
            Place::Loopback { proxy: Some(proxy), .. } => format!("http://127.0.0.1:{}", proxy.port),
            Place::Loopback { proxy: None, .. } | Place::Host(_) => {
                format!("{}://{}", self.peer_scheme, self.peer_addr())
            }
        }
    }

    /// Gives it another peer address, for its next start; the URL.
    ///
    /// # Panics
    /// If it has no proxy.
    pub fn move_peer(&mut self, network: &Network) -> String {
        let Place::Loopback { peer, proxy: Some(proxy), .. } = &mut self.place else {
            panic!("{} has no proxy", self.name)
        };
        *proxy = network.proxy(*peer);
        proxy.belongs_to(self.id);
        self.peer_url()
    }

    /// The peer port itself, behind the proxy.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.place {
            Place::Loopback { peer, .. } => (Ipv4Addr::LOCALHOST, *peer).into(),
            Place::Host(host) => (host.addr, PEER_PORT).into(),
        }
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// A gRPC client that connects when it is used.
    pub fn grpc(&self) -> Grpc {
        Grpc::lazy(self.addr())
    }

    /// An HTTP/1.1 client.
    pub fn http(&self) -> Http {
        Http::new(self.addr())
    }

    /// Whether it has been started and neither stopped nor paused.
    pub fn serves(&self) -> bool {
        self.child.is_some() && !self.paused
    }

    /// Whether it has been started and not been stopped.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// How it ended, if it did so by itself.
    ///
    /// # Panics
    /// If it was not started.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().expect("the member was started");
        let status = child.try_wait().expect("a child can be waited for")?;
        self.child = None;
        Some(status)
    }

    /// What it has logged so far (standard output and error).
    pub fn log(&self) -> String {
        let read = |name| std::fs::read(self.dir.join(name)).unwrap_or_default();
        ["stdout", "stderr"].map(|name| String::from_utf8_lossy(&read(name)).into_owned()).concat()
    }

    pub(super) fn start(&mut self, cluster: &[&str]) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let output = |name: &str| {
            let path = self.dir.join(name);
            File::options().create(true).append(true).open(path).expect("a log file can be made")
        };
        let (client, peer, advertised) =
            (self.url(), format!("{}://{}", self.peer_scheme, self.peer_addr()), self.peer_url());
        let mut command = match &self.place {
            Place::Loopback { .. } => Command::new(self.flavor.binary()),
            Place::Host(host) => host.command(self.flavor.binary()),
        };
        command.args(["--name", &self.name, "--data-dir"]).arg(&self.data);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &advertised]);
        command.args(cluster).args(&self.args);
        own_environment(&mut command);
        command.env("GOMEMLIMIT", self.memory);
        command.current_dir(&self.dir).stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        self.child = Some(spawn(command).expect("the server's program can be started"));
        self.paused = false;
    }

    /// Whether it says that it serves; its log if it has ended instead.
    pub(super) fn ready(&mut self) -> Result<bool, String> {
        if self.ended().is_some() {
            return Err(self.log());
        }
        Ok(health(self.addr()).starts_with("HTTP/1.1 200"))
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the member runs");
        let _ = kill_process(Pid::from_child(child), signal);
    }

    /// Waits until its process has ended.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn end(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let mut child = self.child.take().expect("the member runs");
        eventually(&what, async || child.try_wait().expect("a child can be waited for")).await
    }

    /// SIGKILL; it is gone afterwards.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end().await;
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// SIGSTOP: it hears and says nothing, and does not know.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
        self.paused = true;
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.paused = false;
        self.signal(Signal::CONT);
    }

    /// Stops one of its threads, by name, until the guard is dropped; `None` where that is not allowed.
    pub fn stop_thread(&self, name: &str) -> Option<StoppedThread> {
        let child = self.child.as_ref().expect("the member runs");
        StoppedThread::of(child.id(), name)
    }

    /// Holds each sync of its log; `None` where that is not allowed.
    pub fn hold_syncs(&self) -> Option<HeldSyncs> {
        let child = self.child.as_ref().expect("the member runs");
        HeldSyncs::of(child.id(), "raft")
    }

    /// Whether it has a thread of this name yet.
    pub fn has_thread(&self, name: &str) -> bool {
        self.child.as_ref().is_some_and(|child| threads::find(child.id(), name).is_some())
    }

    /// The lines of its log that hold `word`.
    pub fn logged(&self, word: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(word)).map(String::from).collect()
    }

    /// A value of its metrics; labels are part of the name. 0 if there is no such series yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.http().get("/metrics").await.text();
        text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).unwrap_or(0.0)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
