//! Every feature gate is looked at by somebody, or says why it has no effect.

use super::source;
use super::verdict;
use super::workspace::root;

const TABLE: &str = "server/src/config/gates.rs";

#[test]
fn gates_are_looked_at_by_somebody() {
    let text = std::fs::read_to_string(root().join(TABLE)).unwrap();
    let rows: Vec<_> = text.split("    gate(Gate::").skip(1).collect();
    assert!(rows.len() > 10, "the table is read");
    let elsewhere: Vec<_> = source::below("server/src")
        .filter(|source| !source.is_test() && !source.path.ends_with("config/gates.rs"))
        .collect();
    let mut complaints = Vec::new();
    for row in rows {
        let (name, rest) = row.split_once(',').expect("a row");
        // These two set others.
        if matches!(name, "AllAlpha" | "AllBeta") {
            continue;
        }
        let is_inert = rest.split("];").next().is_some_and(|row| row.contains(".inert("));
        let used = format!("enabled(Gate::{name})");
        match (elsewhere.iter().any(|source| source.code.contains(&used)), is_inert) {
            (false, false) => complaints.push(format!("{TABLE}: nobody looks at {name}: say why with `inert`")),
            (true, true) => complaints.push(format!("{TABLE}: {name} has an effect: take away its `inert`")),
            _ => {}
        }
    }
    verdict(complaints);
}
