//! Linters find nothing: no error and no warning, but for what their rule files say and why.

use std::path::PathBuf;

use keyport_tests::Server;

use super::{folder, npm, served, succeeds};

/// Each form of the document.
const DOCUMENTS: [&str; 2] = ["openapi.json", "openapi-3.0.json"];

/// Spectral's rules, beside the documents: what they say of one place counts in the folder of the rules alone.
fn rules(server: &Server) -> PathBuf {
    let rules = server.scratch().join("spectral.yaml");
    std::fs::copy(folder().join("spectral.yaml"), &rules).unwrap();
    rules
}

#[tokio::test]
async fn linters_have_nothing_to_say() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no document
    }
    for name in DOCUMENTS {
        let document = served(&server, name).await;
        let mut spectral = npm("spectral");
        spectral.args(["lint", "--fail-severity", "hint", "--ruleset"]).arg(rules(&server));
        let said = succeeds(spectral.arg(&document));
        assert!(said.contains("No results"), "{said}");

        let mut redocly = npm("redocly");
        redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        redocly.args(["lint", "--format", "stylish", "--config"]).arg(folder().join("redocly.yaml"));
        let said = succeeds(redocly.arg(&document));
        assert!(said.contains("Your API description is valid") && !said.contains("You have"), "{said}");
    }
}

/// The same linters complain about a document that is wrong.
#[tokio::test]
async fn linters_see_what_is_wrong() {
    let server = Server::start();
    if server.is_etcd() {
        return; // has no document
    }
    let document = served(&server, "openapi.json").await;
    let text = std::fs::read_to_string(&document).unwrap();
    let wrong = text.replace("\"operationId\": \"kvPut\"", "\"operationId\": \"kvRange\"");
    assert_ne!(wrong, text);
    std::fs::write(&document, wrong).unwrap();
    let spectral = npm("spectral").arg("lint").arg("--ruleset").arg(rules(&server)).arg(&document).output();
    assert!(String::from_utf8_lossy(&spectral.unwrap().stdout).contains("operationId"));
    let mut redocly = npm("redocly");
    redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    let redocly = redocly.arg("lint").arg("--config").arg(folder().join("redocly.yaml")).arg(&document).output();
    assert!(!redocly.unwrap().status.success());
}
