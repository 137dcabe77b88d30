//! Indelible stores on microcontrollers.
//!
//! The core (`indelible`) asks of a medium that it reads, programs, erases and
//! says its geometry. This crate is that, thinly, over the drivers that are
//! there:
//!
//! * [`Nor`] over `embedded_storage::nor_flash::NorFlash`: all of a device, or
//!   a partition of it; [`Shared`] where several stores, or a store and other
//!   code, have one device;
//! * [`Nvm`] over `embedded_storage::Storage`, for memories that are written
//!   byte by byte: FRAM, MRAM, EEPROM;
//! * [`Buffered`] around either, where reads cross a bus;
//! * flash whose reads fail where a unit is torn or has decayed: [`Nor::ecc`].
//!
//! ```
//! use indelible::{Config, HashIndex, Mode, StaticMemory, Store, setup};
//! use indelible_embedded::Nor;
//! # use indelible_embedded::RamFlash;
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let mut bytes = [0xFF; 64 * 1024];
//! # let flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
//! // `flash` is the driver of a chip, `0..64 KiB` the store's part of it.
//! let mut medium = Nor::partition(flash, 0..64 * 1024)?;
//! let config = Config { id: 1, nonce: 0x5EED, segment_size: None, logs: &[4096] };
//! setup(&mut medium, &config)?;
//!
//! let mut memory = StaticMemory::<64, 1, 8, 16, 64>::new();
//! let mut slots = [0; 64];
//! let index = HashIndex::new(&mut slots);
//! let (mut store, _report) = Store::start(medium, index, memory.lend(), Some(1), Mode::ReadWrite)?;
//! store.put(b"volume", b"7")?;
//! store.append(0, b"volume set\n")?;
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "heap")]
extern crate alloc;

mod area;
#[cfg(feature = "async")]
mod async_store;
mod boot;
mod buffered;
pub mod ecc;
mod error;
#[cfg(feature = "heap")]
mod heap;
mod nor;
mod nvm;
#[cfg(feature = "async")]
mod polled;
#[cfg(feature = "async")]
mod queue;
mod ram;
mod shared;
#[cfg(feature = "postcard")]
mod typed;
mod watch;

pub use area::Misfit;
#[cfg(feature = "async")]
pub use async_store::{AsyncError, AsyncStore, AtOnce};
pub use boot::{BootError, Booted, Found, factory_reset, open_or_setup};
pub use buffered::Buffered;
pub use error::Error;
#[cfg(feature = "heap")]
pub use heap::{HeapMemory, HeapStore, Limits, OutOfMemory};
pub use indelible;
pub use nor::{Access, Nor};
pub use nvm::Nvm;
#[cfg(feature = "async")]
pub use queue::{QueueStats, Queued};
pub use ram::{RamFlash, RamStorage};
pub use shared::{Part, Partition, Shared};
#[cfg(feature = "postcard")]
pub use typed::{TypedError, TypedGet, TypedPut};
pub use watch::Watched;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
