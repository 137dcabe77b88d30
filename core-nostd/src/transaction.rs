//! A transaction as a value: what is dropped is aborted.

use crate::error::Error;
use crate::index::Index;
use crate::medium::Medium;
use crate::store::Store;

/// An open transaction. Dropping it aborts it.
pub struct Transaction<'s, 'a, M: Medium, I: Index> {
    store: &'s mut Store<'a, M, I>,
}

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// Opens a transaction. Anything tentative before belongs to it.
    pub fn transaction(&mut self) -> Transaction<'_, 'a, M, I> {
        Transaction { store: self }
    }
}

impl<'a, M: Medium, I: Index> Transaction<'_, 'a, M, I> {
    /// [`Store::tentatively_put`].
    ///
    /// # Errors
    /// As there.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        self.store.tentatively_put(key, value)
    }

    /// [`Store::tentatively_create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        self.store.tentatively_create(key, value)
    }

    /// [`Store::tentatively_update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        self.store.tentatively_update(key, value)
    }

    /// [`Store::tentatively_delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Error<M::Error>> {
        self.store.tentatively_delete(key)
    }

    /// [`Store::tentatively_append`].
    ///
    /// # Errors
    /// As there.
    pub fn append(&mut self, log: usize, data: &[u8]) -> Result<u64, Error<M::Error>> {
        self.store.tentatively_append(log, data)
    }

    /// [`Store::tentatively_advance_head`].
    ///
    /// # Errors
    /// As there.
    pub fn advance_head(&mut self, log: usize, head: u64) -> Result<(), Error<M::Error>> {
        self.store.tentatively_advance_head(log, head)
    }

    /// [`Store::tentatively_list_append`].
    ///
    /// # Errors
    /// As there.
    pub fn list_append(&mut self, key: &[u8], element: &[u8]) -> Result<(), Error<M::Error>> {
        self.store.tentatively_list_append(key, element)
    }

    /// [`Store::tentatively_list_update`].
    ///
    /// # Errors
    /// As there.
    pub fn list_update(
        &mut self,
        key: &[u8],
        index: u64,
        element: &[u8],
    ) -> Result<(), Error<M::Error>> {
        self.store.tentatively_list_update(key, index, element)
    }

    /// [`Store::tentatively_list_trim`].
    ///
    /// # Errors
    /// As there.
    pub fn list_trim(&mut self, key: &[u8], count: u64) -> Result<(), Error<M::Error>> {
        self.store.tentatively_list_trim(key, count)
    }

    /// The store, which sees the transaction.
    #[must_use]
    pub fn store(&self) -> &Store<'a, M, I> {
        self.store
    }

    /// [`Store::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(self) -> Result<(), Error<M::Error>> {
        self.store.commit()
    }

    /// [`Store::abort`].
    ///
    /// # Errors
    /// As there.
    pub fn abort(self) -> Result<(), Error<M::Error>> {
        self.store.abort()
    }
}

impl<M: Medium, I: Index> Drop for Transaction<'_, '_, M, I> {
    fn drop(&mut self) {
        // After a commit nothing is open. A failure poisons the store, which
        // the next write reports.
        let _ = self.store.abort();
    }
}
