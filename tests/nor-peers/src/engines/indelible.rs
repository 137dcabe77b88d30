//! Indelible, over the core's trait, with a buffer for the record being read.

use indelible::index::Saving;
use indelible::{
    Config, Error, Geometry, GeometryError, HashIndex, Layout, Medium, Memory, Mode, Order, Undo,
    setup,
};

use indelible_embedded::Buffered;

use crate::engine::{Engine, Fault, Key, Plan, RECORD, Store, VALUE_MAX, Work};
use crate::nor::{Flash, Refused};

/// Changes in a transaction.
const UNDO: usize = 8;
/// Bytes of records that are dropped when the log is full.
const DROPPED: u64 = 4096;

/// Indelible's core.
pub struct Indelible;

/// The same, closed after each session, which saves the index.
pub struct Closed;

impl Medium for Flash {
    type Error = Refused;

    fn geometry(&self) -> Geometry {
        let shape = self.shape();
        Geometry {
            capacity: shape.capacity() as u64,
            write_unit: shape.word as u32,
            erase_unit: shape.sector as u32,
            blank: 0xFF,
            order: Order::Ordered,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Refused> {
        Flash::read(self, at as usize, buf)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Refused> {
        self.program(at as usize, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Refused> {
        Flash::erase(self, at as usize, len as usize)
    }

    fn flush(&mut self) -> Result<(), Refused> {
        Ok(())
    }
}

/// Longer than any record of the workloads.
const BUFFER: usize = 64;

type Buffer = Buffered<Flash, BUFFER>;
type Open<'a> = indelible::Kv<'a, Buffer, Saving<HashIndex<'a>>>;

struct Session<'a> {
    store: Open<'a>,
    ram: usize,
}

fn config(logs: &[u64], segment_size: u32) -> Config<'_> {
    Config {
        id: 1,
        nonce: 0x5EED,
        segment_size: Some(segment_size),
        logs,
    }
}

/// The smallest segment, whole sectors, whose checkpoint is not too large.
fn segment_size(flash: &Flash) -> u32 {
    let mut size = flash.shape().sector as u32;
    while matches!(
        Layout::plan(flash.geometry(), &config(&[], size)),
        Err(GeometryError::Checkpoint { .. })
    ) {
        size *= 2;
    }
    size
}

/// The largest log that leaves the room that `keys` keys need.
fn log_capacity(flash: &Flash, segment: u32, keys: usize) -> u64 {
    let room = (keys * 2 * (16 + VALUE_MAX + 8)) as u64;
    let fits = |capacity: u64| {
        Layout::plan(flash.geometry(), &config(&[capacity], segment))
            .is_ok_and(|layout| layout.kv_capacity >= room)
    };
    let (mut least, mut most) = (0, flash.shape().capacity() as u64);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if fits(middle) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

impl Engine for Indelible {
    fn name(&self) -> String {
        "indelible".into()
    }

    fn note(&self) -> &'static str {
        "a segment a sector (two or more where its checkpoint needs it), hash index; RAM is 24 bytes a segment, 9.4 a key, 40 a change of a transaction, 88 for a buffer"
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        (word > 512).then_some("words up to 512 bytes")
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn has_log(&self) -> bool {
        true
    }

    fn format(&self, flash: &Flash, plan: Plan) -> Result<(), Fault> {
        let segment = segment_size(flash);
        let logs = if plan.log {
            vec![log_capacity(flash, segment, plan.keys)]
        } else {
            Vec::new()
        };
        setup(&mut flash.clone(), &config(&logs, segment))
            .map(|_| ())
            .map_err(Fault::of)
    }

    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        session(flash, plan, false, work)
    }
}

impl Engine for Closed {
    fn name(&self) -> String {
        "indelible, closed".into()
    }

    fn closes(&self) -> bool {
        true
    }

    fn note(&self) -> &'static str {
        "a close behind each session, which saves the index: 8 bytes a slot"
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        Indelible.refuses_word(word)
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn has_log(&self) -> bool {
        true
    }

    fn format(&self, flash: &Flash, plan: Plan) -> Result<(), Fault> {
        Indelible.format(flash, plan)
    }

    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        session(flash, plan, true, work)
    }
}

/// Opens the store, does `work`, and closes it or leaves it as a power failure
/// would.
fn session(flash: &Flash, plan: Plan, close: bool, work: &mut Work<'_>) -> Result<(), Fault> {
    let layout = Layout::read(flash).map_err(Fault::of)?;
    let mut segments = vec![indelible::Segment::default(); layout.segments as usize];
    let mut logs = vec![indelible::LogState::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Undo::default(); UNDO];
    let mut scratch = [0; size_of::<Key>()];
    let mut slots = vec![0; HashIndex::slots_for(plan.keys)];
    let ram = size_of::<Open<'_>>()
        + size_of_val(&*segments)
        + size_of_val(&*logs)
        + size_of_val(&*ring)
        + size_of_val(&*undo)
        + scratch.len()
        + size_of_val(&*slots);
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let index = Saving(HashIndex::new(&mut slots));
    let (store, report) = Open::start(
        Buffered::new(flash.clone()),
        index,
        memory,
        Some(1),
        Mode::ReadWrite,
    )
    .map_err(Fault::of)?;
    if report.damaged != 0 {
        return Err(Fault::Failed(format!("{:?}", report.damages)));
    }
    let mut session = Session { store, ram };
    work(&mut session)?;
    if close {
        session.store.close().map_err(Fault::of)?;
    }
    Ok(())
}

impl Session<'_> {
    /// Makes room in the log, and appends.
    fn append_behind(&mut self, record: &[u8; RECORD]) -> Result<u64, Error<Refused>> {
        let span = self.store.get_head_tail_and_capacity(0)?;
        let head = (span.head + DROPPED.max(RECORD as u64)).min(span.tail);
        self.store.advance_head(0, head)?;
        self.store.append(0, record)
    }
}

impl Store for Session<'_> {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        self.store.get(key, value).map_err(Fault::of)
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        self.store.put(key, value).map_err(Fault::of)
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        self.store.delete(key).map_err(Fault::of)
    }

    fn put_all(&mut self, changes: &[(Key, Vec<u8>)]) -> Result<(), Fault> {
        let mut transaction = self.store.transaction();
        for (key, value) in changes {
            transaction.put(key, value).map_err(Fault::of)?;
        }
        transaction.commit().map_err(Fault::of)
    }

    fn append(&mut self, record: &[u8; RECORD]) -> Result<(), Fault> {
        let appended = match self.store.append(0, record) {
            Err(Error::LogFull { .. }) => self.append_behind(record),
            other => other,
        };
        appended.map(|_| ()).map_err(Fault::of)
    }

    fn records(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        let span = self
            .store
            .get_head_tail_and_capacity(0)
            .map_err(Fault::of)?;
        // As many at a time as a small buffer holds: checksums cover more than one.
        let mut records = [0; 64 * RECORD];
        let mut at = span.head;
        while at < span.tail {
            let len = records.len().min((span.tail - at) as usize);
            let records = &mut records[..len];
            self.store.read(0, at, records).map_err(Fault::of)?;
            records.chunks(RECORD).for_each(&mut *visit);
            at += len as u64;
        }
        Ok(())
    }

    fn ram(&self) -> usize {
        self.ram
    }
}
