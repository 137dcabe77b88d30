//! Stores whose keys are changed: in one file, or in shards.

use std::collections::BTreeMap;
use std::path::Path;

use indelible_dax::backup::Copied;
use indelible_dax::host::StoreError;
use indelible_dax::indelible::Error;
use indelible_dax::{BackupError, Batch, HostStore, ShardedStore, SharedError};

/// Bytes of a change over several shards beside its key and data.
const CHANGE: u64 = 17;

/// Bytes of a store in shards whose keys are completed.
const COMPLETED_MAX: u64 = 16 << 20;

/// A change that is part of a transaction.
#[derive(Clone, Copy, Debug)]
pub enum Change<'c> {
    Put(&'c [u8], &'c [u8]),
    Delete(&'c [u8]),
    Append(usize, &'c [u8]),
    Trim(usize, u64),
    ListAppend(&'c [u8], &'c [u8]),
    ListUpdate(&'c [u8], u64, &'c [u8]),
    ListTrim(&'c [u8], u64),
}

/// What commands do with keys, wherever they lie. Reads see the open
/// transaction.
pub trait Keys {
    /// Puts a key, durably.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), SharedError>;
    /// Takes a change into the open transaction. In shards a list that is not
    /// there, and a full store, are not noticed before the commit.
    fn stage(&mut self, change: Change<'_>) -> Result<(), SharedError>;
    /// Does all of the open transaction, durably, or nothing.
    fn commit(&mut self) -> Result<(), SharedError>;
    /// Forgets the open transaction.
    fn abort(&mut self);
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError>;
    fn value_len(&self, key: &[u8]) -> Result<Option<u64>, SharedError>;
    fn read_value(&self, key: &[u8], at: u64, buf: &mut [u8])
    -> Result<Option<usize>, SharedError>;
    /// Whether looking for keys is quick enough for who types.
    fn completes(&self) -> bool {
        true
    }
    /// The first keys of a prefix that are whole.
    fn first(&self, prefix: &[u8], count: usize) -> Vec<Vec<u8>>;
    fn room(&self) -> Result<Room, SharedError>;
    /// Copies what is committed.
    fn backup(&mut self, path: &Path) -> Result<Copied, BackupError>;
}

/// Keys and bytes of records.
pub struct Room {
    pub keys: u64,
    pub live: u64,
    pub capacity: u64,
}

impl Keys for HostStore<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        Ok(HostStore::put(self, key, value)?)
    }

    fn stage(&mut self, change: Change<'_>) -> Result<(), SharedError> {
        Ok(match change {
            Change::Put(key, value) => self.tentatively_put(key, value),
            Change::Delete(key) => self.tentatively_delete(key),
            Change::Append(log, bytes) => self.tentatively_append(log, bytes).map(drop),
            Change::Trim(log, position) => self.tentatively_advance_head(log, position),
            Change::ListAppend(key, element) => self.tentatively_list_append(key, element),
            Change::ListUpdate(key, at, element) => self.tentatively_list_update(key, at, element),
            Change::ListTrim(key, count) => self.tentatively_list_trim(key, count),
        }?)
    }

    fn commit(&mut self) -> Result<(), SharedError> {
        Ok((**self).commit()?)
    }

    fn abort(&mut self) {
        // What was staged last is what failed, and is told.
        let _ = (**self).abort();
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        Ok(HostStore::get(self, key)?)
    }

    fn value_len(&self, key: &[u8]) -> Result<Option<u64>, SharedError> {
        Ok((**self).value_len(key)?)
    }

    fn read_value(
        &self,
        key: &[u8],
        at: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, SharedError> {
        Ok((**self).read_value(key, at, buf)?)
    }

    fn first(&self, prefix: &[u8], count: usize) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; self.key_max().max(1)];
        let mut slots = self.scan_slots();
        let mut scan = self.scan_in(prefix, &mut slots);
        let mut keys = Vec::new();
        while keys.len() < count
            && let Ok(Some(entry)) = scan.next(&mut buffer)
        {
            keys.push(entry.key.to_vec());
        }
        keys
    }

    fn room(&self) -> Result<Room, SharedError> {
        let stats = self.stats();
        Ok(Room {
            keys: self.len(),
            live: stats.live_bytes,
            capacity: stats.kv_capacity,
        })
    }

    fn backup(&mut self, path: &Path) -> Result<Copied, BackupError> {
        HostStore::backup(self, path)
    }
}

/// A store in shards, which itself has no open transactions that can be read.
pub struct Sharded {
    store: ShardedStore,
    open: Batch,
    /// What the open transaction made of keys.
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: u64,
    longest: u64,
    longest_key: usize,
    longest_value: u64,
}

impl Sharded {
    pub fn new(store: ShardedStore) -> Result<Self, SharedError> {
        let longest = match store.shards() {
            // No transaction is over several.
            1 => u64::MAX,
            _ => store.longest_transaction()?,
        };
        let (longest_key, longest_value) = store.longest_key_and_value()?;
        Ok(Self {
            store,
            open: Batch::new(),
            changed: BTreeMap::new(),
            bytes: 0,
            longest,
            longest_key,
            longest_value,
        })
    }

