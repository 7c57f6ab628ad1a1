//! What the compiler does not check and reviews forget: who may use whom, how long a function is, where texts for clients
//! stand, where sockets are opened, how imports are ordered, whether every dependency is needed and every metric moved, and where links lead. Reads the sources and
//! says by file and line what to do; it starts nothing and needs no tool.
#![allow(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

mod dependencies;
mod functions;
mod gates;
mod graph;
mod imports;
mod lexer;
mod links;
mod manifest;
mod map;
mod metrics;
mod paths;
mod siblings;
mod sockets;
mod source;
mod statuses;
mod workspace;

/// Fails with everything that was found.
fn verdict(mut complaints: Vec<String>) {
    complaints.sort();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
