//! Who asks.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use keyport_api::error::Error;

use crate::audit::Trail;
use crate::auth::{Author, Login, Proof, Secret};
use crate::bulk::Lane;

/// What a request says of its caller. Nothing of it is proven, but what its connection's certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Not asked for while there are no users.
    pub token: Option<Secret>,
    /// Asked for where there is no token.
    pub login: Option<Login>,
    /// Whom a certificate names that was vouched for. A token or a login says more.
    pub common_name: Option<Arc<str>>,
    /// Where it comes from; none for a unix socket.
    pub from: Option<IpAddr>,
    /// Rather refused than served by a member that lost its leader (`hasleader: true`).
    pub insists_on_leader: bool,
}

/// Who asks, as far as it is known: made by the gate alone, or of the node's own accord. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Identity,
    /// By which he can be asked for once more.
    known_by: KnownBy,
    /// See [`Found::until`].
    until: Option<Instant>,
    from: Option<IpAddr>,
    insists_on_leader: bool,
    /// Where the work for its connection waits that is too large for an event loop.
    lane: Option<Lane>,
    /// Where it is noted what he asks for, if that is written down.
    trail: Option<Arc<Trail>>,
}

/// Who somebody is found to be.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) author: Author,
    /// When what he is known by ends; `None` if that does not end what he has begun with it.
    pub(super) until: Option<Instant>,
}

impl From<Author> for Found {
    fn from(author: Author) -> Found {
        Found { author, until: None }
    }
}

/// What somebody is known by.
#[derive(Clone, Debug)]
pub(super) enum KnownBy {
    Nothing,
    /// He says that he is the one of this name, with a password that nobody has found to be right.
    Word(Arc<str>),
    Token(Secret),
    /// A certificate that was vouched for has his name.
    Certificate(Arc<str>),
    /// He has said a password, of which nothing is kept.
    Proof(Arc<Proof>),
}

#[derive(Clone, Debug)]
enum Identity {
    /// Who says nothing of himself, or is not asked.
    Anyone,
    User(Author),
    /// Who says something that is not true.
    Refused(Error),
    /// The node itself, and why.
    Internal(&'static str),
}

impl Identity {
    fn of(found: Result<Option<Found>, Error>) -> Identity {
        match found {
            Ok(Some(found)) => Identity::User(found.author),
            Ok(None) => Identity::Anyone,
            Err(error) => Identity::Refused(error),
        }
    }
}

impl Caller {
    fn new(claims: &Claims, identity: Identity) -> Caller {
        let Claims { token, login, common_name, from, insists_on_leader } = claims;
        let known_by = match (token, login, common_name) {
            (Some(token), ..) => KnownBy::Token(token.clone()),
            (None, None, Some(name)) => KnownBy::Certificate(Arc::clone(name)),
            // Of a login that was found right, see [`Caller::proven`]; a wrong one is not made good by a certificate.
            (None, Some(login), _) => KnownBy::Word(Arc::from(&*login.user)),
            (None, None, None) => KnownBy::Nothing,
        };
        let (from, insists_on_leader) = (*from, *insists_on_leader);
        Caller { identity, known_by, until: None, from, insists_on_leader, lane: None, trail: None }
    }

    pub(super) fn anyone(claims: &Claims) -> Caller {
        Caller::new(claims, Identity::Anyone)
    }

    /// Who makes these claims is found to be somebody, or anyone.
    pub(super) fn found(claims: &Claims, found: Result<Option<Found>, Error>) -> Caller {
        Caller::new(claims, Identity::Anyone).found_again(found)
    }

    /// Somebody who has said a password.
    pub(super) fn proven(claims: &Claims, author: Author, proof: Arc<Proof>) -> Caller {
        Caller { known_by: KnownBy::Proof(proof), ..Caller::found(claims, Ok(Some(author.into()))) }
    }

    /// The same, found to be somebody else, or nobody.
    pub(super) fn found_again(&self, found: Result<Option<Found>, Error>) -> Caller {
        let until = found.as_ref().ok().and_then(|found| found.as_ref()?.until);
        Caller { identity: Identity::of(found), until, ..self.clone() }
    }

    /// When what he began has to end, because nobody vouches for him any longer.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn known_by(&self) -> &KnownBy {
        &self.known_by
    }

    /// Where he calls from; none from a unix socket.
    pub(crate) fn from(&self) -> Option<IpAddr> {
        self.from
    }

    /// The node itself, because of a duty of its own.
    pub(crate) fn internal(reason: &'static str) -> Caller {
        Caller::new(&Claims::default(), Identity::Internal(reason))
    }

    /// Who is named in the log.
    pub(crate) fn author(&self) -> Option<Author> {
        match &self.identity {
            Identity::User(author) => Some(author.clone()),
            Identity::Internal(_) => Some(Author::cluster()),
            Identity::Anyone | Identity::Refused(_) => None,
        }
    }

    /// Whether he was found to be a user.
    pub(crate) fn is_user(&self) -> bool {
        matches!(self.identity, Identity::User(_))
    }

    pub(super) fn is_internal(&self) -> bool {
        matches!(self.identity, Identity::Internal(_))
    }

    /// Who he is found to be, if somebody.
    ///
    /// # Errors
    /// Why he is not who he says.
    pub(super) fn author_found(&self) -> Result<Option<&Author>, Error> {
        match &self.identity {
            Identity::User(author) => Ok(Some(author)),
            Identity::Refused(error) => Err(*error),
            Identity::Anyone | Identity::Internal(_) => Ok(None),
        }
    }

    /// His name, if he has proven one.
    pub(super) fn user(&self) -> Option<&str> {
        match &self.identity {
            Identity::User(author) => Some(&author.user),
            Identity::Anyone | Identity::Refused(_) | Identity::Internal(_) => None,
        }
    }

    /// As one of those that call over the same connection.
    pub(crate) fn in_lane(self, lane: &Lane) -> Caller {
        Caller { lane: Some(lane.clone()), ..self }
    }

    /// As one of whom it is written down what he asks for.
    pub(crate) fn on_trail(self, trail: Option<Arc<Trail>>) -> Caller {
        match (&trail, &self.identity, &self.known_by) {
            (Some(trail), Identity::User(author), _) => trail.set_user(&author.user),
            (Some(trail), Identity::Refused(_), KnownBy::Word(name)) => trail.set_claimed_user(name),
            _ => {}
        }
        Caller { trail, ..self }
    }

    pub(crate) fn trail(&self) -> Option<&Arc<Trail>> {
        self.trail.as_ref()
    }

    pub(crate) fn lane(&self) -> Option<&Lane> {
        self.lane.as_ref()
    }

    pub(super) fn insists_on_leader(&self) -> bool {
        self.insists_on_leader
    }

    /// A user that nobody has checked.
    #[cfg(test)]
    pub(crate) fn unchecked(author: Author) -> Caller {
        Caller::found(&Claims::default(), Ok(Some(author.into())))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Identity::User(author) => write!(f, "user {}", author.user),
            Identity::Internal(reason) => write!(f, "this member ({reason})"),
            Identity::Anyone | Identity::Refused(_) => f.write_str("anyone"),
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
        Identified::Now(Caller::anyone(claims))
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
