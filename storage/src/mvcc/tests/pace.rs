//! Reads that somebody sets the pace of.

use super::*;

/// 1,000 keys, all of them overwritten since the revision that is returned.
fn thousand(store: &Store) -> i64 {
    for value in ["old", "new"] {
        let mut txn = store.write();
        for number in 0..1000 {
            txn.put(format!("{number:04}").as_bytes(), value.as_bytes(), 0);
        }
        txn.commit(None);
    }
    store.revision() - 1
}

/// Reads everything; how often the reader was asked, and after how much.
fn read(store: &Store, options: RangeOptions) -> (RangeResult, Vec<Pace>) {
    let mut paces = Vec::new();
    let mut goes_on = |pace| {
        paces.push(pace);
        true
    };
    (store.range_while(&all(), options, &mut goes_on).unwrap(), paces)
}

#[test]
fn a_long_read_asks_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let old = thousand(&store);
    let (found, paces) = read(&store, RangeOptions::default());
    assert_eq!(found.records.len(), 1000);
    assert_eq!(paces, [Pace::Keys(256), Pace::Keys(256), Pace::Keys(256), Pace::Keys(232)]);
    let (found, paces) = read(&store, at(old));
    assert_eq!(found.records[999].value(), b"old");
    let rows = paces.iter().filter(|pace| matches!(pace, Pace::Rows(16))).count();
    assert_eq!(rows, 3 * 16 + 15);
}

#[test]
fn a_read_that_does_not_go_on_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let old = thousand(&store);
    for (options, asked) in [(RangeOptions::default(), 4), (at(old), 67)] {
        for patience in 0..asked {
            let mut left = patience;
            let mut goes_on = |_| {
                left -= 1;
                left >= 0
            };
            let outcome = store.range_while(&all(), options, &mut goes_on);
            assert!(matches!(outcome, Err(MvccError::Interrupted)), "{patience}");
            assert_eq!(left, -1, "it is not asked again");
        }
    }
}

#[test]
fn what_is_behind_the_limit_is_not_looked_at_for_a_count_that_nobody_wants() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("db"));
    let old = thousand(&store);
    for (uncounted, looked_at) in [(false, 1000), (true, 10)] {
        let options = RangeOptions { limit: 10, uncounted, ..at(old) };
        let (found, paces) = read(&store, options);
        assert_eq!(found.records.len(), 10);
        let keys: usize = paces.iter().map(|pace| if let Pace::Keys(keys) = pace { *keys } else { 0 }).sum();
        assert_eq!(keys, looked_at);
    }
}
