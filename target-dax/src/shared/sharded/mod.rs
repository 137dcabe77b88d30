//! One store in several shards, each with a writer of its own.
//!
//! A key belongs to one shard, which is a store in a file of its own: threads
//! that write to different shards do not wait for each other. Each store's id
//! holds the set's, how many shards there are, and which one it is, so shards
//! can be neither mixed up nor left out.
//!
//! # Transactions over several shards
//!
//! They are as atomic as those of one (CapybaraKV's shards cannot do that). The
//! lowest shard that takes part leads:
//!
//! 1. All changes are staged; whatever refuses one has all of them aborted.
//! 2. The leading shard commits its own changes, and with them an *intent* in
//!    its log 0: all that the others are to do. This is the moment at which the
//!    transaction is durable.
//! 3. The others commit their changes, each with a *mark* in its log 1: how far
//!    the leader's intents were carried out here.
//! 4. All of them show the changes to readers at once.
//!
//! Opening the store carries out every intent that lacks a mark. That is right
//! because a shard commits nothing else between an intent and its mark: the
//! threads that write hold the lead of each shard that takes part. Where a
//! flush fails, nothing more is written to any of these shards until the store
//! is opened again.

mod backup;
mod commit;
mod grow;
mod intent;
mod marks;
mod open;
mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible::{HashIndex, Report, Saving, Stats};

use super::batch::{Batch, Change, What};
use super::commit::Work;
use super::sync::Mutex;
use super::transaction::{Reads, SharedTransaction};
use super::{SharedError, SharedStore};
use crate::host::{HostIndex, StoreError};
use crate::{AnyMedium, HostMedium};

use marks::Marks;
pub use open::{ShardedOpenError, ShardedSetup, part_of};
pub use reader::ShardedReader;

/// The log of a shard that holds intents, and the one that holds marks.
const INTENTS: usize = 0;
const MARKS: usize = 1;

/// A store in several shards, which threads share: clones are handles of the
/// same one. See the [module](self).
///
/// ```
/// use indelible_dax::{Batch, ShardedSetup, ShardedStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// ShardedSetup::new(4, 4 << 20).create(&path)?;
/// let store: ShardedStore = ShardedStore::open(&path)?;
/// // Wherever these keys lie: both or neither.
/// let mut batch = Batch::new();
/// batch.put(b"balance/alice", b"90").put(b"balance/bob", b"110");
/// store.commit(&batch)?;
/// store.close()?;
/// # Ok(())
/// # }
/// ```
pub struct ShardedStore<
    I: HostIndex<'static> = Saving<HashIndex<'static>>,
    M: HostMedium = AnyMedium,
> {
    inner: Arc<Shards<I, M>>,
}

struct Shards<I: HostIndex<'static>, M: HostMedium> {
    shards: Vec<SharedStore<I, M>>,
    /// Of each shard, for who leads it.
    marks: Vec<Mutex<Marks>>,
    /// For who makes the shards longer.
    growing: Mutex<()>,
}

impl<I: HostIndex<'static>, M: HostMedium> Clone for ShardedStore<I, M> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

/// Whether a path leads to the folder of a store in shards.
///
/// ```
/// use indelible_dax::ShardedSetup;
/// use indelible_dax::shared::sharded::is_sharded;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// assert!(!is_sharded(&path));
/// ShardedSetup::new(2, 4 << 20).create(&path)?;
/// assert!(is_sharded(&path));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn is_sharded(path: impl AsRef<Path>) -> bool {
    // The first may be what is missing.
    std::fs::read_dir(path).is_ok_and(|mut entries| {
        entries.any(|entry| {
            let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
            name.to_str().is_some_and(is_shard_name)
        })
    })
}

fn is_shard_name(name: &str) -> bool {
    let digits = name.strip_prefix("shard.").unwrap_or_default();
    digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// The file of a shard.
fn shard_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("shard.{number:05}"))
}

/// The shard that a key belongs to, of `count`. A part of the format.
fn shard_of(key: &[u8], count: usize) -> usize {
    let hash = u64::from(crc32c::crc32c(key));
    ((hash * count as u64) >> 32) as usize
}

