//! Headers that layers and faces ask for and few requests have. Which of them are there is found out in one walk over the head, so
//! that nobody has to look for what is not.

use http::{HeaderMap, HeaderName};

/// A set of such headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rare(u16);

impl Rare {
    pub(super) const REQUEST_ID: Rare = Rare(1);
    pub(super) const CLIENT_VERSION: Rare = Rare(1 << 1);
    pub(super) const ORIGIN: Rare = Rare(1 << 2);
    pub(super) const TRANSFER_ENCODING: Rare = Rare(1 << 3);
    pub(super) const GRPC_TIMEOUT: Rare = Rare(1 << 4);
    /// Anything that [`credentials`](super::credentials) reads.
    pub(super) const CREDENTIALS: Rare = Rare(1 << 5);
    const FETCH: Rare = Rare(1 << 6);
    pub(super) const CONTENT_ENCODING: Rare = Rare(1 << 7);
    /// Rare in HTTP/2, where something else says the same.
    pub(super) const HOST: Rare = Rare(1 << 8);
    /// Says to which trace a call belongs.
    pub(super) const TRACE_PARENT: Rare = Rare(1 << 9);
    /// Says how an answer may be compressed.
    pub(crate) const ACCEPT_ENCODING: Rare = Rare(1 << 10);
    /// Says how somebody would like to be answered.
    pub(crate) const PREFER: Rare = Rare(1 << 11);
    /// Asks for another protocol.
    pub(crate) const UPGRADE: Rare = Rare(1 << 12);
    /// Says what a thing has to be: `If-Match`, `If-None-Match`.
    pub(crate) const CONDITION: Rare = Rare(1 << 13);
    /// Says which part of something is asked for.
    pub(crate) const RANGE: Rare = Rare(1 << 14);
    /// What browsers say of the page that a request is for.
    pub(super) const OF_PAGES: Rare = Rare(Rare::ORIGIN.0 | Rare::FETCH.0);

    /// Those of a request.
    pub(super) fn of(headers: &HeaderMap) -> Rare {
        headers.keys().fold(Rare::default(), |found, name| Rare(found.0 | Rare::named(name).0))
    }

    pub(super) fn has(self, one: Rare) -> bool {
        self.0 & one.0 != 0
    }

    fn named(name: &HeaderName) -> Rare {
        match name.as_str() {
            "x-request-id" => Rare::REQUEST_ID,
            "client-api-version" => Rare::CLIENT_VERSION,
            "origin" => Rare::ORIGIN,
            "host" => Rare::HOST,
            "content-encoding" => Rare::CONTENT_ENCODING,
            "transfer-encoding" => Rare::TRANSFER_ENCODING,
            "accept-encoding" => Rare::ACCEPT_ENCODING,
            "prefer" => Rare::PREFER,
            "traceparent" => Rare::TRACE_PARENT,
            "grpc-timeout" => Rare::GRPC_TIMEOUT,
            "hasleader"
            | "token"
            | "authorization"
            | "grpc-metadata-hasleader"
            | "grpc-metadata-token"
            | "grpc-metadata-authorization"
            | "sec-websocket-protocol"
            | "cookie" => Rare::CREDENTIALS,
            // A socket has them where others have none.
            "upgrade" => Rare(Rare::CREDENTIALS.0 | Rare::UPGRADE.0),
            "if-match" | "if-none-match" => Rare::CONDITION,
            "range" => Rare::RANGE,
            name if name.starts_with("sec-fetch-") => Rare::FETCH,
            _ => Rare::default(),
        }
    }
}
