//! The query of a stream.

use std::time::Duration;

use keyport_api::error::{self, cancel_reason};
use keyport_openapi::endpoints::{EventsParameter, HEARTBEAT_SECONDS};
use keyport_storage::KeyRange;
use keyport_storage::watch::EventFilters;
use thiserror::Error;

use super::encode::Encoding;
use super::position::{MalformedId, Position};
use super::selectors;
use crate::faces::query::{Parameter, ParameterError, parameters};

/// How many keys, prefixes and ranges one stream may have.
const MAX_SELECTORS: usize = 256;
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(15);

/// What a stream shows and from where on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    /// Sorted, without overlap, never empty.
    pub(super) ranges: Vec<KeyRange>,
    /// Where to go on; none to begin now.
    pub(super) from: Option<Position>,
    /// Whether a reader comes back there, who has been at it before.
    pub(super) comes_back: bool,
    /// Begin with the state.
    pub(super) initial: bool,
    pub(super) filters: EventFilters,
    pub(super) prev_kv: bool,
    pub(super) encoding: Encoding,
    pub(super) heartbeat: Duration,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum QueryError {
    #[error("no keys: give key=, prefix= (empty for all keys) or key= and range_end=, as often as needed")]
    NoSelector,
    #[error("more than {MAX_SELECTORS} keys, prefixes and ranges")]
    TooManySelectors,
    #[error("{}", error::Error::EmptyKey)]
    EmptyKey,
    #[error("range_end belongs after the key that it goes with")]
    StrayRangeEnd,
    #[error("{}", cancel_reason::EMPTY_RANGE)]
    EmptyRange,
    #[error("only one of start_revision, since and initial makes sense")]
    SeveralStarts,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("{0}")]
    MalformedId(#[from] MalformedId),
}

impl Query {
    /// Reads the query of a URL. `last_event_id` is the header, which goes before every start that the query names:
    /// a browser that comes back repeats the query as it was.
    pub(super) fn parse(query: &str, last_event_id: Option<&str>) -> Result<Query, QueryError> {
        let mut parser = Parser::default();
        for given in parameters(query) {
            parser.take(given)?;
        }
        parser.finish(last_event_id)
    }
}

#[derive(Default)]
struct Parser {
    ranges: Vec<KeyRange>,
    start_revision: Option<i64>,
    since: Option<Position>,
    last_event_id: Option<Position>,
    initial: bool,
    filters: EventFilters,
    prev_kv: bool,
    encoding: Encoding,
    heartbeat: Option<Duration>,
}

impl Parser {
    fn take(&mut self, given: Parameter) -> Result<(), QueryError> {
        let Some(parameter) = EventsParameter::named(&given.name) else { return Ok(given.unknown()?) };
        match parameter {
            EventsParameter::Key => self.key(given.value)?,
            EventsParameter::KeyBase64 => self.key(given.base64()?)?,
            EventsParameter::Prefix => self.range(KeyRange::prefix(&given.value))?,
            EventsParameter::PrefixBase64 => self.range(KeyRange::prefix(&given.base64()?))?,
            EventsParameter::RangeEnd => self.range_end(given.value)?,
            EventsParameter::RangeEndBase64 => self.range_end(given.base64()?)?,
            EventsParameter::StartRevision => {
                // 0 means now, as everywhere.
                self.start_revision = Some(given.number("a revision")?).filter(|&revision| revision > 0);
            }
            EventsParameter::Since => self.since = Some(given.text().parse()?),
            // The header for those who cannot set it.
            EventsParameter::LastEventId => {
                // Empty, as in the header: nothing was seen yet.
                let id = given.text();
                self.last_event_id = Some(&*id).filter(|id| !id.is_empty()).map(str::parse).transpose()?;
            }
            EventsParameter::Initial => self.initial = given.flag()?,
            // How it is written is read elsewhere.
            EventsParameter::Unnamed => drop(given.flag()?),
            EventsParameter::PrevKv => self.prev_kv = given.flag()?,
            EventsParameter::Filters => {
                for filter in given.text().split(',').filter(|filter| !filter.is_empty()) {
                    match &*filter.to_ascii_lowercase() {
                        "noput" => self.filters.no_put = true,
                        "nodelete" => self.filters.no_delete = true,
                        _ => return Err(given.is_not("noput or nodelete").into()),
                    }
                }
            }
            EventsParameter::Encoding => {
                self.encoding = match &*given.value {
                    b"utf8" => Encoding::Text,
                    b"base64" => Encoding::Base64,
                    _ => return Err(given.is_not("utf8 or base64").into()),
                };
            }
            EventsParameter::Heartbeat => {
                let seconds = given.within(&HEARTBEAT_SECONDS, "a number of seconds from 1 to 3600")?;
                self.heartbeat = Some(Duration::from_secs(seconds.into()));
            }
            // Whoever found out who asks has read it.
            EventsParameter::AccessToken => {}
        }
        Ok(())
    }

    fn key(&mut self, key: Vec<u8>) -> Result<(), QueryError> {
        if key.is_empty() { Err(QueryError::EmptyKey) } else { self.range(KeyRange::single(key.into())) }
    }

    fn range(&mut self, range: KeyRange) -> Result<(), QueryError> {
        self.ranges.push(range);
        if self.ranges.len() > MAX_SELECTORS { Err(QueryError::TooManySelectors) } else { Ok(()) }
    }

