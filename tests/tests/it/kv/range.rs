//! Range: revisions, options, order, limits, errors.

use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, all, bytes, get, keys, list, put, refused, revision, values};
use keyport_tests::wait::within;
use tonic::Code;

const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";

/// Five keys whose creation, modification, version and value orders all differ. The revision of the last change.
async fn seed(c: &mut Grpc) -> i64 {
    for (key, value) in [("a", "5"), ("b", "1"), ("c", "4"), ("d", "2"), ("e", "3")] {
        c.put(key, value).await; // revisions 2 to 6
    }
    c.put("b", "9").await; // 7
    c.put("a", "0").await; // 8
    c.put("b", "8").await // 9
}

fn seeded() -> RangeRequest {
    RangeRequest { key: bytes("a"), range_end: bytes("f"), ..RangeRequest::default() }
}

#[tokio::test]
async fn an_empty_key_is_refused() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let request = RangeRequest { range_end: bytes("z"), ..RangeRequest::default() };
    refused(c.kv.range(request).await, Code::InvalidArgument, "etcdserver: key is not provided");
}

#[tokio::test]
async fn a_fresh_store_is_at_revision_one() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let answer = c.range(all()).await;
    let header = answer.header.unwrap();
    assert_eq!((header.revision, answer.count, answer.more), (1, 0, false));
    assert!(answer.kvs.is_empty());
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term > 0);
    assert_eq!(c.put("k", "v").await, 2);
}

#[tokio::test]
async fn reads_at_a_revision_see_that_revision() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "one").await; // 2
    c.put("k", "two").await; // 3
    c.delete("k").await; // 4
    c.put("k", "three").await; // 5
    for (at, want) in [(1, None), (2, Some("one")), (3, Some("two")), (4, None), (5, Some("three")), (0, Some("three"))]
    {
        let answer = c.range(RangeRequest { revision: at, ..get("k") }).await;
        assert_eq!(values(&answer), want.into_iter().collect::<Vec<_>>(), "at {at}");
        assert_eq!(revision(&answer.header), 5, "the header is always current");
    }
    // Negative revisions mean the current one, as 0 does.
    assert_eq!(values(&c.range(RangeRequest { revision: -7, ..get("k") }).await), ["three"]);
    refused(c.kv.range(RangeRequest { revision: 6, ..get("k") }).await, Code::OutOfRange, FUTURE);
    c.compact(4).await;
    refused(c.kv.range(RangeRequest { revision: 3, ..get("k") }).await, Code::OutOfRange, COMPACTED);
    assert_eq!(c.range(RangeRequest { revision: 4, ..get("k") }).await.count, 0, "the compacted revision is readable");
    assert_eq!(values(&c.range(RangeRequest { revision: 5, ..get("k") }).await), ["three"]);
}

#[tokio::test]
async fn a_key_value_tells_its_history() {
    let server = Server::start();
    let mut c = server.grpc().await;
    c.put("k", "one").await;
    c.put("other", "x").await;
    c.put("k", "two").await;
    let kv = c.get("k").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version, kv.lease), (2, 4, 2, 0));
    let kv = c.range(RangeRequest { revision: 3, ..get("k") }).await.kvs.remove(0);
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 2, 1));
}

#[tokio::test]
async fn range_ends() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for key in ["a", "a/1", "a/2", "b", "\u{7f}", "z"] {
        c.put(key, "").await;
    }
    c.put_of(keyport_api::etcdserverpb::PutRequest { key: vec![0xff, 0xff].into(), ..put("", "") }).await;
    let range =
        |key: &str, end: &str| RangeRequest { key: bytes(key), range_end: bytes(end), ..RangeRequest::default() };
    assert_eq!(keys(&c.range(range("a", "")).await), ["a"]);
    assert_eq!(keys(&c.range(list("a/")).await), ["a/1", "a/2"]);
    assert_eq!(keys(&c.range(range("a/2", "z")).await), ["a/2", "b"], "the end is not part of it");
    assert_eq!(c.range(range("b", "\0")).await.count, 4, "from a key on");
    assert_eq!(c.range(all()).await.count, 7);
    assert_eq!(c.range(RangeRequest { key: vec![0xff].into(), range_end: bytes("\0"), ..get("") }).await.count, 1);
    for (key, end) in [("b", "a"), ("b", "b"), ("z", "a/1")] {
        let answer = c.range(range(key, end)).await;
        assert_eq!((answer.count, answer.kvs.len(), answer.more), (0, 0, false), "{key:?}..{end:?} is empty");
    }
}

#[tokio::test]
async fn limits_counts_and_more() {
    let server = Server::start();
    let mut c = server.grpc().await;
    seed(&mut c).await;
    for (limit, len, more) in [(0, 5, false), (-3, 5, false), (1, 1, true), (4, 4, true), (5, 5, false), (9, 5, false)]
    {
        let answer = c.range(RangeRequest { limit, ..seeded() }).await;
        assert_eq!((answer.kvs.len(), answer.more, answer.count), (len, more, 5), "limit {limit}");
    }
    let answer = c.range(RangeRequest { limit: i64::MAX, ..seeded() }).await;
    assert_eq!((answer.kvs.len(), answer.more), (5, false));
    let count = RangeRequest { count_only: true, limit: 2, min_mod_revision: 100, ..seeded() };
    let answer = c.range(count).await;
    assert_eq!((answer.kvs.len(), answer.count, answer.more), (0, 5, false), "count_only ignores limit and filters");
    let answer = c.range(RangeRequest { limit: 1, ..list("nothing/") }).await;
    assert_eq!((answer.count, answer.more), (0, false));
}