    fn has(&self, key: &[u8]) -> Result<bool, SharedError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.is_some()),
            None => self.store.contains(key),
        }
    }

    /// Refuses what is certain to be refused later, with all before it.
    fn may_stage(&mut self, key: &[u8], data: &[u8], absent: bool) -> Result<(), SharedError> {
        if key.is_empty() {
            return Err(StoreError::KeyEmpty.into());
        }
        if !absent && !self.has(key)? {
            return Err(StoreError::NotFound.into());
        }
        let (len, max) = (key.len(), self.longest_key);
        if len > max {
            return Err(StoreError::KeyTooLong { len, max }.into());
        }
        let (len, max) = (data.len() as u64, self.longest_value);
        if len > max {
            return Err(StoreError::ValueTooLong { len, max }.into());
        }
        let bytes = self.bytes + CHANGE + (key.len() + data.len()) as u64;
        if bytes > self.longest && !self.open.is_empty() {
            let limit = self.open.len();
            return Err(StoreError::TransactionTooLarge { limit }.into());
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Keys for Sharded {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), SharedError> {
        self.store.put(key, value)
    }

    fn stage(&mut self, change: Change<'_>) -> Result<(), SharedError> {
        match change {
            Change::Put(key, value) => {
                self.may_stage(key, value, true)?;
                self.open.put(key, value);
                self.changed.insert(key.to_vec(), Some(value.to_vec()));
            }
            Change::Delete(key) => {
                self.may_stage(key, &[], false)?;
                self.open.delete(key);
                self.changed.insert(key.to_vec(), None);
            }
            Change::ListAppend(key, element) => {
                self.may_stage(key, element, false)?;
                self.open.list_append(key, element);
            }
            Change::ListUpdate(key, at, element) => {
                self.may_stage(key, element, false)?;
                self.open.list_update(key, at, element);
            }
            Change::ListTrim(key, count) => {
                self.may_stage(key, &[], false)?;
                self.open.list_trim(key, count);
            }
            Change::Append(log, _) | Change::Trim(log, _) => {
                return Err(StoreError::InvalidLog { log, count: 0 }.into());
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), SharedError> {
        let committed = self.store.commit(&self.open);
        self.abort();
        committed
    }

    fn abort(&mut self) {
        self.open.clear();
        self.changed.clear();
        self.bytes = 0;
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SharedError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.store.get(key),
        }
    }

    fn value_len(&self, key: &[u8]) -> Result<Option<u64>, SharedError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.as_ref().map(|value| value.len() as u64)),
            None => self.store.value_len(key),
        }
    }

    fn read_value(
        &self,
        key: &[u8],
        at: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, SharedError> {
        let Some(value) = self.changed.get(key) else {
            return self.store.read_value(key, at, buf);
        };
        let mut rest = |value: &Vec<u8>| {
            let rest = value.get(usize::try_from(at).ok()?..)?;
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            Some(len)
        };
        Ok(value.as_ref().map(|value| rest(value).unwrap_or(0)))
    }

    fn completes(&self) -> bool {
        // Values are read along with the keys.
        self.room().is_ok_and(|room| room.live <= COMPLETED_MAX)
    }

    fn first(&self, prefix: &[u8], count: usize) -> Vec<Vec<u8>> {
        let keys = self.store.scan(prefix).flatten().map(|(key, _)| key);
        let kept = keys.filter(|key| !self.changed.contains_key(key));
        let mut keys: Vec<_> = kept.take(count).collect();
        let changed = self.changed.iter().filter(|(_, value)| value.is_some());
        let new = changed.map(|(key, _)| key.clone());
        keys.extend(new.filter(|key| key.starts_with(prefix)));
        keys.sort_unstable();
        keys.truncate(count);
        keys
    }

    fn room(&self) -> Result<Room, SharedError> {
        let mut keys = self.store.len()?;
        for (key, value) in &self.changed {
            match (value.is_some(), self.store.contains(key)?) {
                (true, false) => keys += 1,
                (false, true) => keys -= 1,
                _ => {}
            }
        }
        let stats = self.store.stats()?;
        Ok(Room {
            keys,
            live: stats.iter().map(|stats| stats.live_bytes).sum(),
            capacity: stats.iter().map(|stats| stats.kv_capacity).sum(),
        })
    }

    fn backup(&mut self, path: &Path) -> Result<Copied, BackupError> {
        self.store.backup(path)
    }
}

/// Whether the key is not there. None is empty, or too long to be there.
pub fn is_absent(error: &SharedError) -> bool {
    matches!(
        error.store(),
        Some(Error::NotFound | Error::KeyEmpty | Error::KeyTooLong { .. })
    )
}

/// Whether a transaction holds no more; what is in it can be committed.
pub fn is_too_large(error: &SharedError) -> bool {
    matches!(error.store(), Some(Error::TransactionTooLarge { .. }))
}
