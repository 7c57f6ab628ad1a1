//! A DNS server that knows only what it is told.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::UdpSocket;

use crate::net::Names;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    A([u8; 4]),
    Srv { priority: u16, weight: u16, port: u16, target: &'static str },
}

/// One of the first priority, without a weight.
pub(crate) fn srv(port: u16, target: &'static str) -> Record {
    Record::Srv { priority: 0, weight: 0, port, target }
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
            Record::Srv { priority, weight, port, target } => {
                let mut data = [priority.to_be_bytes(), weight.to_be_bytes(), port.to_be_bytes()].concat();
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

/// Starts one, which lives as long as the test; whoever asks it.
pub(crate) async fn dns(zone: &[(&'static str, Vec<Record>)]) -> Names {
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
