//! What the members write: all of it into a file each, and what must not be missed on the terminal.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::thread;

/// Whoever sets a level wants to see the lines.
pub(super) fn is_wanted(flags: &[String]) -> bool {
    flags.iter().any(|flag| flag.trim_start_matches('-').split('=').next() == Some("log-level"))
}

/// Follows a pipe to its end, in a thread.
///
/// # Errors
/// When the file cannot be written, or there cannot be another thread.
pub(super) fn follow(name: &'static str, pipe: impl Read + Send + 'static, log: &Path, show: bool) -> io::Result<()> {
    let mut log = File::options().create(true).append(true).open(log)?;
    let copy = move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            // A full disk does not keep the members from going on.
            let _ = log.write_all(format!("{line}\n").as_bytes());
            if show || !is_routine(&line) {
                print(name, &line);
            }
        }
    };
    thread::Builder::new().name(format!("{name}-output")).spawn(copy).map(|_| ())
}

/// Whether a line is of the log, and of no great weight. Anything else is what a process says before it ends.
fn is_routine(line: &str) -> bool {
    let level = match line.strip_prefix("{\"level\":\"") {
        Some(rest) => rest.split('"').next(),
        None => line.split('\t').nth(1),
    };
    matches!(level, Some("debug" | "info" | "warn"))
}

/// One line, whole. Whoever does not listen any more does not keep the members from going on.
pub(super) fn print(who: &str, text: &str) {
    let _ = writeln!(io::stdout().lock(), "{who} | {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown() {
        for routine in [
            "2026-11-28T15:25:07.280953Z\tinfo\tserver/run.rs:129\tstarting an etcd server\t{\"a\":1}",
            "2026-11-28T15:25:07.280953Z\twarn\tpeers/session.rs:99\tcannot connect to peer",
            "{\"level\":\"info\",\"ts\":\"2026-11-28T15:25:07.280953Z\",\"msg\":\"x\"}",
        ] {
            assert!(is_routine(routine), "{routine}");
        }
        for grave in [
            "2026-11-28T15:25:07.280953Z\tfatal\tserver/main.rs:129\tthe server cannot go on",
            "{\"level\":\"error\",\"msg\":\"x\"}",
            "flag provided but not defined: -nonsense",
            "",
        ] {
            assert!(!is_routine(grave), "{grave}");
        }
        let wanted = |flag: &str| is_wanted(&[flag.to_owned()]);
        assert!(wanted("--log-level=debug") && wanted("-log-level"));
        assert!(!wanted("--log-levels=x") && !wanted("--name"));
    }
}
