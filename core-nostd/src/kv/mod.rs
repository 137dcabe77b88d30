//! Keys and values: records in the ledger, found through the index.

pub(crate) mod chunks;
#[cfg(feature = "prepare")]
mod committed;
pub(crate) mod kept;
mod list;
pub(crate) mod name;
mod read;
pub(crate) mod rebuild;
pub mod reclaim;
#[cfg(feature = "resume")]
mod replay;
pub(crate) mod saved;
#[cfg(feature = "resume")]
mod saving;
mod scan;
mod write;

#[cfg(feature = "prepare")]
pub use committed::Committed;
pub(crate) use name::Name;
#[cfg(feature = "resume")]
pub use saving::{IndexSave, SaveAge};
pub use scan::{Entry, Scan, ScanSlot};
