//! A store in shards that is only looked at.

use std::path::Path;

use indelible::{HashIndex, Saving};

use super::marks::Marks;
use super::open::{open_all, read_log};
use super::{INTENTS, MARKS, ShardedOpenError, intent, shard_of, shard_path};
use crate::MediumChoice;
use crate::backup::{BackupError, BackupOptions, Copied, Folder};
use crate::file::{Access, Reads};
use crate::host::{HostIndex, HostMemory, HostStore, StoreError};

/// The shards of a store, each open for reading only: nothing is ever written.
///
/// So what a power cut left of a transaction over several shards is not carried
/// out here, as [`ShardedStore::open`](super::ShardedStore::open) does: where
/// [`ShardedReader::unfinished`] says that there is one, some shards show it and
/// others do not.
///
/// ```
/// use indelible_dax::{HostMemory, ShardedReader, ShardedSetup, ShardedStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// ShardedSetup::new(4, 4 << 20).create(&path)?;
/// let store: ShardedStore = ShardedStore::open(&path)?;
/// store.put(b"key", b"value")?;
/// store.close()?;
/// drop(store);
///
/// let memory = HostMemory::new();
/// let mut reader: ShardedReader = ShardedReader::open(&path, &memory)?;
/// assert_eq!(reader.unfinished()?, 0);
/// assert_eq!(reader.of(b"key").get(b"key")?.as_deref(), Some(&b"value"[..]));
/// for shard in reader.shards_mut() {
///     assert_eq!(shard.check(&mut |_| {})?.damaged, 0);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ShardedReader<'a, I: HostIndex<'a> = Saving<HashIndex<'a>>> {
    shards: Vec<HostStore<'a, I>>,
}

impl<'a, I: HostIndex<'a>> ShardedReader<'a, I> {
    /// Opens all shards in a folder. Writers are kept out of them until it is
    /// dropped.
    ///
    /// # Errors
    /// See [`ShardedOpenError`].
    pub fn open(
        folder: impl AsRef<Path>,
        memory: &'a HostMemory,
    ) -> Result<Self, ShardedOpenError> {
        Self::open_on(folder, memory, Reads::Mapped, MediumChoice::Auto)
    }

    /// [`ShardedReader::open`] with everything chosen.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(
        folder: impl AsRef<Path>,
        memory: &'a HostMemory,
        reads: Reads,
        choice: MediumChoice,
    ) -> Result<Self, ShardedOpenError> {
        let open = |shard| {
            let path = shard_path(folder.as_ref(), shard);
            HostStore::open_on(path, memory, Access::ReadOnly, reads, choice)
        };
        let shards = open_all(open, |store: &HostStore<'a, I>| store.id())?;
        Ok(Self { shards })
    }

    /// The shards by their numbers.
    #[must_use]
    pub fn shards(&self) -> &[HostStore<'a, I>] {
        &self.shards
    }

    /// The shards by their numbers, to be checked.
    pub fn shards_mut(&mut self) -> &mut [HostStore<'a, I>] {
        &mut self.shards
    }

    /// The shard that a key belongs to.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> &HostStore<'a, I> {
        &self.shards[shard_of(key, self.shards.len())]
    }

    /// Transactions over several shards that a power cut left with a part
    /// undone. The next [`ShardedStore::open`](super::ShardedStore::open)
    /// carries them out.
    ///
    /// # Errors
    /// [`ShardedOpenError::Intent`] and [`ShardedOpenError::Redo`] where damage
    /// hides whether there are any.
    pub fn unfinished(&self) -> Result<u64, ShardedOpenError> {
        let mut marks = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            let read = read_log(shard, MARKS).map(|(_, bytes)| Marks::read(&bytes));
            marks.push(read.map_err(|error| ShardedOpenError::Redo(number, error.into()))?);
        }
        let mut unfinished = 0;
        for (leader, shard) in self.shards.iter().enumerate() {
            let damaged = |error: StoreError| ShardedOpenError::Intent(leader, error.into());
            let (head, bytes) = read_log(shard, INTENTS).map_err(damaged)?;
            for intent in intent::all(head, &bytes, self.shards.len()) {
                let (parts, end) = intent.map_err(damaged)?;
                let undone = parts
                    .iter()
                    .any(|(shard, _)| !marks[*shard].has(leader, end));
                unfinished += u64::from(undone);
            }
        }
        Ok(unfinished)
    }

    /// Copies the shards to a new folder, as
    /// [`ShardedStore::backup_as`](super::ShardedStore::backup_as) does.
    ///
    /// # Errors
    /// As there.
    pub fn backup_as(
        &mut self,
        folder: impl AsRef<Path>,
        options: BackupOptions,
    ) -> Result<Copied, BackupError> {
        let folder = Folder::create(folder.as_ref())?;
        let mut all = Copied::default();
        for (number, shard) in self.shards.iter_mut().enumerate() {
            let path = shard_path(folder.partial(), number);
            let copied = shard.backup_as(path, options);
            let copied = copied.map_err(|error| BackupError::Shard(number, Box::new(error)))?;
            all = all.and(copied);
        }
        folder.publish()?;
        Ok(all)
    }
}
