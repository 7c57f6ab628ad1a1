//! Files that are replaced while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyport_tests::certificates::{Authority, Holder, Pair, file_flag};
use keyport_tests::encrypted;
use keyport_tests::wait::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Encrypted, own};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_replaced_under_load_without_a_lost_request() {
    let authority = Authority::new();
    let pair = own(&authority);
    let server = Encrypted::start([pair.flags(""), pair.flags("peer-")].concat()).await;
    if server.server.is_etcd() {
        return; // fails the handshake while a file is wrong
    }
    let client = encrypted::Encrypted::new(([127, 0, 0, 1], server.client).into(), &authority.file());
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..3)
        .map(|_| {
            let (client, stop, answered) = (client.clone(), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (answer, _) = client.get("/version").await.unwrap();
                    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // One that stays.
    let mut kept = client.connect().await.unwrap();
    let shown = async || client.get("/version").await.unwrap().1;
    let mut last = shown().await;
    for _ in 0..3 {
        own(&authority);
        last = eventually("the new one is shown", async || Some(shown().await).filter(|now| *now != last)).await;
    }
    // What cannot be used changes nothing, and is told once.
    std::fs::write(&pair.key, "rubbish").unwrap();
    let told = "failed to read TLS files, going on with what was read before";
    eventually("it is told", async || {
        assert_eq!(shown().await, last);
        server.server.log().contains(told).then_some(())
    })
    .await;
    own(&authority);
    eventually("the next good one is shown", async || (shown().await != last).then_some(())).await;
    assert_eq!(server.server.log().matches(told).count(), 1, "{}", server.server.log());

    kept.write_all(b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.store(true, Ordering::Relaxed);
    for load in load {
        load.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn authorities_and_revoked_serials_are_read_again() {
    const SERIAL: u64 = 77;
    let (authority, other) = (Authority::new(), Authority::new());
    let (own, crl) = (own(&authority), authority.revoke(&[]));
    let trusted = authority.file().with_file_name("trusted.pem");
    std::fs::copy(authority.file(), &trusted).unwrap();
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend([file_flag("trusted-ca-file", &trusted), file_flag("client-crl-file", &crl)]);
    flags.push(file_flag("peer-trusted-ca-file", &authority.file()));
    let server = Encrypted::start(flags).await;
    if server.server.is_etcd() {
        return; // reads authorities once
    }
    let ours = authority.issue("ours", &Holder::new("a", &[]).serial(SERIAL));
    let theirs = other.issue("theirs", &Holder::new("a", &[]));
    let is_let_in = |shown: &Pair| server.answers(server.client, "/version", &authority.file(), Some(shown));
    assert!(is_let_in(&ours) && !is_let_in(&theirs));
    let both = [authority.file(), other.file()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&trusted, both).unwrap();
    eventually("the new authority counts", async || is_let_in(&theirs).then_some(())).await;
    assert!(is_let_in(&ours));
    authority.revoke(&[SERIAL]);
    eventually("the serial is revoked", async || (!is_let_in(&ours)).then_some(())).await;
    assert!(is_let_in(&theirs));
}
