//! Backups that a member makes of itself: `--backup-*`.

use std::path::PathBuf;
use std::time::Duration;

use super::settings::Settings;
use super::{ConfigError, invalid};

/// More often nobody could want them.
const SHORTEST: Duration = Duration::from_secs(1);

/// When and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupConfig {
    /// How old the newest one may become.
    pub interval: Duration,
    pub dir: PathBuf,
    /// How many stay; at least one.
    pub keep: usize,
}

pub(super) fn build(s: &Settings) -> Result<Option<BackupConfig>, ConfigError> {
    let (interval, dir, keep) = (s.duration("backup-interval"), s.string("backup-dir"), s.uint("backup-keep"));
    match (interval.is_zero(), dir.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => return Err(invalid("--backup-dir needs --backup-interval")),
        (false, true) => return Err(invalid("--backup-interval needs --backup-dir")),
        (false, false) => {}
    }
    if interval < SHORTEST {
        return Err(invalid(format!("--backup-interval must be at least {SHORTEST:?} (set to {interval:?})")));
    }
    if keep == 0 {
        return Err(invalid("--backup-keep must be at least 1 (set to 0)"));
    }
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    Ok(Some(BackupConfig { interval, dir: dir.into(), keep }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::flag::Value;
    use super::*;

    fn built(interval: u64, dir: &str, keep: u64) -> Result<Option<BackupConfig>, ConfigError> {
        let interval = Duration::from_millis(interval);
        let set = BTreeMap::from([
            ("backup-interval", Value::Duration(interval)),
            ("backup-dir", Value::Str(dir.to_owned())),
            ("backup-keep", Value::Uint(keep)),
        ]);
        build(&Settings { set, warnings: Vec::new() })
    }

    #[test]
    fn interval_and_directory_go_together() {
        assert_eq!(built(0, "", 7).unwrap(), None);
        let config = BackupConfig { interval: Duration::from_secs(1), dir: "d".into(), keep: 1 };
        assert_eq!(built(1000, "d", 1).unwrap(), Some(config));
        for (interval, dir, keep, why) in [
            (0, "d", 7, "--backup-dir needs --backup-interval"),
            (1000, "", 7, "--backup-interval needs --backup-dir"),
            (999, "d", 7, "--backup-interval must be at least 1s (set to 999ms)"),
            (1000, "d", 0, "--backup-keep must be at least 1 (set to 0)"),
        ] {
            assert_eq!(built(interval, dir, keep).unwrap_err().to_string(), why);
        }
    }
}
