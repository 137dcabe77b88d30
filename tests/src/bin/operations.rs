//! What a transaction costs its medium: flushes, writes and bytes.
//!
//! Each kind of transaction is done many times over in a store with room to
//! spare. Printed are the median, which is a transaction with nothing else to
//! do, and the mean, which has its share of everything: ledger segments,
//! roots, log segments, reclaiming.

use indelible::{
    Config, Error, Geometry, HashIndex, Layout, LogState, Memory, Mode, Order, Segment, Store,
    Undo, setup,
};
use indelible_tests::sim::{Counters, Sim, SimError};
use std::process::ExitCode;

type Kv<'a, 's> = Store<'a, &'s mut Sim, HashIndex<'a>>;
type Done = Result<(), Error<SimError>>;

const VALUE: [u8; 64] = [0x5A; 64];
const TIMES: usize = 2000;
/// Keys to delete and to update.
const KEYS: usize = 500;

/// A kind of transaction.
struct Case {
    name: &'static str,
    /// Bytes that the caller hands over.
    payload: u64,
    /// What others need: flushes, writes, bytes beyond the payload.
    others: &'static str,
    /// Done before each, uncounted.
    prepare: fn(&mut Kv<'_, '_>, usize) -> Done,
    run: fn(&mut Kv<'_, '_>, usize) -> Done,
}

fn key(number: usize) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(format!("{number:016x}").as_bytes());
    key
}

/// Deletes a key, so that it can be put as a new one.
fn remove(store: &mut Kv<'_, '_>, number: usize) -> Done {
    match store.delete(&key(number % KEYS)) {
        Err(Error::NotFound) => Ok(()),
        other => other,
    }
}

/// Makes room in both logs.
fn trim(store: &mut Kv<'_, '_>, number: usize) -> Done {
    if number % 100 != 99 {
        return Ok(());
    }
    for log in 0..2 {
        let tail = store.get_head_tail_and_capacity(log)?.tail;
        store.advance_head(log, tail)?;
    }
    Ok(())
}

const CASES: [Case; 6] = [
    Case {
        name: "put, 16 + 64 bytes",
        payload: 80,
        others: "CapybaraKV 4, 15, 128",
        prepare: remove,
        run: |store, number| store.put(&key(number % KEYS), &VALUE),
    },
    Case {
        name: "update, 16 + 64 bytes",
        payload: 80,
        others: "",
        prepare: |_, _| Ok(()),
        run: |store, number| store.update(&key(KEYS + number % KEYS), &VALUE),
    },
    Case {
        name: "delete, 16 bytes",
        payload: 16,
        others: "CapybaraKV 4, 9",
        prepare: |store, number| store.put(&key(number % KEYS), &VALUE),
        run: |store, number| store.delete(&key(number % KEYS)),
    },
    Case {
        name: "append 64 bytes to 1 log",
        payload: 64,
        others: "multilog 2, 3, 48",
        prepare: trim,
        run: |store, _| store.append(0, &VALUE).map(drop),
    },
    Case {
        name: "append 64 bytes to 2 logs",
        payload: 128,
        others: "multilog 2, 5, 88",
        prepare: trim,
        run: |store, _| {
            store.tentatively_append(0, &VALUE)?;
            store.tentatively_append(1, &VALUE)?;
            store.commit()
        },
    },
    Case {
        name: "8 puts, 16 + 64 bytes each",
        payload: 640,
        others: "",
        prepare: |_, _| Ok(()),
        run: |store, number| {
            for part in 0..8 {
                store.tentatively_put(&key(KEYS + (8 * number + part) % KEYS), &VALUE)?;
            }
            store.commit()
        },
    },
];

/// What each of many transactions cost.
fn measure(geometry: Geometry, case: &Case) -> Result<Vec<Counters>, Error<SimError>> {
    let config = Config {
        id: 1,
        nonce: 7,
        segment_size: None,
        logs: &[65536, 65536],
    };
    let mut sim = Sim::new(geometry);
    setup(&mut sim, &config)?;
    let layout = Layout::read(&sim)?;
    let mut segments = vec![Segment::default(); layout.segments as usize];
    let mut logs = vec![LogState::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Undo::default(); 64];
    let mut scratch = vec![0; 64];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let mut slots = vec![0; HashIndex::slots_for(2 * KEYS)];
    let index = HashIndex::new(&mut slots);
    let (mut store, _) = Store::start(&mut sim, index, memory, None, Mode::ReadWrite)?;
    for number in 0..KEYS {
        store.put(&key(KEYS + number), &VALUE)?;
    }
    let mut costs = Vec::new();
    for number in 0..TIMES {
        (case.prepare)(&mut store, number)?;
        let before = store.medium().rig().counters();
        (case.run)(&mut store, number)?;
        costs.push(store.medium().rig().counters().since(&before));
    }
    Ok(costs)
}

/// Median and mean.
fn middle(costs: &[Counters], what: impl Fn(&Counters) -> u64) -> (u64, f64) {
    let mut all: Vec<u64> = costs.iter().map(what).collect();
    all.sort_unstable();
    let sum: u64 = all.iter().sum();
    (all[all.len() / 2], sum as f64 / all.len() as f64)
}

fn line(case: &Case, costs: &[Counters]) -> String {
    let (flushes, mean_flushes) = middle(costs, |cost| cost.flushes);
    let (writes, mean_writes) = middle(costs, |cost| cost.writes);
    let (bytes, mean_bytes) = middle(costs, |cost| cost.bytes_written);
    format!(
        "  {:28}{flushes:>8}{writes:>8}{bytes:>8}{:>8}   {mean_flushes:>8.2}{mean_writes:>8.2}{:>8.1}   {}",
        case.name,
        bytes as i64 - case.payload as i64,
        mean_bytes - case.payload as f64,
        case.others,
    )
}

fn main() -> ExitCode {
    println!(
        "  {:28}{:>8}{:>8}{:>8}{:>8}   {:>8}{:>8}{:>8}   others: flushes, writes, beyond",
        "median and mean", "flushes", "writes", "bytes", "beyond", "flushes", "writes", "beyond"
    );
    for (order, write_unit) in [(Order::Unordered, 1), (Order::Ordered, 4)] {
        let geometry = Geometry {
            capacity: 1 << 20,
            write_unit,
            erase_unit: 4096,
            blank: if order == Order::Ordered { 0xFF } else { 0x00 },
            order,
        };
        println!("{order:?}, write unit {write_unit}");
        for case in &CASES {
            match measure(geometry, case) {
                Ok(costs) => println!("{}", line(case, &costs)),
                Err(error) => {
                    eprintln!("operations: {}: {error}", case.name);
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    println!(
        "\nbeyond: bytes beyond what the caller handed over. multilog needs 2 flushes, 2n + 1\n\
         writes and 40n + 8 bytes for n logs. Flushes of ordered media cost nothing."
    );
    ExitCode::SUCCESS
}
