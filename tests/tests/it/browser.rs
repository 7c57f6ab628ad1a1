//! The console in a real browser, against the real server: the specs of `tests/console`, which start servers of their own. And
//! how that comes to a browser, and to who wants none.

use std::process::{Command, Stdio};

use http::Method;
use keyport_tests::cluster::Hosts;
use keyport_tests::target::workspace;
use keyport_tests::{Flavor, Server};

/// Of the failures of a run, which the runner tells one after the other behind everything else.
const LINES: usize = 200;

/// Takes longer than any other, and would be what everything waits for at the end: tests begin in the order of their names.
#[test]
fn every_screen_does_what_its_spec_says() {
    if Flavor::under_test() != Flavor::Keyport {
        return; // has none
    }
    let folder = workspace().join("tests/console");
    let mut specs = Command::new(folder.join("node_modules/.bin/playwright"));
    specs.args(["test", "--workers=2"]).current_dir(&folder).stdin(Stdio::null());
    // A browser gives up what it asks for when the machine gets another interface, and other tests plug such in all the time.
    let out = match Hosts::new(1) {
        Some(apart) => apart.inside(0, || specs.output()),
        None => specs.output(),
    };
    let out = out.expect("make tools installs what plays the console");
    let said = String::from_utf8_lossy(&out.stdout);
    let from = said.find("\n  1) ").unwrap_or(0);
    let failures = said[from..].lines().take(LINES).collect::<Vec<_>>().join("\n");
    assert!(out.status.success(), "{failures}\n{}", String::from_utf8_lossy(&out.stderr));
    println!("{}", said.lines().last().unwrap_or_default());
}

#[tokio::test]
async fn it_is_there_unless_it_is_switched_off() {
    if Flavor::under_test() != Flavor::Keyport {
        return; // has none
    }
    let there = Server::start();
    for path in ["/ui", "/"] {
        let browser = [("accept", "text/html")];
        let answer = there.http().send(Method::GET, path, &browser, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "ui/"), "{path}");
    }
    let page = there.http().get("/ui/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(there.http().get("/ui/settings.json").await.json()["mode"], "on");
    assert_eq!(there.http().get("/ui/nothing.js").await.status, 404);
    assert_eq!(there.http().get("/").await.json()["links"]["console"], "/ui/");

    let off = Server::builder().args(["--console=off"]).start();
    assert_eq!(off.http().get("/ui/").await.status, 404);
    assert_eq!(off.http().get("/ui/settings.json").await.json()["mode"], "off");
    assert!(off.http().get("/").await.json()["links"].get("console").is_none());
    assert!(!off.log().contains("/ui/"), "{}", off.log());
    let browser = off.http().send(Method::GET, "/", &[("accept", "text/html")], "").await;
    assert_eq!((browser.status.as_u16(), browser.header("location")), (307, "docs"));

    let only = Server::builder().args(["--console=read-only"]).start();
    assert_eq!(only.http().get("/ui/settings.json").await.json()["mode"], "read-only");
    assert_eq!(only.http().send(Method::PUT, "/v3/keys/k", &[], "v").await.status, 201, "the API is as ever");
}
