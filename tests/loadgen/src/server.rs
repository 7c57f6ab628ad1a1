//! Starts, restarts, inspects and stops the servers under test. Only processes started here are ever signalled.

mod changes;
mod etcd;
mod member;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rustix::process::Signal;

use crate::entry::{Access, Entry, Tls};
use crate::grpc::{Conn, Method};
use crate::local::block_on;
use crate::proto::*;
use crate::stats;
use crate::users::{self, Users};
pub(crate) use etcd::find_etcd;
use member::{Member, Place, Template};

/// What a member may take to answer before the next attempt.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom all members follow, and since when.
pub(crate) struct Leader {
    pub(crate) index: usize,
    pub(crate) term: u64,
}

/// One side of a comparison: a server, or the members of a cluster.
pub(crate) struct Cluster {
    members: Vec<Member>,
    template: Template,
    dir: PathBuf,
    /// How many members there were in all: the number of the next one, so that no two share a folder.
    named: usize,
    /// Servers that somebody else started: addresses and pids to account to.
    external: Option<(Vec<SocketAddr>, Vec<u32>)>,
    /// How clients come in that are not logged in.
    strangers: Access,
    users: Option<Users>,
    pub(crate) leases: Vec<i64>,
}

impl Cluster {
    pub(crate) fn external(endpoints: Vec<SocketAddr>, pids: Vec<u32>) -> Cluster {
        Cluster {
            members: vec![],
            template: Template::default(),
            dir: PathBuf::new(),
            named: 0,
            external: Some((endpoints, pids)),
            strangers: Access::default(),
            users: None,
            leases: vec![],
        }
    }

    /// The members of a new cluster, not started yet. See [`Template::new`] for `cmd`.
    pub(crate) fn new(cmd: &str, members: usize, dir: &Path, tls: Option<&Tls>) -> Result<Cluster> {
        let template = Template::new(cmd, tls.map(|tls| tls.files.clone()))?;
        std::fs::create_dir_all(dir)?;
        let places: Vec<Place> = (0..members).map(|number| template.place(number)).collect::<Result<_>>()?;
        let cluster = initial_cluster(&places);
        let members: Vec<Member> =
            places.into_iter().map(|p| Member::new(&template, p, dir, &cluster, "new")).collect();
        Ok(Cluster {
            named: members.len(),
            members,
            template,
            dir: dir.into(),
            external: None,
            strangers: Access { tls: tls.and_then(|tls| tls.client.clone()), logins: vec![] },
            users: None,
            leases: vec![],
        })
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        self.members.iter_mut().try_for_each(Member::start)
    }

    /// Makes users on the running servers, of whom so many only log in. From then on everybody is logged in.
    pub(crate) fn enable_users(&mut self, bystanders: usize) -> Result<()> {
        let first = *self.endpoints().first().context("no member to ask")?;
        self.users = Some(block_on(Users::enable(self.strangers.stranger(first), bystanders)).context("making users")?);
        Ok(())
    }

    /// Gives the user who puts a permission for each of so many keys, in place of the one for all.
    pub(crate) fn permit_one_by_one(&mut self, count: u64, key_size: usize) -> Result<()> {
        let first = *self.endpoints().first().context("no member to ask")?;
        block_on(users::permit_one_by_one(self.entry(first), count, key_size)).context("permitting")
    }

    /// The ways in for a workload with so many connections to `targets`; if there are users, all are logged in.
    pub(crate) fn access(&mut self, targets: &[SocketAddr], connections: usize) -> Result<Access> {
        match &mut self.users {
            None => Ok(self.strangers.clone()),
            Some(users) => {
                block_on(users.logged_in(&self.strangers, targets, connections)).context("logging clients in")
            }
        }
    }

    /// The way in for those who run the servers.
    pub(crate) fn entry(&self, addr: SocketAddr) -> Entry {
        Entry { login: self.users.as_ref().map(|users| users.root.clone()), ..self.strangers.stranger(addr) }
    }

    /// Waits until every member answers a linearizable read; with `key`, until that key is there.
    pub(crate) fn wait_ready(&mut self, key: Option<&Bytes>, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        let read = RangeRequest { key: key.cloned().unwrap_or(Bytes::from_static(b"ready")), ..Default::default() };
        (0..self.size()).try_for_each(|i| self.wait_read(i, &read, key.map(|_| 1), until))
    }

