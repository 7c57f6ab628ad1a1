//! The texts of `--help` and `--version`.

use std::fmt::Write as _;

use super::flag::{Group, Kind};
use super::flags::{FLAGS, IGNORED};
use super::former::FORMER;
use super::gates::GATES;
use super::gone;
use crate::version;

const HEAD: &str = "\
Keyport: a distributed key-value store that speaks the etcd v3 API over gRPC and plain HTTP.

Usage:
  keyport [flags]                 serve; without flags on http://localhost:2379, data in ./default.etcd
  keyport --config-file <path>    take all settings from a YAML or JSON file; flags and environment are then ignored
  keyport cluster [directory]     run three members on this machine, to try things out
  keyport snapshot | migrate      backups, and a data directory for etcd
  keyport gateway start           pass connections on to a cluster
  keyport check | dump | doctor   look at data directories, and put a bug report together
  keyport completions | man       what shells and `man` need
  keyport --version | --help

Every flag may also be given in the environment as ETCD_<NAME> or KEYPORT_<NAME> (name in capitals, '-' as '_'),
but not in both places. Durations are written 300ms, 1.5s or 5m0s; booleans as --flag or --flag=false.
";

/// The whole of `--help`.
pub fn usage() -> String {
    let mut out = HEAD.to_owned();
    for group in Group::ALL {
        let _ = writeln!(out, "\n{}:", group.title());
        for flag in FLAGS.iter().filter(|f| f.group == group) {
            let default = match flag.default {
                "" => "''".to_owned(),
                text if text.contains([' ', '"']) => format!("'{text}'"),
                text => text.to_owned(),
            };
            let form = match flag.kind {
                Kind::Bool if flag.default == "false" => format!("--{}", flag.name),
                _ => format!("--{} {default}", flag.name),
            };
            let later = if flag.inert { " (accepted; no effect in this release)" } else { "" };
            let _ = writeln!(out, "  {form}\n        {}{later}", flag.help);
        }
    }
    out.push_str("\nFeature gates (--feature-gates):\n");
    for gate in GATES {
        let why = gate.without_effect.map(|why| format!(" (accepted; no effect: {why})")).unwrap_or_default();
        let _ = writeln!(out, "  {}=true|false ({}, default {}){why}", gate.name, gate.stage.as_str(), gate.default);
    }
    let former: Vec<&str> = FORMER.iter().map(|former| former.flag.name).collect();
    let _ = writeln!(out, "\nFormer flags, taken with a warning that says what to use instead: {}.", former.join(", "));
    let _ = writeln!(out, "\nIgnored, for old command lines: {}.", IGNORED.join(", "));
    let gone: Vec<&str> = gone::names().collect();
    let _ = writeln!(out, "\nThe same of etcd 3.5, unless they ask for what is gone: {}.", gone.join(", "));
    out
}

/// A flag, for whoever describes it otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlagText {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) default: &'static str,
    pub(crate) group: &'static str,
    /// What it can be; empty if that is not a matter of a few words.
    pub(crate) choices: &'static [&'static str],
    /// Whether it stands alone.
    pub(crate) is_switch: bool,
}

/// All flags, in the order of `--help`.
pub(crate) fn flag_texts() -> impl Iterator<Item = FlagText> {
    FLAGS.iter().map(|flag| FlagText {
        name: flag.name,
        help: flag.help,
        default: flag.default,
        group: flag.group.title(),
        choices: if let Kind::Choice(choices) = flag.kind { choices } else { &[] },
        is_switch: flag.kind == Kind::Bool && flag.default == "false",
    })
}

/// What `--version` prints. Scripts read the first line.
pub fn version_text() -> String {
    format!(
        "etcd Version: {}\nKeyport Version: {}\nOS/Arch: {}/{}\n",
        version::ETCD_SERVER,
        version::KEYPORT,
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_flag() {
        let text = usage();
        for flag in FLAGS {
            assert!(text.contains(&format!("--{}", flag.name)), "{}", flag.name);
        }
    }

    #[test]
    fn version_starts_with_the_line_scripts_read() {
        assert!(version_text().starts_with("etcd Version: 3.7.1\n"));
    }
}
