//! Good and bad histories, and the search against one that tries everything.

use super::kv::{Answer, Guard, Keys, Outcome, Pair, Request, State, Store, Txn};
use super::{History, Model, OperationId, Verdict, check};
use crate::random::Random;

type KvHistory = History<Txn, Answer>;

const STEPS: usize = 1_000_000;

fn holds(history: &KvHistory) -> bool {
    match check(&Store::new(history), history, STEPS) {
        Verdict::Linearizable { .. } => true,
        Verdict::Violation(violation) => {
            assert!(violation.describe(history).contains("cannot follow"));
            false
        }
        Verdict::Undecided => panic!("undecided"),
    }
}

fn changed(revision: u64) -> Answer {
    Answer { revision, succeeded: true, results: vec![Outcome::Put] }
}

fn found(revision: u64, value: Option<(&str, u64, u64, u64)>) -> Answer {
    let pair = |(value, create_revision, mod_revision, version): (&str, u64, u64, u64)| Pair {
        value: value.to_owned(),
        create_revision,
        mod_revision,
        version,
    };
    let pairs = value.into_iter().map(|value| ("k".to_owned(), pair(value))).collect();
    Answer { revision, succeeded: true, results: vec![Outcome::Range(pairs)] }
}

/// One operation after the other.
fn in_turn(steps: Vec<(Txn, Option<Answer>)>) -> KvHistory {
    let mut history = History::new();
    for (client, (txn, answer)) in (1..).zip(steps) {
        let id = history.begin(client, txn);
        answer.into_iter().for_each(|answer| history.answer(id, answer));
    }
    history
}

#[test]
fn an_empty_history_and_open_operations_hold() {
    assert!(holds(&KvHistory::new()));
    assert!(holds(&in_turn(vec![(Txn::put("k", "1"), None), (Txn::get("k"), None)])));
}

/// A count may come with an older revision, but not with one at which it was wrong already, nor with one not reached yet.
#[test]
fn counts_hold_at_their_revision_or_later() {
    let count = |revision, count| {
        let results = vec![Outcome::Count(count)];
        (Txn::of(vec![Request::Count(Keys::one("k"))]), Some(Answer { revision, succeeded: true, results }))
    };
    let put = || (Txn::put("k", "1"), Some(changed(2)));
    let delete =
        || (Txn::delete("k"), Some(Answer { revision: 3, succeeded: true, results: vec![Outcome::Delete(1)] }));
    assert!(holds(&in_turn(vec![put(), count(1, 1), count(2, 1), delete(), count(2, 0), count(3, 0)])));
    assert!(!holds(&in_turn(vec![put(), count(2, 0)])));
    assert!(!holds(&in_turn(vec![put(), count(3, 1), delete()])));
    let mut at_once = KvHistory::new();
    let put = at_once.begin(1, Txn::put("k", "1"));
    at_once.answer(put, changed(2));
    let (txn, answer) = count(3, 1);
    let (counted, deleted) = (at_once.begin(1, txn), at_once.begin(2, Txn::delete("k")));
    at_once.answer(deleted, delete().1.unwrap());
    assert!(holds(&at_once));
    at_once.answer(counted, answer.unwrap());
    assert!(!holds(&at_once), "counted at the revision of its deletion");
}

#[test]
fn reads_see_what_was_answered_before() {
    let put = || (Txn::put("k", "1"), Some(changed(2)));
    assert!(holds(&in_turn(vec![put(), (Txn::get("k"), Some(found(2, Some(("1", 2, 2, 1)))))])));
    assert!(!holds(&in_turn(vec![put(), (Txn::get("k"), Some(found(1, None)))])));
    assert!(!holds(&in_turn(vec![put(), (Txn::get("k"), Some(found(2, None)))])));
    assert!(!holds(&in_turn(vec![put(), (Txn::get("k"), Some(found(2, Some(("2", 2, 2, 1)))))])));
    assert!(!holds(&in_turn(vec![put(), (Txn::put("k", "2"), Some(changed(2)))])));
    assert!(!holds(&in_turn(vec![put(), (Txn::put("k", "2"), Some(changed(4)))])));
}

#[test]
fn an_open_put_takes_effect_late_once_or_never() {
    let open = || (Txn::put("k", "1"), None);
    let nothing = |revision| (Txn::get("k"), Some(found(revision, None)));
    let there = |revision| (Txn::get("k"), Some(found(revision, Some(("1", 2, 2, 1)))));
    assert!(holds(&in_turn(vec![open(), nothing(1), there(2), there(2)])));
    assert!(holds(&in_turn(vec![open(), nothing(1), nothing(1)])));
    assert!(!holds(&in_turn(vec![open(), there(2), nothing(1)])));
    let twice = (Txn::get("k"), Some(found(3, Some(("1", 2, 3, 2)))));
    assert!(!holds(&in_turn(vec![open(), there(2), twice.clone()])));
    assert!(holds(&in_turn(vec![open(), open(), there(2), twice])));
}

