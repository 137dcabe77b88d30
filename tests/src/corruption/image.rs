//! The image that is damaged.

use super::blow::{Blow, Content};
use super::look::{Opened, Visit, open};
use crate::explorer::Run;
use crate::script::{
    Op, Step, Workload, advance_head, append, append_step, delete, delete_step, list_append_step,
    put, put_step,
};
use crate::sim::Sim;
use crate::spec::Contents;
use crate::store::Real;
use crate::subject::{Failure, Leave, Subject};
use core::ops::Range;
use indelible::{Geometry, Index, Mode, Order, Owner, Report, Stats};
use std::sync::Arc;

/// A store with keys, lists and logs in it, and what it held over time.
#[derive(Debug)]
pub struct Populated {
    /// What it lies on.
    pub geometry: Geometry,
    /// Its bytes.
    pub image: Vec<u8>,
    /// What it held after each acknowledged operation, the newest last.
    pub history: Vec<Arc<Contents>>,
    /// Every key that was ever in it.
    pub keys: Vec<Vec<u8>>,
    /// Whether it was closed.
    pub closed: bool,
    /// The state of its space.
    pub stats: Stats,
    /// Every segment and frame, in words.
    pub map: String,
    /// Where the newest transaction stands.
    pub newest: Range<u64>,
    /// The end of the ledger.
    pub tail: u64,
}

/// Guaranteed capacities of the logs.
const LOGS: [u64; 2] = [3000, 1500];

/// A medium for the campaign: a few small segments.
pub fn medium(order: Order, write_unit: u32) -> Geometry {
    let erase_unit = if write_unit > 32 { 4096 } else { 1024 };
    let segment = u64::from(erase_unit).max(2048);
    let segments = if write_unit > 4 { 22 } else { 19 };
    Geometry {
        capacity: segments * segment,
        write_unit,
        erase_unit,
        blank: if order == Order::Ordered { 0xFF } else { 0x00 },
        order,
    }
}

impl Populated {
    /// Fills a store until it has been reclaiming for a while.
    ///
    /// # Errors
    /// Where the store does not do what it should while it is filled.
    pub fn new(geometry: Geometry, closed: bool) -> Result<Self, Failure> {
        Self::varied(geometry, closed, 0)
    }

    /// As [`Populated::new`], with other bytes, and more of them, for each
    /// seed: so groups, segments and roots end elsewhere.
    ///
    /// # Errors
    /// As there.
    pub fn varied(geometry: Geometry, closed: bool, seed: u64) -> Result<Self, Failure> {
        let ops = operations(if geometry.write_unit > 32 { 30 } else { 60 }, seed);
        Self::with(geometry, &LOGS, ops, closed)
    }

    /// A store that was filled by these operations.
    ///
    /// # Errors
    /// As [`Populated::new`].
    pub fn with(
        geometry: Geometry,
        logs: &[u64],
        ops: Vec<Op>,
        closed: bool,
    ) -> Result<Self, Failure> {
        let real = Real::new(logs).unchecked();
        let mut sim = Sim::new(geometry);
        real.setup(&mut sim)?;
        let workload = Workload::new("populating", ops.clone()).logs(logs);
        let mut run = Run::new(&real, &workload);
        let empty = Arc::new(Contents::empty(logs.len()));
        let (mut stats, mut map) = (Stats::default(), String::new());
        if closed {
            run.go(&mut sim.clone(), vec![empty], None, &ops)?;
            real.session(&mut sim, &mut |store, _| {
                for op in &ops {
                    store.apply(op)?;
                }
                Ok(Leave::Close)
            })?;
        } else {
            run.go(&mut sim, vec![empty], None, &ops)?;
        }
        let image = sim.image();
        let mut newest = Newest::default();
        let opened = open(&mut sim, Mode::ReadOnly, &mut newest);
        opened.map_err(|refused| Failure::Refused(refused.0))?;
        real.open(&mut sim, Mode::ReadOnly, &mut |store, _| {
            stats = store.stats();
            map = store.dump();
            Ok(Leave::Drop)
        })?;
        Ok(Self {
            geometry,
            image,
            history: run.spans.iter().map(|span| span.after[0].clone()).collect(),
            keys: workload.keys(),
            closed,
            stats,
            map,
            newest: newest.newest,
            tail: newest.tail,
        })
    }

    /// Whether what was acknowledged may be lost by this blow without being
    /// known as damage: where it leaves what a power cut can leave too. That is
    /// so for the newest transaction of a store that was not closed, and for
    /// all that a blank hole takes from somewhere to the ledger's end.
    pub fn looks_like_a_cut(&self, blow: &Blow) -> bool {
        let Blow::Hole { at, len, content } = *blow else {
            return false;
        };
        let hits = |place: &Range<u64>| at < place.end && place.start < at + len;
        let ends = self.tail.saturating_sub(1)..self.tail;
        !self.closed && hits(&self.newest) || content == Content::Blank && hits(&ends)
    }

