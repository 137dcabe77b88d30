//! The asynchronous store: other tasks run while the flash is busy, power may
//! fail at every operation, futures may be dropped at every point.
#![cfg(feature = "async")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{
    Chip, ChipError, Contents, Count, ID, Op, Room, TORN, config, contents, judge, seed, workload,
};
use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use embedded_storage::nor_flash::{ErrorType, NorFlash as _};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use futures::executor::{LocalPool, block_on};
use futures::task::LocalSpawnExt;
use indelible::{Error, HashIndex, Layout, Mode};
use indelible_embedded::{AsyncError, AsyncStore, Nor, Queued};
use std::cell::RefCell;
use std::rc::Rc;

const WRITE: usize = 8;
const ERASE: usize = 2048;
const CAPACITY: usize = 32 << 10;
type Flash = Chip<1, WRITE, ERASE>;

/// A driver that answers `Pending` before an operation is done, so often.
#[derive(Clone)]
struct Slow {
    chip: Flash,
    pending: u32,
    busy: Rc<Cell<bool>>,
}

/// Pending so often, then ready.
struct Pause(u32);

impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Slow {
    fn new(chip: Flash, pending: u32) -> Self {
        let busy = Rc::default();
        Slow {
            chip,
            pending,
            busy,
        }
    }

    async fn work(&mut self) {
        self.busy.set(true);
        Pause(self.pending).await;
        self.busy.set(false);
    }
}

impl ErrorType for Slow {
    type Error = ChipError;
}

impl ReadNorFlash for Slow {
    const READ_SIZE: usize = 1;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        Pause(self.pending.min(2)).await;
        embedded_storage::nor_flash::ReadNorFlash::read(&mut self.chip, offset, bytes)
    }
    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl NorFlash for Slow {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        assert_eq!((to - from) as usize, ERASE, "one erase unit at a time");
        self.work().await;
        self.chip.erase(from, to)
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        for (unit, at) in bytes.chunks(WRITE).zip((offset as usize..).step_by(WRITE)) {
            self.work().await;
            self.chip.program(at, unit)?;
        }
        Ok(())
    }
}

fn ecc(error: &ChipError) -> bool {
    *error == ChipError::Uncorrectable
}

type Opened<'a> = AsyncStore<'a, Slow, HashIndex<'a>>;

async fn open<'a>(
    flash: Slow,
    room: &'a mut Room,
    queue: &'a mut [u8],
) -> Result<Opened<'a>, AsyncError<Slow>> {
    let medium = Queued::new(flash, queue).unwrap().ecc(ecc);
    let (memory, index) = room.lend();
    let started = AsyncStore::start(medium, index, memory, Some(ID), Mode::ReadWrite).await;
    started.map(|(store, _)| store)
}

async fn apply(store: &mut Opened<'_>, op: &Op) -> Result<(), AsyncError<Slow>> {
    match op {
        Op::Put(key, value) => store.put(key, value).await,
        Op::Delete(key) => store.delete(key).await,
        Op::Append(data) => store.append(0, data).await.map(drop),
        Op::AdvanceHead(head) => store.advance_head(0, *head).await,
        Op::Both(key, value, data) => {
            let both = store.transaction(|transaction| {
                transaction.put(key, value)?;
                transaction.append(0, data)
            });
            both.await.map(drop)
        }
    }
}

fn set_up(chip: &Flash) -> Layout {
    let mut medium = Nor::new(chip.clone()).unwrap();
    indelible::setup(&mut medium, &config(9)).unwrap()
}

#[test]
fn other_tasks_run_while_the_flash_is_busy() {
    let chip = Flash::new(CAPACITY, 1);
    let layout = set_up(&chip);
    let flash = Slow::new(chip.clone(), 5);
    let busy = flash.busy.clone();
    let ops = workload(300, 8, &mut fastrand::Rng::with_seed(seed()));
    let done = Rc::new(Cell::new(false));
    let (turns, turns_busy) = (Count::default(), Count::default());

    let mut pool = LocalPool::new();
    pool.spawner()
        .spawn_local({
            let done = done.clone();
            async move {
                let mut room = Room::new(&layout);
                let mut queue = vec![0; Queued::<Slow>::len_for(&layout, 400)];
                let mut store = open(flash, &mut room, &mut queue).await.unwrap();
                let mut now = Contents::default();
                for op in &ops {
                    apply(&mut store, op).await.unwrap();
                    now = now.after(op);
                    assert!(store.store().medium().is_drained());
                }
                assert_eq!(contents(store.store()).unwrap(), now);
                let stats = store.store().medium().stats();
                println!("{stats:?} of {}", Queued::<Slow>::len_for(&layout, 400));
                assert_eq!(stats.stalls, 0);
                store.close().await.unwrap();
                done.set(true);
            }
        })
        .unwrap();
    pool.spawner()
        .spawn_local({
            let (turns, turns_busy, done) = (turns.clone(), turns_busy.clone(), done.clone());
            async move {
                while !done.get() {
                    turns.set(turns.get() + 1);
                    turns_busy.set(turns_busy.get() + u64::from(busy.get()));
                    Pause(1).await;
                }
            }
        })
        .unwrap();
    pool.run();
    let cells = chip.cells.borrow();
    let operations = cells.programmed + cells.erased;
    println!(
        "{} turns, {} of them busy, {operations} operations",
        turns.get(),
        turns_busy.get()
    );
    assert!(cells.erased > 10);
    assert!(
        turns_busy.get() > 4 * operations / 2,
        "the executor was blocked"
    );
}

