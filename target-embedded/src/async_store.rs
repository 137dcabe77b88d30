//! The store for tasks that wait instead of blocking.

use crate::boot::{BootError, Found, open_or_setup};
use crate::error::Error;
use crate::queue::Queued;
use core::fmt;
use embedded_storage_async::nor_flash::{ErrorType, NorFlash};
use indelible::{
    Config, Index, Layout, Maintained, Memory, Mode, Report, Store, Transaction, setup,
};

/// What an [`AsyncStore`] fails with.
pub type AsyncError<F> = indelible::Error<Error<<F as ErrorType>::Error>>;

/// The [`Store`], over a driver that is waited for.
///
/// A call runs the core's own operation, which queues what it writes, and then
/// waits for the flash to do it: other tasks run meanwhile. It answers when all
/// of it is durable. What the call is on the flash, and in a power cut, is what
/// the same call of a [`Store`] is.
///
/// Reads do not wait (see [`Queued`]); they are the methods of the store itself,
/// by [`AsyncStore::store`], or those here for the common ones.
///
/// # Dropped futures
///
/// A call whose future is dropped (a timeout, a `select`) is done as far as the
/// store in memory is concerned, and in doubt on the flash, as in a power cut:
/// what it has queued is carried out by the next call, or by
/// [`AsyncStore::sync`]. Dropping it finishes the one write that the driver may
/// have begun. Nothing is torn, and the store needs no opening.
///
/// ```
/// use indelible::{Config, HashIndex, StaticMemory};
/// use indelible_embedded::{AsyncStore, Found, Queued};
/// # use indelible_embedded::{AtOnce, RamFlash};
///
/// # let mut bytes = [0xFF; 64 * 1024];
/// # let flash = AtOnce(RamFlash::<1, 4, 1024>::new(&mut bytes));
/// # async fn task(flash: AtOnce<RamFlash<'_, 1, 4, 1024>>) -> Result<(), Box<dyn core::error::Error>> {
/// let config = Config { id: 1, nonce: 0x5EED, segment_size: None, logs: &[4096] };
/// let mut memory = StaticMemory::<64, 1, 8, 16, 64>::new();
/// let mut slots = [0; 64];
/// let mut queue = [0; 4096];
/// let medium = Queued::new(flash, &mut queue)?;
/// let index = HashIndex::new(&mut slots);
/// let (mut store, report, found) =
///     AsyncStore::open_or_setup(medium, index, memory.lend(), &config).await?;
///
/// store.put(b"volume", b"7").await?;
/// store
///     .transaction(|transaction| {
///         transaction.put(b"boots", b"1")?;
///         transaction.append(0, b"booted\n")
///     })
///     .await?;
/// let mut value = [0; 8];
/// assert_eq!(store.get(b"volume", &mut value)?, Some(1));
/// store.close().await?;
/// # Ok(())
/// # }
/// # futures::executor::block_on(task(flash)).unwrap();
/// ```
pub struct AsyncStore<'a, F: NorFlash, I: Index> {
    store: Store<'a, Queued<'a, F>, I>,
}

impl<'a, F: NorFlash, I: Index> AsyncStore<'a, F, I> {
    /// [`indelible::setup`], waited for.
    ///
    /// # Errors
    /// As there.
    pub async fn setup(
        medium: &mut Queued<'a, F>,
        config: &Config<'_>,
    ) -> Result<Layout, AsyncError<F>> {
        let layout = setup(medium, config)?;
        medium.drain().await?;
        Ok(layout)
    }

    /// [`Store::start`], waited for. What it reads it reads without waiting.
    ///
    /// # Errors
    /// As there.
    pub async fn start(
        medium: Queued<'a, F>,
        index: I,
        memory: Memory<'a>,
        id: Option<u128>,
        mode: Mode,
    ) -> Result<(Self, Report), AsyncError<F>> {
        let (store, report) = Store::start(medium, index, memory, id, mode)?;
        let mut store = AsyncStore { store };
        store.sync().await?;
        Ok((store, report))
    }

    /// [`open_or_setup`](crate::open_or_setup), waited for.
    ///
    /// # Errors
    /// As there.
    pub async fn open_or_setup(
        medium: Queued<'a, F>,
        index: I,
        memory: Memory<'a>,
        config: &Config<'_>,
    ) -> Result<(Self, Report, Found), BootError<Error<F::Error>>> {
        let (store, report, found) = open_or_setup(medium, index, memory, config)?;
        let mut store = AsyncStore { store };
        store.sync().await?;
        Ok((store, report, found))
    }

