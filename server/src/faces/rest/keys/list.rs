//! `GET /v3/keys`: what is at a level of keys, by the page, or all of it as lines.

use std::io::Write as _;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use keyport_api::error::{self, Error};
use keyport_openapi::endpoints::{LIST_LIMITS, ListParameter, Resource};

use super::cursor::{Cursor, List};
use crate::calls::{Caller, Calls, ListReply, ListRequest, Listed, Search, SearchIn};
use crate::faces::negotiation::{self, prefers};
use crate::faces::query::{Parameter, parameters_once};
use crate::faces::rest::failure::Failure;
use crate::faces::rest::shown;
use crate::faces::text::{GatewayBody, write_bytes, write_fields, write_outline};
use crate::faces::{kit, problem};
use crate::http::layers::LastsLong;

const JSON: &str = "application/json";
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const DEFAULT_LIMIT: usize = 100;
/// Keys and levels that are read at once where all are wanted.
const LINES_AT_ONCE: usize = 1000;

/// What is asked for.
#[derive(Clone, Debug)]
struct Ask {
    request: ListRequest,
    search: Wanted,
    /// The same, for cursors.
    said: Vec<u8>,
    /// Whether it is to be a file.
    as_file: bool,
}

/// Which keys are wanted, as it is said.
#[derive(Clone, Debug, Default)]
struct Wanted {
    part: Option<Bytes>,
    pattern: Option<String>,
    place: SearchIn,
}

pub(super) async fn answer(calls: &Calls, caller: &Caller, parts: &Parts) -> Result<Response<GatewayBody>, Failure> {
    let query = parts.uri.query().unwrap_or_default();
    let mut ask = Ask::read(query)?;
    let as_lines = ask.as_file || are_lines_wanted(&parts.headers);
    if as_lines {
        ask.request.limit = LINES_AT_ONCE;
    }
    let page = calls.kv.list(caller, ask.request.clone()).await.map_err(|error| match error {
        Error::Compacted => Failure::Compacted(calls.watch.compacted()),
        error => error.into(),
    })?;
    let mut response = Response::new(GatewayBody::empty());
    let said = response.headers_mut();
    said.insert(shown::REVISION, page.revision.into());
    said.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    said.insert(VARY, HeaderValue::from_static("accept"));
    if as_lines {
        said.insert(CONTENT_TYPE, LINES);
        if ask.as_file {
            said.insert(CONTENT_DISPOSITION, disposition(&ask.request.prefix, page.as_of));
        }
        response.extensions_mut().insert(LastsLong);
        *response.body_mut() = lines(calls.clone(), caller.clone(), ask, page);
        return Ok(response);
    }
    shown::typed(said);
    let next = page.next.as_ref().map(|start| {
        let cursor = Cursor { revision: page.as_of, start: start.clone() };
        cursor.encode(ask.list())
    });
    if let Some(next) = &next {
        said.insert(LINK, shown::next_page(parts, "after", next));
    }
    *response.body_mut() = GatewayBody::Full(document(&ask, &page, next.as_deref()));
    Ok(response)
}

impl Ask {
    fn read(query: &str) -> Result<Ask, Failure> {
        let separator = Bytes::from_static(b"/");
        let request = ListRequest { separator, limit: DEFAULT_LIMIT, ..ListRequest::default() };
        let (mut ask, mut after, mut recursive) =
            (Ask { request, search: Wanted::default(), said: Vec::new(), as_file: false }, None, false);
        for given in parameters_once(query)? {
            let taken = Resource::Keys.info().parameters.iter().any(|parameter| parameter.name == given.name);
            let parameter = ListParameter::ALL.iter().copied().find(|one| taken && one.info().name == given.name);
            match parameter {
                Some(ListParameter::After) => after = Some(given),
                Some(ListParameter::Download) => ask.as_file = given.flag()?,
                Some(ListParameter::Recursive) => recursive = given.flag()?,
                Some(parameter) => ask.take(parameter, &given)?,
                None => given.unknown()?,
            }
        }
        ask.request.search = ask.search.read()?;
        ask.said = ask.search.said();
        if recursive || ask.request.search.is_some() {
            ask.request.separator = Bytes::new();
        } else if ask.request.separator.is_empty() {
            return Err(Failure::Malformed("an empty separator ends no level; recursive lists all keys".into()));
        }
        if let Some(after) = after {
            ask.go_on(&after)?;
        }
        Ok(ask)
    }

    fn take(&mut self, parameter: ListParameter, given: &Parameter) -> Result<(), Failure> {
        let request = &mut self.request;
        match parameter {
            ListParameter::Prefix | ListParameter::PrefixBase64 if !request.prefix.is_empty() => {
                return Err(Failure::Malformed("only one of prefix and prefix_b64 makes sense".into()));
            }
            ListParameter::Prefix => request.prefix = given.value.clone().into(),
            ListParameter::PrefixBase64 => request.prefix = given.base64()?.into(),
            ListParameter::Separator => request.separator = given.value.clone().into(),
            ListParameter::KeysOnly => request.keys_only = given.flag()?,
            ListParameter::Counts => request.counted = given.flag()?,
            ListParameter::Limit => {
                request.limit = given.within(&LIST_LIMITS, "a number from 1 to 10000")?.into();
            }
            ListParameter::Search => self.search.part = Some(given.value.clone().into()),
            ListParameter::Regex => {
                let text = std::str::from_utf8(&given.value);
                self.search.pattern = Some(text.map_err(|_| given.is_not("UTF-8"))?.to_owned());
            }
            ListParameter::In => {
                self.search.place = match &*given.value {
                    b"keys" => SearchIn::Keys,
                    b"values" => SearchIn::Values,
                    b"both" => SearchIn::Both,
                    _ => return Err(given.is_not("keys, values or both").into()),
                }
            }
            ListParameter::Revision => request.revision = given.number("a revision")?,
            ListParameter::Consistency => request.serializable = given.is_serializable()?,
            ListParameter::After
            | ListParameter::Download
            | ListParameter::Recursive
            | ListParameter::All
            | ListParameter::Watch => {}
        }
        Ok(())
    }

