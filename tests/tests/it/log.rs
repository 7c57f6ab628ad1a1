//! What the server writes about itself, for machines and for people.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use keyport_tests::server::free_port;
use keyport_tests::{Flavor, Server, terminal};
use serde_json::{Value, json};

/// Values are meant to be read, so no part of the program shows there as it is written in the source.
#[tokio::test(flavor = "multi_thread")]
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
    let serving = said("serving client traffic")[0];
    assert_eq!(serving["docs"], format!("{}/docs", server.url()), "{log}");
    assert_eq!(serving["console"], format!("{}/ui/", server.url()), "{log}");
}

/// A log that is full goes on in another file, and what was in it is packed.
#[tokio::test(flavor = "multi_thread")]
async fn full_files_are_moved_aside_and_packed() {
    if Flavor::under_test() != Flavor::Keyport {
        return; // tells how long calls took in other words
    }
    let dir = tempfile::tempdir().unwrap();
    let rotation = r#"--log-rotation-config-json={"maxsize": 1, "maxbackups": 5, "localtime": true, "compress": true}"#;
    // Of an earlier run, and nearly full.
    let before = "{\"msg\":\"before\"}\n".repeat(58_200);
    std::fs::write(dir.path().join("k.log"), &before).unwrap();
    let mut server = Server::builder()
        .args([
            format!("--log-outputs={}", dir.path().join("k.log").display()),
            "--enable-log-rotation".to_owned(),
            rotation.to_owned(),
            "--log-level=debug".to_owned(),
            "--warning-unary-request-duration=1ns".to_owned(),
        ])
        .env("TZ", "UTC+3")
        .start();
    let http = server.http();
    let named = |ending: &str| {
        let paths = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut named: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
        named.sort();
        named
    };
    while named(".log.gz").is_empty() {
        http.call("/v3/kv/put", json!({ "key": "aw==", "value": "dg==" })).await;
    }
    server.stop();
    let mut text = String::new();
    for path in named(".log.gz") {
        flate2::read::GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    }
    for path in named(".log") {
        assert!(path.metadata().unwrap().len() <= 1024 * 1024);
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
    }
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (old, new) = lines.split_at(58_200);
    assert!(old.iter().all(|line| line["msg"] == "before"));
    assert!(new.is_sorted_by_key(|line| line["ts"].as_str()), "{new:?}");
    let said = |message: &str| new.iter().any(|line| line["msg"] == message);
    assert!(said("serving client traffic") && said("the server has ended"), "{new:?}");
    let hour = |text: &str| text.split_once('T').unwrap().1[..2].parse::<u8>().unwrap();
    let name = named(".log.gz").pop().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let (in_name, in_line) = (hour(&name), hour(new.last().unwrap()["ts"].as_str().unwrap()));
    // Nobody logs for an hour here, so it is the next one at most.
    assert!([3, 4].contains(&((24 + in_line - in_name) % 24)), "{name}");
}

#[test]
fn a_rotation_that_cannot_be_is_refused() {
    for (args, reason) in [
        (
            vec!["--enable-log-rotation"],
            "--log-outputs requires a single file path when --log-rotate-config-json is defined",
        ),
        (
            vec!["--enable-log-rotation", "--log-outputs=a.log,b.log"],
            "--log-outputs requires a single file path when --log-rotate-config-json is defined",
        ),
        (
            vec!["--enable-log-rotation", "--log-outputs=a.log", r#"--log-rotation-config-json={"maxsize": 1"#],
            "improperly formatted log rotation config: ",
        ),
        (
            vec!["--enable-log-rotation", "--log-outputs=a.log", r#"--log-rotation-config-json={"maxsize": "x"}"#],
            "invalid log rotation config: ",
        ),
    ] {
        let output = Server::builder().args(args).run_to_end();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(reason), "{text}");
    }
}

/// A server whose standard error is a terminal.
struct Terminal {
    child: Child,
    screen: File,
    text: String,
}

impl Terminal {
    fn start(args: &[&str]) -> Terminal {
        let (screen, program) = terminal::open().unwrap();
        let mut command = Command::new(Flavor::Keyport.binary());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(program);
        Terminal { child: command.spawn().unwrap(), screen, text: String::new() }
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

/// Where a member that is alone is found, and the flags that say so.
fn urls() -> (String, [String; 5]) {
    let (client, peer) = (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
    let flags = [
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ];
    (client, flags)
}

#[test]
fn a_person_at_a_terminal_sees_how_far_a_take_over_is() {
    let mut etcd = Server::of(Flavor::Etcd).start();
    etcd.kill();
    let data = format!("--data-dir={}", etcd.data_dir().display());
    let (_, urls) = urls();
    let args: Vec<&str> = urls.iter().map(String::as_str).chain([data.as_str()]).collect();
    let mut terminal = Terminal::start(&args);
    let text = terminal.until("took over the database");
    let (_, line) = text.rsplit_once("\r\x1b[Ktaking over: ").expect("a line that is written over");
    assert!(line.contains("% of ") && line.contains("\r\x1b[K"), "{text}");
}

#[test]
fn a_person_at_a_terminal_gets_short_lines_and_an_address_to_open() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("--data-dir={}", dir.path().join("data").display());
    let (client, urls) = urls();
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
