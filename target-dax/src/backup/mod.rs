//! Copies of stores: of one moment, checksummed, verified, there as a whole or
//! not at all.
//!
//! [`SharedStore::backup`](crate::SharedStore::backup) copies a store while
//! threads go on writing to it, [`HostStore::backup`] one that a program has
//! for itself, [`ShardedStore::backup`](crate::ShardedStore::backup) one in
//! shards, and [`restore`] is the way back. A backup is a store like any
//! other: its size is that of the store, and it can be opened in its place. It
//! keeps the store's id.
//!
//! * **One moment.** The backup is the store's image, byte for byte, of the
//!   moment at which it began: everything acknowledged before is in it,
//!   nothing that came later. Writers go on and wait for the copy of 256 KiB
//!   at most, and of what they are about to erase.
//! * **Verified.** The file is read back against the checksum of what was
//!   copied, opened for reading only, and every record in it is checked.
//! * **As a whole.** It is written under a name of its own in the same folder
//!   (`.NAME.….partial`), made durable, verified, and only then named, without
//!   replacing what is there unless that is asked for. A backup that is killed
//!   leaves at most that partial file, which the next one to the same path
//!   removes.

mod folder;
mod ranges;
mod target;
mod tracker;

use std::fmt;
use std::path::Path;

use indelible::{HashIndex, Index};

pub(crate) use folder::Folder;
pub(crate) use target::Target;
pub(crate) use tracker::Moment;
pub use tracker::Tracker;

use crate::file::{Access, FileError, Reads};
use crate::host::{HostIndex, HostMemory, HostStore, OpenError, StoreError};
use crate::shared::SharedError;
use crate::shared::sharded::{ShardedOpenError, ShardedReader, is_sharded};
use crate::{HostMedium, MediumChoice};

/// What a copy may do. By default neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// Replaces a file that exists, at once and as a whole, if no process has
    /// it open.
    pub replace: bool,
    /// Keeps a copy in which something is damaged, as it is in the original.
    pub accept_damage: bool,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Size in bytes.
    pub bytes: u64,
    /// The CRC-32C of all of them, with the usual inversions.
    pub crc32c: u32,
    /// Damaged items in it, which are there in the original too. 0 unless
    /// [`BackupOptions::accept_damage`].
    pub damaged: u64,
}

impl Copied {
    /// This and what lies behind it.
    pub(crate) fn and(self, next: Self) -> Self {
        let len = next.bytes as usize;
        Self {
            bytes: self.bytes + next.bytes,
            crc32c: crc32c::crc32c_combine(self.crc32c, next.crc32c, len),
            damaged: self.damaged + next.damaged,
        }
    }
}

/// Why there is no copy. Nothing is left under the name that it should have
/// had, or what was there before.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackupError {
    /// The store that was to be copied: it is closed, or cannot be flushed.
    Store(SharedError),
    /// A file: the store could not be read, or the copy not written.
    File(FileError),
    /// The original does not open.
    Original(OpenError),
    /// The copy, or its original with it, does not open.
    Unusable(OpenError),
    /// What was copied is damaged, as its original is.
    Damaged {
        /// How many items.
        items: u64,
    },
    /// What was written does not read back.
    Checksum {
        /// The checksum of what was written.
        expected: u32,
        /// The checksum of what was read.
        found: u32,
    },
    /// This shard of a store in several.
    Shard(usize, Box<BackupError>),
    /// The original is a store in shards that does not open.
    Shards(ShardedOpenError),
    /// The system has no random numbers, which a new file's name needs.
    NoRandom(std::io::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Store(error) => error.fmt(f),
            BackupError::File(error) => error.fmt(f),
            BackupError::Original(error) => error.fmt(f),
            BackupError::Unusable(error) => write!(f, "the copy is of no use: {error}"),
            BackupError::Damaged { items } => write!(
                f,
                "the original is damaged, and the copy with it, in {items} items"
            ),
            BackupError::Checksum { expected, found } => write!(
                f,
                "the copy does not read back: checksum {found:08x} in place of {expected:08x}; \
                 its disk may be failing"
            ),
            BackupError::Shard(shard, error) => write!(f, "shard {shard}: {error}"),
            BackupError::Shards(error) => error.fmt(f),
            BackupError::NoRandom(error) => write!(f, "the system has no random numbers: {error}"),
        }
    }
}

impl std::error::Error for BackupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error itself is what is shown; its cause comes next.
        match self {
            BackupError::Store(error) => error.source(),
            BackupError::File(error) => error.source(),
            BackupError::Original(error) => error.source(),
            BackupError::Unusable(error) => Some(error),
            BackupError::Shard(_, error) => error.source(),
            BackupError::Shards(error) => error.source(),
            BackupError::NoRandom(error) => Some(error),
            BackupError::Damaged { .. } | BackupError::Checksum { .. } => None,
        }
    }
}

impl From<FileError> for BackupError {
    fn from(error: FileError) -> Self {
        BackupError::File(error)
    }
}