    /// Waits until a member answers `read`; with `count`, until it finds so many keys.
    pub(crate) fn wait_read(
        &mut self,
        index: usize,
        read: &RangeRequest,
        count: Option<u64>,
        until: Instant,
    ) -> Result<()> {
        let addr = self.endpoints()[index];
        let entry = self.entry(addr);
        loop {
            self.members.get_mut(index).map_or(Ok(()), Member::ensure_running)?;
            let call = async { Conn::open(entry.clone()).await?.call::<RangeCount>(Method::Range, frame(read)).await };
            let answer = block_on(async { tokio::time::timeout(PATIENCE, call).await });
            let missing = match answer {
                Ok(Ok(r)) if count.is_none_or(|n| u64::try_from(r.count) == Ok(n)) => return Ok(()),
                Ok(Ok(r)) => format!("found {} keys", r.count),
                Ok(Err(e)) => e.to_string(),
                Err(_) => format!("no answer in {PATIENCE:?}"),
            };
            if Instant::now() > until {
                let log = self.members.get(index).map_or(String::new(), Member::log_tail);
                bail!("{addr} not ready in time ({missing}); its log ends:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many keys the leader finds.
    pub(crate) fn count(&self, read: &RangeRequest) -> Result<i64> {
        let leader = *self.targets("leader").first().context("no member to ask")?;
        let call = async { Conn::open(self.entry(leader)).await?.call::<RangeCount>(Method::Range, frame(read)).await };
        Ok(block_on(call)?.count)
    }

    /// Stops the members with `signal`, then SIGKILL after 15 s.
    pub(crate) fn stop(&mut self, signal: Signal) {
        self.members.iter().for_each(|m| m.signal(signal));
        self.members.iter_mut().for_each(Member::wait_end);
    }

    /// SIGKILL; returns before the process has ended.
    pub(crate) fn kill_member(&self, index: usize) {
        self.members[index].signal(Signal::KILL);
    }

    /// Starts a member that was added, or again one that was killed.
    pub(crate) fn start_member(&mut self, index: usize) -> Result<()> {
        self.members[index].wait_end();
        self.members[index].start()
    }

    /// Waits until all members name the same leader in the same term.
    pub(crate) fn agreed_leader(&self, limit: Duration) -> Result<Leader> {
        let until = Instant::now() + limit;
        loop {
            let all: Vec<Option<StatusResponse>> =
                self.endpoints().into_iter().map(|addr| status(self.entry(addr))).collect();
            let views: Vec<(u64, u64)> = all.iter().flatten().map(|s| (s.leader, s.raft_term)).collect();
            let index = all.iter().flatten().position(leads);
            if let (Some(index), true) = (index, views.len() == all.len() && views.windows(2).all(|v| v[0] == v[1])) {
                return Ok(Leader { index, term: views[index].1 });
            }
            ensure!(Instant::now() < until, "no agreement on a leader within {limit:?}; (leader, term): {views:x?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn endpoints(&self) -> Vec<SocketAddr> {
        self.external.as_ref().map_or_else(|| self.members.iter().map(Member::client).collect(), |e| e.0.clone())
    }

    /// The addresses to load: every member, the leader, or a follower.
    pub(crate) fn targets(&self, which: &str) -> Vec<SocketAddr> {
        let all = self.endpoints();
        if all.len() < 2 || which == "all" {
            return all;
        }
        let role = |addr: &SocketAddr| status(self.entry(*addr)).as_ref().is_some_and(leads);
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
        self.external.as_ref().map_or_else(|| self.members.iter().filter_map(Member::pid).collect(), |e| e.1.clone())
    }
    pub(crate) fn mib(&self, field: &str) -> f64 {
        self.pids().into_iter().map(|p| stats::status_mib(p, field)).sum()
    }
    pub(crate) fn reset_peak(&self) {
        self.pids().into_iter().for_each(stats::reset_peak);
    }
    /// (allocated, apparent) MiB of the data folders.
    pub(crate) fn disk_mib(&self) -> (f64, f64) {
        let sums = self.members.iter().map(Member::disk).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (sums.0 as f64 / 1048576.0, sums.1 as f64 / 1048576.0)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(Signal::TERM);
    }
}

/// etcd's `--initial-cluster`.
fn initial_cluster<'a>(places: impl IntoIterator<Item = &'a Place>) -> String {
    places.into_iter().map(Place::in_cluster).collect::<Vec<_>>().join(",")
}

fn status(entry: Entry) -> Option<StatusResponse> {
    let call = async { Conn::open(entry).await?.call(Method::Status, frame(&Empty {})).await };
    block_on(async { tokio::time::timeout(PATIENCE, call).await.ok()?.ok() })
}

fn leads(s: &StatusResponse) -> bool {
    s.header.as_ref().is_some_and(|h| h.member_id == s.leader)
}
