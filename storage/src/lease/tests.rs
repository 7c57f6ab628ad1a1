use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A lessor and a clock that only moves when told to.
struct World {
    lessor: Arc<Lessor>,
    now: Instant,
}

impl World {
    fn new(options: LessorOptions) -> World {
        let now = Instant::now();
        World { lessor: Arc::new(Lessor::new(options, now)), now }
    }

    fn primary() -> World {
        let world = World::new(LessorOptions::default());
        world.lessor.promote(1, Duration::ZERO, world.now);
        world
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn grant(&self, id: i64, ttl: i64) -> Result<i64, LeaseError> {
        self.lessor.grant(id, ttl, self.now, &mut Batch::new())
    }

    fn revoke(&self, id: i64) -> Result<Vec<Bytes>, LeaseError> {
        self.lessor.revoke(id, &mut Batch::new())
    }

    fn expired(&self) -> Vec<i64> {
        self.lessor.due(self.now, 500).expired
    }

    fn ttl(&self, id: i64) -> Result<i64, LeaseError> {
        self.lessor.time_to_live(id, false, self.now).map(|shown| shown.ttl)
    }
}

const RENEWED: Renewal = Renewal::Renewed { ttl: 10, has_checkpoint: false };

#[test]
fn grants_raise_short_ttls_and_refuse_long_ones_and_ids_in_use() {
    let world = World::primary();
    assert_eq!(world.grant(1, -5), Ok(1));
    assert_eq!(world.grant(2, 0), Ok(1));
    assert_eq!(world.grant(-3, MAX_TTL_SECONDS), Ok(MAX_TTL_SECONDS));
    assert_eq!(world.grant(4, MAX_TTL_SECONDS + 1), Err(LeaseError::TtlTooLarge));
    assert_eq!(world.grant(1, 10), Err(LeaseError::Exists));
    assert_eq!(world.grant(0, 10), Err(LeaseError::NotFound));
    assert_eq!(world.lessor.list(), [-3, 1, 2]);
    assert_eq!(world.revoke(1), Ok(vec![]));
    assert_eq!(world.revoke(1), Err(LeaseError::NotFound));
}

#[test]
fn revoking_returns_the_keys_in_order() {
    let world = World::primary();
    for id in [1, 2] {
        world.grant(id, 10).expect("granted");
    }
    for key in ["c", "a", "b", "a"] {
        world.lessor.reattach(key.as_bytes(), 0, 1);
    }
    world.lessor.reattach(b"b", 1, 2);
    world.lessor.reattach(b"c", 1, 0);
    world.lessor.reattach(b"d", 77, 78);
    assert_eq!(world.lessor.keys(1), Some(vec![Bytes::from("a")]));
    world.lessor.reattach(b"0", 0, 1);
    let shown = world.lessor.time_to_live(1, true, world.now);
    assert_eq!(shown, Ok(TimeToLive { ttl: 10, granted_ttl: 10, keys: vec!["0".into(), "a".into()] }));
    assert_eq!(world.revoke(1), Ok(vec!["0".into(), "a".into()]));
    assert_eq!(world.revoke(2), Ok(vec!["b".into()]));
    assert_eq!(world.lessor.keys(1), None);
}

#[test]
fn a_lease_is_named_when_its_time_is_over_and_again_if_it_stays() {
    let mut world = World::primary();
    world.grant(1, 10).expect("granted");
    world.grant(2, 5).expect("granted");
    world.pass(4.9);
    assert_eq!((world.expired(), world.ttl(2)), (vec![], Ok(0)));
    world.pass(0.1);
    assert_eq!(world.expired(), [2]);
    assert_eq!(world.expired(), [0; 0], "named once");
    assert_eq!(world.lessor.renew(2, world.now), Renewal::Expired);
    world.pass(7.0);
    assert_eq!(world.expired(), [1, 2]);
    world.revoke(2).expect("revoked");
    assert_eq!(world.lessor.renew(2, world.now), Renewal::Unknown);
    assert_eq!(world.ttl(2), Err(LeaseError::NotFound));
}

#[test]
fn renewals_put_the_end_off() {
    let mut world = World::primary();
    world.grant(1, 10).expect("granted");
    for _ in 0..50 {
        world.pass(9.0);
        assert_eq!(world.lessor.renew(1, world.now), RENEWED);
        assert_eq!(world.expired(), [0; 0]);
        assert_eq!(world.lessor.schedule.len(), 1, "one entry for a lease");
    }
    world.pass(10.0);
    assert_eq!(world.expired(), [1]);
}

#[test]
fn only_the_primary_counts_down() {
    let mut world = World::new(LessorOptions::default());
    world.grant(1, 10).expect("granted");
    world.pass(100.0);
    assert_eq!((world.expired(), world.lessor.renew(1, world.now)), (vec![], Renewal::NotPrimary));
    assert_eq!(world.ttl(1), Err(LeaseError::NotPrimary));

    world.lessor.promote(1, Duration::from_secs(1), world.now);
    assert_eq!(world.ttl(1), Ok(11));
    world.pass(10.5);
    assert_eq!(world.expired(), [0; 0]);
    assert_eq!(world.lessor.renew(1, world.now), RENEWED);
    world.lessor.demote();
    world.pass(100.0);
    assert_eq!(world.expired(), [0; 0]);
    world.lessor.promote(1, Duration::ZERO, world.now);
    assert_eq!(world.ttl(1), Ok(10), "it starts anew");
}

#[test]
fn what_is_due_is_due_in_the_term_that_counted() {
    let mut world = World::primary();
    world.grant(1, 10).expect("granted");
    world.pass(11.0);
    world.lessor.demote_from(2);
    assert_eq!(world.lessor.due(world.now, 500), Due { term: 1, expired: vec![1], checkpoints: vec![] });
    // Elected again: it starts anew, once.
    world.lessor.promote(3, Duration::ZERO, world.now);
    world.pass(4.0);
    world.lessor.promote(3, Duration::ZERO, world.now);
    assert_eq!((world.ttl(1), world.lessor.due(world.now, 500)), (Ok(6), Due { term: 3, ..Due::default() }));
    // Late news of the end of the first term.
    world.lessor.demote_from(1);
    assert_eq!(world.lessor.primary_in(), Some(3));
    world.lessor.demote_from(3);
    assert_eq!((world.lessor.primary_in(), world.lessor.due(world.now, 500)), (None, Due::default()));
}

#[test]
fn a_term_that_follows_on_another_counts_anew() {
    let mut world = World::primary();
    world.grant(1, 10).expect("granted");
    world.pass(11.0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (lessor, handle) = (Arc::clone(&world.lessor), runtime.handle().clone());
    let waiter = thread::spawn(move || handle.block_on(lessor.settled(1)));
    while world.lessor.gone.waited_for() == 0 {
        thread::yield_now();
    }
    // Nobody has said that the first term is over.
    world.lessor.promote(2, Duration::ZERO, world.now);
    assert_eq!((world.lessor.due(world.now, 500), world.ttl(1)), (Due { term: 2, ..Due::default() }, Ok(10)));
    assert!(!world.lessor.is_due(1, 1, world.now) && !world.lessor.is_due(2, 1, world.now));
    // Who waited for its end has to look again: it is renewed now.
    world.revoke(1).expect("revoked");
    waiter.join().expect("told");
}

#[test]
fn a_promotion_spreads_the_ends_of_many() {
    let mut world = World::new(LessorOptions::default());
    for id in 1..=3000 {
        world.grant(id, if id <= 2900 { 10 } else { 100 }).expect("granted");
    }
    world.lessor.promote(1, Duration::ZERO, world.now);
    world.pass(10.0);
    let mut per_second = Vec::new();
    while per_second.iter().sum::<usize>() < 2900 {
        per_second.push(world.lessor.due(world.now, usize::MAX).expired.len());
        world.pass(1.0);
        assert!(per_second.len() < 7, "{per_second:?}");
    }
    assert!(per_second.iter().all(|&expired| expired <= 751), "{per_second:?}");
    assert_eq!(world.ttl(3000).map(|ttl| ttl >= 80), Ok(true));
}

#[test]
fn checkpoints_carry_the_rest_of_the_time_over_to_the_next_leader() {
    let options = LessorOptions { checkpoint_interval: Some(Duration::from_secs(300)), ..Default::default() };
    let mut world = World::new(options);
    world.lessor.promote(1, Duration::ZERO, world.now);
    world.grant(1, 1000).expect("granted");
    world.grant(2, 300).expect("granted");
    world.pass(299.5);
    assert_eq!(world.lessor.due(world.now, 500), Due { term: 1, ..Due::default() });
    world.pass(1.0);
    assert_eq!(world.lessor.due(world.now, 500), Due { term: 1, expired: vec![2], checkpoints: vec![(1, 700)] });
    assert_eq!(world.lessor.renew(1, world.now), Renewal::Renewed { ttl: 1000, has_checkpoint: true }, "on its way");
    let mut batch = Batch::new();
    world.lessor.checkpoint(1, 700, &mut batch);
    world.lessor.checkpoint(99, 700, &mut batch);
    assert!(!batch.is_empty());
    world.revoke(2).expect("revoked");

    world.lessor.demote();
    world.lessor.promote(1, Duration::ZERO, world.now);
    assert_eq!(world.ttl(1), Ok(700));
    assert_eq!(world.lessor.renew(1, world.now), Renewal::Renewed { ttl: 1000, has_checkpoint: true });
    assert_eq!(world.ttl(1), Ok(1000));
    world.lessor.checkpoint(1, 0, &mut batch);
    assert_eq!(world.lessor.renew(1, world.now), Renewal::Renewed { ttl: 1000, has_checkpoint: false });
}

#[test]
fn rows_are_taken_over_with_sane_times() {
    let world = World::new(LessorOptions::default());
    let row = |id, ttl, remaining_ttl| {
        use prost::Message;
        keyport_api::leasepb::Lease { id, ttl, remaining_ttl }.encode_to_vec()
    };
    let mut rows = rows::Rows::default();
    for (id, ttl, remaining) in [(1_i64, 60, 0), (2, 60, 20), (3, 1, 0), (4, i64::MAX, i64::MAX)] {
        rows.add(&id.to_be_bytes(), &row(id, ttl, remaining)).expect("a lease");
    }
    let error = rows.add(&5_i64.to_be_bytes(), &[0xff]).expect_err("not a lease");
    world.lessor.replace(rows);
    assert!(error.to_string().starts_with("bucket lease, row 0000000000000005: "), "{error}");
    world.lessor.promote(1, Duration::ZERO, world.now);
    let ttls: Vec<_> = [1, 2, 3, 4].into_iter().map(|id| world.ttl(id)).collect();
    assert_eq!(ttls, [Ok(60), Ok(20), Ok(1), Ok(MAX_TTL_SECONDS)]);
    world.lessor.replace(rows::Rows::default());
    assert_eq!((world.lessor.list(), world.lessor.is_primary()), (vec![], false));
}

#[test]
fn entries_of_revoked_leases_do_not_pile_up() {
    let world = World::primary();
    for round in 0..50_i64 {
        for id in 1..=1000 {
            world.grant(round * 1000 + id, MAX_TTL_SECONDS).expect("granted");
        }
        for id in 1..=1000 {
            world.revoke(round * 1000 + id).expect("revoked");
        }
        world.expired();
        assert!(world.lessor.schedule.len() <= 6000);
    }
}

#[test]
fn who_waits_for_an_expired_lease_hears_of_its_end() {
    let mut world = World::primary();
    world.grant(1, 10).expect("granted");
    world.grant(2, 10).expect("granted");
    world.pass(10.0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let wait = |id: i64, lessor: &Arc<Lessor>| {
        let (lessor, handle) = (Arc::clone(lessor), runtime.handle().clone());
        thread::spawn(move || handle.block_on(lessor.settled(id)))
    };
    let waiting = [wait(1, &world.lessor), wait(1, &world.lessor), wait(2, &world.lessor)];
    world.revoke(1).expect("revoked");
    world.lessor.demote();
    for waiter in waiting {
        waiter.join().expect("told");
    }
    runtime.block_on(world.lessor.settled(77));
    world.lessor.gone.tell_all();

    // Nor does anyone wait for a lease that another member's database does not have.
    world.lessor.promote(1, Duration::ZERO, world.now);
    let waiter = wait(2, &world.lessor);
    world.lessor.replace(rows::Rows::default());
    waiter.join().expect("told");
    assert!(!world.lessor.exists(2));
}

#[derive(Clone, Debug)]
enum Step {
    Grant(i64, i64),
    Revoke(i64),
    Renew(i64),
    Attach(u8, i64),
    Pass(u64),
    Lead(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 1_i64..6;
    prop_oneof![
        (id(), 2_i64..20).prop_map(|(id, ttl)| Step::Grant(id, ttl)),
        id().prop_map(Step::Revoke),
        id().prop_map(Step::Renew),
        (0_u8..4, 0_i64..6).prop_map(|(key, id)| Step::Attach(key, id)),
        (1_u64..15).prop_map(Step::Pass),
        any::<bool>().prop_map(Step::Lead),
    ]
}

proptest! {
    /// Against leases as a plain table.
    #[test]
    fn behaves_as_a_table_does(steps in vec(step(), 1..150)) {
        let mut world = World::primary();
        let mut table: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
        let mut holder: BTreeMap<u8, i64> = BTreeMap::new();
        let (mut now, mut primary, mut term) = (0_u64, true, 1);
        for step in steps {
            match step {
                Step::Grant(id, ttl) => {
                    let granted = world.grant(id, ttl);
                    prop_assert_eq!(granted.is_ok(), !table.contains_key(&id));
                    table.entry(id).or_insert((ttl, now + ttl.cast_unsigned()));
                }
                Step::Revoke(id) => {
                    let keys: BTreeSet<u8> = holder.iter().filter(|(_, at)| **at == id).map(|(key, _)| *key).collect();
                    let expected = table.remove(&id).map(|_| keys.iter().map(|key| Bytes::from(vec![*key])).collect());
                    prop_assert_eq!(world.revoke(id).ok(), expected);
                    holder.retain(|_, at| *at != id);
                }
                Step::Renew(id) => {
                    let renewed = world.lessor.renew(id, world.now);
                    let expected = match table.get_mut(&id) {
                        _ if !primary => Renewal::NotPrimary,
                        None => Renewal::Unknown,
                        Some((_, end)) if *end <= now => Renewal::Expired,
                        Some((ttl, end)) => {
                            *end = now + ttl.cast_unsigned();
                            Renewal::Renewed { ttl: *ttl, has_checkpoint: false }
                        }
                    };
                    prop_assert_eq!(renewed, expected);
                }
                Step::Attach(key, to) if to == 0 || table.contains_key(&to) => {
                    world.lessor.reattach(&[key], holder.get(&key).copied().unwrap_or(0), to);
                    holder.insert(key, to);
                }
                Step::Attach(..) => {}
                Step::Pass(seconds) => {
                    now += seconds;
                    world.now += Duration::from_secs(seconds);
                }
                Step::Lead(lead) => {
                    primary = lead;
                    if lead {
                        term += 1;
                        world.lessor.promote(term, Duration::ZERO, world.now);
                        table.values_mut().for_each(|(ttl, end)| *end = now + ttl.cast_unsigned());
                    } else {
                        world.lessor.demote();
                    }
                }
            }
            let expected: Vec<i64> = table.iter().filter(|(_, (_, end))| primary && *end <= now).map(|(id, _)| *id).collect();
            // What was named before is not named again at once, so it is revoked here.
            let mut expired = world.expired();
            expired.sort_unstable();
            prop_assert_eq!(&expired, &expected);
            for id in expired {
                world.revoke(id).expect("named, so known");
                table.remove(&id);
                holder.retain(|_, at| *at != id);
            }
            prop_assert_eq!(world.lessor.list(), table.keys().copied().collect::<Vec<_>>());
        }
    }
}

/// Grants, renewals, revocations, expiry and changes of leadership all at once.
#[test]
fn threads_do_not_disturb_each_other() {
    const LEASES: i64 = 2000;
    let world = World::primary();
    let (lessor, now) = (&*world.lessor, world.now);
    thread::scope(|scope| {
        scope.spawn(move || {
            for id in 1..=LEASES {
                lessor.grant(id, 60, now, &mut Batch::new()).expect("granted");
                lessor.reattach(b"key", 0, id);
                if id % 2 == 0 {
                    assert_eq!(lessor.revoke(id, &mut Batch::new()).map(|keys| keys.len()), Ok(1));
                }
            }
        });
        for _ in 0..2 {
            scope.spawn(move || {
                for id in (1..=LEASES).cycle().take(20_000) {
                    lessor.renew(id, now);
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..20 {
                lessor.demote();
                lessor.promote(1, Duration::ZERO, now);
                assert_eq!(lessor.due(now, 500), Due { term: 1, ..Due::default() });
            }
        });
    });
    let all: Vec<i64> = (1..=LEASES).step_by(2).collect();
    assert_eq!(lessor.list(), all);
    assert_eq!(lessor.stats().granted - lessor.stats().revoked, lessor.stats().leases);
    // Everything still ends, in whatever order it was put into the schedule.
    let mut expired = lessor.due(now + Duration::from_secs(100_000), usize::MAX).expired;
    expired.sort_unstable();
    assert_eq!(expired, all);
}
