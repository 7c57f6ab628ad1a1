//! Those that are about listeners: who is let in, and where a request is led to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use keyport_api::etcdserverpb::PutRequest;
use keyport_tests::Server;
use keyport_tests::certificates::{Authority, Holder, Pair, file_flag};
use keyport_tests::encrypted::curl;
use keyport_tests::grpc::{all, frame, put};
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;
use prost::Message as _;

#[tokio::test]
async fn a_revoked_certificate_is_refused_where_only_grpc_is_spoken() {
    const REVOKED: u64 = 0xbad;
    let authority = Authority::new();
    let (ca, crl) = (authority.file(), authority.revoke(&[REVOKED]));
    let own = authority.issue("own", &Holder::new("server", &["127.0.0.1"]));
    let (good, bad) = (
        authority.issue("good", &Holder::new("a", &[])),
        authority.issue("bad", &Holder::new("a", &[]).serial(REVOKED)),
    );
    let [grpc, http, peer] = [(); 3].map(|()| free_port());
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    let builder = Server::builder().plain().args(["--name=n0", "--data-dir=data", "--client-cert-auth"]);
    let server = builder
        .args([
            format!("--listen-client-urls={}", url(grpc)),
            format!("--listen-client-http-urls={}", url(http)),
            format!("--advertise-client-urls={}", url(grpc)),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-cluster=n0=http://127.0.0.1:{peer}"),
            file_flag("trusted-ca-file", &ca),
            file_flag("client-crl-file", &crl),
        ])
        .args(own.flags(""))
        .spawn_only();
    if server.older_than("3.6") {
        return; // has no such listener
    }
    // Whether a handshake is the end of it: what is said then is no gRPC.
    let handshake = |port: u16, shown: &Pair| {
        let url = format!("{}/version", url(port));
        let out = curl(&ca, Some(shown), &["--http2", "--output", "/dev/null", "--write-out", "%{http_code}", &url]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    eventually("it serves", async || (handshake(http, &good) == "200").then_some(())).await;
    assert_ne!(handshake(grpc, &good), "000", "what is no call is answered as such");
    for port in [grpc, http] {
        assert_eq!(handshake(port, &bad), "000", "{}", server.log());
    }
    assert!(server.log().contains("revoked"));
}

/// Of HTTP/2, as bytes: a header whose name is in the table that everybody has, or is not.
fn known(index: u8, value: &str) -> Vec<u8> {
    [&[index, u8::try_from(value.len()).unwrap()][..], value.as_bytes()].concat()
}

fn named(name: &str, value: &str) -> Vec<u8> {
    [&known(0, name)[..], &known(0, value)[1..]].concat()
}

fn h2_frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn a_path_without_its_slash_leads_to_no_call() {
    const POST: u8 = 0x83;
    const PLAIN: u8 = 0x86;
    let server = Server::start();
    for path in ["etcdserverpb.KV/Put", "/etcdserverpb.KV/Put"] {
        let headers = [
            vec![POST, PLAIN],
            known(4, path),
            known(1, &server.addr().to_string()),
            named("content-type", "application/grpc"),
            named("te", "trailers"),
        ];
        let request: PutRequest = put(path, "written");
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            h2_frame(4, 0, 0, &[]),
            h2_frame(1, 4, 1, &headers.concat()),
            h2_frame(0, 1, 1, &frame(&request.encode_to_vec())),
            // An answer to this comes when the others are read.
            h2_frame(6, 0, 0, b"are read"),
        ];
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&bytes.concat()).unwrap();
        let (mut answer, mut part) = (Vec::new(), [0; 1024]);
        // Until the stream's answer has come, or the connection ends.
        while !answer.windows(9).any(|head| [1, 3].contains(&head[3]) && head[5..] == [0, 0, 0, 1]) {
            match stream.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(read) => answer.extend_from_slice(&part[..read]),
            }
        }
        let mut grpc = server.grpc().await;
        let written = async || grpc.clone().range(all()).await.kvs.len();
        if path.starts_with('/') {
            eventually("the same with a slash is a call", async || (written().await == 1).then_some(())).await;
        } else {
            assert_eq!(written().await, 0, "{path}");
        }
        let _ = grpc.get(path).await;
    }
}
