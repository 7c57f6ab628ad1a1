//! What the commands have in common: how one is asked for, its help, and what is typed wrongly.

mod access;
mod progress;

use std::error::Error;
use std::io::Write;

use clap::Parser;

pub(crate) use access::{Access, NoPassword};
pub(crate) use progress::{Progress, bytes};

/// Whether a command line asks for the command of that name.
pub(crate) fn asks_for(args: &[String], name: &str) -> bool {
    args.first().is_some_and(|word| word == name)
}

/// What was typed; `None` if that asks for help, which is written.
///
/// # Errors
/// What was typed wrongly, in a line or more for whoever typed it.
pub(crate) fn parse<L: Parser>(args: &[String], out: &mut dyn Write) -> Result<Option<L>, Box<dyn Error>> {
    match L::try_parse_from(args) {
        Ok(line) => Ok(Some(line)),
        Err(error) if error.use_stderr() => Err(error.render().to_string().trim_end().into()),
        Err(help) => {
            write!(out, "{}", help.render())?;
            Ok(None)
        }
    }
}
