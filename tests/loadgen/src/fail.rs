//! How a request fails.

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Fail {
    /// The connection is unusable; reconnect before the next call.
    Net(String),
    /// The server answered, but not what was asked for.
    Rpc(String),
    /// The server does not know the token, or not any more.
    Token(String),
}

impl std::fmt::Display for Fail {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Fail::Net(s) => write!(f, "net: {s}"),
            Fail::Rpc(s) => write!(f, "rpc: {s}"),
            Fail::Token(s) => write!(f, "token: {s}"),
        }
    }
}

impl std::error::Error for Fail {}

pub(crate) fn net(e: impl std::fmt::Display) -> Fail {
    Fail::Net(e.to_string())
}

pub(crate) fn rpc(e: impl std::fmt::Display) -> Fail {
    Fail::Rpc(e.to_string())
}
