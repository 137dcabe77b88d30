//! Making and opening a store in shards.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use indelible::Index;

use super::super::batch::Batch;
use super::super::commit::Work;
use super::super::sync::{Mutex, MutexGuard, whatever};
use super::super::{SharedError, SharedStore};
use super::marks::Marks;
use super::{INTENTS, MARKS, ShardedStore, Shards, intent, marks, shard_path};
use crate::file::{Access, FileError, Reads};
use crate::host::{HostIndex, HostStore, OpenError, StoreError};
use crate::{AnyMedium, HostMedium, MediumChoice, Setup};

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
        Self::open_on(folder, MediumChoice::Auto)
    }

    /// [`ShardedStore::open`] with the medium of all shards chosen.
    ///
    /// # Errors
    /// See [`ShardedOpenError`].
    pub fn open_on(
        folder: impl AsRef<Path>,
        choice: MediumChoice,
    ) -> Result<Self, ShardedOpenError> {
        Self::open_with(|shard| {
            let path = shard_path(folder.as_ref(), shard);
            AnyMedium::open(path, Access::ReadWrite, Reads::Mapped, choice)
        })
    }
}

/// How many shards the id of one says there are.
fn count_of(id: u128) -> usize {
    let [.., a, b, _, _] = id.to_le_bytes();
    usize::from(u16::from_le_bytes([a, b])) + 1
}

/// Which shard of how many a store is, if its id says so and its file is named
/// so. Writing to one by itself would part it from the others.
///
/// ```
/// use indelible_dax::shared::sharded::part_of;
///
/// let id = u128::from_le_bytes([9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 3, 0, 2, 0]);
/// assert_eq!(part_of("store/shard.00002", id), Some((2, 4)));
/// assert_eq!(part_of("store/shard.00001", id), None);
/// assert_eq!(part_of("store", id), None);
/// ```
#[must_use]
pub fn part_of(path: impl AsRef<Path>, id: u128) -> Option<(usize, usize)> {
    let [.., a, b] = id.to_le_bytes();
    let shard = usize::from(u16::from_le_bytes([a, b]));
    let named = path.as_ref().file_name() == shard_path(Path::new(""), shard).file_name();
    let count = count_of(id);
    (named && shard < count).then_some((shard, count))
}

/// Opens as many shards as the first one says there are, which have to be all
/// those of one store, in order.
pub(super) fn open_all<S>(
    mut open: impl FnMut(usize) -> Result<S, OpenError>,
    id_of: impl Fn(&S) -> u128,
) -> Result<Vec<S>, ShardedOpenError> {
    let mut shards: Vec<S> = Vec::new();
    let mut count = 1;
    while shards.len() < count {
        let shard = shards.len();
        let opened = open(shard).map_err(|error| ShardedOpenError::Shard(shard, error))?;
        if shard == 0 {
            count = count_of(id_of(&opened));
        }
        shards.push(opened);
    }
    let mut set = None;
    for (shard, opened) in shards.iter().enumerate() {
        let found = id_of(opened);
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&found.to_le_bytes()[..12]);
        if found != id(*set.get_or_insert(bytes), count, shard) {
            return Err(ShardedOpenError::Foreign(shard));
        }
    }
    Ok(shards)
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
        open: impl FnMut(usize) -> Result<SharedStore<I, M>, OpenError>,
    ) -> Result<Self, ShardedOpenError> {
        let shards = open_all(open, id_of)?;
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

fn id_of<I: HostIndex<'static>, M: HostMedium>(store: &SharedStore<I, M>) -> u128 {
    store.inner.with(|store| store.id()).unwrap_or(0)
}

impl<I: HostIndex<'static>, M: HostMedium> Shards<I, M> {
    fn read_marks(&self, number: usize) -> Result<(), SharedError> {
        let (_, bytes) = self.shards[number].inner.with(|it| read_log(it, MARKS))??;
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
        let log = self.shards[leader].inner.with(|it| read_log(it, INTENTS));
        let (head, bytes) = log.and_then(|log| Ok(log?)).map_err(damaged)?;
        for intent in intent::all(head, &bytes, self.shards.len()) {
            let (parts, end) = intent.map_err(|error| damaged(error.into()))?;
            for (shard, batch) in parts {
                self.redo_part(leader, end, shard, batch)?;
            }
        }
        Ok(())
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

/// A log's head, and its bytes from there to the tail.
pub(super) fn read_log<I: Index, M: HostMedium>(
    shard: &HostStore<'_, I, M>,
    log: usize,
) -> Result<(u64, Vec<u8>), StoreError> {
    let span = shard.get_head_tail_and_capacity(log)?;
    let mut bytes = vec![0; (span.tail - span.head) as usize];
    shard.read(log, span.head, &mut bytes)?;
    Ok((span.head, bytes))
}