    /// What it holds.
    pub fn truth(&self) -> &Contents {
        &self.history[self.history.len() - 1]
    }

    /// Bytes that are not blank.
    pub fn used(&self) -> usize {
        let blank = self.geometry.blank;
        self.image.iter().filter(|byte| **byte != blank).count()
    }

    /// Segments opened as roots that are still there, and all openings so far.
    pub fn roots(&self) -> (usize, u32) {
        let size = self.image.len() / self.stats.segments as usize;
        let heads = self.image.chunks(size);
        let heads: Vec<_> = heads.filter(|head| head.starts_with(b"iNDL")).collect();
        let roots = heads.iter().filter(|head| head[5] & 0b1100 == 0).count();
        let number = |head: &&&[u8]| u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
        (
            roots,
            heads.iter().map(|head| number(&head)).max().unwrap_or(0),
        )
    }
}

/// Finds the end of the ledger, and the newest transaction.
#[derive(Default)]
struct Newest {
    newest: Range<u64>,
    tail: u64,
}

impl Visit for Newest {
    fn visit<I: Index>(&mut self, store: &mut Opened<'_, '_, I>, _: &Report) {
        let layout = store.layout();
        let rows = (0..layout.segments).map(|segment| (store.segment_info(segment), segment));
        let ledger = rows.filter(|(row, _)| row.owner == Owner::Ledger);
        let Some((row, segment)) = ledger.max_by_key(|(row, _)| row.seq) else {
            return;
        };
        let base = u64::from(segment) * u64::from(layout.segment_size);
        self.tail = base + u64::from(row.used);
        let read = store.inspect_segment(segment, &mut |frame| {
            // The link slot comes last and is no part of it.
            if frame.at < row.used && frame.kind != "close" {
                let (at, end) = (base + u64::from(frame.at), frame.at + frame.len);
                let start = if frame.first { at } else { self.newest.start };
                self.newest = start..base + u64::from(end);
            }
        });
        debug_assert!(read.is_ok());
    }
}

/// Keys are written over and over, then there are records of all lengths,
/// deleted ones, lists, logs across segments, and a newest transaction over
/// everything.
fn operations(keys: usize, seed: u64) -> Vec<Op> {
    let mut rng = fastrand::Rng::with_seed(5 + seed);
    let more = rng.usize(0..=(seed % 64) as usize);
    let mut bytes = |len: usize| -> Vec<u8> { (0..len).map(|_| rng.u8(..)).collect() };
    // Some keys differ in their first eight bytes, some only behind them.
    let name = |i: usize| match i % keys {
        i if i % 2 == 0 => format!("key {i:02}").into_bytes(),
        i => format!("a longer key {i:02}").into_bytes(),
    };
    let mut ops = Vec::new();
    for i in 0..keys * 6 + more {
        // Neither in turn nor evenly: segments empty at different times.
        let key = name(i * i % 53 + i % 3);
        ops.push(put(&key, &bytes(i * 37 % 150)));
        match i % 12 {
            0 => ops.push(append(0, &bytes(150))),
            1 => ops.push(append(1, &bytes(i % 50))),
            2 => {
                ops.push(Op::Do(list_append_step(&key, &bytes(30))));
                ops.push(Op::Do(list_append_step(&key, &bytes(12))));
            }
            3 => ops.push(put(b"large", &bytes(700 + i % 600))),
            4 => ops.push(Op::Do(Step::Put {
                key: name(i),
                value: Vec::new(),
            })),
            _ => {}
        }
        if i % 40 == 39 {
            ops.push(advance_head(0, 400));
            ops.push(advance_head(1, 60));
            ops.push(delete(&key));
            ops.push(put(b"key 02", b"with a list"));
            ops.push(Op::Do(list_append_step(b"key 02", &bytes(20))));
        }
    }
    ops.push(Op::Aborted(vec![
        put_step(b"a longer key 01", b"never"),
        append_step(0, b"never"),
    ]));
    ops.push(Op::Do(Step::ListUpdate {
        key: b"key 02".to_vec(),
        index: 1,
        element: bytes(25),
    }));
    ops.push(put(b"a longer key 09", &bytes(90)));
    ops.push(put(b"a longer key 07", &bytes(64)));
    ops.push(append(1, &bytes(33)));
    ops.push(Op::Transaction(vec![
        put_step(b"key 08", &bytes(32)),
        delete_step(b"a longer key 09"),
        append_step(0, &bytes(21)),
        append_step(1, &bytes(9)),
    ]));
    ops.push(put(b"key 10", &bytes(48)));
    ops
}