    /// From where another page has ended, at its revision.
    fn go_on(&mut self, after: &Parameter) -> Result<(), Failure> {
        let cursor = Cursor::decode(&after.value, self.list()).ok_or_else(|| after.is_not("the next of this list"))?;
        if self.request.revision > 0 && self.request.revision != cursor.revision {
            return Err(Failure::Malformed("after is of another revision than rev".into()));
        }
        self.request.revision = cursor.revision;
        self.request.start = cursor.start;
        Ok(())
    }

    fn list(&self) -> List<'_> {
        List { prefix: &self.request.prefix, separator: &self.request.separator, search: &self.said }
    }
}

impl Wanted {
    fn said(&self) -> Vec<u8> {
        match (&self.part, &self.pattern) {
            (Some(part), _) => [&[b's', self.place as u8][..], part].concat(),
            (None, Some(pattern)) => [&[b'r', self.place as u8][..], pattern.as_bytes()].concat(),
            (None, None) => Vec::new(),
        }
    }

    fn read(&self) -> Result<Option<Search>, Failure> {
        match (&self.part, &self.pattern) {
            (Some(_), Some(_)) => Err(Failure::Malformed("only one of search and regex makes sense".into())),
            (Some(part), None) => Ok(Some(Search::part(part, self.place))),
            (None, Some(pattern)) => {
                let search = Search::pattern(pattern, self.place);
                search.map(Some).map_err(|error| Failure::Malformed(format!("regex: {error}")))
            }
            (None, None) if self.place != SearchIn::default() => {
                Err(Failure::Malformed("in says where to look for search or regex".into()))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The name of the file: letters and digits of the prefix, and the revision.
fn disposition(prefix: &[u8], revision: i64) -> HeaderValue {
    let plain = |&byte: &u8| if byte.is_ascii_alphanumeric() || byte == b'.' { char::from(byte) } else { '-' };
    let prefix: String = prefix.iter().take(64).map(plain).collect();
    let prefix = prefix.trim_matches(['-', '.']);
    let name = if prefix.is_empty() { "keys" } else { prefix };
    kit::header(&format!("attachment; filename=\"{name}-{revision}.ndjson\""))
}

fn are_lines_wanted(headers: &HeaderMap) -> bool {
    negotiation::LINES.iter().any(|name| prefers(headers, name, &[JSON]))
}

fn document(ask: &Ask, page: &ListReply, next: Option<&str>) -> Bytes {
    let mut out = vec![b'{'];
    write_bytes(&mut out, "prefix", &ask.request.prefix);
    // A vector takes everything.
    let _ = write!(out, ",\"revision\":\"{}\",\"keys\":[", page.as_of);
    let (keys, levels): (Vec<_>, Vec<_>) = page.listed.iter().partition(|listed| matches!(listed, Listed::Key(_)));
    write_all(&mut out, &keys, !ask.request.keys_only);
    out.extend_from_slice(b"],\"prefixes\":[");
    write_all(&mut out, &levels, !ask.request.keys_only);
    out.push(b']');
    if let Some(next) = next {
        let _ = write!(out, ",\"next\":\"{next}\"");
    }
    out.extend_from_slice(b"}\n");
    out.into()
}

fn write_all(out: &mut Vec<u8>, listed: &[&Listed], with_values: bool) {
    for (at, listed) in listed.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_one(out, listed, with_values);
    }
}

fn write_one(out: &mut Vec<u8>, listed: &Listed, with_values: bool) {
    out.push(b'{');
    match listed {
        Listed::Key(kv) => {
            if with_values {
                write_fields(out, kv, kv.versions(), true);
            } else {
                write_outline(out, kv, kv.versions().lease, kv.value_len());
            }
        }
        Listed::Level { prefix, count } => {
            write_bytes(out, "prefix", prefix);
            if let Some(count) = count {
                let _ = write!(out, ",\"count\":\"{count}\"");
            }
        }
    }
    out.push(b'}');
}

/// One page after the other, each read when the one before has been taken.
fn lines(calls: Calls, caller: Caller, ask: Ask, first: ListReply) -> GatewayBody {
    let frames = stream::unfold((Some(Ok(first)), ask), move |(page, mut ask)| {
        let (calls, caller) = (calls.clone(), caller.clone());
        async move {
            let page = match page? {
                Ok(page) => page,
                Err(error) => return Some((problem(error, calls.watch.compacted()), (None, ask))),
            };
            let mut out = Vec::new();
            for listed in &page.listed {
                write_one(&mut out, listed, !ask.request.keys_only);
                out.push(b'\n');
            }
            let next = match page.next {
                None => None,
                Some(start) => {
                    ask.request = ListRequest { start, revision: page.as_of, ..ask.request };
                    Some(calls.kv.list(&caller, ask.request.clone()).await)
                }
            };
            Some((Bytes::from(out), (next, ask)))
        }
    });
    GatewayBody::stream(frames)
}

/// The last line of a list that breaks off.
fn problem(error: Error, compacted: i64) -> Bytes {
    let mut line = match error {
        Error::Compacted => problem::compacted_document(compacted),
        error => error::problem_of(error).to_json(),
    };
    line.push(b'\n');
    line.into()
}
