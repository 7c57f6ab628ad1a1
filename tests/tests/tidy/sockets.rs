//! Sockets are opened in one room, so that there is one place that encrypts them, or refuses to.

use super::lexer;
use super::source;
use super::verdict;

const ROOM: &str = "server/src/net/";
/// What opens one, by type and function.
const OPENERS: [(&str, &str); 7] = [
    ("TcpStream", "connect"),
    ("UnixStream", "connect"),
    ("TcpListener", "bind"),
    ("UnixListener", "bind"),
    ("TcpSocket", "new_v4"),
    ("TcpSocket", "new_v6"),
    ("HttpConnector", "new"),
];

#[test]
fn sockets_are_opened_in_one_room() {
    let mut complaints = Vec::new();
    let sources =
        ["api/src", "openapi/src", "raft/src", "server/src", "storage/src"].into_iter().flat_map(source::below);
    for source in sources.filter(|source| !source.is_test() && !source.path.starts_with(ROOM)) {
        for (kind, function) in OPENERS {
            for at in lexer::words(&source.code, kind) {
                let called = source.code[at + kind.len()..].strip_prefix("::").map(lexer::identifier);
                if called == Some(function) {
                    let place = source.place(at);
                    complaints.push(format!("{place}: `{kind}::{function}` opens a socket: that is done in {ROOM}"));
                }
            }
        }
    }
    verdict(complaints);
}
