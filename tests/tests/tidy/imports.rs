//! Imports stand in three groups with a line between them: the standard library, other crates, this crate. What comes from
//! one module comes in one line.

use super::lexer;
use super::source::{self, Source};
use super::verdict;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Std,
    Other,
    Own,
}

/// What stands between an import and the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    BlankLine,
    /// Modules, what is exported, or the beginning of the file.
    More,
}

/// An import at the top of a file.
#[derive(Debug)]
struct Import<'a> {
    at: usize,
    origin: Origin,
    /// The path up to the name, or the names, that it brings in.
    module: &'a str,
    before: Before,
}

#[test]
fn imports_stand_in_three_groups() {
    let mut complaints = Vec::new();
    for source in source::all().iter().filter(|source| !source.is_test()) {
        let imports = imports(source);
        for (at, pair) in imports.windows(2).enumerate() {
            let [before, import] = pair else { continue };
            let place = source.place(import.at);
            if import.origin < before.origin {
                complaints.push(format!("{place}: std comes first, then other crates, then this crate"));
            } else if import.before == if import.origin > before.origin { Before::Nothing } else { Before::BlankLine } {
                complaints
                    .push(format!("{place}: a blank line goes between std, other crates and this crate, nowhere else"));
            }
            if imports[..=at].iter().any(|earlier| earlier.module == import.module) {
                complaints.push(format!("{place}: `{}` is imported from already: one line is enough", import.module));
            }
        }
    }
    verdict(complaints);
}

/// Those that are private and under no condition, in order.
fn imports(source: &Source) -> Vec<Import<'_>> {
    let code = source.code.as_str();
    let mut found = Vec::new();
    let (mut at, mut before, mut conditional) = (0, Before::More, false);
    while at < code.len() {
        let rest = &code[at..];
        let line = rest.lines().next().unwrap_or_default();
        let end = match rest.strip_prefix("use ").filter(|_| !conditional).and_then(|path| path.split_once(';')) {
            Some((path, _)) => {
                found.push(Import { at, origin: origin(code, path), module: module(path), before });
                before = Before::Nothing;
                "use ;".len() + path.len()
            }
            None => {
                before = match before {
                    Before::Nothing | Before::BlankLine if line.trim().is_empty() => Before::BlankLine,
                    _ => Before::More,
                };
                line.len()
            }
        };
        conditional = line.starts_with("#[");
        at += end + 1;
    }
    found
}

fn module(path: &str) -> &str {
    let end = path.find('{').or_else(|| path.rfind("::")).unwrap_or(0);
    path[..end].trim_end_matches("::")
}

fn origin(code: &str, path: &str) -> Origin {
    match lexer::identifier(path) {
        "std" | "core" | "alloc" => Origin::Std,
        "crate" | "super" | "self" => Origin::Own,
        // A macro, or the variants of an enum, of the same file.
        name if !path.contains("::") || name.starts_with(|first: char| first.is_ascii_uppercase()) => Origin::Own,
        name if ["mod", "pub mod"].iter().any(|word| code.contains(&format!("\n{word} {name};"))) => Origin::Own,
        _ => Origin::Other,
    }
}
