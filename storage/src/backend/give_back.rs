//! The space of a large file that has lost its name, given back a piece at a time.
//!
//! Closing it would give back all at once, and the file system does little else meanwhile: 600 MiB on ext4 hold up every
//! sync for a tenth of a second.

use std::fs::File;
use std::time::Duration;
use std::{io, thread};

use super::on_disk;

const PIECE: u64 = 8 << 20;
/// Between two pieces, in which others sync.
const REST: Duration = Duration::from_millis(5);

/// A handle of the file, to be dropped after all others. On a thread of its own then, as nobody should wait for it.
#[derive(Debug)]
pub(super) struct GiveBack(Option<File>);

impl GiveBack {
    pub(super) fn of(file: &File) -> io::Result<GiveBack> {
        file.try_clone().map(|file| GiveBack(Some(file)))
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        let Some(file) = self.0.take() else { return };
        let len = file.metadata().ok().filter(on_disk::is_nameless).map_or(0, |metadata| metadata.len());
        if len > PIECE {
            // Without a thread it is closed with what it has.
            let _ = thread::Builder::new().name("give-back".to_owned()).spawn(move || shrink(&file, len));
        }
    }
}

fn shrink(file: &File, mut len: u64) {
    while len > PIECE {
        len -= PIECE;
        if file.set_len(len).is_err() {
            return;
        }
        thread::sleep(REST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn only_what_has_no_name_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(5 * PIECE).unwrap();
        drop(GiveBack::of(&file).unwrap());
        assert_eq!(file.metadata().unwrap().len(), 5 * PIECE);
        std::fs::remove_file(&path).unwrap();
        drop(GiveBack::of(&file).unwrap());
        let begun = Instant::now();
        while file.metadata().unwrap().len() > PIECE {
            assert!(begun.elapsed() < Duration::from_mins(1), "it keeps its space");
            thread::yield_now();
        }
    }
}
