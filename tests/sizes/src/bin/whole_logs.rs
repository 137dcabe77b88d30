//! The whole core without keys.

#![no_std]
#![no_main]

use indelible::{NoIndex, StaticMemory};
use indelible_sizes::firmware;
use indelible_sizes::whole::{StoreMemory, whole};

firmware!(main);

static mut MEMORY: StoreMemory = StaticMemory::new();

fn main() -> ! {
    // SAFETY: the only reference.
    let memory = unsafe { &mut *core::ptr::addr_of_mut!(MEMORY) };

    whole(memory, NoIndex, NoIndex)
}
