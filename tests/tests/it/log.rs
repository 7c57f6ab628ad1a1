//! What the server writes about itself, for machines and for people.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

/// Values are meant to be read, so no part of the program shows there as it is written in the source.
#[tokio::test]
async fn lines_are_free_of_the_programs_own_notation() {
    let mut server = Server::start();
    if server.is_etcd() {
        return; // writes as it likes
    }
    let http = server.http();
    let learner = json!({ "peerURLs": ["http://a.example:2380", "http://b.example:2380"], "isLearner": true });
    let added = http.call("/v3/cluster/member/add", learner).await;
    let id = json!({ "ID": added["member"]["ID"] });
    http.call("/v3/cluster/member/remove", id).await;
    let voter = |urls: [&str; 2]| json!({ "peerURLs": urls }).to_string();
    http.post("/v3/cluster/member/add", voter(["http://c.example:2380", "http://d.example:2380"])).await;
    let refused = http.post("/v3/cluster/member/add", voter(["http://e.example:2380", "http://f.example:2380"])).await;
    assert!(!refused.status.is_success(), "{}", refused.text());
    server.stop();
    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        for text in line.as_object().unwrap().values().filter_map(Value::as_str) {
            let notation = [" { ", "[\"", "Some(", "None", "Ok(", "Err(", "\\\""];
            assert!(!notation.iter().any(|part| text.contains(part)), "{line}");
        }
    }
    let said = |message: &str| lines.iter().filter(|line| line["msg"] == message).collect::<Vec<_>>();
    let urls = "http://a.example:2380,http://b.example:2380";
    assert!(said("added or changed a member").iter().any(|line| line["peer-urls"] == urls), "{log}");
    let refused = said("rejecting member add request; not enough started members");
    assert_eq!(refused[0]["peer-urls"], "http://e.example:2380,http://f.example:2380");
    assert_eq!(said("removed a member").len(), 1, "{log}");
    assert_eq!(said("set the initial cluster version").len(), 1, "{log}");
    assert_eq!(said("updated cluster version").len(), 0, "{log}");
    assert_eq!(said("serving client traffic")[0]["docs"], format!("{}/docs", server.url()), "{log}");
}

/// A server whose standard error is a terminal.
struct Terminal {
    child: Child,
    screen: File,
    text: String,
}

impl Terminal {
    fn start(args: &[&str]) -> Terminal {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let keyboard = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut command = Command::new(Flavor::Keyport.binary());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(OwnedFd::from(keyboard));
        Terminal { child: command.spawn().unwrap(), screen: screen.into(), text: String::new() }
    }

    /// Reads until there is a text on the screen.
    fn until(&mut self, wanted: &str) -> &str {
        let mut buffer = [0; 4096];
        while !self.text.contains(wanted) {
            // An error when the other side is closed.
            let count = self.screen.read(&mut buffer).unwrap_or_default();
            assert!(count > 0, "it has ended without {wanted}: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        &self.text
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_at_a_terminal_gets_short_lines_and_an_address_to_open() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("--data-dir={}", dir.path().join("data").display());
    let (client, peer) = (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
    let urls = [
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ];
    let start = |more: &[&str]| {
        let args: Vec<&str> =
            urls.iter().map(String::as_str).chain([data.as_str()]).chain(more.iter().copied()).collect();
        Terminal::start(&args)
    };
    let docs = format!("{client}/docs");
    let mut terminal = start(&[]);
    for line in terminal.until(&docs).lines().map(str::trim_end) {
        assert!(line.chars().count() < 140 && !line.contains('{') && !line.contains('\t'), "{line}");
        assert!(line.starts_with("  ") || line.as_bytes()[2] == b':', "the time, or more of the line before: {line}");
    }
    assert!(terminal.text.contains(" info  ready to serve client requests\r\n"), "{}", terminal.text);
    drop(terminal);
    // Whoever asks for JSON gets it.
    let mut terminal = start(&["--log-format=json"]);
    let text = terminal.until(&docs);
    assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
}