/// The queue's formula against stores that are filled to different degrees and
/// left without a close again and again.
#[test]
fn a_queue_as_long_as_told_never_stalls() {
    for (keys, value, share) in [(8, 60, 0), (60, 90, 50), (60, 150, 80)] {
        let chip = Flash::new(CAPACITY, 1);
        let layout = set_up(&chip);
        let payload = layout.record_len(6, value) + layout.append_len(200) + 100;
        let mut rng = fastrand::Rng::with_seed(seed());
        let mut queue = vec![0; Queued::<Slow>::len_for(&layout, payload)];
        let mut most = 0;
        for _ in 0..40 {
            let mut room = Room::large(&layout, 200);
            let flash = Slow::new(chip.clone(), 0);
            let mut store = block_on(open(flash, &mut room, &mut queue)).unwrap();
            for _ in 0..60 {
                let key = format!("key{}", rng.usize(..keys));
                let value = vec![rng.u8(..); value as usize];
                let head = store.store().get_head_tail_and_capacity(0).unwrap();
                if head.tail - head.head > 300 {
                    block_on(store.advance_head(0, head.tail)).unwrap();
                }
                let both = store.transaction(|transaction| {
                    transaction.put(key.as_bytes(), &value)?;
                    transaction.append(0, &[1; 200])
                });
                block_on(both).unwrap();
            }
            let stats = store.store().medium().stats();
            assert_eq!(
                stats.stalls,
                0,
                "{keys} keys: {stats:?} of {}",
                store.store().layout().segments
            );
            most = most.max(stats.most);
        }
        let told = Queued::<Slow>::len_for(&layout, payload);
        println!("{keys} keys of {value} ({share} %): {most} of {told} bytes");
    }
}

/// What each cut leaves through the asynchronous way is what the blocking one
/// may leave: the blocking store judges it.
#[test]
fn power_fails_at_every_operation_of_a_store_that_waits() {
    for (queue, name) in [(None, "long enough"), (Some(300), "300"), (Some(0), "none")] {
        let chip = Flash::new(CAPACITY, seed());
        let layout = set_up(&chip);
        let ops = workload(250, 8, &mut fastrand::Rng::with_seed(seed()));
        let legal = Rc::new(RefCell::new(vec![Contents::default()]));
        let cuts = Count::default();
        chip.watch({
            let (legal, cuts) = (legal.clone(), cuts.clone());
            move |mut cells| {
                cells.torn = TORN[cuts.get() as usize % TORN.len()];
                cuts.set(cuts.get() + 1);
                cells.seed = cuts.get();
                let torn = cells.torn;
                let chip = Flash::of(cells);
                let mut medium = Nor::new(chip).unwrap().ecc(ecc);
                if let Err(what) = judge(&mut medium, &layout, &legal.borrow()) {
                    panic!("cut {}, {torn:?}: {what}", cuts.get());
                }
            }
        });
        let mut room = Room::new(&layout);
        let mut queue = vec![0; queue.unwrap_or(Queued::<Slow>::len_for(&layout, 400))];
        let flash = Slow::new(chip.clone(), 1);
        let mut store = block_on(open(flash, &mut room, &mut queue)).unwrap();
        let mut now = Contents::default();
        for op in &ops {
            let next = now.after(op);
            *legal.borrow_mut() = vec![now, next.clone()];
            block_on(apply(&mut store, op)).unwrap();
            *legal.borrow_mut() = vec![next.clone()];
            now = next;
        }
        chip.unwatch();
        assert_eq!(contents(store.store()).unwrap(), now);
        let stats = store.store().medium().stats();
        println!("queue {name}: {} cuts, {stats:?}", cuts.get());
        assert_eq!(stats.stalls > 0, name != "long enough");
    }
}

