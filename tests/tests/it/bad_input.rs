//! What no proper client would send: a clear error or a closed connection, and everybody else goes on undisturbed.

use http::Method;
use keyport_api::etcdserverpb::{PutRequest, RangeRequest, WatchCreateRequest};
use keyport_tests::Server;
use keyport_tests::grpc::{frame, get, list, put, watch_all};
use keyport_tests::random::Random;
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;

/// The server still serves, and has not panicked.
async fn undisturbed(server: &Server) {
    let mut c = server.grpc().await;
    c.put("fine", "yes").await;
    assert_eq!(c.get("fine").await.unwrap().value, "yes");
    assert_eq!(server.http().get("/health").await.status, 200);
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn resident(server: &Server) -> u64 {
    server.memory_mib("VmRSS")
}

#[tokio::test]
async fn bytes_that_are_no_protocol() {
    let server = Server::start();
    let mut random = Random::new(7);
    let mut tries: Vec<Vec<u8>> = vec![
        b"\0\0\0\0".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n".to_vec(),
        b"POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_vec(),
        b"POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"key\":".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x05\x01\x25\0\0\0\x01\x80\x80\x80\x80\x80".to_vec(),
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(),
    ];
    tries.extend((0..20).map(|_| (0..random.below(400)).map(|_| random.below(256) as u8).collect()));
    for bytes in tries {
        let mut raw = Raw::connect(server.addr()).await;
        raw.send(&bytes).await;
        raw.finish().await;
        raw.read_to_end().await; // whatever it says, it ends
    }
    undisturbed(&server).await;
}

/// One gRPC call with exactly this body, through a plain HTTP/2 client: the grpc-status, if there was one.
async fn call(server: &Server, path: &str, body: Vec<u8>) -> String {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = server.http2().send(Method::POST, path, &headers, body).await;
    answer.header("grpc-status").to_string()
}

#[tokio::test]
async fn frames_and_messages_that_are_none() {
    let server = Server::start();
    if server.is_etcd() {
        return; // waits for what was announced
    }
    let range = "/etcdserverpb.KV/Range";
    let bodies: [(&[u8], &str); 9] = [
        (b"", "no message"),
        (b"\0\0\0\0", "half a prefix"),
        (b"\0\0\0\0\x05ab", "less than announced"),
        (b"\0\xff\xff\xff\xff", "four gigabytes announced"),
        (b"\x01\0\0\0\x02ab", "compressed, without a name for it"),
        (b"\x07\0\0\0\0", "an unknown flag"),
        (b"\0\0\0\0\x02\x0a\x7f", "a field longer than the message"),
        (b"\0\0\0\0\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a number that does not end"),
        (b"\0\0\0\0\x02\x0d\x01", "a wire type cut short"),
    ];
    for (body, what) in bodies {
        for path in
            [range, "/etcdserverpb.KV/Txn", "/etcdserverpb.Lease/LeaseGrant", "/etcdserverpb.Maintenance/Status"]
        {
            let status = call(&server, path, body.to_vec()).await;
            let harmless = path.ends_with("Status") && what != "compressed, without a name for it";
            assert!(harmless || status != "0", "{what} at {path}");
        }
    }
    assert_eq!(call(&server, "/etcdserverpb.KV/Nonsense", b"\0\0\0\0\0".to_vec()).await, "12");
    assert_eq!(call(&server, "/nonsense.KV/Range", b"\0\0\0\0\0".to_vec()).await, "12");
    // Deep nesting: transactions inside transactions.
    let mut nested: Vec<u8> = Vec::new();
    for _ in 0..3000 {
        for tag in [0x22u8, 0x12] {
            let mut outer = vec![tag];
            prost::encoding::encode_varint(nested.len() as u64, &mut outer);
            outer.extend(&nested);
            nested = outer;
        }
    }
    assert_ne!(call(&server, "/etcdserverpb.KV/Txn", frame(&nested)).await, "0");
    undisturbed(&server).await;
}

#[tokio::test]
async fn names_that_are_not_utf8() {
    let server = Server::start();
    // AuthenticateRequest.name = ff fe
    let body = b"\0\0\0\0\x04\x0a\x02\xff\xfe".to_vec();
    assert_ne!(call(&server, "/etcdserverpb.Auth/Authenticate", body).await, "0");
    undisturbed(&server).await;
}

#[tokio::test]
async fn absurd_numbers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    for i in 0..20 {
        c.put(&format!("k{i}"), "v").await;
    }
    for n in [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX] {
        let mut requests = vec![
            RangeRequest { limit: n, ..list("k") },
            RangeRequest { min_mod_revision: n, ..list("k") },
            RangeRequest { max_create_revision: n, limit: 3, ..list("k") },
            RangeRequest { revision: n, ..list("k") },
        ];
        requests.push(RangeRequest { sort_target: 3, limit: n, revision: n, ..list("k") });
        for request in requests {
            let _ = c.kv.range(request).await;
        }
        let mut w = c.watch();
        w.ask(WatchCreateRequest { start_revision: n, watch_id: n, progress_notify: true, ..watch_all("k") }).await;
        w.cancel(n).await;
        assert!(w.next().await.created);
        let compact = keyport_api::etcdserverpb::CompactionRequest { revision: n, physical: false };
        assert!(c.kv.compact(compact).await.is_err());
        let _ = c.lease.lease_grant(keyport_api::etcdserverpb::LeaseGrantRequest { ttl: n, id: n }).await;
        let _ = c.maintenance.hash_kv(keyport_api::etcdserverpb::HashKvRequest { revision: n }).await;
        let _ = c.keep_alive(n).await;
    }
    let answer = c.range(RangeRequest { limit: i64::MAX, ..list("k") }).await;
    assert_eq!((answer.kvs.len(), answer.more), (20, false));
    undisturbed(&server).await;
}

