//! Real clients: each row of the [`table`] by `curl`, by Python's `requests`, by `fetch` in Node.js and in a browser.

mod table;

use std::io::{BufReader, Read as _};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyport_tests::Server;
use keyport_tests::target::{tool, workspace};
use serde_json::{Map, Value, json};

use table::{Row, rows};

/// What came of it.
#[derive(Debug)]
struct Outcome {
    status: u16,
    headers: Map<String, Value>,
    body: String,
}

/// As a program tells it.
fn outcome(line: &str) -> Outcome {
    let told: Value = serde_json::from_str(line).unwrap();
    Outcome {
        status: told["status"].as_u64().unwrap().try_into().unwrap(),
        headers: told["headers"].as_object().unwrap().clone(),
        body: told["body"].as_str().unwrap().to_owned(),
    }
}

/// Holds what came of the rows against what is wanted.
fn verify(client: &str, outcomes: &[Outcome]) {
    let rows = rows();
    assert_eq!(outcomes.len(), rows.len(), "{client}: {outcomes:#?}");
    for (Row { method, path, wanted, .. }, outcome) in rows.iter().zip(outcomes) {
        let body = STANDARD.decode(&outcome.body).unwrap();
        let text = String::from_utf8_lossy(&body);
        let place = format!("{client}: {method} {path}: {text}");
        assert_eq!(outcome.status, wanted.status, "{place}");
        for (name, value) in wanted.headers {
            assert_eq!(outcome.headers.get(*name), Some(&json!(value)), "{name}, {place}");
        }
        assert!(wanted.body.is_none_or(|wanted| body == wanted), "{place}");
        assert!(text.contains(wanted.part), "{:?}, {place}", wanted.part);
    }
}

/// By a program that takes the rows and says what came of them.
fn by(client: &str, mut command: Command) {
    let server = Server::start();
    let file = server.scratch().join("rows");
    let told: Vec<_> = rows().iter().map(Row::told).collect();
    std::fs::write(&file, json!(told).to_string()).unwrap();
    let out = command.arg(server.url()).arg(&file).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{client}: {said}\n{}", String::from_utf8_lossy(&out.stderr));
    let outcomes: Vec<Outcome> = said.lines().map(outcome).collect();
    verify(client, &outcomes);
}

#[test]
fn requests_in_python() {
    let mut python = Command::new(tool("python", "bin/python"));
    python.arg(workspace().join("tests/clients/python/resources.py"));
    by("requests", python);
}

fn fetch(place: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(workspace().join("tests/clients/node/resources.mjs")).arg(place);
    node
}

#[test]
fn fetch_in_node() {
    by("fetch in Node.js", fetch("node"));
}

#[test]
fn fetch_in_a_browser() {
    by("fetch in a browser", fetch("page"));
}

/// One after the other, each a program of its own.
#[test]
fn curl() {
    let server = Server::start();
    let mut saved: Vec<(String, String)> = Vec::new();
    let mut outcomes = Vec::new();
    for row in rows() {
        let answer = curl_row(&server, &row, &saved);
        let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let (head, body) = answer.split_at(head_end);
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers = pairs.map(|(name, value)| (name.to_lowercase(), json!(value))).collect();
        if let Some(name) = row.save {
            let document: Value = serde_json::from_slice(body).unwrap();
            saved.push((format!("{{{}}}", name.to_uppercase()), document[name].as_str().unwrap().to_owned()));
        }
        outcomes.push(Outcome { status, headers, body: STANDARD.encode(body) });
    }
    verify("curl", &outcomes);
}

/// The head and the body of an answer, of a stream as far as it is wanted.
fn curl_row(server: &Server, row: &Row, saved: &[(String, String)]) -> Vec<u8> {
    let path = saved.iter().rev().fold(row.path.to_owned(), |path, (name, value)| path.replace(name, value));
    let mut curl = Command::new("curl");
    curl.args(["-sSN", "--path-as-is", "-i", "--max-time", "60"]).current_dir(server.scratch());
    match (row.method, &row.body) {
        ("HEAD", _) => _ = curl.arg("--head"),
        (method, Some(body)) => {
            std::fs::write(server.scratch().join("body"), STANDARD.decode(body).unwrap()).unwrap();
            curl.args(["-X", method, "--data-binary", "@body"]);
        }
        (method, None) => _ = curl.args(["-X", method]),
    }
    for (name, value) in &row.headers {
        curl.arg("-H").arg(format!("{name}: {}", value.as_str().unwrap()));
    }
    let mut child = curl.arg(server.url() + &path).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut answer = Vec::new();
    let Some(until) = row.until else {
        output.read_to_end(&mut answer).unwrap();
        assert!(child.wait().unwrap().success(), "{path}: {}", String::from_utf8_lossy(&answer));
        return answer;
    };
    let has = |answer: &[u8], text: &str| answer.windows(text.len()).any(|window| window == text.as_bytes());
    let mut meanwhile = row.meanwhile.as_deref();
    while !has(&answer, until) {
        let mut byte = [0];
        output
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{path}: {error} {}", String::from_utf8_lossy(&answer)));
        answer.extend(byte);
        if meanwhile.is_some() && row.first.is_some_and(|first| answer.ends_with(first.as_bytes())) {
            curl_row(server, meanwhile.take().unwrap(), saved);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    answer
}
