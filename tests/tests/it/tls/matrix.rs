//! Every listener, and everything that can be wrong with a caller's certificate.

use std::path::Path;
use std::thread;

use keyport_tests::certificates::{Authority, Holder, Pair, file_flag};

use super::programs::{Go, etcdctl};
use super::{Encrypted, own};

const REVOKED: u64 = 0x1234_5678_9abc;

/// Who is let in where: clients, metrics, peers.
struct Row {
    what: &'static str,
    shown: Option<Pair>,
    let_in: [bool; 3],
}

fn rows(authority: &Authority, stranger: &Authority) -> Vec<Row> {
    let here = &["127.0.0.1", "member.test"];
    let issue = |what: &'static str, holder: Holder| Some(authority.issue(&what.replace(' ', "-"), &holder));
    let row = |what, shown, let_in| Row { what, shown, let_in };
    let member = || Holder::new("member", here);
    vec![
        row("good", issue("good", member()), [true; 3]),
        row("nobody", None, [false; 3]),
        row("expired", issue("expired", member().valid(-3, -1)), [false; 3]),
        row("not yet valid", issue("not yet valid", member().valid(1, 3)), [false; 3]),
        row("wrong authority", Some(stranger.issue("stranger", &member())), [false; 3]),
        row("not for clients", issue("not for clients", member().server_only()), [false; 3]),
        row("revoked", issue("revoked", member().serial(REVOKED)), [false; 3]),
        row("an authority", issue("an authority", member().authority()), [false; 3]),
        row("wrong common name", issue("wrong name", Holder::new("other", here)), [true, true, false]),
        row("elsewhere", issue("elsewhere", Holder::new("member", &["192.0.2.1"])), [true, false, false]),
        row("no place", issue("no place", Holder::new("member", &[])), [true; 3]),
    ]
}

#[tokio::test]
async fn who_is_let_in_where() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (ca, own, crl) = (authority.file(), own(&authority), authority.revoke(&[REVOKED]));
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend(["--client-cert-auth".to_owned(), "--peer-client-cert-auth".to_owned()]);
    flags.extend(["trusted-ca-file", "peer-trusted-ca-file"].map(|flag| file_flag(flag, &ca)));
    flags.extend(["client-crl-file", "peer-crl-file"].map(|flag| file_flag(flag, &crl)));
    flags.push("--peer-cert-allowed-cn=another,member".to_owned());
    let server = Encrypted::start(flags).await;
    if server.server.older_than("3.6") {
        return; // takes no list of names
    }
    let mut rows = rows(&authority, &stranger);
    // The rules for paths do not take an authority's certificate at their end; Go does.
    let odd = rows.iter_mut().find(|row| row.what == "an authority" && server.server.is_etcd());
    odd.into_iter().for_each(|row| row.let_in = [true; 3]);
    let go = Go::found();
    for Row { what, shown, let_in } in &rows {
        let listeners = [(server.client, "/version"), (server.metrics, "/metrics"), (server.peer, "/version")];
        let tried = listeners.map(|(port, path)| server.answers(port, path, &ca, shown.as_ref()));
        assert_eq!(tried, *let_in, "{what}: clients, metrics, peers");
        let Some(go) = &go else { continue };
        let by_go = |whom: &str| go.calls(whom, &ca, shown.as_ref());
        let tried = listeners.map(|(port, path)| by_go(&format!("https://127.0.0.1:{port}{path}")));
        assert_eq!(tried.each_ref().map(Result::is_ok), *let_in, "{what}: clients, metrics, peers: {tried:?}");
        let called = by_go(&format!("127.0.0.1:{}", server.client));
        assert_eq!(called.is_ok(), let_in[0], "{what}: {called:?}");
    }
    by_etcdctl(&server, &ca, &rows);
    let log = server.server.log();
    assert!(log.contains("rejected connection on client endpoint") && log.contains("on peer endpoint"));
    for reason in [
        "transport: certificate serial 123456789abc revoked",
        "x509: certificate is valid for 192.0.2.1, not 127.0.0.1",
    ] {
        assert!(log.contains(reason), "{reason}");
    }
}

/// All at once: who is not let in goes on trying until his time is over.
fn by_etcdctl(server: &Encrypted, ca: &Path, rows: &[Row]) {
    thread::scope(|scope| {
        for Row { what, shown, let_in } in rows {
            scope.spawn(move || {
                let called = etcdctl(server.client, ca, shown.as_ref());
                assert_eq!(called.is_ok(), let_in[0], "{what}: {called:?}");
                // What it says depends on whether the reason or the end is seen first.
                let refused = |said: &String| said.contains("last connection error: ");
                assert!(called.as_ref().err().is_none_or(refused), "{what}: {called:?}");
            });
        }
    });
}

#[tokio::test]
async fn host_names_of_clients_may_be_listed_and_a_certificate_may_be_its_own_authority() {
    let authority = Authority::new();
    let own = own(&authority);
    let pinned = authority.self_signed("pinned", &Holder::new("pinned", &["a.test"]).authority());
    // Two that are trusted: an authority, and one that is nobody's.
    let both = authority.file().with_file_name("both.pem");
    let text = [&authority.file(), &pinned.cert].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&both, text).unwrap();
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.push(file_flag("trusted-ca-file", &both));
    flags.push("--client-cert-allowed-hostname=a.test,b.test".to_owned());
    flags.push(file_flag("peer-trusted-ca-file", &authority.file()));
    let server = Encrypted::start(flags).await;
    if server.server.older_than("3.6") {
        return; // takes no list of names
    }
    let issue = |name: &str, host: &str| authority.issue(name, &Holder::new("any", &[host]));
    for (what, shown, let_in) in [
        ("listed", issue("listed", "b.test"), true),
        ("by a star", issue("star", "*.test"), true),
        ("not listed", issue("unlisted", "c.test"), false),
        ("itself trusted", pinned, true),
    ] {
        assert_eq!(server.answers(server.client, "/version", &authority.file(), Some(&shown)), let_in, "{what}");
    }
}
