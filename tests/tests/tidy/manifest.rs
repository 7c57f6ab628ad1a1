//! The workspace's manifests, as far as a line says all: `name = value` under a section.

use super::workspace::text;

/// One line of a manifest.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) section: String,
    /// Without `.workspace`.
    pub(crate) name: String,
    pub(crate) value: String,
    /// Counted from one.
    pub(crate) line: usize,
}

/// The lines of the manifest in a folder, which is empty for the workspace's own.
pub(crate) fn entries(folder: &str) -> Vec<Entry> {
    let mut section = String::new();
    let mut found = Vec::new();
    for (at, line) in text(&path(folder)).lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let name = name.trim().trim_end_matches(".workspace").to_owned();
            found.push(Entry { section: section.clone(), name, value: value.trim().to_owned(), line: at + 1 });
        }
    }
    found
}

/// What a crate depends on, in all sections.
pub(crate) fn dependencies(folder: &str) -> impl Iterator<Item = Entry> {
    entries(folder).into_iter().filter(|entry| entry.section.ends_with("dependencies"))
}

/// The folders of the workspace's members.
pub(crate) fn members() -> Vec<String> {
    let members = entries("").into_iter().find(|entry| entry.name == "members").unwrap();
    quoted(&members.value)
}

/// The strings in a value.
pub(crate) fn quoted(value: &str) -> Vec<String> {
    value.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Where the manifest of a folder is.
pub(crate) fn path(folder: &str) -> String {
    if folder.is_empty() { "Cargo.toml".to_owned() } else { format!("{folder}/Cargo.toml") }
}
