//! Headers that the layers ask for and few requests have. Which of them are there is found out in one walk over the head, so
//! that nobody has to look for what is not.

use http::{HeaderMap, HeaderName};

/// A set of such headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rare(u16);

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
    pub(super) const ACCEPT_ENCODING: Rare = Rare(1 << 10);
    /// Says how somebody would like to be answered.
    pub(super) const PREFER: Rare = Rare(1 << 11);
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
            | "upgrade"
            | "cookie" => Rare::CREDENTIALS,
            name if name.starts_with("sec-fetch-") => Rare::FETCH,
            _ => Rare::default(),
        }
    }
}
