//! The paths that the sources name, each from the root of its crate.

use std::collections::BTreeSet;
use std::ops::Range;

use super::lexer;
use super::source::{self, Source};
use super::verdict;
use super::workspace::ROOTS;

/// A path that is written somewhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// Where it begins in the file's code.
    pub(crate) at: usize,
    /// The module that it stands in.
    pub(crate) from: Vec<&'a str>,
    /// What it leads to.
    pub(crate) to: Vec<&'a str>,
}

/// The files of a crate: those that are not for tests alone, unless all are.
pub(crate) fn sources(root: &str) -> impl Iterator<Item = &'static Source> {
    let all = root.starts_with("tests/tests/");
    source::below(root).filter(move |source| all || !source.is_test())
}

/// The module that a file is; the root of its crate has no name.
pub(crate) fn module<'a>(source: &'a Source, root: &str) -> Vec<&'a str> {
    match source.path[root.len() + 1..].trim_end_matches(".rs") {
        "lib" | "main" => Vec::new(),
        path => path.split('/').collect(),
    }
}

/// The modules of a crate: files, and those that stand in another one's braces.
pub(crate) fn modules<'a>(sources: &[&'a Source], root: &str) -> BTreeSet<Vec<&'a str>> {
    let mut found = BTreeSet::new();
    for source in sources {
        let module = module(source, root);
        found.extend(inline(&source.code).into_iter().map(|(body, _)| inside(&module, &source.code, body.start)));
        found.insert(module);
    }
    found
}

/// All paths of a file that lead somewhere in its own crate and say so with their first name.
pub(crate) fn named<'a>(source: &'a Source, root: &str) -> Vec<Named<'a>> {
    named_in(&source.code, &module(source, root))
}

fn named_in<'a>(code: &'a str, module: &[&'a str]) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    for at in heads(code) {
        let from = inside(module, code, at);
        for path in paths(code, at) {
            let mut to = if path[0] == "crate" { Vec::new() } else { from.clone() };
            for name in path {
                match name {
                    "crate" | "self" => {}
                    "super" => _ = to.pop(),
                    name => to.push(name),
                }
            }
            found.push(Named { at, from: from.clone(), to });
        }
    }
    found
}

/// Where a path begins with a word that says from where it leads.
fn heads(code: &str) -> impl Iterator<Item = usize> {
    ["crate", "super", "self"].into_iter().flat_map(move |word| {
        lexer::words(code, word)
            .filter(move |&at| code[at + word.len()..].starts_with("::") && !code[..at].ends_with("::"))
    })
}

/// The path that begins there, or all those of its group.
fn paths(code: &str, mut at: usize) -> Vec<Vec<&str>> {
    let mut path = Vec::new();
    while !code[at..].starts_with('{') {
        let name = lexer::identifier(&code[at..]);
        path.extend(Some(name).filter(|name| !name.is_empty()));
        at += name.len();
        if name.is_empty() || !code[at..].starts_with("::") {
            return vec![path];
        }
        at += "::".len();
    }
    let ends = elements(code, at).flat_map(|element| paths(code, element));
    ends.map(|end| path.iter().copied().chain(end).collect()).collect()
}

/// Where the elements of a group begin.
fn elements(code: &str, open: usize) -> impl Iterator<Item = usize> {
    let body = open + 1..lexer::block_end(code, open) - 1;
    let mut depth = 0;
    let commas = code[body.clone()].match_indices(['{', '}', ',']).filter_map(move |(at, what)| {
        depth += i32::from(what == "{") - i32::from(what == "}");
        (what == "," && depth == 0).then_some(open + 2 + at)
    });
    let begins: Vec<usize> = [body.start].into_iter().chain(commas).collect();
    let words = begins.into_iter().map(|at| at + code[at..].len() - code[at..].trim_start().len());
    words.filter(move |&at| at < body.end)
}

