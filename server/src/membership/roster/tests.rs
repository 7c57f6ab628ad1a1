use keyport_api::error::Error;
use keyport_api::raftpb::ConfChange;
use proptest::prelude::*;

use super::super::{Change, Member};
use super::{Effect, Roster};

fn add(id: u64, url: &str) -> Change {
    let member = Member { id, peer_urls: vec![url.to_owned()], ..Member::default() };
    Change::Add { member, max_learners: 1 }
}

fn add_learner(id: u64, url: &str, max_learners: usize) -> Change {
    let peer_urls = vec![url.to_owned()];
    Change::Add { member: Member { id, peer_urls, is_learner: true, ..Member::default() }, max_learners }
}

fn update(id: u64, url: &str) -> Change {
    Change::Update { id, peer_urls: vec![url.to_owned()] }
}

fn roster(changes: impl IntoIterator<Item = Change>) -> Roster {
    let mut roster = Roster::default();
    for change in changes {
        roster.apply(&change.into_conf_change(0)).unwrap();
    }
    roster
}

fn refused(roster: &Roster, change: Change) -> Error {
    roster.check(&change.into_conf_change(0)).unwrap_err()
}

#[test]
fn refusals_name_their_reason() {
    let mut roster = roster([add(1, "http://a:1"), add(2, "http://b:1"), add_learner(3, "http://c:1", 1)]);
    assert_eq!(refused(&roster, add(2, "http://z:1")), Error::MemberExist);
    assert_eq!(refused(&roster, add(4, "http://a:1")), Error::PeerUrlExist);
    assert_eq!(refused(&roster, update(2, "http://a:1")), Error::PeerUrlExist);
    assert_eq!(refused(&roster, update(9, "http://z:1")), Error::MemberNotFound);
    assert_eq!(refused(&roster, Change::Promote(9)), Error::MemberNotFound);
    assert_eq!(refused(&roster, Change::Promote(2)), Error::MemberNotLearner);
    assert_eq!(refused(&roster, Change::Remove(9)), Error::MemberNotFound);
    assert_eq!(refused(&roster, Change::Remove(0)), Error::MemberNotFound);
    roster.apply(&Change::Remove(2).into_conf_change(0)).unwrap();
    assert_eq!(refused(&roster, add(2, "http://b:1")), Error::MemberNotFound, "a removed id never returns");
    assert_eq!(refused(&roster, Change::Remove(2)), Error::MemberNotFound);
    assert_eq!(refused(&roster, Change::Remove(1)), Error::MemberNotEnoughStarted, "the last voter stays");
}

#[test]
fn the_limit_of_learners_is_the_change_s_own() {
    let roster = roster([add(1, "http://a:1"), add_learner(2, "http://b:1", 1)]);
    assert_eq!(refused(&roster, add_learner(3, "http://c:1", 1)), Error::TooManyLearners);
    roster.check(&add_learner(3, "http://c:1", 2).into_conf_change(0)).unwrap();
}

#[test]
fn an_update_changes_the_peer_urls_alone() {
    let mut roster = roster([add(1, "http://a:1"), add_learner(2, "http://b:1", 1)]);
    roster.publish(2, "two".to_owned(), vec!["http://b:2".to_owned()]);
    let Ok(Effect::Set(member)) = roster.apply(&update(2, "http://b:9").into_conf_change(0)) else { panic!() };
    let expected = Member {
        id: 2,
        peer_urls: vec!["http://b:9".to_owned()],
        is_learner: true,
        name: "two".to_owned(),
        client_urls: vec!["http://b:2".to_owned()],
    };
    assert_eq!(member, expected);
    assert_eq!(roster.get(2), Some(&expected));
    roster.apply(&Change::Promote(2).into_conf_change(0)).unwrap();
    assert_eq!(roster.get(2), Some(&Member { is_learner: false, ..expected }));
}

fn any_change() -> impl Strategy<Value = ConfChange> {
    let url = |n: u8| vec![format!("http://h{n}:1")];
    let change = prop_oneof![
        (0u64..6, 0u8..6, any::<bool>(), 0usize..3).prop_map(move |(id, n, is_learner, max_learners)| Change::Add {
            member: Member { id, peer_urls: url(n), is_learner, ..Member::default() },
            max_learners,
        }),
        (0u64..6).prop_map(Change::Promote),
        (0u64..6, 0u8..6).prop_map(move |(id, n)| Change::Update { id, peer_urls: url(n) }),
        (0u64..6).prop_map(Change::Remove),
    ];
    let broken = proptest::collection::vec(any::<u8>(), 0..8).prop_map(|context| ConfChange {
        id: Some(1),
        r#type: Some(0),
        node_id: Some(1),
        context: Some(context.into()),
    });
    prop_oneof![9 => change.prop_map(|change| change.into_conf_change(0)), 1 => broken]
}

proptest! {
    /// One roster applies what it is given; another one asks first, as the Raft thread does, and applies what was
    /// accepted. Both agree after every change, and what a roster promises holds.
    #[test]
    fn rosters_agree(changes in proptest::collection::vec(any_change(), 0..60)) {
        let (mut eager, mut careful) = (Roster::default(), Roster::default());
        for change in &changes {
            let before = eager.clone();
            let verdict = careful.check(change);
            let applied = eager.apply(change).map(|_| ());
            prop_assert_eq!(verdict, applied);
            match verdict {
                Ok(()) => { careful.apply(change).unwrap(); }
                Err(_) => prop_assert_eq!(&eager, &before),
            }
            prop_assert_eq!(&eager, &careful);
            prop_assert!(eager.members().all(|member| !eager.is_removed(member.id)));
            let had_voters = before.voters().count() > 0;
            prop_assert!(!had_voters || eager.voters().count() > 0);
            let mut urls: Vec<_> = eager.members().flat_map(|member| &member.peer_urls).collect();
            let all = urls.len();
            urls.sort();
            urls.dedup();
            prop_assert_eq!(urls.len(), all);
        }
    }
}
