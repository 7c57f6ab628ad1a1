use super::*;
use crate::etcdserverpb::compare::TargetUnion;
use crate::etcdserverpb::request_op::Request;
use crate::etcdserverpb::{
    Compare, MemberAddRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest, WatchRequest,
    watch_request,
};
use crate::json::{JsonError, from_slice, from_slice_within};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

fn txn(success: Vec<RequestOp>) -> TxnRequest {
    TxnRequest { success, ..TxnRequest::default() }
}

fn nested(txn: TxnRequest) -> RequestOp {
    RequestOp { request: Some(Request::RequestTxn(txn)) }
}

/// What the lists of a message really take.
fn taken(txn: &TxnRequest) -> usize {
    let ops = [&txn.success, &txn.failure].into_iter();
    let inside = ops.clone().flatten().map(|op| match &op.request {
        Some(Request::RequestTxn(txn)) => taken(txn),
        _ => 0,
    });
    txn.compare.capacity() * size_of::<Compare>()
        + ops.map(|ops| ops.capacity() * size_of::<RequestOp>()).sum::<usize>()
        + inside.sum::<usize>()
}

/// What was counted of an encoded message, with no bound to stop it.
fn counted<T: Bounded>(message: &[u8]) -> usize {
    let mut meter = Meter { left: usize::MAX, level: Level { max: usize::MAX, used: 0 } };
    wire::scan(message, T::SHAPE.unwrap(), &mut meter).unwrap();
    usize::MAX - meter.left
}

/// The same list of empty operations in both encodings.
fn empty_operations(count: usize, list: &str) -> (Vec<u8>, String) {
    let tag = match list {
        "compare" => 0x0a,
        "success" => 0x12,
        _ => 0x1a,
    };
    ([tag, 0].repeat(count), format!("{{\"{list}\":[{}]}}", vec!["{}"; count].join(",")))
}

#[test]
fn operations_are_counted_while_they_are_read() {
    for list in ["compare", "success", "failure"] {
        let (wire, json) = empty_operations(2048, list);
        assert_eq!(check::<TxnRequest>(&wire, 2048), Ok(()));
        assert_eq!(check::<TxnRequest>(&wire[..], 2047), Ok(()), "small ones are left to the service");
        assert!(from_slice_within::<TxnRequest>(json.as_bytes(), 2048).is_ok());
        let refused = from_slice_within::<TxnRequest>(json.as_bytes(), 2047);
        assert_eq!(refused, Err(JsonError::TooMany(Error::TooManyOps)));

        // Refused at the first one too many: what follows is not even looked at.
        let (mut wire, json) = empty_operations(1_000_000, list);
        wire.extend([0xff; 20]);
        assert_eq!(check::<TxnRequest>(&wire, 128), Err(Error::TooManyOps));
        let broken = json.replace("]}", "] nonsense");
        assert_eq!(from_slice_within::<TxnRequest>(broken.as_bytes(), 128), Err(JsonError::TooMany(Error::TooManyOps)));
        // Whatever the operator allows, memory has its own bound.
        assert_eq!(check::<TxnRequest>(&wire, usize::MAX), Err(Error::TooManyOps));
        assert_eq!(from_slice::<TxnRequest>(json.as_bytes()), Err(JsonError::TooMany(Error::TooManyOps)));
    }
}

#[test]
fn the_refusal_is_that_of_the_service() {
    let (_, json) = empty_operations(129, "success");
    let error = from_slice_within::<TxnRequest>(json.as_bytes(), 128).unwrap_err();
    assert_eq!(error.to_string(), "etcdserver: too many operations in txn request");
    assert_eq!(tonic::Status::from(error).code(), tonic::Code::InvalidArgument);
}

