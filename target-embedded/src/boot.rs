//! What firmware wants at boot: a store, whatever the last power cut left of
//! making it, and nothing of anybody else's destroyed.
//!
//! Setting up is many erases and one root, so a cut in it leaves a medium that
//! is neither a store nor blank. To tell that from somebody else's bytes, and
//! to be able to give up an old store as a whole, it is done behind a **mark**:
//! a few bytes at the start of a segment that is blank, which say "until the
//! store of this nonce is there, everything here is to be erased".
//!
//! ```text
//! mark written | all else erased | new root written | mark erased
//!    old store |  reset under way: to be gone on with  | new store
//! ```
//!
//! The mark stands in a free segment of the old store, and is in the way of
//! neither store: both erase such a segment before they use it. Nobody has the
//! new store before the mark is erased, so a mark beside a store that was never
//! written to means that power may have failed in its root: it is made again.

use crate::ecc;
use core::fmt;
use indelible::checksum::crc32c;
use indelible::{
    Config, Error, Geometry, Index, Item, Layout, Medium, Memory, Mode, Operation, Report, Store,
    setup,
};

/// Named byte ranges of a mark.
mod field {
    use core::ops::Range;
    pub const MAGIC: Range<usize> = 0..8;
    pub const NONCE: Range<usize> = 8..16;
    pub const SUM: Range<usize> = 16..20;
    pub const LEN: usize = 20;
}

const MAGIC: &[u8; 8] = b"iNDreset";

/// What [`open_or_setup`] found on the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Found {
    /// A store, which was opened.
    Store,
    /// Nothing: a store was set up.
    Blank,
    /// A setup or [`factory_reset`] that was cut: it was gone on with, and the
    /// store is new.
    Unfinished,
}

/// A store that is open, what [`Store::start`] reported of it, and what was
/// found.
pub type Booted<'a, M, I> = (Store<'a, M, I>, Report, Found);

/// Why there is no store to work with; `E` is the medium's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BootError<E> {
    /// The store's error. [`Error::VersionUnsupported`] names both versions and
    /// is where a migration has its place: nothing was written. After
    /// [`Error::LedgerLost`] and [`Error::IdMismatch`] nothing was written
    /// either.
    Store(Error<E>),
    /// There are bytes on the medium that are no store's and no unfinished
    /// setup's. They are left alone; [`factory_reset`] erases them.
    Foreign {
        /// The first byte that is not blank.
        at: u64,
    },
}

impl<E> From<Error<E>> for BootError<E> {
    fn from(error: Error<E>) -> Self {
        BootError::Store(error)
    }
}

impl<E: fmt::Display> fmt::Display for BootError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(cause) => write!(f, "{cause}"),
            Self::Foreign { at } => {
                write!(
                    f,
                    "the medium is in use: byte {at} is not blank and no store's"
                )
            }
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for BootError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Store(cause) => Some(cause),
            Self::Foreign { .. } => None,
        }
    }
}

/// Opens the store on a medium; sets one up where there is nothing yet.
///
/// `config` is what a new store is made with; of one that is there only the id
/// is compared. The nonce must be random each time. Power may fail at any
/// point: the next call goes on.
///
/// Cost where a store is there: one read of 20 bytes a segment more than
/// [`Store::start`]. Where none is, the medium is read once.
///
/// ```
/// use indelible::{Config, HashIndex, StaticMemory};
/// use indelible_embedded::{Found, Nor, RamFlash, open_or_setup};
///
/// # let mut bytes = [0xFF; 64 * 1024];
/// # let flash = RamFlash::<1, 4, 1024>::new(&mut bytes);
/// let config = Config { id: 1, nonce: 0x5EED, segment_size: None, logs: &[4096] };
/// let mut memory = StaticMemory::<64, 1, 8, 16, 64>::new();
/// let mut slots = [0; 64];
/// let index = HashIndex::new(&mut slots);
/// let (mut store, report, found) = open_or_setup(Nor::new(flash)?, index, memory.lend(), &config)?;
/// assert_eq!(found, Found::Blank);
/// assert!(report.clean);
/// store.put(b"boots", b"1")?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// [`BootError::Foreign`], or those of [`Store::start`]: nothing was written
/// then, except that a store that opened was repaired.
pub fn open_or_setup<'a, M: Medium, I: Index>(
    mut medium: M,
    index: I,
    memory: Memory<'a>,
    config: &Config<'_>,
) -> Result<Booted<'a, M, I>, BootError<M::Error>> {
    let planned = Layout::plan(medium.geometry(), config).map_err(Error::Geometry)?;
    let there = Layout::read(&medium);
    let step = there.as_ref().unwrap_or(&planned).segment_size;
    let mark = find_mark(&medium, step)?;
    let found = match (there, mark) {
        (Ok(_), None) => Found::Store,
        (Ok(layout), Some(mark)) if layout.nonce == mark.nonce => {
            match used(&medium, &layout, mark.at)? {
                true => Found::Store,
                false => Found::Unfinished,
            }
        }
        (_, Some(_)) => Found::Unfinished,
        (Err(Error::NotAStore), None) => look(&medium, &planned)?,
        (Err(other), None) => return Err(other.into()),
    };
    if found != Found::Store {
        factory_reset(&mut medium, config)?;
    }
    let id = Some(config.id);
    let (mut store, report) = Store::start(medium, index, memory, id, Mode::ReadWrite)?;
    if let (Found::Store, Some(mark)) = (found, mark)
        && mark_at(store.medium(), mark.at)?.is_some()
    {
        // Still there, so its segment is still free.
        erase(store.medium_mut(), mark.at)?;
    }
    Ok((store, report, found))
}

