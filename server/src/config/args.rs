//! The command line, read as Go's flag package reads it.
//!
//! `-x` and `--x` are the same; a boolean takes its value only after `=`; the first word that is no flag ends the flags.

use super::flag::{Flag, Kind, Value};
use super::{ConfigError, flags, former, gone, suggest};

/// What the command line says.
#[derive(Debug, Default)]
pub(super) struct Args {
    /// In order; the last of several wins.
    pub(super) set: Vec<(&'static Flag, Value)>,
    /// Flags of old releases, given and to be warned about.
    pub(super) ignored: Vec<&'static str>,
    /// Whether `-h` or `--help` was met; the rest is not read then.
    pub(super) help: bool,
}

/// Reads the words after the program's name.
pub(super) fn parse(args: &[String]) -> Result<Args, ConfigError> {
    let mut out = Args::default();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let Some(body) = word.strip_prefix('-').filter(|b| !b.is_empty()) else {
            return Err(no_flag(word));
        };
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.is_empty() {
            return match words.next() {
                Some(word) => Err(no_flag(word)),
                None => Ok(out),
            };
        }
        if body.starts_with(['-', '=']) {
            return Err(ConfigError::Usage(format!("bad flag syntax: {word}")));
        }
        let (name, inline) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        if let Some(ignored) = flags::IGNORED.iter().find(|f| **f == name) {
            out.ignored.push(ignored);
            continue;
        }
        let Some(flag) = former::find(name).or_else(|| gone::find(name)) else {
            if name == "h" || name == "help" {
                out.help = true;
                return Ok(out);
            }
            return Err(ConfigError::Usage(suggest::about_flag(name)));
        };
        let text = match (inline, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Bool) => "true",
            (None, _) => {
                words.next().ok_or_else(|| ConfigError::Usage(format!("flag needs an argument: -{name}")))?.as_str()
            }
        };
        let value = flag.parse(text).map_err(|reason| {
            let kind = if flag.kind == Kind::Bool { "boolean value" } else { "value" };
            let preposition = if flag.kind == Kind::Bool { "" } else { "flag " };
            ConfigError::Usage(format!("invalid {kind} {text:?} for {preposition}-{name}: {reason}"))
        })?;
        match gone::is_passed_over(flag.name, &value)? {
            true => out.ignored.push(flag.name),
            false => out.set.push((flag, value)),
        }
    }
    Ok(out)
}

fn no_flag(word: &str) -> ConfigError {
    ConfigError::Usage(suggest::about_word(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Vec<(&'static str, Value)>, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        parse(&args).map(|a| a.set.into_iter().map(|(f, v)| (f.name, v)).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn forms() {
        let name = |n: &str| Ok(vec![("name", Value::Str(n.to_owned()))]);
        assert_eq!(read(&["--name", "a"]), name("a"));
        assert_eq!(read(&["-name=a"]), name("a"));
        assert_eq!(read(&["--name=a=b"]), name("a=b"));
        assert_eq!(read(&["--name", "--x"]), name("--x"));
        assert_eq!(read(&["--name="]), name(""));
        assert_eq!(read(&["--name=a", "--"]), name("a"));
        assert_eq!(read(&["--pre-vote"]), Ok(vec![("pre-vote", Value::Bool(true))]));
        assert_eq!(read(&["-pre-vote=F"]), Ok(vec![("pre-vote", Value::Bool(false))]));
    }

    #[test]
    fn mistakes() {
        let error = |args: &[&str]| read(args).unwrap_err();
        assert_eq!(error(&["--nope"]), "flag provided but not defined: -nope");
        assert_eq!(error(&["--experimental-foo=1"]), "flag provided but not defined: -experimental-foo");
        assert_eq!(
            error(&["--enable-v2"]),
            "flag -enable-v2 asks for the API of version 2, which is gone since etcd 3.6"
        );
        assert_eq!(error(&["--name"]), "flag needs an argument: -name");
        assert_eq!(error(&["---name"]), "bad flag syntax: ---name");
        assert_eq!(error(&["--=x"]), "bad flag syntax: --=x");
        assert_eq!(error(&["--pre-vote=x"]), "invalid boolean value \"x\" for -pre-vote: parse error");
        assert_eq!(error(&["--snapshot-count=-1"]), "invalid value \"-1\" for flag -snapshot-count: parse error");
        for (args, word) in
            [(&["--pre-vote", "false"] as &[&str], "false"), (&["serve"], "serve"), (&["-"], "-"), (&["--", "x"], "x")]
        {
            let expected = format!("{word:?} is not a valid flag, and no command; the commands are keyport cluster | ");
            assert!(error(args).starts_with(&expected), "{}", error(args));
        }
    }

    #[test]
    fn old_flags_and_help() {
        let words = |args: &[&str]| args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        assert_eq!(parse(&words(&["--force", "-snapshot=1", "--vv"])).unwrap().ignored, ["force", "snapshot", "vv"]);
        let harmless = ["--enable-v2=false", "--proxy", "off", "--proxy-read-timeout=0", "--discovery=", "--name=a"];
        let read = parse(&words(&harmless)).unwrap();
        assert_eq!(read.ignored, ["enable-v2", "proxy", "proxy-read-timeout", "discovery"]);
        assert_eq!(read.set.len(), 1);
        assert!(parse(&words(&["-h"])).unwrap().help);
        assert!(parse(&words(&["--name=a", "--help", "--nope"])).unwrap().help);
    }
}