#[tokio::test]
async fn headers_that_are_too_large() {
    let server = Server::start();
    let mut raw = Raw::connect(server.addr()).await;
    let mut head = b"GET /version HTTP/1.1\r\nHost: localhost\r\n".to_vec();
    for i in 0..2000 {
        head.extend(format!("X-Header-{i}: {}\r\n", "x".repeat(1000)).bytes());
    }
    head.extend(b"\r\n");
    raw.send(&head).await;
    let status = raw.status().await;
    assert!([0, 400, 431].contains(&status), "{status}");
    undisturbed(&server).await;
}

/// A body without an end, of which nothing is kept.
#[tokio::test]
async fn bodies_that_are_too_large() {
    let server = Server::start();
    if server.is_etcd() {
        return; // takes all of it
    }
    let before = resident(&server);
    for path in ["/v3/kv/put", "/v3/kv/range", "/v3/lease/leases", "/nonsense", "/health"] {
        let mut raw = Raw::connect(server.addr()).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(raw.send(head).await);
        let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
        for _ in 0..100 {
            if !raw.send(&chunk).await {
                break;
            }
        }
        let status = raw.status().await;
        assert!([0, 400, 404, 405, 413, 429].contains(&status), "{path}: {status}");
    }
    let after = resident(&server);
    assert!(after < before + 100, "{before} MiB became {after} MiB");
    undisturbed(&server).await;
}

/// A declared length far above the limit is refused without reading it.
#[tokio::test]
async fn declared_lengths() {
    let server = Server::start();
    if server.is_etcd() {
        return; // reads all of it first
    }
    let mut raw = Raw::connect(server.addr()).await;
    assert!(raw.send("POST /v3/kv/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{").await);
    let status = raw.status().await;
    assert!([413, 429].contains(&status), "{status}");
    undisturbed(&server).await;
}

