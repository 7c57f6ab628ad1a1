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
            tracing::debug!(target: "h2::codec", "f");
            tracing::info!(target: "h2::codec", "g");
            tracing::warn!(target: "h2::codec", "h");
        })
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| format!("{}{}", line["msg"].as_str().unwrap(), line["level"].as_str().unwrap()))
        .collect::<Vec<_>>()
    };
    assert_eq!(levels(LogLevel::Debug), ["adebug", "binfo", "cwarn", "derror", "efatal", "ginfo", "hwarn"]);
    assert_eq!(levels(LogLevel::Info), ["binfo", "cwarn", "derror", "efatal", "hwarn"]);
    assert_eq!(levels(LogLevel::Warn), ["cwarn", "derror", "efatal", "hwarn"]);
    assert_eq!(levels(LogLevel::Error), ["derror", "efatal"]);
    assert_eq!(levels(LogLevel::Fatal), ["efatal"]);
}

#[test]
fn files_are_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, "old\n").unwrap();
    let outputs = Outputs::open(&[crate::config::LogOutput::File(path.clone())]).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer(&LogConfig::default(), outputs));
    with_default(subscriber, || tracing::info!("new"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((text.lines().count(), text.starts_with("old\n{")), (2, true));

    let error = Outputs::open(&[crate::config::LogOutput::File("/nowhere/log".into())]).unwrap_err();
    assert!(error.to_string().starts_with("cannot open log file \"/nowhere/log\": "));
}
