//! What clients make of the server's own certificate, on every listener: those who are wronged by it go away by themselves.

use std::path::Path;
use std::thread;

use keyport_tests::certificates::{Authority, Holder, Pair};

use super::Encrypted;
use super::programs::{Go, browser, etcdctl};

/// A certificate, whether it will do, and what a browser says of it.
struct Row {
    what: &'static str,
    shown: Pair,
    will_do: bool,
    verdict: &'static str,
}

fn rows(authority: &Authority, stranger: &Authority) -> Vec<Row> {
    let server = || Holder::new("server", &["127.0.0.1", "localhost"]);
    let elsewhere = Holder::new("127.0.0.1", &["192.0.2.1", "elsewhere.test"]);
    let row = |what, shown, verdict| Row { what, shown, will_do: verdict == "200", verdict };
    vec![
        row("good", authority.issue("good", &server()), "200"),
        row("expired", authority.issue("expired", &server().valid(-3, -1)), "ERR_CERT_DATE_INVALID"),
        row("not yet valid", authority.issue("early", &server().valid(1, 3)), "ERR_CERT_DATE_INVALID"),
        row("of another authority", stranger.issue("stranger", &server()), "ERR_CERT_AUTHORITY_INVALID"),
        row("of nobody", authority.self_signed("nobody", &server()), "ERR_CERT_AUTHORITY_INVALID"),
        row("for another host", authority.issue("elsewhere", &elsewhere), "ERR_CERT_COMMON_NAME_INVALID"),
        row("for clients only", authority.issue("client", &server().client_only()), "ERR_CERT_INVALID"),
    ]
}

/// All who are not served, by listener and client, with what they say. Those of Go name what is wrong.
fn refused(server: &Encrypted, ca: &Path, go: Option<&Go>) -> Vec<(String, String)> {
    let mut refused = Vec::new();
    for (listener, port, path) in [
        ("client", server.client, "/version"),
        ("metrics", server.metrics, "/metrics"),
        ("peer", server.peer, "/version"),
    ] {
        if !server.answers(port, path, ca, None) {
            refused.push((format!("curl, {listener}"), String::new()));
        }
        let called = go.map(|go| go.calls(&format!("https://127.0.0.1:{port}{path}"), ca, None));
        refused.extend(called.and_then(Result::err).map(|said| (format!("Go, {listener}"), said)));
    }
    let called = go.map(|go| go.calls(&format!("127.0.0.1:{}", server.client), ca, None));
    refused.extend(called.and_then(Result::err).map(|said| ("Go, calls".to_owned(), said)));
    refused
}

#[tokio::test]
async fn clients_go_away_from_a_certificate_that_will_not_do() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (ca, go) = (authority.file(), Go::found());
    let mut servers = Vec::new();
    for row in rows(&authority, &stranger) {
        let server = Encrypted::start([row.shown.flags(""), row.shown.flags("peer-")].concat()).await;
        servers.push((row, server));
    }
    let etcdctls = thread::scope(|scope| {
        let called = |(_, server): &(Row, Encrypted)| {
            let (port, ca) = (server.client, &ca);
            scope.spawn(move || etcdctl(port, ca, None))
        };
        let called: Vec<_> = servers.iter().map(called).collect();
        called.into_iter().map(|called| called.join().unwrap()).collect::<Vec<_>>()
    });
    let tries = if go.is_some() { 7 } else { 3 };
    for ((Row { what, will_do, .. }, server), etcdctl) in servers.iter().zip(etcdctls) {
        let refused = refused(server, &ca, go.as_ref());
        assert_eq!(refused.len(), if *will_do { 0 } else { tries }, "{what}: {refused:?}");
        assert!(
            refused.iter().all(|(who, said)| !who.starts_with("Go") || said.contains("x509: ")),
            "{what}: {refused:?}"
        );
        match etcdctl {
            Ok(()) => assert!(will_do, "{what}"),
            Err(said) => assert!(!will_do && said.contains("x509: "), "{what}: {said}"),
        }
    }
    let pages: Vec<_> =
        servers.iter().map(|(_, server)| format!("https://localhost:{}/version", server.client)).collect();
    if let Some(verdicts) = browser(&ca, &pages) {
        let wanted: Vec<_> = servers.iter().map(|(row, _)| row.verdict).collect();
        assert_eq!(verdicts, wanted);
    }
}
