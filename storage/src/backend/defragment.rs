//! A dense copy in the place of the database, while that goes on.
//!
//! The rows are copied in slices, in order, each slice from the file as it is then. What changes behind the place where the copying
//! is, the flusher notes: the keys alone, and they are brought up to date with the next slice. History needs little of that, for it
//! grows at its end alone, and what a compaction has removed stays so. When all is copied and little has changed since, the flusher
//! does the rest between two transactions: it copies that little, syncs, renames. So transactions wait for a moment that does not
//! depend on how much there is, and memory holds a slice.
//!
//! Every slice is on its way to the disk before the next one is begun, or the last sync would have all of it to write.

mod journal;
#[cfg(test)]
mod tests;

use std::mem;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use super::edition::Contents;
use super::flusher::Job;
use super::install::Failure;
use super::loader::Loader;
use super::view::View;
use super::{Backend, BackendError, Bucket, Shared, guarded};
pub(super) use journal::Journal;

/// The flusher gets what is left when a slice that reached the end had no more rows than this.
const LITTLE_ROWS: usize = 512;
/// Or after so many that reached the end, whatever they had: who writes that fast is caught up with while the flusher holds on.
const MOST_ROUNDS: usize = 8;

impl Backend {
    /// Replaces the file by a dense copy. Readers and `commit` do not wait for it.
    ///
    /// # Errors
    /// When the copy cannot be written, or there is too little room for it; the database goes on with the old file.
    pub fn defragment(&self) -> Result<(), BackendError> {
        self.defragment_while(&|| true)
    }

    /// The same, asking after each slice whether it is still wanted; that may take its time, in which others have the disk.
    ///
    /// # Errors
    /// As [`Backend::defragment`]; [`BackendError::Unwanted`].
    pub fn defragment_while(&self, is_wanted: &dyn Fn() -> bool) -> Result<(), BackendError> {
        let _alone = self.defragmenting.lock();
        // Rows that were removed are gone from the file then.
        self.flush()?;
        let noting = Noting::begin(&self.shared);
        let made = guarded(&self.shared.path, || noting.copy(is_wanted));
        let replaced = made.and_then(|copying| self.ask(|answer| Job::Defragment(Box::new(copying), answer)));
        if replaced.is_err() {
            // It holds nothing that anyone needs, or has lost its name.
            let _ = std::fs::remove_file(noting.temporary());
        }
        // Closing what was replaced, and giving back its space, takes a while that nobody should wait for: it is done here.
        replaced.map(drop)
    }
}

/// While it is there, the flusher notes what changes.
struct Noting<'a> {
    shared: &'a Shared,
    contents: Arc<Contents>,
}

impl<'a> Noting<'a> {
    fn begin(shared: &'a Shared) -> Noting<'a> {
        let contents = shared.contents.load_full();
        contents.buffers.write().journal = Some(Journal::default());
        Noting { shared, contents }
    }

    fn temporary(&self) -> PathBuf {
        self.shared.temporary("defragment")
    }

    /// Everything up to a little.
    fn copy(&self, is_wanted: &dyn Fn() -> bool) -> Result<Copying, BackendError> {
        let (shared, path) = (self.shared, self.temporary());
        shared.files.check_room(&path, shared.dense_size())?;
        let loader = Loader::create(&shared.files, &path)?;
        let mut copying = Copying { path, loader, contents: Arc::clone(&self.contents), places: Default::default() };
        let mut rounds = 0;
        loop {
            let Slice { rows, is_last } = copying.slice()?;
            if !is_wanted() {
                return Err(BackendError::Unwanted);
            }
            shared.files.check_room(&copying.path, 0)?;
            copying.loader.sync()?;
            rounds += usize::from(is_last);
            if is_last && (rows <= LITTLE_ROWS || rounds >= MOST_ROUNDS) {
                return Ok(copying);
            }
        }
    }
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.contents.buffers.write().journal = None;
    }
}

/// How far a bucket has been copied.
#[derive(Debug, Default)]
enum Place {
    #[default]
    NotBegun,
    /// Up to and with this key.
    At(Vec<u8>),
    /// All that there was; what comes later is noted.
    Over,
}

impl Place {
    fn is_behind(&self, key: &[u8]) -> bool {
        match self {
            Place::NotBegun => false,
            Place::At(last) => key <= last.as_slice(),
            Place::Over => true,
        }
    }
}

