//! Zeros, which segments are prepared with and torn ends are filled with.

use std::io;
use std::sync::LazyLock;

use super::disk::{DiskFile, write_all_at};

const PIECE: usize = 64 << 10;
/// Not in the program's file.
static ZEROS: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; PIECE].into());

/// Whether there is nothing else. Comparing is several times faster than looking for a byte.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(PIECE).all(|piece| ZEROS.get(..piece.len()) == Some(piece))
}

/// Writes them from `at` up to `end`.
///
/// # Errors
/// Those of the file.
pub(super) fn write(file: &dyn DiskFile, mut at: u64, end: u64) -> io::Result<()> {
    while at < end {
        let piece = ZEROS.get(..usize::try_from(end - at).unwrap_or(PIECE).min(PIECE)).unwrap_or(&ZEROS);
        write_all_at(file, piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_byte_is_found_wherever_it_is() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let mut bytes = vec![0; len];
            assert!(is_zero(&bytes), "{len}");
            for at in [0, len / 2, len.saturating_sub(1)] {
                let Some(byte) = bytes.get_mut(at) else { continue };
                *byte = 1;
                assert!(!is_zero(&bytes), "{at} of {len}");
                bytes[at] = 0;
            }
        }
    }
}
