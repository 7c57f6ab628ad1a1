//! A tiny file system of its own, for disks that are full.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A tmpfs; gone when dropped.
#[derive(Debug)]
pub struct Tiny(TempDir);

impl Tiny {
    /// Of so many megabytes; `None` where mounting is not allowed.
    ///
    /// # Panics
    /// If there is no temporary folder.
    pub fn new(megabytes: usize) -> Option<Tiny> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).status();
        mounted.is_ok_and(|s| s.success()).then_some(Tiny(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// If no file can be made.
    pub fn fill(&self) {
        let mut ballast = File::create(self.path().join("ballast")).expect("a file can be made");
        let block = [b'x'; 4096];
        while ballast.write_all(&block).is_ok() {}
    }

    /// Takes all the room but so many megabytes.
    ///
    /// # Panics
    /// If no file can be made.
    pub fn leave(&self, megabytes: u64) {
        let out = Command::new("df").args(["--output=avail", "-B1"]).arg(self.path()).output().expect("df runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let free: u64 = text.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number of bytes");
        let ballast = free.saturating_sub(megabytes << 20);
        let path = self.path().join("ballast");
        let mut file = File::options().create(true).append(true).open(path).expect("a file can be made");
        std::io::copy(&mut std::io::repeat(b'x').take(ballast), &mut file).expect("there is room for it");
    }

    /// Makes it much larger.
    ///
    /// # Panics
    /// If that is refused.
    pub fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=2000m"]).arg(self.path()).status();
        assert!(grown.is_ok_and(|s| s.success()), "what was mounted can be mounted again");
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
