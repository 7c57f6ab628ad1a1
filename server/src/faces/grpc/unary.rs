//! Reads the one message of a unary call.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::BodyExt;
use keyport_api::bounds::{self, Bounded};
use keyport_api::error::{Error, message_undecodable};
use prost::Message;
use tonic::Status;

use super::compression;
use crate::bulk::{Aside, LARGE};

/// Compression flag and length in front of each message.
const PREFIX_LEN: usize = 5;

/// How large the message may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes that it may have, compressed or not.
    pub(super) bytes: usize,
    /// Elements that each list of a transaction may have.
    pub(super) txn_ops: usize,
}

/// The decoded message of `body`, its bytes shared with what the connection received.
///
/// # Errors
/// As gRPC has them: ResourceExhausted above the limit, Internal for bad framing, Unimplemented for unknown compression.
/// More elements than [`bounds`] allow are InvalidArgument.
pub(super) async fn read<T, B>(mut body: B, headers: &HeaderMap, limits: Limits, aside: Aside<'_>) -> Result<T, Status>
where
    T: Bounded + Message + Default + 'static,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.is_empty() {
            // Nearly always all there is: kept without a copy.
            first = data;
        } else {
            if more.is_empty() {
                more.extend_from_slice(&first);
            }
            more.extend_from_slice(&data);
        }
        let received = if more.is_empty() { &first[..] } else { &more[..] };
        if let Some(len) = message_len(received) {
            check_size(len, limits.bytes)?;
        }
        if body.is_end_stream() {
            break;
        }
    }
    let mut message = if more.is_empty() { first } else { more.freeze() };
    let Some(len) = message_len(&message) else {
        return Err(Error::MissingMessage.into());
    };
    let compressed = match message.first() {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::UnexpectedPayload.into()),
    };
    check_size(len, limits.bytes)?;
    message.advance(PREFIX_LEN);
    if message.len() != len {
        return Err(Error::TruncatedMessage.into());
    }
    if !compressed && message.len() <= LARGE {
        return decode(message, limits);
    }
    // A small message may be a large one compressed.
    let headers = if compressed { headers.clone() } else { HeaderMap::new() };
    let decoded = aside.run(move |_| {
        decode(if compressed { compression::unpack(&message, &headers, limits.bytes)? } else { message }, limits)
    });
    decoded.await?
}

fn decode<T: Bounded + Message + Default>(message: Bytes, limits: Limits) -> Result<T, Status> {
    bounds::check::<T>(&message, limits.txn_ops)?;
    T::decode(message).map_err(message_undecodable)
}

fn message_len(received: &[u8]) -> Option<usize> {
    let prefix = received.first_chunk::<PREFIX_LEN>()?;
    let [_, len @ ..] = *prefix;
    Some(u32::from_be_bytes(len) as usize)
}

fn check_size(size: usize, limit: usize) -> Result<(), Status> {
    if size > limit { Err(Error::MessageTooLarge { size, limit }.into()) } else { Ok(()) }
}
