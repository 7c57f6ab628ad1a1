//! Which binaries are under test, and where they are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Whose server it is. The suites say where etcd 3.5.1 is known to answer differently from the release that Keyport follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// The server of this repository.
    Keyport,
    /// A real etcd, 3.5.1 unless `ETCD_BIN` names another.
    Etcd,
}

impl Flavor {
    /// What the suites run against: Keyport, or etcd if `KEYPORT_TESTS_SERVER=etcd`.
    pub fn under_test() -> Flavor {
        match std::env::var("KEYPORT_TESTS_SERVER").as_deref() {
            Ok("etcd") => Flavor::Etcd,
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
            Flavor::Etcd => etcd_tool("etcd"),
        }
    }
}

impl Flavor {
    /// Whether it is a real etcd of a release before `version` ("3.6"). Keyport is not: it follows the newest.
    ///
    /// # Panics
    /// If etcd does not tell its version.
    pub fn older_than(self, version: &str) -> bool {
        static ETCD: LazyLock<(u32, u32)> = LazyLock::new(|| {
            let out = Command::new(Flavor::Etcd.binary()).arg("--version").output().expect("etcd can be started");
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let line = text.lines().find_map(|l| l.strip_prefix("etcd Version: ")).expect("etcd tells its version");
            minor(line)
        });
        self == Flavor::Etcd && *ETCD < minor(version)
    }
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

/// One of etcd's programs (`etcd`, `etcdctl`): from the folder in `ETCD_BIN`, else where `make tools` puts them.
///
/// # Panics
/// If it is not there, with a hint at how to get it.
pub fn etcd_tool(name: &str) -> PathBuf {
    let folder = match std::env::var_os("ETCD_BIN").map(PathBuf::from) {
        Some(file) if file.is_file() => file.parent().map(Path::to_path_buf).unwrap_or_default(),
        Some(folder) => folder,
        None => tools().join("etcd"),
    };
    let tool = folder.join(name);
    assert!(
        tool.is_file(),
        "no {} there: run `make tools`, or name the folder of etcd's programs in ETCD_BIN",
        tool.display()
    );
    tool
}

/// Where `make tools` installs what the suites need.
pub fn tools() -> PathBuf {
    workspace().join("target/tools")
}

/// The root of the repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
