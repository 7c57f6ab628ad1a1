//! Makes the console of its sources, and a table of what came of it that is compiled in (`console.rs` in the output folder).
//!
//! Node makes it. Where that is missing, or fails, the program is built all the same, and the table holds one page that says
//! what is missing. `KEYPORT_CONSOLE=skip` is for who wants no console in a build.

mod node;
mod table;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Whether a console is wanted.
const WISH: &str = "KEYPORT_CONSOLE";

/// What the console is made of, seen from this crate. Without what is installed, so that nothing is done where nothing changed.
const SOURCES: [&str; 10] = [
    "build",
    "console",
    "scripts",
    "index.html",
    "missing.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "../openapi/openapi.json",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed={WISH}");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| missing("CARGO_MANIFEST_DIR"))?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| missing("OUT_DIR"))?);
    let table = out.join("console.rs");
    let made = out.join("console");
    let why = if env::var_os(WISH).is_some_and(|wish| wish == "skip") {
        "it was left out of this build (KEYPORT_CONSOLE=skip)".to_owned()
    } else {
        match node::make(&here, &made) {
            Ok(()) => return fs::write(table, table::of_files(&made)?),
            Err(why) => why.to_string(),
        }
    };
    println!("cargo:warning=no console in this build: {why}");
    fs::write(table, table::of_nothing(&instead(&here, &why)?))
}

/// The page that stands where the console would.
fn instead(here: &Path, why: &str) -> io::Result<String> {
    let why = why.replace('&', "&amp;").replace('<', "&lt;");
    Ok(fs::read_to_string(here.join("missing.html"))?.replace("{why}", &why))
}

fn missing(variable: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{variable} is not set: this is for cargo to run"))
}
