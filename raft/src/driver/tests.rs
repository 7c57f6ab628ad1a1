//! The driver by itself: what peers may say, who waits, what is dropped.

mod hostile;
mod messages;

use bytes::Bytes;
use keyport_api::raftpb::{self, ConfState, Entry, HardState, Message, MessageType};
use raft::eraftpb;

use super::{Driver, DriverError, StepError};
use crate::config::Config;
use crate::state_machine::{Committed, CommittedKind, Configuration, DropReason, StateMachine};
use crate::wal::{Metadata, Recovered, SnapshotMark};

#[derive(Default)]
struct Machine {
    applied: Vec<Committed>,
    refuse: bool,
}

impl StateMachine for Machine {
    fn apply(&mut self, committed: Vec<Committed>) {
        self.applied.extend(committed);
    }

    fn check_conf_change(&mut self, _: &Configuration) -> bool {
        !self.refuse
    }

    fn applied_index(&self) -> u64 {
        u64::MAX
    }

    fn durable_index(&self) -> u64 {
        0
    }
}

/// A member of a configuration with some history: entries 1..=3 of term 1, all committed and applied.
fn driver(id: u64, voters: &[u64]) -> Driver {
    driver_with(Config { seed: 1, ..Config::new(id) }, voters)
}

fn driver_with(config: Config, voters: &[u64]) -> Driver {
    let conf_state = ConfState { voters: voters.to_vec(), ..ConfState::default() };
    let entries = (1..=3).map(|index| Entry { term: Some(1), index: Some(index), ..Entry::default() }).collect();
    let recovered = Recovered {
        metadata: Metadata { node_id: config.id, cluster_id: 1 },
        hard_state: HardState { term: Some(1), vote: Some(0), commit: Some(3) },
        snapshot: SnapshotMark::default(),
        entries,
        repaired: None,
    };
    Driver::new(config, recovered, 3, Some(conf_state)).unwrap()
}

/// What was sent, and which reads may be answered.
type Settled = (Vec<Message>, Vec<(u64, u64)>);

/// Turns until there is nothing left to do; returns what was sent.
fn settle(driver: &mut Driver, machine: &mut Machine) -> Settled {
    try_settle(driver, machine).unwrap()
}

fn try_settle(driver: &mut Driver, machine: &mut Machine) -> Result<Settled, DriverError> {
    let (mut sent, mut reads) = (Vec::new(), Vec::new());
    while let Some(mut output) = driver.ready() {
        sent.append(&mut output.messages);
        driver.deliver(std::mem::take(&mut output.committed), machine)?;
        let mut persisted_messages = std::mem::take(&mut output.persisted_messages);
        reads.append(&mut output.reads);
        let after = driver.persisted(output);
        sent.append(&mut persisted_messages);
        sent.extend(after.messages);
        driver.deliver(after.committed, machine)?;
        driver.finish();
        driver.note_applied(u64::MAX);
    }
    Ok((sent, reads))
}

