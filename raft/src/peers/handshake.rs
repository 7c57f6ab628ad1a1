//! What two members tell each other before the first message, in etcd's headers, and how it is judged.

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::LocalMember;

/// The protocol of the streams.
pub const PROTOCOL: &str = "keyport-raft/1";

pub(super) const SERVER_FROM: HeaderName = HeaderName::from_static("x-server-from");
const SERVER_VERSION: HeaderName = HeaderName::from_static("x-server-version");
const MIN_CLUSTER_VERSION: HeaderName = HeaderName::from_static("x-min-cluster-version");
pub(super) const CLUSTER_ID: HeaderName = HeaderName::from_static("x-etcd-cluster-id");
const RAFT_TO: HeaderName = HeaderName::from_static("x-raft-to");
const PEER_URLS: HeaderName = HeaderName::from_static("x-peerurls");
/// A browser lets no page set a header of such a name, so whoever sends it is none.
pub const MEMBER: HeaderName = HeaderName::from_static("sec-keyport-member");

/// URLs of one member that are taken from a header; more are ignored.
const MAX_URLS: usize = 16;
/// Bytes of one URL.
const MAX_URL: usize = 1024;

/// Why a peer is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(super) enum Refusal {
    #[error("cluster ID mismatch")]
    Cluster,
    #[error("request is meant for another member")]
    Receiver,
    #[error("incompatible server version")]
    Version,
    #[error("the member has been permanently removed from the cluster")]
    Removed,
    #[error("unknown member without usable peer URLs")]
    Unknown,
    #[error("headers of a peer are missing or malformed")]
    Headers,
    #[error("upgrade to keyport-raft/1 is required")]
    Protocol,
    #[error("not ready")]
    NotReady,
    #[error("too many unknown members")]
    TooManyUnknown,
    #[error("another snapshot is being received")]
    Busy,
    #[error("malformed snapshot")]
    BadSnapshot,
    #[error("snapshot from an unknown member")]
    NoMember,
    #[error("the snapshot could not be stored")]
    Store,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Refusal::Cluster | Refusal::Receiver | Refusal::Version => StatusCode::PRECONDITION_FAILED,
            Refusal::Removed => StatusCode::GONE,
            Refusal::Unknown | Refusal::NoMember => StatusCode::FORBIDDEN,
            Refusal::Headers | Refusal::BadSnapshot => StatusCode::BAD_REQUEST,
            Refusal::Protocol => StatusCode::UPGRADE_REQUIRED,
            Refusal::NotReady | Refusal::TooManyUnknown | Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Store => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer; says whose it is.
    pub(super) fn response(self, local: &LocalMember) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        put_identity(response.headers_mut(), local);
        if self == Refusal::Protocol {
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
        }
        response
    }
}

/// A peer that introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) id: u64,
    /// Where it is reached; only what can be dialled.
    pub(super) urls: Vec<String>,
}

/// Judges the headers of a request. Whether the caller was removed, and can be dialled at its URLs, is not known here.
pub(super) fn judge(headers: &HeaderMap, local: &LocalMember) -> Result<Caller, Refusal> {
    if hex(headers, &CLUSTER_ID)? != local.cluster_id {
        return Err(Refusal::Cluster);
    }
    if hex(headers, &RAFT_TO)? != local.member_id {
        return Err(Refusal::Receiver);
    }
    let id = hex(headers, &SERVER_FROM)?;
    if id == 0 || id == local.member_id {
        return Err(Refusal::Headers);
    }
    let version = text(headers, &SERVER_VERSION).and_then(version);
    let min_version = text(headers, &MIN_CLUSTER_VERSION).and_then(self::version);
    let (Some(theirs), Some(they_need)) = (version, min_version) else { return Err(Refusal::Version) };
    let we_need = self::version(local.min_version).unwrap_or_default();
    let ours = self::version(local.version).unwrap_or_default();
    if theirs < we_need || ours < they_need {
        return Err(Refusal::Version);
    }
    let urls = text(headers, &PEER_URLS).unwrap_or_default().split(',').map(str::trim);
    let urls = urls.filter(|url| !url.is_empty() && url.len() <= MAX_URL);
    Ok(Caller { id, urls: urls.take(MAX_URLS).map(str::to_owned).collect() })
}

