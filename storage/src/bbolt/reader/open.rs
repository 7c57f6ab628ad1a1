//! Which meta page counts.

use crate::bbolt::error::{Damage, Damaged, ReadError};
use crate::bbolt::layout::{META_PAGES, Meta, MetaFault};
use crate::bbolt::read_at::ReadAt;

/// Where page 1 may be if page 0 does not say.
const PAGE_SIZES: [u32; 15] = {
    let mut sizes = [1 << 10; 15];
    let mut power = 0;
    while power < sizes.len() {
        sizes[power] <<= power;
        power += 1;
    }
    sizes
};

/// The good meta with the higher transaction, if the file is as long as it says.
pub(super) fn meta<R: ReadAt>(source: &R) -> Result<Meta, ReadError> {
    let size = source.size().map_err(|source| ReadError::Io { offset: 0, source })?;
    let first = read(source, size, 0, 0)?;
    let second = second(source, size, first)?;
    let (page, meta) = match (first, second) {
        (Ok(first), Ok(second)) if second.txid > first.txid => (1, second),
        (Ok(first), _) => (0, first),
        (Err(_), Ok(second)) => (1, second),
        (Err(first), Err(second)) => return Err(refusal(first, second)),
    };
    check(page, &meta, size)?;
    Ok(meta)
}

/// Page 1, which is where page 0 says, or else where it says itself that it is.
fn second<R: ReadAt>(
    source: &R,
    size: u64,
    first: Result<Meta, MetaFault>,
) -> Result<Result<Meta, MetaFault>, ReadError> {
    let known = first.ok().map(|meta| meta.page_bytes);
    let mut fault = MetaFault::Missing;
    for page_bytes in PAGE_SIZES.into_iter().filter(|size| known.is_none_or(|known| known == *size)) {
        match read(source, size, u64::from(page_bytes), 1)? {
            Ok(meta) if meta.page_bytes == page_bytes => return Ok(Ok(meta)),
            Ok(meta) => fault = MetaFault::PageBytes(meta.page_bytes),
            // Most say that nothing of a meta is there.
            Err(MetaFault::Missing | MetaFault::Magic) if fault != MetaFault::Missing => {}
            Err(other) => fault = other,
        }
    }
    Ok(Err(fault))
}

fn read<R: ReadAt>(source: &R, size: u64, offset: u64, page: u64) -> Result<Result<Meta, MetaFault>, ReadError> {
    let mut bytes = [0; Meta::BYTES];
    if size.saturating_sub(offset) < bytes.len() as u64 {
        return Ok(Err(MetaFault::Missing));
    }
    source.read_exact_at(&mut bytes, offset).map_err(|source| ReadError::Io { offset, source })?;
    Ok(Meta::decode(page, &bytes))
}

/// Both are no good.
fn refusal(first: MetaFault, second: MetaFault) -> ReadError {
    match (first, second) {
        (MetaFault::BigEndian, _) => ReadError::BigEndian,
        (MetaFault::Version(version), _) => ReadError::Version(version),
        (MetaFault::Missing | MetaFault::Magic, MetaFault::Missing | MetaFault::Magic) => ReadError::NotBbolt,
        _ => ReadError::Metas { first, second },
    }
}

fn check(page: u64, meta: &Meta, size: u64) -> Result<(), ReadError> {
    let damaged = Damaged { page, bucket: None, path: Vec::new(), damage: Damage::Meta };
    let is_page = |page: u64| (META_PAGES..meta.high_water).contains(&page);
    let expected = meta.high_water.checked_mul(u64::from(meta.page_bytes));
    let expected = expected.filter(|_| is_page(meta.root) && meta.free_list.is_none_or(is_page));
    let expected = expected.ok_or_else(|| ReadError::Damaged(Box::new(damaged)))?;
    match expected.checked_sub(size) {
        None | Some(0) => Ok(()),
        Some(missing) => Err(ReadError::Truncated { expected, missing }),
    }
}