/// Streams that nobody reads do not make the server grow, nor others wait.
#[tokio::test]
async fn readers_that_never_read() {
    let server = Server::start();
    let mut stalled = Vec::new();
    for kind in 0..3 {
        for _ in 0..5 {
            let mut raw = Raw::connect(server.addr()).await;
            let body = r#"{"create_request":{"key":"aw==","range_end":"bA=="}}"#;
            let request = match kind {
                0 => format!(
                    "POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
                1 => "GET /v3/watch?prefix=k HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
                    .to_string(),
                _ => format!(
                    "POST /v3/watch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}{body}",
                    2 * body.len()
                ),
            };
            assert!(raw.send(request).await);
            stalled.push(raw);
        }
    }
    let mut c = server.grpc().await;
    let mut live = c.watch();
    live.create(watch_all("k")).await;
    let value = "x".repeat(100_000);
    c.put("k", &value).await;
    let before = resident(&server);
    for i in 0..300 {
        c.put(&format!("k{}", i % 10), &value).await; // 30 MB for each of fifteen who do not read
    }
    live.events(301).await;
    let after = resident(&server);
    assert!(server.is_etcd() || after < before + 250, "{before} MiB became {after} MiB");
    drop(stalled);
    undisturbed(&server).await;
}

#[tokio::test]
async fn thousands_of_idle_connections() {
    let server = Server::start();
    let before = resident(&server);
    let mut idle = Vec::new();
    for i in 0..2000 {
        let mut raw = Raw::connect(server.addr()).await;
        if i % 4 == 1 {
            raw.send("GET /version HT").await;
        } else if i % 4 == 2 {
            raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        }
        idle.push(raw);
    }
    undisturbed(&server).await;
    let after = resident(&server);
    assert!(server.is_etcd() || after < before + 150, "{before} MiB became {after} MiB");
    drop(idle);
    eventually("the connections are gone", async || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
        (open < 200).then_some(())
    })
    .await;
    undisturbed(&server).await;
}

/// Clients that vanish in the middle of what they do.
#[tokio::test]
async fn clients_that_vanish() {
    let server = Server::start();
    for i in 0..50 {
        let mut c = server.grpc().await;
        let calls = tokio::spawn(async move {
            let mut w = c.watch();
            w.create(watch_all("")).await;
            loop {
                let _ = c.kv.put(PutRequest { prev_kv: true, ..put(&format!("k{i}"), &"x".repeat(10_000)) }).await;
                let _ = c.kv.range(get("k0")).await;
            }
        });
        tokio::task::yield_now().await;
        eventually("it has begun", async || (server.grpc().await.revision().await > i).then_some(())).await;
        calls.abort();
    }
    undisturbed(&server).await;
    eventually("no watcher is left", async || {
        let metrics = server.http().get("/metrics").await.text();
        metrics.lines().any(|l| l == "etcd_debugging_mvcc_watcher_total 0").then_some(())
    })
    .await;
}

/// A transaction whose put should keep a value that the same transaction has deleted: etcd ends with a panic.
#[tokio::test]
async fn keeping_what_the_same_transaction_deletes() {
    use keyport_api::etcdserverpb::{DeleteRangeRequest, TxnRequest};
    use keyport_tests::grpc::{IntoOp, bytes, delete};
    let server = Server::start();
    if server.is_etcd() {
        return;
    }
    let mut c = server.grpc().await;
    c.put("k", "old").await;
    let from = DeleteRangeRequest { range_end: bytes("\0"), ..delete("a") };
    let keep = PutRequest { ignore_value: true, ..put("k", "") };
    let answer = c.kv.txn(TxnRequest { success: vec![from.op(), keep.op()], ..TxnRequest::default() }).await;
    match answer {
        Err(status) => {
            assert_eq!(status.message(), "etcdserver: key not found");
            assert_eq!(c.get("k").await.unwrap().value, "old", "nothing has happened");
        }
        Ok(_) => assert!(c.get("k").await.is_some()),
    }
    undisturbed(&server).await;
}
