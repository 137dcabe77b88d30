//! A black box: samples and events in two logs, and what is known of the last
//! sample under keys. All of it changes in one transaction, so that it agrees
//! after any power cut.
//!
//! Each run records 1,000 samples and then loses power: nothing is closed. The
//! oldest samples are dropped where their log is full.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, StaticMemory, Store};
use indelible_embedded::{Nor, open_or_setup};
use indelible_firmware::flash::{self, Driver, SECTOR};
use indelible_firmware::{Failure, StoreError, entry, finish, println};
use static_cell::ConstStaticCell;

/// The logs.
const SAMPLES: usize = 0;
const EVENTS: usize = 1;
/// Bytes that each log is sure to hold.
const LOG_CAPACITY: u64 = 16 << 10;
/// Bytes in a sample, and samples in a run.
const SAMPLE: usize = 32;
const RUN: u32 = 1000;
/// Names this store, so that no other is taken for it.
const ID: u128 = 0xB1AC_B0C5;

/// 64 segments, 2 logs with up to 6 segments each, 8 changes in a transaction,
/// keys of up to 16 bytes.
static MEMORY: ConstStaticCell<StaticMemory<64, 2, 12, 8, 16>> =
    ConstStaticCell::new(StaticMemory::new());
/// Room for 16 keys.
static SLOTS: ConstStaticCell<[u64; HashIndex::slots_for(16)]> =
    ConstStaticCell::new([0; HashIndex::slots_for(16)]);

type BlackBox<'m> = Store<'static, &'m mut Nor<Driver>, HashIndex<'static>>;

#[entry]
fn main() -> ! {
    finish(run())
}

fn run() -> Result<(), Failure> {
    let mut medium = Nor::new(flash::take()?)?;
    let mut store = open(&mut medium)?;
    let begun = count(&store)?;
    println!("{begun} samples were recorded before");
    for number in begun..begun + RUN {
        record(&mut store, number)?;
    }
    verify(&store)?;
    // The power goes: what was acknowledged is in the flash.
    drop(store);
    flash::keep(&medium.into_inner())?;
    Ok(())
}

/// Opens the store; sets it up on a new device.
fn open(medium: &mut Nor<Driver>) -> Result<BlackBox<'_>, Failure> {
    let config = Config {
        id: ID,
        // Tells this store's bytes from those of an earlier one: take it from
        // the chip's random numbers.
        nonce: 0x5EED,
        segment_size: Some(SECTOR as u32),
        logs: &[LOG_CAPACITY; 2],
    };
    let index = HashIndex::new(SLOTS.take());
    let memory = MEMORY.take().lend();
    let (store, report, found) = open_or_setup(medium, index, memory, &config)?;
    println!(
        "{found:?}, clean {}, damaged {}",
        report.clean, report.damaged
    );
    Ok(store)
}

/// What the sensors said: all of it follows from its number here.
fn sample(number: u32) -> [u8; SAMPLE] {
    let mut sample = [0; SAMPLE];
    sample[..4].copy_from_slice(&number.to_le_bytes());
    for (i, byte) in sample.iter_mut().enumerate().skip(4) {
        *byte = (number as usize * 31 + i * 7) as u8;
    }
    sample
}

/// Records one sample and what follows from it: all of it or nothing.
fn record(store: &mut BlackBox<'_>, number: u32) -> Result<(), StoreError> {
    make_room(store)?;
    let sample = sample(number);
    let mut transaction = store.transaction();
    transaction.append(SAMPLES, &sample)?;
    transaction.put(b"count", &(number + 1).to_le_bytes())?;
    if number % 100 == 99 {
        transaction.append(EVENTS, b"100 samples more\n")?;
        transaction.put(b"last event", &number.to_le_bytes())?;
    }
    transaction.commit()
}

/// Drops the oldest samples, an eighth of the log, where it is full.
fn make_room(store: &mut BlackBox<'_>) -> Result<(), StoreError> {
    let span = store.get_head_tail_and_capacity(SAMPLES)?;
    if span.tail - span.head + SAMPLE as u64 > LOG_CAPACITY {
        store.advance_head(SAMPLES, span.head + LOG_CAPACITY / 8)?;
    }
    Ok(())
}

/// Samples recorded since the device is in use.
fn count(store: &BlackBox<'_>) -> Result<u32, StoreError> {
    let mut bytes = [0; 4];
    store.get(b"count", &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Logs and keys agree, and every byte is what was recorded.
fn verify(store: &BlackBox<'_>) -> Result<(), Failure> {
    let count = count(store)?;
    let span = store.get_head_tail_and_capacity(SAMPLES)?;
    if span.tail != u64::from(count) * SAMPLE as u64 {
        return Err(Failure::Wrong("the samples' log does not end at the count"));
    }
    let first = (span.head / SAMPLE as u64) as u32;
    let mut found = [0; SAMPLE];
    for number in first..count {
        store.read(SAMPLES, u64::from(number) * SAMPLE as u64, &mut found)?;
        if found != sample(number) {
            return Err(Failure::Wrong("a sample"));
        }
    }
    let events = store.get_head_tail_and_capacity(EVENTS)?;
    println!(
        "{count} samples, the last {} of them kept, {} bytes of events",
        count - first,
        events.tail - events.head
    );
    Ok(())
}
