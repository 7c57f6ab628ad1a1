//! Sockets that the service manager has opened: each serves what the URL with its address says, and others are refused.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use keyport_tests::grpc::Grpc;
use keyport_tests::http::Http;
use keyport_tests::server::{Builder, free_port};
use keyport_tests::wait::eventually;
use keyport_tests::{Flavor, Server};

/// Opens sockets as it is told, becomes the server, and says so as systemd does. `tcp:HOST:PORT`, `unix:PATH`, or `udp:HOST:PORT`.
const OPEN: &str = r#"
import os, socket, sys
until = sys.argv.index("--")
opened = []
for number, place in enumerate(sys.argv[1:until]):
    kind, where = place.split(":", 1)
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind(where)
    else:
        host, port = where.rsplit(":", 1)
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((host, int(port)))
    if kind != "udp":
        s.listen(16)
    opened.append(os.dup(s.detach()))
for number, fd in enumerate(opened):
    os.dup2(fd, 100 + number)
for number in range(len(opened)):
    os.dup2(100 + number, 3 + number)
os.closerange(3 + len(opened), 200)
os.environ.update(LISTEN_FDS=str(len(opened)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join("n%d" % n for n in range(len(opened))))
os.execv(sys.argv[until + 1], sys.argv[until + 1:])
"#;

fn handed(places: &[String]) -> Builder {
    let starter = ["python3", "-c", OPEN].map(str::to_owned).into_iter();
    Server::builder().started_by(starter.chain(places.iter().cloned()).chain(["--".to_owned()]))
}

/// Flags for a member of its own, without sockets of its harness's choice.
fn flags(client: &str, peer: u16) -> Vec<String> {
    let peer = format!("http://127.0.0.1:{peer}");
    vec![
        format!("--listen-client-urls={client}"),
        "--advertise-client-urls=http://127.0.0.1:1".to_owned(),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The inode of the socket that listens there, of all that this machine has.
fn listening(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let at = format!(":{port:04X}");
    let listens =
        |fields: &[&str]| fields.get(1).is_some_and(|local| local.ends_with(&at)) && fields.get(3) == Some(&"0A");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        listens(&fields).then(|| fields[9].to_owned())
    };
    table.lines().filter_map(inode).collect()
}

fn descriptors(process: u32) -> Vec<String> {
    let all = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    all.filter_map(|fd| Some(std::fs::read_link(fd.path()).ok()?.display().to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_serve_what_the_url_with_their_address_says() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd takes no sockets");
    }
    let [client, peer, metrics] = [free_port(), free_port(), free_port()];
    let dir = tempfile::tempdir().unwrap();
    let unix = dir.path().join("socket").display().to_string();
    // In another order than the flags are in.
    let places = [metrics, peer, client].map(|port| format!("tcp:127.0.0.1:{port}"));
    let places: Vec<String> = places.into_iter().chain([format!("unix:{unix}")]).collect();
    let mut args = flags(&format!("http://127.0.0.1:{client},unix://{unix}"), peer);
    args.push(format!("--listen-metrics-urls=http://127.0.0.1:{metrics}"));
    args.push(format!("--data-dir={}", dir.path().join("data").display()));
    let server = handed(&places).plain().args(args).spawn_only();
    eventually("it serves", async || {
        let http = Http::new(local(metrics));
        tokio::net::TcpStream::connect(local(metrics)).await.ok()?;
        (http.get("/health").await.status == 200).then_some(())
    })
    .await;
    Grpc::connect(local(client)).await.put("k", "v").await;
    assert_eq!(Http::new(local(peer)).get("/version").await.status, 200);
    assert!(tokio::net::UnixStream::connect(&unix).await.is_ok());
    let own = descriptors(server.pid());
    for port in [client, peer, metrics] {
        let inodes = listening(port);
        let [inode] = inodes.as_slice() else { panic!("{} sockets listen on {port}", inodes.len()) };
        assert!(own.contains(&format!("socket:[{inode}]")), "{port}");
        let said = format!("\"address\":\"127.0.0.1:{port}\",\"socket\":\"descriptor");
        assert!(server.log().contains(&said), "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_nobody_wants_is_refused_before_anything_is_written() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd takes no sockets");
    }
    let [client, peer, stranger] = [free_port(), free_port(), free_port()];
    let mine = format!("tcp:127.0.0.1:{client}");
    let twice = format!("descriptor 4, \\\"n1\\\", which listens at 127.0.0.1:{client}: none of the URLs");
    for (other, why) in [
        (
            format!("tcp:127.0.0.1:{stranger}"),
            format!("descriptor 4, \\\"n1\\\", which listens at 127.0.0.1:{stranger}"),
        ),
        (format!("tcp:0.0.0.0:{client}"), format!("which listens at 0.0.0.0:{client}")),
        (mine.clone(), twice),
        (
            format!("udp:127.0.0.1:{stranger}"),
            "descriptor 4, \\\"n1\\\" (LISTEN_FDS), a socket that does not listen".to_owned(),
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let mut args = flags(&format!("http://127.0.0.1:{client}"), peer);
        args.push(format!("--data-dir={}", data.display()));
        let ended = handed(&[mine.clone(), other]).plain().args(args).run_to_end();
        let log = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{log}");
        assert!(log.contains(&why), "{why}: {log}");
        assert!(!data.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_for_another_process_are_left_alone() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd takes no sockets");
    }
    let server = Server::builder().env("LISTEN_FDS", "3").env("LISTEN_PID", "1").start();
    server.grpc().await.put("k", "v").await;
    let wrong = ["sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""];
    let ended = Server::builder().started_by(wrong).run_to_end();
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{log}");
    assert!(log.contains("descriptor 3 (LISTEN_FDS), which is no socket"), "{log}");
}

/// systemd's own program, which starts the service when somebody connects: the first request waits, and is answered.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_starts_it_for_the_first_who_connects() {
    const STARTER: &str = "systemd-socket-activate";
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd takes no sockets");
    }
    if Command::new(STARTER).arg("--version").output().is_err() {
        return println!("skipped: there is no {STARTER} here");
    }
    let [client, peer] = [free_port(), free_port()];
    let dir = tempfile::tempdir().unwrap();
    let mut args = flags(&format!("http://127.0.0.1:{client}"), peer);
    args.push(format!("--data-dir={}", dir.path().join("data").display()));
    let listen = format!("--listen=127.0.0.1:{client}");
    let server = Server::builder().started_by([STARTER, &listen, "--fdname=client"]).plain().args(args).spawn_only();
    eventually("it listens", async || (!listening(client).is_empty()).then_some(())).await;
    let program = |process: u32| std::fs::read_link(format!("/proc/{process}/exe")).unwrap();
    assert!(program(server.pid()).ends_with(Path::new(STARTER)));
    Grpc::connect(local(client)).await.put("k", "v").await;
    assert!(!program(server.pid()).ends_with(Path::new(STARTER)));
}
