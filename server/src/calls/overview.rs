//! How all members are. Whoever asks while somebody else does, or right after, is told the same: members are not asked more often for
//! more who look.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyport_api::error::Error;
use keyport_api::etcdserverpb::{AlarmMember, AlarmType, Member};
use keyport_api::methods::Method;
use keyport_storage::auth::AuthError;
use tokio::sync::Mutex;

use super::cluster::message;
use super::{Desk, JudgedAnew};
use crate::auth::{Needs, Rights};
use crate::gate::{Caller, Pass};
use crate::membership::quorum;
use crate::node::{Looked, Standing};

/// How old it may be that somebody is told.
const FRESH: Duration = Duration::from_millis(100);

/// See the module's text. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    desk: Desk,
    board: Arc<Mutex<Board>>,
}

#[derive(Debug, Default)]
struct Board {
    last: Option<(Instant, Arc<Around>)>,
    /// When each member answered last.
    heard: HashMap<u64, Instant>,
}

/// All there is to say of the cluster, as the asked member has it.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) member: u64,
    pub(crate) cluster_id: u64,
    /// That the cluster has agreed on.
    pub(crate) version: Option<String>,
    /// 0 for nobody.
    pub(crate) leader: u64,
    pub(crate) raft_term: u64,
    pub(crate) revision: i64,
    pub(crate) alarms: Vec<AlarmMember>,
    pub(crate) members: Vec<Seen>,
}

/// A member, and how it is.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) member: Member,
    pub(crate) health: Health,
    /// With how long it took to answer.
    pub(crate) standing: Option<(Standing, Duration)>,
    /// Since it answered last, if it does not and ever did.
    pub(crate) silent: Option<Duration>,
    /// Why there is no answer.
    pub(crate) error: Option<String>,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Health {
    Ok,
    /// It has raised an alarm.
    Alarmed,
    /// It knows no leader.
    Leaderless,
    /// It does not answer.
    Silent,
}

/// Whoever looks on, and may for as long as he is somebody.
#[derive(Debug)]
pub(crate) struct Onlooker {
    desk: Desk,
    pass: Pass,
    judged_anew: JudgedAnew,
    looks: Looks,
}

impl Onlooker {
    /// Waits for as long as he may look; why he may no longer.
    pub(crate) async fn may_not(&mut self) -> Error {
        loop {
            if let Err(error) = self.judged_anew.is_due().await {
                return error;
            }
            if let Err(error) = self.desk.gate.still_may(&self.pass, &self.looks) {
                return error;
            }
        }
    }
}

/// Who is not a user when he begins, but is named by a certificate, has to be somebody and no more.
#[derive(Clone, Copy, Debug)]
struct Looks {
    as_user: bool,
}

impl Needs for Looks {
    fn check(&self, rights: &Rights<'_>) -> Result<(), AuthError> {
        rights.is_somebody()?;
        if self.as_user { rights.is_user() } else { Ok(()) }
    }
}

impl Overview {
    pub(super) fn new(desk: Desk) -> Overview {
        Overview { desk, board: Arc::default() }
    }

    /// Asks all members, or is told what somebody else was.
    ///
    /// # Errors
    /// As `Maintenance.Status`.
    pub(crate) async fn show(&self, caller: &Caller) -> Result<Arc<Around>, Error> {
        self.desk.gate.admit(caller, Method::Status)?;
        Ok(self.look(FRESH).await)
    }

    /// Somebody who was let in just now and looks on.
    ///
    /// # Errors
    /// As `Maintenance.Status`.
    pub(crate) fn begin(&self, caller: &Caller) -> Result<Onlooker, Error> {
        let gate = &self.desk.gate;
        let pass = gate.admit_part(caller, Method::Status, true)?;
        let judged_anew = self.desk.judged_anew(&pass);
        let is_user = gate.check(&pass, &Looks { as_user: true }).is_ok();
        Ok(Onlooker { desk: self.desk.clone(), pass, judged_anew, looks: Looks { as_user: is_user } })
    }

    /// The same, for whoever was let in before. `age` is how old it may be.
    pub(crate) async fn look(&self, age: Duration) -> Arc<Around> {
        let mut board = self.board.lock().await;
        if let Some((_, around)) = board.last.as_ref().filter(|(at, _)| at.elapsed() < age) {
            return Arc::clone(around);
        }
        let looked = self.desk.node.look_around().await;
        let around = Arc::new(self.put_together(looked, &mut board.heard));
        board.last = Some((Instant::now(), Arc::clone(&around)));
        around
    }

    /// Returns once this member knows of another leader than before.
    pub(crate) async fn other_leader(&self) {
        let mut leaders = self.desk.node.state().leadership.subscribe();
        leaders.borrow_and_update();
        if leaders.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn put_together(&self, looked: Vec<Looked>, heard: &mut HashMap<u64, Instant>) -> Around {
        let node = &self.desk.node;
        let alarms = node.state().alarms.list(AlarmType::None.into());
        heard.retain(|id, _| looked.iter().any(|looked| looked.member.id == *id));
        let members = looked.into_iter().map(|Looked { member, standing }| {
            let is_alarmed = alarms.iter().any(|alarm| alarm.member_id == member.id);
            match standing {
                Ok(standing) => {
                    heard.insert(member.id, Instant::now());
                    let health = match standing.0.leader {
                        _ if is_alarmed => Health::Alarmed,
                        0 => Health::Leaderless,
                        _ => Health::Ok,
                    };
                    Seen { member: message(member), health, standing: Some(standing), silent: None, error: None }
                }
                Err(error) => {
                    let silent = heard.get(&member.id).map(Instant::elapsed);
                    let member = message(member);
                    Seen { member, health: Health::Silent, standing: None, silent, error: Some(error.to_string()) }
                }
            }
        });
        let members = members.collect();
        let raft = node.raft().status();
        Around {
            member: node.identity().member_id,
            cluster_id: node.identity().cluster_id,
            version: node.state().membership.version(),
            leader: raft.leader,
            raft_term: raft.term,
            revision: node.store().revision(),
            alarms,
            members,
        }
    }
}

impl Around {
    /// Members that vote, how many of them there have to be, and how many of them answer.
    pub(crate) fn voters(&self) -> (usize, usize, usize) {
        let voters = || self.members.iter().filter(|seen| !seen.member.is_learner);
        let count = voters().count();
        (count, quorum(count), voters().filter(|seen| seen.health != Health::Silent).count())
    }

    /// Whether somebody who looks on has to be told at once.
    pub(crate) fn differs(&self, before: &Around) -> bool {
        fn of(seen: &Seen) -> (&Member, Health, Option<&str>) {
            (&seen.member, seen.health, seen.standing.as_ref().map(|(standing, _)| &*standing.version))
        }
        (self.leader, self.raft_term, &self.version, &self.alarms)
            != (before.leader, before.raft_term, &before.version, &before.alarms)
            || !self.members.iter().map(of).eq(before.members.iter().map(of))
    }

    /// Whether there is anything that he has not been told.
    pub(crate) fn is_other(&self, before: &Around) -> bool {
        let of = |seen: &Seen| seen.standing.as_ref().map(|(standing, _)| standing.clone());
        self.differs(before) || !self.members.iter().map(of).eq(before.members.iter().map(of))
    }
}
