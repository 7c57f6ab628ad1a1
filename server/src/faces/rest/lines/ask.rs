//! What a request for a lock or an election says, in its path and its query.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use keyport_api::error::Error;
use keyport_openapi::endpoints::{LineParameter, Resource, WAIT_SECONDS};

use crate::faces::events;
use crate::faces::query::{Parameter, ParameterError, parameters_once};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::{address, hold};

/// Seconds that a lease has which was granted because the request brought none.
const TTL: i64 = 60;

/// See the module's text.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) name: Bytes,
    pub(super) owner: Owner,
    /// How long to wait for those before.
    pub(super) wait: Option<Duration>,
    /// Whether it is for as long as the answer is read.
    pub(super) holds: bool,
    /// Whether changes are asked for.
    pub(super) watches: bool,
    /// How many are told at most.
    pub(super) limit: i64,
}

/// Whose place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A lease that somebody has.
    Lease(i64),
    /// A lease of its own, of so many seconds.
    Ttl(i64),
}

impl Ask {
    /// # Errors
    /// What of it is not understood, or makes no sense.
    pub(super) fn read(resource: Resource, path: &str, parts: &Parts) -> Result<Ask, Failure> {
        let has = |parameter: LineParameter| {
            resource.info().parameters.iter().any(|described| described.name == parameter.info().name)
        };
        let name = address::behind(&parts.uri, path)?;
        let mut ask = Ask {
            name,
            owner: Owner::Ttl(TTL),
            wait: None,
            holds: has(LineParameter::Hold) && events::hears(&parts.headers),
            watches: has(LineParameter::Watch) && events::hears(&parts.headers),
            limit: super::told::MOST,
        };
        let (mut ttl, mut lease) = (None, None);
        for given in parameters_once(parts.uri.query().unwrap_or_default())? {
            let parameter = LineParameter::ALL.iter().copied().find(|one| has(*one) && one.info().name == given.name);
            match parameter {
                Some(LineParameter::Ttl) => ttl = Some(given.positive("a number of seconds")?),
                Some(LineParameter::Lease) => lease = Some(given.lease()?),
                Some(LineParameter::Wait) => ask.wait = Some(wait_of(&given)?),
                Some(LineParameter::Hold) => ask.holds = given.flag()? || ask.holds,
                Some(LineParameter::Watch) => ask.watches = given.flag()? || ask.watches,
                Some(LineParameter::Unnamed) => drop(given.flag()?),
                Some(LineParameter::Limit) => {
                    ask.limit = given.positive("a number from 1 to 1000")?;
                    if ask.limit > super::told::MOST {
                        return Err(given.is_not("a number from 1 to 1000").into());
                    }
                }
                None => given.unknown()?,
            }
        }
        if ask.name.is_empty() {
            return Err(Error::EmptyKey.into());
        }
        if ask.name.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            let detail = "a name has no empty parts between slashes, nor ones of dots alone: they do not stay in paths";
            return Err(Failure::Malformed(detail.into()));
        }
        ask.owner = match (ttl, lease) {
            (Some(_), Some(_)) => return Err(Failure::Malformed("only one of ttl and lease makes sense".into())),
            (_, Some(id)) => Owner::Lease(id),
            (Some(seconds), None) => Owner::Ttl(seconds),
            (None, None) => Owner::Ttl(if ask.holds { hold::TTL } else { TTL }),
        };
        Ok(ask)
    }
}

fn wait_of(given: &Parameter) -> Result<Duration, ParameterError> {
    given.seconds(|seconds| seconds == 0 || WAIT_SECONDS.contains(&seconds), "a number of seconds from 0 to 600")
}
