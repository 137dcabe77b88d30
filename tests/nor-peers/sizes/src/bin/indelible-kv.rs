//! Indelible: keys and transactions over them.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, Kv, Mode, StaticMemory, setup};
use indelible_nor_sizes::{Flash, KEYS, SEGMENT_SIZE, SEGMENTS, firmware, serve};

firmware!(main, may_panic);

static mut MEMORY: StaticMemory<SEGMENTS, 0, 0, 8, 16> = StaticMemory::new();
static mut SLOTS: [u64; HashIndex::slots_for(KEYS)] = [0; HashIndex::slots_for(KEYS)];

fn main() -> ! {
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[],
    };
    // SAFETY: the only references.
    let (memory, slots) = unsafe {
        (
            &mut *core::ptr::addr_of_mut!(MEMORY),
            &mut *core::ptr::addr_of_mut!(SLOTS),
        )
    };
    let mut flash = Flash;
    let _ = setup(&mut flash, &config);
    let index = HashIndex::new(slots);
    let Ok((mut store, _)) = Kv::start(flash, index, memory.lend(), None, Mode::ReadWrite) else {
        loop {}
    };
    serve(|mail| {
        match mail.operation {
            1 => store.put(&mail.key, &mail.bytes),
            2 => store.delete(&mail.key),
            3 => store
                .get(&mail.key, &mut mail.bytes)
                .map(|len| mail.position = len.unwrap_or(0) as u64),
            4 => store.tentatively_put(&mail.key, &mail.bytes),
            5 => store.tentatively_delete(&mail.key),
            _ => store.commit(),
        }
        .is_ok()
    })
}
