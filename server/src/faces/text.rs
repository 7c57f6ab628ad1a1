//! What the faces below `/v3/` share, whatever form they give an answer: its body, the JSON of what the store has, and what
//! is said to a bad token.

mod body;
mod records;

use http::HeaderValue;

pub(super) use body::GatewayBody;
#[cfg(test)]
pub(super) use records::tests::record;
pub(super) use records::{key_value, size_of, write_event};

/// A token was sent and is not good; a call without one is told so in other words (`user name is empty`, 400).
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"keyport\", error=\"invalid_token\"");
