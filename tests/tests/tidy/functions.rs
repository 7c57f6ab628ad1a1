//! How long a function may be.

use super::lexer;
use super::source::{self, Source};
use super::verdict;

/// Lines between the braces of a function.
const BOUND: usize = 60;

/// The code that has to be read to change anything. Tests may tell a long story in one function.
const FOLDERS: [&str; 9] = [
    "api/src",
    "api/build",
    "storage/src",
    "raft/src",
    "openapi/src",
    "server/src",
    "tests/src",
    "tests/fuzz/src",
    "tests/loadgen/src",
];

/// Those that are longer, with their lengths. It only gets shorter, and so do they.
const LONGER: &[(&str, &str, usize)] = &[
    ("raft/src/sim/cluster/start.rs", "restart", 68),
    ("tests/src/differential.rs", "run", 61),
    ("tests/src/history/calls.rs", "execute", 62),
];

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    let mut longer: Vec<_> = LONGER.to_vec();
    let sources = FOLDERS.iter().flat_map(|folder| source::below(folder));
    for source in sources.filter(|source| !source.is_test()) {
        for (at, name, lines) in functions(source) {
            let listed = longer.iter().position(|(path, of, _)| (*path, *of) == (source.path.as_str(), name));
            let allowed = listed.filter(|_| lines > BOUND).map_or(BOUND, |listed| longer.swap_remove(listed).2);
            if lines > allowed {
                complaints.push(format!(
                    "{}: `{name}` has {lines} lines, and {allowed} is the most: give its parts names",
                    source.place(at)
                ));
            } else if allowed > BOUND && lines < allowed {
                complaints.push(format!(
                    "{}: `{name}` is down to {lines} lines: write that into the list of those that are longer",
                    source.place(at)
                ));
            }
        }
    }
    for (path, name, _) in longer {
        complaints.push(format!("{path}: `{name}` is not longer than {BOUND} lines: take it from the list"));
    }
    verdict(complaints);
}

/// Where each function begins, its name, and how many lines there are between its braces.
fn functions(source: &Source) -> impl Iterator<Item = (usize, &str, usize)> {
    let code = source.code.as_str();
    lexer::words(code, "fn").filter_map(move |at| {
        let name = lexer::identifier(code[at + 2..].trim_start());
        let open = lexer::body_or_semicolon(code, at).filter(|&open| code.as_bytes()[open] == b'{')?;
        let lines = code[open..lexer::block_end(code, open)].matches('\n').count();
        (!name.is_empty()).then_some((at, name, lines.saturating_sub(1)))
    })
}
