//! A chip that loses power, and a store on it that is judged.
#![allow(dead_code, missing_docs)]

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read,
    check_write,
};
use indelible::{
    Config, Error, HashIndex, Layout, LogState, Medium, Memory, Mode, Report, Segment, Store, Undo,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a unit that was being programmed when power failed does when it is
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// Its error correction gives up.
    Fails,
    /// It reads as blank.
    Blank,
    /// It reads as written.
    Written,
    /// It has some of its bits, the same ones until it is erased.
    Subset,
    /// Its error correction gives up sometimes; else it reads as written.
    FailsOrWritten,
    /// Its error correction gives up sometimes; else it reads as blank.
    FailsOrBlank,
}

pub const TORN: [Torn; 6] = [
    Torn::Fails,
    Torn::Blank,
    Torn::Written,
    Torn::Subset,
    Torn::FailsOrWritten,
    Torn::FailsOrBlank,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChipError {
    /// Two bits of a unit are wrong.
    Uncorrectable,
    /// A rule of the chip was broken.
    Refused(NorFlashErrorKind),
    /// A unit was written that was not erased before.
    NotErased(u32),
    /// The test asked for it.
    Injected,
}

impl NorFlashError for ChipError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Refused(kind) => *kind,
            _ => NorFlashErrorKind::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Unit {
    Erased,
    Written,
    /// Cut while it was programmed with these bytes.
    Cut(Vec<u8>),
    /// In a sector whose erase was cut: anything.
    Half,
    /// Two bits of it decayed.
    Decayed,
}

/// What a chip holds.
#[derive(Clone)]
pub struct Cells {
    pub bytes: Vec<u8>,
    units: Vec<Unit>,
    write: usize,
    erase: usize,
    pub torn: Torn,
    pub seed: u64,
    pub rng: fastrand::Rng,
    pub programmed: u64,
    pub erased: u64,
    pub reads: u64,
    /// The operation of the chip, counted from now, that fails.
    pub fail_in: Option<u64>,
}

/// Called with what a power cut at this point leaves.
pub type Watch = Box<dyn FnMut(Cells)>;

#[derive(Clone)]
pub struct Chip<const READ: usize, const WRITE: usize, const ERASE: usize> {
    pub cells: Rc<RefCell<Cells>>,
    pub watch: Rc<RefCell<Option<Watch>>>,
}

impl Cells {
    pub fn new(capacity: usize, write: usize, erase: usize, seed: u64) -> Self {
        Cells {
            bytes: vec![0xFF; capacity],
            units: vec![Unit::Erased; capacity / write],
            write,
            erase,
            torn: Torn::Fails,
            seed,
            rng: fastrand::Rng::with_seed(seed),
            programmed: 0,
            erased: 0,
            reads: 0,
            fail_in: None,
        }
    }

    /// A chip that was sold with `bytes` in it.
    pub fn holding(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        for unit in at / self.write..=(at + bytes.len() - 1) / self.write {
            self.units[unit] = Unit::Written;
        }
        self
    }

    pub fn read(&mut self, at: u32, buf: &mut [u8]) -> Result<(), ChipError> {
        let at = at as usize;
        self.reads += 1;
        buf.copy_from_slice(&self.bytes[at..at + buf.len()]);
        if buf.is_empty() {
            return Ok(());
        }
        let write = self.write;
        for number in at / write..=(at + buf.len() - 1) / write {
            let Cells {
                units,
                rng,
                torn,
                seed,
                ..
            } = self;
            let start = number * write;
            let mut own = fastrand::Rng::with_seed(*seed ^ (number as u64) << 32);
            let look = match *torn {
                Torn::FailsOrWritten | Torn::FailsOrBlank if rng.bool() => Torn::Fails,
                Torn::FailsOrWritten => Torn::Written,
                Torn::FailsOrBlank => Torn::Blank,
                other => other,
            };
            let found: Vec<u8> = match &units[number] {
                Unit::Erased | Unit::Written => continue,
                Unit::Decayed => return Err(ChipError::Uncorrectable),
                Unit::Cut(new) => match look {
                    Torn::Blank => vec![0xFF; write],
                    Torn::Written => new.clone(),
                    Torn::Subset => new.iter().map(|byte| byte | own.u8(..)).collect(),
                    _ => return Err(ChipError::Uncorrectable),
                },
                Unit::Half => match look {
                    Torn::Blank => vec![0xFF; write],
                    Torn::Written => continue,
                    Torn::Subset => (0..write).map(|_| own.u8(..)).collect(),
                    _ => return Err(ChipError::Uncorrectable),
                },
            };
            for (i, byte) in found.iter().enumerate() {
                if let Some(to) = (start + i).checked_sub(at).and_then(|i| buf.get_mut(i)) {
                    *to = *byte;
                }
            }
        }
        Ok(())
    }

    fn failing(&mut self) -> bool {
        let Some(left) = &mut self.fail_in else {
            return false;
        };
        if *left == 0 {
            self.fail_in = None;
            return true;
        }
        *left -= 1;
        false
    }

    fn unit(&mut self, at: usize, bytes: &[u8]) -> Result<(), ChipError> {
        if self.units[at / self.write] != Unit::Erased {
            return Err(ChipError::NotErased(at as u32));
        }
        if self.failing() {
            self.cut_unit(at, bytes);
            return Err(ChipError::Injected);
        }
        self.programmed += 1;
        self.units[at / self.write] = Unit::Written;
        self.bytes[at..at + self.write].copy_from_slice(bytes);
        Ok(())
    }

    fn cut_unit(&mut self, at: usize, bytes: &[u8]) {
        self.units[at / self.write] = Unit::Cut(bytes.to_vec());
    }

    fn sector(&mut self, at: usize) -> Result<(), ChipError> {
        if self.failing() {
            self.cut_sector(at);
            return Err(ChipError::Injected);
        }
        self.erased += 1;
        self.bytes[at..at + self.erase].fill(0xFF);
        self.units[at / self.write..(at + self.erase) / self.write].fill(Unit::Erased);
        Ok(())
    }

    fn cut_sector(&mut self, at: usize) {
        self.units[at / self.write..(at + self.erase) / self.write].fill(Unit::Half);
    }

    /// Two bits of the unit at `at` decay.
    pub fn decay(&mut self, at: usize) {
        self.units[at / self.write] = Unit::Decayed;
    }

    pub fn is_written(&self, at: usize) -> bool {
        self.units[at / self.write] == Unit::Written
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> Chip<READ, WRITE, ERASE> {
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self::of(Cells::new(capacity, WRITE, ERASE, seed))
    }

    pub fn of(cells: Cells) -> Self {
        Chip {
            cells: Rc::new(RefCell::new(cells)),
            watch: Rc::default(),
        }
    }

    pub fn watch(&self, watch: impl FnMut(Cells) + 'static) {
        *self.watch.borrow_mut() = Some(Box::new(watch));
    }

    pub fn unwatch(&self) {
        *self.watch.borrow_mut() = None;
    }

    fn look(&self, cut: impl FnOnce(&mut Cells)) {
        let Some(mut watch) = self.watch.borrow_mut().take() else {
            return;
        };
        let mut cells = self.cells.borrow().clone();
        cut(&mut cells);
        watch(cells);
        *self.watch.borrow_mut() = Some(watch);
    }

    /// Programs one unit, watched.
    pub fn program(&self, at: usize, bytes: &[u8]) -> Result<(), ChipError> {
        self.look(|cells| cells.cut_unit(at, bytes));
        self.cells.borrow_mut().unit(at, bytes)
    }

    /// Erases one sector, watched.
    pub fn erase_sector(&self, at: usize) -> Result<(), ChipError> {
        self.look(|cells| cells.cut_sector(at));
        self.cells.borrow_mut().sector(at)
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for Chip<READ, WRITE, ERASE>
{
    type Error = ChipError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for Chip<READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), ChipError> {
        check_read(self, offset, bytes.len()).map_err(ChipError::Refused)?;
        self.cells.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.cells.borrow().bytes.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for Chip<READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), ChipError> {
        check_erase(self, from, to).map_err(ChipError::Refused)?;
        (from as usize..to as usize)
            .step_by(ERASE)
            .try_for_each(|at| self.erase_sector(at))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ChipError> {
        check_write(self, offset, bytes.len()).map_err(ChipError::Refused)?;
        let units = bytes.chunks(WRITE).enumerate();
        for (i, unit) in units {
            self.program(offset as usize + i * WRITE, unit)?;
        }
        Ok(())
    }
}

/// One commit.
#[derive(Clone, Debug)]
pub enum Op {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Append(Vec<u8>),
    AdvanceHead(u64),
    /// A put and an append, all or nothing.
    Both(Vec<u8>, Vec<u8>, Vec<u8>),
}

/// What a store shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub keys: BTreeMap<Vec<u8>, Vec<u8>>,
    pub head: u64,
    pub log: Vec<u8>,
}

impl Contents {
    /// Whether an operation is one that succeeds here.
    pub fn allows(&self, op: &Op) -> bool {
        let tail = self.head + self.log.len() as u64;
        match op {
            Op::Put(..) => true,
            Op::Delete(key) => self.keys.contains_key(key),
            Op::AdvanceHead(head) => (self.head..=tail).contains(head),
            Op::Append(data) | Op::Both(_, _, data) => self.log.len() + data.len() <= LOG as usize,
        }
    }

    pub fn after(&self, op: &Op) -> Contents {
        let mut next = self.clone();
        match op {
            Op::Put(key, value) => drop(next.keys.insert(key.clone(), value.clone())),
            Op::Delete(key) => drop(next.keys.remove(key)),
            Op::Append(data) => next.log.extend(data),
            Op::AdvanceHead(head) => {
                next.log.drain(..(head - next.head) as usize);
                next.head = *head;
            }
            Op::Both(key, value, data) => {
                next.keys.insert(key.clone(), value.clone());
                next.log.extend(data);
            }
        }
        next
    }
}

/// The id of every store here.
pub const ID: u128 = 77;
/// The capacity of its log.
pub const LOG: u64 = 600;

/// Commits that turn a small store over: the same keys again and again, a log
/// that is cut off at its head.
pub fn workload(count: usize, keys: usize, rng: &mut fastrand::Rng) -> Vec<Op> {
    let mut state = Contents::default();
    let mut ops = Vec::new();
    let bytes = |rng: &mut fastrand::Rng, most: usize| -> Vec<u8> {
        (0..rng.usize(1..=most)).map(|_| rng.u8(..)).collect()
    };
    while ops.len() < count {
        let key = format!("key {}", rng.usize(..keys)).into_bytes();
        let room = LOG as usize - state.log.len();
        let op = match rng.usize(..10) {
            0 if state.keys.contains_key(&key) => Op::Delete(key),
            1 | 2 if room > 90 => Op::Append(bytes(rng, 90)),
            3 if room > 90 => Op::Both(key, bytes(rng, 40), bytes(rng, 30)),
            _ if room <= 90 => Op::AdvanceHead(state.head + rng.u64(90..300)),
            _ => Op::Put(key, bytes(rng, 60)),
        };
        state = state.after(&op);
        ops.push(op);
    }
    ops
}

/// Memory for one store.
pub struct Room {
    segments: Vec<Segment>,
    logs: Vec<LogState>,
    ring: Vec<u32>,
    undo: Vec<Undo>,
    scratch: Vec<u8>,
    slots: Vec<u64>,
}

impl Room {
    pub fn new(layout: &Layout) -> Self {
        Self::large(layout, 64)
    }

    /// With an index of so many entries.
    pub fn large(layout: &Layout, entries: usize) -> Self {
        Room {
            segments: vec![Segment::default(); layout.segments as usize],
            logs: vec![LogState::default(); layout.logs as usize],
            ring: vec![0; layout.ring as usize],
            undo: vec![Undo::default(); 16],
            scratch: vec![0; 64],
            slots: vec![0; HashIndex::slots_for(entries)],
        }
    }

    pub fn lend(&mut self) -> (Memory<'_>, HashIndex<'_>) {
        let memory = Memory {
            segments: &mut self.segments,
            logs: &mut self.logs,
            ring: &mut self.ring,
            undo: &mut self.undo,
            scratch: &mut self.scratch,
        };
        (memory, HashIndex::new(&mut self.slots))
    }
}

pub fn config(nonce: u64) -> Config<'static> {
    Config {
        id: ID,
        nonce,
        segment_size: None,
        logs: &[LOG],
    }
}

pub type Opened<'a, M> = Store<'a, M, HashIndex<'a>>;

pub fn open<M: Medium>(
    medium: M,
    room: &mut Room,
) -> Result<(Opened<'_, M>, Report), Error<M::Error>> {
    let (memory, index) = room.lend();
    Store::start(medium, index, memory, Some(ID), Mode::ReadWrite)
}

pub fn apply<M: Medium>(store: &mut Opened<'_, M>, op: &Op) -> Result<(), Error<M::Error>> {
    match op {
        Op::Put(key, value) => store.put(key, value),
        Op::Delete(key) => store.delete(key),
        Op::Append(data) => store.append(0, data).map(drop),
        Op::AdvanceHead(head) => store.advance_head(0, *head),
        Op::Both(key, value, data) => {
            let mut both = store.transaction();
            both.put(key, value)?;
            both.append(0, data)?;
            both.commit()
        }
    }
}

pub fn contents<M: Medium>(store: &Opened<'_, M>) -> Result<Contents, Error<M::Error>> {
    let mut found = Contents::default();
    let mut scan = store.scan(b"");
    let mut buf = [0; 64];
    let mut keys = Vec::new();
    while let Some(entry) = scan.next(&mut buf)? {
        keys.push(entry.key.to_vec());
    }
    for key in keys {
        let mut value = [0; 512];
        let len = store.get(&key, &mut value)?.expect("scanned, not found");
        found.keys.insert(key, value[..len].to_vec());
    }
    let span = store.get_head_tail_and_capacity(0)?;
    found.head = span.head;
    found.log = vec![0; (span.tail - span.head) as usize];
    store.read(0, span.head, &mut found.log)?;
    Ok(found)
}

/// What the media of these tests fail with.
pub type Fault = indelible_embedded::Error<ChipError>;

/// A medium whose type is forgotten, so that the core is compiled once.
pub type Any<'m> = dyn Medium<Error = Fault> + 'm;

/// Opens what a power cut left; it must hold one of `legal`, without damage,
/// work on, and open again.
pub fn judge(medium: &mut Any<'_>, layout: &Layout, legal: &[Contents]) -> Result<(), String> {
    let say = |what: &str, error: Error<Fault>| format!("{what}: {error:?}");
    let mut room = Room::new(layout);
    let (mut store, report) = open(&mut *medium, &mut room).map_err(|e| say("start", e))?;
    if report.damaged > 0 {
        return Err(format!("a cut was taken for damage: {report:?}"));
    }
    let mut now = contents(&store).map_err(|e| say("reading", e))?;
    if !legal.contains(&now) {
        return Err(format!("shows {now:?}, not one of {legal:?}"));
    }
    for op in [
        Op::Put(b"after".to_vec(), b"the cut".to_vec()),
        Op::Both(b"key 1".to_vec(), b"new".to_vec(), b"line".to_vec()),
    ] {
        apply(&mut store, &op).map_err(|e| say("working on", e))?;
        now = now.after(&op);
    }
    if contents(&store).map_err(|e| say("reading again", e))? != now {
        return Err("wrong after working on".into());
    }
    let checked = store.check(&mut |_| {}).map_err(|e| say("check", e))?;
    if checked.damaged > 0 {
        return Err(format!("check: {checked:?}"));
    }
    drop(store);
    let mut room = Room::new(layout);
    let (store, report) = open(&mut *medium, &mut room).map_err(|e| say("second start", e))?;
    if report.damaged > 0 || contents(&store).map_err(|e| say("third reading", e))? != now {
        return Err("wrong after a second start".into());
    }
    Ok(())
}

/// A seed, from INDELIBLE_SEED where that is set.
pub fn seed() -> u64 {
    let seed = std::env::var("INDELIBLE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(1);
    println!("INDELIBLE_SEED={seed}");
    seed
}

/// Counts, shared with watchers.
pub type Count = Rc<Cell<u64>>;
