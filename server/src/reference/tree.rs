//! The program as one command with those below it.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};

use crate::config::{FlagText, flag_texts};
use crate::{backups, doctor, etcd_dir, offline, tcp_gateway};

/// All of it. `own` are those that this room adds.
pub(super) fn whole(own: impl IntoIterator<Item = Command>) -> Command {
    let others = [backups::shape(), etcd_dir::shape(), tcp_gateway::shape(), doctor::shape()];
    let commands = std::iter::once(cluster()).chain(others).chain(offline::shapes()).chain(own);
    Command::new("keyport")
        .about(
            "A distributed key-value and coordination service that speaks the etcd v3 API. Without a command it serves",
        )
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(Arg::new("help").long("help").short('h').action(ArgAction::SetTrue).help("All flags"))
        .args(flag_texts().map(arg))
        .subcommands(commands)
}

fn arg(flag: FlagText) -> Arg {
    let FlagText { name, help, default, group, choices, is_switch } = flag;
    let arg = Arg::new(name).long(name).help(help).help_heading(group);
    if is_switch {
        return arg.action(ArgAction::SetTrue);
    }
    let hint = match name {
        name if name.ends_with("-dir") => ValueHint::DirPath,
        name if name.ends_with("-file") => ValueHint::FilePath,
        _ => ValueHint::Other,
    };
    let arg = arg.action(ArgAction::Set).value_hint(hint);
    let arg = if choices.is_empty() { arg } else { arg.value_parser(PossibleValuesParser::new(choices)) };
    if default.is_empty() { arg } else { arg.default_value(default) }
}

/// Its words are read by hand: most of them are the members'.
fn cluster() -> Command {
    Command::new("cluster")
        .about("Runs three members on this machine, to try things out")
        .arg(Arg::new("directory").value_hint(ValueHint::DirPath).help("Where their data and logs are"))
        .arg(Arg::new("tls").long("tls").action(ArgAction::SetTrue).help("Encrypt all connections"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::COMMANDS;
    use std::collections::BTreeSet;

    #[test]
    fn what_may_have_been_meant_are_the_commands() {
        let tree = whole([Command::new("completions"), Command::new("man")]);
        let names: BTreeSet<_> = tree.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(names, COMMANDS.iter().map(|name| (*name).to_owned()).collect());
    }
}