/// Erases whatever is on a medium and makes an empty store.
///
/// Power may fail at any point: the next [`open_or_setup`] opens the old store,
/// whole, or finishes this. For the first it needs a segment of the old store
/// that is blank, which it nearly always has: `maintain` sees to it. Where none
/// is, a cut in the very first erase may damage the old store.
///
/// Leave the store first ([`Store::into_medium`]). Cost: every erase unit that
/// is not blank is erased.
///
/// # Errors
/// [`Error::Geometry`] before anything is touched, or the medium's.
pub fn factory_reset<M: Medium>(
    medium: &mut M,
    config: &Config<'_>,
) -> Result<Layout, Error<M::Error>> {
    let planned = Layout::plan(medium.geometry(), config).map_err(Error::Geometry)?;
    let old = Layout::read(medium).ok();
    let step = old.as_ref().unwrap_or(&planned).segment_size;
    let mut at = match find_mark(medium, step)? {
        Some(mark) => mark.at,
        None => place_mark(medium, old.as_ref(), &planned)?,
    };
    erase_all_but(medium, at)?;
    let first = u64::from(planned.segment_size);
    if at < first {
        // The new root comes here, so the mark moves behind it.
        let last = last_segment(&planned);
        erase(medium, last)?;
        write_mark(medium, last, planned.nonce)?;
        erase(medium, at)?;
        at = last;
    }
    setup(&mut Hidden { medium, at }, config)?;
    erase(medium, at)?;
    Ok(planned)
}

#[derive(Clone, Copy)]
struct Mark {
    at: u64,
    nonce: u64,
}

fn medium_error<E>(operation: Operation, at: u64) -> impl FnOnce(E) -> Error<E> {
    move |cause| Error::Medium {
        operation,
        at,
        cause,
    }
}

/// The mark at the start of some segment.
fn find_mark<M: Medium>(medium: &M, segment_size: u32) -> Result<Option<Mark>, Error<M::Error>> {
    let capacity = medium.geometry().capacity;
    let step = u64::from(segment_size).max(512);
    let mut at = 0u64;
    while at.saturating_add(step) <= capacity {
        if let Some(mark) = mark_at(medium, at)? {
            return Ok(Some(mark));
        }
        at = at.saturating_add(step);
    }
    Ok(None)
}

/// The mark at an address.
fn mark_at<M: Medium>(medium: &M, at: u64) -> Result<Option<Mark>, Error<M::Error>> {
    let mut bytes = [0u8; field::LEN];
    medium
        .read(at, &mut bytes)
        .map_err(medium_error(Operation::Read, at))?;
    Ok(decode(&bytes).map(|nonce| Mark { at, nonce }))
}

fn encode(nonce: u64) -> [u8; field::LEN] {
    let mut bytes = [0u8; field::LEN];
    let mut put = |range: core::ops::Range<usize>, from: &[u8]| {
        for (to, from) in bytes.get_mut(range).into_iter().flatten().zip(from) {
            *to = *from;
        }
    };
    put(field::MAGIC, MAGIC);
    put(field::NONCE, &nonce.to_le_bytes());
    let mut summed = [0u8; 16];
    for (to, from) in summed
        .iter_mut()
        .zip(MAGIC.iter().chain(&nonce.to_le_bytes()))
    {
        *to = *from;
    }
    put(field::SUM, &(!crc32c(u32::MAX, &summed)).to_le_bytes());
    bytes
}

