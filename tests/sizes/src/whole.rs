//! Every public operation of the core, reached from the mailbox: what has no
//! place in a measurement, but must link without a panic all the same.

use core::hint::black_box;

use indelible::ram::Ram;
use indelible::{
    CheckCursor, Config, Geometry, Index, Layout, LogState, Maintained, Medium, Memory, Mode,
    Order, ScanSlot, Segment, StaticMemory, Store, Undo, setup,
};

use crate::{Flash, KEY, LOG_CAPACITY, LOGS, Mailbox, RING, SEGMENT_SIZE, SEGMENTS, UNDO, serve};

type Outcome = Option<u64>;

/// A store's memory.
pub type StoreMemory = StaticMemory<SEGMENTS, LOGS, RING, UNDO, KEY>;

/// Makes a store, opens it with one index, swaps it for the other, and serves.
pub fn whole<I: Index>(memory: &'static mut StoreMemory, index: I, other: I) -> ! {
    let mut flash = Flash;
    serve_once(&mut flash);
    let mode = if black_box(false) {
        Mode::ReadOnly
    } else {
        Mode::ReadWrite
    };
    let memory = memory.lend();
    let started = Store::start(&mut flash, index, memory, black_box(Some(1)), mode);
    let Ok((mut store, report)) = started else {
        loop {}
    };
    black_box(report.damages.len());
    let mut other = Some(other);
    let mut undo: &'static mut [Undo] = &mut [];
    let mut table: &'static mut [Segment] = &mut [];
    serve(|mail| {
        let outcome = match mail.operation {
            0..=19 => keys(&mut store, mail),
            20..=39 => lists(&mut store, mail),
            40..=59 => logs(&mut store, mail),
            60..=79 => transaction(&mut store, mail),
            80..=99 => look(&store, mail),
            100 => {
                undo = store.swap_undo(core::mem::take(&mut undo));
                Some(undo.len() as u64)
            }
            101 => other
                .take()
                .and_then(|index| store.swap_index(index).ok())
                .map(|index| index.len() as u64),
            102 => {
                let table = black_box(core::mem::take(&mut table));
                store.grow(mail.position, table).ok().map(|()| 0)
            }
            _ => check(&mut store, mail),
        };
        mail.position = outcome.unwrap_or(0);
        outcome.is_some()
    })
}

/// What is done with a medium before it is a store.
fn serve_once(flash: &mut Flash) -> Option<()> {
    let config = black_box(Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SEGMENT_SIZE),
        logs: &[LOG_CAPACITY; LOGS],
    });
    let geometry = flash.geometry();
    black_box(Layout::minimum(geometry, &config));
    black_box(Layout::plan(geometry, &config).ok()?);
    setup(flash, &config).ok()?;
    let layout = Layout::read(flash).ok()?;
    black_box(Layout::read_of(&mut *flash).ok()?);
    black_box(layout.estimate_records(flash).ok()?);
    let record = layout.record_len(black_box(16), black_box(32));
    black_box(layout.updates(record, black_box(1), black_box(2)));
    black_box(layout.append_len(black_box(16)));
    black_box(layout.appends(black_box(16), black_box(2)));
    Some(())
}

fn keys<I: Index>(store: &mut Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let Mailbox {
        key,
        bytes,
        position,
        ..
    } = mail;
    match mail.operation {
        0 => store.put(key, bytes).ok().map(|()| 0),
        1 => store.create(key, bytes).ok().map(|()| 0),
        2 => store.update(key, bytes).ok().map(|()| 0),
        3 => store.delete(key).ok().map(|()| 0),
        4 => store.tentatively_put(key, bytes).ok().map(|()| 0),
        5 => store.tentatively_create(key, bytes).ok().map(|()| 0),
        6 => store.tentatively_update(key, bytes).ok().map(|()| 0),
        7 => store.tentatively_delete(key).ok().map(|()| 0),
        8 => store.get(key, bytes).ok().flatten().map(|len| len as u64),
        9 => store
            .read_value(key, *position, bytes)
            .ok()
            .flatten()
            .map(|len| len as u64),
        10 => store.value_len(key).ok().flatten(),
        11 => store.contains(key).ok().map(u64::from),
        12 => store
            .get_ref(key)
            .ok()
            .flatten()
            .map(|value| value.len() as u64),
        13 => store
            .get_ref_unchecked(key)
            .ok()
            .flatten()
            .map(|value| value.len() as u64),
        14 => {
            let end = (*position > 0).then_some(&bytes[..]);
            let last = store.last_before(end, key).ok().flatten();
            last.map(|entry| entry.value_len)
        }
        _ => scan(store, mail),
    }
}

fn scan<I: Index>(store: &Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let mut slots = [ScanSlot::default(); 40];
    let prefix = black_box([1u8; 2]);
    let mut found = match mail.operation {
        14 => store.scan(&prefix),
        _ => store.scan_in(&prefix, &mut slots),
    };
    if black_box(true) {
        found.seek(&mail.key);
    }
    let (mut key, mut count) = ([0; KEY], 0u64);
    while let Some(entry) = match mail.operation {
        14 => found.next(&mut key),
        _ => found.next_with_value(&mut key, &mut mail.bytes),
    }
    .ok()?
    {
        count = count.wrapping_add(entry.value_len);
    }
    Some(count)
}

