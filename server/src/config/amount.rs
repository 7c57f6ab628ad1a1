//! Amounts, absolute or as a share: `268435456`, `256MiB`, `30%`.

/// So much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Bytes(u64),
    /// Of all there is; above 0 and below 100.
    Percent(u64),
}

impl Amount {
    pub(super) fn parse(text: &str) -> Option<Amount> {
        if let Some(percent) = text.strip_suffix('%') {
            return percent.parse().ok().filter(|percent| (1..100).contains(percent)).map(Amount::Percent);
        }
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let unit = units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
        let (number, shift) = unit.unwrap_or((text, 0));
        let number = number.parse::<u64>().ok()?;
        number.checked_mul(1 << shift).map(Amount::Bytes)
    }

    /// In bytes, if there are `all`; rounded up.
    pub(crate) fn of(self, all: u64) -> u64 {
        match self {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => {
                u64::try_from((u128::from(all) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX)
            }
        }
    }
}
