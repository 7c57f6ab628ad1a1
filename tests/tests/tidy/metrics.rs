//! Every metric that is declared is moved by somebody, or stands with its reason in a list.

use std::collections::BTreeMap;

use super::source;
use super::verdict;
use super::workspace::root;

const TABLE: &str = "server/src/metrics.rs";
const STILL: &str = include_str!("../../golden/still-metrics.txt");
const KINDS: [&str; 6] = ["IntCounter", "IntCounterVec", "IntGauge", "IntGaugeVec", "Histogram", "HistogramVec"];

/// A row of the table of handles: its field, and the metric's name.
fn row(line: &str) -> Option<(&str, &str)> {
    let (field, rest) = line.trim().split_once(": ")?;
    let (kind, rest) = rest.split_once("(\"")?;
    let (name, _) = rest.split_once('"')?;
    KINDS.contains(&kind).then_some((field, name))
}

#[test]
fn metrics_are_moved_by_somebody() {
    let text = std::fs::read_to_string(root().join(TABLE)).unwrap();
    let declared: Vec<_> = text.lines().filter_map(row).collect();
    assert!(declared.len() > 100, "the table is read");
    let listed =
        STILL.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').expect("a reason"));
    let mut listed: BTreeMap<_, _> = listed.collect();
    let sources: Vec<_> = source::below("server/src").filter(|source| !source.is_test()).collect();
    let mut complaints = Vec::new();
    for (field, name) in declared {
        let used = format!(".{field}");
        let is_used = |code: &str| {
            let mut ends = code.match_indices(&used).map(|(at, _)| &code[at + used.len()..]);
            ends.any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
        };
        let moves = sources.iter().any(|source| is_used(&source.code));
        match (moves, listed.remove(name)) {
            (false, None) => {
                complaints.push(format!("{TABLE}: nothing moves {name}: have it moved, or list it with a reason"))
            }
            (true, Some(_)) => complaints.push(format!("{name} moves: take it from tests/golden/still-metrics.txt")),
            _ => {}
        }
    }
    complaints.extend(listed.into_keys().map(|name| format!("tests/golden/still-metrics.txt: there is no {name}")));
    verdict(complaints);
}