#[test]
fn what_was_refused_has_no_effect() {
    let mut history = KvHistory::new();
    let put = history.begin(1, Txn::put("k", "1"));
    history.refuse(put);
    let get = history.begin(2, Txn::get("k"));
    history.answer(get, found(2, Some(("1", 2, 2, 1))));
    assert!(!holds(&history));
}

#[test]
fn concurrent_operations_come_in_either_order() {
    for (first, second) in [(2, 3), (3, 2)] {
        let mut history = KvHistory::new();
        let (a, b) = (history.begin(1, Txn::put("k", "a")), history.begin(2, Txn::put("k", "b")));
        history.answer(b, changed(second));
        history.answer(a, changed(first));
        assert!(holds(&history));
        let get = history.begin(3, Txn::get("k"));
        let value = if first < second { "b" } else { "a" };
        history.answer(get, found(3, Some((value, 2, 3, 2))));
        assert!(holds(&history));
    }
}

#[test]
fn transactions_are_atomic() {
    let txn = Txn {
        guards: vec![Guard::Version("a".into(), 0), Guard::CreateRevision("b".into(), 0)],
        then: vec![
            Request::Put("a".into(), "1".into()),
            Request::Put("b".into(), "1".into()),
            Request::Range(Keys::range("a", "c")),
        ],
        otherwise: vec![Request::Delete(Keys::range("a", "c"))],
    };
    let mut state = State::default();
    let mut steps = Vec::new();
    for _ in 0..3 {
        steps.push((txn.clone(), Some(state.execute(&txn))));
    }
    assert_eq!(state.revision, 4);
    assert!(holds(&in_turn(steps.clone())));
    // Half of it.
    let mut torn = steps.clone();
    torn[0].0.then.remove(1);
    assert!(!holds(&in_turn(torn)));
    // Both branches.
    let mut other = steps;
    other[1].1.as_mut().unwrap().succeeded = true;
    assert!(!holds(&in_turn(other)));
}

fn random_txn(random: &mut Random, count: u64) -> Txn {
    let key = |random: &mut Random| format!("k{}", random.below(5));
    let (a, b) = (key(random), key(random));
    match random.below(10) {
        0..3 => Txn::get(&a),
        3 => Txn::of(vec![Request::Range(Keys::range("k0", "k9"))]),
        4..7 => Txn::put(&a, &count.to_string()),
        7 => Txn::delete(&a),
        _ => Txn {
            guards: vec![Guard::ModRevision(a.clone(), random.below(3))],
            then: vec![Request::Put(b.clone(), count.to_string()), Request::Range(Keys::one(&a))],
            otherwise: vec![Request::Range(Keys::one(&b)), Request::Delete(Keys::range(&a, "k4"))],
        },
    }
}

/// What clients of a correct service see: each operation takes effect at some moment before its answer, which may get
/// lost; what was given up takes effect later or never.
fn correct_history(seed: u64, clients: usize, operations: usize, lost: u64) -> KvHistory {
    let mut random = Random::new(seed);
    let (mut history, mut state) = (KvHistory::new(), State::default());
    let mut busy: Vec<Option<(OperationId, Option<Answer>)>> = vec![None; clients];
    let mut abandoned: Vec<OperationId> = Vec::new();
    let mut begun = 0;
    while begun < operations || busy.iter().any(Option::is_some) {
        if !abandoned.is_empty() && random.chance(5) {
            let id = abandoned.swap_remove(random.index(abandoned.len()));
            if random.chance(70) {
                state.execute(&history.get(id).unwrap().input.clone());
            }
        }
        let client = random.index(clients);
        match busy[client].take() {
            None if begun < operations => {
                begun += 1;
                let txn = random_txn(&mut random, begun as u64);
                busy[client] = Some((history.begin(client as u64, txn), None));
            }
            None => {}
            Some((id, None)) if random.chance(lost) => abandoned.push(id),
            Some((id, None)) => {
                let answer = state.execute(&history.get(id).unwrap().input.clone());
                busy[client] = Some((id, Some(answer)));
            }
            Some((_, Some(_))) if random.chance(lost) => {}
            Some((id, Some(answer))) => history.answer(id, answer),
        }
    }
    history
}

