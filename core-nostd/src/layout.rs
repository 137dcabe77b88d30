//! How a medium is divided, and whether it is large enough.

use crate::device::Device;
use crate::error::{Error, GeometryError, Operation};
use crate::fault::{Fault, What};
use crate::format::checkpoint::{LOGS_MAX, body_len};
use crate::format::frame::{Kind, frame_len};
use crate::format::header::{Origin, Parsed, Stream, decode};
use crate::format::shape::{HEADER, Shape, WRITE_UNIT_MAX, is_known};
use crate::index::LOC_MAX;
use crate::ledger::roots::Survey;
use crate::math::Saturate;
use crate::medium::{Geometry, Medium, Order};

/// What [`crate::setup`] decides.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config<'c> {
    /// The user's name for the store, asked for again at start.
    pub id: u128,
    /// A random number: tells this store's bytes from any earlier one's.
    pub nonce: u64,
    /// Bytes of a segment, a multiple of the erase unit; chosen where `None`.
    pub segment_size: Option<u32>,
    /// The guaranteed capacity of each log in bytes.
    pub logs: &'c [u64],
}

/// Segments that the record streams need besides live data: the open ledger
/// and cold segments, their successors, and one for recovery.
pub(crate) const RESERVE: u32 = 5;
/// The least segments for records.
const RECORD_SEGMENTS_MIN: u32 = 8;
/// More segments than this make start and checkpoints slow; chosen sizes
/// stay below.
const SEGMENTS_WANTED: u64 = 1024;

/// The sizes of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Layout {
    /// The geometry, as recorded on the medium.
    pub geometry: Geometry,
    /// Random number of this store.
    pub nonce: u64,
    /// Bytes of a segment.
    pub segment_size: u32,
    /// How many segments there are: the length of the lent segment table.
    pub segments: u32,
    /// How many logs there are: the length of the lent log table.
    pub logs: u32,
    /// Length of the lent table from log positions to segments.
    pub ring: u32,
    /// Bytes of records (keys, values and their framing) that fit.
    pub kv_capacity: u64,
    /// The longest key in bytes; the lent scratch may allow less.
    pub key_max: u32,
}

/// Segments that a log of `capacity` bytes may span.
pub(crate) fn log_segments(shape: &Shape, capacity: u64) -> u32 {
    let payload = u64::from(shape.log_payload.max(1));
    let whole = capacity.plus(payload.minus(1)).over(payload);
    u32::try_from(whole).unwrap_or(u32::MAX).plus(1)
}

/// Ledger segments from one root to the next where the store is full, which
/// its capacity reckons with: checkpoints stay near 3 % of what is written.
pub(crate) fn root_interval(shape: &Shape, logs: u32, record_segments: u32) -> u32 {
    let bytes = checkpoint_len(shape, logs);
    let wanted = u64::from(bytes)
        .times(32)
        .over(u64::from(shape.payload().max(1)));
    u32::try_from(wanted)
        .unwrap_or(u32::MAX)
        .within(1, (record_segments >> 3).max(1))
}

pub(crate) fn checkpoint_len(shape: &Shape, logs: u32) -> u32 {
    frame_len(shape, Kind::Checkpoint, 0, body_len(shape.segments, logs))
}

/// Bytes that the logs' remainders take at most in a root.
pub(crate) fn remainders_len(shape: &Shape, logs: u32) -> u32 {
    let body = crate::multilog::WIDE.plus(shape.unit);
    frame_len(shape, Kind::LogWide, 0, body).times(logs)
}

/// Record bytes that `segments` guarantee when no frame is longer than
/// `frame_max`: what relocation can always pack again.
pub(crate) fn record_capacity(
    shape: &Shape,
    record_segments: u32,
    interval: u32,
    frame_max: u32,
) -> u64 {
    let usable = record_segments.minus(RESERVE).minus(interval.minus(1));
    // Every relocation begins with a run frame, and may leave less than the
    // longest frame unused at the segment's end.
    let lost = frame_max.plus(frame_len(shape, Kind::Run, 0, 8));
    u64::from(usable).times(u64::from(shape.payload().minus(lost)))
}

/// Whether a root can tell of all segments: a store may grow until its
/// checkpoint takes half of one, twice of what it is set up with.
fn tells(shape: &Shape, logs: u32) -> bool {
    let bytes = checkpoint_len(shape, logs);
    let with_remainders = bytes.plus(remainders_len(shape, logs));
    let half = shape.payload() >> 1;
    bytes <= half && with_remainders <= half.plus(half >> 1)
}

