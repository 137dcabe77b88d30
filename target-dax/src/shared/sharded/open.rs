//! Making and opening a store in shards.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible::Item;

use super::super::batch::Batch;
use super::super::commit::Work;
use super::super::sync::{Mutex, MutexGuard, whatever};
use super::super::{SharedError, SharedStore};
use super::marks::Marks;
use super::{INTENTS, MARKS, ShardedStore, Shards, intent, marks, shard_path};
use crate::file::{Access, FileError, Reads};
use crate::host::{HostIndex, OpenError, StoreError};
use crate::{HostMedium, Setup};

/// Shards that a store can have.
const SHARDS_MAX: usize = 1 << 16;

/// How a new store in shards is to be made.
///
/// A transaction over several shards may be as long as the log of intents: a
/// sixteenth of a shard, 64 KiB at least, unless it is chosen.
#[derive(Clone, Debug)]
pub struct ShardedSetup {
    shards: usize,
    size: u64,
    grows_to: u64,
    intents: Option<u64>,
}

impl ShardedSetup {
    /// So many shards of `size` bytes each. Keys never move from one to
    /// another, so their number is for good.
    #[must_use]
    pub fn new(shards: usize, size: u64) -> Self {
        Self {
            shards,
            size,
            grows_to: 0,
            intents: None,
        }
    }

    /// Chooses segments that are long enough for each shard to grow to `size`
    /// bytes ([`ShardedStore::grow`]).
    #[must_use]
    pub fn grows_to(mut self, size: u64) -> Self {
        self.grows_to = size;
        self
    }

    /// The longest transaction over several shards, in bytes: keys and values,
    /// and 17 bytes for each change.
    #[must_use]
    pub fn longest_transaction(mut self, bytes: u64) -> Self {
        self.intents = Some(bytes);
        self
    }

    /// Makes the folder and a file for each shard. What was made is removed
    /// where it fails.
    ///
    /// # Errors
    /// [`ShardedOpenError::Count`] for no shards or over 65,536, and those of
    /// [`Setup::create`].
    pub fn create(&self, folder: impl AsRef<Path>) -> Result<(), ShardedOpenError> {
        let folder = folder.as_ref();
        if self.shards == 0 || self.shards > SHARDS_MAX {
            return Err(ShardedOpenError::Count(self.shards));
        }
        let mut set = [0; 12];
        let random = getrandom::fill(&mut set).map_err(|error| error.into());
        random.map_err(|error| ShardedOpenError::Shard(0, OpenError::NoRandom(error)))?;
        fs::create_dir(folder).map_err(ShardedOpenError::Folder)?;
        for shard in 0..self.shards {
            let intents = self.intents.unwrap_or((self.size / 16).max(64 << 10));
            let setup = Setup::new(self.size)
                .grows_to(self.grows_to)
                .logs(&[intents, marks::capacity(self.shards)])
                .id(id(set, self.shards, shard));
            if let Err(error) = setup.create(shard_path(folder, shard)) {
                // The first error counts.
                for made in 0..shard {
                    let _ = fs::remove_file(shard_path(folder, made));
                }
                let _ = fs::remove_dir(folder);
                return Err(ShardedOpenError::Shard(shard, error));
            }
        }
        Ok(())
    }
}

/// The id of a shard's store: the set's, the number of shards less one, and
/// which one it is.
fn id(set: [u8; 12], shards: usize, shard: usize) -> u128 {
    let mut bytes = [0; 16];
    bytes[..12].copy_from_slice(&set);
    bytes[12..14].copy_from_slice(&((shards - 1) as u16).to_le_bytes());
    bytes[14..].copy_from_slice(&(shard as u16).to_le_bytes());
    u128::from_le_bytes(bytes)
}

/// Why a store in shards was not made or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ShardedOpenError {
    /// No store has so many shards.
    Count(usize),
    /// The folder.
    Folder(io::Error),
    /// One of the shards.
    Shard(usize, OpenError),
    /// A shard's file is not that shard of the same store: files were mixed
    /// up.
    Foreign(usize),
    /// An intent is damaged in this shard's log: whether the transaction was
    /// carried out in the others is not known.
    Intent(usize, SharedError),
    /// An intent was not carried out in this shard.
    Redo(usize, SharedError),
}

impl fmt::Display for ShardedOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count} shards: there can be 1 to {SHARDS_MAX}"),
            Self::Folder(error) => write!(f, "the folder of the shards: {error}"),
            Self::Shard(shard, error) => write!(f, "shard {shard}: {error}"),
            Self::Foreign(shard) => write!(f, "shard {shard} is of another store, or another one"),
            Self::Intent(shard, error) => {
                write!(
                    f,
                    "a transaction over shards cannot be read in shard {shard}: {error}"
                )
            }
            Self::Redo(shard, error) => {
                write!(
                    f,
                    "a transaction over shards waits for shard {shard}: {error}"
                )
            }
        }
    }
}

impl std::error::Error for ShardedOpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Count(_) | Self::Foreign(_) => None,
            Self::Folder(error) => Some(error),
            Self::Shard(_, error) => error.source(),
            Self::Intent(_, error) | Self::Redo(_, error) => error.source(),
        }
    }
}

