//! Indelible stores in plain files and in persistent memory, for programs that have `std`.
//!
//! The crate walks from the disk upwards:
//!
//! * [`file`](mod@file) is the plain-file medium: positioned writes, `fdatasync`, reads
//!   through a mapping, one lock a store. It also opens files that hold the
//!   image of another geometry, such as a flash dump, and ships the recorder
//!   that shows what a power cut could have left of a run.
//! * `pmem` is persistent memory on Linux and Windows: DAX files and devices,
//!   mapped; a commit is written-back cache lines and a fence. On Windows it
//!   also maps files that are on a disk. [`AnyMedium`] is either of
//!   the two, by what a path leads to.
//! * [`host`] lends memory to the core, which has no allocator, and grows it:
//!   [`HostStore`] is the store that most programs want.
//! * [`shared`] gives one store to many threads.
//! * [`backup`] copies a store, also while threads write to it, and restores it.
//!
//! ```
//! use indelible_dax::{HostMemory, HostStore, Setup};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("notes.idl");
//! Setup::new(4 << 20).create(&path)?;
//!
//! let memory = HostMemory::new();
//! let mut store: HostStore = HostStore::open(&path, &memory)?;
//! store.put(b"greeting", b"hello")?; // durable when it returns
//! assert_eq!(store.get(b"greeting")?.as_deref(), Some(&b"hello"[..]));
//! store.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! The `indelible` command is built with the default feature `command`.

mod any;
pub mod backup;
pub mod file;
pub mod host;
#[cfg(any(target_os = "linux", windows))]
pub mod pmem;
pub mod shared;
mod sum;

pub use any::{AnyMedium, HostMedium, MediumChoice, MediumKind};
pub use backup::{BackupError, BackupOptions};
pub use file::{Access, FileError, FileMedium, Reads};
pub use host::{HostMemory, HostStore, OpenError, OrderedHostStore, Setup};
pub use indelible;
pub use shared::sharded::{ShardedOpenError, ShardedReader, ShardedSetup, ShardedStore};
pub use shared::{
    Batch, OrderedSharedStore, SharedBackup, SharedError, SharedScan, SharedStore,
    SharedTransaction,
};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
