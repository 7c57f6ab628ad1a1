//! What the faces below `/v3/` share, whatever form they give an answer: its body, and the JSON of what the store has.

mod body;
mod readable;
mod records;

pub(super) use body::GatewayBody;
pub(super) use readable::{write_bytes, write_fields, write_outline, write_readable};
#[cfg(test)]
pub(super) use records::tests::record;
pub(super) use records::{around_value, key_value, size_of, write_event};
