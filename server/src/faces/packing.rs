//! Answers that are compressed: gzip or zstd, as `Accept-Encoding` likes it best.
//!
//! Only JSON is, of more than a kilobyte, and only what has an end: streams of events go out as they come. What has a strong
//! tag or can be had in parts stays as it is, so that both mean the same bytes for everybody: a key by itself, a copy of the
//! database. `tower-http` has a layer for this; it would put a body of its own around every answer, small ones as well, and
//! cannot tell a list that is sent in pieces from a watch.
//!
//! Requests with a cookie get nothing compressed: a page of another site can have a browser send these again and again, and
//! lengths of answers would tell what is in them.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_core::Stream;
use futures_util::{StreamExt as _, stream};
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ETAG, HeaderValue, VARY};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::negotiation::encoding;
use super::text::GatewayBody;
use crate::http::{Call, Rare};

/// What is smaller fits into a packet or two in any case.
const LEAST_BYTES: usize = 1024;
/// What is larger in one piece would hold up an event loop. Lists come in pieces.
const MOST_BYTES: usize = 256 * 1024;
/// The quick levels: the network between a server and its clients is seldom slower than these.
const GZIP: Compression = Compression::fast();
const ZSTD: i32 = 1;

/// How the answer to a request may be packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    encoding: Option<Encoding>,
    /// Whether somebody in between may keep the answer.
    is_kept: bool,
}

/// A way to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Zstd,
}

impl Encoding {
    /// Those that there are, the better ones first.
    const ALL: [Encoding; 2] = [Encoding::Zstd, Encoding::Gzip];

    fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        }
    }

    /// The one that is liked best, if any is.
    fn best(headers: &HeaderMap) -> Option<Encoding> {
        let liked = encoding(headers, &Encoding::ALL.map(Encoding::name))?;
        Encoding::ALL.get(liked).copied()
    }
}

impl Packing {
    /// By the head of a request.
    pub(super) fn of<B>(request: &Request<B>) -> Packing {
        let headers = request.headers();
        let asks = Call::may_say(request.extensions(), Rare::ACCEPT_ENCODING) && !headers.contains_key(COOKIE);
        let is_kept = matches!(*request.method(), Method::GET | Method::HEAD);
        Packing { encoding: if asks { Encoding::best(headers) } else { None }, is_kept }
    }

