//! RAM and stack of a store with 64 segments, 2 logs and 256 keys: the memory
//! that it is lent, the store itself, and how deep the stack gets in each
//! operation, measured by painting it.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, Mode, StaticMemory, Store, setup};
use indelible_embedded::Nor;
use indelible_firmware::flash::{self, Driver, SECTOR};
use indelible_firmware::stack::depth_of;
use indelible_firmware::{Failure, StoreError, entry, finish, println};
use static_cell::ConstStaticCell;

const KEYS: usize = 256;
const LOG_CAPACITY: u64 = 16 << 10;

/// 64 segments, 2 logs of 6 segments at most, 8 changes in a transaction, keys
/// of up to 32 bytes.
type Memory = StaticMemory<64, 2, 12, 4, 32>;
type Slots = [u64; HashIndex::slots_for(KEYS)];
type Kv<'m> = Store<'m, &'m mut Nor<Driver>, HashIndex<'m>>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static SLOTS: ConstStaticCell<Slots> = ConstStaticCell::new([0; HashIndex::slots_for(KEYS)]);

/// The deepest so far.
struct Deepest(usize);

impl Deepest {
    /// Does one kind of operation and prints how deep its stack was.
    fn note<R>(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let (result, depth) = depth_of(work);
        println!("stack of {what}: {depth}");
        self.0 = self.0.max(depth);
        result
    }
}

#[entry]
fn main() -> ! {
    finish(run())
}

fn run() -> Result<(), Failure> {
    let (memory, slots) = (size_of::<Memory>(), size_of::<Slots>());
    let store = size_of::<Kv<'_>>();
    println!("memory lent {memory}, index {slots}, store {store}");
    println!("RAM {}", memory + slots + store);

    let (memory, slots) = (MEMORY.take(), SLOTS.take());
    let mut medium = Nor::new(flash::take()?)?;
    let mut deepest = Deepest(0);
    let config = Config {
        id: 1,
        nonce: 1,
        segment_size: Some(SECTOR as u32),
        logs: &[LOG_CAPACITY; 2],
    };
    deepest.note("setup", || setup(&mut medium, &config))?;
    {
        let (mut store, _) = start(&mut medium, memory, slots)?;
        work(&mut store, &mut deepest)?;
        // In the midst of a transaction.
        store.tentatively_put(&key(0), b"never acknowledged")?;
        store.tentatively_append(0, b"neither")?;
        core::mem::forget(store);
    }
    let (mut store, report) = deepest.note("start after an unclean end", || {
        start(&mut medium, memory, slots)
    })?;
    if report.clean || store.len() != KEYS as u64 {
        return Err(Failure::Wrong("what start found"));
    }
    let checked = deepest.note("check", || store.check(&mut |_| {}))?;
    if checked.damaged > 0 {
        return Err(Failure::Wrong("damage"));
    }
    deepest.note("scan of 256 keys", || scan(&store))?;
    deepest.note("close", || store.close().map(|_| ()))?;
    let (store, _) = deepest.note("start after a close", || start(&mut medium, memory, slots))?;
    drop(store);
    println!("deepest {}", deepest.0);
    Ok(())
}

fn start<'m>(
    medium: &'m mut Nor<Driver>,
    memory: &'m mut Memory,
    slots: &'m mut Slots,
) -> Result<(Kv<'m>, indelible::Report), StoreError> {
    let index = HashIndex::new(slots);
    Store::start(medium, index, memory.lend(), Some(1), Mode::ReadWrite)
}

fn key(number: u32) -> [u8; 16] {
    let mut key = *b"settings/number ";
    key[12..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Everything that a store does while it is open.
fn work(store: &mut Kv<'_>, deepest: &mut Deepest) -> Result<(), StoreError> {
    for number in 0..KEYS as u32 - 1 {
        store.put(&key(number), &[0x11; 128])?;
    }
    deepest.note("put of a new key", || {
        store.put(&key(KEYS as u32 - 1), &[0x22; 128])
    })?;
    assert!(store.stats().index_len >= KEYS && store.stats().index_capacity >= KEYS);
    // Far more than the flash holds: old records are moved and sectors erased.
    deepest.note("5,000 puts with reclaim", || {
        (0..5000).try_for_each(|n: u32| {
            store.put(&key(n.wrapping_mul(97) % KEYS as u32), &[n as u8; 128])
        })
    })?;
    deepest.note("get", || {
        let mut value = [0; 128];
        store.get(&key(7), &mut value)
    })?;
    deepest.note("1,000 transactions of a put and two appends", || {
        (0..1000).try_for_each(|n: u32| transact(store, n))
    })?;
    deepest.note("abort", || {
        store.tentatively_put(&key(1), &[0; 100])?;
        store.tentatively_append(1, &[1; 100])?;
        store.abort()
    })?;
    deepest.note("delete and create", || {
        store.delete(&key(3))?;
        store.create(&key(3), &[3; 60])
    })?;
    deepest.note("read of a log", || {
        let head = store.get_head_tail_and_capacity(0)?.head;
        store.read(0, head, &mut [0; 64])
    })?;
    deepest.note("maintain", || store.maintain(64))?;
    Ok(())
}

fn transact(store: &mut Kv<'_>, number: u32) -> Result<(), StoreError> {
    for log in 0..2 {
        let span = store.get_head_tail_and_capacity(log)?;
        if span.tail - span.head + 64 > LOG_CAPACITY {
            store.advance_head(log, span.tail)?;
        }
    }
    let mut transaction = store.transaction();
    transaction.put(&key(number % KEYS as u32), &number.to_le_bytes())?;
    transaction.append(0, &[number as u8; 40])?;
    transaction.append(1, &[number as u8; 24])?;
    transaction.commit()
}

fn scan(store: &Kv<'_>) -> Result<(), StoreError> {
    let mut key = [0; 32];
    let mut scan = store.scan(b"");
    while scan.next(&mut key)?.is_some() {}
    Ok(())
}