#[tokio::test]
async fn keys_only_leaves_values_out() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    c.put_of(keyport_api::etcdserverpb::PutRequest { lease, ..put("k", "value") }).await;
    let kv = c.range(RangeRequest { keys_only: true, ..get("k") }).await.kvs.remove(0);
    assert_eq!((&kv.key[..], &kv.value[..], kv.mod_revision, kv.version), (&b"k"[..], &b""[..], 2, 1));
    // Releases before 3.7 still show the lease here.
    assert_eq!(kv.lease, if server.older_than("3.7") { lease } else { 0 });
    let by_value = RangeRequest { keys_only: true, sort_target: SortTarget::Value.into(), ..get("k") };
    let kv = c.range(RangeRequest { sort_order: SortOrder::Ascend.into(), ..by_value }).await.kvs.remove(0);
    assert_eq!((kv.value.len(), kv.lease), (0, lease));
}

#[tokio::test]
async fn explicit_orders() {
    let server = Server::start();
    let mut c = server.grpc().await;
    seed(&mut c).await;
    let cases = [
        (SortTarget::Key, "abcde"),
        (SortTarget::Create, "abcde"),
        (SortTarget::Mod, "cdeab"),
        (SortTarget::Value, "adecb"),
    ];
    for (target, want) in cases {
        let sorted = |order: SortOrder, limit| RangeRequest {
            sort_order: order.into(),
            sort_target: target.into(),
            limit,
            ..seeded()
        };
        let reversed: String = want.chars().rev().collect();
        assert_eq!(keys(&c.range(sorted(SortOrder::Ascend, 0)).await).concat(), want, "{target:?}");
        assert_eq!(keys(&c.range(sorted(SortOrder::Descend, 0)).await).concat(), reversed, "{target:?}");
        let answer = c.range(sorted(SortOrder::Descend, 2)).await;
        assert_eq!(keys(&answer).concat(), reversed[..2], "sorted first, cut then");
        assert!(answer.more);
    }
    let by_version =
        RangeRequest { sort_order: SortOrder::Descend.into(), sort_target: SortTarget::Version.into(), ..seeded() };
    assert_eq!(keys(&c.range(by_version).await)[..2], ["b", "a"]);
}

/// With no order but a target, the answer is sorted after it was cut to limit + 1 keys in key order.
#[tokio::test]
async fn a_target_without_an_order_sorts_after_the_limit() {
    let server = Server::start();
    let mut c = server.grpc().await;
    seed(&mut c).await;
    let by_value = |limit| RangeRequest { sort_target: SortTarget::Value.into(), limit, ..seeded() };
    assert_eq!(keys(&c.range(by_value(0)).await).concat(), "adecb");
    let answer = c.range(by_value(2)).await;
    assert_eq!((keys(&answer).concat().as_str(), answer.more, answer.count), ("ac", true, 5));
}

#[tokio::test]
async fn revision_filters() {
    let server = Server::start();
    let mut c = server.grpc().await;
    seed(&mut c).await; // created 2 3 4 5 6, modified 8 9 4 5 6
    let base = seeded;
    let cases = [
        (RangeRequest { min_mod_revision: 6, ..base() }, "abe"),
        (RangeRequest { max_mod_revision: 6, ..base() }, "cde"),
        (RangeRequest { min_mod_revision: 5, max_mod_revision: 8, ..base() }, "ade"),
        (RangeRequest { min_create_revision: 3, ..base() }, "bcde"),
        (RangeRequest { max_create_revision: 3, ..base() }, "ab"),
        (RangeRequest { min_create_revision: 3, max_mod_revision: 5, ..base() }, "cd"),
        (RangeRequest { max_mod_revision: -1, ..base() }, ""),
        (RangeRequest { min_mod_revision: -1, ..base() }, "abcde"),
    ];
    for (request, want) in cases {
        let answer = c.range(request.clone()).await;
        assert_eq!((keys(&answer).concat().as_str(), answer.count, answer.more), (want, 5, false), "{request:?}");
    }
    let answer = c.range(RangeRequest { min_mod_revision: 5, limit: 2, ..base() }).await;
    assert_eq!((keys(&answer).concat().as_str(), answer.more, answer.count), ("ab", true, 5));
    let answer = c.range(RangeRequest { max_mod_revision: 6, limit: 3, ..base() }).await;
    assert_eq!((keys(&answer).concat().as_str(), answer.more), ("cde", false), "more counts what passed the filters");
}

