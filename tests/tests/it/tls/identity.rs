//! Whom a certificate names, with users and roles on.

use keyport_tests::Flavor;
use keyport_tests::certificates::{Authority, Holder, Pair};
use keyport_tests::encrypted::{self, curl};
use keyport_tests::etcdctl::Etcdctl;
use keyport_tests::http::Http;
use keyport_tests::wait::{eventually, within};
use serde_json::Value;

use super::Encrypted;

/// A server where certificates say who somebody is, with users on: `root`, and `reader`, who may read `k`.
async fn realm(authority: &Authority, more: &[&str]) -> Encrypted {
    let server = Encrypted::certifying(authority, more).await;
    let root = ctl(authority, &server, "root");
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
    server
}

fn pair(authority: &Authority, name: &str) -> Pair {
    authority.issue(&format!("cn-{name}"), &Holder::new(name, &[]))
}

fn ctl(authority: &Authority, server: &Encrypted, name: &str) -> Etcdctl {
    Etcdctl::encrypted(([127, 0, 0, 1], server.client).into(), &authority.file(), &pair(authority, name))
}

#[tokio::test]
async fn the_common_name_is_the_user_of_grpc_and_nobody_on_the_gateway() {
    let authority = Authority::new();
    let server = realm(&authority, &[]).await;
    let (ca, pair) = (authority.file(), |name: &str| pair(&authority, name));
    let ctl = |name: &str| ctl(&authority, &server, name);
    let root = ctl("root");
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

#[tokio::test]
async fn with_a_flag_it_is_the_user_of_everything() {
    let authority = Authority::new();
    let server = realm(&authority, &["--client-cert-auth-http"]).await;
    let ca = authority.file();
    let ask = |name: &str, path: &str, more: &[&str]| {
        let url = format!("https://127.0.0.1:{}{path}", server.client);
        let args = [&["--no-fail", "--include"], more, &[&url]].concat();
        let answer = curl(&ca, Some(&pair(&authority, name)), &args);
        String::from_utf8_lossy(&answer.stdout).into_owned()
    };
    let key = ["--data", r#"{"key":"aw=="}"#];
    let value = ["--data", r#"{"key":"aw==","value":"dw=="}"#];
    for version in ["--http1.1", "--http2"] {
        let ask = |name: &str, path: &str, more: &[&str]| ask(name, path, &[&[version], more].concat());
        let read = ask("reader", "/v3/kv/range", &key);
        assert!(read.contains(r#""value":"dg==""#), "{version}: {read}");
        for (name, path, body, refusal) in [
            ("reader", "/v3/kv/put", &value, "permission denied"),
            ("reader", "/v3/auth/user/list", &["--data", "{}"], "permission denied"),
            ("nobody", "/v3/kv/range", &key, "permission denied"),
            ("nobody", "/v3/auth/user/list", &["--data", "{}"], "user name not found"),
        ] {
            let answer = ask(name, path, body);
            assert!(answer.contains(refusal), "{version} {name} {path}: {answer}");
        }
        assert!(ask("root", "/v3/auth/user/list", &["--data", "{}"]).contains(r#""reader""#), "{version}");
        // What somebody says beside it counts, right or wrong.
        let told = [&key[..], &["--header", "Authorization: Bearer none"]].concat();
        assert!(ask("reader", "/v3/kv/range", &told).contains("invalid auth token"), "{version}");
        let login = [&key[..], &["--user", "reader:none"]].concat();
        let answer = ask("reader", "/v3/kv/range", &login);
        assert!(answer.contains(" 401"), "{version}: {answer}");

        let refused = ask("nobody", "/v3/watch?key=k", &[]);
        assert!(refused.contains("permission denied"), "{version}: {refused}");
    }
    // These go on until they are left.
    let reader =
        encrypted::Encrypted::showing(Some(&pair(&authority, "reader")), ([127, 0, 0, 1], server.client).into(), &ca);
    let begin = async |path: &str, headers: &str, wanted: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        let said = within(path, reader.begin(&request, wanted)).await.unwrap();
        assert!(said.contains(wanted), "{said}");
    };
    begin("/v3/watch?key=k", "", "event: opened").await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    begin("/v3/watch", upgrade, "HTTP/1.1 101 ").await;
}

/// A user whom only a certificate names, and somebody who says a password in his name.
#[tokio::test]
async fn who_a_certificate_names_is_written_down_as_he_came() {
    if Flavor::under_test() != Flavor::Keyport {
        return;
    }
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let file = dir.path().join("audit.log");
    let server = realm(&authority, &[&format!("--audit-log={}", file.display())]).await;
    assert_eq!(ctl(&authority, &server, "reader").ok(&["get", "k"]), "k\nv\n");
    let http = Http::new(server.plain);
    let login = |name: &str| serde_json::json!({ "name": name, "password": "x" }).to_string();
    for name in ["reader", "nosuch"] {
        assert_ne!(http.refused("/v3/auth/authenticate", login(name)).await.0, 200);
    }
    let found = eventually("all lines are written", async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let find =
            |call: &str, user: &str| lines.iter().find(|line| line["call"] == call && line["user"] == user).cloned();
        let authenticate = |user: &str| find("/etcdserverpb.Auth/Authenticate", user);
        Some([find("/etcdserverpb.KV/Range", "reader")?, authenticate("reader")?, authenticate("nosuch")?])
    })
    .await;
    let [read, in_vain, unknown] = found;
    assert_eq!(read["code"], "OK", "{read}");
    let no_password = "auth: authentication failed, password was given for no password user";
    assert_eq!(in_vain["error"], no_password, "{in_vain}");
    assert_eq!(unknown["error"], "etcdserver: authentication failed, invalid user ID or password", "{unknown}");
}
