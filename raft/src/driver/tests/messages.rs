//! How many messages a batch of proposals or of reads costs, by the size of the cluster: the figures of docs/scaling.md.

use std::collections::BTreeMap;

use bytes::Bytes;
use keyport_api::raftpb::{Message, MessageType};

use super::{Machine, driver, settle};
use crate::driver::Driver;

const BATCH: u64 = 64;

struct Cluster {
    drivers: BTreeMap<u64, (Driver, Machine)>,
    /// On their way, in order.
    network: Vec<Message>,
    sent: u64,
    /// Reads that may be answered.
    read: u64,
}

impl Cluster {
    /// So many members, the first of which leads, and nothing left to do.
    fn new(members: u64) -> Cluster {
        let ids: Vec<u64> = (1..=members).collect();
        let drivers = ids.iter().map(|id| (*id, (driver(*id, &ids), Machine::default()))).collect();
        let mut cluster = Cluster { drivers, network: Vec::new(), sent: 0, read: 0 };
        cluster.turn(1, |leader| leader.campaign());
        cluster.calm();
        assert!(cluster.drivers[&1].0.leader().is_leader);
        cluster
    }

    fn turn(&mut self, id: u64, act: impl FnOnce(&mut Driver)) {
        let (driver, machine) = self.drivers.get_mut(&id).unwrap();
        act(driver);
        let (sent, read) = settle(driver, machine);
        self.sent += sent.len() as u64;
        self.read += read.len() as u64;
        self.network.extend(sent);
    }

    /// Everybody takes all that is on its way to them, in one turn each.
    fn deliver(&mut self, also: impl Fn(&mut Driver, u64)) {
        let arrived = std::mem::take(&mut self.network);
        for id in 1..=self.drivers.len() as u64 {
            let mine: Vec<_> = arrived.iter().filter(|message| message.to() == id).cloned().collect();
            self.turn(id, |driver| {
                mine.into_iter().for_each(|message| driver.step(message).unwrap());
                also(driver, id);
            });
        }
    }

    fn calm(&mut self) {
        while !self.network.is_empty() {
            self.deliver(|_, _| ());
        }
    }
}

fn propose(driver: &mut Driver) {
    driver.propose((0..BATCH).map(|_| Bytes::from_static(b"a proposal")).collect());
}

fn ask(driver: &mut Driver) {
    (1..=BATCH).for_each(|token| driver.read_index(token));
}

#[test]
fn a_batch_costs_two_round_trips_to_each_follower() {
    for members in [3, 5] {
        let mut cluster = Cluster::new(members);
        let followers = members - 1;
        let before = cluster.drivers[&1].0.last_index();
        cluster.sent = 0;
        cluster.turn(1, propose);
        let kinds: Vec<_> = cluster.network.iter().map(|message| (message.r#type(), message.entries.len())).collect();
        assert!(kinds.iter().all(|kind| *kind == (MessageType::MsgApp, 64)) && kinds.len() as u64 == followers);
        cluster.calm();
        // Entries, their acknowledgement, the commit index, its acknowledgement.
        assert_eq!(cluster.sent, 4 * followers);
        for (driver, machine) in cluster.drivers.values() {
            let delivered = (driver.hard_state().commit(), driver.delivered().index);
            assert_eq!(delivered, (before + BATCH, before + BATCH));
            assert!(machine.applied.len() as u64 > BATCH);
        }
    }
}

#[test]
fn batches_that_follow_each_other_carry_the_commit_index() {
    for members in [3, 5] {
        let mut cluster = Cluster::new(members);
        let followers = members - 1;
        let before = cluster.drivers[&1].0.last_index();
        cluster.turn(1, propose);
        cluster.sent = 0;
        let batches = 20_u64;
        for _ in 0..batches {
            // What followers have acknowledged arrives with the next proposals.
            cluster.deliver(|driver, id| {
                if id == 1 {
                    propose(driver)
                }
            });
        }
        // Of two batches under way, each costs one message to and one from every follower.
        assert_eq!(cluster.sent, batches * 2 * followers);
        cluster.calm();
        let all = before + BATCH * (batches + 1);
        assert!(cluster.drivers.values().all(|(driver, _)| driver.delivered().index == all));
    }
}

#[test]
fn reads_that_come_together_share_a_round_trip() {
    for members in [3, 5] {
        let mut cluster = Cluster::new(members);
        cluster.sent = 0;
        cluster.turn(1, ask);
        cluster.calm();
        assert_eq!((cluster.read, cluster.sent), (BATCH, 2 * (members - 1)));
        // A follower asks the leader once for all of its own, and is told once.
        (cluster.read, cluster.sent) = (0, 0);
        cluster.turn(2, ask);
        cluster.calm();
        assert_eq!((cluster.read, cluster.sent), (BATCH, 2 + 2 * (members - 1)));
    }
}