/// The nonce in a mark that is whole.
fn decode(bytes: &[u8; field::LEN]) -> Option<u64> {
    let nonce = bytes.get(field::NONCE)?.first_chunk::<8>()?;
    let nonce = u64::from_le_bytes(*nonce);
    (encode(nonce) == *bytes).then_some(nonce)
}

/// Bytes that a mark takes: whole write units.
fn mark_len(geometry: &Geometry) -> usize {
    let unit = usize::try_from(geometry.write_unit).unwrap_or(1).max(1);
    field::LEN.div_ceil(unit).saturating_mul(unit)
}

/// The start of the last segment: never that of the first root.
fn last_segment(planned: &Layout) -> u64 {
    u64::from(planned.segments.saturating_sub(1)).saturating_mul(u64::from(planned.segment_size))
}

/// Writes a mark where it is in nobody's way: into a segment, of the old store
/// and of the new one, that is blank. The last ones first, for the new root
/// goes into the first.
fn place_mark<M: Medium>(
    medium: &mut M,
    old: Option<&Layout>,
    planned: &Layout,
) -> Result<u64, Error<M::Error>> {
    let size = u64::from(old.unwrap_or(planned).segment_size.max(1));
    let mut segment = medium.geometry().capacity.checked_div(size).unwrap_or(0);
    while let Some(lower) = segment.checked_sub(1) {
        segment = lower;
        let at = segment.saturating_mul(size);
        let aligned = at.is_multiple_of(u64::from(planned.segment_size.max(1)));
        if !aligned || first_used(medium, at, at.saturating_add(size))?.is_some() {
            continue;
        }
        // A blank segment of a store is free, and may be half erased: it is
        // erased first. Where there is no store, an erase that is cut would
        // leave what looks like somebody's bytes. There the mark is tried as it
        // is: had an earlier mark been cut here and left no trace, this one
        // does not come out whole, and the next segment is taken.
        if old.is_some() {
            erase(medium, at)?;
        }
        if write_mark(medium, at, planned.nonce).is_ok() {
            return Ok(at);
        }
    }
    let at = last_segment(planned);
    erase(medium, at)?;
    write_mark(medium, at, planned.nonce)?;
    Ok(at)
}

/// Writes a mark; fails where it is not there then.
fn write_mark<M: Medium>(medium: &mut M, at: u64, nonce: u64) -> Result<(), Error<M::Error>> {
    let geometry = medium.geometry();
    let mut bytes = [geometry.blank; 512];
    for (to, from) in bytes.iter_mut().zip(&encode(nonce)) {
        *to = *from;
    }
    let bytes = bytes.get(..mark_len(&geometry)).unwrap_or_default();
    medium
        .write(at, bytes)
        .map_err(medium_error(Operation::Write, at))?;
    medium.flush().map_err(medium_error(Operation::Flush, 0))?;
    match mark_at(medium, at)? {
        Some(mark) if mark.nonce == nonce => Ok(()),
        _ => Err(Error::Corrupt {
            item: Item::Metadata,
            at,
        }),
    }
}

/// Erases one erase unit; durable on return.
fn erase<M: Medium>(medium: &mut M, at: u64) -> Result<(), Error<M::Error>> {
    let unit = u64::from(medium.geometry().erase_unit);
    medium
        .erase(at, unit)
        .map_err(medium_error(Operation::Erase, at))?;
    medium.flush().map_err(medium_error(Operation::Flush, 0))
}

/// Whether a store beside which a mark stands was ever written to: it is more
/// than its first segment then.
fn used<M: Medium>(medium: &M, layout: &Layout, mark: u64) -> Result<bool, Error<M::Error>> {
    let Geometry {
        capacity,
        erase_unit,
        ..
    } = medium.geometry();
    let behind = mark.saturating_add(u64::from(erase_unit));
    let first = u64::from(layout.segment_size);
    Ok(first_used(medium, first, mark)?.is_some()
        || first_used(medium, behind.max(first), capacity)?.is_some())
}