fn check_units(geometry: &Geometry) -> Result<(), GeometryError> {
    if !is_known(geometry) {
        return Err(GeometryError::Ordered);
    }
    let unit = geometry.write_unit;
    if !unit.is_power_of_two() || unit > WRITE_UNIT_MAX {
        return Err(GeometryError::WriteUnit(unit));
    }
    let erase = geometry.erase_unit;
    if !erase.is_power_of_two() || erase < unit.max(8) {
        return Err(GeometryError::EraseUnit(erase));
    }
    Ok(())
}

/// The smallest segment of a geometry that holds anything useful.
fn segment_min(geometry: &Geometry) -> u32 {
    let unit = geometry.write_unit.max(8);
    unit.times(16).max(512).round_up(geometry.erase_unit)
}

impl Layout {
    /// The layout that a configuration gives on a geometry.
    ///
    /// # Errors
    /// Which part of the geometry or configuration does not work, and the
    /// limit.
    pub fn plan(geometry: Geometry, config: &Config<'_>) -> Result<Layout, GeometryError> {
        check_units(&geometry)?;
        if config.logs.len() > LOGS_MAX {
            return Err(GeometryError::Logs {
                found: config.logs.len(),
                max: LOGS_MAX,
            });
        }
        let min = segment_min(&geometry);
        if let Some(size) = config.segment_size {
            let aligned = size.modulo(geometry.erase_unit) == 0;
            if size < min || !aligned || size > 1 << 30 {
                return Err(GeometryError::SegmentSize { found: size, min });
            }
            return Self::with_segments(geometry, config, size);
        }
        let mut size = min;
        loop {
            let many = geometry.capacity.over(u64::from(size)) > SEGMENTS_WANTED;
            match Self::with_segments(geometry, config, size) {
                Ok(layout) if !many => return Ok(layout),
                Err(GeometryError::Checkpoint { .. }) => {}
                Err(other) if !many => return Err(other),
                _ => {}
            }
            if size > 1 << 29 {
                return Self::with_segments(geometry, config, size);
            }
            size = size.times(2);
        }
    }

    fn with_segments(
        geometry: Geometry,
        config: &Config<'_>,
        size: u32,
    ) -> Result<Layout, GeometryError> {
        let shape = Shape::new(geometry, size, config.nonce);
        let mut ring = 0u32;
        for capacity in config.logs {
            ring = ring.plus(log_segments(&shape, *capacity));
        }
        let needed = ring.plus(RECORD_SEGMENTS_MIN);
        if shape.segments < needed {
            let min = u64::from(needed).times(u64::from(size));
            return Err(GeometryError::Capacity {
                found: geometry.capacity,
                min,
            });
        }
        let align = u64::from(shape.unit);
        if geometry.capacity.over(align) > LOC_MAX {
            return Err(GeometryError::TooLarge {
                max: LOC_MAX.times(align),
            });
        }
        let logs = u32::try_from(config.logs.len()).unwrap_or(u32::MAX);
        let bytes = checkpoint_len(&shape, logs);
        let max = shape.payload() >> 2;
        let with_remainders = bytes.plus(remainders_len(&shape, logs));
        if bytes > max || with_remainders > max.times(2) {
            return Err(GeometryError::Checkpoint {
                bytes: bytes.max(with_remainders >> 1).into(),
                max: max.into(),
            });
        }
        Ok(Self::of(&shape, logs, ring))
    }

    /// The layout of this store once it has grown to `capacity` bytes.
    ///
    /// # Errors
    /// Why [`Store::grow`](crate::Store::grow) would refuse:
    /// [`GeometryError::Capacity`] where it would not be larger,
    /// [`GeometryError::Segments`], [`GeometryError::TooLarge`] with
    /// [`Layout::grows_to`], and [`GeometryError::Fixed`] for ordered media.
    pub fn grown(&self, capacity: u64) -> Result<Layout, GeometryError> {
        if self.geometry.order == Order::Ordered {
            return Err(GeometryError::Fixed);
        }
        let segment_size = self.segment_size;
        let size = u64::from(segment_size);
        let min = u64::from(self.segments).plus(1).times(size);
        let found = capacity;
        if found < min {
            return Err(GeometryError::Capacity { found, min });
        }
        let max = self.grows_to();
        if found > max {
            return Err(GeometryError::TooLarge { max });
        }
        if found.modulo(size) != 0 {
            return Err(GeometryError::Segments {
                found,
                segment_size,
            });
        }
        Ok(Self::of(&self.shape_of(capacity), self.logs, self.ring))
    }

