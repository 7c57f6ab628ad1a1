//! Where the workspace is, and what is in it.

use std::path::{Path, PathBuf};

/// The roots of its crates, and of what else is as large.
pub(crate) const ROOTS: [&str; 14] = [
    "api/build",
    "api/src",
    "openapi/src",
    "raft/src",
    "server/src",
    "storage/src",
    "tests/fuzz/src",
    "tests/loadgen/src",
    "tests/src",
    "tests/tests/book",
    "tests/tests/it",
    "tests/tests/tidy",
    "web-ui/build",
    "web-ui/src",
];

/// Where the workspace is.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of a file that is not Rust.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
