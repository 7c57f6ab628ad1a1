//! The files of the workspace.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use super::lexer::{self, Literal};
use super::manifest;
use super::workspace::root;

/// A file of Rust. Offsets are into [`Source::code`].
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the workspace.
    pub(crate) path: String,
    /// Without comments, literals, and what is for tests alone.
    pub(crate) code: String,
    /// With what is for tests.
    pub(crate) all_code: String,
    /// Those outside of tests.
    pub(crate) literals: Vec<Literal>,
    /// Modules that are declared for tests alone: their paths, without `.rs`.
    test_modules: Vec<String>,
}

impl Source {
    /// `file:line`, for people and editors.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, self.line(at))
    }

    /// Counted from one.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.code[..at].bytes().filter(|&byte| byte == b'\n').count()
    }

    /// The whole file is for tests.
    pub(crate) fn is_test(&self) -> bool {
        static MODULES: LazyLock<HashSet<&str>> =
            LazyLock::new(|| all().iter().flat_map(|source| &source.test_modules).map(String::as_str).collect());
        let stem = self.path.trim_end_matches(".rs");
        let mut folders = stem.match_indices('/').map(|(at, _)| &stem[..at]).chain([stem]);
        self.path.contains("/tests/") || folders.any(|module| MODULES.contains(module))
    }

    fn read(path: &Path) -> Source {
        let (all_code, mut literals) = lexer::split(&std::fs::read_to_string(path).unwrap());
        let tests = lexer::tests(&all_code);
        let code = lexer::without(&all_code, &tests);
        literals.retain(|literal| !tests.iter().any(|part| part.contains(&literal.at)));
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let folder = ["lib", "main"].iter().find_map(|shell| path.strip_suffix(&format!("/{shell}.rs")));
        let folder = folder.unwrap_or_else(|| path.trim_end_matches(".rs"));
        let declared = tests.iter().filter_map(|part| all_code[part.clone()].strip_suffix(';')?.rsplit_once("mod "));
        let test_modules = declared.map(|(_, name)| format!("{folder}/{name}")).collect();
        Source { path, code, all_code, literals, test_modules }
    }
}

/// All files of Rust in the workspace, in order.
pub(crate) fn all() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut found = Vec::new();
        for folder in manifest::members() {
            collect(&root().join(folder), &mut found);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        // A member may lie in the folder of another one.
        found.dedup_by(|a, b| a.path == b.path);
        found
    });
    &ALL
}

/// Those below one of the workspace's folders, `server/src` for instance.
pub(crate) fn below(folder: &str) -> impl Iterator<Item = &'static Source> {
    let folder = format!("{folder}/");
    all().iter().filter(move |source| source.path.starts_with(&folder))
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Packages of their own, for clients that are somebody else's.
        if path.is_dir() && !path.ends_with("clients") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(Source::read(&path));
        }
    }
}