#[tokio::test]
async fn unknown_enum_numbers_are_refused() {
    let server = Server::start();
    if server.older_than("3.6") {
        return; // those took any number
    }
    let mut c = server.grpc().await;
    for request in [
        RangeRequest { sort_order: 3, ..seeded() },
        RangeRequest { sort_order: -1, ..seeded() },
        RangeRequest { sort_target: 5, ..seeded() },
    ] {
        refused(c.kv.range(request).await, Code::InvalidArgument, "etcdserver: invalid sort option");
    }
}

#[tokio::test]
async fn serializable_reads_answer_the_same() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let last = seed(&mut c).await;
    let answer = c.range(RangeRequest { serializable: true, ..seeded() }).await;
    assert_eq!((answer.count, revision(&answer.header)), (5, last));
}

#[tokio::test]
async fn answers_larger_than_a_request_may_be() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let value = "x".repeat(1 << 20);
    for i in 0..5 {
        c.put(&format!("big/{i}"), &value).await;
    }
    let answer = c.range(list("big/")).await;
    assert_eq!((answer.count, answer.kvs.iter().map(|kv| kv.value.len()).sum::<usize>()), (5, 5 << 20));
}

/// Not more than a dozen: beyond that etcd puts those with equal values in any order.
#[tokio::test]
async fn equal_sort_values_stay_in_the_order_of_the_keys() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for key in ["a", "b", "c", "d", "e"] {
        c.put(key, if key < "c" { "1" } else { "2" }).await;
    }
    for key in ["b", "d"] {
        c.put(key, if key < "c" { "1" } else { "2" }).await;
    }
    for (target, order, want) in [
        (SortTarget::Value, SortOrder::Descend, "cdeab"),
        (SortTarget::Value, SortOrder::Ascend, "abcde"),
        (SortTarget::Version, SortOrder::Descend, "bdace"),
        (SortTarget::Version, SortOrder::Ascend, "acebd"),
        (SortTarget::Version, SortOrder::None, "acebd"),
        (SortTarget::Mod, SortOrder::Descend, "dbeca"),
        (SortTarget::Key, SortOrder::Descend, "edcba"),
    ] {
        let sorted = RangeRequest { sort_target: target.into(), sort_order: order.into(), ..seeded() };
        assert_eq!(keys(&c.range(sorted.clone()).await).concat(), want, "{target:?} {order:?}");
        if order != SortOrder::None {
            let first = c.range(RangeRequest { limit: 2, ..sorted }).await;
            assert_eq!(keys(&first).concat(), want[..2], "{target:?} {order:?}");
        }
    }
}

/// All keys, in the chunks in which they come.
async fn streamed(c: &mut Grpc, request: RangeRequest) -> Vec<keyport_api::etcdserverpb::RangeResponse> {
    let mut chunks = c.kv.range_stream(request).await.unwrap().into_inner();
    let mut answers = Vec::new();
    while let Some(chunk) = within("a chunk", chunks.message()).await.unwrap() {
        answers.push(chunk.range_response.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_stream_may_be_sorted_chunk_by_chunk() {
    let server = Server::start();
    if server.older_than("3.7") {
        return; // has no such call
    }
    let mut c = server.grpc().await;
    let value = |i: u32| format!("{}", i * 7 % 5);
    for i in 0..60 {
        c.put(&format!("k{i:02}"), &value(i)).await;
    }
    let by_value = RangeRequest { sort_target: SortTarget::Value.into(), ..list("k") };
    let few = RangeRequest { range_end: bytes("k09"), ..by_value.clone() };
    let [few] = &streamed(&mut c, few).await[..] else { panic!("one chunk") };
    assert_eq!(keys(few), ["k00", "k05", "k03", "k08", "k01", "k06", "k04", "k02", "k07"]);
    assert_eq!((few.count, few.more), (9, false));

    let chunks = streamed(&mut c, by_value.clone()).await;
    assert!(chunks.len() > 1);
    for chunk in &chunks {
        assert!(values(chunk).is_sorted(), "{:?}", values(chunk));
    }
    if !server.is_etcd() {
        // Goes on behind the key that sorts last, and shows what is before it again.
        let mut all: Vec<_> = chunks.iter().flat_map(keys).collect();
        all.sort();
        assert_eq!(all, (0..60).map(|i| format!("k{i:02}")).collect::<Vec<_>>());
        assert_eq!(chunks.last().unwrap().count, 60);
        let keys_only = RangeRequest { keys_only: true, limit: 15, ..by_value.clone() };
        let chunks = streamed(&mut c, keys_only).await;
        assert_eq!(keys(&chunks[0]), ["k00", "k05", "k03", "k08", "k01", "k06", "k04", "k09", "k02", "k07"]);
        assert_eq!(keys(&chunks[1]), ["k10", "k13", "k11", "k14", "k12"]);
        assert!(chunks[1].more && values(&chunks[0]).concat().is_empty());
    }
    for order in [SortOrder::Ascend, SortOrder::Descend] {
        let ordered = RangeRequest { sort_order: order.into(), ..by_value.clone() };
        let refusal = match c.kv.range_stream(ordered).await {
            Ok(stream) => stream.into_inner().message().await,
            Err(status) => Err(status),
        };
        refused(refusal, Code::Unimplemented, "RangeStream does not support custom sort orders");
    }
}