/// The modules in a file's braces: bodies and names.
fn inline(code: &str) -> Vec<(Range<usize>, &str)> {
    let found = lexer::words(code, "mod").filter_map(|at| {
        let rest = code[at + "mod".len()..].trim_start();
        let name = lexer::identifier(rest);
        let after = rest[name.len()..].trim_start();
        let open = code.len() - after.len();
        (!name.is_empty() && after.starts_with('{')).then(|| (open + 1..lexer::block_end(code, open), name))
    });
    found.collect()
}

/// The module that a place of a file is in.
fn inside<'a>(module: &[&'a str], code: &'a str, at: usize) -> Vec<&'a str> {
    let around = inline(code).into_iter().filter(|(body, _)| body.contains(&at));
    module.iter().copied().chain(around.map(|(_, name)| name)).collect()
}

/// What would keep these rules from seeing who uses whom.
#[test]
fn paths_say_where_they_lead() {
    let mut complaints = Vec::new();
    for root in ROOTS {
        for source in sources(root) {
            let hidden = hidden(&source.code);
            complaints.extend(hidden.into_iter().map(|(at, why)| format!("{}: {why}", source.place(at))));
        }
    }
    verdict(complaints);
}

fn hidden(code: &str) -> Vec<(usize, &'static str)> {
    const NAMELESS: &str =
        "what comes from a module above by a star, or under another name for that module, is not seen: write paths out";
    const GROUPED: &str = "`super` inside a group is not seen: give it a line of its own";
    let mut found = Vec::new();
    for at in lexer::words(code, "use").filter(|at| code[at + "use".len()..].starts_with(' ')) {
        let tree = code[at + "use".len()..].split(';').next().unwrap_or_default().trim();
        let group = &tree[tree.find('{').unwrap_or(tree.len())..];
        if ["crate", "super"].iter().any(|word| lexer::words(group, word).next().is_some()) {
            found.push((at, GROUPED));
        }
        let Some(rest) = below(tree) else { continue };
        let ends = if rest.starts_with('{') { elements(rest, 0).collect() } else { vec![0] };
        if ends.iter().any(|&end| is_nameless(&rest[end..])) {
            found.push((at, NAMELESS));
        }
    }
    found
}

/// What follows the words for modules above; none where there are none.
fn below(tree: &str) -> Option<&str> {
    let word = ["crate", "super", "self"].into_iter().find(|word| lexer::identifier(tree) == *word)?;
    let rest = tree[word.len()..].trim_start_matches("::");
    Some(below(rest).unwrap_or(rest))
}

fn is_nameless(end: &str) -> bool {
    let renamed = end.trim_start_matches("self").trim_start();
    end.starts_with('*') || renamed.starts_with("as ")
}

#[test]
fn paths_lead_from_where_they_stand() {
    let code =
        "use super::{b::C, d::{self, E}};\nmod inner {\n    fn f() { super::g(); self::h::I; crate::j::k!() }\n}";
    let to: Vec<String> = named_in(code, &["a", "x"]).iter().map(|named| named.to.join("::")).collect();
    assert_eq!(to, ["j::k", "a::b::C", "a::d", "a::d::E", "a::x::g", "a::x::inner::h::I"]);
    assert_eq!(named_in("fn f<T: super::super::Y>() {}", &["a", "x"])[0].to, ["Y"]);
}

#[test]
fn what_hides_a_path_is_found() {
    for hides in [
        "crate as x",
        "super::super as up",
        "super::{self as up, y}",
        "super::*",
        "crate::{a, *}",
        "super::{a, super::b}",
    ] {
        assert_eq!(hidden(&format!("use {hides};")).len(), 1, "{hides}");
    }
    for open in
        ["super::a as b", "crate::a::{self as b, c}", "crate::a::*", "super::{a, b::{self, C as D}}", "std::fmt as f"]
    {
        assert_eq!(hidden(&format!("use {open};")), [], "{open}");
    }
}
