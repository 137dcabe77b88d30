//! The whole core over a hash index.

#![no_std]
#![no_main]

use indelible::index::Saving;
use indelible::{HashIndex, StaticMemory};
use indelible_sizes::firmware;
use indelible_sizes::whole::{StoreMemory, whole};

firmware!(main);

static mut MEMORY: StoreMemory = StaticMemory::new();
static mut SLOTS: [[u64; 100]; 2] = [[0; 100]; 2];

fn main() -> ! {
    // SAFETY: the only reference.
    let memory = unsafe { &mut *core::ptr::addr_of_mut!(MEMORY) };
    // SAFETY: the only reference.
    let [one, other] = unsafe { &mut *core::ptr::addr_of_mut!(SLOTS) };
    whole(
        memory,
        Saving(HashIndex::new(one)),
        Saving(HashIndex::new(other)),
    )
}
