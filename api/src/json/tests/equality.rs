//! Random messages of every type on the gateway's surface, written by both writers and read back.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::FILE_DESCRIPTOR_SET;
use crate::json::{FromJson, JsonError, ToJson, from_slice, to_vec};

const ROUNDS: u64 = 60;

/// Fills about half of the fields, with a taste for the ends of their ranges.
fn random_message(rng: &mut SmallRng, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let nests = matches!(field.kind(), Kind::Message(_));
        if rng.random_bool(0.4) || nests && depth == 0 {
            continue;
        }
        let value = if field.is_list() {
            let count = rng.random_range(0..4);
            Value::List((0..count).map(|_| random_value(rng, &field, depth)).collect())
        } else {
            random_value(rng, &field, depth)
        };
        message.set_field(&field, value);
    }
    message
}

fn random_value(rng: &mut SmallRng, field: &FieldDescriptor, depth: u32) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(rng.random()),
        Kind::Int32 => Value::I32(rng.random()),
        Kind::Uint32 => Value::U32(rng.random()),
        Kind::Int64 => Value::I64(*pick(rng, &[0, 1, -1, 1 << 53, i64::MAX, i64::MIN])),
        Kind::Uint64 => Value::U64(*pick(rng, &[0, 1, 1 << 53, u64::MAX])),
        Kind::String => Value::String(
            (*pick(rng, &["", "plain", "\"quoted\" \\ and \n\u{1}", "\u{fc}\u{1f600}\u{2028}"])).to_owned(),
        ),
        Kind::Bytes => {
            let mut bytes = vec![0; rng.random_range(0..80)];
            rng.fill_bytes(&mut bytes);
            Value::Bytes(bytes.into())
        }
        Kind::Enum(kind) => {
            let numbers: Vec<_> = kind.values().map(|value| value.number()).collect();
            Value::EnumNumber(*pick(rng, &numbers))
        }
        Kind::Message(message) => Value::Message(random_message(rng, &message, depth - 1)),
        kind => panic!("{kind:?} is not on the wire"),
    }
}

fn pick<'a, T>(rng: &mut SmallRng, values: &'a [T]) -> &'a T {
    &values[rng.random_range(0..values.len())]
}

fn check<T>(descriptor: &MessageDescriptor)
where
    T: FromJson + ToJson + Message + PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    for seed in 0..ROUNDS {
        let mut rng = SmallRng::seed_from_u64(seed);
        let encoded = random_message(&mut rng, descriptor, 4).encode_to_vec();
        let message = T::decode(encoded.as_slice()).unwrap();
        let context = || format!("{} from seed {seed}", descriptor.full_name());

        let ours = to_vec(&message).unwrap();
        let parsed: serde_json::Value = serde_json::from_slice(&ours).unwrap_or_else(|e| panic!("{}: {e}", context()));
        assert_eq!(parsed, serde_json::to_value(&message).unwrap(), "written: {}", context());

        assert_eq!(from_slice::<T>(&ours).unwrap(), message, "read back: {}", context());
        let theirs: T = serde_json::from_slice(&ours).unwrap();
        assert_eq!(theirs, message, "read by pbjson: {}", context());
        let spaced = serde_json::to_vec_pretty(&message).unwrap();
        assert_eq!(from_slice::<T>(&spaced).unwrap(), message, "read with white space: {}", context());
    }
}

#[test]
fn writers_and_readers_agree_with_pbjson() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    macro_rules! check_all {
        ([$pool:ident] $(($kind:ident, $route:literal, $field:ident, $Service:path, $method:ident, $Request:ty, $Response:ty))*) => {
            $({
                let info = crate::methods::Method::of_route($route).unwrap().info();
                check::<$Request>(&$pool.get_message_by_name(info.request).unwrap());
                check::<$Response>(&$pool.get_message_by_name(info.response).unwrap());
            })*
        };
    }
    for_each_route!(check_all, pool);
    let message = |name| pool.get_message_by_name(name).unwrap();
    check::<crate::etcdserverpb::RangeStreamResponse>(&message("etcdserverpb.RangeStreamResponse"));
    check::<crate::etcdserverpb::InternalRaftRequest>(&message("etcdserverpb.InternalRaftRequest"));
    check::<crate::mvccpb::KeyValue>(&message("mvccpb.KeyValue"));
    check::<crate::mvccpb::Event>(&message("mvccpb.Event"));
}

#[test]
fn empty_parts_are_written_as_etcd_does() {
    use crate::etcdserverpb::{
        PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse, response_op::Response,
    };
    let text = |message: &dyn ToJson| {
        let mut out = Vec::new();
        message.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(text(&RangeResponse::default()), "{}");
    assert_eq!(text(&PutResponse { header: Some(ResponseHeader::default()), prev_kv: None }), r#"{"header":{}}"#);
    let nested = ResponseOp { response: Some(Response::ResponseTxn(TxnResponse::default())) };
    let txn = TxnResponse { responses: vec![nested, ResponseOp::default()], ..Default::default() };
    assert_eq!(text(&txn), r#"{"responses":[{"response_txn":{}},{}]}"#);
}

#[test]
fn an_unknown_enum_number_never_breaks_the_text() {
    let event = crate::mvccpb::Event { r#type: 9, ..Default::default() };
    assert_eq!(to_vec(&event).unwrap(), br#"{"type":9}"#);
    let mut out = b"before".to_vec();
    let alarm = crate::etcdserverpb::AlarmMember { alarm: 9, ..Default::default() };
    assert!(matches!(alarm.write(&mut out), Err(JsonError::Unwritable(_))));
    assert_eq!(out, b"before");
}
