//! How Indelible is judged.
//!
//! Read from the bottom up: [`sim`] is media that fail in every way their
//! contract allows, [`script`] is what a test does to a store, [`spec`] is what
//! the store must then hold, [`subject`] is the seam to the store under test,
//! [`store`] the real store behind it, and [`explorer`] cuts the power
//! everywhere and compares.
//!
//! See `README.md` beside this crate for the whole picture.

#![forbid(unsafe_code)]

pub mod corruption;
pub mod explorer;
pub mod geometries;
pub mod map;
pub mod random;
#[cfg(feature = "indexes")]
pub mod schedules_support;
pub mod script;
pub mod seed;
mod show;
pub mod shrink;
pub mod sim;
pub mod spec;
pub mod store;
pub mod subject;
pub mod workloads;
