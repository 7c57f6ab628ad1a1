//! What the build script derived from the descriptors: `FromJson` for every message, `ToJson` through pbjson for those
//! without a writer in `hot`.
#![allow(clippy::all, clippy::pedantic)]

use super::{FromJson, JsonError, Reader, ToJson};

fn through_pbjson(message: &impl serde::Serialize, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let start = out.len();
    serde_json::to_writer(&mut *out, message).map_err(|error| {
        out.truncate(start);
        JsonError::Unwritable(error.to_string().into())
    })
}

include!(concat!(env!("OUT_DIR"), "/json.rs"));