/// Drops, or forgets, a call's future after so many polls, unless it is done.
fn dropped<T>(future: impl Future<Output = T>, polls: u32, forget: bool) -> Option<T> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(core::task::Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    if forget {
        core::mem::forget(future);
    }
    None
}

#[test]
fn a_dropped_future_loses_nothing_and_tears_nothing() {
    let (mut went_on, mut poisoned) = (0, 0);
    let ops = workload(120, 6, &mut fastrand::Rng::with_seed(seed()));
    for start in 0..60 {
        let chip = Flash::new(CAPACITY, seed());
        let layout = set_up(&chip);
        let mut rng = fastrand::Rng::with_seed(start);
        let mut now = Contents::default();
        let mut at = 0;
        let mut doubtful = None;
        'sessions: while at < ops.len() {
            let mut room = Room::new(&layout);
            let mut queue = vec![0; Queued::<Slow>::len_for(&layout, 400)];
            let flash = Slow::new(chip.clone(), 1);
            let mut store = block_on(open(flash, &mut room, &mut queue)).unwrap();
            let found = contents(store.store()).unwrap();
            if doubtful.take().is_some_and(|after| found == after) {
                now = found.clone();
            }
            assert_eq!(found, now, "after an opening, operation {at}");
            while let Some(op) = ops.get(at) {
                at += 1;
                if !now.allows(op) {
                    continue;
                }
                let polls = match rng.u8(..4) {
                    0 => rng.u32(1..40),
                    _ => 100_000,
                };
                let forget = rng.u8(..8) == 0;
                let done = dropped(apply(&mut store, op), polls, forget);
                if let Some(done) = done {
                    done.unwrap();
                    now = now.after(op);
                    continue;
                }
                // It is done in memory, and on the flash when a call has gone
                // on with it.
                match block_on(store.sync()) {
                    Ok(()) => {
                        now = now.after(op);
                        went_on += 1;
                        assert_eq!(contents(store.store()).unwrap(), now);
                    }
                    Err(Error::Poisoned) if forget => {
                        poisoned += 1;
                        doubtful = Some(now.after(op));
                        let refused = block_on(store.put(b"no", b"more"));
                        assert_eq!(refused, Err(Error::Poisoned));
                        continue 'sessions;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }
    println!("{went_on} calls were gone on with, {poisoned} stores had to be opened again");
    assert!(went_on > 100 && poisoned > 20);
}

#[test]
fn a_failed_operation_ends_all_writing_until_the_store_is_opened_again() {
    let chip = Flash::new(CAPACITY, 1);
    let layout = set_up(&chip);
    let mut room = Room::new(&layout);
    let mut queue = vec![0; Queued::<Slow>::len_for(&layout, 400)];
    let flash = Slow::new(chip.clone(), 1);
    let mut store = block_on(open(flash.clone(), &mut room, &mut queue)).unwrap();
    block_on(store.put(b"key", b"old")).unwrap();
    chip.cells.borrow_mut().fail_in = Some(1);
    let failed = block_on(store.put(b"key", b"a value of several units")).unwrap_err();
    let Error::Medium { cause, .. } = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(
        cause,
        indelible_embedded::Error::Driver(ChipError::Injected)
    );
    assert_eq!(block_on(store.put(b"key", b"new")), Err(Error::Poisoned));
    drop(store.into_inner());

    let mut room = Room::new(&layout);
    let mut store = block_on(open(flash, &mut room, &mut queue)).unwrap();
    let mut value = [0; 32];
    assert_eq!(store.get(b"key", &mut value), Ok(Some(3)));
    assert_eq!(&value[..3], b"old");
    block_on(store.put(b"key", b"new")).unwrap();
}

#[test]
fn a_store_is_set_up_and_found_again_by_a_task_that_waits() {
    use indelible_embedded::Found;
    let chip = Flash::new(CAPACITY, 1);
    for expected in [Found::Blank, Found::Store] {
        let geometry = indelible::Medium::geometry(&Nor::new(chip.clone()).unwrap());
        let layout = Layout::plan(geometry, &config(1)).unwrap();
        let mut room = Room::new(&layout);
        let mut queue = vec![0; 2048];
        let medium = Queued::new(Slow::new(chip.clone(), 2), &mut queue).unwrap();
        let (memory, index) = room.lend();
        let config = config(1);
        let opened = AsyncStore::open_or_setup(medium, index, memory, &config);
        let (mut store, _, found) = block_on(opened).unwrap();
        assert_eq!(found, expected);
        block_on(store.put(b"a", b"b")).unwrap();
        assert!(block_on(store.maintain(3)).is_ok());
        block_on(store.close()).unwrap();
    }
}
