//! Who uses whom, and whether that goes round in a circle.

use std::collections::{BTreeMap, BTreeSet};

/// Names, and those that each of them uses.
pub(crate) type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Some circle, ending with the name that it begins with. What remains after taking away, again and again, whoever uses
/// nobody that remains, goes round in one.
pub(crate) fn circle<'a>(graph: &Graph<'a>) -> Option<Vec<&'a str>> {
    let mut left: BTreeSet<&str> = graph.keys().copied().collect();
    let next = |name: &str, left: &BTreeSet<&'a str>| graph[name].iter().copied().find(|to| left.contains(to));
    while let Some(name) = left.iter().copied().find(|name| next(name, &left).is_none()) {
        left.remove(name);
    }
    let mut way = vec![*left.first()?];
    loop {
        let to = next(way[way.len() - 1], &left)?;
        let begin = way.iter().position(|name| *name == to);
        way.push(to);
        if let Some(begin) = begin {
            return Some(way.split_off(begin));
        }
    }
}

#[test]
fn circles_are_found() {
    let graph = |rows: &[(&'static str, &[&'static str])]| -> Graph<'static> {
        rows.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect()
    };
    let round = graph(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &[]), ("d", &["b"])]);
    assert_eq!(circle(&round), Some(vec!["b", "d", "b"]));
    assert_eq!(circle(&graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
}
