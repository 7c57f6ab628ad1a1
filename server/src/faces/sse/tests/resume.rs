//! A reader that is cut off at any byte and comes back sees what a reader that is never cut off sees.

use std::collections::{BTreeMap, HashMap};

use keyport_storage::KeyRange;
use proptest::prelude::*;

use super::*;

/// Revisions, each with its changes.
type History = Vec<Vec<(u8, Option<u8>)>>;

fn history() -> impl Strategy<Value = History> {
    let changes = prop::collection::btree_map(0..6_u8, prop::option::weighted(0.8, any::<u8>()), 1..6);
    prop::collection::vec(changes.prop_map(|changes| changes.into_iter().collect()), 1..12)
}

fn queries() -> impl Strategy<Value = String> {
    let selectors = prop_oneof![Just("prefix="), Just("key=k1&key=k4&prefix=k2"), Just("key=k1&range_end=k4&key=k0")];
    let options = prop_oneof![Just(""), Just("&filters=nodelete"), Just("&prev_kv"), Just("&encoding=base64")];
    (selectors, options).prop_map(|(selectors, options)| format!("{selectors}{options}"))
}

async fn play(world: &World, history: &History) {
    for changes in history {
        let keys: Vec<String> = changes.iter().map(|(key, _)| format!("k{key}")).collect();
        let values: Vec<_> = changes.iter().map(|(_, value)| value.map(|value| [value])).collect();
        let changes: Vec<_> =
            keys.iter().zip(&values).map(|(key, value)| (key.as_bytes(), value.as_ref().map(|v| &v[..]))).collect();
        world.commit(&changes).await;
    }
    // Matches every selector and every filter, and is the last thing that is said.
    world.commit(&[(b"k1", Some(b"end"))]).await;
}

async fn text(world: &World, query: &str, last_event_id: &str) -> String {
    let end = format!("id: {}\n", world.revision());
    let mut reader = get(world, query, &[("last-event-id", last_event_id)]).await;
    assert_eq!(reader.response.status(), 200, "{query} {last_event_id}");
    while !dispatched(reader.until(&end).await).iter().any(|event| event.name != "opened" && event.name != "synced") {
        reader.more().await;
    }
    reader.text
}

fn changes(text: &str) -> Vec<Event> {
    dispatched(text).into_iter().filter(|event| event.name != "opened").collect()
}

/// Cuts a stream at every byte, and once more at every byte of what follows.
async fn cut_everywhere(world: &World, query: &str) {
    let whole = text(world, query, "").await;
    let expected = changes(&whole);
    let mut resumed: HashMap<String, Vec<Event>> = HashMap::new();
    for cut in 0..=whole.len() {
        if !whole.is_char_boundary(cut) {
            continue;
        }
        let seen = dispatched(&whole[..cut]);
        let id = seen.iter().rev().find_map(|event| event.id.clone()).unwrap_or_default();
        if seen.last().is_some_and(|last| last.name != "opened" && last.id == expected.last().unwrap().id) {
            continue;
        }
        if !resumed.contains_key(&id) {
            let rest = text(world, query, &id).await;
            resumed.insert(id.clone(), changes(&rest));
        }
        let mut together = changes(&whole[..cut]);
        together.extend_from_slice(&resumed[&id]);
        assert_eq!(together, expected, "{query} cut at {cut}, came back with {id:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_cut_neither_loses_nor_repeats_a_change(history in history(), query in queries()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world().await;
            play(&world, &history).await;
            cut_everywhere(&world, &format!("{query}&since=1")).await;
        });
    }

    /// The state as well, while the store goes on.
    #[test]
    fn a_reader_that_is_cut_again_and_again_ends_up_with_what_is_there(
        before in history(),
        during in prop::collection::vec((history(), any::<prop::sample::Index>()), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world().await;
            play(&world, &before).await;
            let mut state: BTreeMap<String, (String, Value)> = BTreeMap::new();
            let mut id = String::new();
            for (history, cut) in during {
                let mut reader = get(&world, "prefix=&initial", &[("last-event-id", &id)]).await;
                reader.more().await;
                play(&world, &history).await;
                reader.until(&format!("id: {}\n", world.revision())).await;
                let whole = reader.text;
                let cut = (0..=cut.index(whole.len() + 1)).rev().find(|&at| whole.is_char_boundary(at));
                let seen = dispatched(&whole[..cut.unwrap_or_default()]);
                apply(&mut state, &seen);
                id = seen.into_iter().rev().find_map(|event| event.id).unwrap_or(id);
            }
            let mut reader = get(&world, "prefix=&initial", &[("last-event-id", &id)]).await;
            let end = format!("{}", world.revision());
            if id != end {
                reader.until(&format!("id: {end}\n")).await;
                apply(&mut state, &dispatched(&reader.text));
            }
            let there = world.member.node.store().range(&KeyRange::prefix(b""), Default::default()).unwrap();
            let there: Vec<_> = there.records.iter().map(|record| {
                let key = String::from_utf8(record.key().to_vec()).unwrap();
                (key, record.mod_revision().to_string())
            }).collect();
            let seen: Vec<_> = state.into_iter().map(|(key, (revision, _))| (key, revision)).collect();
            prop_assert_eq!(seen, there);
            Ok(())
        })?;
    }
}

/// What a page would do; every change must be newer than what it replaces.
fn apply(state: &mut BTreeMap<String, (String, Value)>, events: &[Event]) {
    for event in events {
        let key = || event.data["key"].as_str().unwrap().to_owned();
        let revision = || event.data["mod_revision"].as_str().unwrap().to_owned();
        let number = |text: &str| text.parse::<i64>().unwrap();
        match &*event.name {
            "put" => {
                let old = state.insert(key(), (revision(), event.data.clone()));
                assert!(old.is_none_or(|(old, _)| number(&old) < number(&revision())), "{event:?}");
            }
            "delete" => assert!(state.remove(&key()).is_some(), "{event:?}"),
            _ => {}
        }
    }
}
