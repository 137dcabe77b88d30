//! The real store as a [`Subject`].

mod dump;
mod opened;
mod survey;

use crate::seed::mix;
use crate::sim::{Sim, SimError, Simulated};
use crate::subject::{Failure, Leave, Started, Subject, Work};
use core::sync::atomic::{AtomicU64, Ordering};
use indelible::{
    Config, Error, Geometry, Index, Layout, LogState, Medium, Memory, Mode, OrderedIndex,
    OrderedNode, Report, Segment, Store, Undo,
};
#[cfg(feature = "indexes")]
use indelible::{HashIndex, Owner, Saving, SegmentInfo, Stats};
use opened::{Open, failure};
pub use survey::Inspect;
#[cfg(feature = "indexes")]
pub use survey::Survey;

/// Which index the store works with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indexed {
    /// `HashIndex`
    #[cfg(feature = "indexes")]
    #[default]
    Hash,
    /// `OrderedIndex`
    #[cfg_attr(not(feature = "indexes"), default)]
    Ordered,
}

/// How a store is set up and opened.
#[derive(Debug)]
pub struct Real {
    /// The index.
    pub index: Indexed,
    /// Guaranteed capacities of the logs.
    pub logs: Vec<u64>,
    /// As in [`Config`].
    pub segment_size: Option<u32>,
    /// Entries that the index holds.
    pub entries: usize,
    /// Index changes that a transaction may make.
    pub changes: usize,
    /// Verify the whole store whenever it is looked at.
    pub check: bool,
    /// Segments that it is set up with, where the medium has more.
    pub begins: Option<u32>,
    /// Save the index at each close, where the feature `indexes` is on.
    pub saving: bool,
    /// Compare each index that was loaded with one that is built.
    pub compare: bool,
    setups: AtomicU64,
    loads: AtomicU64,
    resumes: AtomicU64,
}

/// The id of every store here.
pub const ID: u128 = 0x0049_6e64_656c_6962_6c65;

impl Real {
    /// A store with these logs and the index that is the default.
    pub fn new(logs: &[u64]) -> Self {
        Self {
            index: Indexed::default(),
            logs: logs.to_vec(),
            segment_size: None,
            entries: 256,
            changes: 64,
            check: true,
            begins: None,
            saving: false,
            compare: false,
            setups: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            resumes: AtomicU64::new(0),
        }
    }

    /// With an index that is saved at each close.
    pub fn saving(mut self) -> Self {
        self.saving = true;
        self
    }

    /// With each index that was loaded compared with one that is built.
    pub fn compared(mut self) -> Self {
        self.compare = true;
        self
    }

    /// How often it was opened with an index that was saved.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// How often of these behind an end that was not clean.
    pub fn resumes(&self) -> u64 {
        self.resumes.load(Ordering::Relaxed)
    }

    /// With this index.
    pub fn indexed(mut self, index: Indexed) -> Self {
        self.index = index;
        self
    }

    /// With an index of this size.
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// With segments of this size.
    pub fn segment_size(mut self, size: u32) -> Self {
        self.segment_size = Some(size);
        self
    }

    /// Set up with this many segments, on a medium that may have more: behind
    /// them it is not blank.
    pub fn begins(mut self, segments: u32) -> Self {
        self.begins = Some(segments);
        self
    }

    /// Without verifying everything at every look: faster.
    pub fn unchecked(mut self) -> Self {
        self.check = false;
        self
    }

