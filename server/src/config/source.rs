//! Bringing the sources together: command line, environment, file.

use std::collections::BTreeMap;
use std::fmt;

use super::flag::{Flag, Kind, Value};
use super::settings::Settings;
use super::{Config, ConfigError, args, build, file, former};

const ETCD: &str = "ETCD_";
const OURS: &str = "KEYPORT_";

/// Everything that settings depend on.
pub struct Sources<'a> {
    /// The words after the program's name.
    pub args: &'a [String],
    /// The environment; other programs' variables are passed over.
    pub env: &'a [(String, String)],
    /// Reads the configuration file.
    pub read_file: &'a dyn Fn(&str) -> std::io::Result<String>,
    /// The address this machine talks to others from, asked for when a peer listener is on every address.
    pub default_host: &'a dyn Fn() -> Option<String>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("args", &self.args).finish_non_exhaustive()
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Run(Box<Config>),
    Help,
    Version,
}

/// Reads and checks the settings.
pub fn load(sources: &Sources<'_>) -> Result<Action, ConfigError> {
    let line = args::parse(sources.args)?;
    if line.help {
        return Ok(Action::Help);
    }
    let line_set = last_of_each(line.set);
    if line_set.get("version") == Some(&Value::Bool(true)) {
        return Ok(Action::Version);
    }
    let mut settings = Settings { set: line_set, warnings: Vec::new() };
    for name in line.ignored {
        settings.warnings.push(format!("flag -{name} is no longer supported - ignoring"));
    }
    let variables = Variables::collect(sources.env, &mut settings.warnings)?;
    let path = match settings.set.get("config-file") {
        Some(Value::Str(path)) => path.clone(),
        _ => variables.get("config-file").map(|v| v.value.to_owned()).unwrap_or_default(),
    };
    if path.is_empty() {
        for (flag, variable) in &variables.known {
            if settings.set.contains_key(flag.name) {
                return Err(ConfigError::Shadowed(variable.name.to_owned()));
            }
            let value = flag.parse(variable.value).map_err(|reason| ConfigError::Variable {
                variable: variable.name.to_owned(),
                value: variable.value.to_owned(),
                reason,
            })?;
            settings.set.insert(flag.name, value);
        }
    } else {
        let failed = |reason: String| ConfigError::File { path: path.clone(), reason };
        let text = (sources.read_file)(&path).map_err(|e| failed(e.to_string()))?;
        let given = settings.set.keys().copied().chain(variables.known.iter().map(|(f, _)| f.name));
        let overruled = given.filter(|name| *name != "config-file").count() > 0;
        settings.set = file::parse(&text).map_err(failed)?.into_iter().map(|(f, v)| (f.name, v)).collect();
        if overruled {
            settings.warnings.push(format!(
                "settings are taken from {path}; other command-line flags and environment variables are ignored"
            ));
        }
    }
    former::settle(&mut settings)?;
    build::build(settings, sources.default_host).map(|config| Action::Run(Box::new(config)))
}

/// The last value of each flag, or all of them where that is meant.
fn last_of_each(given: Vec<(&'static Flag, Value)>) -> BTreeMap<&'static str, Value> {
    let mut set = BTreeMap::new();
    for (flag, value) in given {
        match (flag.kind, set.get_mut(flag.name), value) {
            (Kind::Repeated, Some(Value::List(before)), Value::List(more)) => before.extend(more),
            (_, _, value) => _ = set.insert(flag.name, value),
        }
    }
    set
}

struct Variable<'a> {
    name: &'a str,
    value: &'a str,
}

struct Variables<'a> {
    known: Vec<(&'static Flag, Variable<'a>)>,
}

impl<'a> Variables<'a> {
    /// Picks ours; empty ones count as unset.
    fn collect(env: &'a [(String, String)], warnings: &mut Vec<String>) -> Result<Variables<'a>, ConfigError> {
        let by_suffix: BTreeMap<String, &'static Flag> = former::all().map(|f| (f.env_suffix(), f)).collect();
        let mut known: Vec<(&'static Flag, Variable<'a>)> = Vec::new();
        for (name, value) in env.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(suffix) = name.strip_prefix(ETCD).or_else(|| name.strip_prefix(OURS)) else { continue };
            match by_suffix.get(suffix) {
                // Packages set ETCD_VERSION to say what they hold; it is no order to print a version.
                Some(flag) if flag.name == "version" => {
                    warnings.push(format!("environment variable {name} is ignored"))
                }
                Some(flag) => {
                    if let Some((_, other)) = known.iter().find(|(f, _)| f.name == flag.name) {
                        return Err(ConfigError::TwoVariables(other.name.to_owned(), name.clone()));
                    }
                    known.push((*flag, Variable { name, value }));
                }
                None => warnings.push(format!("unrecognized environment variable {name}")),
            }
        }
        Ok(Variables { known })
    }

    fn get(&self, flag: &str) -> Option<&Variable<'a>> {
        self.known.iter().find(|(f, _)| f.name == flag).map(|(_, v)| v)
    }
}
