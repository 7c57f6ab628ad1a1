//! The Cluster service, leadership and downgrades, as far as a server of one member shows them.

use keyport_api::etcdserverpb::downgrade_request::DowngradeAction;
use keyport_api::etcdserverpb::{
    DowngradeRequest, DowngradeResponse, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberPromoteRequest,
    MemberRemoveRequest, MemberUpdateRequest, MoveLeaderRequest, StatusRequest,
};
use keyport_tests::Server;
use keyport_tests::grpc::{Grpc, get, refused};
use tonic::{Code, Status};

const NOT_FOUND: &str = "etcdserver: member not found";
const URL_EXISTS: &str = "etcdserver: Peer URLs already exists";

async fn add(c: &mut Grpc, urls: &[&str], is_learner: bool) -> Result<MemberAddResponse, Status> {
    let peer_ur_ls = urls.iter().map(ToString::to_string).collect();
    c.cluster.member_add(MemberAddRequest { peer_ur_ls, is_learner }).await.map(tonic::Response::into_inner)
}

fn update(id: u64, url: &str) -> MemberUpdateRequest {
    MemberUpdateRequest { id, peer_ur_ls: vec![url.to_owned()] }
}

#[tokio::test]
async fn a_learner_comes_and_goes() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let header = c.range(get("k")).await.header.unwrap();
    let me = c.cluster.member_list(MemberListRequest { linearizable: true }).await.unwrap().into_inner().members;
    let own_url = me[0].peer_ur_ls[0].clone();

    let added = add(&mut c, &["http://b.example:2380", "http://a.example:2380"], true).await.unwrap();
    let learner = added.member.unwrap();
    assert_eq!(learner.peer_ur_ls, ["http://a.example:2380", "http://b.example:2380"]);
    assert!(learner.is_learner && learner.name.is_empty() && learner.client_ur_ls.is_empty());
    assert_eq!((added.members.len(), added.header.unwrap().revision), (2, 0));
    assert!(added.members.is_sorted_by_key(|member| member.id));

    let learners = "etcdserver: too many learner members in cluster";
    refused(add(&mut c, &["http://c.example:2380"], true).await, Code::FailedPrecondition, learners);
    refused(add(&mut c, &["http://b.example:2380"], false).await, Code::FailedPrecondition, URL_EXISTS);
    refused(c.cluster.member_update(update(learner.id, &own_url)).await, Code::FailedPrecondition, URL_EXISTS);
    refused(c.cluster.member_update(update(7, "http://z.example:1")).await, Code::NotFound, NOT_FOUND);
    refused(c.cluster.member_update(update(7, "nonsense")).await, Code::NotFound, NOT_FOUND);
    // etcd's other members would end over such a URL.
    if !server.is_etcd() {
        let bad = "etcdserver: given member URLs are invalid";
        refused(c.cluster.member_update(update(learner.id, "nonsense")).await, Code::InvalidArgument, bad);
    }
    let updated = c.cluster.member_update(update(learner.id, "http://d.example:1")).await.unwrap().into_inner();
    let now = updated.members.iter().find(|member| member.id == learner.id).unwrap();
    assert_eq!(now.peer_ur_ls, ["http://d.example:1"]);

    let promote = |id| MemberPromoteRequest { id };
    let not_ready = "etcdserver: can only promote a learner member which is in sync with leader";
    refused(c.cluster.member_promote(promote(learner.id)).await, Code::FailedPrecondition, not_ready);
    refused(c.cluster.member_promote(promote(7)).await, Code::NotFound, NOT_FOUND);
    let voter = "etcdserver: can only promote a learner member";
    refused(c.cluster.member_promote(promote(header.member_id)).await, Code::FailedPrecondition, voter);

    let transferee = "etcdserver: bad leader transferee";
    for target_id in [learner.id, 7] {
        let moved = c.maintenance.move_leader(MoveLeaderRequest { target_id }).await;
        refused(moved, Code::FailedPrecondition, transferee);
    }
    c.maintenance.move_leader(MoveLeaderRequest { target_id: header.member_id }).await.unwrap();

    let remove = |id| MemberRemoveRequest { id };
    let removed = c.cluster.member_remove(remove(learner.id)).await.unwrap().into_inner();
    assert_eq!(removed.members.len(), 1);
    refused(c.cluster.member_remove(remove(learner.id)).await, Code::NotFound, NOT_FOUND);
    let last = c.cluster.member_remove(remove(header.member_id)).await.unwrap_err();
    assert_eq!(last.message(), "etcdserver: re-configuration failed due to not enough started members");
    c.put("k", "still there").await;
}