    /// Carries out what a dropped call left in the queue.
    ///
    /// # Errors
    /// The driver's, once; then [`indelible::Error::Poisoned`].
    pub async fn sync(&mut self) -> Result<(), AsyncError<F>> {
        self.store.medium_mut().drain().await
    }

    /// Does anything with the store, and waits for what that writes: every call
    /// here is this. `work` itself does not wait; what it leaves tentative is
    /// written, and committed by a later call.
    ///
    /// # Errors
    /// Those of `work`, or the driver's, in which case it is in doubt whether
    /// what `work` did is durable.
    pub async fn run<R>(
        &mut self,
        work: impl FnOnce(&mut Store<'a, Queued<'a, F>, I>) -> Result<R, AsyncError<F>>,
    ) -> Result<R, AsyncError<F>> {
        self.sync().await?;
        let done = work(&mut self.store);
        let synced = self.sync().await;
        let done = done?;
        synced.map(|()| done)
    }

    /// Several changes, all or nothing: commits when `work` returns `Ok`, aborts
    /// when it returns `Err`.
    ///
    /// # Errors
    /// Those of `work` and of [`Store::commit`].
    pub async fn transaction<R>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_, 'a, Queued<'a, F>, I>) -> Result<R, AsyncError<F>>,
    ) -> Result<R, AsyncError<F>> {
        self.run(|store| {
            let mut transaction = store.transaction();
            let done = work(&mut transaction)?;
            transaction.commit()?;
            Ok(done)
        })
        .await
    }

    /// [`Store::put`].
    ///
    /// # Errors
    /// As there.
    pub async fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), AsyncError<F>> {
        self.run(|store| store.put(key, value)).await
    }

    /// [`Store::delete`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete(&mut self, key: &[u8]) -> Result<(), AsyncError<F>> {
        self.run(|store| store.delete(key)).await
    }

    /// [`Store::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&mut self, log: usize, data: &[u8]) -> Result<u64, AsyncError<F>> {
        self.run(|store| store.append(log, data)).await
    }

    /// [`Store::advance_head`].
    ///
    /// # Errors
    /// As there.
    pub async fn advance_head(&mut self, log: usize, head: u64) -> Result<(), AsyncError<F>> {
        self.run(|store| store.advance_head(log, head)).await
    }

    /// [`Store::maintain`].
    ///
    /// # Errors
    /// As there.
    pub async fn maintain(&mut self, budget: u32) -> Result<Maintained, AsyncError<F>> {
        self.run(|store| store.maintain(budget)).await
    }

    /// [`Store::get`]; does not wait.
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8], buf: &mut [u8]) -> Result<Option<usize>, AsyncError<F>> {
        self.store.get(key, buf)
    }

    /// [`Store::read`]; does not wait.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, log: usize, position: u64, buf: &mut [u8]) -> Result<(), AsyncError<F>> {
        self.store.read(log, position, buf)
    }

    /// The store, for all that only reads.
    #[must_use]
    pub fn store(&self) -> &Store<'a, Queued<'a, F>, I> {
        &self.store
    }

    /// [`Store::close`]: seals the last transaction.
    ///
    /// # Errors
    /// As there. A store that was not closed loses nothing either.
    pub async fn close(mut self) -> Result<F, AsyncError<F>> {
        self.sync().await?;
        let mut medium = self.store.close()?;
        medium.drain().await?;
        Ok(medium.into_inner())
    }

    /// Gives the driver back without a close, as if power had failed now.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.store.into_medium().into_inner()
    }
}

impl<F: NorFlash, I: Index> fmt::Debug for AsyncStore<'_, F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStore")
            .field("medium", self.store.medium())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<F: NorFlash, I: Index> defmt::Format for AsyncStore<'_, F, I> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "AsyncStore on {}", self.store.medium());
    }
}

/// A blocking driver as an asynchronous one whose operations are done when they
/// return: for the reads of a driver that has both (`AtOnce` around it blocks
/// in writes and erases as well), for tests, and for flash that is faster than
/// a task switch.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AtOnce<F>(pub F);

impl<F: embedded_storage::nor_flash::NorFlash> ErrorType for AtOnce<F> {
    type Error = F::Error;
}

impl<F: embedded_storage::nor_flash::NorFlash> embedded_storage_async::nor_flash::ReadNorFlash
    for AtOnce<F>
{
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: embedded_storage::nor_flash::NorFlash> NorFlash for AtOnce<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, bytes)
    }
}
