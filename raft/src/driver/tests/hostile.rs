//! Messages that no correct peer sends, stale ones and garbage: refused or survived in every role, whatever comes before.

use bytes::Bytes;
use keyport_api::raftpb::{ConfState, Entry, Message, MessageType, Snapshot, SnapshotMetadata};

use super::{Machine, driver, driver_with, settle, try_settle};
use crate::config::Config;
use crate::driver::{Driver, DriverError, StepError};
use crate::random::Random;

/// About as far as the log goes, and sometimes nowhere near.
fn count(random: &mut Random, near: u64) -> Option<u64> {
    match random.below(20) {
        0 => None,
        1 => Some(0),
        2 => Some(random.next_u64()),
        3 => Some(u64::MAX >> random.below(3)),
        _ => Some(near.saturating_add(random.below(6)).saturating_sub(3)),
    }
}

fn id(random: &mut Random) -> u64 {
    [0, 1, 2, 3, 4, 9, u64::MAX][random.index(7)]
}

fn ids(random: &mut Random, most: usize) -> Vec<u64> {
    (0..random.index(most + 1)).map(|_| id(random)).collect()
}

fn bytes(random: &mut Random) -> Option<Bytes> {
    match random.below(5) {
        0 => None,
        1 => Some(Bytes::from_static(b"CampaignTransfer")),
        // Membership changes, whole and broken.
        2 => Some(Bytes::copy_from_slice(&[0x08, 0x01, 0x10, 0x00, 0x18, u8::try_from(random.below(5)).unwrap()])),
        3 => Some(Bytes::copy_from_slice(&[0x12, 0x04, 0x08, 0x00, 0x10, u8::try_from(random.below(5)).unwrap()])),
        _ => Some(Bytes::copy_from_slice(&random.next_u64().to_le_bytes())),
    }
}

fn entries(random: &mut Random, after: u64, term: u64) -> Vec<Entry> {
    let mut index = after;
    let many = if random.chance(50) { 0 } else { random.below(4) };
    let mut entry = |random: &mut Random| {
        index = if random.chance(95) { index.wrapping_add(1) } else { random.below(20) };
        let r#type = if random.chance(80) { 0 } else { i32::try_from(random.below(4)).unwrap() };
        let term = if random.chance(90) { Some(term) } else { count(random, term) };
        Entry { r#type: Some(r#type), term, index: Some(index), data: bytes(random) }
    };
    (0..many).map(|_| entry(random)).collect()
}

fn snapshot(random: &mut Random, near: u64, term: u64) -> Snapshot {
    let plausible = random.chance(50);
    let conf_state = ConfState {
        voters: if plausible { vec![1, 2, 3] } else { ids(random, 4) },
        learners: if random.chance(70) { vec![] } else { ids(random, 2) },
        voters_outgoing: if random.chance(70) { vec![] } else { ids(random, 3) },
        learners_next: if random.chance(80) { vec![] } else { ids(random, 2) },
        auto_leave: Some(random.chance(20)),
    };
    let metadata =
        SnapshotMetadata { conf_state: Some(conf_state), index: count(random, near), term: count(random, term) };
    Snapshot { metadata: Some(metadata), data: None }
}

fn draw(random: &mut Random, driver: &Driver) -> Message {
    let (last, term) = (driver.last_index(), driver.leader().term);
    let index = count(random, last);
    let at = if random.chance(70) { index.and_then(|index| driver.term_at(index)) } else { count(random, term) };
    let sent_in = count(random, term + 1);
    Message {
        r#type: Some(i32::try_from(random.below(26)).unwrap()),
        to: Some(if random.chance(95) { 1 } else { id(random) }),
        from: Some(if random.chance(80) { 2 + random.below(2) } else { id(random) }),
        term: sent_in,
        log_term: at,
        index,
        entries: entries(random, index.unwrap_or(0), at.unwrap_or(1).max(sent_in.unwrap_or(1).min(1 << 40))),
        commit: count(random, last),
        snapshot: random.chance(30).then(|| snapshot(random, last, term)),
        reject: Some(random.chance(30)),
        reject_hint: count(random, last),
        context: bytes(random),
        ..Message::default()
    }
}

/// Elections, proposals and reads in between, so that all roles are seen.
fn something_else(random: &mut Random, driver: &mut Driver) -> Result<(), DriverError> {
    match random.below(6) {
        0 => driver.campaign(),
        1 => driver.propose(vec![Bytes::from_static(b"x")]),
        2 => driver.read_index(random.next_u64()),
        3 => driver.transfer_leader(id(random)),
        4 => driver.report_snapshot(id(random), random.chance(50)),
        _ => driver.report_unreachable(id(random)),
    }
    if random.chance(50) {
        try_settle(driver, &mut Machine::default())?;
        driver.tick();
    }
    Ok(())
}

/// Two honest answers that make a candidate the leader.
fn help(driver: &mut Driver) -> Result<(), DriverError> {
    for kind in [MessageType::MsgPreVoteResp, MessageType::MsgVoteResp] {
        let term = driver.leader().term + u64::from(kind == MessageType::MsgPreVoteResp);
        let vote = super::message(kind, 2, 1, term);
        // Refused where it does not fit.
        let _ = driver.step(vote);
        try_settle(driver, &mut Machine::default())?;
    }
    Ok(())
}

#[test]
fn whatever_peers_say_does_not_end_raft() {
    let (mut led, mut refused, mut taken, mut ended) = (0, 0, 0, 0);
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let config = Config { seed, pre_vote: random.chance(50), election_ticks: 3, ..Config::new(1) };
        let voters: &[u64] = if random.chance(80) { &[1, 2, 3] } else { &[1] };
        let (mut driver, mut machine) = (driver_with(config, voters), Machine::default());
        let mut say = || {
            let message = draw(&mut random, &driver);
            match driver.step(message) {
                Ok(()) => taken += 1,
                Err(_) => refused += 1,
            }
            if random.chance(20) {
                something_else(&mut random, &mut driver)?;
            }
            if random.chance(10) {
                help(&mut driver)?;
            }
            if random.chance(70) {
                try_settle(&mut driver, &mut machine)?;
            }
            led += usize::from(driver.leader().is_leader);
            Ok(())
        };
        // A leader that commits what means nothing ends the member, in good order.
        let outcome: Result<(), DriverError> = (0..150).try_for_each(|_| say());
        ended += usize::from(outcome.is_err());
    }
    println!("led {led}, taken {taken}, refused {refused}, ended {ended}");
    assert!(led > 1_000 && refused > 1_000 && taken > 1_000 && ended > 0);
}

