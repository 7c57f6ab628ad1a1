//! What a key has to be for a request to be served: `If-Match` and `If-None-Match`, by the revision of its last change.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use keyport_api::etcdserverpb::Compare;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};

use crate::faces::rest::failure::Failure;
use crate::faces::rest::tag::{Tag, read};

/// More are not said beforehand.
const MOST_GUARDS: usize = 16;

/// See the module's text. Both hold if both are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    must: Option<Tags>,
    must_not: Option<Tags>,
}

/// Conditions that are in each other's way, or said twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("several conditions: give one of If-Match, If-None-Match, cas, create and update")]
pub(super) struct SeveralConditions;

impl From<SeveralConditions> for Failure {
    fn from(error: SeveralConditions) -> Failure {
        Failure::Malformed(error.to_string())
    }
}

/// Which changes a header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whichever, but the key is there.
    Any,
    /// These; none of those that were never given.
    Some(Vec<Tag>),
}

/// The guards of a transaction, as far as they can be said without looking first.
#[derive(Debug)]
pub(super) enum Guards {
    All(Vec<Compare>),
    /// One of several, which is no guard: it has to be known which.
    OneOf,
}

impl Tags {
    pub(super) fn of(revision: i64) -> Tags {
        Tags::Some(vec![Tag { revision, is_document: false }])
    }

    fn matches(&self, current: Option<i64>) -> bool {
        match self {
            Tags::Any => current.is_some(),
            Tags::Some(tags) => current.is_some_and(|revision| tags.iter().any(|tag| tag.revision == revision)),
        }
    }
}

impl Condition {
    pub(super) fn of_headers(headers: &HeaderMap) -> Condition {
        Condition { must: tags(headers, &IF_MATCH, false), must_not: tags(headers, &IF_NONE_MATCH, true) }
    }

    /// # Errors
    /// When that is said already.
    pub(super) fn must(&mut self, tags: Tags) -> Result<(), SeveralConditions> {
        once(&mut self.must, tags)
    }

    /// # Errors
    /// When that is said already.
    pub(super) fn must_not(&mut self, tags: Tags) -> Result<(), SeveralConditions> {
        once(&mut self.must_not, tags)
    }

    /// Headers, or what the query says instead of them.
    ///
    /// # Errors
    /// When both say something, or what cannot be.
    pub(super) fn or(self, twins: Condition) -> Result<Condition, SeveralConditions> {
        let said = match (self.is_none(), twins.is_none()) {
            (_, true) => self,
            (true, false) => twins,
            (false, false) => return Err(SeveralConditions),
        };
        let impossible = said.must.is_some() && said.must_not == Some(Tags::Any);
        if impossible { Err(SeveralConditions) } else { Ok(said) }
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Condition::default()
    }

    /// Whether a key must be what it is, by the revision of its last change.
    pub(super) fn is_met(&self, current: Option<i64>) -> bool {
        self.is_as_it_must_be(current) && self.is_new(current)
    }

    pub(super) fn is_as_it_must_be(&self, current: Option<i64>) -> bool {
        self.must.as_ref().is_none_or(|tags| tags.matches(current))
    }

    /// Whether it is nothing that the caller has already.
    pub(super) fn is_new(&self, current: Option<i64>) -> bool {
        !self.must_not.as_ref().is_some_and(|tags| tags.matches(current))
    }

    /// Whether a reader has it already, in this form.
    pub(super) fn is_known(&self, current: Tag) -> bool {
        match &self.must_not {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::Some(tags)) => tags.contains(&current),
        }
    }

    pub(super) fn guards(&self, key: &Bytes) -> Guards {
        let mut guards = Vec::new();
        match &self.must {
            None => {}
            Some(Tags::Any) => guards.push(is_there(key, CompareResult::Greater)),
            Some(Tags::Some(tags)) => match tags[..] {
                [tag] => guards.push(changed_at(key, CompareResult::Equal, tag.revision)),
                _ => return Guards::OneOf,
            },
        }
        match &self.must_not {
            None => {}
            Some(Tags::Any) => guards.push(is_there(key, CompareResult::Equal)),
            Some(Tags::Some(tags)) if tags.len() > MOST_GUARDS => return Guards::OneOf,
            Some(Tags::Some(tags)) => {
                guards.extend(tags.iter().map(|tag| changed_at(key, CompareResult::NotEqual, tag.revision)));
            }
        }
        Guards::All(guards)
    }
}

/// The guard of a key that is as somebody has seen it: changed at this revision, or not there.
pub(super) fn as_seen(key: &Bytes, current: Option<i64>) -> Compare {
    match current {
        Some(revision) => changed_at(key, CompareResult::Equal, revision),
        None => is_there(key, CompareResult::Equal),
    }
}

/// Whether the key came into being after nothing, or at nothing.
fn is_there(key: &Bytes, result: CompareResult) -> Compare {
    compare(key, CompareTarget::Create, result, TargetUnion::CreateRevision(0))
}

fn changed_at(key: &Bytes, result: CompareResult, revision: i64) -> Compare {
    compare(key, CompareTarget::Mod, result, TargetUnion::ModRevision(revision))
}

fn compare(key: &Bytes, target: CompareTarget, result: CompareResult, with: TargetUnion) -> Compare {
    Compare {
        result: result.into(),
        target: target.into(),
        key: key.clone(),
        range_end: Bytes::new(),
        target_union: Some(with),
    }
}

fn once(place: &mut Option<Tags>, tags: Tags) -> Result<(), SeveralConditions> {
    match place.replace(tags) {
        None => Ok(()),
        Some(_) => Err(SeveralConditions),
    }
}

/// What the lists of a header name, all of them together; a weak tag is the same only where that is enough.
fn tags(headers: &HeaderMap, name: &HeaderName, weak: bool) -> Option<Tags> {
    let mut values = headers.get_all(name).into_iter().peekable();
    values.peek()?;
    let mut tags = Vec::new();
    for tag in values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        let tag = tag.trim();
        if tag == "*" {
            return Some(Tags::Any);
        }
        let strong = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tags.extend(read(strong));
    }
    Some(Tags::Some(tags))
}