    /// What it is set up with. No two setups of one subject share a nonce.
    fn config(&self) -> Config<'_> {
        let nonce = mix(&[self.setups.load(Ordering::Relaxed)]);
        Config {
            id: ID,
            nonce,
            segment_size: self.segment_size,
            logs: &self.logs,
        }
    }

    /// The layout on a medium of this geometry.
    ///
    /// # Errors
    /// Where the geometry does not work.
    pub fn layout(&self, sim: &Sim) -> Result<Layout, Failure> {
        Layout::plan(sim.geometry(), &self.config()).map_err(|e| Failure::Refused(e.to_string()))
    }

    /// Opens the store in `mode` and hands it to `work` with what `start` had
    /// to say.
    ///
    /// # Errors
    /// What opening, `work` or closing failed with.
    pub fn open(&self, sim: &mut Sim, mode: Mode, work: &mut Whole<'_>) -> Result<(), Failure> {
        match self.index {
            #[cfg(feature = "indexes")]
            Indexed::Hash => {
                let mut slots = vec![0; HashIndex::slots_for(self.entries)];
                self.open_or_save(sim, HashIndex::new(&mut slots), mode, work)
            }
            Indexed::Ordered => {
                let count = OrderedIndex::nodes_for(self.entries);
                let mut nodes = vec![OrderedNode::default(); count];
                self.open_or_save(sim, OrderedIndex::new(&mut nodes), mode, work)
            }
        }
    }

    fn open_or_save<I: Index>(
        &self,
        sim: &mut Sim,
        index: I,
        mode: Mode,
        work: &mut Whole<'_>,
    ) -> Result<(), Failure> {
        #[cfg(feature = "indexes")]
        if self.saving {
            return self.open_and_save(sim, index, mode, work);
        }
        self.open_with(sim, index, mode, work)
    }

    #[cfg(feature = "indexes")]
    fn open_and_save<I: Index>(
        &self,
        sim: &mut Sim,
        index: I,
        mode: Mode,
        work: &mut Whole<'_>,
    ) -> Result<(), Failure> {
        if self.compare {
            self.compare_starts(sim)?;
        }
        self.open_with(sim, Saving(index), mode, &mut |store, report| {
            if report.index_loaded {
                self.loads.fetch_add(1, Ordering::Relaxed);
            }
            if report.index_loaded && !report.clean {
                self.resumes.fetch_add(1, Ordering::Relaxed);
            }
            work(store, report)
        })
    }

    /// Compares what a start knows that loads the index with what one knows that
    /// builds it. Neither writes.
    #[cfg(feature = "indexes")]
    fn compare_starts(&self, sim: &Sim) -> Result<(), Failure> {
        let mut loaded = None;
        let loads = Self {
            saving: true,
            ..self.plain()
        };
        loads.open(&mut sim.clone(), Mode::ReadOnly, &mut |store, report| {
            if report.index_loaded && report.healed_bits == 0 {
                loaded = Some((store.stats(), store.segments()));
            }
            Ok(Leave::Drop)
        })?;
        match loaded {
            Some(loaded) => self.alike(sim.clone(), loaded),
            None => Ok(()),
        }
    }

    /// The same without a saved index.
    #[cfg(feature = "indexes")]
    fn plain(&self) -> Self {
        Self {
            entries: self.entries,
            segment_size: self.segment_size,
            begins: self.begins,
            ..Self::new(&self.logs).indexed(self.index)
        }
    }

    #[cfg(feature = "indexes")]
    fn alike(&self, mut sim: Sim, mut loaded: (Stats, Vec<SegmentInfo>)) -> Result<(), Failure> {
        for row in loaded.1.iter_mut().filter(|row| row.owner == Owner::Saved) {
            // Nobody's, for who does not load it.
            row.owner = Owner::Dirty;
        }
        self.plain()
            .open(&mut sim, Mode::ReadOnly, &mut |store, _| {
                let mut built = (store.stats(), store.segments());
                abandon_tombstones(&mut built, &loaded);
                if built == loaded {
                    return Ok(Leave::Drop);
                }
                let rows = loaded.1.iter().zip(&built.1);
                let rows: Vec<_> = rows.filter(|(loaded, built)| loaded != built).collect();
                Err(Failure::Wrong(format!(
                    "as it was loaded, and as it would be built: {:?}, {:?}, segments {rows:?}",
                    loaded.0, built.0
                )))
            })
    }

    fn open_with<I: Index>(
        &self,
        sim: &mut Sim,
        index: I,
        mode: Mode,
        work: &mut Whole<'_>,
    ) -> Result<(), Failure> {
        let layout = self.layout(sim)?;
        let mut segments = vec![Segment::default(); layout.segments as usize];
        let mut tables = vec![segments.clone(); if self.begins.is_some() { 4 } else { 0 }];
        let mut logs = vec![LogState::default(); layout.logs as usize];
        let mut ring = vec![0; layout.ring as usize];
        let mut undo = vec![Undo::default(); self.changes];
        let mut scratch = vec![0; layout.key_max as usize];
        let memory = Memory {
            segments: &mut segments,
            logs: &mut logs,
            ring: &mut ring,
            undo: &mut undo,
            scratch: &mut scratch,
        };
        let opened = Store::start(sim as &mut dyn Simulated, index, memory, Some(ID), mode);
        let (store, report) = opened.map_err(refused)?;
        let mut open = Open {
            store,
            check: self.check,
            spare: tables.iter_mut().map(Vec::as_mut_slice).collect(),
        };
        match work(&mut open, &report)? {
            Leave::Drop => Ok(()),
            Leave::Close => open.store.close().map(drop).map_err(failure),
        }
    }
}

