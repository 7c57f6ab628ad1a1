use futures_util::future::join_all;

use super::*;

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

impl Tries {
    fn take_as(&self, from: Option<IpAddr>, user: &str, now: Instant) -> Result<Try<'_>, Room> {
        self.take(self.whose(from, user), now)
    }
}

/// Whether there was a place for a try that is in vain.
fn in_vain(tries: &Tries, from: Option<IpAddr>, user: &str, now: Instant) -> bool {
    tries.take_as(from, user, now).is_ok()
}

fn lose_all_places(tries: &Tries, from: Option<IpAddr>, now: Instant) {
    assert!((0..OF_ADDRESS.places).all(|i| in_vain(tries, from, &format!("lost{i}"), now)));
    assert_eq!(tries.take_as(from, "lost0", now).unwrap_err().why(), Some(Refused::Address));
}

impl Room {
    fn why(&self) -> Option<Refused> {
        if let Room::None(why) = self { Some(*why) } else { None }
    }
}

#[test]
fn places_run_out_and_come_back() {
    let (tries, now) = (Tries::default(), Instant::now());
    let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
    for _ in 0..OF_USER.places {
        assert!(in_vain(&tries, here, "root", now));
    }
    assert_eq!(tries.take_as(here, "root", now).unwrap_err().why(), Some(Refused::User));
    assert!(in_vain(&tries, there, "root", now) && in_vain(&tries, None, "root", now), "others are not kept out");
    assert!(in_vain(&tries, here, "alice", now));
    let later = now + OF_USER.each;
    tries.take_as(here, "root", later).unwrap().give_back();
    assert!(in_vain(&tries, here, "root", later) && !in_vain(&tries, here, "root", later));
    let all = now + OF_USER.each * (OF_USER.places + 1);
    for _ in 0..OF_USER.places {
        assert!(in_vain(&tries, here, "root", all));
    }
}

#[test]
fn who_tries_one_user_in_vain_takes_no_more_places_of_his_address_than_that() {
    let (tries, now) = (Tries::default(), Instant::now());
    let here = address("10.0.0.1");
    assert_eq!((0..1000).filter(|_| in_vain(&tries, here, "root", now)).count(), OF_USER.places as usize);
    let others = OF_ADDRESS.places - OF_USER.places;
    for i in 0..others {
        assert_eq!(tries.take_as(here, &format!("user{i}"), now).unwrap().taken, Taken::OfBoth);
    }
    assert_eq!(tries.take_as(here, "alice", now).unwrap().taken, Taken::Turn);
}

/// Many may be behind one address.
#[test]
fn who_has_not_failed_himself_is_looked_at_whatever_others_do() {
    let (tries, now) = (Tries::default(), Instant::now());
    let here = address("10.0.0.1");
    lose_all_places(&tries, here, now);
    let alice = tries.take_as(here, "alice", now).unwrap();
    assert!(matches!(tries.take_as(here, "bob", now).unwrap_err(), Room::Late(_)), "one after the other");
    assert_eq!(tries.take_as(here, "lost0", now).unwrap_err().why(), Some(Refused::Address), "he has failed");
    drop(alice);
    // It was in vain, and cost him all that he has.
    let later = now + OF_ADDRESS.each * OF_ADDRESS.places;
    assert_eq!(tries.take_as(here, "alice", later).map(|tried| tried.taken).ok(), Some(Taken::OfBoth));
    assert_eq!(tries.take_as(here, "alice", now).unwrap_err().why(), Some(Refused::User));
    tries.take_as(here, "bob", now).unwrap().was_right(now);
    tries.take_as(here, "carol", now).unwrap().give_back();
    assert_eq!(tries.take_as(here, "carol", now).unwrap().taken, Taken::Turn);
}

#[test]
fn who_has_logged_in_from_there_takes_no_place_of_the_address_and_guesses_no_more() {
    let (tries, now) = (Tries::default(), Instant::now());
    let (here, there) = (address("10.0.0.1"), address("10.0.0.2"));
    tries.take_as(here, "alice", now).unwrap().was_right(now);
    lose_all_places(&tries, here, now);
    lose_all_places(&tries, there, now);
    let open: Vec<_> = (0..OF_USER.places).map(|_| tries.take_as(here, "alice", now).unwrap()).collect();
    assert!(open.iter().all(|tried| tried.is_known && tried.taken == Taken::OfUser));
    drop(open);
    assert_eq!(tries.take_as(here, "alice", now).unwrap_err().why(), Some(Refused::User));
    assert!(!tries.take_as(there, "alice", now).unwrap().is_known);
    let forgotten = now + Duration::from_secs(48 * 60 * 60);
    assert!(!tries.take_as(here, "alice", forgotten).unwrap().is_known);
}

