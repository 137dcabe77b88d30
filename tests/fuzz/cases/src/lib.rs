//! What the fuzzers do with their input. A finding panics.

pub mod campaign;
pub mod image;
pub mod medium;
pub mod operations;
pub mod samples;
pub mod seeds;