impl<I: HostIndex<'static>> ShardedStore<I> {
    /// Opens the store in a folder, and carries out what a power cut left of
    /// transactions over several shards.
    ///
    /// # Errors
    /// See [`ShardedOpenError`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ShardedOpenError> {
        Self::open_each(|shard| {
            let path = shard_path(folder.as_ref(), shard);
            SharedStore::open_as(path, Access::ReadWrite, Reads::Mapped)
        })
    }
}

/// How many shards a store says there are.
fn count_of<I: HostIndex<'static>, M: HostMedium>(store: &SharedStore<I, M>) -> usize {
    let id = store.inner.with(|store| store.id()).unwrap_or(0);
    let [.., a, b, _, _] = id.to_le_bytes();
    usize::from(u16::from_le_bytes([a, b])) + 1
}

impl<I: HostIndex<'static>, M: HostMedium> ShardedStore<I, M> {
    /// Opens the shards, which `medium` makes by their numbers.
    ///
    /// # Errors
    /// See [`ShardedOpenError`].
    pub fn open_with(
        mut medium: impl FnMut(usize) -> Result<M, FileError>,
    ) -> Result<Self, ShardedOpenError> {
        Self::open_each(|shard| SharedStore::open_with(|| medium(shard)))
    }

    /// Opens as many as the first one says.
    fn open_each(
        mut open: impl FnMut(usize) -> Result<SharedStore<I, M>, OpenError>,
    ) -> Result<Self, ShardedOpenError> {
        let mut shards = Vec::new();
        let mut count = 1;
        while shards.len() < count {
            let shard = shards.len();
            let store = open(shard).map_err(|error| ShardedOpenError::Shard(shard, error))?;
            if shard == 0 {
                count = count_of(&store);
            }
            shards.push(store);
        }
        Self::over(shards)
    }

    fn over(shards: Vec<SharedStore<I, M>>) -> Result<Self, ShardedOpenError> {
        let id_of = |store: &SharedStore<I, M>| store.inner.with(|store| store.id()).unwrap_or(0);
        let first = shards.first().map_or(0, id_of);
        let mut set = [0; 12];
        set.copy_from_slice(&first.to_le_bytes()[..12]);
        for (shard, store) in shards.iter().enumerate() {
            if id_of(store) != id(set, shards.len(), shard) {
                return Err(ShardedOpenError::Foreign(shard));
            }
        }
        let shards = Shards {
            marks: shards.iter().map(|_| Mutex::default()).collect(),
            shards,
            growing: Mutex::default(),
        };
        for shard in 0..shards.shards.len() {
            let read = shards.read_marks(shard);
            read.map_err(|error| ShardedOpenError::Redo(shard, error))?;
        }
        for leader in 0..shards.shards.len() {
            shards.redo(leader)?;
        }
        Ok(Self {
            inner: Arc::new(shards),
        })
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Shards<I, M> {
    fn read_marks(&self, number: usize) -> Result<(), SharedError> {
        let shard = &self.shards[number];
        let span = shard.log_span(MARKS)?;
        let mut bytes = vec![0; (span.tail - span.head) as usize];
        shard.read(MARKS, span.head, &mut bytes)?;
        *self.marks(number) = Marks::read(&bytes);
        Ok(())
    }

    /// A shard's marks, for who leads it.
    pub(super) fn marks(&self, shard: usize) -> MutexGuard<'_, Marks> {
        whatever(self.marks[shard].lock())
    }

    /// Carries out a leader's intents where they were not.
    fn redo(&self, leader: usize) -> Result<(), ShardedOpenError> {
        let damaged = |error| ShardedOpenError::Intent(leader, error);
        let store = &self.shards[leader];
        let span = store.log_span(INTENTS).map_err(damaged)?;
        let mut at = span.head;
        while at < span.tail {
            let (parts, end) = self.intent(leader, at, span.tail).map_err(damaged)?;
            for (shard, batch) in parts {
                self.redo_part(leader, end, shard, batch)?;
            }
            at = end;
        }
        Ok(())
    }

    /// The intent that stands somewhere, and where it ends.
    #[allow(clippy::type_complexity)]
    fn intent(
        &self,
        leader: usize,
        at: u64,
        tail: u64,
    ) -> Result<(Vec<(usize, Batch)>, u64), SharedError> {
        let store = &self.shards[leader];
        let garbled = || {
            let item = Item::Log(INTENTS);
            SharedError::from(StoreError::Corrupt { item, at })
        };
        let mut header = [0; intent::HEADER];
        store.read(INTENTS, at, &mut header)?;
        let len = intent::len(header);
        if len > tail - at {
            return Err(garbled());
        }
        let mut bytes = vec![0; len as usize];
        store.read(INTENTS, at, &mut bytes)?;
        let parts = intent::decode(&bytes).ok_or_else(garbled)?;
        let known = parts.iter().all(|(shard, _)| *shard < self.shards.len());
        known.then_some((parts, at + len)).ok_or_else(garbled)
    }

    fn redo_part(
        &self,
        leader: usize,
        end: u64,
        shard: usize,
        mut batch: Batch,
    ) -> Result<(), ShardedOpenError> {
        let failed = |error| ShardedOpenError::Redo(shard, error);
        let mut marks = self.marks(shard);
        if marks.has(leader, end) {
            return Ok(());
        }
        let store = &self.shards[shard];
        let span = store.log_span(MARKS).map_err(failed)?;
        marks.add(leader, end, span, &mut batch);
        store.inner.commit(Work::Many(&batch)).map_err(failed)?;
        marks.note(leader, end);
        Ok(())
    }
}