/// What was done of a copy.
struct Slice {
    /// Copied, and brought up to date.
    rows: usize,
    /// Nothing is left as of the moment of this slice.
    is_last: bool,
}

/// A copy that is being made.
#[derive(Debug)]
pub(super) struct Copying {
    path: PathBuf,
    loader: Loader,
    /// What it is a copy of.
    contents: Arc<Contents>,
    /// One for each of [`Bucket::ALL`].
    places: [Place; Bucket::ALL.len()],
}

/// What is left of a database that was replaced, to be closed where nobody waits for it.
pub(super) type Replaced = Option<Arc<View>>;

impl Copying {
    /// Brings what was copied up to date, and copies the next rows.
    fn slice(&mut self) -> Result<Slice, BackendError> {
        let (view, journal) = {
            let mut buffers = self.contents.buffers.write();
            (Arc::clone(&buffers.view), buffers.journal.replace(Journal::default()).unwrap_or_default())
        };
        let mut slice = Slice { rows: self.correct(&view, &journal)?, is_last: true };
        for bucket in Bucket::ALL {
            let (rows, is_over) = self.copy_rows(bucket, &view)?;
            slice.rows += rows;
            if !is_over {
                slice.is_last = false;
                break;
            }
        }
        Ok(slice)
    }

    /// What has changed behind the place where the copying is.
    fn correct(&mut self, view: &View, journal: &Journal) -> Result<usize, BackendError> {
        let mut rows = 0;
        for key in &journal.removed {
            let key = key.encode();
            if self.place(Bucket::Key).is_behind(&key) {
                self.loader.remove(Bucket::Key, &key)?;
                rows += 1;
            }
        }
        for (bucket, key) in &journal.other {
            if !self.place(*bucket).is_behind(key) {
                continue;
            }
            let row = view.table(*bucket).get(&**key).map_err(|error| BackendError::from_redb(&self.path, error))?;
            match row {
                Some(value) => self.loader.put(*bucket, key, value.value())?,
                None => self.loader.remove(*bucket, key)?,
            }
            rows += 1;
        }
        Ok(rows)
    }

    fn place(&self, bucket: Bucket) -> &Place {
        self.places.get(bucket as usize).unwrap_or(&Place::NotBegun)
    }

    /// Rows of a bucket behind the place where the copying is, for as long as a transaction takes some; how many, and whether that
    /// were all.
    fn copy_rows(&mut self, bucket: Bucket, view: &View) -> Result<(usize, bool), BackendError> {
        let Copying { path, loader, places, .. } = self;
        let Some(place) = places.get_mut(bucket as usize) else { return Ok((0, true)) };
        let failed = |error| BackendError::from_redb(path, error);
        let from = match &*place {
            Place::NotBegun => Bound::Unbounded,
            Place::At(last) => Bound::Excluded(last.clone()),
            Place::Over => return Ok((0, true)),
        };
        let mut rows = view.table(bucket).range::<&[u8]>((as_slice(&from), Bound::Unbounded)).map_err(failed)?;
        let (mut copied, mut last) = (0, None);
        let ended = loader.append(bucket, |tail| {
            while !tail.is_full() {
                let Some(row) = rows.next() else { return Ok(true) };
                let (key, value) = row.map_err(failed)?;
                tail.push(key.value(), value.value())?;
                copied += 1;
                last = Some(key.value().to_vec());
            }
            Ok(false)
        })?;
        if let Some(last) = last {
            *place = Place::At(last);
        }
        // History goes on at its end; of other buckets the journal says what comes.
        if ended && bucket != Bucket::Key {
            *place = Place::Over;
        }
        Ok((copied, ended))
    }

    /// The rest, while no transaction is written, and the copy in the place of the database.
    pub(super) fn replace(mut self, shared: &Shared) -> Result<Replaced, Failure> {
        let contents = shared.contents.load_full();
        if !Arc::ptr_eq(&contents, &self.contents) {
            // The state that came from another member meanwhile is dense, too.
            let _ = std::fs::remove_file(&self.path);
            return Ok(None);
        }
        let (path, temporary) = (shared.path.clone(), self.path.clone());
        let finished = guarded(&path, || {
            while !self.slice()?.is_last {}
            let (database, used) = self.loader.finish()?;
            Ok((View::open(&shared.path, &Arc::new(database))?, used))
        });
        let (view, used) = finished?;
        shared.put_in_place(&temporary)?;
        let old = mem::replace(&mut contents.buffers.write().view, Arc::new(view));
        shared.note_dense(used);
        Ok(Some(old))
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