    /// The capacity in bytes that this store can grow to at most. Its segments
    /// stay as long as they are, so a store that is to grow far is set up with
    /// longer ones: they count up to a 24th of their length in bytes, less a
    /// few for the logs.
    #[must_use]
    pub fn grows_to(&self) -> u64 {
        let size = u64::from(self.segment_size.max(1));
        let unit = u64::from(self.geometry.write_unit.max(8));
        let mut most = LOC_MAX.times(unit).over(size);
        let mut least = u64::from(self.segments);
        while least < most {
            let middle = least.plus(most.minus(least).plus(1) >> 1);
            let shape = self.shape_of(middle.times(size));
            if u64::from(shape.segments) == middle && tells(&shape, self.logs) {
                least = middle;
            } else {
                most = middle.minus(1);
            }
        }
        least.times(size)
    }

    fn shape_of(&self, capacity: u64) -> Shape {
        let geometry = Geometry {
            capacity,
            ..self.geometry
        };
        Shape::new(geometry, self.segment_size, self.nonce)
    }

    /// The layout that a root tells of, on a medium that may be longer, but
    /// not shorter.
    fn surveyed<M: Medium>(
        device: &mut Device<M>,
        found: &crate::ledger::roots::Survey,
    ) -> Result<Layout, Fault<M::Error>> {
        let shape = device.shape;
        let capacity = shape.geometry.capacity;
        let needed = u64::from(found.segments).times(u64::from(shape.segment_size));
        if needed > capacity {
            return Err(device.refuse(What::MediumTooSmall, 0, (needed, capacity)));
        }
        let geometry = Geometry {
            capacity: needed,
            ..shape.geometry
        };
        device.shape = Shape::new(geometry, shape.segment_size, shape.nonce);
        Ok(Self::of(&device.shape, found.logs, found.ring))
    }

    pub(crate) fn of(shape: &Shape, logs: u32, ring: u32) -> Layout {
        let records = shape.segments.minus(ring);
        let interval = root_interval(shape, logs, records);
        Layout {
            geometry: shape.geometry,
            nonce: shape.nonce,
            segment_size: shape.segment_size,
            segments: shape.segments,
            logs,
            ring,
            kv_capacity: record_capacity(shape, records, interval, shape.frame_max() >> 2),
            key_max: key_max(shape),
        }
    }

    /// The smallest capacity in bytes that works for a configuration.
    #[must_use]
    pub fn minimum(geometry: Geometry, config: &Config<'_>) -> u64 {
        let mut capacity = geometry.capacity.clamp(1, 1 << 14);
        for _ in 0..64 {
            let tried = Geometry {
                capacity,
                ..geometry
            };
            match Self::plan(tried, config) {
                Ok(_) => return capacity,
                Err(GeometryError::Capacity { min, .. }) if min > capacity => capacity = min,
                Err(_) => capacity = capacity.times(2),
            }
        }
        capacity
    }

    /// Reads the layout of the store on a medium, whatever geometry the medium
    /// itself claims: only its capacity is believed.
    ///
    /// # Errors
    /// [`Error::NotAStore`], also where power failed in [`crate::setup`],
    /// [`Error::VersionUnsupported`], [`Error::LedgerLost`],
    /// [`Error::GeometryMismatch`] for an image of flash in a build without the
    /// feature `ordered`, or the medium's.
    pub fn read<M: Medium>(medium: &M) -> Result<Layout, Error<M::Error>> {
        Self::read_of(Peek(medium))
    }

    /// As [`Layout::read`], through the very type that [`Store::start`](crate::Store::start) is
    /// given, which may be a `&mut`: a program that calls nothing else with
    /// another type holds the code that reads ledgers once.
    ///
    /// # Errors
    /// As there.
    pub fn read_of<M: Medium>(medium: M) -> Result<Layout, Error<M::Error>> {
        let mut device = Device::unknown(medium);
        let found = Self::find(&mut device);
        device.told(found).map(|(layout, _)| layout)
    }