fn lists<I: Index>(store: &mut Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let Mailbox {
        key,
        bytes,
        position,
        ..
    } = mail;
    let at = *position;
    match mail.operation {
        20 => store.list_len(key).ok().flatten(),
        21 => store
            .list_read(key, at, bytes)
            .ok()
            .flatten()
            .map(|len| len as u64),
        22 => store.list_append(key, bytes).ok().map(|()| 0),
        23 => store.list_update(key, at, bytes).ok().map(|()| 0),
        24 => store.list_trim(key, at).ok().map(|()| 0),
        25 => store.tentatively_list_append(key, bytes).ok().map(|()| 0),
        26 => store
            .tentatively_list_update(key, at, bytes)
            .ok()
            .map(|()| 0),
        _ => store.tentatively_list_trim(key, at).ok().map(|()| 0),
    }
}

fn logs<I: Index>(store: &mut Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let Mailbox {
        log,
        bytes,
        position,
        ..
    } = mail;
    match mail.operation {
        40 => store.append(*log, bytes).ok(),
        41 => store.tentatively_append(*log, bytes).ok(),
        42 => store.read(*log, *position, bytes).ok().map(|()| 0),
        43 => store.advance_head(*log, *position).ok().map(|()| 0),
        44 => store
            .tentatively_advance_head(*log, *position)
            .ok()
            .map(|()| 0),
        45 => store
            .get_head_tail_and_capacity(*log)
            .ok()
            .map(|span| span.tail),
        46 => store.commit().ok().map(|()| 0),
        47 => store.abort().ok().map(|()| 0),
        48 => {
            store.set_two_flushes(*position != 0);
            Some(0)
        }
        49 => store
            .maintain(*log as u32)
            .ok()
            .map(|Maintained { steps, .. }| steps.into()),
        50 => store.reserve(*position).ok().map(|()| 0),
        51 => store.accept_damage().ok().map(|()| 0),
        _ => close(),
    }
}

/// A store over any geometry, in memory, opened and closed.
fn close() -> Outcome {
    let (mut bytes, mut again) = ([0; 8192], [0; 64]);
    let geometry = black_box(Geometry {
        capacity: 0,
        write_unit: 1,
        erase_unit: 512,
        blank: 0,
        order: Order::Unordered,
    });
    let mut ram = Ram::with_geometry(&mut bytes, geometry);
    ram = if black_box(true) {
        ram
    } else {
        Ram::new(&mut again)
    };
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: None,
        logs: &[],
    };
    setup(&mut ram, &config).ok()?;
    let memory = Memory {
        segments: &mut [Segment::default(); 16],
        logs: &mut [LogState::default(); 1],
        ring: &mut [0; 1],
        undo: &mut [Undo::default(); 1],
        scratch: &mut [0; 16],
    };
    let (store, _) = Store::start(ram, indelible::NoIndex, memory, None, Mode::ReadWrite).ok()?;
    if black_box(false) {
        black_box(store.into_medium());
        return None;
    }
    store.close().ok().map(|_| 0)
}

fn transaction<I: Index>(store: &mut Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let Mailbox {
        key,
        bytes,
        position,
        log,
        ..
    } = mail;
    let at = *position;
    let mut open = store.transaction();
    let staged = match mail.operation {
        60 => open.put(key, bytes),
        61 => open.create(key, bytes),
        62 => open.update(key, bytes),
        63 => open.delete(key),
        64 => open.append(*log, bytes).map(|_| ()),
        65 => open.advance_head(*log, at),
        66 => open.list_append(key, bytes),
        67 => open.list_update(key, at, bytes),
        68 => open.list_trim(key, at),
        69 => {
            black_box(open.store().in_transaction());
            Ok(())
        }
        70 => return open.abort().ok().map(|()| 0),
        _ => return None,
    };
    staged.ok()?;
    open.commit().ok().map(|()| 0)
}

fn look<I: Index>(store: &Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    Some(match mail.operation {
        80 => store.len(),
        81 => store.is_empty().into(),
        82 => store.value_max(),
        83 => store.key_max() as u64,
        84 => store.layout().kv_capacity,
        85 => store.id() as u64,
        86 => store.medium().geometry().capacity,
        87 => store.log_count() as u64,
        88 => black_box(store.stats()).live_bytes,
        89 => black_box(store.room()).record_bytes,
        _ => black_box(store.segment_info(mail.log as u32)).used.into(),
    })
}

fn check<I: Index>(store: &mut Store<'_, &mut Flash, I>, mail: &mut Mailbox) -> Outcome {
    let mut seen = 0u64;
    match mail.operation {
        101 => store
            .inspect_segment(mail.log as u32, &mut |frame| {
                seen = seen.wrapping_add(black_box(frame).len.into());
            })
            .ok()?,
        102 => {
            let mut cursor = CheckCursor::default();
            let visit = &mut |finding: indelible::Finding<'_>| {
                seen = seen.wrapping_add(black_box(finding).at);
            };
            while store.check_step(&mut cursor, visit).ok()? {}
            seen = seen.wrapping_add(cursor.checked().frames);
        }
        103 => {
            seen = store.medium_mut().geometry().capacity;
        }
        _ => {
            let checked = store.check(&mut |finding| {
                seen = seen.wrapping_add(black_box(finding).at);
            });
            seen = seen.wrapping_add(checked.ok()?.frames);
        }
    }
    Some(seen)
}
