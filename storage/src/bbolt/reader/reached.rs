//! Which pages were seen, and which are free: a bit each.

use std::ops::Range;

use crate::bbolt::error::Damage;
use crate::bbolt::layout::META_PAGES;

/// Pages below the high water mark that are accounted for.
#[derive(Debug)]
pub(super) struct Reached {
    in_use: Bits,
    /// None if they are not listed: then all others are free.
    free: Option<Bits>,
    high_water: u64,
}

impl Reached {
    /// Of a file that is at least as long, so that this memory is far less.
    pub(super) fn none(high_water: u64) -> Reached {
        Reached { in_use: Bits::new(high_water), free: None, high_water }
    }

    /// Takes pages for use, of which there are all.
    pub(super) fn take(&mut self, run: Range<u64>) -> Result<(), Damage> {
        for page in run {
            if self.free.as_ref().is_some_and(|free| free.contains(page)) {
                return Err(Damage::Free(page));
            }
            if !self.in_use.insert(page) {
                return Err(Damage::Twice(page));
            }
        }
        Ok(())
    }

    /// Notes the pages of the list of free ones.
    pub(super) fn list_free(&mut self, pages: impl Iterator<Item = u64>) -> Result<(), Damage> {
        let mut free = Bits::new(self.high_water);
        for page in pages {
            if !(META_PAGES..self.high_water).contains(&page) {
                return Err(Damage::NotFree(page));
            }
            if self.in_use.contains(page) {
                return Err(Damage::Free(page));
            }
            if !free.insert(page) {
                return Err(Damage::FreeTwice(page));
            }
        }
        self.free = Some(free);
        Ok(())
    }

    /// After everything was seen: a page that is neither in use nor free.
    pub(super) fn lost(&self) -> Option<u64> {
        let free = self.free.as_ref()?;
        (META_PAGES..self.high_water).find(|page| !free.contains(*page) && !self.in_use.contains(*page))
    }
}

#[derive(Debug)]
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn new(count: u64) -> Bits {
        Bits { words: vec![0; usize::try_from(count.div_ceil(u64::from(u64::BITS))).unwrap_or(0)] }
    }

    fn contains(&self, bit: u64) -> bool {
        let (word, mask) = place(bit);
        self.words.get(word).is_some_and(|word| word & mask != 0)
    }

    /// Says whether it is new.
    fn insert(&mut self, bit: u64) -> bool {
        let (word, mask) = place(bit);
        let Some(word) = self.words.get_mut(word) else { return false };
        let is_new = *word & mask == 0;
        *word |= mask;
        is_new
    }
}

fn place(bit: u64) -> (usize, u64) {
    (usize::try_from(bit / u64::from(u64::BITS)).unwrap_or(usize::MAX), 1 << (bit % u64::from(u64::BITS)))
}
