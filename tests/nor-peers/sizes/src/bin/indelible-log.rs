//! Indelible: a log.

#![no_std]
#![no_main]

use indelible::{Config, Mode, MultiLog, NoIndex, StaticMemory, setup};
use indelible_nor_sizes::{Flash, SEGMENT_SIZE, SEGMENTS, firmware, serve};

firmware!(main, may_panic);

/// Bytes that the log is sure to hold.
const LOG: u64 = 200 << 10;

static mut MEMORY: StaticMemory<SEGMENTS, 1, 52, 1, 1> = StaticMemory::new();

fn main() -> ! {
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[LOG],
    };
    // SAFETY: the only reference.
    let memory = unsafe { &mut *core::ptr::addr_of_mut!(MEMORY) };
    let mut flash = Flash;
    let _ = setup(&mut flash, &config);
    let Ok((mut store, _)) = MultiLog::start(flash, NoIndex, memory.lend(), None, Mode::ReadWrite)
    else {
        loop {}
    };
    serve(|mail| {
        match mail.operation {
            1 => store.append(0, &mail.bytes).map(|at| mail.position = at),
            2 => store.read(0, mail.position, &mut mail.bytes),
            3 => store
                .get_head_tail_and_capacity(0)
                .map(|span| mail.position = span.tail),
            _ => store.advance_head(0, mail.position),
        }
        .is_ok()
    })
}