#[test]
fn a_nested_transaction_has_what_its_parent_left() {
    let key = Bytes::from(vec![b'k'; 300]);
    let get = RequestOp { request: Some(Request::RequestRange(RangeRequest { key, ..RangeRequest::default() })) };
    let gets = |count| vec![get.clone(); count];
    let mut success = gets(10);
    success.push(nested(txn(gets(20))));
    success.extend(gets(5));
    // The eleventh of its parent's operations: at most nineteen are left.
    let message = txn(success);
    let (wire, json) = (message.encode_to_vec(), serde_json::to_string(&message).unwrap());
    for (max, outcome) in [(31, Ok(())), (30, Err(Error::TooManyOps)), (15, Err(Error::TooManyOps))] {
        assert_eq!(check::<TxnRequest>(&wire, max), outcome, "{max}");
        let read = from_slice_within::<TxnRequest>(json.as_bytes(), max).map(drop);
        assert_eq!(read, outcome.map_err(JsonError::TooMany), "{max}");
    }
    // Siblings do not take from one another.
    let message = txn(vec![nested(txn(gets(20))), nested(txn(gets(20))), nested(txn(gets(19)))]);
    assert_eq!(check::<TxnRequest>(&message.encode_to_vec(), 22), Ok(()));
    assert_eq!(check::<TxnRequest>(&message.encode_to_vec(), 20), Err(Error::TooManyOps));
}

/// No list is long, but there are many of them, and each has room for four.
#[test]
fn trees_of_transactions_are_bounded_as_well() {
    let leaf = nested(txn(vec![RequestOp::default()]));
    let mut message = txn(vec![leaf; 60]);
    for _ in 0..2 {
        message = txn(vec![nested(message); 60]);
    }
    let (wire, json) = (message.encode_to_vec(), serde_json::to_string(&message).unwrap());
    assert!(taken(&message) > 40 * wire.len(), "{} of {}", taken(&message), wire.len());
    assert_eq!(check::<TxnRequest>(&wire, 256), Err(Error::TooManyOps));
    assert_eq!(from_slice_within::<TxnRequest>(json.as_bytes(), 256), Err(JsonError::TooMany(Error::TooManyOps)));
}

/// The largest that anybody has reason to send: many small keys, as many operations as `etcdctl` users configure.
#[test]
fn transactions_that_say_something_pass() {
    let put = |n: usize| {
        let put = PutRequest { key: format!("{n:05}").into(), value: "x".into(), ..PutRequest::default() };
        RequestOp { request: Some(Request::RequestPut(put)) }
    };
    let exists = |n: usize| Compare {
        key: format!("{n:05}").into(),
        target_union: Some(TargetUnion::CreateRevision(0)),
        ..Compare::default()
    };
    let message = TxnRequest {
        compare: (0..33_000).map(exists).collect(),
        success: (0..33_000).map(put).collect(),
        ..TxnRequest::default()
    };
    assert_eq!(check::<TxnRequest>(&message.encode_to_vec(), 33_000), Ok(()));
    let json = serde_json::to_string(&message).unwrap();
    assert_eq!(from_slice_within::<TxnRequest>(json.as_bytes(), 33_000).as_ref(), Ok(&message));
    let message = txn((0..128).map(|n| nested(txn((0..100).map(|m| put(n * 100 + m)).collect()))).collect());
    assert_eq!(check::<TxnRequest>(&message.encode_to_vec(), 256), Ok(()));
}

#[test]
fn other_lists_cannot_grow_out_of_proportion() {
    let mut meter = Meter::new(0, 128);
    let mut list = List::default();
    assert_eq!(meter.add(&mut list, 4096, 64, false), Ok(()));
    assert_eq!(meter.add(&mut list, 4096, 64, false), Ok(()));
    assert_eq!(meter.add(&mut list, 1, 64, false), Err(Error::RequestTooLarge));
    // Two bytes for each of 24.
    let urls = MemberAddRequest { peer_ur_ls: vec![String::new(); 40_000], ..MemberAddRequest::default() };
    assert_eq!(check::<MemberAddRequest>(&urls.encode_to_vec(), 128), Ok(()));
    assert_eq!(counted::<MemberAddRequest>(&urls.encode_to_vec()), 24 << 16);
    let create = WatchCreateRequest { filters: vec![1; 1_000_000], ..WatchCreateRequest::default() };
    let watch = WatchRequest { request_union: Some(watch_request::RequestUnion::CreateRequest(create)) };
    // A byte for four, or two of them.
    assert_eq!(check::<WatchRequest>(&watch.encode_to_vec(), 128), Ok(()));
    assert_eq!(counted::<WatchRequest>(&watch.encode_to_vec()), 4 << 20);
    let unpacked = [0x28, 1].repeat(1000);
    assert_eq!(counted::<WatchRequest>(&[&[0x0a, 0xd0, 0x0f][..], &unpacked].concat()), 4 * 1024);
}