    /// The answer, packed if that makes sense.
    pub(super) fn pack(self, mut response: Response<GatewayBody>) -> Response<GatewayBody> {
        if self.encoding.is_none() && !self.is_kept || !is_worth_it(&response) {
            return response;
        }
        if self.is_kept {
            response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let Some(encoding) = self.encoding else { return response };
        let body = std::mem::replace(response.body_mut(), GatewayBody::empty());
        let (body, is_packed) = packed(encoding, body);
        *response.body_mut() = body;
        if is_packed {
            // Of what it was.
            response.headers_mut().remove(CONTENT_LENGTH);
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        response
    }
}

fn is_worth_it(response: &Response<GatewayBody>) -> bool {
    let is_long = match response.body() {
        GatewayBody::Full(bytes) => (LEAST_BYTES..=MOST_BYTES).contains(&bytes.len()),
        GatewayBody::Pieces(_) => true,
        GatewayBody::Stream(_) | GatewayBody::Sized { .. } | GatewayBody::Packed(_) => false,
    };
    let headers = response.headers();
    let is_json = || headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/json");
    let is_tied = || [ETAG, ACCEPT_RANGES, CONTENT_ENCODING].iter().any(|name| headers.contains_key(name));
    is_long && response.status() == StatusCode::OK && is_json() && !is_tied()
}

/// A body, and whether it is packed: what cannot be is what it was.
fn packed(encoding: Encoding, body: GatewayBody) -> (GatewayBody, bool) {
    let Ok(mut packer) = Packer::new(encoding) else { return (body, false) };
    match body {
        GatewayBody::Full(whole) => match packer.add(&whole).and_then(|start| Ok([start, packer.end()?].concat())) {
            Ok(packed) => (GatewayBody::Full(packed.into()), true),
            Err(_) => (GatewayBody::Full(whole), false),
        },
        GatewayBody::Pieces(pieces) => (GatewayBody::Packed(Box::pin(in_pieces(packer, pieces))), true),
        other => (other, false),
    }
}

/// What becomes of each piece, as soon as something does.
fn in_pieces(
    packer: Packer,
    pieces: impl Stream<Item = Bytes> + Send + Unpin,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold((Some(packer), pieces), |(packer, mut pieces)| async move {
        let mut packer = packer?;
        loop {
            let Some(piece) = pieces.next().await else {
                return Some((packer.end().map(Bytes::from), (None, pieces)));
            };
            match packer.add(&piece) {
                Ok(out) if out.is_empty() => {}
                Ok(out) => return Some((Ok(out.into()), (Some(packer), pieces))),
                Err(error) => return Some((Err(error), (None, pieces))),
            }
        }
    })
}

/// Packs one answer.
enum Packer {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Packer {
    fn new(encoding: Encoding) -> io::Result<Packer> {
        Ok(match encoding {
            Encoding::Gzip => Packer::Gzip(GzEncoder::new(Vec::new(), GZIP)),
            Encoding::Zstd => Packer::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD)?),
        })
    }

    /// What is ready by now of what was added.
    fn add(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        Ok(match self {
            Packer::Gzip(encoder) => {
                encoder.write_all(piece)?;
                std::mem::take(encoder.get_mut())
            }
            Packer::Zstd(encoder) => {
                encoder.write_all(piece)?;
                std::mem::take(encoder.get_mut())
            }
        })
    }

    fn end(self) -> io::Result<Vec<u8>> {
        match self {
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;
    use std::io::Read as _;

    fn unpacked(encoding: Encoding, packed: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Gzip => {
                let mut out = Vec::new();
                GzDecoder::new(packed).read_to_end(&mut out).unwrap();
                out
            }
            Encoding::Zstd => zstd::decode_all(packed).unwrap(),
        }
    }

    fn collected(body: GatewayBody) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(body.collect()).unwrap().to_bytes().to_vec()
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..8)) {
            let whole = pieces.concat();
            for encoding in Encoding::ALL {
                let (body, is_packed) = packed(encoding, GatewayBody::Full(whole.clone().into()));
                prop_assert!(is_packed);
                prop_assert_eq!(&unpacked(encoding, &collected(body)), &whole);
                let stream = stream::iter(pieces.clone()).map(Bytes::from);
                let (body, _) = packed(encoding, GatewayBody::pieces(stream));
                prop_assert_eq!(&unpacked(encoding, &collected(body)), &whole);
            }
        }
    }

    #[test]
    fn only_long_json_without_a_tag_is_worth_it() {
        let answer = |bytes: usize, kind: &'static str| {
            let mut response = Response::new(GatewayBody::Full(vec![b' '; bytes].into()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        };
        for (bytes, kind, expected) in [
            (LEAST_BYTES, "application/json", true),
            (LEAST_BYTES - 1, "application/json", false),
            (MOST_BYTES, "application/json", true),
            (MOST_BYTES + 1, "application/json", false),
            (LEAST_BYTES, "application/octet-stream", false),
            (LEAST_BYTES, "text/event-stream", false),
            (LEAST_BYTES, "application/x-ndjson", false),
        ] {
            assert_eq!(is_worth_it(&answer(bytes, kind)), expected, "{bytes} {kind}");
        }
        for name in [ETAG, ACCEPT_RANGES, CONTENT_ENCODING] {
            let mut tied = answer(LEAST_BYTES, "application/json");
            tied.headers_mut().insert(name, HeaderValue::from_static("x"));
            assert!(!is_worth_it(&tied));
        }
    }
}
