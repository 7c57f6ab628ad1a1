//! Messages that the client has compressed, which it may with gzip. Answers are never compressed.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use keyport_api::error::{self, Error};
use tonic::Status;

/// What a message with the compression flag is, unpacked: at most `limit` bytes, and no more is unpacked to find out.
///
/// # Errors
/// ResourceExhausted above `limit`, Unimplemented for anything but gzip, Internal if the message is damaged or nothing
/// says how it is compressed.
pub(super) fn unpack(message: &[u8], headers: &HeaderMap, limit: usize) -> Result<Bytes, Status> {
    match headers.get("grpc-encoding").map(|name| name.as_bytes()) {
        Some(b"gzip") => gunzip(message, limit),
        None | Some(b"" | b"identity") => Err(Error::CompressionNotNamed.into()),
        Some(name) => Err(error::decompressor_missing(&String::from_utf8_lossy(name))),
    }
}

fn gunzip(message: &[u8], limit: usize) -> Result<Bytes, Status> {
    let mut unpacked = Vec::new();
    let bound = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(message).take(bound).read_to_end(&mut unpacked).map_err(error::decompression_failed)?;
    if unpacked.len() > limit {
        return Err(error::decompressed_too_large(limit));
    }
    Ok(unpacked.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use std::io::Write;
    use tonic::Code;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn named(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-encoding"), HeaderValue::from_static(name))])
    }

    #[test]
    fn up_to_the_limit_and_no_further() {
        let packed = gzip(&[7; 1000]);
        assert_eq!(unpack(&packed, &named("gzip"), 1000).unwrap(), [7; 1000][..]);
        assert_eq!(unpack(&packed, &named("gzip"), 999).unwrap_err().code(), Code::ResourceExhausted);
        // What follows the limit is not even read.
        let damaged = [packed, vec![0xff; 100]].concat();
        assert_eq!(unpack(&damaged, &named("gzip"), 999).unwrap_err().code(), Code::ResourceExhausted);
        assert_eq!(unpack(&damaged, &named("gzip"), 2000).unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn what_is_not_understood() {
        assert_eq!(unpack(b"no gzip", &named("gzip"), 100).unwrap_err().code(), Code::Internal);
        assert_eq!(unpack(b"x", &named("snappy"), 100).unwrap_err().code(), Code::Unimplemented);
        for headers in [HeaderMap::new(), named("identity")] {
            assert_eq!(unpack(b"x", &headers, 100).unwrap_err().code(), Code::Internal);
        }
    }
}
