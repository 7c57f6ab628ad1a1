//! How members come together: founding, discovery, what is refused, and going on alone.

use std::net::SocketAddr;
use std::path::Path;

use keyport_api::etcdserverpb::{Member, MemberListRequest, StatusRequest};
use keyport_tests::grpc::Grpc;
use keyport_tests::http::Http;
use keyport_tests::server::free_port;
use keyport_tests::wait::eventually;
use keyport_tests::{Cluster, Flavor, Server};

/// Where a member is, without anything that says who else there is.
fn place(name: &str, data: &Path) -> (SocketAddr, String, Vec<String>) {
    let (client, peer) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{peer}");
    let mut args = vec![format!("--name={name}"), format!("--data-dir={}", data.display())];
    for flag in ["listen-client-urls", "advertise-client-urls"] {
        args.push(format!("--{flag}=http://127.0.0.1:{client}"));
    }
    for flag in ["listen-peer-urls", "initial-advertise-peer-urls"] {
        args.push(format!("--{flag}={url}"));
    }
    (SocketAddr::from(([127, 0, 0, 1], client)), url, args)
}

async fn until_healthy(addr: SocketAddr) -> Grpc {
    let http = Http::new(addr);
    eventually("the member serves", async || {
        // Asked over a connection of its own, as nobody may listen yet.
        tokio::net::TcpStream::connect(addr).await.ok()?;
        http.get("/health").await.text().contains("true").then_some(())
    })
    .await;
    Grpc::connect(addr).await
}

async fn members(c: &mut Grpc) -> Vec<Member> {
    c.cluster.member_list(MemberListRequest { linearizable: true }).await.expect("a list").into_inner().members
}

/// The log of a start that must fail.
fn refusal(args: impl IntoIterator<Item = String>) -> String {
    let out = Server::builder().plain().args(args).run_to_end();
    assert_eq!(out.status.code(), Some(1));
    String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).replace("\\\"", "\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn founders_meet_at_a_discovery_service() {
    // The protocol came with 3.6.
    if Flavor::under_test().older_than("3.6.0") {
        return;
    }
    let service = Server::start();
    let dir = tempfile::tempdir().expect("a temporary folder");
    // One that nobody listens on comes first.
    let endpoints = format!("--discovery-endpoints=127.0.0.1:{},{}", free_port(), service.addr());
    let flags = [endpoints, "--discovery-token=T".to_owned()];

    let (_, _, args) = place("early", &dir.path().join("early"));
    let text = refusal(args.into_iter().chain(flags.clone()));
    assert!(text.contains("failed to join discovery cluster (discovery: size key not found)"), "{text}");

    service.grpc().await.put("/_etcd/registry/T/_config/size", "3").await;
    let mut founders = Vec::new();
    // What asks for TLS has no say where the endpoint's scheme does.
    let plain =
        [format!("--discovery-endpoints=http://{}", service.addr()), "--discovery-insecure-transport=false".into()];
    for (name, more) in [("a", &[][..]), ("b", &[][..]), ("c", &plain[..])] {
        let (addr, url, args) = place(name, &dir.path().join(name));
        let args = args.into_iter().chain(flags.iter().chain(more).cloned());
        let server = Server::builder().plain().args(args).spawn_only();
        founders.push((name, addr, url, server));
    }
    let mut seen = Vec::new();
    for (name, addr, url, _) in &founders {
        let mut c = until_healthy(*addr).await;
        let own = c.maintenance.status(StatusRequest {}).await.expect("a status").into_inner().header;
        let own = own.expect("a header");
        let members = members(&mut c).await;
        let known = members.iter().find(|member| member.id == own.member_id).expect("itself");
        assert_eq!((known.name.as_str(), &known.peer_ur_ls), (*name, &vec![url.clone()]));
        assert_eq!(members.len(), 3);
        seen.push(own.cluster_id);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "one cluster");

    let (_, _, args) = place("late", &dir.path().join("late"));
    let text = refusal(args.into_iter().chain(flags));
    assert!(text.contains("failed to join discovery cluster (discovery: cluster is full)"), "{text}");
}

