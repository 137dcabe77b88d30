//! A store in shards whose files become longer.

use super::super::SharedError;
use super::super::sync::whatever;
use super::ShardedStore;
use crate::HostMedium;
use crate::host::{HostIndex, StoreError};

impl<I: HostIndex<'static>, M: HostMedium> ShardedStore<I, M> {
    /// Makes each shard that is smaller `size` bytes long, one after the other:
    /// [`SharedStore::grow`](crate::SharedStore::grow) of each, so that whoever
    /// needs that shard waits, and nobody else. Keys stay in their shards; the
    /// longest transaction over shards is as long as before.
    ///
    /// Each shard is as it was, or grown. Where one fails, or power does, those
    /// before it have grown and the others not: the store is whole, opens as
    /// ever, and the same call goes on with the rest.
    ///
    /// # Errors
    /// [`Error::Geometry`](indelible::Error::Geometry) where a shard cannot be that large, or none is
    /// smaller, before anything is done; others as for
    /// [`HostStore::grow`](crate::HostStore::grow). [`ShardedStore::sizes`] says
    /// how far it came.
    ///
    /// ```
    /// use indelible_dax::{ShardedSetup, ShardedStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("store");
    /// ShardedSetup::new(2, 4 << 20).grows_to(64 << 20).create(&path)?;
    /// let store: ShardedStore = ShardedStore::open(&path)?;
    /// store.grow(16 << 20)?;
    /// assert_eq!(store.sizes()?, [16 << 20, 16 << 20]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grow(&self, size: u64) -> Result<(), SharedError> {
        // Two that grow it at once: the later one finds it grown.
        let _growing = whatever(self.inner.growing.lock());
        let mut refused = None;
        let mut smaller = Vec::new();
        for shard in &self.inner.shards {
            let layout = shard.inner.with(|store| store.layout())?;
            match layout.grown(size) {
                Ok(_) => smaller.push(shard),
                Err(error) if layout.geometry.capacity >= size => refused = Some(error),
                Err(error) => return Err(StoreError::Geometry(error).into()),
            }
        }
        if let (true, Some(error)) = (smaller.is_empty(), refused) {
            return Err(StoreError::Geometry(error).into());
        }
        for shard in smaller {
            shard.grow(size)?;
        }
        Ok(())
    }

    /// How many bytes each shard has.
    ///
    /// # Errors
    /// [`SharedError::Closed`].
    pub fn sizes(&self) -> Result<Vec<u64>, SharedError> {
        let shards = self.inner.shards.iter();
        shards
            .map(|shard| shard.inner.with(|store| store.layout().geometry.capacity))
            .collect()
    }
}
