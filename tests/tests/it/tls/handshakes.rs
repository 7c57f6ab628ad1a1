//! Those who do not finish their handshake, and those who do not begin one.

use keyport_tests::certificates::Authority;
use keyport_tests::encrypted::curl;
use keyport_tests::wait::within;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::{Encrypted, SOCKET, own};

#[tokio::test]
async fn nobody_waits_for_who_does_not_finish() {
    let authority = Authority::new();
    let own = own(&authority);
    let server = Encrypted::start([own.flags(""), own.flags("peer-")].concat()).await;
    if server.server.older_than("3.6") {
        return; // waits for ever
    }
    let mut stalled = Vec::new();
    for port in [server.client, server.peer] {
        for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(start).await.unwrap();
            stalled.push(stream);
        }
    }
    for port in [server.client, server.peer] {
        assert!(server.answers(port, "/version", &authority.file(), None));
    }
    for mut stream in stalled {
        within("it is closed", async {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        })
        .await;
    }
    let log = server.server.log();
    assert!(server.server.is_etcd() || log.contains("handshake not finished within 10s"), "{log}");
}

async fn is_told(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    stream.write_all(b"GET /version HTTP/1.1\r\n").await.unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
}

#[tokio::test]
async fn a_plain_request_is_told_what_is_spoken_here() {
    let authority = Authority::new();
    let own = own(&authority);
    let server = Encrypted::start([own.flags(""), own.flags("peer-")].concat()).await;
    let ports = [server.client, server.metrics, server.peer];
    // etcd says nothing.
    let socket = server.server.scratch().join(SOCKET);
    if !server.server.is_etcd() {
        for port in ports {
            is_told(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await;
        }
        is_told(UnixStream::connect(&socket).await.unwrap()).await;
    }
    let ca = authority.file();
    let version = |flag: &str| {
        let url = format!("https://127.0.0.1:{}/version", server.client);
        let out = curl(&ca, None, &[flag, "--output", "/dev/null", "--write-out", "%{http_version}", &url]);
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let shown = curl(&ca, None, &["--unix-socket", &socket.display().to_string(), "https://localhost/version"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert_eq!([version("--http2"), version("--http1.1"), version("--no-alpn")], ["2", "1.1", "1.1"]);
}
