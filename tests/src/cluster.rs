//! A cluster of real processes, and everything that can happen to it.
//!
//! Each member has a data directory, a client port and a peer port of its own. They are on loopback, where every member reaches the
//! others only through proxies ([`network`]), unless a test wants none; or, where that is allowed, each has a host of its own ([`hosts`]). Proxies can delay,
//! slow down, reset and record connections, and hold back bytes; between hosts packets are lost. Members keep their addresses when
//! they are killed and started again. When a test fails, the ends of all logs are shown; with `KEYPORT_TESTS_KEEP=1` the folder stays.

pub mod changes;
pub mod hosts;
pub mod member;
pub mod network;
pub mod syncs;
pub mod threads;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use keyport_api::etcdserverpb::{HashKvRequest, StatusRequest, StatusResponse};
use tempfile::TempDir;
use tonic::Status;

use crate::etcdctl::Etcdctl;
use crate::grpc::Grpc;
use crate::target::Flavor;
use crate::wait::{eventually, within};

pub use hosts::Hosts;
pub use member::Member;
pub use network::Network;

use member::Place;

/// How many clusters run at once: each has three or five servers, and their elections need a timely processor.
static ROOM: LazyLock<(Mutex<usize>, Condvar)> = LazyLock::new(|| {
    let most = std::env::var("KEYPORT_TESTS_CLUSTERS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    (Mutex::new(most), Condvar::new())
});

#[derive(Debug)]
struct Permit;

impl Permit {
    fn take() -> Permit {
        let (left, freed) = &*ROOM;
        let left = left.lock().unwrap_or_else(|e| e.into_inner());
        let mut left = freed.wait_while(left, |left| *left == 0).unwrap_or_else(|e| e.into_inner());
        *left -= 1;
        Permit
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (left, freed) = &*ROOM;
        *left.lock().unwrap_or_else(|e| e.into_inner()) += 1;
        freed.notify_one();
    }
}

/// How long a single question to a member may take when it is asked again anyway.
const ASK: Duration = Duration::from_secs(1);
/// The word that goes into the ids.
pub const TOKEN: &str = "suite";
/// Milliseconds, as by default.
const HEARTBEAT: u32 = 100;
/// Milliseconds, as by default: long enough for debug builds and slow disks on two busy cores.
pub const ELECTION: u32 = 1000;

/// How to start a cluster.
#[derive(Debug)]
pub struct Builder {
    flavor: Flavor,
    members: usize,
    args: Vec<OsString>,
    args_of: Vec<(usize, OsString)>,
    data: Vec<(usize, PathBuf)>,
    hosts: Option<Hosts>,
    direct: bool,
    peer_scheme: &'static str,
    memory: &'static str,
}

impl Builder {
    /// Whose servers; by default those under test.
    pub fn flavor(mut self, flavor: Flavor) -> Builder {
        self.flavor = flavor;
        self
    }

    /// More flags for every member.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Builder {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// More flags for one member.
    pub fn args_of<A: Into<OsString>>(mut self, member: usize, args: impl IntoIterator<Item = A>) -> Builder {
        self.args_of.extend(args.into_iter().map(|arg| (member, arg.into())));
        self
    }

    /// The data directory of one member.
    pub fn data_dir(mut self, member: usize, data: impl Into<PathBuf>) -> Builder {
        self.data.push((member, data.into()));
        self
    }

    /// A host for each member, instead of loopback and proxies.
    pub fn hosts(mut self, hosts: Hosts) -> Builder {
        self.hosts = Some(hosts);
        self
    }

    /// No proxies: who connects to a member that does not run is refused.
    pub fn direct(mut self) -> Builder {
        self.direct = true;
        self
    }

    /// Members talk to each other with TLS, by the certificates of [`Builder::args`], and without proxies.
    pub fn encrypted(mut self) -> Builder {
        self.peer_scheme = "https";
        self.direct()
    }

    /// The memory that every member may count on, as `GOMEMLIMIT` says it. 1 GiB else, whatever the machine has.
    pub fn memory(mut self, limit: &'static str) -> Builder {
        self.memory = limit;
        self
    }

    /// Starts it and waits until every member serves and all agree on a leader.
    pub async fn start(self) -> Cluster {
        let permit = tokio::task::spawn_blocking(Permit::take).await.expect("waiting does not panic");
        let dir = tempfile::Builder::new().prefix("keyport-cluster-").tempdir().expect("a temporary folder");
        let network = Network::default();
        let mut cluster = Cluster {
            flavor: self.flavor,
            args: self.args,
            members: Vec::new(),
            network,
            hosts: self.hosts,
            direct: self.direct,
            peer_scheme: self.peer_scheme,
            memory: self.memory,
            initial: String::new(),
            dir: Some(dir),
            _permit: permit,
        };
        for index in 0..self.members {
            let data = self.data.iter().find(|(of, _)| *of == index).map(|(_, data)| data.clone());
            let mut member = cluster.new_member(data);
            member.args.extend(self.args_of.iter().filter(|(of, _)| *of == index).map(|(_, arg)| arg.clone()));
            cluster.members.push(member);
        }
        cluster.initial = cluster.initial_cluster(&cluster.members.iter().collect::<Vec<_>>());
        for member in &mut cluster.members {
            let id = member.first_id(TOKEN);
            member.set_id(id);
        }
        for index in 0..self.members {
            cluster.launch(index);
        }
        for index in 0..self.members {
            cluster.until_ready(index).await;
        }
        cluster.leader().await;
        cluster
    }
}

/// A cluster. Dropped, it is killed.
#[derive(Debug)]
pub struct Cluster {
    flavor: Flavor,
    args: Vec<OsString>,
    /// The members that were ever part of it, by index.
    pub members: Vec<Member>,
    /// What is between them on loopback.
    pub network: Network,
    hosts: Option<Hosts>,
    direct: bool,
    peer_scheme: &'static str,
    memory: &'static str,
    initial: String,
    dir: Option<TempDir>,
    _permit: Permit,
}

impl Cluster {
    /// Settings of a cluster of so many members.
    pub fn of(members: usize) -> Builder {
        Builder {
            flavor: Flavor::under_test(),
            members,
            args: Vec::new(),
            args_of: Vec::new(),
            data: Vec::new(),
            hosts: None,
            direct: false,
            peer_scheme: "http",
            memory: "1GiB",
        }
    }

    /// Where its members are, if they have hosts.
    ///
    /// # Panics
    /// If they have none.
    pub fn hosts(&self) -> &Hosts {
        self.hosts.as_ref().expect("a cluster on hosts")
    }

    /// Nothing gets from one group of members to the other, nor back.
    pub fn partition(&self, one: &[usize], other: &[usize]) {
        match &self.hosts {
            Some(hosts) => hosts.partition(one, other),
            None => self.network.partition(&self.ids(one), &self.ids(other)),
        }
    }

    /// Everybody hears everybody again.
    pub fn heal(&self) {
        match &self.hosts {
            Some(hosts) => hosts.heal(),
            None => self.network.heal(),
        }
    }

    /// Whose servers they are.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// From their next starts on, all members are another's program, with the same settings; each on data of that name in
    /// its folder.
    pub fn become_a(&mut self, flavor: Flavor, data: &str) {
        self.flavor = flavor;
        for member in &mut self.members {
            member.become_a(flavor, data);
        }
    }

    /// Whether they are real etcds.
    pub fn is_etcd(&self) -> bool {
        self.flavor != Flavor::Keyport
    }

    /// A folder that lives as long as this value.
    ///
    /// # Panics
    /// Never.
    pub fn scratch(&self) -> PathBuf {
        self.dir.as_ref().expect("there until the end").path().to_path_buf()
    }

    fn new_member(&self, data: Option<PathBuf>) -> Member {
        let name = format!("m{}", self.members.len());
        let dir = self.scratch().join(&name);
        let place = match &self.hosts {
            Some(hosts) => Place::Host(hosts.host(self.members.len())),
            None => Place::loopback((!self.direct).then_some(&self.network)),
        };
        let mut member = Member::new(self.flavor, name, dir, data, place, self.memory);
        member.args.clone_from(&self.args);
        member.peer_scheme = self.peer_scheme;
        member
    }

    fn initial_cluster(&self, members: &[&Member]) -> String {
        members.iter().map(|m| format!("{}={}", m.name, m.peer_url())).collect::<Vec<_>>().join(",")
    }

    /// Starts a member's process, on whatever is in its data directory, and does not wait.
    pub fn launch(&mut self, member: usize) {
        self.launch_as(member, self.members[member].id != self.members[member].first_id(TOKEN));
    }

    /// The same for a member that takes itself for one of an existing cluster, or for a founder.
    pub fn launch_as(&mut self, member: usize, existing: bool) {
        let state = if existing { "existing" } else { "new" };
        let (heartbeat, election) = (HEARTBEAT.to_string(), ELECTION.to_string());
        self.members[member].start(&[
            "--heartbeat-interval",
            &heartbeat,
            "--election-timeout",
            &election,
            "--initial-cluster-token",
            TOKEN,
            "--initial-cluster-state",
            state,
            "--initial-cluster",
            &self.initial,
        ]);
    }

    /// Waits until a member says that it serves.
    ///
    /// # Panics
    /// If it does not, or ends.
    pub async fn until_ready(&mut self, member: usize) {
        let member = &mut self.members[member];
        let what = format!("{} serves", member.name);
        eventually(&what, async || match member.ready() {
            Ok(ready) => ready.then_some(()),
            Err(log) => panic!("{} ended before it was ready:\n{log}", member.name),
        })
        .await;
    }

    /// Starts a member and waits until it serves.
    pub async fn restart(&mut self, member: usize) {
        self.launch(member);
        self.until_ready(member).await;
    }

    /// SIGKILL.
    pub async fn kill(&mut self, member: usize) {
        self.members[member].kill().await;
    }

    /// The member with this id.
    pub fn index_of(&self, id: u64) -> Option<usize> {
        self.members.iter().position(|m| m.id == id)
    }

    /// The ids of some members.
    pub fn ids(&self, of: &[usize]) -> Vec<u64> {
        of.iter().map(|i| self.members[*i].id).collect()
    }

    /// Everybody that runs and is not paused.
    pub fn serving(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|i| self.members[*i].serves()).collect()
    }

    /// A gRPC client of one member.
    pub fn grpc(&self, member: usize) -> Grpc {
        self.members[member].grpc()
    }

    /// `etcdctl` with the endpoints of some members.
    pub fn etcdctl(&self, of: &[usize]) -> Etcdctl {
        Etcdctl::of(of.iter().map(|i| self.members[*i].addr()))
    }

    /// A member's own view of the cluster.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn status(&self, member: usize) -> Result<StatusResponse, Status> {
        let mut c = self.grpc(member);
        let answer = tokio::time::timeout(ASK, c.maintenance.status(StatusRequest {})).await;
        answer.map_err(|_| Status::deadline_exceeded("no answer"))?.map(tonic::Response::into_inner)
    }

    /// The leader, once all that serve agree.
    pub async fn leader(&self) -> usize {
        self.leader_among(&self.serving()).await
    }

    /// The leader, once it is one of these members and all of them agree.
    pub async fn leader_among(&self, members: &[usize]) -> usize {
        eventually("all agree on a leader", async || {
            let mut seen = Vec::new();
            for member in members {
                let status = self.status(*member).await.ok()?;
                seen.push((status.leader, status.raft_term));
            }
            seen.dedup();
            let [(leader, _)] = seen.as_slice() else { return None };
            self.index_of(*leader).filter(|leader| members.contains(leader))
        })
        .await
    }

    /// A member that serves and does not lead.
    ///
    /// # Panics
    /// If there is none.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        self.serving().into_iter().find(|i| *i != leader).expect("a second member")
    }

    /// Makes the members that a cluster has now the `--initial-cluster` of those that start from here on: the ones that run, and a
    /// new one.
    fn join(&mut self, new: usize, listed: &[keyport_api::etcdserverpb::Member]) {
        let known: Vec<&Member> = listed
            .iter()
            .filter_map(|m| self.index_of(m.id))
            .filter(|i| *i == new || self.members[*i].runs())
            .map(|i| &self.members[i])
            .collect();
        self.initial = self.initial_cluster(&known);
    }

    /// Waits until a member has given up its connection to another.
    ///
    /// # Panics
    /// If it does not.
    pub async fn until_disconnected(&self, of: usize, from: usize) {
        let [local, remote] = [of, from].map(|i| self.members[i].id);
        let connected = format!("etcd_network_active_peers{{Local=\"{local:x}\",Remote=\"{remote:x}\"}}");
        eventually("the connection is closed", async || {
            (self.members[of].metric(&connected).await < 0.5).then_some(())
        })
        .await;
    }

    /// Waits until the members that serve have the same revision and the same hash of all keys; the revision.
    pub async fn until_equal(&self) -> i64 {
        let serving = self.serving();
        let mut told = Vec::new();
        eventually("all members are equal", async || {
            let mut hashes = Vec::new();
            for member in &serving {
                let mut c = self.grpc(*member);
                let hash = tokio::time::timeout(ASK * 5, c.maintenance.hash_kv(HashKvRequest { revision: 0 })).await;
                let hash = hash.ok()?.ok()?.into_inner();
                hashes.push((hash.header?.revision, hash.hash, hash.compact_revision));
            }
            if hashes.windows(2).all(|pair| pair[0] == pair[1]) {
                return hashes.first().map(|(revision, ..)| *revision);
            }
            if hashes != told {
                eprintln!("not equal yet: (revision, hash, compacted) {hashes:?}");
                told = hashes;
            }
            None
        })
        .await
    }

    /// Looks for panics that nobody noticed otherwise.
    ///
    /// # Panics
    /// If a log tells of one.
    pub fn check_logs(&self) {
        // etcd ends itself that way.
        if self.is_etcd() {
            return;
        }
        for member in &self.members {
            let lines = member.logged("panicked");
            assert!(lines.is_empty(), "{}: {lines:?}", member.name);
        }
    }

    /// Stops everybody at once, politely.
    pub async fn stop(&mut self) {
        for member in self.members.iter_mut().filter(|m| m.runs()) {
            within("a member stops", member.stop()).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for member in &mut self.members {
            if failed {
                let log = member.log();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!(
                    "--- {} {:x} on {} (peers {}), its log ends ---",
                    member.name,
                    member.id,
                    member.addr(),
                    member.peer_url()
                );
                for line in lines.iter().skip(lines.len().saturating_sub(25)) {
                    eprintln!("{}", line.chars().take(300).collect::<String>());
                }
            }
        }
        self.members.clear();
        if failed && std::env::var_os("KEYPORT_TESTS_KEEP").is_some() {
            let kept = self.dir.take().map(TempDir::keep);
            eprintln!("kept: {kept:?}");
        }
    }
}
