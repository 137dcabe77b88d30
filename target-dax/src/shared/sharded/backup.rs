//! A backup of a store in shards that threads go on writing to.

use std::path::Path;

use super::{ShardedStore, shard_path};
use crate::HostMedium;
use crate::backup::{BackupError, BackupOptions, Copied, Folder};
use crate::host::HostIndex;

impl<I: HostIndex<'static>, M: HostMedium> ShardedStore<I, M> {
    /// Copies the store to a new folder while other threads go on: all shards
    /// at one moment, at which no transaction is half done, as
    /// [`backup`](crate::backup) says of one. The folder is a store like any
    /// other. Reads and writes the size of all shards; the checksum is that of
    /// the files one behind the other.
    ///
    /// # Errors
    /// [`BackupError::Shard`] with that of the shard, or of the folder:
    /// [`FileError::Exists`](crate::FileError::Exists) for a path that exists,
    /// [`FileError::Locked`](crate::FileError::Locked) while another backup to
    /// it is being made.
    ///
    /// ```
    /// use indelible_dax::{ShardedSetup, ShardedStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, copy) = (folder.path().join("store"), folder.path().join("copy"));
    /// ShardedSetup::new(2, 4 << 20).create(&path)?;
    /// let store: ShardedStore = ShardedStore::open(&path)?;
    /// store.put(b"key", b"value")?;
    /// assert_eq!(store.backup(&copy)?.bytes, 8 << 20);
    /// let copy: ShardedStore = ShardedStore::open(&copy)?;
    /// assert_eq!(copy.get(b"key")?.as_deref(), Some(&b"value"[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(&self, folder: impl AsRef<Path>) -> Result<Copied, BackupError> {
        self.backup_as(folder, BackupOptions::default())
    }

    /// [`ShardedStore::backup`], of a damaged store too if the options say so.
    /// A folder that exists is replaced in no case.
    ///
    /// # Errors
    /// As there.
    pub fn backup_as(
        &self,
        folder: impl AsRef<Path>,
        options: BackupOptions,
    ) -> Result<Copied, BackupError> {
        let folder = Folder::create(folder.as_ref())?;
        let in_shard = |shard| move |error| BackupError::Shard(shard, Box::new(error));
        let shards = || self.inner.shards.iter().enumerate();
        let mut prepared = Vec::new();
        for (number, shard) in shards() {
            let path = shard_path(folder.partial(), number);
            let target = shard.prepare_backup(&path, options);
            prepared.push(target.map_err(in_shard(number))?);
        }
        let mut backups = Vec::new();
        {
            // In order, as everyone does who takes the lead of several.
            let _leads: Vec<_> = shards().map(|(_, it)| it.inner.queue.lead()).collect();
            for ((number, shard), prepared) in shards().zip(prepared) {
                let begun = shard.begin_prepared(prepared);
                backups.push(begun.map_err(in_shard(number))?);
            }
        }
        let mut all = Copied::default();
        for (number, backup) in backups.into_iter().enumerate() {
            all = all.and(backup.finish().map_err(in_shard(number))?);
        }
        folder.publish()?;
        Ok(all)
    }
}
