//! Adding, removing, updating and promoting members, and everything that is refused.

use keyport_api::etcdserverpb::{
    Member, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
    MoveLeaderRequest, RangeRequest, StatusRequest,
};
use keyport_tests::Cluster;
use keyport_tests::cluster::Cluster as Members;
use keyport_tests::cluster::changes::settled;
use keyport_tests::grpc::{get, put, refused, text, watch};
use keyport_tests::server::free_port;
use keyport_tests::wait::{eventually, within};
use tonic::Code;

fn add(url: &str, is_learner: bool) -> MemberAddRequest {
    MemberAddRequest { peer_ur_ls: vec![url.into()], is_learner }
}

async fn list(cluster: &Members, through: usize) -> Vec<Member> {
    within("a list", cluster.list(through, true)).await.unwrap()
}

#[tokio::test]
async fn what_is_refused() {
    let cluster = Cluster::of(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    for through in [leader, follower] {
        let mut c = cluster.grpc(through);
        for url in ["", "127.0.0.1:2380", "ftp://127.0.0.1:2380", "http://127.0.0.1", "http://127.0.0.1:2380/path"] {
            let answer = c.cluster.member_add(add(url, false)).await;
            refused(answer, Code::InvalidArgument, "etcdserver: given member URLs are invalid");
        }
        let nothing = MemberAddRequest::default();
        refused(
            c.cluster.member_add(nothing).await,
            Code::InvalidArgument,
            "etcdserver: given member URLs are invalid",
        );
        let taken = cluster.members[0].peer_url();
        refused(
            settled(async || c.cluster.member_add(add(&taken, false)).await).await,
            Code::FailedPrecondition,
            "etcdserver: Peer URLs already exists",
        );
        let unknown = 4711;
        let not_found = "etcdserver: member not found";
        let remove = settled(async || c.cluster.member_remove(MemberRemoveRequest { id: unknown }).await).await;
        refused(remove, Code::NotFound, not_found);
        let url = format!("http://127.0.0.1:{}", free_port());
        let update = MemberUpdateRequest { id: unknown, peer_ur_ls: vec![url] };
        refused(c.cluster.member_update(update).await, Code::NotFound, not_found);
        refused(c.cluster.member_promote(MemberPromoteRequest { id: unknown }).await, Code::NotFound, not_found);
        let update = MemberUpdateRequest { id: cluster.members[1].id, peer_ur_ls: vec![taken] };
        refused(
            c.cluster.member_update(update).await,
            Code::FailedPrecondition,
            "etcdserver: Peer URLs already exists",
        );
        let voter = MemberPromoteRequest { id: cluster.members[leader].id };
        refused(
            c.cluster.member_promote(voter).await,
            Code::FailedPrecondition,
            "etcdserver: can only promote a learner member",
        );
    }
    assert_eq!(list(&cluster, follower).await.len(), 3);
}

/// A member more would need one more to be there; a member less must leave a quorum.
#[tokio::test]
async fn with_a_member_down() {
    let mut cluster = Cluster::of(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let third = 3 - leader - follower;
    cluster.kill(third).await;
    let url = format!("http://127.0.0.1:{}", free_port());
    let mut c = cluster.grpc(leader);
    cluster.until_disconnected(leader, third).await;
    refused(c.cluster.member_add(add(&url, false)).await, Code::Unavailable, "etcdserver: unhealthy cluster");
    let remove = c.cluster.member_remove(MemberRemoveRequest { id: cluster.members[follower].id }).await;
    refused(remove, Code::Unavailable, "etcdserver: unhealthy cluster");
    // The one that is down may go.
    let gone = MemberRemoveRequest { id: cluster.members[third].id };
    let gone = settled(async || c.cluster.member_remove(gone).await).await;
    assert_eq!(gone.unwrap().into_inner().members.len(), 2);
    // Removing the last but one of two, too.
    c.put("k", "v").await;
    assert_eq!(list(&cluster, follower).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner() {
    let mut cluster = Cluster::of(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    cluster.grpc(leader).put("k", "v").await;
    let new = cluster.add(follower, true).await;
    let id = cluster.members[new].id;
    let unstarted: Vec<Member> = list(&cluster, leader).await.into_iter().filter(|m| m.id == id).collect();
    assert!(unstarted[0].is_learner && unstarted[0].name.is_empty() && unstarted[0].client_ur_ls.is_empty());
    let mut c = cluster.grpc(leader);
    let url = format!("http://127.0.0.1:{}", free_port());
    refused(
        settled(async || c.cluster.member_add(add(&url, true)).await).await,
        Code::FailedPrecondition,
        "etcdserver: too many learner members in cluster",
    );
    refused(
        c.cluster.member_promote(MemberPromoteRequest { id }).await,
        Code::FailedPrecondition,
        "etcdserver: can only promote a learner member which is in sync with leader",
    );
    refused(
        c.maintenance.move_leader(MoveLeaderRequest { target_id: id }).await,
        Code::FailedPrecondition,
        "etcdserver: bad leader transferee",
    );
    cluster.launch(new);
    let mut l = cluster.grpc(new);
    // What it may serve.
    eventually("the learner has the data", async || {
        let local = RangeRequest { serializable: true, ..get("k") };
        let kvs = l.kv.range(local).await.ok()?.into_inner().kvs;
        (text(&kvs.first()?.value) == "v").then_some(())
    })
    .await;
    let status = l.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(status.is_learner && status.leader == cluster.members[leader].id, "{status:?}");
    // And nothing else.
    let no = "etcdserver: rpc not supported for learner";
    refused(l.kv.range(get("k")).await, Code::FailedPrecondition, no);
    refused(l.kv.put(put("k", "x")).await, Code::FailedPrecondition, no);
    let listed = l.cluster.member_list(MemberListRequest::default()).await;
    refused(listed, Code::FailedPrecondition, no);
    let hash = l.maintenance.hash_kv(keyport_api::etcdserverpb::HashKvRequest::default()).await;
    refused(hash, Code::FailedPrecondition, no);
    let mut w = l.watch();
    w.ask(watch("k")).await;
    refused(w.message().await, Code::FailedPrecondition, no);
    // It counts for nothing until it is promoted, through whomever.
    let promoted = cluster.promote(follower, new).await;
    assert!(promoted.iter().all(|m| !m.is_learner));
    cluster.until_ready(new).await;
    let status = eventually("it knows", async || cluster.status(new).await.ok().filter(|s| !s.is_learner)).await;
    assert_eq!(status.leader, cluster.members[leader].id);
    let at = cluster.grpc(new).put("k", "through the new one").await;
    assert_eq!(cluster.grpc(leader).get("k").await.unwrap().mod_revision, at);
    cluster.until_equal().await;
}

/// It stops by itself, properly, and is not let in again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member() {
    let mut cluster = Cluster::of(3).start().await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let mut c = cluster.grpc(leader);
    let id = cluster.members[follower].id;
    assert_eq!(cluster.remove(leader, follower).await.len(), 2);
    let status = cluster.members[follower].end().await;
    assert_eq!(status.code(), Some(0), "{:?}", cluster.members[follower].log().lines().last());
    refused(c.cluster.member_remove(MemberRemoveRequest { id }).await, Code::NotFound, "etcdserver: member not found");
    c.put("k", "v").await;
    // With its old data it comes to the same conclusion again.
    cluster.launch(follower);
    cluster.members[follower].end().await;
    c.put("k", "w").await;
    // And the leader itself can go, asked by itself.
    let mut last = 3 - leader - follower;
    let itself = MemberRemoveRequest { id: cluster.members[leader].id };
    let answer = settled(async || c.cluster.member_remove(itself).await).await;
    if let Err(status) = answer {
        assert_eq!(status.message(), "etcdserver: server stopped");
    }
    assert_eq!(cluster.members[leader].end().await.code(), Some(0));
    assert_eq!(cluster.leader().await, last);
    assert_eq!(text(&cluster.grpc(last).get("k").await.unwrap().value), "w");
    // The name and the address can be taken by a new member, with a new id.
    last = cluster.serving()[0];
    let new = cluster.add(last, false).await;
    cluster.restart(new).await;
    cluster.until_equal().await;
    assert_eq!(list(&cluster, new).await.len(), 2);
}

/// A member that moves to another address is told to the others first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address() {
    let mut cluster = Cluster::of(3).start().await;
    let moved = cluster.follower().await;
    let through = (moved + 1) % 3;
    let id = cluster.members[moved].id;
    cluster.members[moved].stop().await;
    let url = cluster.members[moved].move_peer(&cluster.network.clone());
    let mut c = cluster.grpc(through);
    let update = MemberUpdateRequest { id, peer_ur_ls: vec![url.clone()] };
    let answer = within("an update", c.cluster.member_update(update)).await.unwrap().into_inner();
    assert_eq!(answer.members.iter().find(|m| m.id == id).unwrap().peer_ur_ls, std::slice::from_ref(&url));
    cluster.restart(moved).await;
    c.put("k", "v").await;
    cluster.until_equal().await;
    let here: Vec<Member> = list(&cluster, moved).await.into_iter().filter(|m| m.id == id).collect();
    assert_eq!((here[0].name.as_str(), &here[0].peer_ur_ls), (cluster.members[moved].name.as_str(), &vec![url]));
}