#[test]
fn correct_histories_hold_and_spoiled_ones_do_not() {
    for seed in 0..150 {
        let history = correct_history(seed, 8, 80, 5);
        assert!(holds(&history), "seed {seed}");
        let mut random = Random::new(seed);
        let reads: Vec<OperationId> = history
            .operations()
            .filter(|(_, operation)| operation.answer.is_some() && operation.input.is_read())
            .map(|(id, _)| id)
            .collect();
        // A read that saw nothing although its revision says that there was something, or the other way round.
        let mut spoiled = history.clone();
        let id = reads[random.index(reads.len())];
        let (_, answer) = spoiled.operations[id].answer.as_mut().unwrap();
        match &mut answer.results[0] {
            Outcome::Range(pairs) if pairs.is_empty() => {
                let pair = Pair { value: "x".into(), create_revision: 2, mod_revision: 2, version: 1 };
                pairs.push(("k0".into(), pair));
            }
            Outcome::Range(pairs) => pairs.clear(),
            _ => unreachable!(),
        }
        assert!(!holds(&spoiled), "seed {seed}");
        // A stale read: what the first one saw, once more after everything.
        let mut stale = history.clone();
        let (first, last) =
            (reads[0], stale.operations().filter_map(|(_, o)| o.answer.as_ref()).map(|(_, a)| a.revision).max());
        let (_, answer) = stale.operations[first].answer.clone().unwrap();
        if Some(answer.revision) < last {
            let input = stale.operations[first].input.clone();
            let again = stale.begin(99, input);
            stale.answer(again, answer);
            assert!(!holds(&stale), "seed {seed}");
        }
    }
}

#[test]
fn thousands_of_operations_are_no_trouble() {
    let history = correct_history(1, 40, 2_000, 2);
    assert!(history.answered() < history.len());
    let Verdict::Linearizable { order, state } = check(&Store::new(&history), &history, 100_000) else {
        panic!("it was correct")
    };
    let mut replayed = State::default();
    for id in order {
        replayed.execute(&history.get(id).unwrap().input);
    }
    assert_eq!(replayed, state);
}

/// A register without revisions, so that there is something to search.
struct Register;

#[derive(Debug, Clone)]
enum Access {
    Read,
    Write(u64),
}

impl Model for Register {
    type State = u64;
    type Input = Access;
    type Output = u64;

    fn initial(&self) -> u64 {
        0
    }

    fn is_read(&self, input: &Access, _: &u64) -> bool {
        matches!(input, Access::Read)
    }

    fn step(&self, state: &u64, input: &Access, output: Option<&u64>) -> Option<u64> {
        match input {
            Access::Read => output.is_none_or(|output| output == state).then_some(*state),
            Access::Write(value) => Some(*value),
        }
    }
}

/// Tries every order.
fn exhaustive(history: &History<Access, u64>, taken: &mut Vec<OperationId>, state: u64) -> bool {
    let left: Vec<_> = history.operations().filter(|(id, _)| !taken.contains(id)).collect();
    if left.iter().all(|(_, operation)| operation.answer.is_none()) {
        return true;
    }
    let limit = left.iter().filter_map(|(_, operation)| operation.answer.map(|(at, _)| at)).min().unwrap_or(u64::MAX);
    left.iter().filter(|(_, operation)| operation.called < limit).any(|(id, operation)| {
        let output = operation.answer.as_ref().map(|(_, output)| output);
        let Some(next) = Register.step(&state, &operation.input, output) else { return false };
        taken.push(*id);
        let found = exhaustive(history, taken, next);
        taken.pop();
        found
    })
}

#[test]
fn it_agrees_with_trying_everything() {
    let mut good = 0;
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let mut history = History::new();
        let mut open = Vec::new();
        for _ in 0..14 {
            if open.len() < 4 && history.len() < 7 && random.chance(60) {
                let input = if random.chance(50) { Access::Read } else { Access::Write(random.below(3)) };
                open.push(history.begin(0, input));
            } else if !open.is_empty() {
                let id = open.swap_remove(random.index(open.len()));
                if random.chance(85) {
                    history.answer(id, random.below(3));
                }
            }
        }
        let expected = exhaustive(&history, &mut Vec::new(), 0);
        good += usize::from(expected);
        let verdict = check(&Register, &history, STEPS);
        assert_eq!(matches!(verdict, Verdict::Linearizable { .. }), expected, "seed {seed}: {history:?}");
        assert_eq!(matches!(verdict, Verdict::Violation(_)), !expected);
    }
    assert!((300..1_700).contains(&good), "{good}");
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let mut history = History::new();
    let writes: Vec<_> = (1..=12).map(|value| history.begin(value, Access::Write(value))).collect();
    writes.into_iter().for_each(|id| history.answer(id, 0));
    let read = history.begin(99, Access::Read);
    history.answer(read, 99);
    assert_eq!(check(&Register, &history, 100), Verdict::Undecided);
    assert!(matches!(check(&Register, &history, STEPS), Verdict::Violation(_)));
}
