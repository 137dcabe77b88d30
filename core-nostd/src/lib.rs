//! Crash-proof logs and key-value storage over any byte-addressable medium.
#![no_std]
#![forbid(unsafe_code)]

mod admin;
pub mod checksum;
mod device;
pub mod error;
mod format;
pub mod index;
mod kv;
pub mod layout;
mod ledger;
mod math;
pub mod medium;
mod multilog;
pub mod mutants;
pub mod ram;
pub mod report;
mod segments;
mod store;
mod transaction;

pub use admin::{Checked, Finding, FrameInfo, SegmentInfo};
pub use error::{Error, GeometryError, Item, Operation};
pub use format::VERSION;
pub use index::{HashIndex, Index, NoIndex, OrderedIndex, OrderedNode};
pub use kv::reclaim::Maintained;
pub use kv::{Entry, Scan};
pub use layout::{Config, Layout};
pub use ledger::setup::setup;
pub use medium::{Geometry, Medium, Order};
pub use multilog::{LogSpan, LogState};
pub use report::{Damage, Hit, Report, Stats, Torn};
pub use segments::{Owner, Segment};
pub use store::{Kv, Memory, Mode, MultiLog, StaticMemory, Store, Undo};
pub use transaction::Transaction;
