//! A dense copy that is being made, a slice at a time: see [`super::defragment`].

use std::mem;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use super::edition::Contents;
use super::install::Failure;
use super::journal::Journal;
use super::loader::Loader;
use super::view::View;
use super::{BackendError, Bucket, Shared, guarded};

/// How much is copied at a time: what is synced then is what others wait for who sync meanwhile.
const SLICE_ROWS: usize = 4096;
const SLICE_BYTES: usize = 4 << 20;

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
pub(super) struct Slice {
    /// Copied, and brought up to date.
    pub(super) rows: usize,
    /// Nothing is left as of the moment of this slice.
    pub(super) is_last: bool,
}

/// A copy that is being made.
#[derive(Debug)]
pub(super) struct Copying {
    pub(super) path: PathBuf,
    pub(super) loader: Loader,
    /// What it is a copy of.
    contents: Arc<Contents>,
    /// One for each of [`Bucket::ALL`].
    places: [Place; Bucket::ALL.len()],
}

/// What is left of a database that was replaced, to be closed where nobody waits for it.
pub(super) type Replaced = Option<Arc<View>>;

impl Copying {
    /// Of which nothing has been copied yet.
    pub(super) fn new(path: PathBuf, loader: Loader, contents: Arc<Contents>) -> Copying {
        Copying { path, loader, contents, places: Default::default() }
    }

    /// Brings what was copied up to date, and copies the next rows; has `rest` called after each of these.
    pub(super) fn slice(&mut self, rest: &mut dyn FnMut()) -> Result<Slice, BackendError> {
        let (view, journal) = {
            let mut buffers = self.contents.buffers.write();
            (Arc::clone(&buffers.view), buffers.journal.replace(Journal::default()).unwrap_or_default())
        };
        let mut slice = Slice { rows: self.correct(&view, &journal)?, is_last: true };
        for bucket in Bucket::ALL {
            let (rows, is_over) = self.copy_rows(bucket, &view, rest)?;
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
            let row = view.table(*bucket).get(key).map_err(|error| BackendError::from_redb(&self.path, error))?;
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

    /// Rows of a bucket behind the place where the copying is, a slice of them at most; how many, and whether that were all.
    fn copy_rows(
        &mut self,
        bucket: Bucket,
        view: &View,
        rest: &mut dyn FnMut(),
    ) -> Result<(usize, bool), BackendError> {
        let Copying { path, loader, places, .. } = self;
        let Some(place) = places.get_mut(bucket as usize) else { return Ok((0, true)) };
        let failed = |error| BackendError::from_redb(path, error);
        let from = match &*place {
            Place::NotBegun => Bound::Unbounded,
            Place::At(last) => Bound::Excluded(last.clone()),
            Place::Over => return Ok((0, true)),
        };
        let mut rows = view.table(bucket).range((as_slice(&from), Bound::Unbounded)).map_err(failed)?;
        let (mut copied, mut bytes, mut last) = (0, 0, None);
        let ended = loader.append(bucket, |tail| {
            while copied < SLICE_ROWS && bytes < SLICE_BYTES {
                let Some(row) = rows.next() else { return Ok(true) };
                let (key, value) = row.map_err(failed)?;
                tail.push(key.value(), value.value())?;
                copied += 1;
                bytes += value.value().len();
                last = Some(key.value().to_vec());
                rest();
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
            while !self.slice(&mut || {})?.is_last {}
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
