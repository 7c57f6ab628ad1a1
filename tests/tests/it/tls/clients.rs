//! Clients of other people over TLS: etcd's own in Go, and a browser. An authority that they do not know is refused by
//! themselves.

use std::path::Path;
use std::process::{Command, Stdio};

use keyport_tests::certificates::{Authority, Holder, Pair, file_flag};
use keyport_tests::target::{folder, workspace};

use super::{Encrypted, own};

/// What a program comes to.
fn outcome(command: &mut Command) -> Result<(), String> {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if out.status.success() { Ok(()) } else { Err(said) }
}

#[tokio::test]
async fn etcds_client_in_go() {
    let program = folder("new-etcd").join("tls-client");
    if !program.is_file() {
        return eprintln!("skipped: there is no Go, or `make tools` was not run");
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (ca, own) = (authority.file(), own(&authority));
    let mut flags = [own.flags(""), own.flags("peer-")].concat();
    flags.extend(["trusted-ca-file", "peer-trusted-ca-file"].map(|flag| file_flag(flag, &ca)));
    let server = Encrypted::start(flags).await;
    let go = |trusted: &Path, shown: Option<&Pair>| {
        let mut command = Command::new(&program);
        command.arg(format!("127.0.0.1:{}", server.client)).arg(trusted);
        match shown {
            Some(Pair { cert, key }) => command.arg(cert).arg(key),
            None => command.args(["", ""]),
        };
        outcome(&mut command)
    };
    let shown = authority.issue("shown", &Holder::new("go", &[]));
    go(&ca, Some(&shown)).unwrap();
    let refused = go(&stranger.file(), Some(&shown)).unwrap_err();
    assert!(refused.contains("certificate signed by unknown authority"), "{refused}");
    // What they say depends on whether the reason or the end is seen first.
    go(&ca, None).unwrap_err();
    go(&ca, Some(&stranger.issue("shown", &Holder::new("go", &[])))).unwrap_err();
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
