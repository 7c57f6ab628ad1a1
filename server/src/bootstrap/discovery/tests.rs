//! Against a DNS server of our own, which knows only what it is told.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::UdpSocket;

use super::srv;
use crate::bootstrap::names::Names;
use crate::bootstrap::tests::config;

#[derive(Clone)]
enum Record {
    A([u8; 4]),
    Srv { priority: u16, port: u16, target: &'static str },
}

fn srv(port: u16, target: &'static str) -> Record {
    Record::Srv { priority: 0, port, target }
}

fn wire_name(name: &str) -> Vec<u8> {
    let labels = name
        .trim_end_matches('.')
        .split('.')
        .flat_map(|label| std::iter::once(u8::try_from(label.len()).unwrap()).chain(label.bytes()));
    labels.chain([0]).collect()
}

/// The question's name and type, and where it ends.
fn question(packet: &[u8]) -> (String, u16, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        labels.push(String::from_utf8(packet[at + 1..end].to_vec()).unwrap().to_lowercase());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([packet[at + 1], packet[at + 2]]), at + 5)
}

fn answer(packet: &[u8], zone: &HashMap<&str, Vec<Record>>) -> Vec<u8> {
    let (name, kind, end) = question(packet);
    let records = zone.get(name.as_str());
    let mut answers = Vec::new();
    let mut count = 0u16;
    for record in records.into_iter().flatten() {
        let (code, data) = match record {
            Record::A(address) => (1u16, address.to_vec()),
            Record::Srv { priority, port, target } => {
                let mut data = [priority.to_be_bytes(), 0u16.to_be_bytes(), port.to_be_bytes()].concat();
                data.extend(wire_name(target));
                (33u16, data)
            }
        };
        if code == kind {
            count += 1;
            answers.extend([0xc0, 12]);
            answers.extend(code.to_be_bytes());
            answers.extend([0, 1, 0, 0, 0, 9]);
            answers.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            answers.extend(data);
        }
    }
    let code = if records.is_some() { 0 } else { 3 };
    let mut reply = packet[..2].to_vec();
    reply.extend([0x85, 0x80 | code, 0, 1]);
    reply.extend(count.to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&packet[12..end]);
    reply.extend(answers);
    reply
}

async fn dns(zone: &[(&'static str, Vec<Record>)]) -> Names {
    let zone: HashMap<&'static str, Vec<Record>> = zone.iter().cloned().collect();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V4(address) = socket.local_addr().unwrap() else { unreachable!() };
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut packet).await {
            socket.send_to(&answer(&packet[..len], &zone), from).await.unwrap();
        }
    });
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    let server = NameServerConfig::new((*address.ip()).into(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap();
    Names::Dns(Box::new(resolver))
}

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
