//! Where the links of what is written for people lead: every file and every heading that is named has to be there, and every
//! page of the book has to be in its list of contents.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use super::verdict;
use super::workspace::{root, text};

/// Where nothing of ours is written.
const FOREIGN: [&str; 3] = ["target", "node_modules", ".git"];

#[test]
fn links_lead_somewhere() {
    let mut complaints = Vec::new();
    for page in pages() {
        for (line, link) in links(&text(&page)) {
            if let Some(wrong) = wrong(&page, &link) {
                complaints.push(format!("{page}:{line}: ({link}) {wrong}"));
            }
        }
    }
    verdict(complaints);
}

#[test]
fn the_book_has_every_page() {
    let listed = |index: &str| -> Vec<String> {
        let links = links(&text(index)).into_iter().map(|(_, link)| link.split('#').next().unwrap().to_owned());
        links.filter(|link| is_page(link) && !link.contains('/')).collect()
    };
    let contents = listed("docs/SUMMARY.md");
    let there: BTreeSet<String> =
        pages().iter().filter_map(|page| page.strip_prefix("docs/").map(Into::into)).collect();
    let mut complaints = Vec::new();
    for page in there.iter().filter(|page| *page != "SUMMARY.md") {
        match contents.iter().filter(|listed| *listed == page).count() {
            1 => {}
            times => complaints.push(format!("docs/SUMMARY.md lists {page} {times} times")),
        }
        if page != "README.md" && !listed("docs/README.md").contains(page) {
            complaints.push(format!("docs/README.md does not lead to {page}"));
        }
    }
    if !links(&text("README.md")).iter().any(|(_, link)| link == "docs/README.md") {
        complaints.push("README.md does not lead to the book, docs/README.md".to_owned());
    }
    verdict(complaints);
}

/// All that is written for people, from the root.
fn pages() -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
            if entry.is_dir() && !FOREIGN.contains(&name.as_str()) {
                folders.push(entry);
            } else if is_page(&name) {
                found.push(entry.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn is_page(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "md")
}

/// The lines of a page that are no blocks of code, counted from one.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    page.lines().zip(1..).filter_map(move |(line, number)| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (!inside && !fence).then_some((number, line))
    })
}

/// Links, with the lines they stand in.
fn links(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(page) {
        let code = |at: usize| line[..at].matches('`').count() % 2 == 1;
        for (at, _) in line.match_indices("](").filter(|(at, _)| !code(*at)) {
            if let Some((link, _)) = line[at + 2..].split_once(')') {
                found.push((number, link.to_owned()));
            }
        }
    }
    found
}

/// What is wrong with a link in a page.
fn wrong(page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { PathBuf::from(page) } else { joined(Path::new(page).parent().unwrap(), file) };
    if !root().join(&target).exists() {
        return Some(format!("there is no {}", target.display()));
    }
    let heading = heading?;
    let target = target.to_str().unwrap();
    let known = is_page(target) && headings(&text(target)).contains(heading);
    (!known).then(|| format!("{target} has no such heading"))
}

fn joined(folder: &Path, file: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            other => path.push(other),
        }
    }
    path
}

/// What the headings of a page are called in links: small letters, dashes for spaces, nothing else that is no letter or digit, and a
/// number where a name has been taken.
fn headings(page: &str) -> BTreeSet<String> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let titles = prose(page)
        .filter_map(|(_, line)| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let named = titles.map(|title| {
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect();
        let times = taken.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format!("{name}-{}", *times - 1) }
    });
    named.collect()
}

#[test]
fn headings_are_named_as_they_are_linked() {
    let page = "# A `b` c!\n```sh\n# no heading\n```\n## From x, and back\n## Part\n## Part\n#hash\n";
    let expected = ["a-b-c", "from-x-and-back", "part", "part-1"].map(String::from);
    assert_eq!(headings(page), BTreeSet::from(expected));
    assert_eq!(links("a `[x](y)` [b](c.md#d)\n```\n[e](f)\n```\n"), [(1, "c.md#d".to_owned())]);
    assert!(wrong("README.md", "docs/nowhere.md").is_some() && wrong("README.md", "#nowhere").is_some());
    assert!(wrong("docs/tls.md", "../README.md#a-tour").is_none());
}
