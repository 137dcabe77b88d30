//! `bench`: what this store does on this disk.

use std::hint::black_box;
use std::time::{Duration, Instant};

use indelible_dax::indelible::Error;
use indelible_dax::{HostStore, Reads};

use super::keys::{Change, Keys, is_absent};
use super::stores::{in_one_file, walking, writing};
use super::walk::each_key;
use crate::args::Bench;
use crate::failure::{Code, Failure, Outcome};
use crate::json::Json;
use crate::output::Output;

/// What the bench's keys begin with; nine digits follow.
const PREFIX: &[u8] = b"~bench/";

/// Keys of a batch.
const BATCH: u64 = 100;

/// The longest that single puts are measured.
const SINGLE: Duration = Duration::from_secs(2);

struct Figure {
    what: &'static str,
    name: &'static str,
    count: u64,
    time: Duration,
}

impl Figure {
    fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }
}

pub fn run(args: Bench) -> Outcome {
    let path = &args.store;
    let why = "a store in shards; BENCH in `indelible shell` measures one";
    in_one_file(path, Code::Usage, why)?;
    writing(path, |store| refuse_old_keys(store))?;
    let measured = measure(&args);
    // The keys go even where measuring them failed.
    let removed = writing(path, |store| remove(store));
    let figures = measured?;
    removed?;

    let mut output = Output::new();
    if args.json {
        output.line(Json::object(|fields| {
            for figure in &figures {
                fields.add(figure.name, figure.rate());
            }
        }))?;
    } else {
        for figure in &figures {
            let each = figure.time.as_secs_f64() * 1e6 / figure.count as f64;
            output.line(format_args!(
                "{:<44} {:>12.0} a second {each:>12.2} us each",
                figure.what,
                figure.rate(),
            ))?;
        }
    }
    output.flush()
}

pub(super) fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut rest = number;
    for digit in key[PREFIX.len()..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn measure(args: &Bench) -> Outcome<Vec<Figure>> {
    let mut figures = writing(&args.store, |store| fill(store, args))?;
    let start = Instant::now();
    walking(&args.store, Reads::Mapped, |stores| {
        let opening = start.elapsed();
        let mut count = 0;
        let start = Instant::now();
        each_key(stores.all(), PREFIX, |_, entry| {
            black_box(entry.value_len);
            count += 1;
            Ok(())
        })?;
        figures.push(Figure {
            what: "keys listed in order",
            name: "listed",
            count,
            time: start.elapsed(),
        });
        figures.push(Figure {
            what: "openings for that",
            name: "openings",
            count: 1,
            time: opening,
        });
        Ok(())
    })?;
    Ok(figures)
}

pub(super) fn refuse_old_keys(store: &dyn Keys) -> Outcome {
    if !store.first(PREFIX, 1).is_empty() {
        return Err(Failure::usage(
            "keys that begin with `~bench/` are there, perhaps from a bench that was killed; \
             delete them first",
        ));
    }
    Ok(())
}

/// Puts and gets.
fn fill(store: &mut HostStore<'_>, args: &Bench) -> Outcome<Vec<Figure>> {
    let stats = store.stats();
    let each = u64::from(args.value_size) + 64;
    let fitting = stats.kv_capacity.saturating_sub(stats.live_bytes) / 2 / each;
    let keys = args.keys.map_or(fitting.min(10_000), u64::from);
    let mut value = vec![0; args.value_size as usize];
    for (at, byte) in value.iter_mut().enumerate() {
        *byte = at as u8;
    }
    let mut figures = Vec::new();
    let mut there = 0;

    let start = Instant::now();
    while there < keys / 2 && start.elapsed() < SINGLE {
        if full(store.put(&key(there), &value))? {
            break;
        }
        there += 1;
    }
    let time = start.elapsed();
    figures.push(Figure {
        what: "puts, each durable",
        name: "puts",
        count: there,
        time,
    });

    let single = there;
    let start = Instant::now();
    'batches: while there < keys {
        let end = (there + BATCH).min(keys);
        for number in there..end {
            if full(store.tentatively_put(&key(number), &value))? {
                (**store).abort()?;
                break 'batches;
            }
        }
        if full((**store).commit())? {
            (**store).abort()?;
            break;
        }
        there = end;
    }
    let (count, time) = (there - single, start.elapsed());
    figures.push(Figure {
        what: "puts, 100 a transaction",
        name: "batched_puts",
        count,
        time,
    });

    let mut state = 88172645463325252u64;
    let start = Instant::now();
    let gets = there * 4;
    for _ in 0..gets {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        black_box(store.get(&key(state % there.max(1)))?);
    }
    figures.push(Figure {
        what: "gets, random",
        name: "gets",
        count: gets,
        time: start.elapsed(),
    });

    if there == 0 {
        return Err(Failure::usage(
            "the store has no room for a bench; give it a larger one",
        ));
    }
    Ok(figures)
}

/// Whether the store was full, which ends a phase and no more.
fn full(result: Result<(), indelible_dax::host::StoreError>) -> Outcome<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(Error::Full { .. } | Error::IndexFull { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn remove(store: &mut dyn Keys) -> Outcome {
    let mut number = 0;
    loop {
        let mut there = false;
        for number in number..number + BATCH {
            match store.stage(Change::Delete(&key(number))) {
                Ok(()) => there = true,
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        store.commit()?;
        if !there {
            return Ok(());
        }
        number += BATCH;
    }
}
