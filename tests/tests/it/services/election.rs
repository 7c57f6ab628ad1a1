//! v3election.

use keyport_api::etcdserverpb::{LeaseGrantRequest, LeaseRevokeRequest};
use keyport_api::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{bytes, list, refused, revision, text};
use keyport_tests::wait::{eventually, within};
use tokio::task::JoinHandle;
use tonic::{Code, Response, Status};

fn campaign(name: &str, lease: i64, value: &str) -> CampaignRequest {
    CampaignRequest { name: bytes(name), lease, value: bytes(value) }
}

fn leader(name: &str) -> LeaderRequest {
    LeaderRequest { name: bytes(name) }
}

#[tokio::test]
async fn campaign_proclaim_resign() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let lease = c.grant(100).await;
    refused(c.election.leader(leader("e")).await, Code::Unknown, "election: no leader");
    let answer = c.election.campaign(campaign("e", lease, "one")).await.unwrap().into_inner();
    let key = answer.leader.unwrap();
    assert_eq!((text(&key.name), text(&key.key), key.lease, key.rev), ("e".into(), format!("e/{lease:x}"), lease, 2));
    assert!(revision(&answer.header) >= 2);
    let answer = c.election.leader(leader("e")).await.unwrap().into_inner();
    assert_eq!(text(&answer.kv.unwrap().value), "one");
    // The same lease and another value proclaims it.
    let again = c.election.campaign(campaign("e", lease, "two")).await.unwrap().into_inner().leader.unwrap();
    assert_eq!(again, key);
    let current = c.election.leader(leader("e")).await.unwrap().into_inner().kv.unwrap();
    assert_eq!((text(&current.value), current.create_revision), ("two".into(), 2));
    let proclaim = |leader, value: &str| ProclaimRequest { leader, value: bytes(value) };
    c.election.proclaim(proclaim(Some(key.clone()), "three")).await.unwrap();
    assert_eq!(text(&c.get(&text(&key.key)).await.unwrap().value), "three");
    let stale = LeaderKey { rev: 1, ..key.clone() };
    refused(c.election.proclaim(proclaim(Some(stale.clone()), "x")).await, Code::Unknown, "election: not leader");
    let missing = "\"leader\" field must be provided";
    refused(c.election.proclaim(proclaim(None, "x")).await, Code::Unknown, missing);
    refused(c.election.resign(ResignRequest { leader: None }).await, Code::Unknown, missing);
    c.election.resign(ResignRequest { leader: Some(stale) }).await.unwrap();
    assert_eq!(c.range(list("e/")).await.count, 1, "a stale resignation changes nothing");
    c.election.resign(ResignRequest { leader: Some(key) }).await.unwrap();
    assert_eq!(c.range(list("e/")).await.count, 0);
}

/// Another client that stands for the election of somebody who leads, once it is in the line.
async fn second_waits(server: &Server, lease: i64) -> JoinHandle<Result<Response<CampaignResponse>, Status>> {
    let (mut c, mut other) = (server.grpc().await, server.grpc().await);
    let waiting = tokio::spawn(async move { other.election.campaign(campaign("e", lease, "two")).await });
    eventually("the second waits", async || (c.range(list("e/")).await.count == 2).then_some(())).await;
    waiting
}

#[tokio::test]
async fn one_after_the_other_and_an_observer() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    // The answer begins with the first leader.
    let mut observer = server.grpc().await;
    let seen = tokio::spawn(async move { observer.election.observe(leader("e")).await });
    let first = c.election.campaign(campaign("e", one, "one")).await.unwrap().into_inner().leader;
    let mut seen = within("the leader", seen).await.unwrap().unwrap().into_inner();
    let next = within("the leader", seen.message()).await.unwrap().unwrap();
    assert_eq!(text(&next.kv.unwrap().value), "one");
    let waiting = second_waits(&server, two).await;
    c.election.proclaim(ProclaimRequest { leader: first.clone(), value: bytes("one again") }).await.unwrap();
    let next = within("the change", seen.message()).await.unwrap().unwrap();
    assert_eq!(text(&next.kv.unwrap().value), "one again");
    assert!(!waiting.is_finished());
    c.election.resign(ResignRequest { leader: first }).await.unwrap();
    let second = within("the second", waiting).await.unwrap().unwrap().into_inner().leader.unwrap();
    assert_eq!(second.lease, two);
    let next = within("the next leader", seen.message()).await.unwrap().unwrap();
    assert_eq!(text(&next.kv.unwrap().value), "two");
}

