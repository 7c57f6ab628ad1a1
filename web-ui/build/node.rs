//! Node, which makes the console: first what it needs is installed, by the lock file, then it is built and packed.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Made by whoever has installed what is needed: a copy of the lock file that it was installed by.
const INSTALLED: &str = "node_modules/.installed-by";

/// Why there is no console.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such program.
    Missing(&'static str),
    /// It ended otherwise than well.
    Refused(&'static str, String),
    Files(io::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Missing(program) => write!(f, "there is no {program} here"),
            Failure::Refused(what, said) => write!(f, "{what} failed: {said}"),
            Failure::Files(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Files(error)
    }
}

/// Makes the console of what is in `here`, in the folder `made`.
///
/// # Errors
/// When Node is missing, what is needed cannot be installed, or the sources are wrong.
pub(crate) fn make(here: &Path, made: &Path) -> Result<(), Failure> {
    if made.exists() {
        fs::remove_dir_all(made)?;
    }
    // Two builds may run at once, and both install at the same place.
    let turn = File::create(here.join(".building"))?;
    turn.lock()?;
    install(here)?;
    run(here, "node", &["scripts/build.mjs".as_ref(), made.as_os_str()], "building the console")
}

fn install(here: &Path) -> Result<(), Failure> {
    let (wanted, mark) = (fs::read(here.join("package-lock.json"))?, here.join(INSTALLED));
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"].map(AsRef::as_ref);
    run(here, "npm", &arguments, "npm ci in web-ui")?;
    Ok(fs::write(mark, wanted)?)
}

fn run(here: &Path, program: &'static str, arguments: &[&std::ffi::OsStr], what: &'static str) -> Result<(), Failure> {
    let out = Command::new(program).args(arguments).current_dir(here).stdin(Stdio::null()).output();
    let out = out.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Missing(program),
        _ => Failure::Files(error),
    })?;
    if out.status.success() {
        return Ok(());
    }
    // A warning is one line, and the last ones say most.
    let said = [out.stdout, out.stderr].concat();
    let said: Vec<_> = String::from_utf8_lossy(&said).lines().map(str::to_owned).filter(|l| !l.is_empty()).collect();
    Err(Failure::Refused(what, said.get(said.len().saturating_sub(6)..).unwrap_or_default().join(" | ")))
}
