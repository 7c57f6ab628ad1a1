//! How many messages a batch of proposals costs.

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
    sent: usize,
}

impl Cluster {
    /// Three members, the first of which leads, and nothing left to do.
    fn new() -> Cluster {
        let drivers = (1..=3).map(|id| (id, (driver(id, &[1, 2, 3]), Machine::default()))).collect();
        let mut cluster = Cluster { drivers, network: Vec::new(), sent: 0 };
        cluster.turn(1, |leader| leader.campaign());
        cluster.calm();
        assert!(cluster.drivers[&1].0.leader().is_leader);
        cluster
    }

    fn turn(&mut self, id: u64, act: impl FnOnce(&mut Driver)) {
        let (driver, machine) = self.drivers.get_mut(&id).unwrap();
        act(driver);
        let (sent, _) = settle(driver, machine);
        self.sent += sent.len();
        self.network.extend(sent);
    }

    /// Everybody takes all that is on its way to them, in one turn each.
    fn deliver(&mut self, also: impl Fn(&mut Driver, u64)) {
        let arrived = std::mem::take(&mut self.network);
        for id in 1..=3 {
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

#[test]
fn a_batch_costs_two_round_trips_to_each_follower() {
    let mut cluster = Cluster::new();
    let before = cluster.drivers[&1].0.last_index();
    cluster.sent = 0;
    cluster.turn(1, propose);
    let kinds: Vec<_> = cluster.network.iter().map(|message| (message.r#type(), message.entries.len())).collect();
    assert_eq!(kinds, [(MessageType::MsgApp, 64), (MessageType::MsgApp, 64)]);
    cluster.calm();
    // Entries, their acknowledgement, the commit index, its acknowledgement.
    assert_eq!(cluster.sent, 8);
    for (driver, machine) in cluster.drivers.values() {
        assert_eq!((driver.hard_state().commit(), driver.delivered().index), (before + BATCH, before + BATCH));
        assert!(machine.applied.len() as u64 > BATCH);
    }
}

#[test]
fn batches_that_follow_each_other_carry_the_commit_index() {
    let mut cluster = Cluster::new();
    let before = cluster.drivers[&1].0.last_index();
    cluster.turn(1, propose);
    cluster.sent = 0;
    let batches = 20;
    for _ in 0..batches {
        // What followers have acknowledged arrives with the next proposals.
        cluster.deliver(|driver, id| {
            if id == 1 {
                propose(driver)
            }
        });
    }
    // Of two batches under way, each costs one message to and one from every follower.
    assert_eq!(cluster.sent, batches * 4);
    cluster.calm();
    let all = before + BATCH * (batches as u64 + 1);
    assert!(cluster.drivers.values().all(|(driver, _)| driver.delivered().index == all));
}
