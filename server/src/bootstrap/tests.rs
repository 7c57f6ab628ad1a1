//! Settings for the tests of this module's parts.

use crate::config::{self, Action, Config, Sources};

/// What a command line amounts to.
pub(super) fn config(args: &[&str]) -> Config {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let read_file = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let sources = Sources { args: &args, env: &[], read_file: &read_file, default_host: &|| None };
    match config::load(&sources) {
        Ok(Action::Run(config)) => *config,
        other => panic!("{other:?}"),
    }
}
