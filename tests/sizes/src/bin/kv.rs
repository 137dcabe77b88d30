//! A key-value store with lists beside two logs, and every operation on them.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, Kv, Mode, StaticMemory, setup};
use indelible_sizes::{
    Flash, KEY, KEYS, LOG_CAPACITY, LOGS, RING, SEGMENT_SIZE, SEGMENTS, UNDO, firmware, serve,
};

firmware!(main);

static mut MEMORY: StaticMemory<SEGMENTS, LOGS, RING, UNDO, KEY> = StaticMemory::new();
static mut SLOTS: [u64; HashIndex::slots_for(KEYS)] = [0; HashIndex::slots_for(KEYS)];

fn main() -> ! {
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[LOG_CAPACITY; LOGS],
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
    let Ok((mut store, _)) = Kv::start(
        &mut flash,
        HashIndex::new(slots),
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
            9 => store.put(&mail.key, &mail.bytes),
            10 => store.delete(&mail.key),
            11 => store.tentatively_put(&mail.key, &mail.bytes),
            12 => store.tentatively_delete(&mail.key),
            13 => store
                .get(&mail.key, &mut mail.bytes)
                .map(|len| mail.position = len.unwrap_or(0) as u64),
            14 => store.tentatively_list_append(&mail.key, &mail.bytes),
            15 => store.tentatively_list_update(&mail.key, mail.position, &mail.bytes),
            16 => store.tentatively_list_trim(&mail.key, mail.position),
            17 => store
                .list_read(&mail.key, mail.position, &mut mail.bytes)
                .map(|len| mail.position = len.unwrap_or(0) as u64),
            18 => {
                let mut found = store.scan(&[]);
                let mut key = [0; 16];
                mail.position = 0;
                while let Ok(Some(_)) = found.next(&mut key) {
                    mail.position += 1;
                }
                Ok(())
            }
            _ => store.maintain(1).map(|_| ()),
        }
        .is_ok()
    })
}