/// The database follows the log closely, so that the next start finds there what the log says.
const FORCED: [&str; 2] = ["--force-new-cluster", "--backend-batch-interval=1ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_survivor_of_a_lost_majority_goes_on_alone() {
    let mut cluster = Cluster::of(3).start().await;
    let survivor = cluster.leader().await;
    let mut c = cluster.grpc(survivor);
    let mut revision = 0;
    for n in 0..20 {
        revision = c.put(&format!("k{n}"), "v").await;
    }
    let cluster_id = c.maintenance.status(StatusRequest {}).await.expect("a status").into_inner().header;
    let cluster_id = cluster_id.expect("a header").cluster_id;
    for member in 0..3 {
        cluster.kill(member).await;
    }

    let data = cluster.members[survivor].data_dir().to_path_buf();
    let (addr, _, args) = place("alone", &data);
    let mut forced = Server::builder().plain().args(args.clone()).args(FORCED).spawn_only();
    let mut c = until_healthy(addr).await;
    // What the leader had acknowledged last is there.
    assert_eq!(c.get("k19").await.expect("the last key").mod_revision, revision);
    let left = members(&mut c).await;
    assert_eq!(left.iter().map(|member| member.id).collect::<Vec<_>>(), cluster.ids(&[survivor]));
    let header = c.maintenance.status(StatusRequest {}).await.expect("a status").into_inner().header.expect("a header");
    assert_eq!(header.cluster_id, cluster_id);
    assert_eq!(c.put("after", "v").await, revision + 1);
    assert!(forced.stop().success());

    // From now on it is like any other; flags that describe a cluster change nothing.
    let others = "--initial-cluster=alone=http://127.0.0.1:1,other=http://127.0.0.1:2";
    let server = Server::builder().plain().args(args).args([others]).spawn_only();
    let mut c = until_healthy(addr).await;
    assert!(c.get("after").await.is_some());
    assert_eq!(members(&mut c).await.len(), 1);
    if Flavor::under_test() == Flavor::Keyport {
        assert!(server.log().contains("--initial-cluster is ignored since cluster already initialized"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founder_that_lost_its_data_does_not_start_over() {
    let mut cluster = Cluster::of(3).start().await;
    let lost = cluster.follower().await;
    cluster.kill(lost).await;
    std::fs::remove_dir_all(cluster.members[lost].data_dir()).expect("its data can be removed");
    cluster.launch(lost);
    let status = eventually("it ends", async || cluster.members[lost].ended()).await;
    assert_eq!(status.code(), Some(1));
    let log = cluster.members[lost].log();
    assert!(log.contains(&format!("member {:x} has already been bootstrapped", cluster.members[lost].id)), "{log}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let refused = |more: &[&str], expected: &str| {
        let (_, url, args) = place("a", &dir.path().join("a"));
        let more = more.iter().map(|arg| arg.replace("OWN", &url));
        let text = refusal(args.into_iter().chain(more));
        assert!(text.contains(&expected.replace("OWN", &url)), "{expected:?} in {text}");
    };
    refused(&["--initial-cluster=b=OWN"], "couldn't find local name \"a\" in the initial cluster configuration");
    refused(&["--initial-cluster=a=OWN,b=OWN"], "initial cluster a=OWN,b=OWN has duplicate url");
    refused(
        &["--initial-cluster=a=OWN,a=http://127.0.0.1:1"],
        "--initial-cluster has a=http://127.0.0.1:1 but missing from --initial-advertise-peer-urls=OWN",
    );
    refused(
        &["--initial-cluster=a=OWN,b=http://127.0.0.1:1", "--initial-cluster-state=existing"],
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs",
    );
    refused(
        &["--initial-cluster=a=OWN", "--discovery-srv=example.test"],
        "multiple discovery or bootstrap flags are set",
    );
    if Flavor::under_test() == Flavor::Keyport {
        refused(&["--discovery-token=t"], "both --discovery-token and --discovery-endpoints must be set");
    }
}
