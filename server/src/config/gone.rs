//! Flags that etcd had until 3.5, for what there is no more: its API of version 2, the proxy for that, and discovery by it.
//!
//! A command line that says by them what was the default anyway is taken, with a warning; one that asks for what is gone is
//! refused. In files and the environment they are names that nobody knows, and passed over, as by later releases of etcd.

use super::ConfigError;
use super::flag::{Flag, Group, Kind, Value, flag};
use Kind::{Bool, Choice, Str, Uint};

/// A row of the table.
struct Gone {
    flag: Flag,
    /// Whether a value asks for nothing that there is not.
    is_harmless: fn(&Value) -> bool,
    /// What it was about.
    what: &'static str,
}

const fn gone(name: &'static str, kind: Kind, what: &'static str, is_harmless: fn(&Value) -> bool) -> Gone {
    Gone { flag: flag(Group::General, name, kind, "", ""), is_harmless, what }
}

const API: &str = "the API of version 2";
const PROXY: &str = "the proxy for the API of version 2";
const DISCOVERY: &str = "discovery by the API of version 2";

static GONE: [Gone; 10] = [
    gone("enable-v2", Bool, API, |value| *value == Value::Bool(false)),
    gone("experimental-enable-v2v3", Str, API, is_empty),
    gone("proxy", Choice(&["off", "readonly", "on"]), PROXY, |value| *value == Value::Str("off".to_owned())),
    gone("proxy-failure-wait", Uint, PROXY, |_| true),
    gone("proxy-refresh-interval", Uint, PROXY, |_| true),
    gone("proxy-dial-timeout", Uint, PROXY, |_| true),
    gone("proxy-write-timeout", Uint, PROXY, |_| true),
    gone("proxy-read-timeout", Uint, PROXY, |_| true),
    gone("discovery", Str, DISCOVERY, is_empty),
    gone("discovery-proxy", Str, DISCOVERY, is_empty),
];

fn is_empty(value: &Value) -> bool {
    *value == Value::Str(String::new())
}

/// The names, for the help.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    GONE.iter().map(|row| row.flag.name)
}

/// The flag of that name.
pub(super) fn find(name: &str) -> Option<&'static Flag> {
    row(name).map(|row| &row.flag)
}

/// Whether a flag is one of these, and says nothing.
///
/// # Errors
/// When it asks for what there is no more.
pub(super) fn is_passed_over(name: &str, value: &Value) -> Result<bool, ConfigError> {
    match row(name) {
        None => Ok(false),
        Some(row) if (row.is_harmless)(value) => Ok(true),
        Some(row) => {
            Err(ConfigError::Usage(format!("flag -{name} asks for {}, which is gone since etcd 3.6", row.what)))
        }
    }
}

fn row(name: &str) -> Option<&'static Gone> {
    GONE.iter().find(|row| row.flag.name == name)
}
