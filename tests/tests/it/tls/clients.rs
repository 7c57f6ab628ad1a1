//! Clients of other people over TLS: etcd's own in Go, and a browser. An authority that they do not know is refused by
//! themselves.

use std::path::Path;
use std::process::Command;

use keyport_tests::certificates::{Authority, Holder, file_flag};
use keyport_tests::target::workspace;

use super::programs::{Go, browser_showing, outcome};
use super::{Encrypted, own};

#[tokio::test]
async fn etcds_client_in_go() {
    let Some(go) = Go::found() else { return };
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (ca, own) = (authority.file(), own(&authority));
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend(["trusted-ca-file", "peer-trusted-ca-file"].map(|flag| file_flag(flag, &ca)));
    let server = Encrypted::start(flags).await;
    let whom = format!("127.0.0.1:{}", server.client);
    let shown = authority.issue("shown", &Holder::new("go", &[]));
    go.calls(&whom, &ca, Some(&shown)).unwrap();
    let refused = go.calls(&whom, &stranger.file(), Some(&shown)).unwrap_err();
    assert!(refused.contains("certificate signed by unknown authority"), "{refused}");
    // What they say depends on whether the reason or the end is seen first.
    go.calls(&whom, &ca, None).unwrap_err();
    go.calls(&whom, &ca, Some(&stranger.issue("shown", &Holder::new("go", &[])))).unwrap_err();
}

#[tokio::test]
async fn a_browser() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut own = own(&authority);
    // With the authority behind it, by which the browser knows it.
    let chain = [&own.cert, &authority.file()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    own.cert = authority.file().with_file_name("chain.pem");
    std::fs::write(&own.cert, chain).unwrap();
    let server = Encrypted::start([own.flags(""), own.flags("peer-")].concat()).await;
    if server.server.is_etcd() {
        return; // has no pages
    }
    let page = |trusted: &Path| {
        let mut node = Command::new("node");
        node.arg(workspace().join("tests/clients/node/tls.mjs"));
        outcome(node.arg(format!("https://localhost:{}", server.client)).arg(trusted))
    };
    page(&authority.file()).unwrap();
    assert!(page(&stranger.file()).unwrap_err().contains("ERR_CERT_AUTHORITY_INVALID"));
}

/// By its own stack and its own store of keys.
#[tokio::test]
async fn a_browser_shows_a_certificate() {
    const REVOKED: u64 = 77;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let crl = authority.revoke(&[REVOKED]);
    let server = Encrypted::certifying(&authority, &[&*file_flag("client-crl-file", &crl)]).await;
    if server.server.is_etcd() {
        return; // has no pages
    }
    let (ca, pages) = (authority.file(), [format!("https://localhost:{}/version", server.client)]);
    let holder = || Holder::new("alice", &[]);
    for (what, shown, let_in) in [
        ("good", Some(authority.issue("good", &holder())), true),
        ("nobody", None, false),
        ("expired", Some(authority.issue("expired", &holder().valid(-3, -1))), false),
        ("of another authority", Some(stranger.issue("stranger", &holder())), false),
        ("revoked", Some(authority.issue("revoked", &holder().serial(REVOKED))), false),
    ] {
        let Some(verdicts) = browser_showing(&ca, shown.as_ref(), &pages) else { return };
        // What it says depends on whether the reason or the end is seen first.
        let is_as_wanted = if let_in { verdicts == ["200"] } else { verdicts[0].starts_with("ERR_") };
        assert!(verdicts.len() == 1 && is_as_wanted, "{what}: {verdicts:?}");
    }
    // They were not only kept back by the browser.
    let log = server.server.log();
    for reason in ["peer sent no certificates", "invalid peer certificate", "certificate serial 4d revoked"] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
}
