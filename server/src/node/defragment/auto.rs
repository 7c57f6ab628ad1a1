//! Members that give back what they do not use by themselves: `--auto-defrag-*`. The leader asks all of them who is due and idle,
//! and gives turns, to others first and to itself at last: see [`super::Turn`]. As long as one of them cannot be asked, nobody has a
//! turn, for he might be the one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

use crate::asking::paths;
use crate::config::AutoDefragConfig;
use crate::membership::Member;
use crate::node::Node;

/// How long one member may take to say how it is.
const ASK: Duration = Duration::from_secs(2);
/// How often it is asked whether it is done.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The load is what was applied in the busiest of so many seconds.
const SECONDS: usize = 5;

/// Who asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// In which the leader leads.
    pub(crate) term: u64,
}

/// How a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// A defragmentation is under way.
    pub(crate) running: bool,
    /// Enough is free, and nobody would notice.
    pub(crate) due: bool,
}

/// What a member knows of itself.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Entries applied in the busiest of the last seconds.
    busiest: AtomicU64,
    /// What the last copy left free by the sum of the rows, done or not: rows do not fit the pages as they are thought to, or there
    /// was no room, and another copy would not do better.
    residue: AtomicU64,
}

impl Load {
    pub(super) fn note_residue(&self, bytes: u64) {
        self.residue.store(bytes, Ordering::Relaxed);
    }
}

impl Node {
    /// Watches how much there is to do. Runs for as long as the node.
    pub(crate) async fn watch_load(self) {
        let (mut every, mut last) = (interval(Duration::from_secs(1)), self.state().applied.index());
        let mut seconds = [u64::MAX; SECONDS];
        loop {
            every.tick().await;
            let applied = self.state().applied.index();
            seconds.rotate_left(1);
            if let Some(newest) = seconds.last_mut() {
                *newest = applied - last;
            }
            last = applied;
            self.load().busiest.store(seconds.into_iter().max().unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Gives turns while this member leads. Runs for as long as the node.
    pub(crate) async fn give_turns(self, interval: Duration) {
        let mut every = interval_at(Instant::now() + interval, interval);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Some(term) = self.office() {
                self.give_turns_in(term).await;
            }
        }
    }

    async fn give_turns_in(&self, term: u64) {
        let own = self.identity().member_id;
        let mut members = self.state().membership.list();
        members.sort_by_key(|member| (member.id == own, member.id));
        for member in &members {
            let Some(standing) = self.all_rest(term, &members, member).await else { return };
            if !standing.due || self.office() != Some(term) {
                continue;
            }
            let remote_member_id = format!("{:x}", member.id);
            if !self.have_begun(term, member).await {
                // He may have begun all the same. The next round asks.
                tracing::warn!(remote_member_id, "cannot tell whether a member has begun to defragment");
                return;
            }
            tracing::info!(remote_member_id, "a member defragments itself, as it is its turn");
            while self.office() == Some(term) && self.standing_of(term, member).await.is_none_or(|s| s.running) {
                sleep(ASK_AGAIN).await;
            }
        }
    }

    /// How one of the members is, if none is at it and all say so.
    async fn all_rest(&self, term: u64, members: &[Member], wanted: &Member) -> Option<Standing> {
        let asked = members.iter().map(|member| self.standing_of(term, member));
        let standings = futures_util::future::join_all(asked).await.into_iter().collect::<Option<Vec<_>>>()?;
        if standings.iter().any(|standing| standing.running) {
            return None;
        }
        let at = members.iter().position(|member| member.id == wanted.id)?;
        standings.get(at).copied()
    }

    async fn standing_of(&self, term: u64, member: &Member) -> Option<Standing> {
        if member.id == self.identity().member_id {
            return self.standing(term);
        }
        let (_, body) = self.ask_about_turn(Method::GET, term, member).await?;
        serde_json::from_slice(&body).ok()
    }

    async fn have_begun(&self, term: u64, member: &Member) -> bool {
        if member.id == self.identity().member_id {
            return self.begin_turn(term);
        }
        self.ask_about_turn(Method::POST, term, member).await.is_some()
    }

    async fn ask_about_turn(&self, method: Method, term: u64, member: &Member) -> Option<(StatusCode, Bytes)> {
        let body = Bytes::from(serde_json::to_vec(&Question { term }).ok()?);
        for url in &member.peer_urls {
            let content = ("application/json", body.clone());
            match self.peer_client().send(method.clone(), url, paths::DEFRAGMENT, content, ASK).await {
                Ok(answer) if answer.status == StatusCode::OK => return Some((answer.status, answer.body)),
                Ok(answer) => tracing::debug!(url, status = answer.status.as_u16(), "a member gives no turn"),
                Err(error) => tracing::debug!(url, %error, "cannot ask a member about its turn"),
            }
        }
        None
    }

    /// For the leader of `term`. None if this member does not know of that term yet: it might then forget that it was asked.
    pub(crate) fn standing(&self, term: u64) -> Option<Standing> {
        if self.raft().status().term < term {
            return None;
        }
        let running = self.turn().ask(term);
        Some(Standing { running, due: self.limits().auto_defrag.as_ref().is_some_and(|config| self.is_due(config)) })
    }

    fn is_due(&self, config: &AutoDefragConfig) -> bool {
        let load = self.load();
        let free = self.free_bytes().saturating_sub(load.residue.load(Ordering::Relaxed));
        let idle = load.busiest.load(Ordering::Relaxed) <= config.idle_rate;
        idle && config.is_due(free, self.state().backend.size())
    }

    /// What a defragmentation would give back, about.
    pub(crate) fn free_bytes(&self) -> u64 {
        let backend = &self.state().backend;
        backend.size().saturating_sub(backend.dense_size())
    }

    /// The leader of `term` says that it is this member's turn; whether it has begun.
    pub(crate) fn begin_turn(&self, term: u64) -> bool {
        if self.raft().status().term != term {
            return false;
        }
        let Some(running) = self.turn().begin(term) else { return false };
        let node = self.clone();
        tokio::spawn(async move {
            match node.defragment_in(running).await {
                Ok(()) => node.metrics().auto_defragmentations.inc(),
                Err(error) => tracing::error!(%error, "failed to defragment"),
            }
        });
        true
    }
}