#[tokio::test]
async fn urls_of_a_new_member_are_checked() {
    let server = Server::start();
    let mut c = server.grpc().await;
    let bad = "etcdserver: given member URLs are invalid";
    for urls in [&[][..], &["localhost:2380"], &["http://a"], &["http://a:1/x"], &["ftp://a:1"], &["http://a:1", ""]] {
        refused(add(&mut c, urls, true).await, Code::InvalidArgument, bad);
    }
}

#[tokio::test]
async fn members_survive_a_restart() {
    let mut server = Server::start();
    let mut c = server.grpc().await;
    let learner = add(&mut c, &["http://a.example:2380"], true).await.unwrap().member.unwrap();
    c.cluster.member_remove(MemberRemoveRequest { id: learner.id }).await.unwrap();
    let second = add(&mut c, &["http://b.example:2380"], true).await.unwrap().member.unwrap();
    server.kill();
    server.restart();
    let mut c = server.grpc().await;
    let list = c.cluster.member_list(MemberListRequest { linearizable: true }).await.unwrap().into_inner();
    assert_eq!(list.members.len(), 2);
    assert!(list.members.iter().any(|member| member.id == second.id && member.is_learner));
    let gone = c.cluster.member_promote(MemberPromoteRequest { id: learner.id }).await;
    refused(gone, Code::NotFound, NOT_FOUND);
}

async fn downgrade(c: &mut Grpc, action: DowngradeAction, version: &str) -> Result<DowngradeResponse, Status> {
    let request = DowngradeRequest { action: action.into(), version: version.to_owned() };
    c.maintenance.downgrade(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_downgrade_is_begun_and_cancelled() {
    let server = Server::start();
    if server.older_than("3.6") {
        return;
    }
    let mut c = server.grpc().await;
    let version = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().version;
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    let (cluster, target) = (format!("3.{minor}"), format!("3.{}", minor - 1));
    let (format, invalid) =
        ("etcdserver: wrong downgrade target version format", "etcdserver: invalid downgrade target version");
    for wrong in ["", "3", "3.x", "a.b.c"] {
        refused(downgrade(&mut c, DowngradeAction::Validate, wrong).await, Code::InvalidArgument, format);
    }
    for other in [cluster.clone(), format!("3.{}", minor - 2), "2.9".to_owned()] {
        refused(downgrade(&mut c, DowngradeAction::Enable, &other).await, Code::InvalidArgument, invalid);
    }
    for good in [target.clone(), format!("{target}.9")] {
        assert_eq!(downgrade(&mut c, DowngradeAction::Validate, &good).await.unwrap().version, cluster);
    }
    assert_eq!(downgrade(&mut c, DowngradeAction::Enable, &target).await.unwrap().version, cluster);
    let busy = "etcdserver: cluster has a downgrade job in progress";
    // The cluster's version may have been lowered already.
    let again = downgrade(&mut c, DowngradeAction::Enable, &target).await.unwrap_err();
    assert!([busy, invalid].contains(&again.message()), "{again:?}");
    let info = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().downgrade_info.unwrap();
    assert_eq!((info.enabled, info.target_version), (true, format!("{target}.0")));
    for _ in 0..2 {
        downgrade(&mut c, DowngradeAction::Cancel, "").await.unwrap();
    }
    let info = c.maintenance.status(StatusRequest {}).await.unwrap().into_inner().downgrade_info.unwrap();
    assert_eq!((info.enabled, info.target_version.as_str()), (false, ""));
    let request = DowngradeRequest { action: 9, version: String::new() };
    refused(c.maintenance.downgrade(request).await, Code::Unknown, "etcdserver: unknown method");
}
