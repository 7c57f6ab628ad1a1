//! `keyport doctor`: what a bug report needs, and nothing that nobody may see.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use keyport_tests::http::b64;
use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server};
use serde_json::{Value, json};

use super::{ended, files, keyport, text, told};
use crate::backups::{ask, fill, token};

/// What is in an archive, by name, as `tar` unpacks it.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let place = tempfile::tempdir().unwrap();
    let out = Command::new("tar").args(["xzf", text(archive), "-C", text(place.path())]).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", told(&out.stderr));
    let files = files(place.path()).into_iter();
    files.map(|(path, bytes)| (path.file_name().unwrap().to_str().unwrap().to_owned(), told(&bytes))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_says_is_in_it_and_no_secret_is() {
    for flavor in [Flavor::Keyport].into_iter().chain(Flavor::peers()) {
        let mut server = Server::of(flavor).start();
        fill(&server).await;
        let root = token(&server, "root").await;
        let put = json!({ "key": b64("shown"), "value": b64("canary-value") });
        ask(&server, &root, "/v3/kv/put", put).await;
        let place = tempfile::tempdir().unwrap();
        let (log, archive) = (place.path().join("log"), place.path().join("report.tar.gz"));
        let canaries = "{\"level\":\"info\",\"password\":\"canary-logged\"}\n-----BEGIN PRIVATE KEY-----\ncanary-key\n-----END PRIVATE KEY-----\n\
                        asked with Bearer canary-bearer\n";
        fs::write(&log, format!("{}{canaries}the last line\n", server.log())).unwrap();
        let (url, log) = (server.url(), text(&log).to_owned());
        let asked = [
            "doctor",
            "--endpoint",
            &url,
            "--user",
            "root:root's",
            "--dial-timeout=60",
            "--log-file",
            &log,
            "-o",
            text(&archive),
        ];
        let said = ended(&keyport(&asked), 0);
        let found = unpacked(&archive);
        let listed = said.lines().last().unwrap();
        for name in found.keys() {
            assert!(listed.contains(name.as_str()), "{name} in {listed}");
        }
        for name in [
            "about.txt",
            "version.json",
            "health.json",
            "metrics.txt",
            "status.json",
            "members.json",
            "alarms.json",
            "log.txt",
        ] {
            assert!(found.contains_key(name), "{flavor:?}: {name} of {:?}; {said}", found.keys());
        }
        let status: Value = serde_json::from_str(&found["status.json"]).unwrap();
        assert!(status["dbSize"].is_string() && found["metrics.txt"].contains("etcd_server_has_leader 1"));
        assert!(found["log.txt"].ends_with("the last line\n") && found["log.txt"].contains("(hidden)"));
        if flavor == Flavor::Keyport {
            assert!(found["vars.json"].contains("--listen-client-urls"), "{}", found["vars.json"]);
        }
        let letters = root.split('.').next().unwrap();
        for secret in ["root's", "alice's", "canary", &b64("canary-value"), letters, "$2a$", "JDJ"] {
            for (name, text) in &found {
                assert!(!text.contains(secret), "{flavor:?}: {secret} in {name}");
            }
        }

        // A file that is there stays, and nothing else is left.
        let before = fs::read(&archive).unwrap();
        assert!(ended(&keyport(&asked), 1).contains("is there already"));
        assert!(fs::read(&archive).unwrap() == before && fs::read_dir(place.path()).unwrap().count() == 2);

        // Of a member that runs there is nothing to check; of one that is stopped there is.
        let data = text(server.data_dir()).to_owned();
        let running = place.path().join("running.tar.gz");
        let said = ended(&keyport(&["doctor", "--data-dir", &data, "-o", text(&running)]), 0);
        assert!(
            said.contains("no check.txt: ") && unpacked(&running)["problems.txt"].contains("no check.txt"),
            "{said}"
        );
        server.stop();
        let stopped = place.path().join("stopped.tar.gz");
        ended(&keyport(&["doctor", "--data-dir", &data, "-o", text(&stopped)]), 0);
        let found = unpacked(&stopped);
        assert!(found["check.txt"].ends_with("sound\n") && found["files.txt"].contains("member/snap/db"), "{found:?}");
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("report.tar.gz");
    let nobody = format!("127.0.0.1:{}", free_port());
    let told = ended(&keyport(&["doctor", "--endpoint", &nobody, "-o", text(&archive)]), 1);
    assert!(told.contains("nothing to report") && told.contains("no version.json"), "{told}");
    assert!(ended(&keyport(&["doctor"]), 1).contains("--endpoint"));
    assert!(ended(&keyport(&["doctor", "--endpoint", "x", "-o", text(&archive)]), 1).contains("--endpoint: "));
    assert!(files(place.path()).is_empty());
}