#[test]
fn an_order_to_campaign_waits_for_what_is_not_written() {
    // Alone, so that it would lead at once; but with an entry from the leader of before that is not on its disk.
    let (mut driver, mut machine) = (driver(1, &[1]), Machine::default());
    let entry = Entry { term: Some(2), index: Some(4), ..Entry::default() };
    let append = super::message(MessageType::MsgApp, 2, 1, 2);
    driver.step(Message { index: Some(3), log_term: Some(1), entries: vec![entry], ..append }).unwrap();
    driver.campaign();
    driver.step(super::message(MessageType::MsgTimeoutNow, 2, 1, 2)).unwrap();
    settle(&mut driver, &mut machine);
    driver.campaign();
    settle(&mut driver, &mut machine);
    assert!(driver.is_single_voter_leader());
}

#[test]
fn a_voter_that_becomes_a_learner_cannot_also_become_a_voter() {
    let mut driver = driver(1, &[1, 2, 3]);
    let conf_state = ConfState {
        voters: vec![1, 2, 3],
        voters_outgoing: vec![1, 2, 4],
        learners_next: vec![2],
        ..ConfState::default()
    };
    let metadata = SnapshotMetadata { conf_state: Some(conf_state), index: Some(9), term: Some(2) };
    let snapshot = Some(Snapshot { metadata: Some(metadata), data: None });
    let message = Message { snapshot, ..super::message(MessageType::MsgSnap, 2, 1, 2) };
    assert!(driver.step(message).is_err());
}

#[test]
fn a_snapshot_goes_on_from_what_is_committed() {
    let (mut driver, mut machine) = super::leader();
    let snapshot = |index, term| {
        let conf_state = ConfState { voters: vec![1, 2, 3], ..ConfState::default() };
        let metadata = SnapshotMetadata { conf_state: Some(conf_state), index: Some(index), term: Some(term) };
        let snapshot = Some(Snapshot { metadata: Some(metadata), data: None });
        Message { snapshot, ..super::message(MessageType::MsgSnap, 2, 1, 9) }
    };
    // Entry 4 of term 2 is the last one that is committed here.
    for (index, term) in [(9, 1), (5, 1), (4, 1), (4, 3)] {
        let refused = driver.step(snapshot(index, term));
        assert_eq!(refused, Err(StepError::OtherHistory { index, term, committed: (4, 2) }));
        assert!(driver.leader().is_leader, "Raft has not heard of it");
    }
    // One that is behind is answered, and not taken.
    driver.step(snapshot(3, 1)).unwrap();
    let (sent, _) = settle(&mut driver, &mut machine);
    assert!(sent.iter().any(|message| message.r#type() == MessageType::MsgAppResp && message.index() == 4));
    driver.step(snapshot(9, 2)).unwrap();
    let metadata = driver.ready().and_then(|output| output.snapshot).and_then(|snapshot| snapshot.metadata);
    assert_eq!(metadata.map(|metadata| (metadata.index(), metadata.term())), Some((9, 2)));
}
