//! Who may use whom: the tables in ARCHITECTURE.md, held against the crates and the rooms of the server as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{self, Named};
use super::source::{self, Source};
use super::workspace::{root, text};
use super::{graph, lexer, manifest, verdict};

const MAP: &str = "ARCHITECTURE.md";
const SERVER: &str = "server/src";

/// One of the tables: a name, what it is, and the names that it knows.
struct Table {
    /// The heading of its first column.
    kind: &'static str,
    rows: BTreeMap<String, Row>,
}

struct Row {
    line: usize,
    knows: BTreeSet<String>,
}

/// Who uses whom, and the first place where it is seen.
type Arrows = BTreeMap<(String, String), String>;

#[test]
fn rooms_of_the_server_use_what_the_map_allows() {
    let mut rooms = BTreeMap::new();
    let sources: Vec<_> = source::below(SERVER).filter(|source| !source.is_test()).collect();
    for source in &sources {
        let room = room(source);
        // The shell may use everything.
        if !matches!(room, "main" | "lib") {
            rooms.entry(room.to_owned()).or_insert_with(|| source.path.clone());
        }
    }
    let mut arrows = Arrows::new();
    let mut complaints = Vec::new();
    for source in sources {
        let from = room(source);
        for Named { at, to, .. } in paths::named(source, SERVER) {
            match to.first() {
                Some(to) if !rooms.contains_key(*to) => complaints
                    .push(format!("{}: `crate::{to}` is no room: name the one that it comes from", source.place(at))),
                Some(to) if rooms.contains_key(from) && from != *to => {
                    arrows.entry((from.to_owned(), (*to).to_owned())).or_insert_with(|| source.place(at));
                }
                Some(_) | None => {}
            }
        }
    }
    complaints.extend(Table::read("Room").compare(&rooms, &arrows));
    verdict(complaints);
}

#[test]
fn crates_depend_on_what_the_map_allows() {
    let members = manifest::members();
    let crates = members.iter().map(|folder| (folder.clone(), manifest::path(folder))).collect();
    let mut arrows = Arrows::new();
    for from in &members {
        for entry in manifest::dependencies(from) {
            if let Some(to) = entry.name.strip_prefix("keyport-") {
                let place = format!("{}:{}", manifest::path(from), entry.line);
                arrows.entry((from.clone(), to.to_owned())).or_insert(place);
            }
        }
    }
    verdict(Table::read("Crate").compare(&crates, &arrows));
}

impl Table {
    fn read(kind: &'static str) -> Table {
        let mut rows = BTreeMap::new();
        let mut inside = false;
        for (at, line) in text(MAP).lines().enumerate() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            if cells.first() == Some(&kind) {
                inside = true;
            } else if !line.starts_with('|') {
                inside = false;
            } else if inside && !line.starts_with("|--") {
                let knows = cells.last().map(|cell| backticked(cell)).unwrap_or_default();
                let row = Row { line: at + 1, knows: knows.into_iter().collect() };
                rows.insert(backticked(cells[0]).pop().unwrap_or_default(), row);
            }
        }
        Table { kind, rows }
    }

    /// `parts` are what the table is about, each with a place.
    fn compare(&self, parts: &BTreeMap<String, String>, arrows: &Arrows) -> Vec<String> {
        let kind = self.kind;
        let mut complaints = Vec::new();
        for (name, place) in parts.iter().filter(|(name, _)| !self.rows.contains_key(*name)) {
            complaints.push(format!("{place}: `{name}` is not in {MAP}: add a row under \"{kind}\""));
        }
        for (name, row) in &self.rows {
            let place = format!("{MAP}:{}", row.line);
            if !parts.contains_key(name) {
                complaints.push(format!("{place}: there is no `{name}`: take its row away"));
            }
            for to in row.knows.iter().filter(|to| !arrows.contains_key(&(name.clone(), (*to).clone()))) {
                complaints.push(format!("{place}: `{name}` does not use `{to}`: take it out of the row"));
            }
        }
        for ((from, to), place) in arrows {
            if self.rows.get(from).is_some_and(|row| !row.knows.contains(to)) {
                complaints.push(format!(
                    "{place}: `{from}` may not use `{to}`: move what it needs to where {MAP} lets it look, or allow it there"
                ));
            }
        }
        // What it knows that has no row is complained about already.
        let graph = self.rows.iter().map(|(name, row)| {
            let known = row.knows.iter().map(String::as_str).filter(|to| self.rows.contains_key(*to));
            (name.as_str(), known.collect())
        });
        complaints.extend(
            graph::circle(&graph.collect())
                .map(|circle| format!("{MAP}: a circle under \"{kind}\": {}", circle.join(" → "))),
        );
        complaints
    }
}

fn backticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The module at the top of the crate that a file of the server belongs to.
fn room(source: &Source) -> &str {
    lexer::identifier(&source.path[SERVER.len() + 1..])
}

/// Paths into the workspace; what follows a star may be anything.
#[test]
fn paths_on_the_map_exist() {
    let mut complaints = Vec::new();
    for (at, line) in text(MAP).lines().enumerate() {
        for path in backticked(line).into_iter().chain(parenthesized(line)) {
            let (stem, _) = path.split_once('*').unwrap_or((&path, ""));
            let inside = manifest::members().iter().any(|folder| path.starts_with(&format!("{folder}/")));
            let exists = root().join(stem).exists() || root().join(format!("{stem}.rs")).exists();
            if inside && !exists {
                complaints.push(format!("{MAP}:{}: there is no {path}: write where it is now", at + 1));
            }
        }
    }
    verdict(complaints);
}

fn parenthesized(line: &str) -> Vec<String> {
    line.split('(').skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.trim_matches('`').to_owned())).collect()
}
