//! What can be typed behind `keyport completions` and `keyport man`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;
use clap_mangen::Man;

use super::tree;
use crate::command_line;

const COMPLETIONS: &str = "completions";
const MAN: &str = "man";

#[derive(Debug, Parser)]
#[command(
    name = "completions",
    bin_name = "keyport completions",
    about = "Writes what a shell needs to complete flags and commands, such as `source <(keyport completions bash)`"
)]
struct CompletionsLine {
    /// The shell
    #[arg(value_parser = clap::value_parser!(Shell))]
    shell: Shell,
}

#[derive(Debug, Parser)]
#[command(
    name = "man",
    bin_name = "keyport man",
    about = "Writes a manual page, such as `keyport man snapshot save | man -l -`"
)]
struct ManLine {
    /// The command that it is of; of the server if none is named
    command: Vec<String>,
    /// Write all pages into this directory instead
    #[arg(long, conflicts_with = "command")]
    directory: Option<PathBuf>,
}

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    [COMPLETIONS, MAN].iter().any(|name| command_line::asks_for(args, name))
}

/// Does it.
///
/// # Errors
/// What was typed wrongly, or why it could not be done, in a line or more for whoever typed it. Asking for help is none.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut whole = tree::whole([CompletionsLine::command(), ManLine::command()]);
    if command_line::asks_for(args, COMPLETIONS) {
        let Some(line) = command_line::parse::<CompletionsLine>(args, out)? else { return Ok(()) };
        // In memory first: the generator ends the process when nobody listens.
        let mut script = Vec::new();
        clap_complete::generate(line.shell, &mut whole, "keyport", &mut script);
        return Ok(out.write_all(&script)?);
    }
    let Some(line) = command_line::parse::<ManLine>(args, out)? else { return Ok(()) };
    if let Some(directory) = line.directory {
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        return clap_mangen::generate_to(whole, &directory)
            .map_err(|error| format!("{}: {error}", directory.display()).into());
    }
    let (name, command) = find(whole, &line.command)?;
    Ok(Man::new(command.display_name(name.clone())).title(name).render(out)?)
}

/// The command of these words, and its page's name.
fn find(whole: Command, words: &[String]) -> Result<(String, Command), Box<dyn Error>> {
    let (mut name, mut found) = ("keyport".to_owned(), whole);
    for word in words {
        let next = found.find_subcommand(word).cloned();
        found = next.ok_or_else(|| format!("there is no command {word:?} below {}", name.replace('-', " ")))?;
        let full = format!("{} {word}", name.replace('-', " "));
        name = format!("{name}-{word}");
        found = found.bin_name(full);
    }
    Ok((name, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(args: &[&str]) -> Result<String, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut out = Vec::new();
        run(&args, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_flag_and_command_is_in_it() {
        let whole = tree::whole([CompletionsLine::command(), ManLine::command()]);
        whole.clone().debug_assert();
        let flags: Vec<String> = whole.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        let commands: Vec<String> = whole.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert!(flags.len() > 100, "{}", flags.len());
        for command in ["cluster", "snapshot", "migrate", "gateway", "doctor", "check", "dump", "completions", "man"] {
            assert!(commands.iter().any(|known| known == command), "{command} of {commands:?}");
        }
        for shell in ["bash", "zsh", "fish"] {
            let script = written(&["completions", shell]).unwrap();
            let missing = flags.iter().chain(&commands).find(|name| !script.contains(name.as_str()));
            assert_eq!(missing, None, "{shell}");
        }
        let page = written(&["man"]).unwrap();
        // A hyphen is escaped there.
        let missing = flags.iter().chain(&commands).find(|name| !page.contains(&name.replace('-', "\\-")));
        assert_eq!(missing, None);
    }

    #[test]
    fn each_command_has_a_page() {
        let page = written(&["man", "snapshot", "save"]).unwrap();
        assert!(page.contains("keyport\\-snapshot\\-save") && page.contains("endpoints"), "{page}");
        assert!(
            written(&["man", "snapshot", "nonsense"])
                .unwrap_err()
                .contains("no command \"nonsense\" below keyport snapshot")
        );
        assert!(written(&["completions", "nonsense"]).unwrap_err().contains("nonsense"));
        let dir = tempfile::tempdir().unwrap();
        let pages = dir.path().join("pages");
        written(&["man", "--directory", pages.to_str().unwrap()]).unwrap();
        for page in ["keyport.1", "keyport-snapshot-save.1", "keyport-gateway-start.1", "keyport-check.1"] {
            assert!(pages.join(page).is_file(), "{page}");
        }
    }
}
