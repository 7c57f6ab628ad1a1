//! What the decoders take.

use std::io::Cursor;

use bytes::Bytes;
use keyport_api::etcdserverpb::{RangeRequest, TxnRequest};
use keyport_api::raftpb::{Entry, Message, MessageType, Snapshot};
use keyport_api::routes::ROUTES;
use keyport_storage::bbolt::Writer;
use keyport_tests::random::Random;
use prost::Message as _;

/// The number of a route among all.
fn route(path: &str) -> u8 {
    let number = ROUTES.iter().position(|route| route.path == path).expect("a route");
    u8::try_from(number).expect("fewer than 256")
}

/// Bodies of calls, each after the number of its route.
pub fn json() -> Vec<Bytes> {
    [
        ("/v3/kv/range", r#"{"key":"AAEC","range_end":"/w==","limit":"5","sortOrder":"DESCEND","keys_only":true,"unknown":[1,{"x":null}]}"#),
        ("/v3/kv/put", r#"{"key":"a2V5","value":"\u0061Zm8=","lease":-9223372036854775808,"prev_kv":false,"ignoreValue":true}"#),
        ("/v3/kv/txn", r#"{"compare":[{"key":"aw==","target":"MOD","result":1,"mod_revision":"7"}],"success":[{"request_put":{"key":"aw=="}},
            {"requestTxn":{"failure":[{"request_delete_range":{"key":"aw==","range_end":"AA=="}}]}}]}"#),
        ("/v3/watch", r#"{"create_request":{"key":"aw==","start_revision":1e3,"filters":["NOPUT",1],"watch_id":"-1"}} {"cancel_request":{"watch_id":7}}"#),
        ("/v3/watch", r#"{"progress_request":{}}"#),
        ("/v3/auth/role/grant", r#"{"name":"r","perm":{"permType":"READWRITE","key":"aw==","range_end":"AA=="}}"#),
        ("/v3/auth/user/add", r#"{"name":"u","password":"p","options":{"no_password":false},"hashedPassword":""}"#),
        ("/v3/cluster/member/add", r#"{"peerURLs":["http://127.0.0.1:2380"],"isLearner":true}"#),
        ("/v3/lease/grant", r#"{"TTL":"60","ID":"7"}"#),
        ("/v3/maintenance/alarm", r#"{"action":"ACTIVATE","memberID":"1","alarm":"NOSPACE"}"#),
    ]
    .map(|(path, body)| [&[route(path)], body.as_bytes()].concat().into())
    .into()
}

/// Messages, each after the number of its route.
pub fn protobuf() -> Vec<Bytes> {
    let mut random = Random::new(5);
    let ranges = (0..20).map(|_| (route("/v3/kv/range"), random.range().encode_to_vec())).collect::<Vec<_>>();
    let txns = (0..20).map(|_| (route("/v3/kv/txn"), TxnRequest::encode_to_vec(&random.txn(0)))).collect::<Vec<_>>();
    ranges.into_iter().chain(txns).map(|(route, message)| [&[route], &message[..]].concat().into()).collect()
}

/// Ranges.
pub fn ranges() -> Vec<Bytes> {
    let mut random = Random::new(5);
    (0..50).map(|_| RangeRequest::encode_to_vec(&random.range()).into()).collect()
}

/// Rows of kinds, lengths and payloads.
pub fn peer_frames() -> Vec<Bytes> {
    let entry =
        Entry { index: Some(7), term: Some(2), data: Some(Bytes::from_static(b"some data")), ..Entry::default() };
    let append = Message {
        r#type: Some(MessageType::MsgApp.into()),
        from: Some(1),
        to: Some(2),
        term: Some(2),
        index: Some(6),
        entries: vec![entry.clone(), entry],
        ..Message::default()
    };
    let promise = Message {
        r#type: Some(MessageType::MsgSnap.into()),
        from: Some(1),
        to: Some(2),
        snapshot: Some(Snapshot::default()),
        ..Message::default()
    };
    let framed = |kind: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).expect("short").to_be_bytes();
        [&[kind], &length[..], payload].concat()
    };
    let messages = [append.encode_length_delimited_to_vec(), append.encode_length_delimited_to_vec()].concat();
    vec![
        [framed(1, &messages), framed(2, &[7; 8]), framed(1, &messages)].concat().into(),
        [framed(4, &promise.encode_to_vec()), framed(5, b"a piece"), framed(5, b"another"), framed(6, &[0; 48])]
            .concat()
            .into(),
    ]
}

/// Of the files in [`bbolt`]: small, so that a fuzzer sees several.
pub const BBOLT_PAGE: usize = 1024;

/// Database files: of one leaf, and with a branch and a large value.
pub fn bbolt() -> Vec<Bytes> {
    let file = |count: u8, value_bytes: usize| {
        let page_bytes = u32::try_from(BBOLT_PAGE).expect("small");
        let mut writer = Writer::with_page_bytes(Cursor::new(Vec::new()), page_bytes).expect("a vector takes all");
        for name in ["key", "meta"] {
            writer.bucket(name.as_bytes()).expect("names ascend");
            for n in 0..count {
                // One of them is larger than a page.
                let value = vec![n; if n == 7 { 1200 } else { value_bytes }];
                writer.put(&[name.as_bytes(), &[n]].concat(), &value).expect("keys ascend");
            }
        }
        writer.finish().expect("a vector takes all").0.into_inner().into()
    };
    vec![file(0, 0), file(3, 20), file(9, 200)]
}
