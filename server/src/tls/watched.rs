//! What is made of files, and made anew when they have changed.
//!
//! Files are looked at when somebody asks, and not more than once a second: that finds renamed files and those behind
//! changed links as well, as they are in mounted secrets. What cannot be read leaves the last good state where it is.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, fs};

use parking_lot::{Mutex, RwLock};

use super::error::TlsError;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// A file that was changed so recently may change once more within the same step of its clock.
const UNSETTLED: Duration = Duration::from_secs(2);

/// Makes something of files.
pub(super) trait Source: fmt::Debug + Send + Sync {
    type Made;

    /// What it depends on.
    fn paths(&self) -> Vec<&Path>;

    /// # Errors
    /// What is wrong with the files.
    fn make(&self) -> Result<Self::Made, TlsError>;
}

/// See the module's text.
pub(super) struct Watched<S: Source> {
    source: S,
    made: RwLock<Option<Arc<S::Made>>>,
    look: Mutex<Look>,
}

#[derive(Debug, Default)]
struct Look {
    at: Option<Instant>,
    stamps: Vec<Stamp>,
    /// Whether `stamps` say all of what was read.
    is_settled: bool,
    /// The last attempt failed, and that was told.
    failed: bool,
}

/// By what a file that was changed is told from the same one. All zero if it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl<S: Source> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<S: Source> Watched<S> {
    /// Nothing is read yet.
    pub(super) fn new(source: S) -> Watched<S> {
        Watched { source, made: RwLock::default(), look: Mutex::default() }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// As of a second ago, or better.
    ///
    /// # Errors
    /// When there never was a good state.
    pub(super) fn get(&self) -> Result<Arc<S::Made>, TlsError> {
        if let Some(made) = self.made() {
            // Who comes while another one looks takes what there is.
            if let Some(mut look) = self.look.try_lock()
                && look.at.is_none_or(|at| at.elapsed() >= PAUSE)
            {
                return Ok(self.look_again(&mut look).unwrap_or(made));
            }
            return Ok(made);
        }
        let mut look = self.look.lock();
        match self.made() {
            Some(made) => Ok(made),
            None => self.make(&mut look, self.stamps()),
        }
    }

    /// The lock is not held on.
    fn made(&self) -> Option<Arc<S::Made>> {
        self.made.read().clone()
    }

    /// What is made anew, if something has changed.
    fn look_again(&self, look: &mut Look) -> Option<Arc<S::Made>> {
        let stamps = self.stamps();
        if look.is_settled && !look.failed && stamps == look.stamps {
            look.at = Some(Instant::now());
            return None;
        }
        let changed = stamps != look.stamps;
        match self.make(look, stamps) {
            Ok(made) => {
                if changed || std::mem::take(&mut look.failed) {
                    tracing::info!(files = self.texts(), "TLS files were read again");
                }
                look.failed = false;
                Some(made)
            }
            Err(error) => {
                if !std::mem::replace(&mut look.failed, true) {
                    let files = self.texts();
                    tracing::warn!(files, %error, "failed to read TLS files, going on with what was read before");
                }
                None
            }
        }
    }

    /// The stamps are of before it is read, so that what changes meanwhile is found by the next look.
    fn make(&self, look: &mut Look, stamps: Vec<Stamp>) -> Result<Arc<S::Made>, TlsError> {
        look.at = Some(Instant::now());
        look.is_settled = stamps.iter().all(|stamp| stamp.is_settled());
        look.stamps = stamps;
        let made = Arc::new(self.source.make()?);
        *self.made.write() = Some(Arc::clone(&made));
        Ok(made)
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.source.paths().into_iter().map(Stamp::of).collect()
    }

    fn texts(&self) -> String {
        let paths = self.source.paths().into_iter().map(|path| path.display().to_string());
        paths.collect::<Vec<_>>().join(", ")
    }
}

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let Ok(metadata) = fs::metadata(path) else { return Stamp::default() };
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(self.changed.0).map(Duration::from_secs).unwrap_or_default();
        now.saturating_sub(changed) > UNSETTLED
    }
}

/// Those of the paths that there are.
pub(super) fn some<'a>(paths: impl IntoIterator<Item = Option<&'a PathBuf>>) -> Vec<&'a Path> {
    paths.into_iter().flatten().map(PathBuf::as_path).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::{content, read};
    use super::*;

    /// A file with a number in it.
    #[derive(Debug)]
    struct Number(PathBuf);

    impl Source for Number {
        type Made = u32;

        fn paths(&self) -> Vec<&Path> {
            vec![&self.0]
        }

        fn make(&self) -> Result<u32, TlsError> {
            String::from_utf8_lossy(&read(&self.0)?).parse().map_err(|error| content(&self.0, error))
        }
    }

    #[test]
    fn what_has_changed_is_read_again_and_what_is_wrong_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        let watched = Watched::new(Number(path.clone()));
        let get = || {
            watched.look.lock().at = None;
            watched.get().map(|number| *number).map_err(|error| error.to_string())
        };
        assert!(get().unwrap_err().contains("number: No such file"));
        fs::write(&path, "1").unwrap();
        assert_eq!(get(), Ok(1));
        fs::write(&path, "2").unwrap();
        assert_eq!(watched.get().map(|number| *number).unwrap(), 1, "it was looked at a moment ago");
        assert_eq!(get(), Ok(2));
        fs::write(&path, "nothing").unwrap();
        assert_eq!(get(), Ok(2));
        assert!(watched.look.lock().failed);
        fs::remove_file(&path).unwrap();
        assert_eq!(get(), Ok(2));
        fs::write(&path, "3").unwrap();
        assert_eq!(get(), Ok(3));
        assert!(!watched.look.lock().failed);
    }
}
