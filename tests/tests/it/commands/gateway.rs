//! `keyport gateway start` in front of real members, beside `etcd gateway start`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use keyport_tests::cluster::Cluster;
use keyport_tests::etcdctl::Etcdctl;
use keyport_tests::program::Program;
use keyport_tests::raw::Raw;
use keyport_tests::server::free_port;
use keyport_tests::wait::{eventually_blocking, within};
use keyport_tests::{Flavor, Server};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{ended, keyport};

struct Gateway {
    program: Program,
    addr: SocketAddr,
}

impl Gateway {
    fn of(flavor: Flavor, endpoints: &[SocketAddr], flags: &[&str]) -> Gateway {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let endpoints: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        let fixed = [format!("--listen-addr={addr}"), format!("--endpoints={}", endpoints.join(","))];
        let args = ["gateway", "start"].into_iter().map(str::to_owned).chain(fixed);
        let mut program = Program::start(flavor, args.chain(flags.iter().map(|flag| (*flag).to_owned())));
        program.says("ready to proxy client requests");
        Gateway { program, addr }
    }

    fn to(endpoints: &[SocketAddr], flags: &[&str]) -> Gateway {
        Gateway::of(Flavor::Keyport, endpoints, flags)
    }
}

fn flavors() -> Vec<Flavor> {
    [Flavor::Keyport].into_iter().chain(Flavor::peers()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_gateway_outlive_a_member() {
    for flavor in flavors() {
        let mut cluster = Cluster::of(3).direct().start().await;
        let addrs: Vec<SocketAddr> = cluster.members.iter().map(|member| member.addr()).collect();
        let mut gateway = Gateway::of(flavor, &addrs, &["--retry-delay=200ms"]);
        let ctl = Etcdctl::new(gateway.addr);
        // Each command is a connection of its own, so all three have some.
        for n in 0..6 {
            ctl.ok(&["put", &format!("k{n}"), "v"]);
        }
        let leader = cluster.leader().await;
        cluster.kill(leader).await;
        // Those who are left elect a leader; whoever asks too early asks again, and nobody lands at the one that is gone.
        for n in 0..6 {
            eventually_blocking("a put", || ctl.output(&["put", &format!("k{n}"), "w"]).status.success().then_some(()));
        }
        let all = ctl.ok(&["get", "--prefix", "k"]);
        assert_eq!((all.matches('w').count(), all.matches('k').count()), (6, 6), "{all}");
        gateway.program.says("deactivated endpoint");
        cluster.restart(leader).await;
        gateway.program.says("\"activated\"");
        // A watch goes through, too.
        let mut c = cluster.grpc(leader);
        let watch = ctl.start(&["watch", "late"]);
        let mut output = Some(watch);
        let seen = tokio::task::spawn_blocking(move || {
            use std::io::BufRead as _;
            let mut watch = output.take().unwrap();
            let lines = std::io::BufReader::new(watch.stdout.take().unwrap()).lines();
            let lines: Vec<String> = lines.take(3).map_while(Result::ok).collect();
            let _ = watch.kill();
            let _ = watch.wait();
            lines
        });
        let mut puts = 0;
        while !seen.is_finished() {
            puts += 1;
            c.put("late", &puts.to_string()).await;
        }
        assert_eq!(seen.await.unwrap()[..2], ["PUT", "late"], "{flavor:?}");
        if flavor == Flavor::Keyport {
            assert!(gateway.program.end(Signal::TERM).success());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_take_turns() {
    let listeners = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let addrs = [0, 1].map(|n: usize| listeners[n].local_addr().unwrap());
    let gateway = Gateway::to(&addrs, &[]);
    for _ in 0..2 {
        for listener in &listeners {
            let client = TcpStream::connect(gateway.addr).await.unwrap();
            within("a connection of its turn", listener.accept()).await.unwrap();
            drop(client);
        }
    }
}

/// Whoever has asked and closes his half gets the answer; both halves end when the member's do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_closed_connections_stay_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::to(&[listener.local_addr().unwrap()], &[]);
    let mut client = Raw::connect(gateway.addr).await;
    assert!(client.send("question").await);
    client.finish().await;
    let (mut member, _) = within("a connection", listener.accept()).await.unwrap();
    let mut question = String::new();
    within("the end of the question", member.read_to_string(&mut question)).await.unwrap();
    assert_eq!(question, "question");
    let answer = vec![7; 1 << 20];
    let (sent, read) = tokio::join!(member.write_all(&answer), async {
        let mut read = Vec::new();
        while read.len() < answer.len() && client.read_more().await {
            read = client.buffer.clone();
        }
        read
    });
    sent.unwrap();
    assert!(read == answer, "{} bytes", read.len());
    drop(member);
    assert_eq!(client.read_to_end().await.len(), answer.len(), "nothing follows, and the end does");
    // The other way round: the member says that it was all, and still hears the client.
    let mut client = Raw::connect(gateway.addr).await;
    assert!(client.send("first").await);
    let (mut member, _) = within("a connection", listener.accept()).await.unwrap();
    member.shutdown().await.unwrap();
    client.read_to_end().await;
    assert!(client.send(" second").await);
    drop(client);
    let mut heard = String::new();
    within("the rest", member.read_to_string(&mut heard)).await.unwrap();
    assert_eq!(heard, "first second");
}

#[tokio::test]
async fn with_nobody_behind_it_a_client_is_closed_until_somebody_is_back() {
    let port = free_port();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut gateway = Gateway::to(&[addr], &["--retry-delay=100ms"]);
    let mut client = Raw::connect(gateway.addr).await;
    assert_eq!(client.read_to_end().await, b"");
    gateway.program.says("failed to activate endpoint");
    let listener = TcpListener::bind(addr).await.unwrap();
    gateway.program.says("\"activated\"");
    let _client = Raw::connect(gateway.addr).await;
    // The first is the gateway's own question whether somebody is there.
    for _ in 0..2 {
        within("a connection", listener.accept()).await.unwrap();
    }
}

/// More connections than descriptors allow wait; those that are there go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_by_descriptors() {
    let server = Server::of(Flavor::Keyport).start();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let line = format!(
        "ulimit -n 84; exec {} gateway start --listen-addr={addr} --endpoints={}",
        Flavor::Keyport.binary().display(),
        server.addr()
    );
    let mut child = Command::new("sh").args(["-c", &line]).stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually_blocking("it listens", || std::net::TcpStream::connect(addr).ok());
    let mut open = Vec::new();
    for _ in 0..30 {
        open.push(Raw::connect(addr).await);
    }
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    assert!(descriptors < 84, "{descriptors}");
    assert!(child.try_wait().unwrap().is_none());
    // The last one is served once others are gone.
    let mut last = open.pop().unwrap();
    drop(open);
    assert!(last.send("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await);
    assert!(String::from_utf8_lossy(&last.read_to_end().await).starts_with("HTTP/1.1 200"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_a_gateway_is_said() {
    let refused = |args: &[&str]| ended(&keyport(&[&["gateway", "start"], args].concat()), 1);
    let own = refused(&["--listen-addr=127.0.0.1:1", "--endpoints=localhost:1"]);
    assert!(own.contains("should not resolve to the gateway listen addr (127.0.0.1:1)"), "{own}");
    assert!(refused(&["--endpoints=nobody.invalid:1"]).contains("failed to resolve endpoint host: nobody.invalid"));
    assert!(refused(&["--listen-addr=x"]).contains("failed to validate listen address: x"));
    assert!(refused(&["--no-such-flag"]).contains("--no-such-flag"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen-addr={}", taken.local_addr().unwrap());
    assert!(refused(&[&listen]).contains("cannot listen on 127.0.0.1:"));
    assert!(ended(&keyport(&["grpc-proxy", "start"]), 1).contains("there is no grpc-proxy here"));
    let help = ended(&keyport(&["gateway", "start", "--help"]), 0);
    // The flags of etcd's.
    for flag in ["listen-addr", "endpoints", "discovery-srv", "discovery-srv-name", "insecure-discovery"] {
        assert!(help.contains(&format!("--{flag}")), "{help}");
    }
    assert!(help.contains("--trusted-ca-file") && help.contains("--retry-delay"), "{help}");
}
