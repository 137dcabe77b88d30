//! One store for many threads.
//!
//! * **Readers go on while a writer works.** They see what is committed and
//!   durable, never what is being committed, and share a lock that a writer
//!   holds only while it changes the index, not while the medium flushes.
//!   What takes longer under that lock is rare: a root every few segments, an
//!   index that grows, a step of reclaiming.
//! * **Group commit.** Threads fill their batches by themselves; one of those
//!   that come to commit leads, stages the batches of all, and one flush makes
//!   all of them durable. Each is its own transaction: what one is refused for
//!   costs no other one anything. Where others committed a moment ago, the
//!   leader of a group waits up to half of a flush, half a millisecond at most,
//!   for them to come again; one thread alone never waits.
//! * **Threads that wait for a short flush stay awake.** Waking them would take
//!   as long. They look a few times where the medium is memory; on disks whose
//!   flush takes less than 0.3 ms they let others have the processor between
//!   their looks, and sleep where those need it. So a processor that has nothing
//!   else to do is busy while several threads commit.
//! * **Linearizable.** Every call takes effect at one moment between its start
//!   and its return; a transaction or batch as a whole. Only a
//!   [`SharedScan`] is a sequence of moments, one a page.

mod backup;
mod batch;
mod commit;
mod error;
mod gather;
mod owned;
mod queue;
mod request;
mod scan;
pub mod sharded;
mod sync;
mod transaction;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indelible::{Committed, HashIndex, Layout, LogSpan, Maintained, Report, Room, Saving, Stats};

use crate::file::{Access, Reads};
use crate::host::{HostIndex, HostStore, OpenError, Step, StoreError, read_value};
use crate::{AnyMedium, HostMedium};

pub use backup::SharedBackup;
pub use batch::Batch;
pub(crate) use batch::{Change, What};
use commit::Work;
pub use error::SharedError;
use owned::Owned;
use queue::{Queue, Turn};
pub use scan::SharedScan;
use sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, whatever};
pub use transaction::SharedTransaction;

/// What a committed batch has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The log position of each append, in the order of the batch.
    pub positions: Vec<u64>,
}

/// A store that threads share: clones are handles of the same one. See the
/// [module](self).
///
/// ```
/// use indelible_dax::{Setup, SharedStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// Setup::new(4 << 20).create(&path)?;
/// let store: SharedStore = SharedStore::open(&path)?;
/// let threads: Vec<_> = (0..4)
///     .map(|number| {
///         let store = store.clone();
///         std::thread::spawn(move || store.put(format!("thread/{number}").as_bytes(), b"was here"))
///     })
///     .collect();
/// for thread in threads {
///     thread.join().unwrap()?; // durable, with a flush for some of them together
/// }
/// assert_eq!(store.len()?, 4);
/// store.close()?;
/// # Ok(())
/// # }
/// ```
pub struct SharedStore<
    I: HostIndex<'static> = Saving<HashIndex<'static>>,
    M: HostMedium = AnyMedium,
> {
    inner: Arc<Inner<I, M>>,
}

/// A [`SharedStore`] for programs that mostly walk keys in order.
pub type OrderedSharedStore<M = AnyMedium> =
    SharedStore<Saving<indelible::OrderedIndex<'static>>, M>;

struct Inner<I: HostIndex<'static>, M: HostMedium> {
    /// `None` once it is closed. Who writes to it leads the queue.
    store: RwLock<Option<Owned<I, M>>>,
    queue: Queue,
    /// Nothing more is written: a transaction over several shards failed, and
    /// only opening all of them again tells what became of it.
    halted: AtomicBool,
}

type Guarded<'g, I, M> = RwLockWriteGuard<'g, Option<Owned<I, M>>>;

impl<I: HostIndex<'static>, M: HostMedium> Clone for SharedStore<I, M> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

impl<I: HostIndex<'static>> SharedStore<I> {
    /// Opens a store for reading and writing.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_as(path, Access::ReadWrite, Reads::Mapped)
    }

    /// Opens a store with everything chosen.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_as(
        path: impl AsRef<Path>,
        access: Access,
        reads: Reads,
    ) -> Result<Self, OpenError> {
        let owned = Owned::open(|memory| HostStore::open_as(path, memory, access, reads))?;
        Ok(Self::over(owned))
    }
}

