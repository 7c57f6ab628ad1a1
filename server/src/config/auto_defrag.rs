//! Defragmentations that members begin by themselves: `--auto-defrag-*`.

use std::time::Duration;

use super::amount::Amount;
use super::settings::Settings;
use super::{ConfigError, invalid};

/// Less is not worth it, whatever share of a file it is.
const LEAST_BYTES: u64 = 1 << 20;
/// More often nobody could want to look.
const SHORTEST: Duration = Duration::from_millis(100);

/// When a member is defragmented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoDefragConfig {
    /// What must be free: of the file, if it is a share.
    pub threshold: Amount,
    /// How often the leader asks who is due.
    pub interval: Duration,
    /// Entries of the log a second; a member that applies more is busy.
    pub idle_rate: u64,
}

impl AutoDefragConfig {
    /// Whether a file of `size` bytes, of which a dense copy would have `free` less, is to be copied.
    pub(crate) fn is_due(&self, free: u64, size: u64) -> bool {
        free >= LEAST_BYTES && free >= self.threshold.of(size)
    }
}

pub(super) fn build(s: &Settings) -> Result<Option<AutoDefragConfig>, ConfigError> {
    let (text, interval) = (s.string("auto-defrag-threshold"), s.duration("auto-defrag-interval"));
    let threshold = Amount::parse(&text).ok_or_else(|| {
        invalid(format!("--auto-defrag-threshold must be bytes (268435456, 256MiB) or a share (30%) (set to {text})"))
    })?;
    if threshold == Amount::Bytes(0) {
        return Ok(None);
    }
    if interval < SHORTEST {
        return Err(invalid(format!("--auto-defrag-interval must be at least {SHORTEST:?} (set to {interval:?})")));
    }
    Ok(Some(AutoDefragConfig { threshold, interval, idle_rate: s.uint("auto-defrag-idle-rate") }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::flag::Value;
    use super::*;

    fn built(threshold: &str, millis: u64) -> Result<Option<Amount>, String> {
        let set = BTreeMap::from([
            ("auto-defrag-threshold", Value::Str(threshold.to_owned())),
            ("auto-defrag-interval", Value::Duration(Duration::from_millis(millis))),
            ("auto-defrag-idle-rate", Value::Uint(100)),
        ]);
        let built = build(&Settings { set, warnings: Vec::new() });
        built.map(|config| config.map(|config| config.threshold)).map_err(|error| error.to_string())
    }

    #[test]
    fn bytes_and_shares() {
        assert_eq!(built("0", 0), Ok(None));
        assert_eq!(built("268435456", 100), Ok(Some(Amount::Bytes(256 << 20))));
        assert_eq!(built("256MiB", 100), Ok(Some(Amount::Bytes(256 << 20))));
        assert_eq!(built("30%", 100), Ok(Some(Amount::Percent(30))));
        for wrong in ["", "%", "0%", "100%", "-1", "1MB", "MiB", "99999999999999999999", "20000000000GiB", "a"] {
            assert!(built(wrong, 100).is_err(), "{wrong}");
        }
        assert!(built("1", 99).unwrap_err().contains("--auto-defrag-interval must be at least"));
    }

    #[test]
    fn due_or_not() {
        let due = |threshold, free, size| {
            AutoDefragConfig { threshold, interval: Duration::ZERO, idle_rate: 0 }.is_due(free, size)
        };
        let mib = |n: u64| n << 20;
        assert!(due(Amount::Bytes(mib(5)), mib(5), mib(6)));
        assert!(!due(Amount::Bytes(mib(5)), mib(4), mib(6)));
        assert!(due(Amount::Percent(30), mib(30), mib(100)));
        assert!(!due(Amount::Percent(31), mib(30), mib(100)));
        assert!(!due(Amount::Percent(30), 50_000, 100_000), "half of nothing much");
        assert!(!due(Amount::Bytes(1), 1, mib(1)));
    }
}