#[test]
fn what_has_no_lists_is_not_looked_at() {
    assert!(PutRequest::SHAPE.is_none() && RangeRequest::SHAPE.is_none());
    assert!(crate::etcdserverpb::RangeResponse::SHAPE.is_none(), "answers are the server's");
    assert_eq!(check::<PutRequest>(&[0xff; 10_000], 0), Ok(()));
}

#[test]
fn unknown_fields_are_passed_over() {
    let (wire, _) = empty_operations(3, "success");
    let one = counted::<TxnRequest>(&wire);
    // A varint, eight bytes, bytes, a group with operations in it and four bytes, all of a field 9.
    let unknown =
        [&[0x48, 0x80, 1, 0x49, 0, 0, 0, 0, 0, 0, 0, 0, 0x4a, 1, 7, 0x4b][..], &wire, &[0x4c, 0x4d, 0, 0, 0, 0]];
    let message = [&unknown.concat()[..], &wire].concat();
    assert_eq!(TxnRequest::decode(&message[..]).unwrap().success.len(), 3);
    assert_eq!(counted::<TxnRequest>(&message), one);
}

#[test]
fn depth_is_bounded() {
    let mut wire = Vec::new();
    for _ in 0..3000 {
        for tag in [0x22u8, 0x12] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(wire.len() as u64, &mut outer);
            outer.append(&mut wire);
            wire = outer;
        }
    }
    assert_eq!(check::<TxnRequest>(&wire, 10_000), Ok(()));
    assert!(TxnRequest::decode(&wire[..]).is_err());
}

fn operation() -> impl Strategy<Value = RequestOp> {
    let leaf = prop_oneof![
        Just(RequestOp::default()),
        any::<Vec<u8>>().prop_map(|key| {
            let put = PutRequest { key: key.into(), lease: 300, ..PutRequest::default() };
            RequestOp { request: Some(Request::RequestPut(put)) }
        }),
    ];
    leaf.prop_recursive(4, 60, 12, |inner| {
        (prop::collection::vec(inner.clone(), 0..12), prop::collection::vec(inner, 0..6), 0..9usize).prop_map(
            |(success, failure, compare)| {
                nested(TxnRequest { success, failure, compare: vec![Compare::default(); compare] })
            },
        )
    })
}

proptest! {
    /// What is counted is what the decoded message takes, to the byte, in either encoding.
    #[test]
    fn the_count_is_true(op in operation()) {
        let message = txn(vec![op]);
        let wire = message.encode_to_vec();
        prop_assert_eq!(counted::<TxnRequest>(&wire), taken(&TxnRequest::decode(&wire[..]).unwrap()));
        let json = serde_json::to_string(&message).unwrap();
        let read = from_slice::<TxnRequest>(json.as_bytes()).unwrap();
        prop_assert_eq!(counted::<TxnRequest>(&wire), taken(&read));
    }

    /// Damaged as it may be, what prost makes of a message has been counted. Fields of a oneof that are said again are
    /// merged, which may round up once more.
    #[test]
    fn damage_hides_nothing(op in operation(), bytes in prop::collection::vec((0usize..500, any::<u8>()), 0..6)) {
        let mut wire = txn(vec![op]).encode_to_vec();
        for (at, byte) in bytes {
            if let Some(target) = wire.get_mut(at) {
                *target = byte;
            }
        }
        let counted = counted::<TxnRequest>(&wire);
        if let Ok(message) = TxnRequest::decode(&wire[..]) {
            prop_assert!(taken(&message) <= 2 * counted);
        }
    }

    #[test]
    fn any_bytes_are_safe(message: Vec<u8>) {
        let _ = counted::<TxnRequest>(&message);
    }
}
