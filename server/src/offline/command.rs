//! What can be typed behind `keyport check` and `keyport dump`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use super::check::Check;
use super::directory::Directory;
use super::dump_hashes::DumpHashes;
use super::dump_keys::DumpKeys;
use super::dump_log::DumpLog;
use crate::command_line;

const CHECK: &str = "check";
const DUMP: &str = "dump";

#[derive(Debug, Parser)]
#[command(
    name = "check",
    bin_name = "keyport check",
    about = "Goes through the data directory of a stopped member, says what is there, and whether it is sound. Nothing is written to \
             it. Exit status: 0 if it is sound, 2 if not, 1 if it cannot be looked at"
)]
struct CheckLine {
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Parser)]
#[command(
    name = "dump",
    bin_name = "keyport dump",
    about = "Shows what is in the data directory of a stopped member. Nothing is written to it"
)]
struct DumpLine {
    #[command(subcommand)]
    what: Dump,
}

#[derive(Debug, Subcommand)]
enum Dump {
    /// The write-ahead log, record by record. Password hashes and tokens are never shown
    Wal(DumpLog),
    /// The keys, as lines of JSON with the fields of `etcdctl get -w json`
    Keys(DumpKeys),
    /// The hash of the keys at revisions, as lines of JSON with the fields of `etcdutl hashkv -w json`
    Hashes(DumpHashes),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sound,
    /// What is wrong has been written.
    Damaged,
}

/// What can be typed, for whoever describes it.
pub(crate) fn shapes() -> [clap::Command; 2] {
    [CheckLine::command(), DumpLine::command()]
}

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    [CHECK, DUMP].iter().any(|name| command_line::asks_for(args, name))
}

/// Does it, and says what came of it.
///
/// # Errors
/// What was typed wrongly, or why it could not be done, in a line or more for whoever typed it. Asking for help is none.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<Outcome, Box<dyn Error>> {
    if command_line::asks_for(args, CHECK) {
        let Some(line) = command_line::parse::<CheckLine>(args, out)? else { return Ok(Outcome::Sound) };
        let problems = Check::run(&line.directory, out)?;
        return Ok(if problems == 0 { Outcome::Sound } else { Outcome::Damaged });
    }
    let Some(line) = command_line::parse::<DumpLine>(args, out)? else { return Ok(Outcome::Sound) };
    match line.what {
        Dump::Wal(log) => log.run(out)?,
        Dump::Keys(keys) => keys.run(out)?,
        Dump::Hashes(hashes) => hashes.run(out)?,
    }
    Ok(Outcome::Sound)
}

/// What `keyport check` says of a directory, whether it is sound or not.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn report(data_dir: PathBuf, wal_dir: Option<PathBuf>, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    Check::run(&Directory { data_dir, wal_dir }, out).map(drop)
}
