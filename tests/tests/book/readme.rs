//! The tours in the README: pasted as they stand there, beside a server and beside a cluster of three.

use std::fs;

use keyport_tests::Flavor;
use keyport_tests::target::workspace;

use super::page::Step;
use super::type_all;

/// What somebody sees who pastes the first tour.
const TOUR: &str = r#"{"key":"app/db","create_revision":"2","mod_revision":"2","version":"1"}
postgres://one{…"key":"app/db",…
…
{…"status":409,…
…
"#;
/// Without what it says of its progress to those who do not look at a terminal.
const CURL: &str = "set -m\ncurl() { command curl -sS \"$@\"; }\n";

pub(super) fn type_tours() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let serve =
        "keyport > keyport.log 2>&1 &\ncurl -s --retry 60 --retry-delay 1 --retry-connrefused localhost:2379/readyz\n";
    let tour = block(&readme, "**With curl.**");
    // The watch has begun before something happens to be seen by it; who types is slower than a script.
    let tour = tour.replace("&watch\" &", "&watch\" > seen &\nuntil grep -qs opened seen; do sleep 0.1; done\n#");
    let tour = tour.replace("kill %1", "until grep -qs visits seen; do sleep 0.1; done; kill %?watch");
    let steps = [
        step(serve, None),
        step(&format!("{CURL}{tour}"), Some(TOUR)),
        // The shell may say here that the watch has ended.
        step("grep -c -e '\"key\":\"app/visits\"' seen\n", Some("…\n1\n…\n")),
    ];
    type_all("README.md, the first tour", &steps, Flavor::Etcd);

    let serve =
        "keyport cluster > cluster.log 2>&1 &\nuntil grep -qs 'three members are up' cluster.log; do sleep 0.1; done\n";
    let tour = block(&readme, "With curl alone; what etcdctl").replace("&watch\" &", "&watch\" > seen &\n#");
    let moved = "until [ \"$(id '\"leader\":true')\" = \"$(id m2)\" ]; do sleep 0.1; done\n\
                 until grep -qs '\"value\":\"bar\"' seen; do curl -s -X PUT -d bar localhost:2379/v3/keys/foo; done\n";
    let steps =
        [step(serve, None), step(&tour, Some("{\"key\":\"foo\",…\nbar{\"members\":[{…\n…\n")), step(moved, None)];
    type_all("README.md, a cluster", &steps, Flavor::Etcd);
}

/// The first commands behind some words.
fn block<'a>(readme: &'a str, words: &str) -> &'a str {
    let (_, behind) = readme.split_once(words).unwrap_or_else(|| panic!("README.md does not say {words:?}"));
    let (_, block) = behind.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0
}

fn step(commands: &str, shown: Option<&str>) -> Step {
    Step { line: 1, commands: commands.into(), refused: false, shown: shown.map(Into::into) }
}
