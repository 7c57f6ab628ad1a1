//! Which binaries are under test, and where they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Whose server it is. The suites say where etcd 3.5.1 is known to answer differently from the release that Keyport follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The server of this repository.
    Keyport,
    /// A real etcd 3.5.1, as most clusters still run it.
    Etcd,
    /// A real etcd 3.6; only where it could be built. Few suites ask it: see [`Flavor::releases`].
    Etcd36,
    /// A real etcd of the release that Keyport follows; only where it could be built.
    NewEtcd,
}

impl Flavor {
    /// What the suites run against: Keyport, or an etcd if `KEYPORT_TESTS_SERVER` is `etcd`, `etcd-3.6` or `new-etcd`.
    pub fn under_test() -> Flavor {
        match std::env::var("KEYPORT_TESTS_SERVER").as_deref() {
            Ok("etcd") => Flavor::Etcd,
            Ok("etcd-3.6") => Flavor::Etcd36,
            Ok("new-etcd") => Flavor::NewEtcd,
            _ => Flavor::Keyport,
        }
    }

    /// The server's executable.
    ///
    /// # Panics
    /// If there is none, with a hint at how to get it.
    pub fn binary(self) -> PathBuf {
        match self {
            Flavor::Keyport => keyport(),
            etcd => etcd.tool("etcd"),
        }
    }

    /// One of the programs of a real etcd's release (`etcd`, `etcdutl`).
    ///
    /// # Panics
    /// If there is none, with a hint at how to get it.
    pub fn tool(self, name: &str) -> PathBuf {
        tool(self.tools(), name)
    }

    /// The folder of its programs.
    fn tools(self) -> &'static str {
        match self {
            Flavor::Keyport => "",
            Flavor::Etcd => "etcd",
            Flavor::Etcd36 => "etcd-3.6",
            Flavor::NewEtcd => "new-etcd",
        }
    }

    /// Whether its programs are there: those of 3.5.1 always are.
    fn is_built(self) -> bool {
        self == Flavor::Etcd || folder(self.tools()).join("etcd").is_file()
    }

    /// The etcds to compare with, the one that is most like Keyport first.
    pub fn peers() -> Vec<Flavor> {
        [Flavor::NewEtcd, Flavor::Etcd].into_iter().filter(|etcd| etcd.is_built()).collect()
    }

    /// Those between which data moves, by backups and by data directories: also the release between the two, which answers
    /// like the newer one and keeps its data like the older one.
    pub fn releases() -> Vec<Flavor> {
        [Flavor::NewEtcd, Flavor::Etcd36, Flavor::Etcd].into_iter().filter(|etcd| etcd.is_built()).collect()
    }

    /// Whether it is a real etcd of a release before `version` ("3.6"). Keyport is not: it follows the newest.
    ///
    /// # Panics
    /// If etcd does not tell its version.
    pub fn older_than(self, version: &str) -> bool {
        static OLD: LazyLock<(u32, u32)> = LazyLock::new(|| release(Flavor::Etcd));
        static MIDDLE: LazyLock<(u32, u32)> = LazyLock::new(|| release(Flavor::Etcd36));
        static NEW: LazyLock<(u32, u32)> = LazyLock::new(|| release(Flavor::NewEtcd));
        match self {
            Flavor::Keyport => false,
            Flavor::Etcd => *OLD < minor(version),
            Flavor::Etcd36 => *MIDDLE < minor(version),
            Flavor::NewEtcd => *NEW < minor(version),
        }
    }
}

fn release(etcd: Flavor) -> (u32, u32) {
    let out = Command::new(etcd.binary()).arg("--version").output().expect("etcd can be started");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    minor(text.lines().find_map(|l| l.strip_prefix("etcd Version: ")).expect("etcd tells its version"))
}

/// The first two numbers of a version.
fn minor(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// `KEYPORT_BIN`, else the `keyport` that cargo built beside this test, for the same profile.
fn keyport() -> PathBuf {
    if let Some(named) = std::env::var_os("KEYPORT_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    let beside = test.ancestors().skip(1).take(2).map(|dir| dir.join("keyport")).find(|p| p.is_file());
    beside.expect("no keyport binary: run `make test`, or `cargo build -p keyport-server` first, or set KEYPORT_BIN")
}

/// One of etcd 3.5.1's programs (`etcd`, `etcdctl`).
///
/// # Panics
/// If it is not there, with a hint at how to get it.
pub fn etcd_tool(name: &str) -> PathBuf {
    tool("etcd", name)
}

/// A program that `make tools` installs.
///
/// # Panics
/// If it is not there, with a hint at how to get it.
pub fn tool(of: &str, name: &str) -> PathBuf {
    let tool = folder(of).join(name);
    assert!(tool.is_file(), "no {}: run `make tools` first", tool.display());
    tool
}

/// Where `make tools` puts one kind of tools.
pub fn folder(of: &str) -> PathBuf {
    tools().join(of)
}

/// `KEYPORT_TESTS_TOOLS`, else where `make tools` installs what the suites need.
fn tools() -> PathBuf {
    std::env::var_os("KEYPORT_TESTS_TOOLS").map_or_else(|| workspace().join("target/tools"), PathBuf::from)
}

/// The root of the repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
