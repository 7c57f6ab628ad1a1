//! What can be typed behind `keyport snapshot`.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use super::restore::{Done, Restore};
use super::save::Save;
use super::shown::{Form, show};
use super::status;
use crate::command_line::{self, bytes};

const NAME: &str = "snapshot";

#[derive(Debug, Parser)]
#[command(
    name = "snapshot",
    bin_name = "keyport snapshot",
    about = "Makes backups, looks at them, and makes data directories of them"
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a backup of a running server, Keyport or etcd
    Save(Box<Save>),
    /// Goes through a backup, and says what is in it
    Status {
        /// The backup, or a copy of a database
        file: PathBuf,
        /// The form of the answer
        #[arg(short, long, value_enum, default_value_t)]
        write_out: Form,
    },
    /// Makes a data directory of a backup: the first start of a new cluster, whose members all restore the same one
    Restore(Restore),
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
    match line.command {
        Command::Save(save) => {
            let file = save.file.clone();
            let status = save.run()?;
            let (size, file) = (bytes(status.total_size), file.display());
            let (revision, keys) = (status.revision, status.total_key);
            writeln!(out, "saved {file}: {size}, {keys} keys at revision {revision}")?;
        }
        Command::Status { file, write_out } => write!(out, "{}", show(&status::of(&file)?, write_out))?,
        Command::Restore(restore) => {
            let file = restore.file.clone();
            tell(&file, &restore.run()?, out)?;
        }
    }
    Ok(())
}

fn tell(file: &std::path::Path, done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let Done { data_dir, cluster_id, member_id, dropped_alarms } = done;
    for (member, alarm) in dropped_alarms {
        writeln!(out, "left out the alarm {alarm} of member {member:x}, which the new cluster does not have")?;
    }
    let (file, data_dir) = (file.display(), data_dir.display());
    writeln!(out, "restored {file} to {data_dir}: cluster {cluster_id:x}, member {member_id:x}")
}
