//! Each operation on a resource stands in a page as somebody types it; what the pages show is compared elsewhere.

use std::collections::BTreeSet;
use std::fs;

use keyport_tests::target::workspace;
use serde_json::Value;

use super::page;

/// The pages about resources.
const PAGES: [&str; 2] = ["docs/http-api.md", "docs/http-cluster.md"];
/// What is one by its group in the document.
const GROUPS: [&str; 7] = ["Keys", "Transactions", "Leases", "Locks", "Elections", "Members", "Users"];

/// Methods and paths that `curl` is called with, and what paths are called by in the pages written out.
fn calls(commands: &str) -> Vec<(&'static str, String)> {
    let commands = commands.replace("$keys", "/v3/keys").replace("$api", "/v3");
    let of_line =
        |line: &str| -> Vec<(&'static str, String)> { line.split("curl ").skip(1).filter_map(call).collect() };
    commands.lines().flat_map(of_line).collect()
}

fn call(words: &str) -> Option<(&'static str, String)> {
    let named = ["PUT", "POST", "PATCH", "DELETE"].into_iter().find(|name| words.contains(&format!("-X {name}")));
    let method = named.unwrap_or(if words.contains(" -d ") || words.starts_with("-d ") { "POST" } else { "GET" });
    let path = &words[words.find("/v3/")?..];
    let end = path.find(|c: char| c.is_whitespace() || "\"'?);".contains(c)).unwrap_or(path.len());
    Some((method, path[..end].to_owned()))
}

/// Whether a path is one of those that a row of the document stands for. Names of keys, locks and elections have slashes in them.
fn is_of(template: &str, path: &str) -> bool {
    let (mut rows, mut parts) = (template.split('/'), path.split('/'));
    loop {
        match (rows.next(), parts.next()) {
            (None, None) => return true,
            (Some("{key}" | "{lock}" | "{election}"), Some(_)) => return true,
            (Some(row), Some(part)) if row == part || (row.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
}

#[test]
fn every_operation_on_a_resource_has_one() {
    let text = |name: &str| fs::read_to_string(workspace().join(name)).unwrap();
    let typed: Vec<_> = PAGES.iter().flat_map(|name| page::steps(&text(name)).unwrap()).collect();
    let typed: BTreeSet<_> = typed.iter().flat_map(|step| calls(&step.commands)).collect();
    let document: Value = serde_json::from_str(&text("openapi/openapi.json")).unwrap();
    let mut rows = 0;
    let mut without = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if !GROUPS.iter().any(|group| operation["tags"][0] == *group) {
                continue;
            }
            rows += 1;
            let method = method.to_uppercase();
            if !typed.iter().any(|(name, typed)| *name == method && is_of(path, typed)) {
                without.push(format!("{method} {path}"));
            }
        }
    }
    assert!(rows > 40, "{rows}");
    assert_eq!(without, [""; 0], "no example in {PAGES:?}");
}

#[test]
fn calls_are_read_as_they_are_typed() {
    let commands = "curl -s -X PUT -d one \"$keys/app/db?cas=2\"\nLEASE=$(curl -s localhost:2379/v3/locks/a | lease)\n\
        curl -s -d m1 $api/leases; curl -sI $keys/a\n";
    let paths = [("PUT", "/v3/keys/app/db"), ("GET", "/v3/locks/a"), ("POST", "/v3/leases"), ("GET", "/v3/keys/a")];
    assert_eq!(calls(commands), paths.map(|(method, path)| (method, path.to_owned())));
    assert!(is_of("/v3/keys/{key}", "/v3/keys/a/b") && is_of("/v3/members/{id}/lead", "/v3/members/7/lead"));
    assert!(!is_of("/v3/members/{id}", "/v3/members/7/lead") && !is_of("/v3/keys", "/v3/keys/a"));
}
