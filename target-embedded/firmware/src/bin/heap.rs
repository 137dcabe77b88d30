//! A store whose memory comes from a heap: as large as its layout asks for,
//! and an index that grows while the store works.

#![no_std]
#![no_main]

extern crate alloc;

use embedded_alloc::LlffHeap;
use indelible::{Config, Error, Layout, Mode, setup};
use indelible_embedded::{HeapMemory, HeapStore, Limits, Nor};
use indelible_firmware::flash::{self, Driver};
use indelible_firmware::{Failure, StoreError, entry, finish, println};

/// A free list, as `linked_list_allocator` keeps it.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Bytes of the heap.
const SIZE: usize = 24 * 1024;
/// Keys to put; the index begins with room for 64.
const KEYS: u32 = 1000;

#[entry]
fn main() -> ! {
    // SAFETY: called once, before anything is allocated; the macro gives the
    // heap memory of its own.
    unsafe {
        embedded_alloc::init!(HEAP, SIZE);
    }
    finish(run())
}

fn run() -> Result<(), Failure> {
    let mut medium = Nor::new(flash::take()?)?;
    let config = Config {
        id: 1,
        nonce: 0x5EED,
        segment_size: None,
        logs: &[4096],
    };
    setup(&mut medium, &config)?;
    let layout = Layout::read(&medium)?;
    let mut limits = Limits {
        entries: 64,
        changes: 8,
        key_max: 32,
    };
    let mut put = 0;
    while put < KEYS {
        let mut memory = HeapMemory::new(&layout, &limits)?;
        let (mut store, _) = memory.open(&mut medium, Some(1), Mode::ReadWrite)?;
        put = fill(&mut store, put)?;
        verify(&store, put)?;
        store.close()?;
        println!(
            "{put} keys in an index for {}: memory {}, heap used {}, free {}",
            limits.entries,
            memory.bytes(),
            HEAP.used(),
            HEAP.free()
        );
        limits.entries *= 2;
    }
    println!("heap used {} at the end", HEAP.used());
    if HEAP.used() != 0 {
        return Err(Failure::Wrong("memory was lost"));
    }
    Ok(())
}

type Heaped<'m> = HeapStore<'m, &'m mut Nor<Driver>>;

/// Puts keys until all are there or the index is full; returns how many are.
fn fill(store: &mut Heaped<'_>, from: u32) -> Result<u32, StoreError> {
    for number in from..KEYS {
        match store.put(&number.to_be_bytes(), &value(number)) {
            Ok(()) => {}
            Err(Error::IndexFull { .. }) => return Ok(number),
            Err(error) => return Err(error),
        }
    }
    Ok(KEYS)
}

fn value(number: u32) -> [u8; 24] {
    [number as u8 ^ 0x5A; 24]
}

fn verify(store: &Heaped<'_>, count: u32) -> Result<(), Failure> {
    if store.len() != u64::from(count) {
        return Err(Failure::Wrong("the number of keys"));
    }
    let mut found = [0; 24];
    for number in 0..count {
        if store.get(&number.to_be_bytes(), &mut found)? != Some(24) || found != value(number) {
            return Err(Failure::Wrong("a value"));
        }
    }
    Ok(())
}