fn message(kind: MessageType, from: u64, to: u64, term: u64) -> Message {
    Message { r#type: Some(kind as i32), from: Some(from), to: Some(to), term: Some(term), ..Message::default() }
}

/// Makes 1 the leader of 1, 2, 3 in term 2, with everything acknowledged by 2.
fn leader() -> (Driver, Machine) {
    leader_with(Config { seed: 1, ..Config::new(1) })
}

fn leader_with(config: Config) -> (Driver, Machine) {
    let (mut driver, mut machine) = (driver_with(config, &[1, 2, 3]), Machine::default());
    driver.campaign();
    settle(&mut driver, &mut machine);
    driver.step(message(MessageType::MsgPreVoteResp, 2, 1, 2)).unwrap();
    settle(&mut driver, &mut machine);
    driver.step(message(MessageType::MsgVoteResp, 2, 1, 2)).unwrap();
    settle(&mut driver, &mut machine);
    assert!(driver.leader().is_leader);
    acknowledge(&mut driver, 4);
    settle(&mut driver, &mut machine);
    assert_eq!(driver.hard_state().commit(), 4);
    (driver, machine)
}

fn acknowledge(driver: &mut Driver, index: u64) {
    let term = driver.leader().term;
    driver.step(Message { index: Some(index), ..message(MessageType::MsgAppResp, 2, 1, term) }).unwrap();
}

#[test]
fn a_sole_voter_commits_in_the_turn_that_persists() {
    let (mut driver, mut machine) = (driver(1, &[1]), Machine::default());
    driver.campaign();
    settle(&mut driver, &mut machine);
    assert!(driver.is_single_voter_leader());
    driver.propose(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    let output = driver.ready().unwrap();
    assert_eq!((output.entries.len(), output.must_sync, output.committed.len()), (2, true, 0));
    let after = driver.persisted(output);
    assert_eq!(after.committed.len(), 2);
    driver.deliver(after.committed, &mut machine).unwrap();
    driver.finish();
    assert!(driver.ready().is_none());
    let last = machine.applied.pop().unwrap();
    assert_eq!((last.index, last.kind), (6, CommittedKind::Normal(Bytes::from_static(b"b"))));
}

#[test]
fn what_does_not_follow_is_not_handed_over() {
    for (first, skipped) in [(3, 0), (5, 0), (4, 1)] {
        let (mut driver, mut machine) = (driver(1, &[1]), Machine::default());
        let entry = |index| eraftpb::Entry { term: 1, index, ..eraftpb::Entry::default() };
        let error = driver.deliver(vec![entry(first), entry(first + 1 + skipped)], &mut machine).unwrap_err();
        assert!(error.to_string().contains("is due"), "{error}");
        assert!(machine.applied.is_empty() && driver.delivered().index == 3);
    }
}

#[test]
fn proposals_wait_for_a_leader_but_not_for_ever() {
    let (mut driver, mut machine) = (driver(1, &[1, 2]), Machine::default());
    driver.propose(vec![Bytes::from_static(b"early")]);
    assert!(driver.take_dropped().is_empty());
    driver.step(message(MessageType::MsgHeartbeat, 2, 1, 2)).unwrap();
    let (sent, _) = settle(&mut driver, &mut machine);
    let forwarded = sent.iter().find(|message| message.r#type() == MessageType::MsgProp).unwrap();
    assert_eq!((forwarded.to(), forwarded.entries.len()), (2, 1));

    let mut alone = self::driver(1, &[1, 2]);
    alone.propose(vec![Bytes::from_static(b"late")]);
    for _ in 0..100 {
        alone.tick();
    }
    assert_eq!(alone.take_dropped(), [(Bytes::from_static(b"late"), DropReason::NoLeader)]);
}

#[test]
fn too_many_uncommitted_bytes_are_refused() {
    let config = Config { max_uncommitted_bytes: 2 << 20, ..Config::new(1) };
    let (mut driver, mut machine) = (driver_with(config, &[1]), Machine::default());
    driver.campaign();
    settle(&mut driver, &mut machine);
    let mebibytes = |n| (0..n).map(|_| Bytes::from(vec![0; 1 << 20])).collect();
    // The first batch is taken whatever its size, or an entry larger than the limit never could be.
    driver.propose(mebibytes(1));
    driver.propose(mebibytes(5));
    let dropped = driver.take_dropped();
    assert_eq!((dropped.len(), dropped[0].1), (4, DropReason::Refused));
    settle(&mut driver, &mut machine);
    driver.propose(mebibytes(1));
    assert!(driver.take_dropped().is_empty());
}

#[test]
fn readers_share_a_round_and_get_the_commit_index() {
    let (mut driver, mut machine) = leader();
    driver.read_index(7);
    driver.read_index(8);
    let (sent, reads) = settle(&mut driver, &mut machine);
    assert!(reads.is_empty());
    let contexts: Vec<_> = sent.iter().filter_map(|message| message.context.clone()).collect();
    assert_eq!((contexts.len(), &contexts[0]), (2, &contexts[1]));
    let answer = Message { context: Some(contexts[0].clone()), ..message(MessageType::MsgHeartbeatResp, 2, 1, 2) };
    driver.step(answer).unwrap();
    let (_, reads) = settle(&mut driver, &mut machine);
    assert_eq!(reads, [(7, 4), (8, 4)]);
}

#[test]
fn a_refused_change_changes_nothing() {
    let change = raftpb::ConfChange { r#type: Some(0), node_id: Some(9), ..raftpb::ConfChange::default() };
    for refuse in [true, false] {
        let (mut driver, mut machine) = (driver(1, &[1]), Machine { refuse, ..Machine::default() });
        driver.campaign();
        settle(&mut driver, &mut machine);
        driver.propose_conf_change(&Configuration::Simple(change.clone()));
        settle(&mut driver, &mut machine);
        let Committed { kind: CommittedKind::ConfChange { accepted, conf_state, .. }, .. } =
            machine.applied.pop().unwrap()
        else {
            panic!("no membership change came back");
        };
        assert_eq!((accepted, conf_state.voters.len()), (!refuse, if refuse { 1 } else { 2 }));
        assert_eq!(driver.is_single_voter_leader(), refuse);
    }
}

fn add(node_id: u64) -> raftpb::ConfChange {
    raftpb::ConfChange { r#type: Some(0), node_id: Some(node_id), ..raftpb::ConfChange::default() }
}

#[test]
fn a_second_change_waits_for_the_first() {
    let (mut driver, mut machine) = leader();
    driver.propose_conf_change(&Configuration::Simple(add(4)));
    driver.propose_conf_change(&Configuration::Simple(add(5)));
    let data = prost::Message::encode_to_vec(&add(6)).into();
    let forwarded = Entry { r#type: Some(1), data: Some(data), ..Entry::default() };
    let normal = Entry { data: Some(Bytes::from_static(b"x")), ..Entry::default() };
    let proposal = Message { entries: vec![forwarded, normal], ..message(MessageType::MsgProp, 2, 1, 0) };
    driver.step(proposal).unwrap();
    settle(&mut driver, &mut machine);
    assert_eq!(driver.last_index(), 6, "one change and the normal entry");
    for index in 6..=8 {
        acknowledge(&mut driver, index);
        driver.step(Message { index: Some(index), ..message(MessageType::MsgAppResp, 3, 1, 2) }).unwrap();
        settle(&mut driver, &mut machine);
    }
    assert_eq!(driver.delivered().conf_state.voters, [1, 2, 3, 4, 5, 6]);
    let matched = driver.progress().unwrap().into_iter().find(|progress| progress.id == 2).unwrap().matched;
    assert_eq!(matched, 8);
}

#[test]
fn changes_without_a_leader_are_given_up() {
    let mut driver = driver(1, &[1, 2]);
    driver.propose_conf_change(&Configuration::Simple(add(4)));
    for _ in 0..100 {
        driver.tick();
    }
    assert_eq!(driver.take_dropped_changes(), [(Configuration::Simple(add(4)), DropReason::NoLeader)]);
    assert_eq!(driver.progress(), None);
}

#[test]
fn proposals_during_a_hand_over_reach_the_next_leader() {
    let (mut driver, mut machine) = leader();
    driver.transfer_leader(2);
    driver.propose(vec![Bytes::from_static(b"own")]);
    let normal = Entry { data: Some(Bytes::from_static(b"forwarded")), ..Entry::default() };
    driver.step(Message { entries: vec![normal], ..message(MessageType::MsgProp, 3, 1, 0) }).unwrap();
    driver.propose_conf_change(&Configuration::Simple(add(4)));
    settle(&mut driver, &mut machine);
    assert_eq!(driver.last_index(), 4);
    driver.step(message(MessageType::MsgHeartbeat, 2, 1, 3)).unwrap();
    let (sent, _) = settle(&mut driver, &mut machine);
    let proposed = sent.iter().filter(|message| message.r#type() == MessageType::MsgProp).flat_map(|m| &m.entries);
    let proposed: Vec<_> = proposed.map(|entry| (entry.r#type(), entry.data().to_vec())).collect();
    let change = prost::Message::encode_to_vec(&add(4));
    let expected = [
        (raftpb::EntryType::EntryNormal, b"own".to_vec()),
        (raftpb::EntryType::EntryNormal, b"forwarded".to_vec()),
        (raftpb::EntryType::EntryConfChange, change),
    ];
    assert_eq!(proposed, expected);
}

#[test]
fn what_a_leader_decided_is_bound_to_its_term() {
    let (mut driver, mut machine) = leader();
    let term = driver.leader().term;
    driver.propose_in_term(term - 1, Bytes::from_static(b"earlier"));
    driver.propose_in_term(term, Bytes::from_static(b"now"));
    settle(&mut driver, &mut machine);
    assert_eq!(driver.entry(driver.last_index()).and_then(|entry| entry.data), Some(Bytes::from_static(b"now")));
    assert_eq!(driver.take_dropped(), [(Bytes::from_static(b"earlier"), DropReason::TermOver)]);
    // While it hands over, what clients propose waits; this does not.
    let last = driver.last_index();
    acknowledge(&mut driver, last);
    settle(&mut driver, &mut machine);
    assert_eq!(driver.handed_over(), 0);
    driver.transfer_leader(2);
    assert_eq!(driver.handed_over(), term);
    driver.propose_in_term(term, Bytes::from_static(b"late"));
    assert_eq!(driver.take_dropped(), [(Bytes::from_static(b"late"), DropReason::TermOver)]);
    driver.step(message(MessageType::MsgHeartbeat, 2, 1, term + 1)).unwrap();
    driver.propose_in_term(term, Bytes::from_static(b"too late"));
    assert_eq!(driver.take_dropped().len(), 1);
    let (sent, _) = settle(&mut driver, &mut machine);
    assert!(sent.iter().all(|message| message.r#type() != MessageType::MsgProp), "never passed on");
}

#[test]
fn what_a_follower_that_is_there_needs_is_kept() {
    let config = Config { seed: 1, snapshot_catchup_entries: 5, ..Config::new(1) };
    let (mut driver, mut machine) = leader_with(config);
    let last = |index, term| Message { index: Some(index), ..message(MessageType::MsgAppResp, 3, 1, term) };
    driver.step(last(4, 2)).unwrap();
    for index in 5..=50 {
        driver.propose(vec![Bytes::from_static(b"x")]);
        settle(&mut driver, &mut machine);
        acknowledge(&mut driver, index);
        settle(&mut driver, &mut machine);
    }
    driver.compact_log();
    assert!(driver.entry(5).is_some(), "the third member has not acknowledged it");
    assert!(driver.entry(4).is_none());
    driver.step(last(20, 2)).unwrap();
    driver.compact_log();
    assert!(driver.entry(20).is_none() && driver.entry(21).is_some());
    // It is heard of no more.
    for _ in 0..40 {
        driver.tick();
        acknowledge(&mut driver, 50);
        settle(&mut driver, &mut machine);
    }
    driver.compact_log();
    assert_eq!(driver.memory().0, 5);
}

#[test]
fn a_late_candidate_hears_the_term_from_a_member_without_a_leader() {
    let (mut driver, mut machine) = (driver(1, &[1, 2, 3]), Machine::default());
    let vote = |term| Message { index: Some(3), log_term: Some(1), ..message(MessageType::MsgVote, 2, 1, term) };
    driver.step(vote(9)).unwrap();
    settle(&mut driver, &mut machine);
    driver.step(vote(5)).unwrap();
    let (sent, _) = settle(&mut driver, &mut machine);
    let answers: Vec<_> = sent.iter().map(|sent| (sent.r#type(), sent.to(), sent.term(), sent.reject())).collect();
    assert_eq!(answers, [(MessageType::MsgVoteResp, 2, 9, true)]);
    // Those who follow a leader leave it to that.
    driver.step(message(MessageType::MsgHeartbeat, 3, 1, 9)).unwrap();
    settle(&mut driver, &mut machine);
    driver.step(vote(5)).unwrap();
    assert_eq!(settle(&mut driver, &mut machine).0, []);
}

#[test]
fn a_removed_leader_tells_the_others_and_steps_down() {
    let (mut driver, mut machine) = leader();
    let change = raftpb::ConfChange { r#type: Some(1), node_id: Some(1), ..raftpb::ConfChange::default() };
    driver.propose_conf_change(&Configuration::Simple(change.clone()));
    settle(&mut driver, &mut machine);
    acknowledge(&mut driver, 5);
    let (sent, _) = settle(&mut driver, &mut machine);
    assert!(sent.iter().any(|message| message.to() == 2 && message.commit() == 5));
    assert!(!driver.leader().is_leader);
    assert_eq!(driver.delivered().conf_state.voters, [2, 3]);
}

/// Membership changes that another release might understand.
fn meaningless_changes() -> [Entry; 4] {
    let single = raftpb::ConfChangeSingle { r#type: Some(99), node_id: Some(4) };
    let unknown = raftpb::ConfChange { r#type: Some(99), ..add(4) };
    let joint = raftpb::ConfChangeV2 { changes: vec![single], ..raftpb::ConfChangeV2::default() };
    let change = |kind: raftpb::EntryType, data: Vec<u8>| Entry {
        r#type: Some(kind as i32),
        data: Some(data.into()),
        ..Entry::default()
    };
    [
        change(raftpb::EntryType::EntryConfChange, vec![0xff; 2]),
        change(raftpb::EntryType::EntryConfChangeV2, vec![0xff; 2]),
        change(raftpb::EntryType::EntryConfChange, prost::Message::encode_to_vec(&unknown)),
        change(raftpb::EntryType::EntryConfChangeV2, prost::Message::encode_to_vec(&joint)),
    ]
}

#[test]
fn a_committed_change_that_means_nothing_ends_the_member() {
    for change in meaningless_changes() {
        let (mut driver, mut machine) = (driver(1, &[1, 2, 3]), Machine::default());
        let at = |index, entry| Entry { index: Some(index), term: Some(2), ..entry };
        let entries = vec![at(4, Entry::default()), at(5, change), at(6, Entry::default())];
        let append = message(MessageType::MsgApp, 2, 1, 2);
        let append = Message { index: Some(3), log_term: Some(1), commit: Some(6), entries, ..append };
        driver.step(append).unwrap();
        let mut output = driver.ready().unwrap();
        let mut committed = std::mem::take(&mut output.committed);
        committed.extend(driver.persisted(output).committed);
        assert_eq!(committed.len(), 3);
        let error = driver.deliver(committed, &mut machine).unwrap_err().to_string();
        assert!(error.starts_with("the membership change at 5 "), "{error}");
        assert_eq!(machine.applied.iter().map(|committed| committed.index).collect::<Vec<_>>(), [4]);
    }
}

#[test]
fn what_would_end_raft_is_refused() {
    let (mut driver, _) = leader();
    let term = driver.leader().term;
    let app = || message(MessageType::MsgApp, 2, 1, term + 1);
    let at = |index, term| Entry { index: Some(index), term: Some(term), ..Entry::default() };
    let bad_snapshot = |voters: Vec<u64>, learners: Vec<u64>, index| {
        let conf_state = ConfState { voters, learners, ..ConfState::default() };
        let metadata = raftpb::SnapshotMetadata { conf_state: Some(conf_state), index: Some(index), term: Some(1) };
        let snapshot = raftpb::Snapshot { metadata: Some(metadata), data: None };
        Message { snapshot: Some(snapshot), ..message(MessageType::MsgSnap, 2, 1, term + 1) }
    };
    let propose = |change| Message { entries: vec![change], ..message(MessageType::MsgProp, 2, 1, 0) };
    let [malformed, malformed_joint, unknown, unknown_joint] = meaningless_changes().map(propose);
    let bad = [
        message(MessageType::MsgHup, 2, 1, term),
        message(MessageType::MsgApp, 0, 1, term),
        message(MessageType::MsgApp, 1, 1, term),
        message(MessageType::MsgApp, 2, 3, term),
        message(MessageType::MsgHeartbeat, 2, 1, 0),
        message(MessageType::MsgVote, 2, 1, u64::MAX),
        message(MessageType::MsgProp, 2, 1, 0),
        message(MessageType::MsgReadIndex, 2, 1, 0),
        message(MessageType::MsgHeartbeatResp, 9, 1, term),
        Message { commit: Some(99), ..message(MessageType::MsgHeartbeat, 2, 1, term + 1) },
        Message { index: Some(99), ..message(MessageType::MsgAppResp, 2, 1, term) },
        Message { index: Some(99), ..app() },
        Message { index: Some(4), log_term: Some(2), entries: vec![at(6, 2)], ..app() },
        Message { index: Some(4), log_term: Some(2), entries: vec![at(5, 2), at(6, 1)], ..app() },
        Message { index: Some(4), log_term: Some(2), entries: vec![at(5, 99)], ..app() },
        malformed,
        malformed_joint,
        unknown,
        unknown_joint,
        bad_snapshot(vec![], vec![], 5),
        bad_snapshot(vec![1, 1], vec![], 5),
        bad_snapshot(vec![1, 2], vec![2], 5),
        bad_snapshot(vec![1, 2], vec![], 0),
        message(MessageType::MsgSnap, 2, 1, term + 1),
    ];
    for message in bad {
        let text = format!("{message:?}");
        assert!(driver.step(message).is_err(), "{text}");
    }
    assert_eq!(driver.leader().term, term);
    let stranger = message(MessageType::MsgAppResp, 9, 1, term);
    assert_eq!(driver.step(stranger), Err(StepError::NotMember));
}

#[test]
fn what_the_leader_cannot_hear_waits_for_it_or_for_another_one() {
    for (leader, term) in [(1, 2), (3, 3)] {
        let (mut driver, mut machine) = (driver(2, &[1, 2, 3]), Machine::default());
        driver.step(message(MessageType::MsgHeartbeat, 1, 2, 2)).unwrap();
        settle(&mut driver, &mut machine);
        driver.leader_is_reachable(false);
        driver.propose(vec![Bytes::from_static(b"a proposal")]);
        assert_eq!(settle(&mut driver, &mut machine).0, []);
        driver.step(message(MessageType::MsgHeartbeat, leader, 2, term)).unwrap();
        driver.leader_is_reachable(true);
        let (sent, _) = settle(&mut driver, &mut machine);
        let proposals: Vec<_> = sent.iter().filter(|message| message.r#type() == MessageType::MsgProp).collect();
        assert_eq!(proposals.len(), 1);
        assert_eq!(proposals[0].to(), leader);
    }
}

/// Member 1 has not heard that 3 leads now, and 2 does not.
#[test]
fn what_others_took_to_the_wrong_member_goes_on_in_its_own_name_or_not_at_all() {
    let (mut driver, mut machine) = (driver(2, &[1, 2, 3]), Machine::default());
    driver.step(message(MessageType::MsgHeartbeat, 3, 2, 2)).unwrap();
    settle(&mut driver, &mut machine);
    let entries = vec![Entry { data: Some(Bytes::from_static(b"a proposal")), ..Entry::default() }];
    for kind in [MessageType::MsgProp, MessageType::MsgReadIndex] {
        driver.step(Message { entries: entries.clone(), ..message(kind, 1, 2, 0) }).unwrap();
    }
    driver.step(message(MessageType::MsgTransferLeader, 1, 2, 0)).unwrap();
    let (sent, _) = settle(&mut driver, &mut machine);
    let sent: Vec<_> = sent.iter().map(|message| (message.r#type(), message.from(), message.to())).collect();
    assert_eq!(sent, [(MessageType::MsgProp, 2, 3)]);
}

#[test]
fn election_timeouts_follow_from_the_seed() {
    let timeout = |seed| {
        let mut driver = driver_with(Config { seed, ..Config::new(1) }, &[1, 2, 3]);
        let mut ticks = 0;
        while driver.ready().is_none() {
            driver.tick();
            ticks += 1;
        }
        ticks
    };
    let drawn: Vec<_> = (0..20).map(timeout).collect();
    assert_eq!(drawn, (0..20).map(timeout).collect::<Vec<_>>());
    assert!(drawn.iter().all(|ticks| (10..20).contains(ticks)));
    assert!(drawn.iter().any(|ticks| *ticks != drawn[0]));
}

/// Ticks until this member asks for votes.
fn ticks_to_an_election(driver: &mut Driver, machine: &mut Machine) -> usize {
    let asks = |sent: &[Message]| sent.iter().any(|message| message.r#type() == MessageType::MsgPreVote);
    (1..100)
        .find(|_| {
            driver.tick();
            asks(&settle(driver, machine).0)
        })
        .unwrap()
}

fn follower_of(leader: u64, seed: u64) -> (Driver, Machine) {
    let (mut driver, mut machine) = (driver_with(Config { seed, ..Config::new(1) }, &[1, 2, 3]), Machine::default());
    driver.step(message(MessageType::MsgHeartbeat, leader, 1, 2)).unwrap();
    settle(&mut driver, &mut machine);
    assert_eq!(driver.leader().leader, leader);
    (driver, machine)
}

#[test]
fn a_dead_leader_is_not_waited_for() {
    let first = |seed| {
        let (mut driver, mut machine) = follower_of(2, seed);
        driver.peer_is_down(2);
        assert_eq!(driver.leader().leader, 0);
        // Nor when somebody else asks for a vote first.
        let vote = Message { index: Some(3), log_term: Some(1), ..message(MessageType::MsgPreVote, 3, 1, 3) };
        driver.step(vote).unwrap();
        let (sent, _) = settle(&mut driver, &mut machine);
        assert!(sent.iter().any(|message| message.r#type() == MessageType::MsgPreVoteResp && !message.reject()));
        ticks_to_an_election(&mut driver, &mut machine)
    };
    let ticks: Vec<usize> = (0..40).map(first).collect();
    assert!([1, 2, 3].iter().all(|n| ticks.contains(n)), "{ticks:?}");
    assert!(ticks.iter().all(|n| (1..=3).contains(n)), "{ticks:?}");
}

#[test]
fn elections_that_lead_to_nothing_become_rare() {
    for seed in 0..40 {
        let (mut driver, mut machine) = follower_of(2, seed);
        driver.peer_is_down(2);
        let waits: Vec<usize> = (0..12).map(|_| ticks_to_an_election(&mut driver, &mut machine)).collect();
        assert!(waits[0] <= 3, "{waits:?}");
        assert!(waits[8..].iter().all(|n| (10..20).contains(n)), "{waits:?}");
    }
}

#[test]
fn who_hears_the_leader_waits_for_it() {
    for seed in 0..40 {
        let (mut driver, mut machine) = follower_of(2, seed);
        driver.peer_is_down(3);
        assert_eq!(driver.leader().leader, 2, "another one's death is nothing to it");
        driver.peer_is_down(2);
        driver.step(message(MessageType::MsgHeartbeat, 2, 1, 2)).unwrap();
        settle(&mut driver, &mut machine);
        assert_eq!(driver.leader().leader, 2);
        assert!((10..20).contains(&ticks_to_an_election(&mut driver, &mut machine)));
    }
}

#[test]
fn a_leader_is_not_told_of_its_own_death() {
    let (mut driver, _) = leader();
    driver.peer_is_down(1);
    driver.peer_is_down(2);
    assert!(driver.leader().is_leader);
}

#[test]
fn of_several_changes_in_a_log_only_the_last_may_be_uncommitted() {
    let entry = |index, kind: i32| {
        let change = add(index);
        let data = (kind == 1).then(|| prost::Message::encode_to_vec(&change).into());
        Entry { r#type: Some(kind), term: Some(1), index: Some(index), data }
    };
    let recovered = |kinds: [i32; 5]| Recovered {
        metadata: Metadata { node_id: 1, cluster_id: 1 },
        hard_state: HardState { term: Some(1), vote: Some(0), commit: Some(1) },
        snapshot: SnapshotMark::default(),
        entries: (1..).zip(kinds).map(|(index, kind)| entry(index, kind)).collect(),
        repaired: None,
    };
    for (kinds, commit) in [([0, 0, 1, 0, 0], 1), ([0, 0, 1, 0, 1], 3), ([0, 1, 0, 1, 1], 4), ([0, 0, 0, 0, 0], 1)] {
        let conf_state = ConfState { voters: vec![1, 2, 3], ..ConfState::default() };
        let mut driver = Driver::new(Config::new(1), recovered(kinds), 1, Some(conf_state)).unwrap();
        assert_eq!(driver.hard_state().commit(), commit);
        // Until these are applied, no election.
        driver.campaign();
        assert!(driver.ready().is_none_or(|output| output.messages.is_empty()));
    }
}

#[test]
fn without_a_stored_configuration_it_follows_from_the_log() {
    let change = |index, kind: i32, node_id| {
        let change = raftpb::ConfChange { r#type: Some(kind), node_id: Some(node_id), ..raftpb::ConfChange::default() };
        let data = Some(prost::Message::encode_to_vec(&change).into());
        Entry { r#type: Some(1), term: Some(1), index: Some(index), data }
    };
    let recovered = Recovered {
        metadata: Metadata { node_id: 1, cluster_id: 1 },
        hard_state: HardState { term: Some(1), vote: Some(0), commit: Some(4) },
        snapshot: SnapshotMark::default(),
        entries: vec![change(1, 0, 1), change(2, 0, 2), change(3, 3, 3), change(4, 1, 2)],
        repaired: None,
    };
    let at = |applied| {
        let driver = Driver::new(Config::new(1), recovered.clone(), applied, None).unwrap();
        let ConfState { voters, learners, .. } = driver.delivered().conf_state.clone();
        (voters, learners)
    };
    assert_eq!(at(0), (vec![], vec![]));
    assert_eq!(at(2), (vec![1, 2], vec![]));
    assert_eq!(at(4), (vec![1], vec![3]));
}

#[test]
fn learners_are_proposed_with_etcds_numbers() {
    let (mut driver, mut machine) = (driver(1, &[1]), Machine::default());
    driver.campaign();
    settle(&mut driver, &mut machine);
    for (kind, learners) in [(3, vec![2]), (1, vec![])] {
        let change = raftpb::ConfChange { r#type: Some(kind), node_id: Some(2), ..raftpb::ConfChange::default() };
        driver.propose_conf_change(&Configuration::Simple(change.clone()));
        settle(&mut driver, &mut machine);
        let conf_state = driver.delivered().conf_state.clone();
        assert_eq!((&conf_state.voters, &conf_state.learners), (&vec![1], &learners));
        let change = Configuration::Simple(change);
        let last = machine.applied.last().map(|entry| entry.kind.clone());
        assert_eq!(last, Some(CommittedKind::ConfChange { change, accepted: true, conf_state }));
    }
    // A joint configuration that nobody is in cannot be left.
    let leave = Configuration::Joint(raftpb::ConfChangeV2::default());
    driver.propose_conf_change(&leave);
    assert_eq!(driver.take_dropped_changes(), [(leave, DropReason::Refused)]);
}