#[test]
fn where_places_may_be_given_back_it_is_worth_waiting() {
    let (tries, now) = (Tries::default(), Instant::now());
    let here = address("10.0.0.1");
    let mut open: Vec<Try<'_>> = (0..OF_USER.places).map(|_| tries.take_as(here, "root", now).unwrap()).collect();
    let room = || tries.take_as(here, "root", now).map(drop).unwrap_err();
    assert!(matches!(room(), Room::Soon(_)));
    open.pop().unwrap().give_back();
    open.push(tries.take_as(here, "root", now).unwrap());
    drop(open);
    assert_eq!(room().why(), Some(Refused::User));
}

/// Whoever comes after a restart, with the right password or a wrong one.
#[tokio::test]
async fn many_who_are_right_at_once_all_get_in_and_those_who_are_not_do_not() {
    for (is_right, let_in) in [(true, 40), (false, OF_USER.places as usize)] {
        let tries = Tries::default();
        let admitted = (0..40).map(async |_| {
            let taken = tries.admit(address("10.0.0.1"), "root").await?;
            tokio::task::yield_now().await;
            if is_right {
                taken.was_right(Instant::now());
            }
            Ok(())
        });
        let outcomes: Vec<Result<(), Refused>> = join_all(admitted).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), let_in);
        assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == Err(Refused::User)));
        assert_eq!(tries.book.lock().waiting(address("10.0.0.1")), 0);
    }
}

/// However many names are tried from an address that has no place left, they are looked at one by one, and few wait.
#[tokio::test]
async fn names_without_end_wait_in_a_short_line() {
    let (tries, here) = (Tries::default(), address("10.0.0.1"));
    lose_all_places(&tries, here, Instant::now());
    let open = std::cell::Cell::new(0);
    let looked_at = join_all((0..1000).map(async |i| {
        let taken = tries.admit(here, &format!("user{i}")).await?;
        open.set(open.get() + 1);
        assert_eq!(open.get(), 1);
        tokio::task::yield_now().await;
        open.set(open.get() - 1);
        drop(taken);
        Ok(())
    }))
    .await;
    assert_eq!(looked_at.iter().filter(|outcome| **outcome == Err(Refused::Waiting)).count(), 1000 - MOST_LATE - 1);
}

#[test]
fn a_network_is_one_address() {
    let (tries, now) = (Tries::default(), Instant::now());
    let taken = |i: u32| tries.take_as(address(&format!("2001:db8::{i:x}")), &format!("user{i}"), now).unwrap().taken;
    assert_eq!((0..100).filter(|i| taken(*i) == Taken::OfBoth).count(), OF_ADDRESS.places as usize);
    assert!(in_vain(&tries, address("2001:db8:0:1::1"), "root", now));
    let (mapped, plain) = (address("::ffff:10.0.0.1"), address("10.0.0.1"));
    for _ in 0..OF_USER.places {
        in_vain(&tries, mapped, "root", now);
    }
    assert!(!in_vain(&tries, plain, "root", now));
}

#[test]
fn what_is_kept_is_bounded_and_a_long_name_takes_no_more_than_a_short_one() {
    let (tries, now) = (Tries::default(), Instant::now());
    assert!(!std::mem::needs_drop::<Whose>(), "a name is kept");
    for i in 0..100_000_u32 {
        in_vain(&tries, Some(IpAddr::from(i.to_be_bytes())), "root", now);
    }
    assert!(tries.book.lock().len() <= book::MOST_KEPT);
    let later = now + OF_USER.each * 2;
    assert!(in_vain(&tries, address("10.9.9.9"), "root", later));
    assert_eq!(tries.book.lock().len(), 1);
    let tries = Tries::default();
    for i in 0..20_000_u32 {
        tries.take_as(Some(IpAddr::from(i.to_be_bytes())), "root", now).unwrap().was_right(now);
    }
    assert_eq!(tries.book.lock().len(), 0);
}
