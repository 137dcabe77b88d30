//! Crash-proof logs and key-value storage over any byte-addressable medium.
//!
//! Every commit is all-or-nothing across power cuts, and corruption is
//! detected and never mistaken for a power cut. No `std`, no `alloc`, no
//! `unsafe`; every buffer is lent by the caller.
//!
//! From the bottom to the top:
//!
//! * [`medium`]: the persistence trait with its crash and corruption
//!   contracts, and [`ram`], a medium in lent memory;
//! * [`setup`] makes a store, [`Layout`] says how large its memory has to be;
//! * [`Store`] is keys with values and lists, and logs, with transactions over
//!   all of them; [`MultiLog`] is a store of logs alone;
//! * [`index`]: [`HashIndex`] for lookups in eight bytes a slot,
//!   [`OrderedIndex`] for fast scans in key order.
//!
//! ```
//! use indelible::ram::Ram;
//! use indelible::{Config, HashIndex, Mode, StaticMemory, Store, setup};
//!
//! # fn main() -> Result<(), indelible::Error<indelible::ram::OutOfRange>> {
//! let mut bytes = [0; 32 * 1024];
//! let mut medium = Ram::new(&mut bytes);
//! let config = Config { id: 1, nonce: 0x5EED, segment_size: None, logs: &[1000] };
//! setup(&mut medium, &config)?;
//!
//! // Segments, logs, log ring, changes in a transaction, longest key.
//! let mut memory = StaticMemory::<64, 1, 8, 16, 64>::new();
//! let mut slots = [0; 64];
//! let index = HashIndex::new(&mut slots);
//! let (mut store, report) = Store::start(medium, index, memory.lend(), Some(1), Mode::ReadWrite)?;
//! assert!(report.clean);
//!
//! // Durable and atomic on return.
//! store.put(b"name", b"Indelible")?;
//!
//! // Keys and logs together, all or nothing.
//! let mut transaction = store.transaction();
//! transaction.put(b"boots", b"1")?;
//! transaction.append(0, b"booted\n")?;
//! transaction.commit()?;
//!
//! let mut value = [0; 16];
//! let len = store.get(b"name", &mut value)?;
//! assert_eq!(len.and_then(|len| value.get(..len)), Some(&b"Indelible"[..]));
//!
//! let mut line = [0; 7];
//! store.read(0, 0, &mut line)?;
//! assert_eq!(&line, b"booted\n");
//! store.close()?;
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod admin;
pub mod checksum;
mod device;
pub mod error;
mod fault;
mod format;
pub mod index;
mod kv;
pub mod layout;
mod ledger;
mod lifetime;
mod math;
pub mod medium;
mod multilog;
pub mod mutants;
pub mod ram;
pub mod report;
mod segments;
mod store;
mod transaction;

pub use admin::{CheckCursor, Checked, Finding, FrameInfo, Room, SegmentInfo};
pub use error::{Error, GeometryError, Item, Operation};
pub use format::VERSION;
pub use index::{HashIndex, Index, NoIndex, OrderedIndex, OrderedNode, Saving};
#[cfg(feature = "prepare")]
pub use kv::Committed;
pub use kv::reclaim::Maintained;
pub use kv::{Entry, Scan, ScanSlot};
#[cfg(feature = "resume")]
pub use kv::{IndexSave, SaveAge};
pub use layout::{Config, Layout};
pub use ledger::setup::setup;
pub use medium::{Geometry, Medium, Order};
pub use multilog::{LogSpan, LogState};
pub use report::{Damage, Hit, Report, Stats, Torn};
pub use segments::{Owner, Segment};
pub use store::{Kv, Memory, Mode, MultiLog, StaticMemory, Store, Undo};
pub use transaction::Transaction;
