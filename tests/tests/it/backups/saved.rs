//! `keyport snapshot save`, and `GET /v3/snapshot`: backups of running servers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use http::Method;
use keyport_tests::certificates::{Authority, Holder};
use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server};

use super::{done, fill, keyport, refused, restore, state, text, token};
use crate::tls::Encrypted;

#[tokio::test]
async fn a_backup_is_made_of_any_server_and_starts_here() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::of(flavor).start();
        fill(&server).await;
        let file = dir.path().join("backup.db");
        // The first one is not there. What has the name is replaced; what was left half made is nobody's.
        let endpoints = format!("127.0.0.1:{},{}", free_port(), server.url());
        fs::write(&file, "older").unwrap();
        fs::write(dir.path().join("backup.db.part"), "left behind").unwrap();
        let root = ["--endpoints", &endpoints, "--user", "root:root's"];
        let told = done(&keyport(&[&["save", text(&file)], &root[..]].concat()));
        assert!(told.contains("18 keys at revision "), "{flavor:?}: {told}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "and nothing else is left");
        let data = dir.path().join("data");
        restore(Flavor::Keyport, &file, &data);
        let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
        assert_eq!(state(&restored).await, state(&server).await, "{flavor:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_saved_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    let file = dir.path().join("backup.db");
    fs::write(&file, "older").unwrap();
    let url = server.url();
    let token = token(&server, "root").await;
    let nowhere = format!("127.0.0.1:{}", free_port());
    for (args, why) in [
        (&["--endpoints", &url][..], "user name is empty"),
        (&["--endpoints", &url, "--user", "root:wrong"], "authentication failed"),
        (&["--endpoints", &url, "--user", "alice:alice's"], "permission denied"),
        (&["--endpoints", &url, "--user", "root"], "the password is missing"),
        (&["--endpoints", &url, "--token", "unknown.1"], "invalid auth token"),
        (&["--endpoints", &nowhere, "--token", &token], "cannot reach http://127.0.0.1:"),
        (&["--endpoints", "nowhere"], "--endpoints"),
        (&["--cacert", "/none/ca.pem"], "/none/ca.pem"),
    ] {
        let told = refused(&keyport(&[&["save", text(&file)], args].concat()));
        assert!(told.contains(why), "{args:?}: {told}");
        assert_eq!((fs::read_dir(dir.path()).unwrap().count(), fs::read(&file).unwrap()), (1, b"older".to_vec()));
    }
    done(&keyport(&["save", text(&file), "--endpoints", &url, "--token", &token]));
    let told = refused(&keyport(&["save", "/none/backup.db", "--endpoints", &url]));
    assert!(told.contains("/none/backup.db.part"), "{told}");
    // Before anything is sent.
    let told = refused(&keyport(&["save", text(dir.path()), "--endpoints", &url, "--token", &token]));
    assert_eq!(told.trim_end(), format!("{}: is a directory", text(dir.path())));
}

#[tokio::test]
async fn certificates_are_shown_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let server = Encrypted::certifying(&authority, &[]).await;
    let endpoint = format!("https://127.0.0.1:{}", server.client);
    let pair = authority.issue("backup", &Holder::new("backup", &[]));
    let (file, ca) = (dir.path().join("backup.db"), authority.file());
    let shown = ["--cert", text(&pair.cert), "--key", text(&pair.key)];
    let save = ["save", text(&file), "--endpoints", &endpoint];
    done(&keyport(&[&save[..], &["--cacert", text(&ca)], &shown].concat()));
    done(&keyport(&[&save[..], &["--insecure-skip-tls-verify"], &shown].concat()));
    // Nobody whom the system knows vouches for it; and it wants to see who comes.
    assert!(refused(&keyport(&[&save[..], &shown].concat())).contains("cannot reach"));
    refused(&keyport(&[&save[..], &["--cacert", text(&ca)]].concat()));
}

#[tokio::test]
async fn what_comes_over_http_is_a_backup_and_root_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(Flavor::Keyport).start();
    fill(&server).await;
    let http = server.http();
    for (user, status) in [(None, 401), (Some("alice"), 403)] {
        let token = match user {
            Some(user) => token(&server, user).await,
            None => String::new(),
        };
        let headers = [("authorization", &*token)];
        let headers = if token.is_empty() { &headers[..0] } else { &headers };
        assert_eq!(http.send(Method::GET, "/v3/snapshot", headers, "").await.status, status, "{user:?}");
    }
    let root = token(&server, "root").await;
    let whole = http.send(Method::GET, "/v3/snapshot", &[("authorization", &root)], "").await;
    assert_eq!((whole.status.as_u16(), whole.header("cache-control")), (200, "no-store"));

    // As an interrupted download goes on: with curl, whose own way to say so names no copy.
    let file = dir.path().join("backup.db");
    fs::write(&file, &whole.body[..whole.body.len() / 3]).unwrap();
    let url = format!("{}/v3/snapshot", server.url());
    let curl = |more: &[&str]| {
        let fixed = ["-s", "-f", "-C", "-", "-u", "root:root's", "-o", text(&file), &url];
        Command::new("curl").args(fixed).args(more).output().unwrap()
    };
    assert_eq!(curl(&[]).status.code(), Some(33), "no part of another copy");
    assert_eq!(curl(&["-H", "If-Match: \"other\""]).status.code(), Some(22));
    done(&curl(&["-H", &format!("If-Match: {}", whole.header("etag"))]));
    assert!(fs::read(&file).unwrap() == whole.body);

    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let data = dir.path().join(format!("{flavor:?}"));
        restore(flavor, &file, &data);
        let restored = Server::of(flavor).data_dir(&data).start();
        assert_eq!(state(&restored).await, state(&server).await, "{flavor:?}");
    }
}
