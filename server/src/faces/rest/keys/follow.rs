//! The same resource as it changes: a key, or all keys with a prefix, as a stream of events. What streams of events take in their
//! query, they take here.

use http::Uri;
use http::request::Parts;
use keyport_api::error::Error;
use keyport_openapi::endpoints::{ListParameter, Resource};

use crate::faces::events::hears;
use crate::faces::query::parameters;
use crate::faces::rest::address;
use crate::faces::rest::failure::Failure;

const WATCH: &str = "watch";

/// Whether a request is for that: by what it accepts, or by a name in its query.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    let named = || parameters(parts.uri.query()?).find(|given| given.name == WATCH);
    // A mistake is told where it is read.
    hears(&parts.headers) || named().is_some_and(|given| given.flag().unwrap_or(true))
}

/// The request for the stream that it is.
///
/// # Errors
/// When it names no keys.
pub(super) fn stream_of(resource: Resource, parts: &Parts) -> Result<Uri, Failure> {
    let query = parts.uri.query().unwrap_or_default();
    if let Some(given) = parameters(query).find(|given| given.name == WATCH) {
        given.flag()?;
    }
    let names = |pair: &str, name: &str| pair.split('=').next() == Some(name);
    let others: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !names(pair, WATCH)).collect();
    let is_there = |name: &str| others.iter().any(|pair| names(pair, name));
    let selector = if resource == Resource::Keys {
        let prefixes = [ListParameter::Prefix, ListParameter::PrefixBase64];
        let is_given = prefixes.iter().any(|parameter| is_there(parameter.info().name));
        if is_given { String::new() } else { "prefix=&".to_owned() }
    } else {
        match &*address::key(&parts.uri)? {
            [] if is_there("key_b64") => String::new(),
            [] => return Err(Error::EmptyKey.into()),
            key => format!("key_b64={}&", base64_simd::URL_SAFE_NO_PAD.encode_to_string(key)),
        }
    };
    let uri = format!("/v3/watch?{selector}{}", others.join("&"));
    uri.parse().map_err(|_| Failure::Malformed("the query is too long".into()))
}
