//! The workloads, and their tables.

mod figures;
mod table;
mod workload;

pub use figures::{Cost, Mount};
pub use table::print;
pub use workload::{Outcome, Runner, Workload};

use crate::nor::Shape;

/// The flash that everything is measured on, with words of `word` bytes.
#[must_use]
pub fn shape(word: usize) -> Shape {
    Shape {
        sectors: 64,
        sector: 4096,
        word,
    }
}
