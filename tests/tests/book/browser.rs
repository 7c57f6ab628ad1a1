//! The page on browsers: its scripts run in a page of a real browser, in order, and log what is shown.

use std::fs;
use std::process::{Command, Stdio};

use keyport_tests::Flavor;
use keyport_tests::server::free_port;
use keyport_tests::target::workspace;
use serde_json::json;

use super::page;

#[test]
fn scripts_run_in_a_browser() {
    let page = fs::read_to_string(workspace().join("docs/browsers.md")).unwrap();
    let scripts = page::scripts(&page).unwrap_or_else(|error| panic!("docs/browsers.md, {error}"));
    let port = free_port();
    let cors = format!("--cors=http://elsewhere.test:{port}");
    let server = keyport_tests::Server::of(Flavor::Keyport).args([cors, "--bcrypt-cost=4".to_owned()]).start();
    let [descriptors, boxes] = ["descriptors", "boxes"].map(|name| server.scratch().join(name));
    fs::write(&descriptors, keyport_api::FILE_DESCRIPTOR_SET).unwrap();
    let lines = |shown: &str| shown.lines().filter(|line| line.trim() != "…").count();
    let list: Vec<_> = scripts
        .iter()
        .map(|script| json!({ "code": script.code, "elsewhere": script.elsewhere, "lines": lines(&script.shown) }))
        .collect();
    fs::write(&boxes, json!(list).to_string()).unwrap();
    let mut node = Command::new("node");
    node.arg(workspace().join("tests/clients/node/snippets.mjs")).arg(server.url()).arg(port.to_string());
    let out = node.arg(&descriptors).arg(&boxes).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let all: Vec<Vec<String>> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(out.status.success(), "{all:?}\n{}", String::from_utf8_lossy(&out.stderr));
    assert!(!scripts.is_empty() && all.len() == scripts.len());
    for (script, logged) in scripts.iter().zip(&all) {
        // What the browser says of its own is in parentheses, such as that it was answered 401.
        let own: String = logged.iter().filter(|line| !line.starts_with('(')).map(|line| format!("{line}\n")).collect();
        let shown = &script.shown;
        let place = format!("docs/browsers.md, line {}", script.line);
        assert!(page::is_as_shown(shown, &own), "{place} shows\n{shown}\nand this was logged:\n{logged:#?}");
    }
}