impl<I: HostIndex<'static>, M: HostMedium> SharedStore<I, M> {
    /// Opens a store on the medium that `medium` makes, as
    /// [`HostStore::open_with`] does.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with(
        medium: impl FnMut() -> Result<M, crate::FileError>,
    ) -> Result<Self, OpenError> {
        let owned = Owned::open(|memory| HostStore::open_with(memory, medium))?;
        Ok(Self::over(owned))
    }

    fn over(owned: Owned<I, M>) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: RwLock::new(Some(owned)),
                queue: Queue::default(),
                halted: AtomicBool::new(false),
            }),
        }
    }

    /// Creates a key or replaces its value, durably. A flush, shared with what
    /// other threads commit at the time.
    ///
    /// # Errors
    /// See [`SharedError`]; as for [`HostStore::put`].
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        let change = Change::new(What::Put, key, value);
        self.inner.commit(Work::One(change)).map(drop)
    }

    /// [`SharedStore::put`] of a key that must be absent.
    ///
    /// # Errors
    /// [`KeyExists`](indelible::Error::KeyExists), or as there.
    pub fn create(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        let change = Change::new(What::Create, key, value);
        self.inner.commit(Work::One(change)).map(drop)
    }

    /// [`SharedStore::put`] of a key that must be present.
    ///
    /// # Errors
    /// [`NotFound`](indelible::Error::NotFound), or as there.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        let change = Change::new(What::Update, key, value);
        self.inner.commit(Work::One(change)).map(drop)
    }

    /// Deletes a key, durably.
    ///
    /// # Errors
    /// [`NotFound`](indelible::Error::NotFound), or as for
    /// [`SharedStore::put`].
    pub fn delete(&self, key: &[u8]) -> Result<(), SharedError> {
        let change = Change::new(What::Delete, key, &[]);
        self.inner.commit(Work::One(change)).map(drop)
    }

    /// Appends to a log, durably; returns the position of the first byte.
    ///
    /// # Errors
    /// As for [`Store::append`](indelible::Store::append).
    pub fn append(&self, log: usize, data: &[u8]) -> Result<u64, SharedError> {
        let change = Change::new(What::Append, &[], data).log(log);
        let done = self.inner.commit(Work::One(change))?;
        Ok(done.positions.first().copied().unwrap_or(0))
    }

    /// Makes all changes of a batch durable, or none.
    ///
    /// # Errors
    /// As each of its changes alone; nothing of it was done then.
    pub fn commit(&self, batch: &Batch) -> Result<Done, SharedError> {
        self.inner.commit(Work::Many(batch))
    }

    /// A key's value, `None` where the key is absent. One lookup.
    ///
    /// # Errors
    /// As for [`HostStore::get`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        Ok(self.view(|store| read_value(|buf| store.get(key, buf)))??)
    }

    /// Reads a key's value into `buf`; returns its length.
    ///
    /// # Errors
    /// As for [`Store::get`](indelible::Store::get).
    pub fn get_into(&self, key: &[u8], buf: &mut [u8]) -> Result<Option<usize>, SharedError> {
        Ok(self.view(|store| store.get(key, buf))??)
    }

    /// Reads from a log.
    ///
    /// # Errors
    /// As for [`Store::read`](indelible::Store::read).
    pub fn read(&self, log: usize, position: u64, buf: &mut [u8]) -> Result<(), SharedError> {
        Ok(self.view(|store| store.read(log, position, buf))??)
    }

    /// Head, tail and capacity of a log.
    ///
    /// # Errors
    /// [`InvalidLog`](indelible::Error::InvalidLog).
    pub fn log_span(&self, log: usize) -> Result<LogSpan, SharedError> {
        Ok(self.view(|store| store.get_head_tail_and_capacity(log))??)
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn len(&self) -> Result<u64, SharedError> {
        self.view(|store| store.len())
    }

    /// Whether there is no key.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn is_empty(&self) -> Result<bool, SharedError> {
        self.view(|store| store.is_empty())
    }

    /// Several reads of one moment. Writers wait until `read` returns, and
    /// whoever comes behind them: to be kept short, and without a call to this
    /// store in it.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn view<T>(
        &self,
        read: impl FnOnce(&Committed<'_, 'static, M, I>) -> T,
    ) -> Result<T, SharedError> {
        self.inner.with(|store| read(&store.committed()))
    }

    /// Walks over the keys that start with `prefix`, in bytewise order, with
    /// their values. Writers go on between the pages that it reads: 256 keys
    /// of an ordered index, and of a hash index, where each page takes a pass
    /// through all keys, 65,536.
    #[must_use]
    pub fn scan(&self, prefix: &[u8]) -> SharedScan<I, M> {
        SharedScan::new(self.clone(), prefix)
    }

    /// What was found when the store was opened.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn report(&self) -> Result<Report, SharedError> {
        self.inner.with(|store| store.report().clone())
    }

    /// [`Store::stats`](indelible::Store::stats).
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn stats(&self) -> Result<Stats, SharedError> {
        self.inner.with(|store| store.stats())
    }

    /// [`Store::room`](indelible::Store::room).
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn room(&self) -> Result<Room, SharedError> {
        self.inner.with(|store| store.room())
    }

    /// [`Store::maintain`](indelible::Store::maintain): everyone waits for it,
    /// so the budget should be small.
    ///
    /// # Errors
    /// As there.
    pub fn maintain(&self, budget: u32) -> Result<Maintained, SharedError> {
        let _lead = self.inner.queue.lead();
        let mut guard = self.inner.lock();
        self.inner.may_write()?;
        let owned = guard.as_mut().ok_or(SharedError::Closed)?;
        Ok(owned.get_mut().maintain(budget)?)
    }

    /// [`HostStore::save_index`]. Writers wait until it is done; readers for
    /// the copy that is taken of the index, some milliseconds for a million
    /// keys, and for pieces of 256 KiB.
    ///
    /// # Errors
    /// As there.
    pub fn save_index(&self) -> Result<bool, SharedError> {
        let _lead = self.inner.queue.lead();
        let mut first = true;
        loop {
            let mut guard = self.inner.lock();
            self.inner.may_write()?;
            let owned = guard.as_mut().ok_or(SharedError::Closed)?;
            match owned.get_mut().save_step(first)? {
                Step::More => first = false,
                step => return Ok(step == Step::Saved),
            }
        }
    }

    /// [`HostStore::set_save_every`].
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn set_save_every(&self, times: u32) -> Result<(), SharedError> {
        let _lead = self.inner.queue.lead();
        let mut guard = self.inner.lock();
        let owned = guard.as_mut().ok_or(SharedError::Closed)?;
        owned.get_mut().set_save_every(times);
        Ok(())
    }

    /// [`HostStore::grow`]: everyone waits for it, and it writes all that it
    /// adds.
    ///
    /// # Errors
    /// As there.
    pub fn grow(&self, size: u64) -> Result<Layout, SharedError> {
        let _lead = self.inner.queue.lead();
        let mut guard = self.inner.lock();
        self.inner.may_write()?;
        let owned = guard.as_mut().ok_or(SharedError::Closed)?;
        Ok(owned.get_mut().grow(size)?)
    }

    /// Closes the store for all of its handles, behind what is being
    /// committed. Without it the store is left as a power cut leaves it, and
    /// loses nothing either.
    ///
    /// # Errors
    /// What the medium reports.
    pub fn close(&self) -> Result<(), SharedError> {
        let _lead = self.inner.queue.lead();
        let owned = self.inner.lock().take();
        Ok(owned.ok_or(SharedError::Closed)?.close()?)
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Inner<I, M> {
    fn commit(&self, work: Work<'_>) -> Result<Done, SharedError> {
        match self.queue.enter(|| work.to_batch()) {
            Turn::Done(result) => result,
            Turn::Lead(mut lead) => {
                let along = lead.take_along();
                self.commit_group(work, &along.0)
            }
        }
    }

    fn lock(&self) -> Guarded<'_, I, M> {
        whatever(self.store.write())
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Owned<I, M>>> {
        whatever(self.store.read())
    }

    /// Asked by who leads.
    fn may_write(&self) -> Result<(), SharedError> {
        match self.halted.load(Ordering::Acquire) {
            true => Err(StoreError::Poisoned.into()),
            false => Ok(()),
        }
    }

    fn with<T>(&self, read: impl FnOnce(&HostStore<'static, I, M>) -> T) -> Result<T, SharedError> {
        let guard = self.read();
        let owned = guard.as_ref().ok_or(SharedError::Closed)?;
        Ok(read(owned.get()))
    }
}

impl<I: HostIndex<'static>, M: HostMedium> std::fmt::Debug for SharedStore<I, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedStore").finish_non_exhaustive()
    }
}
