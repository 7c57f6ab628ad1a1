//! What the watchers that are up to date are told.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use keyport_api::{etcdserverpb, mvccpb};
use prost::Message;

use super::store::{World, briefs, from, queued, range};
use crate::watch::{Encoding, EventFilters, Selection, WatchMessage, WatchOptions, WatchSpec, WatchStream};
use crate::{EventKind, RangeEnd};

fn selections(stream: &WatchStream) -> Vec<Arc<Selection>> {
    let selection = |message| match message {
        WatchMessage::Events { selection, .. } => Some(selection),
        _ => None,
    };
    queued(stream).into_iter().filter_map(selection).collect()
}

#[test]
fn watchers_of_a_group_share_one_selection_and_its_encodings() {
    let world = World::new();
    let streams = [world.hub.stream(), world.hub.stream()];
    for stream in &streams {
        for _ in 0..3 {
            stream.create(WatchSpec::new(range("a", "b"))).expect("created");
        }
    }
    world.put("a1", "x");
    let all: Vec<_> = streams.iter().flat_map(selections).collect();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|selection| Arc::ptr_eq(selection, &all[0])));

    let mut encodings = 0;
    for selection in &all {
        let encoded = selection.encoded(Encoding::Json, |events| {
            encodings += 1;
            Bytes::from(format!("{} events", events.len()))
        });
        assert_eq!(encoded, "1 events");
    }
    assert_eq!(encodings, 1);
}

#[test]
fn a_batch_is_one_message_with_the_revision_of_its_last_event() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec::new(range("a", "b"))).expect("created");
    let batch = [
        world.store.commit(&[("a1", Some("x")), ("c", Some("x")), ("a0", Some("x"))]),
        world.store.commit(&[("a1", None)]),
        world.store.commit(&[("c", None)]),
    ];
    world.hub.publish(&batch);
    world.hub.publish(&batch);
    assert_eq!(briefs(&stream), ["created 0 at 1", "events 0 at 3: +a1@2.0 +a0@2.2 -a1@3.0"]);
}

#[test]
fn keys_are_matched_by_point_range_and_open_range() {
    let world = World::new();
    let stream = world.hub.stream();
    let mut open = range("b", "");
    open.end = RangeEnd::Unbounded;
    for range in [
        range("a", ""),
        range("a", "b"),
        range("b", "d"),
        open,
        WatchSpec::request_range(Bytes::new(), Bytes::from_static(b"\0")),
    ] {
        stream.create(WatchSpec::new(range)).expect("created");
    }
    briefs(&stream);
    world.change(&[("a", Some("")), ("b", Some("")), ("d", Some(""))]);
    let mut said = briefs(&stream);
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "events 0 at 2: +a@2.0",
            "events 1 at 2: +a@2.0",
            "events 2 at 2: +b@2.1",
            "events 3 at 2: +b@2.1 +d@2.2",
            "events 4 at 2: +a@2.0 +b@2.1 +d@2.2"
        ]
    );
}

#[test]
fn several_ranges_make_one_order_and_no_event_comes_twice() {
    let world = World::new();
    let stream = world.hub.stream();
    let ranges = vec![range("a", "c"), range("b", ""), range("b", "e")];
    stream.create(WatchSpec { ranges: ranges.clone(), ..WatchSpec::new(range("a", "")) }).expect("created");
    world.change(&[("d", Some("")), ("b", Some("")), ("f", Some("")), ("a", Some(""))]);
    let live = briefs(&stream);
    assert_eq!(live, ["created 0 at 1", "events 0 at 2: +d@2.0 +b@2.1 +a@2.3"]);

    let late = world.hub.stream();
    late.create(WatchSpec { ranges, ..from(2, range("a", "")) }).expect("created");
    super::store::next(&late);
    assert_eq!(super::store::brief(&super::store::next(&late)), live[1]);
}

#[test]
fn filters_drop_kinds_and_empty_messages() {
    let world = World::new();
    let stream = world.hub.stream();
    let filtered = |no_put, no_delete| WatchSpec {
        filters: EventFilters { no_put, no_delete },
        ..WatchSpec::new(range("a", "b"))
    };
    for (no_put, no_delete) in [(true, false), (false, true), (true, true)] {
        stream.create(filtered(no_put, no_delete)).expect("created");
    }
    briefs(&stream);
    world.put("a", "x");
    world.change(&[("a", None)]);
    assert_eq!(briefs(&stream), ["events 1 at 2: +a@2.0", "events 0 at 3: -a@3.0"]);
}

