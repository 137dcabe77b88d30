//! Indelible on NOR flash beside its peers: what each programs, erases and
//! reads for the same work, and what each has left after a power cut.
//!
//! * [`nor`]: the simulated flash that all of them run on, which counts;
//! * [`shim`]: the same flash behind the `embedded-storage` traits;
//! * [`engine`]: what is asked of a store here;
//! * [`engines`]: each store behind that, in a file of its own;
//! * [`bench`]: the workloads and their tables;
//! * [`cuts`]: power cuts, and what is found behind them.

pub mod bench;
pub mod cuts;
pub mod engine;
pub mod engines;
pub mod nor;
pub mod shim;
