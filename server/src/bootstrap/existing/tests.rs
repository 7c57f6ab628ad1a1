use axum::Json;
use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::bootstrap::identity::found;
use crate::bootstrap::tests::config;

/// A member of a cluster, as far as newcomers see one. Returns its peer URL.
async fn peer(cluster_id: &'static str, members: impl FnOnce(&str) -> Value, version: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let members = members(&url);
    let router = Router::new()
        .route("/members", get(async move || ([(CLUSTER_ID_HEADER, cluster_id)], Json(members))))
        .route("/version", get(async move || Json(version)));
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

fn version(cluster: &str) -> Value {
    json!({"etcdserver": "3.7.1", "etcdcluster": cluster, "storage": "3.7.0"})
}

const OWN: &str = "http://127.0.0.1:1";

/// The peer itself, and the newcomer as `member add` leaves it.
fn two(url: &str) -> Value {
    json!([{"id": 12, "peerURLs": [OWN]}, {"id": 11, "peerURLs": [url], "name": "a", "clientURLs": ["http://a:1"]}])
}

async fn join_at(url: &str, more: &[&str]) -> Result<Founding, String> {
    let cluster = format!("--initial-cluster=new={OWN},other={url}");
    let own = format!("--initial-advertise-peer-urls={OWN}");
    let mut args = vec!["--name=new", "--initial-cluster-state=existing", &cluster, &own];
    args.extend(more);
    found(&config(&args), &PeerClient::without_files()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_newcomer_takes_the_id_that_it_was_given() {
    let url = peer("cafe", two, version("3.7.0")).await;
    let founding = join_at(&url, &[]).await.unwrap();
    assert_eq!((founding.cluster_id, founding.member_id), (0xcafe, 12));
    assert!(founding.initial.is_empty());
    assert_eq!(founding.members.iter().map(|member| member.id).collect::<Vec<_>>(), [11, 12]);
    // Names are for people.
    assert_eq!(founding.members.first().map(|member| member.name.as_str()), Some("a"));
}

/// A follower that lags behind has not heard of it yet, and may well be who answers first.
#[tokio::test]
async fn one_who_knows_the_newcomer_is_enough() {
    let behind = peer("cafe", |url| json!([{"id": 11, "peerURLs": [url]}]), version("3.7.0")).await;
    let others = behind.clone();
    let members = |url: &str| json!([{"id": 12, "peerURLs": [OWN]}, {"id": 11, "peerURLs": [others]}, {"id": 13, "peerURLs": [url]}]);
    let ahead = peer("cafe", members, version("3.7.0")).await;
    for (one, other) in [(&behind, &ahead), (&ahead, &behind)] {
        let more = format!("--initial-cluster=new={OWN},other={one},third={other}");
        assert_eq!(join_at(one, &[&more]).await.unwrap().member_id, 12);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let refusal = async |members: fn(&str) -> Value, cluster: &str| {
        let url = peer("cafe", members, version(cluster)).await;
        join_at(&url, &[]).await.unwrap_err()
    };
    assert_eq!(
        refusal(|url| json!([{"id": 11, "peerURLs": [url]}]), "3.7.0").await,
        "error validating peerURLs: member count is unequal"
    );
    let stranger = |url: &str| json!([{"id": 11, "peerURLs": [url]}, {"id": 255, "peerURLs": ["http://127.0.0.1:2"]}]);
    assert!(refusal(stranger, "3.7.0").await.starts_with(
        "error validating peerURLs: PeerURLs: no match found for existing member (ff, [http://127.0.0.1:2])"
    ));
    assert_eq!(
        refusal(|_| json!([]), "3.7.0").await,
        "cannot fetch cluster info from peer urls: failed to get raft cluster member(s) from the given URLs"
    );
    assert_eq!(
        refusal(|_| json!({"no": "members"}), "3.7.0").await,
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs"
    );
    for cluster in ["9.0.0", "3.8.0", "2.3.0", "not_decided"] {
        assert_eq!(refusal(two, cluster).await, "incompatible with current running cluster", "{cluster}");
    }
    let learners = |url: &str| json!([{"id": 11, "peerURLs": [url], "isLearner": true}, {"id": 12, "peerURLs": [OWN], "isLearner": true}]);
    assert!(refusal(learners, "3.7.0").await.starts_with("membership: too many learner members in cluster"));
}

#[tokio::test]
async fn nobody_there() {
    let expected =
        "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs";
    assert_eq!(join_at("http://127.0.0.1:2", &[]).await.unwrap_err(), expected);
    let discovery = ["--discovery-token=t", "--discovery-endpoints=127.0.0.1:2", "--initial-cluster-state=existing"];
    let refused = found(&config(&discovery), &PeerClient::without_files()).await.unwrap_err().to_string();
    assert_eq!(refused, "discovery URL should not be set when joining existing initial cluster");
}

/// A founder whose data is gone must not start over while its cluster goes on.
#[tokio::test]
async fn founding_twice_is_refused() {
    let args = |url: &str| {
        [
            "--name=new".to_owned(),
            format!("--initial-cluster=new={OWN},other={url}"),
            format!("--initial-advertise-peer-urls={OWN}"),
        ]
    };
    let found_at = async |url: &str| {
        let args = args(url);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        found(&config(&args), &PeerClient::without_files()).await.map_err(|error| error.to_string())
    };
    let own_id = crate::membership::bootstrap_member_id(&[OWN.to_owned()], "etcd-cluster");
    let served = move |url: &str| json!([{"id": own_id, "peerURLs": [OWN], "clientURLs": ["http://c:1"]}, {"id": 1, "peerURLs": [url]}]);
    let url = peer("cafe", served, version("3.7.0")).await;
    assert_eq!(found_at(&url).await.unwrap_err(), format!("member {own_id:x} has already been bootstrapped"));
    // Known, but it has not served yet: the other founder was only faster.
    let unserved = move |url: &str| json!([{"id": own_id, "peerURLs": [OWN]}, {"id": 1, "peerURLs": [url]}]);
    let url = peer("cafe", unserved, version("3.7.0")).await;
    assert_eq!(found_at(&url).await.unwrap().member_id, own_id);
}
