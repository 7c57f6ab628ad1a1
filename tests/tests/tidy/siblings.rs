//! Inside a room, too: modules that stand side by side use each other one way only. What they get by way of the module
//! above them does not count.

use std::collections::BTreeMap;

use super::graph::{self, Graph};
use super::paths::{modules, named, sources};
use super::source::Source;
use super::verdict;
use super::workspace::ROOTS;

/// Of the modules in one folder, who uses whom, and the first place where it is seen.
type Arrows<'a> = BTreeMap<(&'a str, &'a str), String>;

#[test]
fn siblings_use_each_other_one_way() {
    let mut complaints = Vec::new();
    for root in ROOTS {
        let sources: Vec<_> = sources(root).collect();
        for (folder, arrows) in arrows(root, &sources) {
            if let Some(circle) = graph::circle(&graph_of(&arrows)) {
                complaints.push(complaint(&folder, &circle, &arrows));
            }
        }
    }
    verdict(complaints);
}

fn complaint(folder: &str, circle: &[&str], arrows: &Arrows<'_>) -> String {
    let places =
        circle.windows(2).map(|pair| format!("\n    {}: {} → {}", arrows[&(pair[0], pair[1])], pair[0], pair[1]));
    let places: String = places.collect();
    format!(
        "{folder}: siblings in a circle, {}: move what both need to a module of its own{places}",
        circle.join(" → ")
    )
}

fn graph_of<'a>(arrows: &Arrows<'a>) -> Graph<'a> {
    let mut graph = Graph::new();
    for (from, to) in arrows.keys() {
        graph.entry(from).or_default().insert(to);
        graph.entry(to).or_default();
    }
    graph
}

/// By folder.
fn arrows<'a>(root: &str, sources: &[&'a Source]) -> BTreeMap<String, Arrows<'a>> {
    let modules = modules(sources, root);
    let mut found: BTreeMap<String, Arrows<'a>> = BTreeMap::new();
    for source in sources {
        for path in named(source, root) {
            let mut to = path.to;
            while !modules.contains(&to) && to.pop().is_some() {}
            let common = path.from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (path.from.get(common), to.get(common)) {
                let folder = [&[root], &path.from[..common]].concat().join("/");
                let arrows = found.entry(folder).or_default();
                arrows.entry((*from, *to)).or_insert_with(|| source.place(path.at));
            }
        }
    }
    found
}
