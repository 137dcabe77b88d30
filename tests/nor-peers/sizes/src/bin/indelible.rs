//! Indelible: keys, a log, and transactions over both.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, Kv, Mode, StaticMemory, setup};
use indelible_nor_sizes::{Flash, KEYS, SEGMENT_SIZE, SEGMENTS, firmware, serve};

firmware!(main, may_panic);

/// Bytes that the log is sure to hold: half of the flash.
const LOG: u64 = 128 << 10;

static mut MEMORY: StaticMemory<SEGMENTS, 1, 34, 8, 16> = StaticMemory::new();
static mut SLOTS: [u64; HashIndex::slots_for(KEYS)] = [0; HashIndex::slots_for(KEYS)];

fn main() -> ! {
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[LOG],
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
            6 => store.commit(),
            7 => store.append(0, &mail.bytes).map(|at| mail.position = at),
            8 => store
                .tentatively_append(0, &mail.bytes)
                .map(|at| mail.position = at),
            9 => store.read(0, mail.position, &mut mail.bytes),
            10 => store
                .get_head_tail_and_capacity(0)
                .map(|span| mail.position = span.tail),
            _ => store.advance_head(0, mail.position),
        }
        .is_ok()
    })
}
