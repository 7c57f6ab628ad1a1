use super::*;
use crate::bootstrap::tests::config;

async fn founding(args: &[&str]) -> Result<Founding, String> {
    found(&config(args), &PeerClient::without_files()).await.map_err(|error| error.to_string())
}

/// As member `a` at port 1, of the cluster given.
async fn refusal(cluster: &str) -> String {
    let own = "--initial-advertise-peer-urls=http://127.0.0.1:1";
    founding(&["--name=a", own, &format!("--initial-cluster={cluster}")]).await.unwrap_err()
}

/// Ids as real members of a real cluster have them.
#[tokio::test]
async fn three_founders_agree() {
    let mut ids = Vec::new();
    for (name, port) in [("m1", 2380), ("m2", 22380), ("m3", 32380)] {
        let args = [
            &format!("--name={name}"),
            "--initial-cluster=m3=http://127.0.0.1:32380,m1=http://127.0.0.1:2380,m2=http://127.0.0.1:22380",
            &format!("--initial-advertise-peer-urls=http://127.0.0.1:{port}"),
            "--initial-cluster-token=tok",
        ];
        let founding = founding(&args).await.unwrap();
        assert_eq!(founding.initial.len(), 3);
        assert!(founding.members.is_sorted_by_key(|member| member.id));
        assert_eq!(founding.members.iter().find(|m| m.id == founding.member_id).map(|m| m.name.as_str()), Some(name));
        assert_eq!(founding.metadata().cluster_id, founding.cluster_id);
        ids.push((founding.cluster_id, founding.initial));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn mismatches_are_named_as_etcd_names_them() {
    assert_eq!(
        refusal("b=http://127.0.0.1:1").await,
        "couldn't find local name \"a\" in the initial cluster configuration"
    );
    assert_eq!(refusal("").await, "couldn't find local name \"a\" in the initial cluster configuration");
    assert_eq!(
        refusal("a=http://127.0.0.1:2,b=http://127.0.0.1:3").await,
        "--initial-cluster has a=http://127.0.0.1:2 but missing from \
         --initial-advertise-peer-urls=http://127.0.0.1:1 (resolved urls: \"http://127.0.0.1:1\" != \"http://127.0.0.1:2\")"
    );
    // The same name twice is one member with two URLs.
    assert_eq!(
        refusal("a=http://127.0.0.1:1,a=http://127.0.0.1:2").await,
        "--initial-cluster has a=http://127.0.0.1:2 but missing from --initial-advertise-peer-urls=http://127.0.0.1:1 \
         (len([\"http://127.0.0.1:1\"]) != len([\"http://127.0.0.1:1\" \"http://127.0.0.1:2\"]))"
    );
    assert_eq!(
        refusal("a=http://127.0.0.1:1,b=http://127.0.0.1:1").await,
        "initial cluster a=http://127.0.0.1:1,b=http://127.0.0.1:1 has duplicate url"
    );
    let two = "--initial-advertise-peer-urls=http://127.0.0.1:1,http://127.0.0.1:2";
    assert_eq!(
        founding(&["--name=a", two, "--initial-cluster=a=http://127.0.0.1:1"]).await.unwrap_err(),
        "--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from --initial-cluster=a=http://127.0.0.1:1"
    );
}

#[tokio::test(start_paused = true)]
async fn localhost_is_nobodys_address() {
    assert!(refusal("a=http://localhost:1").await.contains("resolved urls"), "whose localhost that is depends");
}

#[test]
fn a_plan_reads_as_the_flag_does() {
    let config = config(&["--name=b", "--initial-cluster=b=http://b:1,a=http://a:2,a=http://a:1"]);
    let plan = Plan { members: config.cluster.initial, token: config.cluster.token };
    assert_eq!(plan.to_string(), "a=http://a:1,a=http://a:2,b=http://b:1");
    assert_eq!(plan.others("b"), ["http://a:1", "http://a:2"]);
    let ids: Vec<u64> = plan.members().unwrap().iter().map(|member| member.id).collect();
    let other = Plan { token: "other".to_owned(), ..plan };
    assert!(other.members().unwrap().iter().all(|member| !ids.contains(&member.id)));
}