/// Of what an answer was read from, or of the change that it tells of.
#[tokio::test]
async fn revisions_in_headers() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    let first = c.election.campaign(campaign("e", one, "one")).await.unwrap().into_inner();
    assert_eq!(revision(&first.header), 2);
    assert_eq!(c.put("other", "v").await, 3);
    assert_eq!(revision(&c.election.leader(leader("e")).await.unwrap().into_inner().header), 3);
    let mut seen = within("the leader", c.election.observe(leader("e"))).await.unwrap().into_inner();
    assert_eq!(revision(&within("the leader", seen.message()).await.unwrap().unwrap().header), 3);
    let waiting = second_waits(&server, two).await;
    assert_eq!(c.put("other", "w").await, 5);
    let proclaim = ProclaimRequest { leader: first.leader.clone(), value: bytes("one again") };
    assert_eq!(revision(&c.election.proclaim(proclaim).await.unwrap().into_inner().header), 6);
    assert_eq!(revision(&within("the change", seen.message()).await.unwrap().unwrap().header), 6);
    let resigned = c.election.resign(ResignRequest { leader: first.leader }).await.unwrap().into_inner();
    assert_eq!(revision(&resigned.header), 7);
    // Of when it entered, though it won later.
    let second = within("the second", waiting).await.unwrap().unwrap().into_inner();
    assert_eq!((revision(&second.header), second.leader.unwrap().rev), (4, 4));
    // A look at the line found it.
    assert_eq!(revision(&within("the next leader", seen.message()).await.unwrap().unwrap().header), 7);
}

/// That a leader's or a predecessor's key is older than what is left of history is nothing to tell, and nothing to wait for.
#[tokio::test]
async fn what_is_compacted() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    let first = c.election.campaign(campaign("e", one, "one")).await.unwrap().into_inner().leader;
    for i in 0..5 {
        c.put("other", &i.to_string()).await;
    }
    c.compact(7).await;
    let mut seen = within("the leader", c.election.observe(leader("e"))).await.unwrap().into_inner();
    assert_eq!(text(&within("the leader", seen.message()).await.unwrap().unwrap().kv.unwrap().value), "one");
    let waiting = second_waits(&server, two).await;
    c.election.proclaim(ProclaimRequest { leader: first.clone(), value: bytes("one again") }).await.unwrap();
    assert_eq!(text(&within("the change", seen.message()).await.unwrap().unwrap().kv.unwrap().value), "one again");
    c.election.resign(ResignRequest { leader: first }).await.unwrap();
    within("the second", waiting).await.unwrap().unwrap();
    assert_eq!(text(&within("the next leader", seen.message()).await.unwrap().unwrap().kv.unwrap().value), "two");
}

#[tokio::test]
async fn a_bad_lease() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let answer = c.election.campaign(campaign("e", 4711, "x")).await;
    // The code is lost on the way, as etcd's services are clients of their own server.
    refused(answer, Code::Unknown, "etcdserver: requested lease not found");
}

/// Waiting for a turn does not outlive the lease, nor does the wait of whoever enters anew with a lease of the same name.
#[tokio::test]
async fn a_lease_that_ends_while_its_candidate_waits() {
    let server = Server::start();
    if server.is_etcd() {
        return; // calls it the leader
    }
    let mut c = server.grpc().await;
    let (one, two) = (c.grant(100).await, c.grant(100).await);
    let first = c.election.campaign(campaign("e", one, "one")).await.unwrap().into_inner().leader;
    let waiting = second_waits(&server, two).await;
    c.lease.lease_revoke(LeaseRevokeRequest { id: two }).await.unwrap();
    c.lease.lease_grant(LeaseGrantRequest { ttl: 100, id: two }).await.unwrap();
    let again = second_waits(&server, two).await;
    c.election.resign(ResignRequest { leader: first }).await.unwrap();
    let lost = within("the second", waiting).await.unwrap();
    refused(lost, Code::Unknown, "election: session is expired");
    let second = within("the second again", again).await.unwrap().unwrap().into_inner().leader.unwrap();
    let leads = c.election.leader(leader("e")).await.unwrap().into_inner().kv.unwrap();
    assert_eq!((second.lease, second.rev), (two, leads.create_revision));
}
