//! Put: versions, leases, what may be kept of the old value.

use keyport_api::etcdserverpb::{LeaseTimeToLiveRequest, PutRequest, RangeRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, get, put, refused, revision, text};
use keyport_tests::wait::within;
use tonic::Code;

/// The keys attached to a lease.
async fn attached(c: &mut Grpc, id: i64) -> Vec<String> {
    let answer = c.lease.lease_time_to_live(LeaseTimeToLiveRequest { id, keys: true }).await.unwrap().into_inner();
    let mut keys: Vec<String> = answer.keys.iter().map(|k| text(k)).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn versions_and_revisions() {
    let server = Server::start();
    let mut c = server.grpc().await;
    refused(c.kv.put(put("", "v")).await, Code::InvalidArgument, "etcdserver: key is not provided");
    assert_eq!(c.put("k", "").await, 2, "an empty value is fine");
    assert_eq!(c.put("k", "").await, 3, "the same value is a change too");
    let kv = c.get("k").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
    c.delete("k").await;
    c.put("k", "again").await;
    let kv = c.get("k").await.unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1), "a new generation");
}

#[tokio::test]
async fn binary_keys_and_values() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let key: Vec<u8> = (0..=255).collect();
    let value: Vec<u8> = (0..=255).rev().collect();
    c.put_of(PutRequest { key: key.clone().into(), value: value.clone().into(), ..put("", "") }).await;
    let answer = c.range(RangeRequest { key: key.clone().into(), ..get("") }).await;
    assert_eq!((&answer.kvs[0].key[..], &answer.kvs[0].value[..]), (&key[..], &value[..]));
}

#[tokio::test]
async fn the_previous_pair() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    let first = c.put_of(PutRequest { prev_kv: true, lease, ..put("k", "one") }).await;
    assert_eq!(first.prev_kv, None);
    let prev = c.put_of(PutRequest { prev_kv: true, ..put("k", "two") }).await.prev_kv.unwrap();
    assert_eq!((text(&prev.value).as_str(), prev.mod_revision, prev.version, prev.lease), ("one", 2, 1, lease));
    assert_eq!(c.put_of(put("k", "three")).await.prev_kv, None, "only if asked for");
}

#[tokio::test]
async fn leases_of_keys() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    c.put_of(PutRequest { lease: one, ..put("k", "v") }).await;
    assert_eq!(c.get("k").await.unwrap().lease, one);
    c.put_of(PutRequest { lease: two, ..put("k", "v") }).await;
    assert_eq!((attached(&mut c, one).await, attached(&mut c, two).await), (vec![], vec!["k".into()]), "moved");
    c.put("k", "v").await;
    assert_eq!((c.get("k").await.unwrap().lease, attached(&mut c, two).await), (0, vec![]), "lease 0 detaches");
    let before = c.revision().await;
    refused(
        c.kv.put(PutRequest { lease: 4711, ..put("k", "v") }).await,
        Code::NotFound,
        "etcdserver: requested lease not found",
    );
    assert_eq!(c.revision().await, before);
}

#[tokio::test]
async fn negative_lease_ids_are_ids() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let request = keyport_api::etcdserverpb::LeaseGrantRequest { ttl: 100, id: -5 };
    assert_eq!(c.lease.lease_grant(request).await.unwrap().into_inner().id, -5);
    c.put_of(PutRequest { lease: -5, ..put("k", "v") }).await;
    assert_eq!(c.get("k").await.unwrap().lease, -5);
    assert_eq!(attached(&mut c, -5).await, ["k"]);
}

#[tokio::test]
async fn ignore_value_and_ignore_lease() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    let missing = "etcdserver: key not found";
    for request in [
        PutRequest { ignore_value: true, ..put("k", "") },
        PutRequest { ignore_lease: true, ..put("k", "v") },
        PutRequest { ignore_value: true, ignore_lease: true, ..put("k", "") },
    ] {
        refused(c.kv.put(request).await, Code::InvalidArgument, missing);
    }
    let with_value = PutRequest { ignore_value: true, ..put("k", "v") };
    refused(c.kv.put(with_value).await, Code::InvalidArgument, "etcdserver: value is provided");
    let with_lease = PutRequest { ignore_lease: true, lease, ..put("k", "v") };
    refused(c.kv.put(with_lease).await, Code::InvalidArgument, "etcdserver: lease is provided");
    assert_eq!(c.revision().await, 1, "nothing happened");

    c.put_of(PutRequest { lease, ..put("k", "old") }).await;
    c.put_of(PutRequest { ignore_lease: true, ..put("k", "new") }).await;
    let kv = c.get("k").await.unwrap();
    assert_eq!((text(&kv.value).as_str(), kv.lease, kv.version), ("new", lease, 2));
    c.put_of(PutRequest { ignore_value: true, ignore_lease: true, ..put("k", "") }).await;
    let kv = c.get("k").await.unwrap();
    assert_eq!((text(&kv.value).as_str(), kv.lease, kv.version), ("new", lease, 3));
    // ignore_value alone keeps the value, and takes the lease of the request: here none.
    c.put_of(PutRequest { ignore_value: true, ..put("k", "") }).await;
    let kv = c.get("k").await.unwrap();
    assert_eq!((text(&kv.value).as_str(), kv.lease, kv.version), ("new", 0, 4));
    assert_eq!(attached(&mut c, lease).await, Vec::<String>::new());
}

#[tokio::test]
async fn requests_that_are_too_large() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let limit = 1_572_864; // --max-request-bytes
    assert_eq!(c.put("k", &"x".repeat(limit - 200)).await, 2, "just below");
    refused(c.kv.put(put("k", &"x".repeat(limit))).await, Code::InvalidArgument, "etcdserver: request is too large");
    // 512 KiB more, and the transport refuses it before decoding.
    let status = c.kv.put(put("k", &"x".repeat(limit + (512 << 10)))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("received message larger than max ("), "{}", status.message());
    assert!(status.message().ends_with(" vs. 2097152)"), "{}", status.message());
    let mut c = server.grpc().await;
    assert_eq!(c.put("k", "x").await, 3);
}

#[tokio::test]
async fn a_smaller_request_limit() {
    let server = Server::builder().args(["--max-request-bytes", "1000"]).start();
    let mut c = server.grpc().await;
    refused(c.kv.put(put("k", &"x".repeat(1000))).await, Code::InvalidArgument, "etcdserver: request is too large");
    let answer = c.put_of(put("k", &"x".repeat(800))).await;
    assert_eq!(revision(&answer.header), 2);
}

/// A burst of large values, from many connections at once: what is too much is what memory does not allow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_at_once() {
    const PUTS: usize = 120;
    // What is durable of them matters to nobody, and no disk is so slow that a request's own timeout is reached.
    let server =
        Server::builder().args(["--unsafe-no-fsync", "--election-timeout=10000", "--heartbeat-interval=1000"]).start();
    let value = "x".repeat(1_400_000);
    let mut clients = Vec::new();
    for _ in 0..PUTS {
        clients.push(server.grpc().await);
    }
    let puts = clients.into_iter().enumerate().map(|(number, mut c)| {
        let request = put(&format!("large/{number}"), &value);
        tokio::spawn(async move { c.kv.put(request).await })
    });
    for (number, done) in puts.collect::<Vec<_>>().into_iter().enumerate() {
        within("a put", done).await.unwrap().unwrap_or_else(|refused| panic!("{number}: {refused}"));
    }
}
