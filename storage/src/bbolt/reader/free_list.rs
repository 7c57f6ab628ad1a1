//! The list of free pages, where a file has one.

use super::pages::{Pages, Trouble};
use super::reached::Reached;
use crate::bbolt::error::Damage;
use crate::bbolt::layout::{HEADER_BYTES, MANY, PageKind, take};
use crate::bbolt::read_at::ReadAt;

/// Notes what is in it.
pub(super) fn read<R: ReadAt>(pages: &Pages<R>, page: u64, reached: &mut Reached) -> Result<(), Trouble> {
    let mut bytes = Vec::new();
    let header = pages.read_run(page, &mut bytes, reached)?;
    if header.kind != Some(PageKind::FreeList) {
        return Err(Damage::Kind.into());
    }
    let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let count = match header.count {
        MANY => take(&mut rest).map(u64::from_le_bytes),
        count => Some(u64::from(count)),
    };
    let listed = count.and_then(|count| usize::try_from(count).ok()?.checked_mul(size_of::<u64>()));
    let listed = listed.and_then(|bytes| rest.get(..bytes)).ok_or(Damage::FreeList)?;
    let (numbers, _) = listed.as_chunks();
    reached.list_free(numbers.iter().map(|number| u64::from_le_bytes(*number)))?;
    Ok(())
}
