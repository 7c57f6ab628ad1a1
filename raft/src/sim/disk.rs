//! A disk that forgets what was not synced.
//!
//! A crash of the machine keeps, of every write since the last sync of its file, any subset of the 512-byte sectors; of
//! the renames and removals since the last sync of the directory, any prefix. When only the process ends, all of it can
//! still be read, and is still as little on the disk as before.
//!
//! Writes may be short (by whole sectors), may fail, and a sync may fail. Of what a failed sync of a file should have kept,
//! any sectors are on the disk. The others can be read until the machine stops, but no later sync keeps them unless they
//! are written again, as on Linux. Names are not forgotten like this: file systems keep them in a journal, and one that
//! cannot write it takes nothing more.
//!
//! A sync may take long: then it waits at a [`Gate`] for the scheduler, and may never return. The power may fail between
//! any two effects.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use parking_lot::Mutex;

use super::Random;
use crate::wal::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What may go wrong next. Counters count down; at zero the fault happens, once.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Writes until one fails.
    pub fail_write: Option<u32>,
    /// Syncs until one fails.
    pub fail_sync: Option<u32>,
    /// Bytes that may still be written before the disk is full.
    pub room: Option<usize>,
    /// Writes take only a part of what they are given.
    pub short_writes: bool,
    /// Effects (writes, syncs, changes of names, messages, applied entries) until the power fails, for good.
    pub power: Option<u32>,
}

/// Where a slow sync waits: it says that it is there, and goes on with `true`, or fails because the machine stops.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) reached: Sender<()>,
    pub(super) go: Receiver<bool>,
}

impl Gate {
    fn wait(self) -> io::Result<()> {
        // A scheduler that is gone has stopped the machine.
        let _ = self.reached.send(());
        if self.go.recv().unwrap_or(false) { Ok(()) } else { Err(power_failed()) }
    }
}

fn power_failed() -> io::Error {
    io::Error::other("injected: the machine has stopped")
}

/// How much a crash keeps of what was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Everything, as it is: the process died, the machine did not. A crash of the machine may follow.
    All,
    /// Nothing.
    Nothing,
    /// Every sector decides for itself.
    Some,
}

/// One simulated directory. Clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, File>,
    next: u64,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    /// Since the directory was synced.
    name_changes: Vec<NameChange>,
    faults: Faults,
    gate: Option<Gate>,
    random: Random,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, u64),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Clone, Default)]
struct File {
    content: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

impl File {
    fn sector(content: &[u8], sector: usize) -> &[u8] {
        let start = (sector * SECTOR).min(content.len());
        content.get(start..(start + SECTOR).min(content.len())).unwrap_or_default()
    }

    fn keep(&mut self, sector: usize) {
        let bytes = File::sector(&self.content, sector).to_vec();
        let start = sector * SECTOR;
        if self.durable.len() < start + bytes.len() {
            self.durable.resize(start + bytes.len(), 0);
        }
        if let Some(place) = self.durable.get_mut(start..start + bytes.len()) {
            place.copy_from_slice(&bytes);
        }
    }

    fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector);
        }
        self.durable.resize(self.content.len(), 0);
    }
}

impl State {
    fn rename(names: &mut BTreeMap<String, u64>, change: &NameChange) {
        match change {
            NameChange::Add(name, id) => {
                names.insert(name.clone(), *id);
            }
            NameChange::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
        }
    }

    fn change(&mut self, change: NameChange) {
        State::rename(&mut self.names, &change);
        self.name_changes.push(change);
    }