#[test]
fn the_protobuf_form_is_the_events_field_of_a_watch_response() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec { prev_kv: true, ..WatchSpec::new(range("a", "b")) }).expect("created");
    stream.create(WatchSpec::new(range("a", "b"))).expect("created");
    world.put("a", "old");
    queued(&stream);
    world.change(&[("a", Some("new")), ("a1", Some(""))]);
    world.change(&[("a", None)]);

    let messages = queued(&stream);
    assert_eq!(messages.len(), 4);
    for message in messages {
        let WatchMessage::Events { watch_id, selection, .. } = message else { panic!("not events: {message:?}") };
        let expected: Vec<mvccpb::Event> = selection
            .iter()
            .map(|selected| mvccpb::Event {
                r#type: i32::from(selected.event.kind == EventKind::Delete),
                kv: Some(selected.event.kv.to_message()),
                prev_kv: selected.event.prev_kv.as_ref().map(|kv| kv.to_message()),
            })
            .collect();
        let with_prev = expected.iter().filter(|event| event.prev_kv.is_some()).count();
        assert_eq!(with_prev, usize::from(watch_id == 0), "of the two events of a batch, one had a previous value");

        let response = etcdserverpb::WatchResponse { watch_id, ..Default::default() };
        let mut encoded = BytesMut::from(&response.encode_to_vec()[..]);
        encoded.put(selection.protobuf());
        let decoded = etcdserverpb::WatchResponse::decode(encoded.freeze()).expect("a WatchResponse");
        assert_eq!(decoded, etcdserverpb::WatchResponse { events: expected, ..response });
        assert_eq!(selection.protobuf().len(), selection.encoded_len());
    }
}

#[test]
fn parts_hold_all_events_in_order_and_stay_below_the_size() {
    let world = World::new();
    let stream = world.hub.stream();
    stream.create(WatchSpec { fragment: true, ..WatchSpec::new(range("a", "b")) }).expect("created");
    let keys: Vec<String> = (0..50).map(|n| format!("a{n:02}")).collect();
    let value = "v".repeat(40);
    world.change(&keys.iter().map(|key| (&key[..], Some(&value[..]))).collect::<Vec<_>>());
    let whole = selections(&stream).pop().expect("a selection");
    let parts = whole.split(500);
    assert!(parts.len() > 5 && parts.iter().all(|part| !part.is_empty() && part.encoded_len() < 500));
    let joined: Vec<_> = parts.iter().flat_map(|part| part.iter().cloned()).collect();
    assert_eq!(joined, whole.to_vec());
    assert_eq!(whole.split(1).len(), 50, "an event is not cut");
}

#[test]
fn what_is_published_at_once_goes_out_in_messages_of_whole_revisions() {
    let world = World::with(WatchOptions { message_bytes: 500, ..WatchOptions::default() });
    let stream = world.hub.stream();
    stream.create(WatchSpec { prev_kv: true, ..WatchSpec::new(range("a", "b")) }).expect("created");
    let value = "v".repeat(40);
    let pair = |n: usize| [("a1", Some(&value[..])), ("a2", Some(&value[..n]))];
    let mut batch: Vec<_> = (0..20).map(|n| world.store.commit(&pair(n))).collect();
    let keys: Vec<String> = (0..20).map(|n| format!("a{n:02}")).collect();
    batch.push(world.store.commit(&keys.iter().map(|key| (&key[..], Some(&value[..]))).collect::<Vec<_>>()));
    world.hub.publish(&batch);
    let messages = queued(&stream);
    let mut found = Vec::new();
    for message in &messages {
        let WatchMessage::Events { selection, revision, .. } = message else { continue };
        assert_eq!(selection.last_revision(), *revision, "a message says how far it goes");
        assert!(selection.encoded_len() < 500 || (selection.len() == 20 && *revision == 22));
        found.extend(selection.iter().map(|selected| (selected.revision, selected.index)));
    }
    let expected: Vec<_> = (2..22).flat_map(|n| [(n, 0), (n, 1)]).chain((0..20).map(|n| (22, n))).collect();
    assert_eq!(found, expected);
    assert!(messages.len() > 5);
    assert_eq!(world.hub.stats().pending_events, 0);
}

#[test]
fn a_start_in_the_future_suppresses_what_comes_before() {
    let world = World::new();
    let stream = world.hub.stream();
    for start in [2, 3, 4, 5] {
        stream.create(from(start, range("a", ""))).expect("created");
    }
    briefs(&stream);
    let batch: Vec<_> = (0..3).map(|_| world.store.commit(&[("a", Some(""))])).collect();
    world.hub.publish(&batch);
    world.put("a", "");
    let mut said = briefs(&stream);
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "events 0 at 4: +a@2.0 +a@3.0 +a@4.0",
            "events 0 at 5: +a@5.0",
            "events 1 at 4: +a@3.0 +a@4.0",
            "events 1 at 5: +a@5.0",
            "events 2 at 4: +a@4.0",
            "events 2 at 5: +a@5.0",
            "events 3 at 5: +a@5.0"
        ]
    );
}

#[test]
fn from_now_means_after_what_the_store_shows_even_if_it_is_published_later() {
    let world = World::new();
    let stream = world.hub.stream();
    let made = world.store.commit(&[("a", Some("x"))]);
    let created = stream.create(WatchSpec::new(range("a", ""))).expect("created");
    assert_eq!(created.revision, 2);
    world.hub.publish(&[made]);
    world.put("a", "y");
    assert_eq!(briefs(&stream), ["created 0 at 2", "events 0 at 3: +a@3.0"]);
}
