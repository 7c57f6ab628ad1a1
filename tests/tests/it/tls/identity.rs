//! Whom a certificate names, with users and roles on.

use keyport_tests::certificates::{Authority, Holder};
use keyport_tests::encrypted::curl;
use keyport_tests::etcdctl::Etcdctl;

use super::Encrypted;

#[tokio::test]
async fn the_common_name_is_the_user_of_grpc_and_nobody_on_the_gateway() {
    let authority = Authority::new();
    let (ca, server) = (authority.file(), Encrypted::certifying(&authority).await);
    let pair = |name: &str| authority.issue(&format!("cn-{name}"), &Holder::new(name, &[]));
    let ctl = |name: &str| Etcdctl::encrypted(([127, 0, 0, 1], server.client).into(), &ca, &pair(name));
    let root = ctl("root");
    for args in [
        &["user", "add", "root", "--no-password"][..],
        &["user", "add", "reader", "--no-password"],
        &["role", "add", "reads"],
        &["role", "grant-permission", "reads", "read", "k"],
        &["user", "grant-role", "reader", "reads"],
        &["put", "k", "v"],
        &["auth", "enable"],
    ] {
        root.ok(args);
    }
    assert_eq!(ctl("reader").ok(&["get", "k"]), "k\nv\n");
    let refused = |name: &str, args: &[&str]| String::from_utf8_lossy(&ctl(name).output(args).stderr).into_owned();
    assert!(refused("reader", &["put", "k", "w"]).contains("permission denied"));
    assert!(refused("nobody", &["get", "k"]).contains("permission denied"));
    assert!(refused("nobody", &["user", "list"]).contains("user name not found"));
    root.ok(&["put", "k", "w"]);

    let url = format!("https://127.0.0.1:{}/v3/kv/range", server.client);
    let shown = pair("root");
    let answer = curl(&ca, Some(&shown), &["--include", "--no-fail", "--data", r#"{"key":"aw=="}"#, &url]);
    let why = String::from_utf8_lossy(&answer.stderr).into_owned();
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains(" 400"), "{answer} {why}");
    assert!(
        answer.contains(
            "CommonName of client sending a request against gateway will be ignored and not used as expected"
        ),
        "{answer}"
    );
    // Who has no name goes on without one.
    let nameless = pair("");
    let answer = curl(&ca, Some(&nameless), &["--no-fail", "--data", r#"{"key":"aw=="}"#, &url]);
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains("user name is empty"), "{answer}");
}
