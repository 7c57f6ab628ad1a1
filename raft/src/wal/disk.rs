//! The directory that a log lives in, as a trait: real files, or a simulated disk that loses what was not synced.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::WalError;

/// One directory of files. Names are plain file names.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Where it is, for messages.
    fn path(&self) -> &Path;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file, or empties an existing one, for reading and writing.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Renames, replacing the target. Durable after `sync`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes. Durable after `sync`.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync(&self) -> io::Result<()>;
}

/// One open file.
pub trait DiskFile: Debug + Send + 'static {
    /// Current length.
    fn len(&self) -> io::Result<u64>;
    /// Whether it is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads some bytes; 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes, possibly fewer than given.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// Sets the length.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes it this long, of zeros, with room on the disk for all of it. Durable after `sync_data`.
    ///
    /// # Errors
    /// `Unsupported` where the file system reserves nothing; then nothing is changed.
    fn reserve(&self, len: u64) -> io::Result<()>;
    /// Makes the content durable, with what is needed to read it back.
    fn sync_data(&self) -> io::Result<()>;
}

/// Writes all of `buf`.
pub(crate) fn write_all_at(file: &dyn DiskFile, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.write_at(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                buf = buf.get(n..).ok_or(io::ErrorKind::InvalidData)?;
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `buf` is full or the file ends; returns how much.
pub(crate) fn read_full_at(file: &dyn DiskFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// A real directory, locked against a second process for as long as this exists.
#[derive(Debug)]
pub struct FsDisk {
    path: PathBuf,
    /// Holds the lock, and syncs the directory.
    dir: File,
    /// Whether files can be read alone.
    read_only: bool,
}

impl FsDisk {
    /// Opens the directory, making it (0700) if it is not there.
    pub fn open(path: impl Into<PathBuf>) -> Result<FsDisk, WalError> {
        let path = path.into();
        make_dir(&path).map_err(WalError::io(&path, "create directory"))?;
        let dir = File::open(&path).map_err(WalError::io(&path, "open directory"))?;
        match rustix::fs::flock(&dir, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(FsDisk { path, dir, read_only: false }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(WalError::Locked(path)),
            Err(error) => Err(WalError::io(&path, "lock directory")(error.into())),
        }
    }

    /// Opens a directory that is there, for looking at it: nothing can be written through this. Others may look, too.
    pub fn look(path: impl Into<PathBuf>) -> Result<FsDisk, WalError> {
        let path = path.into();
        let dir = File::open(&path).map_err(WalError::io(&path, "open directory"))?;
        match rustix::fs::flock(&dir, rustix::fs::FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(FsDisk { path, dir, read_only: true }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(WalError::Locked(path)),
            Err(error) => Err(WalError::io(&path, "lock directory")(error.into())),
        }
    }

    fn writable(&self) -> io::Result<()> {
        if self.read_only { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    fn open_file(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = File::options()
            .read(true)
            .write(!self.read_only)
            .create(create)
            .truncate(create)
            .mode(0o600)
            .open(self.path.join(name))?;
        Ok(Box::new(FsFile(file)))
    }
}

/// Makes a directory (0700), and those above it that are missing, so that they survive a crash of the machine. One that
/// is there already is made durable as well: whoever made it may have been killed before that.
///
/// # Errors
/// When it cannot be made, or a directory above in which a name was made cannot be synced.
pub fn make_dir(path: &Path) -> io::Result<()> {
    make_dir_and(path, |parent| File::open(parent)?.sync_all())
}

fn make_dir_and(path: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let missing = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).count();
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in path.ancestors().skip(1).take(missing.max(1)) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match sync(parent) {
            // Not ours to look into; whoever made the name in there could.
            Err(error) if missing == 0 && error.kind() == io::ErrorKind::PermissionDenied => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

impl Disk for FsDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_file(name, true)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.open_file(name, false)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        std::fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync_all()
    }
}

#[derive(Debug)]
struct FsFile(File);

impl DiskFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, len)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced_for(path: &Path) -> Vec<PathBuf> {
        let mut synced = Vec::new();
        make_dir_and(path, |parent| {
            synced.push(parent.to_path_buf());
            Ok(())
        })
        .unwrap();
        assert!(path.is_dir());
        synced
    }

    #[test]
    fn every_directory_in_which_a_name_was_made_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        assert_eq!(synced_for(&top.join("a/b/c")), [top.join("a/b"), top.join("a"), top.to_path_buf()]);
        assert_eq!(synced_for(&top.join("a/d")), [top.join("a")]);
        // Whoever made it may not have come to that.
        assert_eq!(synced_for(&top.join("a/d")), [top.join("a")]);
        assert_eq!(synced_for(Path::new("src")), [Path::new(".")]);
    }

    #[test]
    fn what_cannot_be_synced_is_an_error_only_where_a_name_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let refuse = |_: &Path| Err(io::ErrorKind::PermissionDenied.into());
        let path = dir.path().join("a");
        assert!(make_dir_and(&path, refuse).is_err());
        assert!(make_dir_and(&path, refuse).is_ok());
        assert!(make_dir_and(&path, |_: &Path| Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}
