//! What the system that runs the server sees of it: readiness and signs of life told over a socket, and signals.

mod sockets;
mod statuses;
mod watchdog;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as Name, UnixDatagram};

use keyport_tests::grpc::{Grpc, get};
use keyport_tests::server::free_port;
use keyport_tests::wait::{PATIENCE, eventually};
use keyport_tests::{Flavor, Server};
use rustix::process::{Pid, Signal, kill_process};

/// A service manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    /// The value of the variable.
    name: String,
}

impl Manager {
    fn at_path(dir: &tempfile::TempDir, name: &str) -> Manager {
        let path = dir.path().join(name);
        Manager::of(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
    }

    /// At a name that is in no file system.
    fn abstract_one() -> Manager {
        let name = format!("keyport-tests-{}-{}", std::process::id(), free_port());
        let socket = UnixDatagram::bind_addr(&Name::from_abstract_name(&name).unwrap()).unwrap();
        Manager::of(socket, format!("@{name}"))
    }

    fn of(socket: UnixDatagram, name: String) -> Manager {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, name }
    }

    fn told(&self) -> String {
        let mut text = [0; 512];
        let len = tokio::task::block_in_place(|| self.socket.recv(&mut text)).expect("the manager is told something");
        String::from_utf8_lossy(&text[..len]).into_owned()
    }

    fn told_nothing_yet(&self) -> bool {
        self.told_by_now().is_empty()
    }

    /// What waits to be read.
    fn told_by_now(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let (mut texts, mut text) = (Vec::new(), [0; 512]);
        let end = loop {
            match self.socket.recv(&mut text) {
                Ok(len) => texts.push(String::from_utf8_lossy(&text[..len]).into_owned()),
                Err(error) => break error.kind(),
            }
        };
        self.socket.set_nonblocking(false).unwrap();
        assert_eq!(end, ErrorKind::WouldBlock);
        texts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_hears_of_the_start_and_of_the_end() {
    let dir = tempfile::tempdir().unwrap();
    for manager in [Manager::at_path(&dir, "notify"), Manager::abstract_one()] {
        let mut server = Server::builder().env("NOTIFY_SOCKET", &manager.name).spawn_only();
        assert_eq!(manager.told(), "READY=1");
        // From here on what depends on it is started.
        server.grpc().await.put("k", "v").await;
        tokio::task::block_in_place(|| server.stop());
        if !server.is_etcd() {
            assert_eq!(manager.told(), "STOPPING=1");
        }
        assert!(manager.told_nothing_yet());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_quorum_is_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let peers = ["a", "b"].map(|name| (name, free_port()));
    let initial = peers.map(|(name, peer)| format!("{name}=http://127.0.0.1:{peer}")).join(",");
    let start = |(name, peer): (&str, u16), manager: &Manager| {
        let client = free_port();
        let data = dir.path().join(format!("{name}.data"));
        let args = [("listen-client-urls", client), ("advertise-client-urls", client)]
            .into_iter()
            .chain([("listen-peer-urls", peer), ("initial-advertise-peer-urls", peer)])
            .map(|(flag, port)| format!("--{flag}=http://127.0.0.1:{port}"))
            .chain([format!("--name={name}"), format!("--initial-cluster={initial}")])
            .chain([format!("--data-dir={}", data.display())]);
        let server = Server::builder().plain().args(args).env("NOTIFY_SOCKET", &manager.name).spawn_only();
        (server, SocketAddr::from((Ipv4Addr::LOCALHOST, client)))
    };
    let managers = ["a", "b"].map(|name| Manager::at_path(&dir, name));
    let (_first, addr) = start(peers[0], &managers[0]);
    let peer_port = SocketAddr::from((Ipv4Addr::LOCALHOST, peers[0].1));
    let http = keyport_tests::http::Http::new(peer_port);
    eventually("it answers its peers", async || {
        tokio::net::TcpStream::connect(peer_port).await.ok()?;
        (http.get("/version").await.status == 200).then_some(())
    })
    .await;
    assert!(managers[0].told_nothing_yet());
    let (_second, _) = start(peers[1], &managers[1]);
    for manager in &managers {
        assert_eq!(manager.told(), "READY=1");
    }
    Grpc::connect(addr).await.put("k", "v").await;
}

/// The server serves, whoever listens.
#[tokio::test]
async fn a_manager_that_cannot_be_told_is_no_reason_to_fail() {
    let nowhere = Server::builder().env("NOTIFY_SOCKET", "/no/such/socket").start();
    nowhere.grpc().await.put("k", "v").await;
    if Flavor::under_test() == Flavor::Keyport {
        let log = nowhere.log();
        let warning = log.lines().find(|line| line.contains("cannot notify the service manager")).expect("a warning");
        assert!(warning.contains("\"level\":\"warn\"") && warning.contains("/no/such/socket"), "{warning}");
        assert!(!Server::start().log().contains("service manager"));
    }
}

/// It takes what it may have, and says so if that is little.
#[tokio::test]
async fn a_small_limit_of_open_files_is_warned_of() {
    if Flavor::under_test() != Flavor::Keyport {
        return println!("skipped: etcd says nothing of it");
    }
    let warning = "few files may be open";
    for (soft, hard, warned) in [(256, 512, true), (256, 1024, false)] {
        let limited = format!("ulimit -Hn {hard} && ulimit -Sn {soft} && exec \"$0\" \"$@\"");
        // Limits may only be lowered, the soft one first.
        let limited = format!("ulimit -Sn {soft} && {limited}");
        let server = Server::builder().started_by(["sh", "-c", &limited]).start();
        server.grpc().await.put("k", "v").await;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(files.split_whitespace().nth(3), Some(hard.to_string().as_str()), "{files}");
        assert_eq!(server.log().contains(warning), warned, "{hard}");
    }
}

#[tokio::test]
async fn signals_that_ask_for_nothing_do_not_end_it() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    let strays = [Signal::USR1, Signal::USR2, Signal::ALARM, Signal::VTALARM, Signal::PROF, Signal::IO, Signal::POWER];
    for signal in strays.into_iter().chain([Signal::XCPU, Signal::XFSZ, Signal::PIPE]) {
        kill_process(pid, signal).unwrap();
        c.range(get("k")).await;
    }
}
