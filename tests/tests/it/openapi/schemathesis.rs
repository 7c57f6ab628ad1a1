//! schemathesis tries the whole document: requests that it allows and requests that it does not, one after the other and in
//! sequences. What comes has to be what the document says, and no mistake of a client's is a fault of the server.
//!
//! Left out is what changes whether there is anything to try: calls that raise alarms, turn users on or off, change who the
//! members are, or begin a downgrade (`tests/clients/openapi/schemathesis.toml`, with what else is etcd's way and not the
//! document's).

use std::process::Command;

use keyport_tests::Server;
use keyport_tests::target::tool;

use super::{folder, served, succeeds};

/// How many requests for each operation are made up.
const EXAMPLES: &str = "8";

async fn tried(server: &Server, more: &[&str]) -> String {
    let document = served(server, "openapi.json").await;
    let mut run = Command::new(tool("openapi", "bin/schemathesis"));
    run.arg("--config-file").arg(folder().join("schemathesis.toml"));
    run.arg("run").arg(&document).args(["--url", &server.url()]).args(["--max-examples", EXAMPLES]);
    run.args(["--generation-deterministic", "--no-shrink", "--no-color", "--warnings", "off", "--workers", "2"]);
    let said = succeeds(run.args(more).current_dir(server.scratch()));
    assert!(said.contains("No issues found"), "{said}");
    said
}

#[tokio::test]
async fn the_document_holds_without_users() {
    let server = Server::builder().args(["--bcrypt-cost", "4"]).start();
    if server.is_etcd() {
        return; // has no document
    }
    let said = tried(&server, &[]).await;
    assert!(said.contains("Stateful"), "{said}");
}

/// As root, who may do everything, and as nobody, who may do hardly anything.
#[tokio::test]
async fn the_document_holds_with_users() {
    let server = Server::builder().args(["--bcrypt-cost", "4"]).start();
    if server.is_etcd() {
        return; // has no document
    }
    let http = server.http();
    for (path, body) in [
        ("/v3/auth/user/add", r#"{"name":"root","password":"secret"}"#),
        ("/v3/auth/role/add", r#"{"name":"root"}"#),
        ("/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#),
        ("/v3/auth/enable", "{}"),
    ] {
        let answer = http.post(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    tried(&server, &["--auth", "root:secret"]).await;
    tried(&server, &["--phases", "examples,coverage"]).await;
}
