//! Connections that bring nothing, and handshakes of TLS that are none.

use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::encrypted::Encrypted;
use keyport_tests::frames::PREFACE;
use keyport_tests::raw::Raw;
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};
use rustls::HandshakeKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{Held, Siege, tls_of};
use crate::tls;

/// Each is closed after ten seconds if it has said nothing, and twenty otherwise, whatever it said, and gives its place back.
#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    const EACH: usize = 50;
    let siege = Siege::start();
    let open = siege.open().await;
    let before = siege.server.memory_mib("VmRSS");
    let mut silent = JoinSet::new();
    for (begins, drips, expected) in [
        ("", "", ""),
        ("PRI * HTT", "", ""),
        ("POST /v3/kv/put HT", "", "HTTP/1.1 408"),
        ("GET /version HTTP/1.1\r\nHost: localhost\r\n", "", "HTTP/1.1 408"),
        // Byte after byte does not help.
        ("GET /version HTTP/1.1\r\nHost: localhost\r\nA: ", "b", "HTTP/1.1 408"),
        ("\r\n", "\r\n", ""),
    ] {
        for _ in 0..EACH {
            let mut raw = Raw::connect(siege.server.addr()).await;
            silent.spawn(async move {
                raw.send(begins).await;
                let mut clock = tokio::time::interval(std::time::Duration::from_secs(1));
                while !drips.is_empty() && raw.buffer.is_empty() {
                    tokio::select! {
                        more = raw.read_more() => if !more { break },
                        _ = clock.tick() => if !raw.send(drips).await { break },
                    }
                }
                let said = String::from_utf8_lossy(&raw.read_to_end().await).into_owned();
                assert!(said.starts_with(expected), "{begins:?}: {said:?}");
            });
        }
    }
    let mut c = siege.server.grpc().await;
    c.put("k", "v").await;
    let most = siege.server.memory_mib("VmRSS");
    assert!(most < before + super::MOST_MIB, "{before} MiB became {most} MiB");
    silent.join_all().await;
    c.put("k", "w").await;
    drop(c);
    eventually("connections are given back", async || (siege.open().await <= open).then_some(())).await;
    siege.end().await;
}

/// One is told that it took too long while another one, which began before it, has not.
#[tokio::test]
async fn a_head_has_the_time_that_a_flag_gives_it() {
    let of = |time: &str| Server::of(Flavor::Keyport).args([format!("--request-head-timeout={time}")]).start();
    let (quick, slow) = (of("1s"), of("5m"));
    let half = "GET /version HTTP/1.1\r\nHost: localhost\r\n";
    let (mut patient, mut hurried) = (Raw::connect(slow.addr()).await, Raw::connect(quick.addr()).await);
    patient.send(half).await;
    hurried.send(half).await;
    let said = String::from_utf8_lossy(&hurried.read_to_end().await).into_owned();
    assert!(said.starts_with("HTTP/1.1 408"), "{said:?}");
    assert!(said.contains("\"type\":\"/problems/head-too-slow\""), "{said:?}");
    patient.send("Connection: close\r\n\r\n").await;
    let said = String::from_utf8_lossy(&patient.read_to_end().await).into_owned();
    assert!(said.starts_with("HTTP/1.1 200"), "{said:?}");
}

/// Handshakes are not waited for by others, and not told of without end.
#[tokio::test]
async fn handshakes_that_are_none() {
    // More than may be unfinished at once, of which the oldest goes first.
    const MANY: usize = 1_200;
    let (authority, _, addr, flags) = tls_of();
    let siege = Siege::of(&flags);
    let client = Encrypted::new(addr, &authority.file());
    for (name, begins) in [
        ("half a greeting", &b"\x16\x03\x01\x02\x00\x01"[..]),
        ("a greeting that is none", b"\x16\x03\x01\x00\x05hello"),
        ("a record of no size", b"\x16\x03\x01\x00\x00"),
        ("a record larger than any", b"\x16\x03\x01\xff\xff\x01"),
        ("an alert", b"\x15\x03\x01\x00\x02\x02\x28"),
        ("an old version", b"\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"),
        ("HTTP in the clear", b"GET / HTTP/1.1\r\n"),
        ("HTTP/2 in the clear", PREFACE),
    ] {
        siege
            .row(name, async |_| {
                let mut greeted = Vec::new();
                for _ in 0..MANY {
                    let mut raw = Raw::connect(addr).await;
                    raw.send(begins).await;
                    greeted.push(raw);
                }
                let (answer, _) = client.get("/health").await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
                Box::new(greeted) as Held
            })
            .await;
    }
    siege.end().await;
}

/// Whoever was let in once shows his certificate again the next time, and what is sent before that is not heard.
#[tokio::test]
async fn sessions_are_not_taken_up_again() {
    const SERIAL: u64 = 78;
    let authority = Authority::new();
    let (own, crl) = (tls::own(&authority), authority.revoke(&[]));
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend([file_flag("trusted-ca-file", &authority.file()), file_flag("client-crl-file", &crl)]);
    flags.push("--client-cert-auth".to_owned());
    let server = tls::Encrypted::start(flags).await;
    if server.server.is_etcd() {
        return; // takes sessions up again
    }
    let addr = SocketAddr::from(([127, 0, 0, 1], server.client));
    let shown = authority.issue("shown", &Holder::new("a", &[]).serial(SERIAL));
    let client = Encrypted::showing(Some(&shown), addr, &authority.file());
    let ask = async || -> std::io::Result<String> {
        let mut stream = client.connect().await?;
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let connection = stream.get_ref().1;
        assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
        assert!(!connection.is_early_data_accepted());
        Ok(answer)
    };
    for _ in 0..3 {
        let answer = ask().await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    authority.revoke(&[SERIAL]);
    eventually("it is let in no more", async || ask().await.is_err().then_some(())).await;
}
