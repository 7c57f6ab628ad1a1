//! The two pages that say where everything else is.

use thiserror::Error;

use super::{HEADER_BYTES, PageHeader, PageKind, take};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const NO_FREE_LIST: u64 = u64::MAX;

/// Bytes that the checksum is over.
const SEALED_BYTES: usize = 56;

/// Sizes that a page may have: powers of two between these.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 1 << 10..=16 << 20;

/// A meta page: the file as of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub page_bytes: u32,
    /// The page of the bucket in which the others are.
    pub root: u64,
    /// Where the free pages are listed, if they are.
    pub free_list: Option<u64>,
    /// The first page that was never used: the file ends before it.
    pub high_water: u64,
    pub txid: u64,
}

/// Why a page is no good as a meta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MetaFault {
    #[error("it is not there")]
    Missing,
    #[error("its magic number is wrong")]
    Magic,
    #[error("it was written by a big-endian machine")]
    BigEndian,
    #[error("its version is {0}")]
    Version(u32),
    #[error("its checksum is {found:016x} and should be {expected:016x}")]
    Checksum { expected: u64, found: u64 },
    #[error("its pages are of {0} bytes")]
    PageBytes(u32),
    #[error("its page says that it is another one")]
    Header,
}

impl Meta {
    pub(in crate::bbolt) const BYTES: usize = HEADER_BYTES + SEALED_BYTES + 8;

    /// Page `page` as far as it says something.
    pub(in crate::bbolt) fn encode(&self, page: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(Meta::BYTES);
        PageHeader { page, kind: Some(PageKind::Meta), count: 0, overflow: 0 }.encode(&mut out);
        for number in [MAGIC, VERSION, self.page_bytes, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.root, 0, self.free_list.unwrap_or(NO_FREE_LIST), self.high_water, self.txid] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(out.get(HEADER_BYTES..).unwrap_or_default());
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads page `page`.
    ///
    /// # Errors
    /// When it is none that this program can go by.
    pub(in crate::bbolt) fn decode(page: u64, bytes: &[u8]) -> Result<Meta, MetaFault> {
        let header = PageHeader::decode(bytes).ok_or(MetaFault::Missing)?;
        let fields = bytes.get(HEADER_BYTES..Meta::BYTES).ok_or(MetaFault::Missing)?;
        let (meta, faults) = Meta::fields(fields).ok_or(MetaFault::Missing)?;
        let sealed = PageHeader { page, kind: Some(PageKind::Meta), count: 0, overflow: 0 };
        faults.and_then(|()| if header == sealed { Ok(meta) } else { Err(MetaFault::Header) })
    }

    /// What is behind the header, and whether it is right.
    fn fields(bytes: &[u8]) -> Option<(Meta, Result<(), MetaFault>)> {
        let (sealed, mut sum) = bytes.split_at_checked(SEALED_BYTES)?;
        let mut rest = sealed;
        let magic = u32::from_le_bytes(take(&mut rest)?);
        let version = u32::from_le_bytes(take(&mut rest)?);
        let page_bytes = u32::from_le_bytes(take(&mut rest)?);
        let _flags: [u8; 4] = take(&mut rest)?;
        let root = u64::from_le_bytes(take(&mut rest)?);
        let _sequence: [u8; 8] = take(&mut rest)?;
        let free_list = Some(u64::from_le_bytes(take(&mut rest)?)).filter(|list| *list != NO_FREE_LIST);
        let high_water = u64::from_le_bytes(take(&mut rest)?);
        let txid = u64::from_le_bytes(take(&mut rest)?);
        let (expected, found) = (checksum(sealed), u64::from_le_bytes(take(&mut sum)?));
        let faults = if magic == MAGIC.swap_bytes() {
            Err(MetaFault::BigEndian)
        } else if magic != MAGIC {
            Err(MetaFault::Magic)
        } else if version != VERSION {
            Err(MetaFault::Version(version))
        } else if expected != found {
            Err(MetaFault::Checksum { expected, found })
        } else if !is_page_size(page_bytes) {
            Err(MetaFault::PageBytes(page_bytes))
        } else {
            Ok(())
        };
        Some((Meta { page_bytes, root, free_list, high_water, txid }, faults))
    }
}

fn is_page_size(bytes: u32) -> bool {
    bytes.is_power_of_two() && PAGE_BYTES.contains(&bytes)
}

/// FNV-1a 64: what a meta is sealed with.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
