//! Cuts the power at every step of a workload, recovers a copy of the flash
//! each time and compares it with what was acknowledged. The judge is the one
//! that the host's tests use.

#![no_std]
#![no_main]

use indelible_firmware::{Failure, entry, finish, println};
use indelible_powercut::{Arena, Plan, run};
use static_cell::ConstStaticCell;

/// The seed of all random numbers, and operations.
const SEED: u64 = 1;
const OPERATIONS: u32 = 60;

/// Flash of 32 sectors of 1 KiB, programmed by 4 bytes; a copy of it; memory
/// for two stores.
static ARENA: ConstStaticCell<Arena<{ 32 * 1024 }, 1024>> = ConstStaticCell::new(Arena::new());

#[entry]
fn main() -> ! {
    let plan = Plan {
        seed: SEED,
        operations: OPERATIONS,
        tears: 1,
        goes_on: 8,
        cuts: 10,
    };
    let outcome = run::<4, 1024, { 32 * 1024 }, 1024>(&plan, ARENA.take());
    println!("seed {SEED}: {outcome}");
    finish(match outcome.violation {
        None => Ok(()),
        Some(_) => Err(Failure::Wrong("what a power cut left")),
    })
}
