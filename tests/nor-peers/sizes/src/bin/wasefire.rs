//! wasefire-store: keys and transactions over them. It needs a heap.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::borrow::Cow;
use alloc::vec;

use indelible_nor_sizes::{SECTOR, SEGMENTS, erase, firmware, program, read, serve};
use linked_list_allocator::Heap;
use wasefire_error::{Code, Error};
use wasefire_store::{Storage, StorageIndex, Store, StoreUpdate};

firmware!(main, may_panic);

/// The heap: its index of 256 entries and what it holds during a call.
const HEAP: usize = 4096;

static mut MEMORY: [u64; HEAP / 8] = [0; HEAP / 8];

struct Allocator(core::cell::UnsafeCell<Heap>);

// SAFETY: the program has one thread and no interrupts.
unsafe impl Sync for Allocator {}

// SAFETY: what the heap returns is right, and nothing else touches it.
unsafe impl core::alloc::GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: core::alloc::Layout) -> *mut u8 {
        // SAFETY: one thread, and the reference ends here.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout)
            .map_or(core::ptr::null_mut(), |place| place.as_ptr())
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: core::alloc::Layout) {
        if let Some(place) = core::ptr::NonNull::new(place) {
            // SAFETY: the caller's promise; one thread.
            unsafe { (*self.0.get()).deallocate(place, layout) };
        }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(core::cell::UnsafeCell::new(Heap::empty()));

struct Driver;

impl Storage for Driver {
    fn word_size(&self) -> usize {
        4
    }

    fn page_size(&self) -> usize {
        SECTOR
    }

    fn num_pages(&self) -> usize {
        SEGMENTS
    }

    fn max_word_writes(&self) -> usize {
        2
    }

    fn max_page_erases(&self) -> usize {
        10_000
    }

    fn read_slice(&self, index: StorageIndex, length: usize) -> Result<Cow<'_, [u8]>, Error> {
        let mut bytes = vec![0; length];
        read(index.range(length, self)?.start, &mut bytes).map_err(|_| fault())?;
        Ok(bytes.into())
    }

    fn write_slice(&mut self, index: StorageIndex, value: &[u8]) -> Result<(), Error> {
        program(index.range(value.len(), self)?.start, value).map_err(|_| fault())
    }

    fn erase_page(&mut self, page: usize) -> Result<(), Error> {
        erase(page * SECTOR, SECTOR).map_err(|_| fault())
    }
}

fn fault() -> Error {
    Error::world(Code::Generic)
}

fn main() -> ! {
    // SAFETY: once, before anything is allocated; nothing else uses the memory.
    unsafe {
        (*ALLOCATOR.0.get()).init(core::ptr::addr_of_mut!(MEMORY).cast(), HEAP);
    }
    let Ok(mut store) = Store::new(Driver) else {
        loop {}
    };
    serve(|mail| {
        let key = usize::from(mail.key[0]);
        match mail.operation {
            1 => store.insert(key, &mail.bytes).is_ok(),
            2 => store.remove(key).is_ok(),
            3 => {
                let (one, other) = mail.bytes.split_at(32);
                let updates = [(key, one), (key + 1, other)]
                    .map(|(key, value)| StoreUpdate::Insert { key, value });
                store.transaction(&updates).is_ok()
            }
            _ => match store.find(key) {
                Ok(Some(value)) if value.len() <= mail.bytes.len() => {
                    mail.bytes[..value.len()].copy_from_slice(&value);
                    true
                }
                _ => false,
            },
        }
    })
}
