//! A backup of a store that threads go on writing to.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use indelible::{HashIndex, Saving};

use super::{Inner, SharedError, SharedStore};
use crate::backup::{BackupError, BackupOptions, Copied, Moment, Target};
use crate::file::{Access, reserve_room};
use crate::host::HostIndex;
use crate::{AnyMedium, HostMedium};

/// A backup that is being made, step by step: see
/// [`SharedStore::begin_backup`]. Dropping it ends it without a copy.
pub struct SharedBackup<
    I: HostIndex<'static> = Saving<HashIndex<'static>>,
    M: HostMedium = AnyMedium,
> {
    inner: Arc<Inner<I, M>>,
    moment: Arc<Moment>,
    target: Option<Target>,
    size: u64,
    bytes: Vec<u8>,
}

impl<I: HostIndex<'static>, M: HostMedium> SharedStore<I, M> {
    /// Copies the store to a new file while other threads go on: see
    /// [`backup`](crate::backup). Reads and writes the store's size.
    ///
    /// # Errors
    /// See [`BackupError`]; [`FileError::Exists`](crate::FileError::Exists)
    /// for a path that exists.
    ///
    /// ```
    /// use indelible_dax::{Setup, SharedStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, copy) = (folder.path().join("store"), folder.path().join("copy"));
    /// Setup::new(4 << 20).create(&path)?;
    /// let store: SharedStore = SharedStore::open(&path)?;
    /// store.put(b"key", b"value")?;
    /// store.backup(&copy)?;
    /// let copy: SharedStore = SharedStore::open(&copy)?;
    /// assert_eq!(copy.get(b"key")?.as_deref(), Some(&b"value"[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<Copied, BackupError> {
        self.backup_as(path, BackupOptions::default())
    }

    /// [`SharedStore::backup`] with everything chosen.
    ///
    /// # Errors
    /// As there; [`FileError::Locked`](crate::FileError::Locked) where the file
    /// that is to be replaced is open.
    pub fn backup_as(
        &self,
        path: impl AsRef<Path>,
        options: BackupOptions,
    ) -> Result<Copied, BackupError> {
        let mut backup = self.begin_backup(path, options)?;
        while backup.step()? {}
        backup.finish()
    }

    /// Begins a backup. The moment that it shows is one between the call and
    /// its return, at which nothing is half done; writers and readers wait for
    /// a flush.
    ///
    /// # Errors
    /// As for [`SharedStore::backup`].
    pub fn begin_backup(
        &self,
        path: impl AsRef<Path>,
        options: BackupOptions,
    ) -> Result<SharedBackup<I, M>, BackupError> {
        let prepared = self.prepare_backup(path.as_ref(), options)?;
        // Who leads finds no transaction begun.
        let _lead = self.inner.queue.lead();
        self.begin_prepared(prepared)
    }

    /// Takes the space for a copy.
    pub(super) fn prepare_backup(
        &self,
        path: &Path,
        options: BackupOptions,
    ) -> Result<(Target, File), BackupError> {
        let geometry = self.inner.with(|store| store.medium().geometry())?;
        Target::create(path, geometry.capacity, options)
    }

    /// Begins the copy, for who leads: the moment is now.
    pub(super) fn begin_prepared(
        &self,
        (target, file): (Target, File),
    ) -> Result<SharedBackup<I, M>, BackupError> {
        let mut guard = self.inner.lock();
        let owned = guard.as_mut().ok_or(SharedError::Closed)?;
        let medium = owned.get_mut().medium_mut();
        if medium.access() == Access::ReadWrite {
            self.inner.may_write()?;
            // A copy holds nothing that the store might still lose.
            medium.flush()?;
        }
        let geometry = medium.geometry();
        // The store may have grown since the space was taken.
        reserve_room(&file, geometry.capacity)?;
        let moment = Moment::new(geometry, file);
        medium.tracker().add(&moment);
        drop(guard);
        Ok(SharedBackup {
            inner: Arc::clone(&self.inner),
            moment,
            target: Some(target),
            size: geometry.capacity,
            bytes: Vec::new(),
        })
    }
}

impl<I: HostIndex<'static>, M: HostMedium> SharedBackup<I, M> {
    /// Copies up to 256 KiB, while writers wait for the reading of it; returns
    /// whether there is more to copy.
    ///
    /// # Errors
    /// See [`BackupError`]; the backup has failed then.
    pub fn step(&mut self) -> Result<bool, BackupError> {
        let Self {
            inner,
            moment,
            bytes,
            ..
        } = self;
        let next = inner
            .with(|store| moment.read_next(bytes, |at, buf| store.medium().read(at, buf)))??;
        let Some(at) = next else {
            return Ok(false);
        };
        moment.write(at, bytes)?;
        Ok(true)
    }

    /// Copies what is left, makes the copy durable, verifies it and gives it
    /// its name.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn finish(mut self) -> Result<Copied, BackupError> {
        while self.step()? {}
        self.leave();
        let Some(target) = self.target.take() else {
            return Err(SharedError::Closed.into());
        };
        target.finish(Arc::clone(&self.moment), self.size)
    }

    /// The medium need not tell it anything more.
    fn leave(&self) {
        if let Some(owned) = self.inner.lock().as_mut() {
            owned.get_mut().medium_mut().tracker().remove(&self.moment);
        }
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Drop for SharedBackup<I, M> {
    fn drop(&mut self) {
        if self.target.is_some() {
            self.leave();
        }
    }
}

impl<I: HostIndex<'static>, M: HostMedium> std::fmt::Debug for SharedBackup<I, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedBackup").finish_non_exhaustive()
    }
}
