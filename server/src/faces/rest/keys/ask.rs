//! What a request for a key says, in its path, its query and its headers.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use keyport_api::error::Error;
use keyport_openapi::endpoints::{KeyParameter, Resource, VERSIONS_LIMITS, WAIT_SECONDS};

use super::change::Arithmetic;
use super::condition::{Condition, Tags};
use crate::faces::query::{Parameter, parameters_once};
use crate::faces::rest::address;
use crate::faces::rest::failure::Failure;
use crate::http::{Call, Rare};

/// Where the histories of keys begin in paths.
const HISTORY: &str = "/v3/history/";

/// Of a key's history, unless another number is given.
const DEFAULT_VERSIONS: usize = 20;

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) key: Bytes,
    /// As of which revision; 0 for now.
    pub(super) revision: i64,
    pub(super) serializable: bool,
    /// How long a change may be waited for.
    pub(super) wait: Option<Duration>,
    pub(super) hold: Hold,
    pub(super) arithmetic: Arithmetic,
    pub(super) condition: Condition,
    /// Whether what was there before is of interest.
    pub(super) previous: bool,
    /// The revision before which it is.
    pub(super) before: i64,
    /// How many versions of it.
    pub(super) limit: usize,
}

/// What a key that is written is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    Nothing,
    /// A lease that somebody has.
    Lease(i64),
    /// A lease of its own, of so many seconds.
    Ttl(i64),
}

impl Ask {
    /// # Errors
    /// What of it is not understood, or makes no sense.
    pub(super) fn read(resource: Resource, parts: &Parts) -> Result<Ask, Failure> {
        let mut ask = Ask { key: key_of(resource, parts)?, limit: DEFAULT_VERSIONS, ..Ask::default() };
        let mut twins = Condition::default();
        for given in parameters_once(parts.uri.query().unwrap_or_default())? {
            match parameter(resource, &given.name) {
                Some(parameter) => ask.take(parameter, &given, &mut twins)?,
                None => given.unknown()?,
            }
        }
        if ask.key.is_empty() {
            return Err(Error::EmptyKey.into());
        }
        if ask.wait.is_some() && ask.revision > 0 {
            return Err(Failure::Malformed("what was at rev does not change: leave out wait".into()));
        }
        let is_said = Call::may_say(&parts.extensions, Rare::CONDITION);
        let said = if is_said { Condition::of_headers(&parts.headers) } else { Condition::default() };
        ask.condition = said.or(twins)?;
        Ok(ask)
    }

    fn take(&mut self, parameter: KeyParameter, given: &Parameter, twins: &mut Condition) -> Result<(), Failure> {
        match parameter {
            KeyParameter::KeyBase64 if self.key.is_empty() => self.key = given.base64()?.into(),
            KeyParameter::KeyBase64 => {
                return Err(Failure::Malformed("one key only: key_b64 is for `/v3/keys/`".into()));
            }
            KeyParameter::Revision => self.revision = given.number("a revision")?,
            KeyParameter::Consistency => self.serializable = given.is_serializable()?,
            KeyParameter::Watch => {}
            KeyParameter::Hold | KeyParameter::Unnamed => drop(given.flag()?),
            KeyParameter::Wait => {
                let waits = |seconds| WAIT_SECONDS.contains(&seconds);
                self.wait = Some(given.seconds(waits, "a number of seconds from 1 to 600")?);
            }
            KeyParameter::Ttl => self.hold(Hold::Ttl(given.positive("a number of seconds")?))?,
            KeyParameter::Lease => self.hold(Hold::Lease(given.lease()?))?,
            KeyParameter::Increment => {
                // A plus sign has become a space.
                let by = given.text().trim_start().parse().map_err(|_| given.is_not("a whole number"))?;
                self.calculate(Arithmetic::Increment(by))?;
            }
            KeyParameter::Append if given.flag()? => self.calculate(Arithmetic::Append)?,
            KeyParameter::Cas => match given.number("a revision")? {
                0 => twins.must_not(Tags::Any)?,
                revision => twins.must(Tags::of(revision))?,
            },
            KeyParameter::Create if given.flag()? => twins.must_not(Tags::Any)?,
            KeyParameter::Update if given.flag()? => twins.must(Tags::Any)?,
            KeyParameter::Create | KeyParameter::Update | KeyParameter::Append => {}
            KeyParameter::Before => self.before = given.positive("a revision")?,
            KeyParameter::Limit => {
                self.limit = given.within(&VERSIONS_LIMITS, "a number from 1 to 1000")?.into();
            }
            KeyParameter::Previous => self.previous = given.flag()?,
        }
        Ok(())
    }

    fn calculate(&mut self, arithmetic: Arithmetic) -> Result<(), Failure> {
        if self.arithmetic != Arithmetic::None {
            return Err(Failure::Malformed("only one of increment and append makes sense, once".into()));
        }
        self.arithmetic = arithmetic;
        Ok(())
    }

    fn hold(&mut self, hold: Hold) -> Result<(), Failure> {
        if self.hold != Hold::Nothing {
            return Err(Failure::Malformed("only one of ttl and lease makes sense, once".into()));
        }
        self.hold = hold;
        Ok(())
    }
}

fn key_of(resource: Resource, parts: &Parts) -> Result<Bytes, Failure> {
    Ok(match resource {
        Resource::KeyHistory => address::behind(&parts.uri, HISTORY)?,
        _ => address::key(&parts.uri)?,
    })
}

/// Of this name, if requests for the resource may have it.
fn parameter(resource: Resource, name: &str) -> Option<KeyParameter> {
    let is_there = resource.info().parameters.iter().any(|parameter| parameter.name == name);
    KeyParameter::ALL.iter().copied().find(|parameter| is_there && parameter.info().name == name)
}
