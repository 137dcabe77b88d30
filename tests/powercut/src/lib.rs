//! A power cut at every step of a workload, judged the same way on a host and
//! on a microcontroller: no `std`, no allocation.
//!
//! * [`flash`]: NOR flash in memory; a [`Witness`] sees each unit before it is
//!   programmed and each sector before it is erased, and can cut the power.
//! * [`model`]: what the store must hold, in a few hundred bytes.
//! * [`workload`]: operations, drawn from a seed.
//! * [`judge`]: a witness that copies the flash at every step, cuts the power
//!   there, recovers the copy and compares; the original goes on. So the work
//!   grows with the number of steps, not with its square.
//! * [`run()`]: the whole, in lent memory.

#![no_std]
#![forbid(unsafe_code)]

pub mod flash;
pub mod judge;
pub mod model;
mod random;
pub mod run;
pub mod workload;

pub use flash::{Fate, Fault, Flash, Image, Step, Witness};
pub use judge::{Counts, Cut, Violation, What};
pub use run::{Arena, Outcome, Plan, run};
