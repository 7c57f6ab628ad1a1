//! What can be typed behind `keyport doctor`, and what it puts together.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, CommandFactory, Parser};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::archive::Archive;
use super::ask::{Answer, Member};
use super::{log_file, scrub};
use crate::command_line::{self, Access};
use crate::{config, offline};

const NAME: &str = "doctor";
/// Files of a data directory that are listed.
const MOST_FILES: usize = 10_000;

#[derive(Debug, Parser)]
#[command(
    name = "doctor",
    bin_name = "keyport doctor",
    about = "Makes one archive for a bug report: what a running member says of itself, the end of its log, and what `keyport check` says of \
             a stopped one. Passwords, tokens, private keys and values are left out",
    group(ArgGroup::new("what").required(true).multiple(true).args(["endpoint", "data_dir", "log_file"]))
)]
struct Line {
    /// A member that runs, Keyport or etcd
    #[arg(long)]
    endpoint: Option<String>,
    #[command(flatten)]
    access: Access,
    /// The data directory of a member that is stopped
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where its write-ahead log is, if not in the data directory
    #[arg(long, requires = "data_dir")]
    wal_dir: Option<PathBuf>,
    /// A log, of which the end is taken
    #[arg(long)]
    log_file: Option<PathBuf>,
    /// How many lines of it
    #[arg(long, default_value = "2000", value_name = "LINES")]
    log_lines: usize,
    /// The archive; keyport-doctor-TIME.tar.gz if not given
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// Questions that a member answers without a body, and the name of each answer.
const ASKED: [(&str, &str); 6] = [
    ("/version", "version.json"),
    ("/health", "health.json"),
    ("/livez?verbose", "livez.txt"),
    ("/readyz?verbose", "readyz.txt"),
    ("/debug/vars", "vars.json"),
    ("/metrics", "metrics.txt"),
];

/// What can be typed, for whoever describes it.
pub(crate) fn shape() -> clap::Command {
    Line::command()
}

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    command_line::asks_for(args, NAME)
}

/// Does it, and says what came of it.
///
/// # Errors
/// What was typed wrongly, or why it could not be done, in a line or more for whoever typed it. Asking for help is none.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let Some(line) = command_line::parse::<Line>(args, out)? else { return Ok(()) };
    let now = OffsetDateTime::now_utc();
    let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z"))?;
    let folder = format!("keyport-doctor-{stamp}");
    let to = line.output.clone().unwrap_or_else(|| format!("{folder}.tar.gz").into());
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    let mut report = Report { archive: Archive::create(&to, &folder, seconds)?, problems: String::new(), found: 0 };
    line.collect(&mut report)?;
    if report.found == 0 {
        return Err(format!("there is nothing to report:\n{}", report.problems.trim_end()).into());
    }
    report.archive.add("about.txt", about(&stamp).as_bytes())?;
    if !report.problems.is_empty() {
        report.archive.add("problems.txt", report.problems.as_bytes())?;
    }
    let names = report.archive.finish()?;
    write!(out, "{}", report.problems)?;
    writeln!(out, "made {}: {}", to.display(), names.join(", "))?;
    Ok(())
}

struct Report {
    archive: Archive,
    /// What could not be had, a line each.
    problems: String,
    found: usize,
}

impl Report {
    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Box<dyn Error>> {
        self.found += 1;
        Ok(self.archive.add(name, content)?)
    }

    fn lacks(&mut self, name: &str, why: &str) {
        let _ = writeln!(self.problems, "no {name}: {}", scrub::text(why).trim_end());
    }
}

impl Line {
    fn collect(&self, report: &mut Report) -> Result<(), Box<dyn Error>> {
        if let Some(endpoint) = &self.endpoint {
            let url = self.access.url(endpoint).map_err(|error| format!("--endpoint: {error}"))?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(self.ask(url, report))?;
        }
        if let Some(path) = &self.log_file {
            match log_file::last_lines(path, self.log_lines) {
                Ok(lines) => report.add("log.txt", scrub::text(&lines).as_bytes())?,
                Err(error) => report.lacks("log.txt", &format!("{}: {error}", path.display())),
            }
        }
        if let Some(data_dir) = &self.data_dir {
            let mut told = Vec::new();
            match offline::report(data_dir.clone(), self.wal_dir.clone(), &mut told) {
                Ok(()) => report.add("check.txt", &told)?,
                Err(error) => report.lacks("check.txt", &error.to_string()),
            }
            match list(data_dir) {
                Ok(list) => report.add("files.txt", list.as_bytes())?,
                Err(error) => report.lacks("files.txt", &format!("{}: {error}", data_dir.display())),
            }
        }
        Ok(())
    }

    async fn ask(&self, url: config::Url, report: &mut Report) -> Result<(), Box<dyn Error>> {
        let member = match Member::reach(url, &self.access).await {
            Ok(member) => member,
            Err(why) => {
                report.lacks("answer of the member", &why);
                return Ok(());
            }
        };
        for (path, name) in ASKED {
            self.keep(report, name, member.get(path).await)?;
        }
        let empty = json!({});
        let alarms = json!({ "action": "GET", "alarm": "NONE" });
        for (path, name, body) in [
            ("/v3/maintenance/status", "status.json", &empty),
            ("/v3/cluster/member/list", "members.json", &empty),
            ("/v3/maintenance/alarm", "alarms.json", &alarms),
        ] {
            self.keep(report, name, member.post(path, body).await)?;
        }
        Ok(())
    }

    /// A refusal says something, too.
    fn keep(&self, report: &mut Report, name: &str, answer: Result<Answer, String>) -> Result<(), Box<dyn Error>> {
        match answer {
            Ok(Answer { status, body })
                if status.is_success() || name.starts_with("health") || name.ends_with("z.txt") =>
            {
                let text = String::from_utf8_lossy(&body);
                // Numbers alone, by the million.
                let text = if name == "metrics.txt" { text.into_owned() } else { scrub::text(&text) };
                report.add(name, text.as_bytes())
            }
            Ok(Answer { status, .. }) => {
                report.lacks(name, &status.to_string());
                Ok(())
            }
            Err(why) => {
                report.lacks(name, &why);
                Ok(())
            }
        }
    }
}

fn about(stamp: &str) -> String {
    let kernel = rustix::system::uname();
    let [release, machine] = [kernel.release(), kernel.machine()].map(|text| text.to_string_lossy().into_owned());
    format!("{}Made: {stamp}\nKernel: {release} {machine}\n", config::version_text())
}

/// The files of a data directory, with their sizes.
fn list(folder: &Path) -> std::io::Result<String> {
    let (mut out, mut left, mut count) = (String::new(), vec![folder.to_owned()], 0);
    while let Some(folder) = left.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let (kind, path) = (entry.file_type()?, entry.path());
            count += 1;
            if count > MOST_FILES {
                out.push_str("and more\n");
                return Ok(out);
            }
            if kind.is_dir() {
                left.push(path);
            } else {
                let _ = writeln!(out, "{:>14} {}", entry.metadata()?.len(), path.display());
            }
        }
    }
    Ok(out)
}
