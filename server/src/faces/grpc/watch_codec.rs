//! Encodes watch replies from the bytes that all watchers of the same events share.

use keyport_api::codec::BoundedDecoder;
use keyport_api::etcdserverpb::WatchRequest;
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};

use crate::calls::WatchReply;

/// `etcdserverpb.WatchRequest` in, `WatchResponse` out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WatchCodec;

impl Codec for WatchCodec {
    type Encode = WatchReply;
    type Decode = WatchRequest;
    type Encoder = WatchCodec;
    type Decoder = BoundedDecoder<WatchRequest>;

    fn encoder(&mut self) -> WatchCodec {
        WatchCodec
    }

    fn decoder(&mut self) -> BoundedDecoder<WatchRequest> {
        BoundedDecoder::default()
    }
}

impl Encoder for WatchCodec {
    type Item = WatchReply;
    type Error = Status;

    fn encode(&mut self, reply: WatchReply, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(reply.encoded_len());
        reply.encode(to);
        Ok(())
    }
}
