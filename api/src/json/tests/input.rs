use bytes::Bytes;
use proptest::prelude::*;

use crate::authpb::Permission;
use crate::etcdserverpb::compare::{CompareResult, TargetUnion};
use crate::etcdserverpb::range_request::{SortOrder, SortTarget};
use crate::etcdserverpb::request_op::Request;
use crate::etcdserverpb::{
    AuthUserAddRequest, AuthUserChangePasswordRequest, AuthenticateRequest, Compare, HashKvRequest, LeaseGrantRequest,
    MemberListRequest, PutRequest, RangeRequest, TxnRequest, WatchCreateRequest, WatchRequest, watch_request,
};
use crate::json::{FromJson, JsonError, MAX_DEPTH, first_from_slice, from_slice};

fn read<T: FromJson>(text: &str) -> T {
    from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal<T: FromJson + std::fmt::Debug>(text: &str) -> String {
    match from_slice::<T>(text.as_bytes()) {
        Ok(message) => panic!("{text} was read as {message:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn both_spellings_of_a_name() {
    let expected = RangeRequest { range_end: Bytes::from_static(b"b"), keys_only: true, ..Default::default() };
    assert_eq!(read::<RangeRequest>(r#"{"range_end":"Yg==","keys_only":true}"#), expected);
    assert_eq!(read::<RangeRequest>(r#"{"rangeEnd":"Yg==","keysOnly":true}"#), expected);
    assert_eq!(read::<RangeRequest>(r#"{"range\u005fend":"Yg\u003d=", "keysOnly":true}"#), expected);
    assert_eq!(read::<LeaseGrantRequest>(r#"{"TTL":1,"ID":2}"#), LeaseGrantRequest { ttl: 1, id: 2 });
}

#[test]
fn a_field_twice_is_refused_in_any_spelling() {
    for text in [r#"{"key":"YQ==","key":"YQ=="}"#, r#"{"key":null,"key":"YQ=="}"#] {
        assert!(refusal::<PutRequest>(text).contains("duplicate field \"key\""), "{text}");
    }
    assert!(refusal::<RangeRequest>(r#"{"range_end":"","rangeEnd":""}"#).contains("duplicate field \"range_end\""));
    assert!(refusal::<RangeRequest>(r#"{"rangeEnd":"","range_end":""}"#).contains("duplicate field \"range_end\""));
}

#[test]
fn unknown_fields_are_ignored_whatever_they_hold() {
    let text = r#"{"php-etcd-client":1,"x":{"y":[1,-2.5e3,{"z":"\n"},true,false,null,[]],"y":{}},"TTL":"9", "x":0}"#;
    assert_eq!(read::<LeaseGrantRequest>(text).ttl, 9);
    assert_eq!(read::<MemberListRequest>(r#"{"anything":[{}]}"#), MemberListRequest::default());
    for text in [r#"{"x":tru}"#, r#"{"x":01}"#, r#"{"x":1.}"#, r#"{"x":"\q"}"#, r#"{"x":nul}"#, r#"{"x":+1}"#] {
        refusal::<LeaseGrantRequest>(text);
    }
}

#[test]
fn nothing_is_the_empty_message() {
    for text in ["", " \r\n\t", "{}", " { } "] {
        assert_eq!(read::<RangeRequest>(text), RangeRequest::default(), "{text:?}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["[]", "\"x\"", "null", "1", "true", "nonsense", "}", "key=a&value=b", "\u{feff}{}"] {
        assert!(refusal::<RangeRequest>(text).starts_with("proto: syntax error (line 1:1)"), "{text}");
    }
}

#[test]
fn malformed_objects_are_refused() {
    for text in [
        "{,}",
        r#"{"ID":1,}"#,
        r#"{"ID":1 "TTL":2}"#,
        r#"{"ID" 1}"#,
        r#"{"ID"::1}"#,
        r#"{ID:1}"#,
        r#"{'ID':1}"#,
        r#"{"ID":}"#,
        r#"{"ID":1]"#,
        r#"{"ID":1;"TTL":2}"#,
        r#"{1:2}"#,
        "{\"ID\u{1}\":1}",
        r#"{"ID":1,,"TTL":2}"#,
        r#"{,"ID":1}"#,
    ] {
        assert!(refusal::<LeaseGrantRequest>(text).starts_with("proto: syntax error"), "{text}");
    }
    for text in [r#"{"compare":[{},]}"#, r#"{"compare":[,{}]}"#, r#"{"compare":[{} {}]}"#, r#"{"compare":[}"#] {
        assert!(refusal::<TxnRequest>(text).starts_with("proto: syntax error"), "{text}");
    }
}

#[test]
fn an_end_inside_a_value_is_told_apart() {
    let whole = r#"{"compare":[{"key":"YQ==","result":1}],"success":[{"request_put":{"lease":-1}}],"x":true}"#;
    for end in 1..whole.len() {
        let text = &whole[..end];
        match from_slice::<TxnRequest>(text.as_bytes()) {
            Err(JsonError::UnexpectedEof) => {}
            // Half a literal or number is bad syntax in its own right.
            Err(JsonError::Syntax { .. }) if text.ends_with(['t', 'r', 'u', '-']) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(refusal::<TxnRequest>("{"), "unexpected EOF");
}

#[test]
fn null_is_unset() {
    let text = r#"{"key":null,"value":null,"lease":null,"prev_kv":null}"#;
    assert_eq!(read::<PutRequest>(text), PutRequest::default());
    let text = r#"{"sort_order":null,"x":null,"limit":"3"}"#;
    assert_eq!(read::<RangeRequest>(text), RangeRequest { limit: 3, ..Default::default() });
    assert_eq!(read::<TxnRequest>(r#"{"success":null}"#), TxnRequest::default());
    assert_eq!(read::<WatchRequest>(r#"{"create_request":null}"#), WatchRequest::default());
    for text in [r#"{"success":[null]}"#, r#"{"key":nullx}"#] {
        refusal::<TxnRequest>(text);
    }
}

#[test]
fn integers_in_every_notation() {
    for value in ["7", "\"7\"", "7.0", "\"7.0\"", "7e0", "\"7e0\"", "0.7e1", "70E-1", "\"\\u0037\""] {
        assert_eq!(read::<PutRequest>(&format!("{{\"lease\":{value}}}")).lease, 7, "{value}");
    }
    // Beyond what a float could hold.
    for number in [i64::MAX, i64::MIN, 9_007_199_254_740_993] {
        assert_eq!(read::<PutRequest>(&format!("{{\"lease\":{number}}}")).lease, number);
        assert_eq!(read::<PutRequest>(&format!("{{\"lease\":\"{number}\"}}")).lease, number);
        assert_eq!(read::<PutRequest>(&format!("{{\"lease\":{number}.0}}")).lease, number);
    }
}

#[test]
fn integers_that_do_not_fit() {
    let too_large = ["9223372036854775808", "-9223372036854775809", "1e19", "1.5", "5e-1"];
    for value in too_large.into_iter().chain(["abc", "", " 7", "7 ", "0x7", "7,0", "07", "null", "true"]) {
        let text = format!("{{\"lease\":\"{value}\"}}");
        assert_eq!(
            refusal::<PutRequest>(&text),
            format!("proto: (line 1:10): invalid value for int64 field lease: \"{value}\"")
        );
    }
    for value in too_large.into_iter().chain(["true", "{}", "[1]"]) {
        let text = format!("{{\"lease\":{value}}}");
        assert_eq!(
            refusal::<PutRequest>(&text),
            format!("proto: (line 1:10): invalid value for int64 field lease: {value}")
        );
    }
    for value in ["07", "7x", "1.", "-", "0x7", ".5", "--1", "1e"] {
        assert!(refusal::<PutRequest>(&format!("{{\"lease\":{value}}}")).contains("syntax error"), "{value}");
    }
    assert!(refusal::<HashKvRequest>(r#"{"revision":1e400}"#).contains("int64"));
}

#[test]
fn booleans_are_booleans() {
    assert!(read::<PutRequest>(r#"{"prev_kv": true}"#).prev_kv);
    for value in ["\"true\"", "1", "0", "{}", "[]"] {
        let text = format!("{{\"prev_kv\":{value}}}");
        assert!(refusal::<PutRequest>(&text).contains("invalid value for bool field prev_kv"), "{value}");
    }
    assert!(refusal::<PutRequest>(r#"{"prev_kv":truely}"#).contains("syntax error"));
}

#[test]
fn bytes_in_four_forms() {
    for value in ["+/8=", "+/8", "-_8=", "-_8", "+\\/8="] {
        let text = format!("{{\"value\":\"{value}\"}}");
        assert_eq!(&read::<PutRequest>(&text).value[..], [0xfb, 0xff], "{value}");
    }
    for value in ["\"*\"", "\"YQ=\"", "\"Y\"", "1", "true", "[97]", "{}", "\"+_8=\""] {
        let text = format!("{{\"key\":{value}}}");
        assert_eq!(
            refusal::<PutRequest>(&text),
            format!("proto: (line 1:8): invalid value for bytes field key: {value}")
        );
    }
}

#[test]
fn long_offenders_are_not_repeated_whole() {
    let text = format!("{{\"key\":\"{}*\"}}", "a".repeat(1_000_000));
    assert!(refusal::<PutRequest>(&text).len() < 200);
}

#[test]
fn passwords_are_not_repeated() {
    for field in ["password", "hashedPassword"] {
        for value in [r#"{"canary":1}"#, r#"["canary"]"#, "4711"] {
            let text = format!("{{\"{field}\":{value}}}");
            for refused in [refusal::<AuthUserAddRequest>(&text), refusal::<AuthUserChangePasswordRequest>(&text)] {
                assert!(refused.contains("invalid value for string field "), "{refused}");
                assert!(!refused.contains("canary") && !refused.contains("4711"), "{refused}");
            }
        }
    }
    assert!(!refusal::<AuthenticateRequest>(r#"{"password":["canary"]}"#).contains("canary"));
}

#[test]
fn strings_are_unicode() {
    let name = |text: &str| from_slice::<AuthUserAddRequest>(text.as_bytes()).map(|request| request.name);
    assert_eq!(name(r#"{"name":"z\u00fcrich \uD83D\uDE00"}"#).unwrap(), "z\u{fc}rich \u{1f600}");
    assert!(name(r#"{"name":7}"#).unwrap_err().to_string().contains("invalid value for string field name: 7"));
    let invalid = from_slice::<AuthUserAddRequest>(b"{\"name\":\"\xff\"}").unwrap_err();
    assert_eq!(invalid.to_string(), "proto: syntax error (line 1:9): invalid UTF-8 in string");
    assert!(from_slice::<AuthUserAddRequest>(b"{\"\xff\":1}").is_err());
    assert!(from_slice::<AuthUserAddRequest>(b"{\"x\":\"\xff\"}").is_err());
}

#[test]
fn enums_by_name_and_number() {
    let order = |value: &str| read::<RangeRequest>(&format!("{{\"sort_order\":{value}}}")).sort_order;
    for value in ["\"DESCEND\"", "2", "\"2\"", "2.0", "2e0"] {
        assert_eq!(order(value), i32::from(SortOrder::Descend), "{value}");
    }
    assert_eq!(order("77"), 77, "an unknown number is for the server to refuse");
    assert_eq!(order("-1"), -1);
    for value in ["\"SIDEWAYS\"", "\"descend\"", "\"\""] {
        assert_eq!(order(value), 0, "an unknown name is unset: {value}");
    }
    for value in ["true", "{}", "1.5", "9999999999"] {
        assert!(refusal::<RangeRequest>(&format!("{{\"sort_order\":{value}}}")).contains("enum field sort_order"));
    }
    let filters = read::<WatchCreateRequest>(r#"{"filters":["NOPUT",1,"WHAT",5]}"#).filters;
    assert_eq!(filters, [0, 1, 5]);
    assert_eq!(read::<Permission>(r#"{"permType":"READWRITE"}"#).perm_type, 2);
    assert_eq!(read::<RangeRequest>(r#"{"sortTarget":"MOD"}"#).sort_target, i32::from(SortTarget::Mod));
}

#[test]
fn members_of_a_oneof_stand_beside_the_other_fields() {
    let compare = read::<Compare>(r#"{"key":"YQ==","result":"GREATER","create_revision":"3"}"#);
    assert_eq!(compare.target_union, Some(TargetUnion::CreateRevision(3)));
    assert_eq!(compare.result, i32::from(CompareResult::Greater));
    let zero = read::<Compare>(r#"{"createRevision":0,"version":null}"#);
    assert_eq!(zero.target_union, Some(TargetUnion::CreateRevision(0)), "present, though zero");
    assert_eq!(read::<Compare>(r#"{"value":""}"#).target_union, Some(TargetUnion::Value(Bytes::new())));

    let twice = refusal::<Compare>(r#"{"version":1,"lease":2}"#);
    assert_eq!(
        twice,
        "proto: (line 1:22): error parsing \"lease\", oneof etcdserverpb.Compare.target_union is already set"
    );
    assert!(refusal::<WatchRequest>(r#"{"create_request":{},"cancelRequest":{}}"#).contains("is already set"));
    assert!(refusal::<WatchRequest>(r#"{"create_request":{},"createRequest":{}}"#).contains("duplicate field"));
    let create = read::<WatchRequest>(r#"{"createRequest":{"watch_id":"4"}}"#).request_union;
    assert!(matches!(create, Some(watch_request::RequestUnion::CreateRequest(create)) if create.watch_id == 4));
}

#[test]
fn lists_are_lists() {
    assert!(refusal::<TxnRequest>(r#"{"compare":{}}"#).contains("invalid value for repeated field compare: {}"));
    assert!(refusal::<TxnRequest>(r#"{"compare":[1]}"#).contains("unexpected token 1"));
    let txn = read::<TxnRequest>(r#"{"success":[{"requestPut":{"key":"YQ=="}},{"request_range":{}},{}],"failure":[]}"#);
    assert!(matches!(txn.success[0].request, Some(Request::RequestPut(_))));
    assert!(matches!(txn.success[1].request, Some(Request::RequestRange(_))));
    assert_eq!(txn.success[2].request, None);
}

#[test]
fn only_the_first_value_counts() {
    assert_eq!(read::<LeaseGrantRequest>(r#"{"TTL":1}{"TTL":2}"#).ttl, 1);
    assert_eq!(read::<LeaseGrantRequest>(r#"{"TTL":1}garbage"#).ttl, 1);
    let text = br#" {"TTL":1} {"TTL":2}"#;
    let (first, taken) = first_from_slice::<LeaseGrantRequest>(text).unwrap().unwrap();
    assert_eq!((first.ttl, taken), (1, 10));
    let (second, taken) = first_from_slice::<LeaseGrantRequest>(&text[taken..]).unwrap().unwrap();
    assert_eq!((second.ttl, taken), (2, 10));
    assert_eq!(first_from_slice::<LeaseGrantRequest>(b" \n").unwrap(), None);
}

#[test]
fn errors_point_at_line_and_column() {
    let text = "{\n  \"key\": \"YQ==\",\n  \"lease\": \"x\"\n}";
    assert!(refusal::<PutRequest>(text).starts_with("proto: (line 3:12): "));
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        format!("{}{}", r#"{"success":[{"request_txn":"#.repeat(levels), format_args!("{{}}{}", "}]}".repeat(levels)))
    };
    let fits = (MAX_DEPTH as usize - 1) / 3;
    assert!(from_slice::<TxnRequest>(nested(fits).as_bytes()).is_ok());
    assert_eq!(from_slice::<TxnRequest>(nested(fits + 1).as_bytes()), Err(JsonError::TooDeep));
    for bomb in ["{\"x\":", "{\"x\":[", "{\"success\":[{\"request_txn\":"] {
        assert_eq!(from_slice::<TxnRequest>(bomb.repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
    }
    assert_eq!(
        from_slice::<TxnRequest>(format!("{{\"x\":{}", "[".repeat(1_000_000)).as_bytes()),
        Err(JsonError::TooDeep)
    );
}

#[test]
fn depth_is_given_back() {
    let many = format!("{{\"x\":[{}],\"success\":[{}]}}", vec!["[{}]"; 1000].join(","), vec!["{}"; 1000].join(","));
    assert!(from_slice::<TxnRequest>(many.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_safe(body: Vec<u8>) {
        let _ = from_slice::<TxnRequest>(&body);
    }

    #[test]
    fn anything_like_json_is_safe(body in r#"[{}\[\]":,0-9eE.+\\-]{0,60}"#) {
        let _ = from_slice::<TxnRequest>(body.as_bytes());
    }

    /// Cut, doubled or bent anywhere, a transaction is read or refused, and never panics.
    #[test]
    fn damaged_requests_are_safe(at in 0usize..200, byte: u8, cut in 0usize..200) {
        let mut text = br#"{"compare":[{"key":"YQ==","target":"VALUE","value":"eA==","result":0}],
            "success":[{"request_put":{"key":"YQ==","value":"\u0059\/==","lease":"1e3"}}],"failure":[{"request_range":{}}]}"#.to_vec();
        let length = text.len();
        if let Some(target) = text.get_mut(at) {
            *target = byte;
        }
        let _ = from_slice::<TxnRequest>(&text);
        let _ = from_slice::<TxnRequest>(&text[..cut.min(length)]);
        let _ = from_slice::<TxnRequest>(&text[cut.min(length)..]);
    }
}
