//! What the examples need besides the store: an entry, flash, a console and an
//! exit code. On a board the flash is the driver of your chip, the console a
//! serial port or RTT, and the rest is as it is.
//!
//! * [`flash`]: simulated NOR flash that outlives the program in a file of the
//!   host;
//! * [`Failure`]: what can go wrong;
//! * [`stack`]: how deep the stack gets.

#![no_std]

mod failure;
pub mod flash;
pub mod stack;

pub use failure::{Failure, StoreError};

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;
pub use semihosting::{print, println};

// They bring the critical section that `StaticCell` needs where a processor
// cannot exchange words atomically.
#[cfg(target_arch = "arm")]
use cortex_m as _;
#[cfg(target_arch = "riscv32")]
use riscv as _;

/// Ends the program: exit code 0, or 1 and what went wrong.
pub fn finish(result: Result<(), Failure>) -> ! {
    match result {
        Ok(()) => semihosting::process::exit(0),
        Err(error) => {
            println!("failed: {error}");
            semihosting::process::exit(1)
        }
    }
}