    /// As [`Layout::read`], and the root that it is from; leaves the device with
    /// the shape found.
    pub(crate) fn find<M: Medium>(
        device: &mut Device<M>,
    ) -> Result<(Layout, Survey), Fault<M::Error>> {
        let capacity = device.medium.geometry().capacity;
        let mut version = None;
        let mut used = false;
        let mut tried: heapless::Vec<(u64, u32), 4> = heapless::Vec::new();
        let step = 256u64;
        let mut at = 0u64;
        while at < capacity {
            match peek(&device.medium, at)? {
                Parsed::Header { header, origin, .. } if sound(&origin, header.index, at) => {
                    if !is_known(&origin.geometry(capacity)) {
                        return Err(Fault::plain(What::GeometryMismatch));
                    }
                    let key = (origin.nonce, origin.segment_size);
                    if !tried.contains(&key) {
                        let _ = tried.push(key);
                        device.shape = Shape::new(
                            origin.geometry(capacity),
                            origin.segment_size,
                            origin.nonce,
                        );
                        if let Some(found) = crate::ledger::roots::survey(device)? {
                            return Ok((Self::surveyed(device, &found)?, found));
                        }
                        used |= crate::ledger::roots::ever_used(device)?;
                    }
                }
                Parsed::OtherVersion(found) => version = Some(found),
                _ => {}
            }
            at = at.plus(step);
        }
        match version {
            Some(found) => Err(Fault::at(What::VersionUnsupported, found.into())),
            None if used => Err(Fault::plain(What::LedgerLost)),
            None => Err(Fault::plain(What::NotAStore)),
        }
    }

    /// About how many records the medium holds, dead ones too: a guess at what
    /// an index needs at start, from the header of each segment and the frames
    /// of a few.
    ///
    /// # Errors
    /// The medium's.
    pub fn estimate_records<M: Medium>(&self, medium: &M) -> Result<u64, Error<M::Error>> {
        let shape = Shape::new(self.geometry, self.segment_size, self.nonce);
        let device = Device::new(Peek(medium), shape);
        device.told(self.count_records(&device))
    }

    fn count_records<M: Medium>(&self, device: &Device<M>) -> Result<u64, Fault<M::Error>> {
        let shape = device.shape;
        let (mut used, mut seen, mut records) = (0u64, 0u64, 0u64);
        for segment in 0..shape.segments {
            let Parsed::Header { header, origin, .. } =
                peek(&device.medium, shape.address(segment, 0))?
            else {
                continue;
            };
            if header.stream == Stream::Log || origin.nonce != self.nonce {
                continue;
            }
            used = used.plus(1);
            if !used.is_power_of_two() {
                continue;
            }
            seen = seen.plus(1);
            let mut at = shape.start;
            while let Some(frame) = device.parse(segment, header.seq, at, shape.link_at)? {
                records = records.plus(frame.kind.keyed().into());
                at = frame.end();
            }
        }
        Ok(records.times(used).over(seen))
    }
}

pub(crate) fn key_max(shape: &Shape) -> u32 {
    (shape.frame_max() >> 1).min(u32::from(u16::MAX))
}

fn sound(origin: &Origin, index: u32, at: u64) -> bool {
    origin.segment_size >= 256
        && origin.segment_size.modulo(origin.erase_unit) == 0
        && u64::from(index).times(u64::from(origin.segment_size)) == at
}

/// What a header at an address says.
pub(crate) fn peek<M: Medium>(medium: &M, at: u64) -> Result<Parsed, Fault<M::Error>> {
    let mut bytes = [0u8; HEADER as usize];
    if at.plus(u64::from(HEADER)) > medium.geometry().capacity {
        return Ok(Parsed::None);
    }
    let read = medium.read(at, &mut bytes);
    read.map_err(|cause| Fault::at(What::Medium(Operation::Read, cause), at))?;
    Ok(decode(&bytes))
}

/// A medium that is only looked at.
pub(crate) struct Peek<'m, M>(pub &'m M);

impl<M: Medium> Medium for Peek<'_, M> {
    type Error = M::Error;
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(at, buf)
    }
    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.0.borrow(at, len)
    }
    fn will_read(&self, at: u64, len: usize) {
        self.0.will_read(at, len);
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn erase(&mut self, _: u64, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        self.0.crc32c(state, bytes)
    }
}
