//! Who asks.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::apply::Author;
use crate::bulk::Lane;

/// A secret by which a caller is known. Not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// The token itself, without a scheme before it.
    pub fn new(token: &str) -> Token {
        Token(token.into())
    }

    /// For whoever checks it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a request says of its caller. Nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Not asked for while there are no users.
    pub token: Option<Token>,
    /// Rather refused than served by a member that lost its leader (`hasleader: true`).
    pub insists_on_leader: bool,
}

/// Who asks, as far as it is known: made by the gate alone, or of the node's own accord. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    /// None while there are no users, and for the node itself.
    author: Option<Arc<Author>>,
    insists_on_leader: bool,
    /// Why the node itself asks, if it is the node.
    internal: Option<&'static str>,
    /// Where the work for its connection waits that is too large for an event loop.
    lane: Option<Lane>,
}

impl Caller {
    fn of(claims: &Claims) -> Caller {
        Caller { author: None, insists_on_leader: claims.insists_on_leader, internal: None, lane: None }
    }

    /// The node itself, because of a duty of its own.
    pub(crate) fn internal(reason: &'static str) -> Caller {
        Caller { author: None, insists_on_leader: false, internal: Some(reason), lane: None }
    }

    /// Who is named in the log.
    pub(crate) fn author(&self) -> Option<&Author> {
        self.author.as_deref()
    }

    /// As one of those that call over the same connection.
    pub(crate) fn in_lane(self, lane: &Lane) -> Caller {
        Caller { lane: Some(lane.clone()), ..self }
    }

    pub(crate) fn lane(&self) -> Option<&Lane> {
        self.lane.as_ref()
    }

    pub(super) fn insists_on_leader(&self) -> bool {
        self.insists_on_leader
    }

    /// A user that nobody has checked.
    #[cfg(test)]
    pub(crate) fn user(author: Author) -> Caller {
        Caller { author: Some(Arc::new(author)), ..Caller::of(&Claims::default()) }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.author, self.internal) {
            (Some(author), _) => write!(f, "user {}", author.user),
            (None, Some(reason)) => write!(f, "this member ({reason})"),
            (None, None) => f.write_str("anyone"),
        }
    }
}

/// Who makes a claim, or the way to find out.
pub enum Identified {
    Now(Caller),
    Later(Pin<Box<dyn Future<Output = Caller> + Send>>),
}

impl Identified {
    /// Without users nothing of the claims is checked: whoever asks is anyone.
    pub fn anyone(claims: &Claims) -> Identified {
        Identified::Now(Caller::of(claims))
    }
}

impl fmt::Debug for Identified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identified::Now(caller) => f.debug_tuple("Now").field(caller).finish(),
            Identified::Later(_) => f.write_str("Later"),
        }
    }
}