/// Puts in what [`judge`] looks at.
pub(super) fn introduce(headers: &mut HeaderMap, local: &LocalMember, to: u64) {
    put_identity(headers, local);
    put_hex(headers, RAFT_TO, to);
    headers.insert(MEMBER, HeaderValue::from_static("?1"));
    if let Ok(urls) = HeaderValue::from_str(&local.peer_urls.join(",")) {
        headers.insert(PEER_URLS, urls);
    }
}

/// Puts in what makes it an upgrade, or the answer to one.
pub(super) fn put_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
}

/// Whether it asks for the stream's protocol, or grants it.
pub(super) fn has_upgrade(headers: &HeaderMap) -> bool {
    text(headers, &UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case(PROTOCOL))
}

/// Whether an answer comes from a member of this cluster with that id.
pub(super) fn is_from(headers: &HeaderMap, local: &LocalMember, id: Option<u64>) -> bool {
    hex(headers, &CLUSTER_ID) == Ok(local.cluster_id) && id.is_none_or(|id| hex(headers, &SERVER_FROM) == Ok(id))
}

/// Adds who answers.
pub(super) fn put_identity(headers: &mut HeaderMap, local: &LocalMember) {
    put_hex(headers, SERVER_FROM, local.member_id);
    put_hex(headers, CLUSTER_ID, local.cluster_id);
    headers.insert(SERVER_VERSION, HeaderValue::from_static(local.version));
    headers.insert(MIN_CLUSTER_VERSION, HeaderValue::from_static(local.min_version));
}

fn put_hex(headers: &mut HeaderMap, name: HeaderName, id: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("{id:x}")) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn hex(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Refusal> {
    text(headers, name).and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or(Refusal::Headers)
}

/// `major.minor.patch`, with anything behind a `-` or `+` left out.
fn version(text: &str) -> Option<(u32, u32, u32)> {
    let plain = text.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(id: u64) -> LocalMember {
        LocalMember {
            cluster_id: 7,
            member_id: id,
            peer_urls: vec![format!("http://127.0.0.1:{id}"), "x".repeat(MAX_URL + 1)],
            version: "3.7.1",
            min_version: "3.0.0",
        }
    }

    fn greeting(change: impl FnOnce(&mut LocalMember), to: u64) -> Result<Caller, Refusal> {
        let mut caller = local(1);
        change(&mut caller);
        let mut headers = HeaderMap::new();
        introduce(&mut headers, &caller, to);
        judge(&headers, &local(2))
    }

    #[test]
    fn members_of_one_cluster_recognize_each_other() {
        assert_eq!(greeting(|_| {}, 2), Ok(Caller { id: 1, urls: vec!["http://127.0.0.1:1".into()] }));
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        assert_eq!(greeting(|caller| caller.cluster_id = 8, 2), Err(Refusal::Cluster));
        assert_eq!(greeting(|_| {}, 3), Err(Refusal::Receiver));
        assert_eq!(greeting(|caller| caller.member_id = 2, 2), Err(Refusal::Headers));
        assert_eq!(greeting(|caller| caller.member_id = 0, 2), Err(Refusal::Headers));
        assert_eq!(greeting(|caller| caller.version = "2.3.9", 2), Err(Refusal::Version));
        assert_eq!(greeting(|caller| caller.min_version = "3.8.0", 2), Err(Refusal::Version));
        assert_eq!(greeting(|caller| caller.version = "new", 2), Err(Refusal::Version));
        assert_eq!(judge(&HeaderMap::new(), &local(2)), Err(Refusal::Headers));
        assert_eq!(greeting(|caller| caller.version = "3.8.0-alpha.1+x", 2).map(|caller| caller.id), Ok(1));
    }
}
