//! Sockets are opened in one room, so that there is one place that encrypts them, or refuses to.

use super::lexer;
use super::source::{self, Source};
use super::verdict;

const ROOM: &str = "server/src/net/";
/// What opens one, by type.
const OPENERS: [(&str, &[&str]); 9] = [
    ("TcpStream", &["connect", "connect_timeout"]),
    ("UnixStream", &["connect", "connect_addr"]),
    ("TcpListener", &["bind"]),
    ("UnixListener", &["bind", "bind_addr"]),
    ("TcpSocket", &["new_v4", "new_v6"]),
    ("UdpSocket", &["bind"]),
    ("UnixDatagram", &["bind", "bind_addr", "unbound"]),
    ("Socket", &["new", "new_raw"]),
    ("HttpConnector", &["new"]),
];

/// Where one is opened all the same.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // The service manager of this machine has no other kind, and is told nothing that anybody must not read.
    ("server/src/service_manager.rs", "UnixDatagram", "unbound"),
];

#[test]
fn sockets_are_opened_in_one_room() {
    let mut complaints = Vec::new();
    let mut elsewhere = ELSEWHERE.to_vec();
    let sources =
        ["api/src", "openapi/src", "raft/src", "server/src", "storage/src"].into_iter().flat_map(source::below);
    for source in sources.filter(|source| !source.is_test() && !source.path.starts_with(ROOM)) {
        for (at, kind, function) in opened(source) {
            match elsewhere.iter().position(|listed| *listed == (source.path.as_str(), kind, function)) {
                Some(listed) => _ = elsewhere.swap_remove(listed),
                None => complaints
                    .push(format!("{}: `{kind}::{function}` opens a socket: that is done in {ROOM}", source.place(at))),
            }
        }
    }
    complaints.extend(elsewhere.iter().map(|(path, kind, function)| {
        format!("{path}: `{kind}::{function}` is not called: take it from the list of exceptions")
    }));
    verdict(complaints);
}

fn opened(source: &Source) -> impl Iterator<Item = (usize, &'static str, &str)> {
    let code = source.code.as_str();
    OPENERS.into_iter().flat_map(move |(kind, functions)| {
        lexer::words(code, kind).filter_map(move |at| {
            let called = code[at + kind.len()..].strip_prefix("::").map(lexer::identifier)?;
            functions.contains(&called).then_some((at, kind, called))
        })
    })
}
