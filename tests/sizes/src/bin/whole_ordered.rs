//! The whole core over an ordered index.

#![no_std]
#![no_main]

use indelible::index::Saving;
use indelible::{OrderedIndex, OrderedNode, StaticMemory};
use indelible_sizes::firmware;
use indelible_sizes::whole::{StoreMemory, whole};

firmware!(main);

static mut MEMORY: StoreMemory = StaticMemory::new();

fn main() -> ! {
    // SAFETY: the only reference.
    let memory = unsafe { &mut *core::ptr::addr_of_mut!(MEMORY) };
    let mut nodes: [[OrderedNode; 8]; 2] = Default::default();
    let [one, other] = &mut nodes;
    whole(
        memory,
        Saving(OrderedIndex::new(one)),
        Saving(OrderedIndex::new(other)),
    )
}
