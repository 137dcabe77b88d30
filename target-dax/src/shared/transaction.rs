//! Transactions that read what they change.

use std::collections::HashMap;

use indelible::Error;

use super::batch::{Batch, Change, What};
use super::commit::Work;
use super::{Inner, SharedError, SharedStore};
use crate::HostMedium;
use crate::host::{HostIndex, StoreError, read_value};

/// What a transaction reads: what is committed, and stays so as long as it has
/// the lead.
pub(super) trait Reads {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError>;
    fn has(&self, key: &[u8]) -> Result<bool, SharedError>;
    fn tail(&self, log: usize) -> Result<u64, SharedError>;
}

impl<I: HostIndex<'static>, M: HostMedium> Reads for Inner<I, M> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        let read = self.with(|store| {
            let view = store.committed();
            read_value(|buf| view.get(key, buf))
        });
        Ok(read??)
    }

    fn has(&self, key: &[u8]) -> Result<bool, SharedError> {
        Ok(self.with(|store| store.committed().contains(key))??)
    }

    fn tail(&self, log: usize) -> Result<u64, SharedError> {
        let span = self.with(|store| store.committed().get_head_tail_and_capacity(log));
        Ok(span??.tail)
    }
}

/// A transaction: reads see what it did before. Nothing of it reaches the
/// store before it is committed.
pub struct SharedTransaction<'t> {
    reads: &'t dyn Reads,
    batch: Batch,
    /// What it made of the keys that it changed.
    changed: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Bytes appended to logs so far.
    appended: HashMap<usize, u64>,
}

impl<'t> SharedTransaction<'t> {
    pub(super) fn new(reads: &'t dyn Reads) -> Self {
        Self {
            reads,
            batch: Batch::new(),
            changed: HashMap::new(),
            appended: HashMap::new(),
        }
    }

    /// All that it changed.
    pub(super) fn into_batch(self) -> Batch {
        self.batch
    }
}

impl<I: HostIndex<'static>, M: HostMedium> SharedStore<I, M> {
    /// Runs `change`, alone among writers, and makes what it did durable where
    /// it returns `Ok`. Readers go on.
    ///
    /// ```
    /// # use indelible_dax::{Setup, SharedError, SharedStore};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("store");
    /// # Setup::new(4 << 20).create(&path)?;
    /// # let store: SharedStore = SharedStore::open(&path)?;
    /// let tickets = store.transaction(|it| {
    ///     let sold = it.get(b"sold")?.map_or(0, |sold| sold.len());
    ///     it.put(b"sold", &vec![b'|'; sold + 1]);
    ///     Ok::<_, SharedError>(sold + 1)
    /// })?;
    /// assert_eq!(tickets, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `change` returned, with nothing done; or as for
    /// [`SharedStore::commit`]. A call to this store's writing methods in it
    /// waits for ever.
    pub fn transaction<T, E: From<SharedError>>(
        &self,
        change: impl FnOnce(&mut SharedTransaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut lead = self.inner.queue.lead();
        let mut transaction = SharedTransaction::new(&*self.inner);
        let value = change(&mut transaction)?;
        let batch = transaction.into_batch();
        let along = lead.take_along();
        self.inner.commit_group(Work::Many(&batch), &along.0)?;
        Ok(value)
    }
}

impl SharedTransaction<'_> {
    /// A key's value, `None` where the key is absent.
    ///
    /// # Errors
    /// As for [`SharedStore::get`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        if let Some(value) = self.changed.get(key) {
            return Ok(value.clone());
        }
        self.reads.value(key)
    }

    /// Whether a key is present.
    ///
    /// # Errors
    /// As for [`SharedStore::get`].
    pub fn contains(&self, key: &[u8]) -> Result<bool, SharedError> {
        if let Some(value) = self.changed.get(key) {
            return Ok(value.is_some());
        }
        self.reads.has(key)
    }

    /// Creates a key or replaces its value.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.change(Change::new(What::Put, key, value), Some(value));
    }

    /// Creates a key that must be absent.
    ///
    /// # Errors
    /// [`Error::KeyExists`], or as for [`SharedStore::get`].
    pub fn create(&mut self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        if self.contains(key)? {
            return Err(StoreError::from(Error::KeyExists).into());
        }
        self.change(Change::new(What::Create, key, value), Some(value));
        Ok(())
    }

    /// Replaces the value of a key that must be present.
    ///
    /// # Errors
    /// [`Error::NotFound`], or as for [`SharedStore::get`].
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        self.require(key)?;
        self.change(Change::new(What::Update, key, value), Some(value));
        Ok(())
    }

    /// Deletes a key that must be present.
    ///
    /// # Errors
    /// [`Error::NotFound`], or as for [`SharedStore::get`].
    pub fn delete(&mut self, key: &[u8]) -> Result<(), SharedError> {
        self.require(key)?;
        self.change(Change::new(What::Delete, key, &[]), None);
        Ok(())
    }

    /// Appends to a log; returns where the bytes will stand.
    ///
    /// # Errors
    /// [`Error::InvalidLog`]. What the log has no room for the commit refuses.
    pub fn append(&mut self, log: usize, data: &[u8]) -> Result<u64, SharedError> {
        let tail = self.reads.tail(log)?;
        let appended = self.appended.entry(log).or_default();
        let position = tail + *appended;
        *appended += data.len() as u64;
        self.batch.append(log, data);
        Ok(position)
    }

    fn require(&self, key: &[u8]) -> Result<(), SharedError> {
        match self.contains(key)? {
            true => Ok(()),
            false => Err(StoreError::from(Error::NotFound).into()),
        }
    }

    fn change(&mut self, change: Change<'_>, value: Option<&[u8]>) {
        let key = change.key.to_vec();
        self.batch.push(change);
        self.changed.insert(key, value.map(<[u8]>::to_vec));
    }
}
