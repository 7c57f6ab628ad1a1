//! The same in a real browser: pages from another site, and from a name that was led here after they were loaded.

use std::process::{Command, Stdio};

use keyport_tests::Server;
use keyport_tests::server::free_port;
use keyport_tests::target::workspace;
use serde_json::{Value, json};

/// What came of all that pages tried at each of the addresses.
fn outcomes(port: u16, addresses: &[String]) -> Vec<Value> {
    let mut node = Command::new("node");
    node.arg(workspace().join("tests/clients/node/strangers.mjs")).arg(port.to_string()).args(addresses);
    let out = node.stdin(Stdio::null()).output().expect("node can be started");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

async fn with_a_secret(flags: &[String]) -> Server {
    let server = Server::builder().args(flags).start();
    server.grpc().await.put("secret", "secret").await;
    server
}

fn keys(server: &Server) -> Vec<String> {
    let listed = server.etcdctl().ok(&["get", "", "--from-key", "--keys-only"]);
    listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn pages_of_strangers_get_at_nothing_unless_they_are_let() {
    let closed = with_a_secret(&[]).await;
    if closed.is_etcd() {
        return; // lets them
    }
    let port = free_port();
    let let_in =
        [format!("--cors=http://elsewhere.test:{port}"), "--host-whitelist=127.0.0.1,attacker.test".to_owned()];
    let open = with_a_secret(&let_in).await;
    let addresses = [closed.addr(), closed.peer_addr(), open.addr()].map(|address| address.to_string());
    let outcomes = tokio::task::spawn_blocking(move || outcomes(port, &addresses)).await.unwrap();
    let [client, peer, opened] = outcomes.try_into().unwrap();

    let all = |rest: &str, opaque: &str| {
        json!({
            "get": rest, "get, no-cors": opaque, "range": rest, "post": rest, "post of JSON": rest, "post, no-cors": opaque,
            "form": "sent", "events": "refused", "socket": "refused",
        })
    };
    assert_eq!(client, json!({ "elsewhere": all("refused", "opaque"), "rebound": all("421", "421") }));
    let mut at_peer = all("403", "403");
    at_peer["get"] = json!("421");
    at_peer["get, no-cors"] = json!("421");
    assert_eq!(peer, json!({ "elsewhere": all("refused", "opaque"), "rebound": at_peer }));
    assert_eq!(keys(&closed), ["secret"]);
    assert_eq!(closed.grpc().await.revision().await, 2, "nothing was written");

    let let_in = |opaque: &str| {
        json!({
            "get": "200", "get, no-cors": opaque, "range": "200, read", "post": "200", "post of JSON": "200",
            "post, no-cors": opaque, "form": "sent", "events": "open", "socket": "open",
        })
    };
    assert_eq!(opened, json!({ "elsewhere": let_in("opaque"), "rebound": let_in("200") }));
    let written = ["form", "post", "post of JSON", "post, no-cors"];
    let of = |page: &'static str| written.iter().map(move |how| format!("{page}, {how}"));
    assert_eq!(keys(&open), of("elsewhere").chain(of("rebound")).chain(["secret".to_owned()]).collect::<Vec<_>>());
}
