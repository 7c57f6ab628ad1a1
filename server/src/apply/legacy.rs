//! Requests of etcd's old store, as etcd 3.5 still writes them into the log for its own purposes: what a member says of
//! itself, the cluster version, and the time. An entry is such a request, or holds one in field 2 of the envelope.

use bytes::Bytes;
use keyport_api::membershippb::{Attributes, ClusterMemberAttrSetRequest, ClusterVersionSetRequest};
use prost::Message;
use serde::Deserialize;
use thiserror::Error;

use super::Command;
use crate::membership::Release;

/// Why such a request is not understood.
#[derive(Debug, Error)]
pub(crate) enum LegacyError {
    #[error("{method} {path:?}: data of the v2 store is not supported")]
    Data { method: String, path: String },
    #[error("{path} holds no attributes of a member: {source}")]
    Attributes { path: String, source: serde_json::Error },
    #[error("{0:?} is no cluster version")]
    Version(String),
}

/// What of the old request says what it asks for, and whether it asks for more than to set a value.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(string, tag = "3")]
    path: String,
    #[prost(string, tag = "4")]
    value: String,
    #[prost(string, tag = "6")]
    previous_value: String,
    #[prost(uint64, tag = "7")]
    previous_index: u64,
    #[prost(bool, optional, tag = "8")]
    previous_exists: Option<bool>,
}

/// The one field of the envelope that the wire does not have any more.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(message, optional, tag = "2")]
    v2: Option<Request>,
}

/// The JSON that a member is described with.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MemberAttributes {
    name: String,
    #[serde(rename = "clientURLs")]
    client_urls: Option<Vec<String>>,
}

/// What an envelope asks for by an old request; none if it holds none.
///
/// # Errors
/// When it asks for something that this server has no place for.
pub(super) fn wrapped(entry: &Bytes) -> Result<Option<Command>, LegacyError> {
    match Envelope::decode(entry.clone()) {
        Ok(Envelope { v2: Some(request) }) => request.command().map(Some),
        Ok(Envelope { v2: None }) | Err(_) => Ok(None),
    }
}

/// The same for an entry that is no envelope; none if it is no old request either.
///
/// # Errors
/// The same.
pub(super) fn bare(entry: &Bytes) -> Result<Option<Command>, LegacyError> {
    match Request::decode(entry.clone()) {
        Ok(request) if !request.method.is_empty() => request.command().map(Some),
        Ok(_) | Err(_) => Ok(None),
    }
}

impl Request {
    fn command(self) -> Result<Command, LegacyError> {
        let conditional = self.previous_exists.is_some() || self.previous_index > 0 || !self.previous_value.is_empty();
        match self.method.as_str() {
            // It lets the old store's keys expire.
            "SYNC" => Ok(Command::Nothing("Sync")),
            // A read, by which an etcd that serves the old API finds out whether it is well.
            "QGET" => Ok(Command::Nothing("QGet")),
            "PUT" if !conditional => self.put(),
            _ => Err(self.unsupported()),
        }
    }

    fn put(self) -> Result<Command, LegacyError> {
        if self.path == "/0/version" {
            return match self.value.parse::<Release>() {
                Ok(_) => Ok(Command::ClusterVersionSet(ClusterVersionSetRequest { ver: self.value })),
                Err(_) => Err(LegacyError::Version(self.value)),
            };
        }
        let id = self.path.strip_prefix("/0/members/").and_then(|rest| rest.strip_suffix("/attributes"));
        let Some(member_id) = id.and_then(|id| u64::from_str_radix(id, 16).ok()) else {
            return Err(self.unsupported());
        };
        let MemberAttributes { name, client_urls } = serde_json::from_str(&self.value)
            .map_err(|source| LegacyError::Attributes { path: self.path.clone(), source })?;
        let attributes = Attributes { name, client_urls: client_urls.unwrap_or_default() };
        let request = ClusterMemberAttrSetRequest { member_id, member_attributes: Some(attributes) };
        Ok(Command::ClusterMemberAttrSet(request))
    }

    fn unsupported(self) -> LegacyError {
        LegacyError::Data { method: self.method, path: self.path }
    }
}
