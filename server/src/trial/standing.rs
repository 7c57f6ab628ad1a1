//! How the members stand: who answers, and whom they follow. They are asked as any client would ask.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::NAMES;
use super::plan::Plan;
use crate::asking::PeerClient;

const ASK_EVERY: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(1);
/// Of three.
const QUORUM: usize = 2;

/// What a member's metrics say of Raft: they are for everybody, whether there are users or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Raft {
    leads: bool,
    has_leader: bool,
}

impl Raft {
    /// None of what has no such metrics.
    fn of(metrics: &str) -> Option<Raft> {
        let is = |name: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            Some(value.trim() == "1")
        };
        Some(Raft { leads: is("etcd_server_is_leader")?, has_leader: is("etcd_server_has_leader")? })
    }
}

/// As of the last time that all were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    up: [bool; NAMES.len()],
    /// Its number, if a quorum knows of a leader.
    leader: Option<usize>,
}

impl Standing {
    fn of(answers: &[Option<Raft>]) -> Standing {
        let up = std::array::from_fn(|number| answers.get(number).is_some_and(Option::is_some));
        let is_led = answers.iter().flatten().filter(|raft| raft.has_leader).count() >= QUORUM;
        let leads = |answer: &Option<Raft>| answer.is_some_and(|raft| raft.leads && is_led);
        Standing { up, leader: answers.iter().position(leads) }
    }

    /// In a sentence, once it is what the processes that run will come to.
    pub(super) fn sentence(&self, running: [bool; NAMES.len()]) -> Option<String> {
        let count = running.iter().filter(|runs| **runs).count();
        let members = match count {
            3 => "three members are up",
            2 => "two members are up",
            1 => "one member is up",
            _ => return None,
        };
        match self.leader {
            _ if count < QUORUM => Some(format!("{members}, too few to agree on anything")),
            Some(leader) if self.up == running => Some(format!("{members}, m{} leads", leader + 1)),
            _ => None,
        }
    }
}

/// Asks for as long as somebody wants to know.
pub(super) fn follow(plan: &Plan) -> watch::Receiver<Standing> {
    let (standing, receiver) = watch::channel(Standing::default());
    let client = plan.client();
    let urls: [String; NAMES.len()] = std::array::from_fn(|number| plan.client_url(number));
    tokio::spawn(async move {
        let mut every = tokio::time::interval(ASK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !standing.is_closed() {
            every.tick().await;
            let now = Standing::of(&join_all(urls.iter().map(|url| ask(&client, url))).await);
            standing.send_if_modified(|known| std::mem::replace(known, now.clone()) != now);
        }
    });
    receiver
}

async fn ask(client: &PeerClient, url: &str) -> Option<Raft> {
    let answer = client.get(url, "/metrics", PATIENCE).await.ok()?;
    Raft::of(std::str::from_utf8(&answer.body).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADS: Option<Raft> = Some(Raft { leads: true, has_leader: true });
    const FOLLOWS: Option<Raft> = Some(Raft { leads: false, has_leader: true });
    const LOST: Option<Raft> = Some(Raft { leads: false, has_leader: false });

    #[test]
    fn what_is_said() {
        let all = Standing::of(&[FOLLOWS, FOLLOWS, LEADS]);
        assert_eq!(all.sentence([true; 3]).unwrap(), "three members are up, m3 leads");
        assert_eq!(all.sentence([true, true, false]), None, "it has been killed, and not been missed yet");

        let two = Standing::of(&[FOLLOWS, LEADS, None]);
        assert_eq!(two.sentence([true, true, false]).unwrap(), "two members are up, m2 leads");
        assert_eq!(two.sentence([true; 3]), None, "the third is on its way");

        let undecided = Standing::of(&[LOST, LEADS, None]);
        assert_eq!(undecided.sentence([true, true, false]), None);
        let one = Standing::of(&[LOST, None, None]);
        assert_eq!(one.sentence([true, false, false]).unwrap(), "one member is up, too few to agree on anything");
        assert_eq!(Standing::default().sentence([false; 3]), None);
    }

    #[test]
    fn what_metrics_say() {
        let text = |leads: &str| format!("# HELP a\netcd_server_has_leader 1\netcd_server_is_leader{leads}\n");
        assert_eq!((Raft::of(&text(" 1")), Raft::of(&text(" 0"))), (LEADS, FOLLOWS));
        assert_eq!((Raft::of(&text("_x 1")), Raft::of("")), (None, None));
    }
}