/// The beginning of a medium.
struct Beginning<'s> {
    sim: &'s mut Sim,
    capacity: u64,
}

impl Medium for Beginning<'_> {
    type Error = SimError;

    fn geometry(&self) -> Geometry {
        let capacity = self.capacity;
        Geometry {
            capacity,
            ..self.sim.geometry()
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), SimError> {
        self.sim.read(at, buf)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SimError> {
        self.sim.write(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), SimError> {
        self.sim.erase(at, len)
    }

    fn flush(&mut self) -> Result<(), SimError> {
        self.sim.flush()
    }
}

/// What is done with a store just opened.
pub type Whole<'w> = dyn FnMut(&mut dyn Inspect, &Report) -> Result<Leave, Failure> + 'w;

impl Subject for Real {
    fn setup(&self, sim: &mut Sim) -> Result<(), Failure> {
        self.setups.fetch_add(1, Ordering::Relaxed);
        let Some(begins) = self.begins else {
            let made = indelible::setup(sim as &mut dyn Simulated, &self.config());
            return made.map(drop).map_err(refused);
        };
        let size = u64::from(self.layout(sim)?.segment_size);
        let whole = sim.geometry().capacity;
        let capacity = u64::from(begins) * size;
        let mut begin = Beginning { sim, capacity };
        let made = indelible::setup(&mut begin, &self.config()).map_err(refused)?;
        assert_eq!(u64::from(made.segment_size), size);
        for at in (capacity..whole).step_by(64) {
            sim.write(at, &[0xA5; 40])?;
        }
        Ok(sim.flush()?)
    }

    fn session(&self, sim: &mut Sim, work: &mut Work<'_>) -> Result<(), Failure> {
        self.open(sim, Mode::ReadWrite, &mut |store, report| {
            let started = Started {
                clean: report.clean,
                torn: report.torn.is_some(),
                healed_bits: u64::from(report.healed_bits),
                damaged: u64::from(report.damaged),
            };
            work(store, &started)
        })
    }
}

/// Tombstones of an aborted transaction that went on in the next segment are
/// counted until their segment is reclaimed, but not found again: so much more
/// may have been known than is built.
#[cfg(feature = "indexes")]
fn abandon_tombstones(built: &mut (Stats, Vec<SegmentInfo>), loaded: &(Stats, Vec<SegmentInfo>)) {
    for (built, loaded) in built.1.iter_mut().zip(&loaded.1) {
        built.live = built.live.max(loaded.live);
    }
    let more = loaded.0.live_bytes.saturating_sub(built.0.live_bytes);
    built.0.live_bytes += more;
    built.0.tombstone_bytes += more;
}

/// Why a store does not start.
fn refused(error: Error<SimError>) -> Failure {
    match error {
        Error::Medium { cause, .. } => Failure::Medium(cause),
        other => Failure::Refused(other.to_string()),
    }
}
