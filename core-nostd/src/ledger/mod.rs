//! The ledger: one totally ordered stream of commits.
//!
//! Everything that changes the store is a frame in it: records with their
//! keys and values, what was appended to which log, which segment was opened
//! or freed. A transaction is a group of neighbouring frames, from one marked
//! `first` to one marked `last`; its place in the stream is its order.

mod follow;
mod gap;
pub(crate) mod group;
mod grow;
mod proof;
pub(crate) mod recover;
mod restart;
pub(crate) mod root;
pub(crate) mod roots;
pub(crate) mod setup;
pub(crate) mod succession;
pub(crate) mod walk;
