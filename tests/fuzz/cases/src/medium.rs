//! A medium in memory, and a store on it with all the memory that it asks for.

use core::cell::Cell;
use core::ops::Range;

use indelible::{Error, Geometry, HashIndex, Kv, Layout, Medium, Memory, Mode, Report};

/// Bytes that one run may read, write and erase, and calls counted as 64 each.
/// The largest input is far from needing them: a run that does is stuck.
const WORK_MAX: u64 = 1 << 32;

/// A medium in memory that knows what it was asked to do.
pub struct Image {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub geometry: Geometry,
    /// Whether it can be borrowed from, as a mapped file can.
    pub mapped: bool,
    /// Whether it was written to or erased.
    pub written: bool,
    work: Cell<u64>,
}

/// The only way in which this medium fails.
#[derive(Debug)]
pub struct OutOfRange;

impl Image {
    /// A medium that holds `bytes`.
    pub fn new(bytes: Vec<u8>, geometry: Geometry) -> Self {
        let geometry = Geometry {
            capacity: bytes.len() as u64,
            ..geometry
        };
        Self {
            bytes,
            geometry,
            mapped: false,
            work: Cell::new(0),
            written: false,
        }
    }

    fn range(&self, at: u64, len: usize) -> Result<Range<usize>, OutOfRange> {
        let work = self.work.get() + len as u64 + 64;
        assert!(work < WORK_MAX, "the store does not come to an end");
        self.work.set(work);
        let begin = usize::try_from(at).map_err(|_| OutOfRange)?;
        let end = begin
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(OutOfRange)?;
        Ok(begin..end)
    }
}

impl Medium for Image {
    type Error = OutOfRange;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), OutOfRange> {
        let range = self.range(at, buf.len())?;
        buf.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        let range = self.range(at, len).ok()?;
        self.mapped.then(|| &self.bytes[range])
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), OutOfRange> {
        let range = self.range(at, bytes.len())?;
        self.written = true;
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), OutOfRange> {
        let range = self.range(at, usize::try_from(len).map_err(|_| OutOfRange)?)?;
        self.written = true;
        self.bytes[range].fill(self.geometry.blank);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OutOfRange> {
        Ok(())
    }
}

/// A store on it.
pub type Opened<'a> = Kv<'a, &'a mut Image, HashIndex<'a>>;
/// What its operations return.
pub type Outcome<T = ()> = Result<T, Error<OutOfRange>>;

/// Opens the store on `image` with all the memory that it asks for, and lets
/// `work` use it.
///
/// # Errors
/// What opening or `work` failed with.
///
/// # Panics
/// Where the image asks for more memory than it can have a use for.
pub fn open(
    image: &mut Image,
    mode: Mode,
    work: impl FnOnce(Opened<'_>, Report) -> Outcome,
) -> Outcome {
    let layout = Layout::read(image)?;
    assert!(
        layout.segments as usize <= image.bytes.len() && layout.ring <= layout.segments,
        "{layout:?} asks for memory beyond measure on {} bytes",
        image.bytes.len()
    );
    image.geometry = Geometry {
        capacity: image.geometry.capacity,
        ..layout.geometry
    };
    let mut segments = vec![Default::default(); layout.segments as usize];
    let mut logs = vec![Default::default(); layout.logs as usize];
    let mut ring = vec![Default::default(); layout.ring as usize];
    let mut undo = vec![Default::default(); 64];
    let mut scratch = vec![0; layout.key_max as usize];
    // No record is shorter than 16 bytes.
    let mut slots = vec![0; HashIndex::slots_for(image.bytes.len() / 16)];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let (store, report) = Kv::start(image, HashIndex::new(&mut slots), memory, None, mode)?;
    work(store, report)
}