/// Erases every erase unit that is not blank, but one.
fn erase_all_but<M: Medium>(medium: &mut M, kept: u64) -> Result<(), Error<M::Error>> {
    let Geometry {
        capacity,
        erase_unit,
        ..
    } = medium.geometry();
    let unit = u64::from(erase_unit).max(1);
    let mut at = 0u64;
    while at.saturating_add(unit) <= capacity {
        let end = at.saturating_add(unit);
        if at != kept && first_used(medium, at, end)?.is_some() {
            erase(medium, at)?;
        }
        at = end;
    }
    Ok(())
}

/// The first byte of a range that is not blank.
fn first_used<M: Medium>(medium: &M, from: u64, to: u64) -> Result<Option<u64>, Error<M::Error>> {
    let blank = medium.geometry().blank;
    let mut at = from;
    while at < to {
        let mut bytes = [0u8; 128];
        let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = bytes.get_mut(..left.min(128)).unwrap_or_default();
        medium
            .read(at, part)
            .map_err(medium_error(Operation::Read, at))?;
        if let Some(used) = part.iter().position(|byte| *byte != blank) {
            return Ok(Some(at.saturating_add(u64::try_from(used).unwrap_or(0))));
        }
        at = at.saturating_add(128);
    }
    Ok(None)
}

/// What is on a medium that holds no store and no mark.
fn look<M: Medium>(medium: &M, planned: &Layout) -> Result<Found, BootError<M::Error>> {
    let capacity = medium.geometry().capacity;
    let size = u64::from(planned.segment_size.max(1));
    let len = u64::try_from(mark_len(&medium.geometry())).unwrap_or(u64::MAX);
    let mut found = Found::Blank;
    let mut from = 0u64;
    while let Some(at) = first_used(medium, from, capacity)? {
        found = Found::Unfinished;
        let segment = at.saturating_sub(at.checked_rem(size).unwrap_or(0));
        // Either a mark was cut, or a setup without one in its first root,
        // which never was one then.
        from = if segment >= from && torn_mark(medium, segment)? {
            segment.saturating_add(len)
        } else if segment == 0 && begun_root(medium)? {
            size
        } else {
            return Err(BootError::Foreign { at });
        };
    }
    Ok(found)
}

/// Whether the bytes at `at` are what a cut leaves of a mark: no bit of its
/// first eight bytes programmed that the mark leaves blank, or a unit that
/// cannot be read.
fn torn_mark<M: Medium>(medium: &M, at: u64) -> Result<bool, Error<M::Error>> {
    let geometry = medium.geometry();
    let mut found = [0u8; 512];
    let unit = usize::try_from(geometry.write_unit).unwrap_or(1);
    let found = found.get_mut(..unit.max(MAGIC.len())).unwrap_or_default();
    medium
        .read(at, found)
        .map_err(medium_error(Operation::Read, at))?;
    let mut unreadable = [0u8; 512];
    ecc::unreadable(0, &mut unreadable);
    let blank = geometry.blank;
    let subset = found
        .iter()
        .zip(MAGIC)
        .all(|(found, mark)| (found ^ blank) & !(mark ^ blank) == 0);
    Ok(subset || unreadable.starts_with(found))
}

/// Whether the medium starts with the header of a store that was never used.
fn begun_root<M: Medium>(medium: &M) -> Result<bool, Error<M::Error>> {
    let mut found = [0u8; 5];
    medium
        .read(0, &mut found)
        .map_err(medium_error(Operation::Read, 0))?;
    Ok(found == [b'i', b'N', b'D', b'L', indelible::VERSION])
}

/// A medium on which the mark does not show, so that a setup leaves it alone.
struct Hidden<'m, M> {
    medium: &'m mut M,
    at: u64,
}

impl<M: Medium> Medium for Hidden<'_, M> {
    type Error = M::Error;

    fn geometry(&self) -> Geometry {
        self.medium.geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), M::Error> {
        self.medium.read(at, buf)?;
        let Geometry {
            erase_unit, blank, ..
        } = self.medium.geometry();
        let hidden = self.at..self.at.saturating_add(u64::from(erase_unit));
        for (at, byte) in (at..).zip(buf) {
            if hidden.contains(&at) {
                *byte = blank;
            }
        }
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), M::Error> {
        self.medium.write(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), M::Error> {
        self.medium.erase(at, len)
    }

    fn will_flush(&mut self) {
        self.medium.will_flush();
    }

    fn flush(&mut self) -> Result<(), M::Error> {
        self.medium.flush()
    }
}