impl From<SharedError> for BackupError {
    fn from(error: SharedError) -> Self {
        BackupError::Store(error)
    }
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        BackupError::Store(error.into())
    }
}

impl<I: Index, M: HostMedium> HostStore<'_, I, M> {
    /// Copies the store to a new file: see the [module](self). An open
    /// transaction is not in the copy. Reads and writes the store's size.
    ///
    /// # Errors
    /// See [`BackupError`]; [`FileError::Exists`] for a path that exists.
    ///
    /// ```
    /// use indelible_dax::{HostMemory, HostStore, Setup};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, copy) = (folder.path().join("store"), folder.path().join("copy"));
    /// Setup::new(4 << 20).create(&path)?;
    /// let memory = HostMemory::new();
    /// let mut store: HostStore = HostStore::open(&path, &memory)?;
    /// store.put(b"key", b"value")?;
    /// assert_eq!(store.backup(&copy)?.bytes, 4 << 20);
    /// let store: HostStore = HostStore::open_read_only(&copy, &memory)?;
    /// assert_eq!(store.get(b"key")?.as_deref(), Some(&b"value"[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(&mut self, path: impl AsRef<Path>) -> Result<Copied, BackupError> {
        self.backup_as(path, BackupOptions::default())
    }

    /// [`HostStore::backup`] with everything chosen.
    ///
    /// # Errors
    /// As there; [`FileError::Locked`] where the file that is to be replaced is
    /// open.
    pub fn backup_as(
        &mut self,
        path: impl AsRef<Path>,
        options: BackupOptions,
    ) -> Result<Copied, BackupError> {
        let geometry = self.medium().geometry();
        let (target, file) = Target::create(path.as_ref(), geometry.capacity, options)?;
        if self.medium().access() == Access::ReadWrite {
            // A copy holds nothing that the store might still lose.
            self.medium_mut().flush()?;
        }
        let moment = Moment::new(geometry, file);
        let mut bytes = Vec::new();
        while let Some(at) = moment.read_next(&mut bytes, |at, buf| self.medium().read(at, buf))? {
            moment.write(at, &bytes)?;
        }
        target.finish(moment, geometry.capacity)
    }
}

/// Makes a store of a backup: verifies it, copies it, verifies the copy, and
/// only then gives it its name. The backup is opened for reading only.
///
/// With [`BackupOptions::replace`] a store at that path is replaced, whatever
/// state it is in, if no process has it open. A DAX device cannot be.
///
/// A backup in shards is a folder, and becomes one; no folder is replaced.
///
/// # Errors
/// See [`BackupError`]; what is at `store` is as it was then.
///
/// ```
/// use indelible_dax::{HostMemory, HostStore, Setup, backup};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let (copy, path) = (folder.path().join("copy"), folder.path().join("store"));
/// # Setup::new(4 << 20).create(&copy)?;
/// backup::restore(&copy, &path, backup::BackupOptions::default())?;
/// let memory = HostMemory::new();
/// let store: HostStore = HostStore::open(&path, &memory)?;
/// # Ok(())
/// # }
/// ```
pub fn restore(
    backup: impl AsRef<Path>,
    store: impl AsRef<Path>,
    options: BackupOptions,
) -> Result<Copied, BackupError> {
    if is_sharded(backup.as_ref()) {
        return restore_shards(backup.as_ref(), store.as_ref(), options);
    }
    let memory = HostMemory::new();
    let mut original = examine(backup.as_ref(), &memory)?;
    verify(&mut original, options)?;
    original.backup_as(store, options)
}

fn restore_shards(
    backup: &Path,
    store: &Path,
    options: BackupOptions,
) -> Result<Copied, BackupError> {
    let memory = HostMemory::new();
    let (reads, choice) = (Reads::Positioned, MediumChoice::Auto);
    let opened = ShardedReader::<HashIndex<'_>>::open_on(backup, &memory, reads, choice);
    let mut original = opened.map_err(BackupError::Shards)?;
    for (number, shard) in original.shards_mut().iter_mut().enumerate() {
        verify(shard, options).map_err(|error| BackupError::Shard(number, Box::new(error)))?;
    }
    original.backup_as(store, options)
}

/// Looks at everything in a backup.
fn verify<I: Index, M: HostMedium>(
    original: &mut HostStore<'_, I, M>,
    options: BackupOptions,
) -> Result<(), BackupError> {
    let items = original.check(&mut |_| {})?.damaged;
    match items > 0 && !options.accept_damage {
        true => Err(BackupError::Damaged { items }),
        false => Ok(()),
    }
}

/// Opens a store for reading only so that every record is looked at and what
/// the disk cannot read is an error.
fn examine<'a>(
    path: &Path,
    memory: &'a HostMemory,
) -> Result<HostStore<'a, impl HostIndex<'a> + use<'a>>, BackupError> {
    let (access, reads) = (Access::ReadOnly, Reads::Positioned);
    HostStore::<'a, HashIndex<'a>>::open_on(path, memory, access, reads, MediumChoice::Auto)
        .map_err(BackupError::Original)
}