    /// Goes with the key before it.
    fn range_end(&mut self, end: Vec<u8>) -> Result<(), QueryError> {
        let last = self.ranges.last_mut().filter(|last| matches!(last.end, keyport_storage::RangeEnd::Single));
        let last = last.ok_or(QueryError::StrayRangeEnd)?;
        *last = KeyRange::new(last.start.clone(), end.into());
        if last.is_empty() { Err(QueryError::EmptyRange) } else { Ok(()) }
    }

    fn finish(self, last_event_id: Option<&str>) -> Result<Query, QueryError> {
        if self.ranges.is_empty() {
            return Err(QueryError::NoSelector);
        }
        let starts =
            usize::from(self.start_revision.is_some()) + usize::from(self.since.is_some()) + usize::from(self.initial);
        if starts > 1 {
            return Err(QueryError::SeveralStarts);
        }
        let header = last_event_id.filter(|id| !id.is_empty()).map(str::parse).transpose()?;
        let seen = header.or(self.last_event_id).or(self.since);
        Ok(Query {
            ranges: selectors::normalized(self.ranges),
            comes_back: seen.is_some(),
            from: seen.or(self.start_revision.map(|revision| Position::After(revision - 1))),
            initial: self.initial,
            filters: self.filters,
            prev_kv: self.prev_kv,
            encoding: self.encoding,
            heartbeat: self.heartbeat.unwrap_or(DEFAULT_HEARTBEAT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use keyport_storage::RangeEnd;
    use proptest::prelude::*;

    fn parse(query: &str) -> Result<Query, QueryError> {
        Query::parse(query, None)
    }

    #[test]
    fn selectors_may_be_mixed_and_hold_any_bytes() {
        let ranges = |query: &str| parse(query).unwrap().ranges;
        let bytes = |key: &'static [u8]| Bytes::from_static(key);
        assert_eq!(ranges("key=a%2Fb%00%FF"), [KeyRange::single(bytes(b"a/b\0\xFF"))]);
        assert_eq!(ranges("key=a+b"), [KeyRange::single(bytes(b"a b"))]);
        assert_eq!(ranges("prefix="), [KeyRange { start: Bytes::new(), end: RangeEnd::Unbounded }]);
        assert_eq!(
            ranges("key=b&range_end=d&key=a"),
            [KeyRange::single(bytes(b"a")), KeyRange { start: bytes(b"b"), end: RangeEnd::Before(bytes(b"d")) }]
        );
        assert_eq!(ranges("key=a&range_end=%00"), [KeyRange { start: bytes(b"a"), end: RangeEnd::Unbounded }]);
        for key in ["-_8=", "-_8", "%2B/8", "+/8="] {
            assert_eq!(ranges(&format!("key_b64={key}")), [KeyRange::single(bytes(&[0xFB, 0xFF]))], "{key}");
        }
        assert_eq!(ranges("prefix=a/&prefix=a/b&key=a/c"), [KeyRange::prefix(b"a/")]);
    }

    #[test]
    fn the_rest_is_read() {
        let query =
            parse("key=k&filters=noput,NODELETE&prev_kv&encoding=base64&heartbeat=7&_=1&r=0.5&access_token=t").unwrap();
        assert_eq!(query.filters, EventFilters { no_put: true, no_delete: true });
        assert!(query.prev_kv && !query.initial);
        assert_eq!((query.encoding, query.heartbeat), (Encoding::Base64, Duration::from_secs(7)));
    }

    #[test]
    fn the_start_is_what_is_nearest_to_the_reader() {
        let from = |query, header| Query::parse(query, header).unwrap().from;
        assert_eq!(from("key=k", None), None);
        assert_eq!(from("key=k&start_revision=0", None), None);
        assert_eq!(from("key=k&start_revision=5", None), Some(Position::After(4)));
        assert_eq!(from("key=k&since=5", None), Some(Position::After(5)));
        assert_eq!(from("key=k&since=5&lastEventId=7.1", None), Some(Position::Inside { revision: 7, index: 1 }));
        assert_eq!(from("key=k&start_revision=5&lastEventId=7", Some("9")), Some(Position::After(9)));
        assert_eq!((from("key=k", Some("")), from("key=k&lastEventId=", None)), (None, None));
    }

    #[test]
    fn mistakes_are_named() {
        for (query, text) in [
            ("", "no keys: give key=, prefix= (empty for all keys) or key= and range_end=, as often as needed"),
            ("key=", "etcdserver: key is not provided"),
            ("range_end=b", "range_end belongs after the key that it goes with"),
            ("prefix=a&range_end=b", "range_end belongs after the key that it goes with"),
            ("key=b&range_end=a", "mvcc: watcher range is empty"),
            ("key_b64=%25", "key_b64 is not base64"),
            ("key=k&start_revision=-1", "start_revision=-1 is not a revision"),
            ("key=k&start_revison=1", "unknown parameter start_revison"),
            ("key=k&ts=1", "unknown parameter ts"),
            ("key=k&since=5&initial", "only one of start_revision, since and initial makes sense"),
            ("key=k&heartbeat=0", "heartbeat=0 is not a number of seconds from 1 to 3600"),
            ("key=k&prev_kv=maybe", "prev_kv=maybe is not true or false"),
        ] {
            assert_eq!(parse(query).unwrap_err().to_string(), text, "{query}");
        }
        assert_eq!(Query::parse("key=k", Some("x")), Err(QueryError::MalformedId(MalformedId)));
        assert_eq!(parse(&"key=k&".repeat(257)), Err(QueryError::TooManySelectors));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(query in ".*", id in proptest::option::of(".*")) {
            let _ = Query::parse(&query, id.as_deref());
        }
    }
}
