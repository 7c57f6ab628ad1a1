//! Nothing is depended on that nobody uses.

use super::lexer;
use super::manifest::{self, Entry};
use super::source;
use super::verdict;

/// Used by code that a macro or a build script writes, and so not to be found in the sources.
const BY_GENERATED_CODE: &[(&str, &str)] = &[("api", "pbjson")];

#[test]
fn dependencies_of_crates_are_used() {
    let mut complaints = Vec::new();
    for folder in manifest::members() {
        for entry in manifest::dependencies(&folder) {
            let generated = BY_GENERATED_CODE.contains(&(folder.as_str(), entry.name.as_str()));
            let written = places(&folder, &entry).iter().any(|place| names(place, &entry.name));
            let place = place(&folder, &entry);
            if !written && !generated {
                complaints.push(format!("{place}: nothing in {}/ uses `{}`: take it out", folder, entry.name));
            } else if written && generated {
                complaints
                    .push(format!("{place}: `{}` is written out in {folder}/ now: no exception is needed", entry.name));
            }
        }
    }
    verdict(complaints);
}

#[test]
fn dependencies_of_the_workspace_are_used() {
    let used: Vec<String> =
        manifest::members().iter().flat_map(|folder| manifest::dependencies(folder)).map(|entry| entry.name).collect();
    let unused = manifest::dependencies("").filter(|entry| !used.contains(&entry.name));
    verdict(
        unused.map(|entry| format!("{}: no crate uses `{}`: take it out", place("", &entry), entry.name)).collect(),
    );
}

/// Each of its features is a module.
#[test]
fn features_of_tower_http_are_used() {
    let mut complaints = Vec::new();
    for entry in manifest::dependencies("").filter(|entry| entry.name == "tower-http") {
        let (_, features) = entry.value.split_once("features").unwrap_or_default();
        for feature in manifest::quoted(features) {
            // compression-gzip is a kind of compression.
            let modules = [feature.replace('-', "_"), lexer::identifier(&feature).to_owned()];
            let mut paths = modules.iter().map(|module| format!("tower_http::{module}"));
            if !paths.any(|path| {
                source::below("server/src").any(|source| lexer::words(&source.code, &path).next().is_some())
            }) {
                complaints.push(format!("{}: nothing uses the feature {feature}: take it out", place("", &entry)));
            }
        }
    }
    verdict(complaints);
}

fn place(folder: &str, entry: &Entry) -> String {
    format!("{}:{}", manifest::path(folder), entry.line)
}

/// Where a dependency of this section may be used.
fn places(folder: &str, entry: &Entry) -> Vec<String> {
    let parts: &[&str] = match entry.section.as_str() {
        "build-dependencies" => &["build"],
        "dev-dependencies" => &["src", "tests", "benches", "examples"],
        // Suites are all there is of the crate for tests.
        _ if folder == "tests" => &["src", "tests"],
        _ => &["src"],
    };
    parts.iter().map(|part| format!("{folder}/{part}")).collect()
}

/// Whether a file there has a path that begins with the crate's name, or brings it in.
fn names(folder: &str, dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    source::below(folder).any(|source| {
        let code = source.all_code.as_str();
        lexer::words(code, &name).any(|at| {
            let after = code[at + name.len()..].trim_start();
            after.starts_with("::") || code[..at].ends_with("use ") && after.starts_with([';', ' '])
        })
    })
}
