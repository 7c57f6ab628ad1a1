//! Against a DNS server of our own, which knows only what it is told.

use super::srv;
use crate::bootstrap::tests::config;
use crate::testing::dns::{Record, dns, srv};

async fn find(zone: &[(&'static str, Vec<Record>)], args: &[&str]) -> Result<String, String> {
    let names = dns(zone).await;
    let suffix = if args.contains(&"--discovery-srv-name=x") { "x" } else { "" };
    let found = srv::find(&config(args), &names, "example.test", suffix).await;
    found.map(|plan| plan.to_string()).map_err(|error| error.to_string())
}

const ME: &str = "--initial-advertise-peer-urls=http://10.0.0.2:2380";

fn three() -> Vec<(&'static str, Vec<Record>)> {
    vec![
        (
            "_etcd-server._tcp.example.test",
            vec![srv(2380, "n3.example.test."), srv(2380, "n1.example.test."), srv(2380, "n2.example.test.")],
        ),
        ("n1.example.test", vec![Record::A([10, 0, 0, 1])]),
        ("n2.example.test", vec![Record::A([10, 0, 0, 2])]),
        ("n3.example.test", vec![Record::A([10, 0, 0, 3])]),
    ]
}

#[tokio::test]
async fn members_are_found_and_this_one_by_its_address() {
    assert_eq!(
        find(&three(), &["--name=b", ME]).await.unwrap(),
        "0=http://n1.example.test:2380,1=http://n3.example.test:2380,b=http://n2.example.test:2380"
    );
    // The suffix is part of the service's name.
    let mut zone = three();
    zone[0].0 = "_etcd-server-x._tcp.example.test";
    assert!(find(&zone, &["--name=b", ME, "--discovery-srv-name=x"]).await.is_ok());
    assert!(find(&zone, &["--name=b", ME]).await.is_err());
}

/// The name in the record and the address that is advertised are the same place.
#[tokio::test]
async fn what_is_advertised_is_compared_by_address() {
    let names = dns(&three()).await;
    let url = |text: &str| vec![crate::config::Url::parse(text).unwrap()];
    let soon = tokio::time::Instant::now();
    let (name, address) = (url("http://n2.example.test:2380"), url("http://10.0.0.2:2380"));
    assert_eq!(names.same_urls(&address, &name, soon).await, Ok(()));
    let error = names.same_urls(&url("http://10.0.0.1:2380"), &name, soon).await.unwrap_err();
    assert_eq!(error, "resolved urls: \"http://10.0.0.1:2380\" != \"http://10.0.0.2:2380\"");
    assert!(
        names
            .same_urls(&url("http://nowhere.test:1"), &name, soon)
            .await
            .unwrap_err()
            .starts_with("lookup nowhere.test")
    );
}

#[tokio::test]
async fn what_dns_does_not_say() {
    assert_eq!(
        find(&three(), &["--name=b", "--initial-advertise-peer-urls=http://10.0.0.9:2380"]).await.unwrap_err(),
        "error setting up initial cluster: cannot find local etcd member \"b\" in SRV records"
    );
    let error = find(&[], &["--name=b", ME]).await.unwrap_err();
    let expected = "error setting up initial cluster: error querying DNS SRV records for _etcd-server-ssl lookup \
                    _etcd-server-ssl._tcp.example.test: ";
    assert!(error.starts_with(expected), "{error}");
    assert!(
        error.contains("; error querying DNS SRV records for _etcd-server lookup _etcd-server._tcp.example.test: ")
    );
    // A record that leads nowhere costs its member, not the others.
    let mut zone = three();
    zone.pop();
    assert_eq!(
        find(&zone, &["--name=b", ME]).await.unwrap(),
        "0=http://n1.example.test:2380,b=http://n2.example.test:2380"
    );
}

#[tokio::test]
async fn members_with_tls_have_records_of_their_own() {
    let mut zone = three();
    zone.push(("_etcd-server-ssl._tcp.example.test", vec![srv(2380, "n1.example.test.")]));
    assert!(find(&zone, &["--name=b", ME]).await.unwrap().starts_with("0=https://n1.example.test:2380,"));
    // Our own address under the other scheme.
    zone[0].0 = "_etcd-server-ssl._tcp.example.test";
    zone.pop();
    zone[0].1 = vec![srv(2380, "n2.example.test.")];
    let error = find(&zone, &["--name=b", ME]).await.unwrap_err();
    assert!(error.contains("scheme mismatch with expected peer http://10.0.0.2:2380"), "{error}");
}