    fn effect(&mut self) -> bool {
        match &mut self.faults.power {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                *left > 0
            }
            None => true,
        }
    }

    fn powered(&mut self) -> io::Result<()> {
        if self.effect() { Ok(()) } else { Err(power_failed()) }
    }

    fn id(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// How much of `len` bytes at `start` a write takes that is cut short after about `limit`: whole sectors, as systems do.
fn up_to_sector(start: usize, len: usize, limit: usize) -> usize {
    if limit >= len { len } else { ((start + limit) / SECTOR + 1) * SECTOR - start }.min(len)
}

fn due(counter: &mut Option<u32>) -> bool {
    match counter {
        Some(0) => {
            *counter = None;
            true
        }
        Some(n) => {
            *n -= 1;
            false
        }
        None => false,
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> SimDisk {
        let state = State { random: Random::new(seed), ..State::default() };
        SimDisk { path: PathBuf::from("sim"), state: Arc::new(Mutex::new(state)) }
    }

    /// Plans faults.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// The power fails before the effect that comes after so many.
    pub(super) fn fail_power_after(&self, effects: u32) {
        self.state.lock().faults.power = Some(effects.max(1));
    }

    /// Somebody does something that others could notice. False when the power is off: then nothing happens.
    pub(super) fn effect(&self) -> bool {
        self.state.lock().effect()
    }

    /// Whether the power is off.
    pub(super) fn is_off(&self) -> bool {
        self.state.lock().faults.power == Some(0)
    }

    /// The next sync waits there.
    pub(super) fn slow_sync(&self, gate: Gate) {
        self.state.lock().gate = Some(gate);
    }

    /// The gate, if no sync has come to it.
    pub(super) fn take_gate(&self) -> Option<Gate> {
        self.state.lock().gate.take()
    }

    /// A second disk, with what a crash now would leave of the first if nothing unsynced survives.
    pub(super) fn synced(&self) -> SimDisk {
        let state = self.state.lock();
        let files = state.files.iter().map(|(id, file)| {
            let durable = file.durable.clone();
            (*id, File { content: durable.clone(), durable, dirty: BTreeSet::new() })
        });
        let copy = State {
            files: files.collect(),
            next: state.next,
            names: state.durable_names.clone(),
            durable_names: state.durable_names.clone(),
            ..State::default()
        };
        SimDisk { path: self.path.clone(), state: Arc::new(Mutex::new(copy)) }
    }

    /// The process stops, and mostly its machine. Whoever used the disk is gone; open it anew.
    pub fn crash(&self, keep: Keep) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.faults = Faults::default();
        state.gate = None;
        let some = match keep {
            Keep::All => return,
            Keep::Nothing => false,
            Keep::Some => true,
        };
        let changes = std::mem::take(&mut state.name_changes);
        let kept = if some { state.random.index(changes.len() + 1) } else { 0 };
        for change in changes.iter().take(kept) {
            State::rename(&mut state.durable_names, change);
        }
        state.names = state.durable_names.clone();
        for file in state.files.values_mut() {
            let longer = file.content.len() > file.durable.len();
            for sector in std::mem::take(&mut file.dirty) {
                if some && state.random.chance(50) {
                    file.keep(sector);
                }
            }
            if longer && some && state.random.chance(50) {
                file.durable.resize(file.content.len(), 0);
            }
            file.content = file.durable.clone();
        }
    }

    /// A file's content, as the process sees it.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let id = state.names.get(name)?;
        state.files.get(id).map(|file| file.content.clone())
    }

    /// Replaces a file's content, durably.
    pub fn set_content(&self, name: &str, content: Vec<u8>) {
        let mut state = self.state.lock();
        let id = state.next;
        state.next += 1;
        state.files.insert(id, File { durable: content.clone(), content, dirty: BTreeSet::new() });
        state.names.insert(name.to_owned(), id);
        state.durable_names.insert(name.to_owned(), id);
    }
}

impl Disk for SimDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.powered()?;
        let id = state.next;
        state.next += 1;
        state.files.insert(id, File::default());
        state.change(NameChange::Add(name.to_owned(), id));
        Ok(Box::new(SimFile { id, state: Arc::clone(&self.state) }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let id = self.state.lock().id(name)?;
        Ok(Box::new(SimFile { id, state: Arc::clone(&self.state) }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.powered()?;
        state.id(from)?;
        state.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.powered()?;
        state.id(name)?;
        state.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let gate = self.take_gate();
        gate.map_or(Ok(()), Gate::wait)?;
        let mut state = self.state.lock();
        state.powered()?;
        if due(&mut state.faults.fail_sync) {
            return Err(io::Error::other("injected: directory sync failed"));
        }
        state.name_changes.clear();
        state.durable_names = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    id: u64,
    state: Arc<Mutex<State>>,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut File, &mut Faults, &mut Random) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        let State { files, faults, random, .. } = &mut *state;
        let file = files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        act(file, faults, random)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|file, _, _| Ok(file.content.len() as u64))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|file, _, _| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(file.content.len());
            let from = file.content.get(start..).unwrap_or_default();
            let n = from.len().min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..n), from.get(..n)) {
                to.copy_from_slice(from);
            }
            Ok(n)
        })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.state.lock().powered()?;
        self.with(|file, faults, random| {
            if due(&mut faults.fail_write) {
                return Err(io::Error::other("injected: write failed"));
            }
            let start = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
            let mut n = buf.len();
            if faults.short_writes {
                n = up_to_sector(start, n, random.index(n));
            }
            if let Some(room) = &mut faults.room {
                n = up_to_sector(start, n, *room);
                *room = room.saturating_sub(n);
                if *room == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            if file.content.len() < start + n {
                file.content.resize(start + n, 0);
            }
            let place = file.content.get_mut(start..start + n).ok_or(io::ErrorKind::InvalidInput)?;
            place.iter_mut().zip(buf).for_each(|(to, from)| *to = *from);
            file.dirty.extend(start / SECTOR..=(start + n - 1) / SECTOR);
            Ok(n)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state.lock().powered()?;
        self.with(|file, _, _| {
            let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
            // Kept at once, which is one of the things that may happen.
            file.content.resize(len, 0);
            file.durable.truncate(len);
            Ok(())
        })
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let gate = self.state.lock().gate.take();
        gate.map_or(Ok(()), Gate::wait)?;
        self.state.lock().powered()?;
        self.with(|file, faults, random| {
            if due(&mut faults.fail_sync) {
                for sector in std::mem::take(&mut file.dirty) {
                    if random.chance(50) {
                        file.keep(sector);
                    }
                }
                return Err(io::Error::other("injected: sync failed"));
            }
            file.sync();
            Ok(())
        })
    }
}
