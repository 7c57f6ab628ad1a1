//! Statuses whose text has a part that is different every time. The catalogue has the others.

use std::fmt;

use tonic::Status;

/// What a lease call answers when forwarding it to the leader failed for a reason outside the catalogue.
pub fn lease_forwarding_failed(cause: impl fmt::Display) -> Status {
    Status::unknown(format!("lease: unknown error({cause})"))
}

/// What MemberPromote answers when forwarding it to the leader failed for a reason outside the catalogue.
pub fn promote_forwarding_failed(cause: impl fmt::Display) -> Status {
    Status::unknown(format!("member promote: unknown error({cause})"))
}

/// What an operator, or a check of the server's health, is told when work on the database itself failed.
pub fn backend_failed(cause: impl fmt::Display) -> Status {
    Status::internal(cause.to_string())
}

/// A request that is not in the form that its face reads; `cause` says what is wrong with it.
pub fn not_understood(cause: impl fmt::Display) -> Status {
    Status::invalid_argument(cause.to_string())
}

/// A frame of a WebSocket that is larger than any may be.
pub fn frame_too_large(cause: impl fmt::Display) -> Status {
    Status::resource_exhausted(cause.to_string())
}

/// The body of a streaming call ended before its end.
pub fn body_broken(cause: impl fmt::Display) -> Status {
    Status::cancelled(format!("the request body could not be read: {cause}"))
}

/// A path of the gateway that takes other methods: those in `allow`.
pub fn method_not_allowed(allow: &str) -> Status {
    Status::unimplemented(format!("Method Not Allowed: use {allow}; see /docs"))
}

/// A message of gRPC that is none of the call's; Internal, as gRPC has it.
pub fn message_undecodable(cause: impl fmt::Display) -> Status {
    Status::internal(cause.to_string())
}

/// A message of gRPC that is compressed in a way which is not known here.
pub fn decompressor_missing(encoding: &str) -> Status {
    Status::unimplemented(format!("grpc: Decompressor is not installed for grpc-encoding {encoding:?}"))
}

/// A message of gRPC that does not unpack.
pub fn decompression_failed(cause: impl fmt::Display) -> Status {
    Status::internal(format!("grpc: failed to decompress the message: {cause}"))
}

/// An answer that is larger than what a message of gRPC can be.
pub fn answer_too_large(size: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!("grpc: trying to send message larger than max ({size} vs. {limit})"))
}

/// A message of gRPC that is larger than `limit` bytes once it is unpacked.
pub fn decompressed_too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!("grpc: received message after decompression larger than max {limit}"))
}