impl<I: HostIndex<'static>, M: HostMedium> ShardedStore<I, M> {
    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    fn shard(&self, key: &[u8]) -> &SharedStore<I, M> {
        &self.inner.shards[shard_of(key, self.shards())]
    }

    fn one(&self, change: Change<'_>) -> Result<(), SharedError> {
        let shard = self.shard(change.key);
        shard.inner.commit(Work::One(change)).map(drop)
    }

    /// Creates a key or replaces its value, durably. A flush of its shard,
    /// shared with what other threads commit there at the time.
    ///
    /// # Errors
    /// As for [`SharedStore::put`].
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        self.one(Change::new(What::Put, key, value))
    }

    /// [`ShardedStore::put`] of a key that must be absent.
    ///
    /// # Errors
    /// As for [`SharedStore::create`].
    pub fn create(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        self.one(Change::new(What::Create, key, value))
    }

    /// [`ShardedStore::put`] of a key that must be present.
    ///
    /// # Errors
    /// As for [`SharedStore::update`].
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        self.one(Change::new(What::Update, key, value))
    }

    /// Deletes a key, durably.
    ///
    /// # Errors
    /// As for [`SharedStore::delete`].
    pub fn delete(&self, key: &[u8]) -> Result<(), SharedError> {
        self.one(Change::new(What::Delete, key, &[]))
    }

    /// Makes all changes of a batch durable, or none. Within one shard it costs
    /// what it costs there; else a flush for each shard, and its bytes are
    /// written twice.
    ///
    /// # Errors
    /// As each of its changes alone; [`InvalidLog`](indelible::Error::InvalidLog)
    /// for appends, as there are no logs to append to;
    /// [`LogFull`](indelible::Error::LogFull) where it is longer than a
    /// transaction over shards may be (see [`ShardedSetup`]). Nothing of it was
    /// done then.
    pub fn commit(&self, batch: &Batch) -> Result<(), SharedError> {
        let parts = self.inner.split(batch)?;
        match parts.as_slice() {
            [] => Ok(()),
            [(shard, part)] => self.inner.shards[*shard].commit(part).map(drop),
            parts => self.inner.commit_parts(parts),
        }
    }

    /// Runs `change`, alone among the writers of all shards, and makes what it
    /// did durable where it returns `Ok`. Readers go on.
    ///
    /// # Errors
    /// What `change` returned, with nothing done; or as for
    /// [`ShardedStore::commit`]. A call to this store's writing methods in it
    /// waits for ever.
    pub fn transaction<T, E: From<SharedError>>(
        &self,
        change: impl FnOnce(&mut SharedTransaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // In order, as everyone does who takes the lead of several.
        let shards = self.inner.shards.iter();
        let _leads: Vec<_> = shards.map(|shard| shard.inner.queue.lead()).collect();
        let mut transaction = SharedTransaction::new(&*self.inner);
        let value = change(&mut transaction)?;
        let batch = transaction.into_batch();
        let parts = self.inner.split(&batch)?;
        self.inner.commit_led(&parts)?;
        Ok(value)
    }

    /// A key's value, `None` where the key is absent.
    ///
    /// # Errors
    /// As for [`SharedStore::get`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        self.shard(key).get(key)
    }

    /// Reads a key's value into `buf`; returns its length.
    ///
    /// # Errors
    /// As for [`SharedStore::get_into`].
    pub fn get_into(&self, key: &[u8], buf: &mut [u8]) -> Result<Option<usize>, SharedError> {
        self.shard(key).get_into(key, buf)
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// As for [`ShardedStore::get`].
    pub fn contains(&self, key: &[u8]) -> Result<bool, SharedError> {
        Ok(self.shard(key).view(|store| store.contains(key))??)
    }

    /// The length of a key's value.
    ///
    /// # Errors
    /// As for [`ShardedStore::get`].
    pub fn value_len(&self, key: &[u8]) -> Result<Option<u64>, SharedError> {
        Ok(self.shard(key).view(|store| store.value_len(key))??)
    }

    /// Reads a part of a key's value:
    /// [`Committed::read_value`](indelible::Committed::read_value).
    ///
    /// # Errors
    /// As there.
    pub fn read_value(
        &self,
        key: &[u8],
        offset: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, SharedError> {
        let shard = self.shard(key);
        Ok(shard.view(|store| store.read_value(key, offset, buf))??)
    }

    /// The longest transaction over several shards, counted as
    /// [`ShardedSetup::longest_transaction`] does.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn longest_transaction(&self) -> Result<u64, SharedError> {
        let mut longest = u64::MAX;
        for shard in &self.inner.shards {
            longest = longest.min(shard.log_span(INTENTS)?.capacity);
        }
        // What an intent says of itself and of each shard.
        let said = 8 + 8 * self.shards() as u64;
        Ok(longest.saturating_sub(said))
    }

    /// The longest key, and the longest value, that every shard takes.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn longest_key_and_value(&self) -> Result<(usize, u64), SharedError> {
        let mut longest = (usize::MAX, u64::MAX);
        for shard in &self.inner.shards {
            let (key, value) = shard.inner.with(|it| (it.key_max(), it.value_max()))?;
            longest = (longest.0.min(key), longest.1.min(value));
        }
        Ok(longest)
    }

    /// How many keys there are, all shards at one moment.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn len(&self) -> Result<u64, SharedError> {
        let shards = self.inner.shards.iter();
        let guards: Vec<_> = shards.map(|shard| shard.inner.read()).collect();
        let mut keys = 0;
        for guard in &guards {
            let owned = guard.as_ref().ok_or(SharedError::Closed)?;
            keys += owned.get().committed().len();
        }
        Ok(keys)
    }

    /// What was found when each shard was opened.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn reports(&self) -> Result<Vec<Report>, SharedError> {
        self.inner.shards.iter().map(SharedStore::report).collect()
    }

    /// [`SharedStore::stats`] of each shard.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn stats(&self) -> Result<Vec<Stats>, SharedError> {
        self.inner.shards.iter().map(SharedStore::stats).collect()
    }

    /// Whether there is no key.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn is_empty(&self) -> Result<bool, SharedError> {
        Ok(self.len()? == 0)
    }

    /// The values of several keys at one moment: what a transaction changed
    /// together is seen together.
    ///
    /// # Errors
    /// As for [`ShardedStore::get`].
    pub fn get_all(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, SharedError> {
        let mut wanted: Vec<_> = keys
            .iter()
            .map(|key| shard_of(key, self.shards()))
            .collect();
        let places = wanted.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let shards = wanted
            .iter()
            .map(|number| &self.inner.shards[*number].inner);
        let guards: Vec<_> = shards.map(|inner| inner.read()).collect();
        let value = |(key, place): (&&[u8], usize)| {
            let at = wanted.partition_point(|number| *number < place);
            let owned = guards[at].as_ref().ok_or(SharedError::Closed)?;
            let view = owned.get().committed();
            Ok(crate::host::read_value(|buf| view.get(key, buf))?)
        };
        keys.iter().zip(places).map(value).collect()
    }

    /// Walks over the keys that start with `prefix`, in bytewise order, with
    /// their values: [`SharedStore::scan`] of all shards, merged.
    pub fn scan(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), SharedError>> + use<I, M> {
        let shards = self.inner.shards.iter();
        let mut scans: Vec<_> = shards.map(|shard| shard.scan(prefix).peekable()).collect();
        std::iter::from_fn(move || {
            let first = |scan: &mut std::iter::Peekable<_>| match scan.peek() {
                // Damage is told at once.
                Some(Err(_)) => Some(Vec::new()),
                Some(Ok((key, _))) => Some(Vec::clone(key)),
                None => None,
            };
            let heads = scans.iter_mut().enumerate();
            let next = heads.filter_map(|(number, scan)| first(scan).map(|key| (key, number)));
            let (_, number) = next.min()?;
            scans[number].next()
        })
    }

    /// Closes the store for all of its handles.
    ///
    /// # Errors
    /// What the medium reports, the first where there are several.
    pub fn close(&self) -> Result<(), SharedError> {
        let mut closed = Ok(());
        for shard in &self.inner.shards {
            closed = closed.and(shard.close());
        }
        closed
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Shards<I, M> {
    /// The changes of each shard that has some, in order.
    fn split(&self, batch: &Batch) -> Result<Vec<(usize, Batch)>, SharedError> {
        let mut parts = vec![Batch::new(); self.shards.len()];
        for change in batch.changes() {
            if matches!(change.what, What::Append | What::AdvanceHead) {
                let log = change.log;
                return Err(StoreError::InvalidLog { log, count: 0 }.into());
            }
            parts[shard_of(change.key, self.shards.len())].push(change);
        }
        let parts = parts.into_iter().enumerate();
        Ok(parts.filter(|(_, part)| !part.is_empty()).collect())
    }

    fn commit_parts(&self, parts: &[(usize, Batch)]) -> Result<(), SharedError> {
        let shards = parts.iter().map(|(shard, _)| &self.shards[*shard]);
        let _leads: Vec<_> = shards.map(|shard| shard.inner.queue.lead()).collect();
        self.commit_led(parts)
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Reads for Shards<I, M> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        self.shards[shard_of(key, self.shards.len())]
            .inner
            .value(key)
    }

    fn has(&self, key: &[u8]) -> Result<bool, SharedError> {
        self.shards[shard_of(key, self.shards.len())].inner.has(key)
    }

    fn tail(&self, log: usize) -> Result<u64, SharedError> {
        Err(StoreError::InvalidLog { log, count: 0 }.into())
    }
}

impl<I: HostIndex<'static>, M: HostMedium> std::fmt::Debug for ShardedStore<I, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardedStore")
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}
