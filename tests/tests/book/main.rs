//! The book in `docs`: each command that stands in its pages is typed as it stands there, in order, in an empty folder of a
//! machine of its own, and says what the page shows. (Where the links lead is among what `tidy` looks at.)
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod browser;
mod examples;
mod page;
mod readme;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use keyport_tests::Flavor;
use keyport_tests::cluster::Hosts;
use keyport_tests::target::workspace;
use keyport_tests::typist;

use page::Step;

/// Types a page from the first command to the last.
fn read_and_type(name: &str, etcd: Flavor) {
    let name = format!("docs/{name}");
    let page = fs::read_to_string(workspace().join(&name)).unwrap();
    let steps = page::steps(&page).unwrap_or_else(|error| panic!("{name}, {error}"));
    type_all(&name, &steps, etcd);
}

/// Types what stands in a page.
fn type_all(name: &str, steps: &[Step], etcd: Flavor) {
    assert!(!steps.is_empty(), "{name} has no commands");
    let Some(hosts) = Hosts::new(1) else { return eprintln!("skipped: may not make network namespaces") };
    let room = tempfile::tempdir().unwrap();
    let [folder, programs, said] = ["folder", "programs", "said"].map(|name| room.path().join(name));
    for directory in [&folder, &programs, &said] {
        fs::create_dir(directory).unwrap();
    }
    typist::programs(&programs, etcd).unwrap();
    let file = room.path().join("script");
    fs::write(&file, script(steps, &said)).unwrap();
    let status = typist::types(&hosts, &folder, &programs, &file).unwrap();

    let said: Vec<String> =
        (0..steps.len()).map_while(|n| fs::read(said.join(n.to_string())).ok()).map(|bytes| text(&bytes)).collect();
    let place = |n: usize| format!("{name}, line {}", steps[n].line);
    let last = said.len().saturating_sub(1);
    assert!(status.success(), "{}: {status}\n{}\n{}", place(last), said.join(""), logs(&folder));
    assert_eq!(said.len(), steps.len(), "{}: it ends there", place(last));
    for (n, (step, said)) in steps.iter().zip(&said).enumerate() {
        let Some(shown) = &step.shown else { continue };
        assert!(page::is_as_shown(shown, said), "{} shows\n{shown}\nand this was said:\n{said}", place(n));
    }
}

/// What is typed. Whatever fails ends it, unless the page says that it is refused.
fn script(steps: &[Step], said: &Path) -> String {
    let mut script = String::from("set -e -o pipefail\n");
    for (n, Step { commands, refused, .. }) in steps.iter().enumerate() {
        let typed = writeln!(script, "exec >'{}' 2>&1 </dev/null", said.join(n.to_string()).display());
        typed.unwrap();
        match refused {
            false => script += commands,
            true => script.extend(["if (\n", commands, "); then echo 'this was not refused'; exit 1; fi\n"]),
        }
    }
    script
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The ends of all logs that are there.
fn logs(folder: &Path) -> String {
    let mut logs = String::new();
    for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "log") {
            let log = text(&fs::read(&file).unwrap());
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(20)..].join("\n");
            writeln!(logs, "--- {}\n{end}", file.display()).unwrap();
        }
    }
    logs
}

/// The etcd of the pages that are not about it.
fn read_and_type_all(pages: &[&str]) {
    pages.iter().for_each(|page| read_and_type(page, Flavor::Etcd));
}

#[test]
fn beginning() {
    read_and_type_all(&["start.md", "http-api.md", "http-cluster.md", "http.md", "grpc.md"]);
}

#[test]
fn the_first_tour() {
    readme::type_tours();
}

#[test]
fn a_cluster() {
    read_and_type_all(&["cluster.md"]);
}

#[test]
fn troubleshooting() {
    read_and_type_all(&["troubleshooting.md"]);
}

#[test]
fn operations_and_moving_from_etcd() {
    read_and_type("operations.md", Flavor::Etcd);
}

#[test]
fn operations_and_moving_from_the_newest_etcd() {
    match Flavor::peers().as_slice() {
        [newest @ Flavor::NewEtcd, ..] => read_and_type("operations.md", *newest),
        _ => eprintln!("skipped: there is no newer etcd"),
    }
}

/// What alerts look at is there: names that a member shows which runs as the page says.
#[test]
fn alerts_are_about_metrics_that_there_are() {
    let page = fs::read_to_string(workspace().join("docs/operations.md")).unwrap();
    let shown = fs::read_to_string(workspace().join("server/data/metrics.txt")).unwrap();
    // They have labels that only a member with certificates has, and stand where they are registered.
    let encrypted = ["keyport_tls_certificate_expiry_seconds"];
    let known: Vec<&str> = shown.lines().filter_map(|line| line.split(' ').next()).chain(encrypted).collect();
    let rules = page.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let is_a_name = |word: &&str| ["etcd_", "keyport_", "process_", "grpc_"].iter().any(|kind| word.starts_with(kind));
    let words = rules.clone().flat_map(|rule| rule.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let names: Vec<&str> = words.filter(is_a_name).map(|name| name.trim_end_matches("_bucket")).collect();
    assert!(rules.count() > 10 && names.len() > 10, "{names:?}");
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");
}
