//! Members that come to a running cluster, and leave it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use rustix::process::Signal;

use super::member::Member;
use super::{Cluster, initial_cluster, status};
use crate::fail::Fail;
use crate::grpc::{Conn, Method};
use crate::local::block_on;
use crate::proto::*;

/// How long a change of the membership is asked for again that the cluster refuses.
const REFUSALS: Duration = Duration::from_secs(30);

impl Cluster {
    /// Adds one more member to the running cluster. Its process is not started yet.
    pub(crate) fn add_member(&mut self) -> Result<usize> {
        ensure!(
            self.template.can_join(),
            "the server command needs {{state}} (new or existing), for a member that joins a cluster"
        );
        let place = self.template.place(self.named)?;
        let request = MemberAddRequest { peer_urls: vec![place.peer_url()] };
        self.change_members("MemberAdd", Method::MemberAdd, &frame(&request))?;
        let cluster = initial_cluster(self.members.iter().map(|m| &m.place).chain([&place]));
        self.members.push(Member::new(&self.template, place, &self.dir, &cluster, "existing"));
        self.named += 1;
        Ok(self.members.len() - 1)
    }

    /// Removes a running member from the cluster, stops it, and deletes its data unless `keep`.
    pub(crate) fn remove_member(&mut self, index: usize, keep: bool) -> Result<()> {
        let header = status(self.entry(self.endpoints()[index])).and_then(|s| s.header);
        let id = header.context("the member to remove does not answer Status")?.member_id;
        self.change_members("MemberRemove", Method::MemberRemove, &frame(&MemberRemoveRequest { id }))?;
        let mut gone = self.members.remove(index);
        gone.signal(Signal::TERM);
        gone.wait_end();
        if keep { Ok(()) } else { gone.delete_data() }
    }

    /// Asks the first member for a change of the membership until the cluster takes it: etcd calls itself unhealthy until the
    /// members have been connected for five seconds.
    fn change_members(&self, what: &str, method: Method, request: &Bytes) -> Result<()> {
        let addr = *self.endpoints().first().context("no member to ask")?;
        let until = Instant::now() + REFUSALS;
        loop {
            let call = async { Conn::open(self.entry(addr)).await?.call::<HeaderOnly>(method, request.clone()).await };
            match block_on(async { tokio::time::timeout(REFUSALS, call).await }) {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Fail::Rpc(_))) if Instant::now() < until => std::thread::sleep(Duration::from_millis(100)),
                Ok(Err(e)) => bail!("{what} at {addr}: {e}"),
                Err(_) => bail!("{what} at {addr}: no answer in {REFUSALS:?}"),
            }
        }
    }
}
