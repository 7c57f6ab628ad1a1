use super::*;
use serde_json::Value;
use tracing::subscriber::with_default;

fn record(config: &LogConfig, write: impl FnOnce()) -> String {
    let outputs = Outputs::memory();
    let subscriber =
        tracing_subscriber::registry().with(layer(config, outputs.clone()).with_filter(filter(config.level)));
    with_default(subscriber, write);
    outputs.text()
}

#[test]
fn lines_are_shaped_as_etcds() {
    let text = record(&LogConfig::default(), || {
        let error = std::io::Error::other("disk \"x\"");
        tracing::info!(member_id = "8e9e05c52164694d", took = ?std::time::Duration::from_millis(3), n = 7u64, ok = true,
            ratio = 0.5, error = &error as &dyn std::error::Error, "ready to serve client requests");
    });
    assert!(text.starts_with("{\"level\":\"info\",\"ts\":\"20"), "{text}");
    assert!(text.ends_with("}\n"), "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["msg"], "ready to serve client requests");
    assert_eq!(line["member-id"], "8e9e05c52164694d");
    assert_eq!(line["took"], "3ms");
    assert_eq!((&line["n"], &line["ok"], &line["ratio"]), (&Value::from(7), &Value::from(true), &Value::from(0.5)));
    assert_eq!(line["error"], "disk \"x\"");
    let caller = line["caller"].as_str().unwrap();
    assert!(caller.starts_with("logging/tests.rs:"), "{caller}");
}

#[test]
fn console_lines_are_for_people() {
    let config = LogConfig { format: LogFormat::Console, ..LogConfig::default() };
    let text = record(&config, || tracing::warn!(n = 1, "slow"));
    let parts: Vec<&str> = text.trim_end().split('\t').collect();
    assert_eq!((parts[1], parts[3], parts[4]), ("warn", "slow", "{\"n\":1}"));
    // Nobody's words begin a line of their own, or reach the terminal as a command.
    let text = record(&config, || tracing::warn!(key = "\n\u{1b}[2J\u{9b}2J", "slow\n\u{9b}2J"));
    assert!(text.trim_end().ends_with("\tslow\\n\\u{9b}2J\t{\"key\":\"\\n\\u001b[2J\\u009b2J\"}"), "{text}");
}

#[test]
fn lines_on_a_terminal_are_short() {
    let outputs = Outputs::memory();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(outputs.clone()).event_format(Short);
    with_default(tracing_subscriber::registry().with(layer), || {
        let error = std::io::Error::other("disk \u{1b}[2J");
        tracing::warn!(data_dir = "a b", n = 7, took = ?std::time::Duration::from_millis(3), "slow\u{7}");
        tracing::info!(error = &error as &dyn std::error::Error, missing = None::<&str>, long = "x".repeat(90), "done");
    });
    let text = outputs.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].split_at(8).1, " warn  slow\\u{7}  data-dir=\"a b\"  n=7  took=3ms");
    assert_eq!(lines[1].split_at(8).1, " info  done  error=\"disk \\u{1b}[2J\"");
    assert_eq!((lines[2].trim_start(), lines.len()), (format!("long={}", "x".repeat(90)).as_str(), 3), "wrapped");
    assert!(lines[0].chars().take(8).all(|c| c.is_ascii_digit() || c == ':'), "{text}");
}

#[test]
fn levels() {
    let levels = |level| {
        record(&LogConfig { level, ..LogConfig::default() }, || {
            tracing::debug!("a");
            tracing::info!("b");
            tracing::warn!("c");
            tracing::error!("d");
            crate::fatal!("e");
            tracing::debug!(target: "redb::tree", "f");
            tracing::info!(target: "redb::tree", "g");
            tracing::warn!(target: "redb::tree", "h");
            // What a client does wrong, it may do a million times.
            tracing::info!(target: "h2::proto", "i");
            tracing::warn!(target: "h2::proto", "j");
            tracing::error!(target: "h2::proto", "k");
        })
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| format!("{}{}", line["msg"].as_str().unwrap(), line["level"].as_str().unwrap()))
        .collect::<Vec<_>>()
    };
    assert_eq!(
        levels(LogLevel::Debug),
        ["adebug", "binfo", "cwarn", "derror", "efatal", "ginfo", "hwarn", "iinfo", "jwarn", "kerror"]
    );
    assert_eq!(levels(LogLevel::Info), ["binfo", "cwarn", "derror", "efatal", "hwarn", "kerror"]);
    assert_eq!(levels(LogLevel::Warn), ["cwarn", "derror", "efatal", "hwarn", "kerror"]);
    assert_eq!(levels(LogLevel::Error), ["derror", "efatal", "kerror"]);
    assert_eq!(levels(LogLevel::Fatal), ["efatal"]);
}

/// Nobody fills the disk with a line that he can have written again and again; other lines are not lost by that.
#[test]
fn of_one_kind_of_line_only_so_many_are_written() {
    let text = record(&LogConfig { level: LogLevel::Debug, ..LogConfig::default() }, || {
        for n in 0..1000 {
            tracing::warn!(n, "again");
            tracing::debug!(n, "seen by those who look closely");
        }
        tracing::warn!("something else");
    });
    let count = |message: &str| text.lines().filter(|line| line.contains(message)).count();
    assert!((109..200).contains(&count("again")), "{}", count("again"));
    assert_eq!((count("look closely"), count("something else")), (1000, 1));
}

#[test]
fn files_are_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "old\n").unwrap();
    let to = |path| LogConfig { outputs: vec![crate::config::LogOutput::File(path)], ..LogConfig::default() };
    let outputs = Outputs::open(&to(path.clone())).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer(&LogConfig::default(), outputs));
    with_default(subscriber, || tracing::info!("new"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), text.starts_with("old\n{")), (2, true));

    let error = Outputs::open(&to("/nowhere/log".into())).unwrap_err();
    assert!(error.to_string().starts_with("cannot open log file \"/nowhere/log\": "));
}
