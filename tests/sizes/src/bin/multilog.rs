//! Two logs, and every operation on them.

#![no_std]
#![no_main]

use indelible::{Config, Mode, MultiLog, StaticMemory, setup};
use indelible_sizes::{
    Flash, KEY, LOG_CAPACITY, LOGS, RING, SEGMENT_SIZE, SEGMENTS, UNDO, firmware, serve,
};

firmware!(main);

static mut MEMORY: StaticMemory<SEGMENTS, LOGS, RING, UNDO, KEY> = StaticMemory::new();

fn main() -> ! {
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[LOG_CAPACITY; LOGS],
    };
    // SAFETY: the only reference.
    let memory = unsafe { &mut *core::ptr::addr_of_mut!(MEMORY) };
    let mut flash = Flash;
    let _ = setup(&mut flash, &config);
    let Ok((mut store, _)) = MultiLog::start(
        &mut flash,
        indelible::NoIndex,
        memory.lend(),
        None,
        Mode::ReadWrite,
    ) else {
        loop {}
    };
    serve(|mail| {
        match mail.operation {
            1 => store
                .append(mail.log, &mail.bytes)
                .map(|at| mail.position = at),
            2 => store
                .tentatively_append(mail.log, &mail.bytes)
                .map(|at| mail.position = at),
            3 => store.commit(),
            4 => store.abort(),
            5 => store.read(mail.log, mail.position, &mut mail.bytes),
            6 => store.advance_head(mail.log, mail.position),
            7 => store.tentatively_advance_head(mail.log, mail.position),
            8 => store
                .get_head_tail_and_capacity(mail.log)
                .map(|span| mail.position = span.tail),
            _ => store.maintain(1).map(|_| ()),
        }
        .is_ok()
    })
}
