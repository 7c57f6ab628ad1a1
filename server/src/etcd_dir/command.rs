//! What can be typed behind `keyport migrate`.

use std::error::Error;
use std::io::Write;

use clap::{CommandFactory, Parser};

use super::to_etcd::{Done, ToEtcd};
use crate::command_line;

const NAME: &str = "migrate";

#[derive(Debug, Parser)]
#[command(
    name = "migrate",
    bin_name = "keyport migrate",
    about = "Makes a data directory that an etcd starts from, of one that a stopped member left. (The other way needs no \
             command: a member that is started on a directory of etcd's takes it over)"
)]
struct Line {
    #[command(flatten)]
    wanted: ToEtcd,
}

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
    let Done { directory, member_id, cluster_id, applied, entries } = line.wanted.run()?;
    let directory = directory.display();
    writeln!(
        out,
        "made {directory} for etcd: member {member_id:x} of cluster {cluster_id:x}, at entry {applied}, with {entries} entries \
         of the log"
    )?;
    Ok(())
}
