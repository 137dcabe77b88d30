//! Persistent memory, mapped: a commit is stores, write-backs of cache lines
//! and one fence, without a system call.
//!
//! # What it promises
//!
//! On Linux:
//!
//! * **Files on DAX file systems** are mapped with `MAP_SHARED_VALIDATE |
//!   MAP_SYNC`. The system grants that only where stores that are written back
//!   are durable without a call, so where it is refused
//!   [`FileError::NotDax`] says why, and nothing is ever taken for persistent
//!   memory that is not. [`AnyMedium`](crate::AnyMedium) can use the file
//!   medium instead.
//! * **DAX devices** (`/dev/daxX.Y`) are mapped whole, without a file system.
//! * **Volatile memory** ([`PmemMedium::open_volatile`]) is for benches and for
//!   programs that want a store that survives them and not the machine: the
//!   same instructions over `/dev/shm`. It has to be asked for by name. A new
//!   one is made of large pages, where the system has them.
//! * Writes are stored in the cache in aligned 8-byte words; a line is written
//!   back once it is full, the last line with the end of a commit. Runs of
//!   [`STREAM_MIN`] bytes and more go past the cache but for their first and last
//!   line. The flush ends in a fence.
//! * The instruction is the best that the processor has: `clwb`,
//!   `clflushopt`, `clflush`; `dc cvap` on aarch64.
//! * On opening for writing, what a killed process left in the caches is made
//!   durable, for it is read from there: by `fdatasync` for files, by writing
//!   back every line for devices, which takes about 0.1 s for each GiB.
//!
//! On Windows ([`PmemMedium::open`] and `PmemMedium::open_view` there):
//!
//! * **Files on DAX volumes**, which the system names by `FILE_DAX_VOLUME`, are
//!   mapped, and lines written back by `RtlFlushNonVolatileMemory` without a
//!   drain, the flush ending in `RtlDrainNonVolatileFlush`. Both are looked up
//!   when a store is opened; a system without them refuses. This part has been
//!   compiled and never run, for want of such a volume.
//! * **Files on other volumes** can be mapped too: what was written is handed
//!   over page by page with `FlushViewOfFile`, then `FlushFileBuffers` waits
//!   for the disk. Stores may reach the disk earlier, in any order, as a
//!   medium without an order may. A call that fails poisons the medium, as it
//!   does the file medium.
//!
//! # Memory that fails
//!
//! A page that is poisoned, or that another program cut off the file against
//! the lock, raises `SIGBUS` when it is touched. Before a file's memory is first
//! touched through the mapping it is read once with `pread`, 32 KiB at a time,
//! where both are errors; of a window that fails only the pages that fail are
//! lost. The core is shown bytes there that are no record's. So recovery and
//! checks meet old poison as damage, contained like any other, and erasing a page
//! clears it.
//!
//! What cannot be made sound, and is not attempted: poison that appears, or a
//! file that is cut, while a store is open, and all poison on a DAX device, for
//! devices know no `pread`. There the process ends with `SIGBUS`. A handler
//! cannot repair it: the load that failed has no value to go on with, the page
//! may belong to any code in the process, and what it would map in its place
//! would be taken for the store's data. [`Reads::Positioned`] reads everything
//! by calls; the `indelible` command uses it for stores that may be damaged.
//!
//! # Caches that survive
//!
//! Where the platform writes caches to memory when power fails (eADR), lines
//! need not be written back. [`PmemMedium::trust_caches`] leaves it out, the
//! fence stays; it is refused unless every region of the machine reports the
//! persistence domain `cpu_cache`.

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
mod arm;
mod lines;
#[cfg(target_os = "linux")]
mod mapping;
#[cfg(windows)]
mod nonvolatile;
mod persist;
mod probed;
#[cfg(target_os = "linux")]
mod processor;
mod recorder;
#[cfg(windows)]
mod view;
mod words;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod x86;

use std::io;
use std::path::Path;

use indelible::{Geometry, Medium, Order};

use crate::backup::Tracker;
use crate::file::{self, Access, FileError, Lost, NotDax, Operation, OsFile, RawFile, Reads};
use crate::{HostMedium, MediumKind, sum};
use lines::Open;

#[cfg(target_os = "linux")]
pub use mapping::Mapping;
#[cfg(target_os = "linux")]
pub(crate) use mapping::{device, prefer_large};
pub use persist::Persist;
#[cfg(target_os = "linux")]
pub use processor::WriteBack;
#[cfg(windows)]
pub use view::Mapping;

pub use recorder::{LineEvent, LineJournal, LineRecorder, LineStates, Misuse};

/// Runs of this many bytes and more are stored past the cache.
///
/// Past the cache whole lines take less time at any length (for 256 bytes and
/// a fence 134 ns in place of 202, for 1 KiB 179 in place of 292; the bench
/// `pmem` prints more). But the lines at both ends, which belong to other runs
/// as well, are stored in the cache all the same, and what is read soon after
/// is better found there.
pub const STREAM_MIN: usize = 256;

/// How much is blanked at once.
const BLANK_CHUNK: usize = 4096;
static BLANK: [u8; BLANK_CHUNK] = [0; BLANK_CHUNK];

/// Persistent memory as a medium. See the [module](self).
///
/// The memory below it is a [`Mapping`], or a [`LineRecorder`] in tests.
#[derive(Debug)]
pub struct PmemMedium<P: Persist = Mapping> {
    memory: P,
    geometry: Geometry,
    access: Access,
    kind: MediumKind,
    /// Lines stored to and not yet being written back.
    open: Open,
    /// Whether anything was written since the last fence.
    outstanding: bool,
    /// Why nothing is written any more: a fence failed. `access` is for
    /// reading only then, so that writes have one thing to look at.
    poisoned: bool,
    lost: Lost,
    tracker: Tracker,
}

fn refused(why: NotDax) -> FileError {
    FileError::NotDax { why, source: None }
}

/// Bytes of a file that is to be mapped whole.
fn size_of(file: &OsFile) -> Result<usize, FileError> {
    let failed = |source| FileError::io(Operation::Open, 0, source);
    let size = file.size().map_err(failed)?;
    match usize::try_from(size) {
        Ok(0) => Err(FileError::Empty),
        Ok(size) => Ok(size),
        Err(error) => Err(failed(std::io::Error::other(error))),
    }
}

/// Whether memory can be a medium of a geometry.
pub(crate) fn holds(geometry: Geometry) -> bool {
    geometry.order == Order::Unordered
        && geometry.blank == 0
        && geometry.write_unit.is_power_of_two()
        && geometry.erase_unit.is_power_of_two()
        && geometry.erase_unit >= file::ERASE_UNIT
}

impl PmemMedium {
    /// Opens a file on a DAX file system, or a DAX device, and locks it.
    ///
    /// # Errors
    /// [`FileError::NotDax`] where it is neither and why, and those of
    /// [`FileMedium::open`](crate::FileMedium::open).
    ///
    /// ```
    /// use indelible_dax::file::{Access, FileError, NotDax, Reads};
    /// use indelible_dax::pmem::PmemMedium;
    ///
    /// let path = "/dev/shm/indelible-example";
    /// std::fs::write(path, [0; 4096])?;
    /// let refused = PmemMedium::open(path, Access::ReadWrite, Reads::Mapped);
    /// # std::fs::remove_file(path)?;
    /// assert!(matches!(refused, Err(FileError::NotDax { why: NotDax::Memory, .. })));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>, access: Access, reads: Reads) -> Result<Self, FileError> {
        let path = path.as_ref();
        #[cfg(windows)]
        let mapping = Mapping::of_file(OsFile::open(path, access)?, access, reads)?;
        #[cfg(target_os = "linux")]
        let mapping = match device(path) {
            Some(_) => Mapping::of_device(path, access)?,
            None => Mapping::of_file(OsFile::open(path, access)?, access, reads)?,
        };
        Ok(Self::of(mapping, access))
    }

    /// Maps a file that is already open.
    ///
    /// # Errors
    /// As for [`PmemMedium::open`].
    pub fn of_file(file: OsFile, access: Access, reads: Reads) -> Result<Self, FileError> {
        Ok(Self::of(Mapping::of_file(file, access, reads)?, access))
    }

    /// Opens a file on any volume, mapped: its pages are written to the disk by
    /// the system, `FlushViewOfFile` and then `FlushFileBuffers` a commit.
    /// Reads are as fast as those of memory, where the file medium has a call
    /// for each on Windows.
    ///
    /// # Errors
    /// As for [`FileMedium::open`](crate::FileMedium::open).
    #[cfg(windows)]
    pub fn open_view(path: impl AsRef<Path>, access: Access) -> Result<Self, FileError> {
        let file = OsFile::open(path.as_ref(), access)?;
        Ok(Self::of(Mapping::view(file, access)?, access))
    }

    /// Opens a file as memory that is lost with the power, such as one in
    /// `/dev/shm`. Nothing in it is durable.
    ///
    /// # Errors
    /// As for [`PmemMedium::open`].
    #[cfg(target_os = "linux")]
    pub fn open_volatile(path: impl AsRef<Path>, access: Access) -> Result<Self, FileError> {
        let file = OsFile::open(path.as_ref(), access)?;
        Ok(Self::of(Mapping::volatile(file, access)?, access))
    }

    fn of(mapping: Mapping, access: Access) -> Self {
        let kind = mapping.kind();
        let geometry = file::geometry(mapping.size() as u64);
        Self::assemble(mapping, geometry, access, kind)
    }

    /// Leaves out write-backs; see the [module](self).
    ///
    /// # Errors
    /// [`FileError::NotDax`] where the machine does not report such caches.
    #[cfg(target_os = "linux")]
    pub fn trust_caches(&mut self) -> Result<(), FileError> {
        self.memory.trust_caches()
    }

    /// The bytes from `at` in place, without having been read by a call
    /// before: memory that fails ends the process. `None` beyond the end.
    #[must_use]
    #[inline]
    pub fn borrow_unchecked(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.check_range(at, len as u64).ok()?;
        self.memory.borrow_unchecked(at as usize, len)
    }
}

impl<P: Persist> PmemMedium<P> {
    /// A medium over memory of another kind: the way in for a
    /// [`LineRecorder`].
    ///
    /// # Errors
    /// [`FileError::Short`] where the memory is smaller than the geometry;
    /// [`FileError::NotDax`] for a geometry that is not that of memory.
    pub fn over(memory: P, geometry: Geometry, access: Access) -> Result<Self, FileError> {
        let mut medium = Self::assemble(memory, geometry, access, MediumKind::Volatile);
        medium.adopt(geometry)?;
        Ok(medium)
    }

    fn assemble(memory: P, geometry: Geometry, access: Access, kind: MediumKind) -> Self {
        let open = Open::new(memory.line());
        Self {
            memory,
            geometry,
            access,
            kind,
            open,
            outstanding: false,
            poisoned: false,
            lost: Lost::default(),
            tracker: Tracker::default(),
        }
    }

    /// The memory below. What was not flushed may be lost, as in a power cut.
    pub fn into_memory(self) -> P {
        self.memory
    }

    /// The memory below.
    pub fn memory(&self) -> &P {
        &self.memory
    }

    #[inline]
    fn check_range(&self, at: u64, len: u64) -> Result<(), FileError> {
        file::check_range(self.geometry, at, len)
    }

    #[inline]
    fn check_write(&self, at: u64, len: u64, unit: u32) -> Result<(), FileError> {
        let inside = at
            .checked_add(len)
            .is_some_and(|end| end <= self.geometry.capacity);
        // Units are powers of two; a division would take longer than the store.
        let aligned = (at | len) & (u64::from(unit) - 1) == 0;
        if self.access == Access::ReadWrite && inside && aligned {
            return Ok(());
        }
        Err(self.why_not(at, len, unit))
    }

    /// Why something is not to be written.
    #[cold]
    fn why_not(&self, at: u64, len: u64, unit: u32) -> FileError {
        if self.poisoned {
            FileError::Poisoned
        } else if self.access == Access::ReadOnly {
            FileError::ReadOnly
        } else if let Err(error) = self.check_range(at, len) {
            error
        } else {
            FileError::Misaligned { at, len, unit }
        }
    }

    /// Stores a run that is too short to go past the cache.
    #[inline]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.memory.store(at, bytes);
        self.open.stored(at, bytes.len(), &mut self.memory);
    }

    /// Stores a long run: whole lines past the cache.
    fn put_long(&mut self, at: usize, bytes: &[u8]) {
        let line = self.memory.line();
        let head = (at.next_multiple_of(line) - at).min(bytes.len());
        let (head, rest) = bytes.split_at(head);
        let (lines, tail) = rest.split_at(rest.len() / line * line);
        self.put(at, head);
        self.memory.stream(at + head.len(), lines);
        self.put(at + head.len() + lines.len(), tail);
    }

    fn is_blank(&self, at: usize, len: usize) -> Result<bool, FileError> {
        let mut buffer = [0; BLANK_CHUNK];
        for at in (at..at + len).step_by(BLANK_CHUNK) {
            let bytes = match self.memory.borrow(at, BLANK_CHUNK) {
                Some(bytes) => bytes,
                None => {
                    self.read(at as u64, &mut buffer)?;
                    &buffer
                }
            };
            if *bytes != BLANK {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<P: Persist> HostMedium for PmemMedium<P> {
    fn adopt(&mut self, geometry: Geometry) -> Result<(), FileError> {
        if !holds(geometry) {
            return Err(FileError::NotDax {
                why: NotDax::Image,
                source: None,
            });
        }
        let size = self.memory.size() as u64;
        if size < geometry.capacity {
            return Err(FileError::Short {
                size,
                needed: geometry.capacity,
            });
        }
        self.geometry = geometry;
        Ok(())
    }

    fn resize(&mut self, capacity: u64) -> Result<(), FileError> {
        self.flush()?;
        let failed = |source| file::no_room(Operation::Grow, capacity, source);
        let from = self.geometry.capacity.min(capacity) as usize;
        let to = usize::try_from(capacity).map_err(|error| failed(io::Error::other(error)))?;
        self.memory.resize(from, to).map_err(failed)?;
        self.geometry.capacity = capacity;
        Ok(())
    }

    fn access(&self) -> Access {
        self.access
    }

    fn kind(&self) -> MediumKind {
        self.kind
    }

    fn tracker(&mut self) -> &mut Tracker {
        &mut self.tracker
    }
}

impl<P: Persist> Medium for PmemMedium<P> {
    type Error = FileError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    #[inline]
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.check_range(at, buf.len() as u64)?;
        let fetch = |at, buf: &mut [u8]| self.memory.read(at as usize, buf);
        self.lost
            .read(at, buf, self.geometry.blank, fetch)
            .map_err(|source| FileError::io(Operation::Read, at, source))
    }

    #[inline]
    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        if at.checked_add(len as u64)? > self.geometry.capacity || self.lost.any_in(at, len as u64)
        {
            return None;
        }
        self.memory.borrow(at as usize, len)
    }

    #[inline]
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.check_write(at, bytes.len() as u64, self.geometry.write_unit)?;
        self.tracker.written(at, bytes.len() as u64);
        self.outstanding = true;
        if bytes.len() < STREAM_MIN {
            self.put(at as usize, bytes);
        } else {
            self.put_long(at as usize, bytes);
        }
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), FileError> {
        self.check_write(at, len, self.geometry.erase_unit)?;
        self.tracker.erasing(at, len, |at, buf| self.read(at, buf));
        self.outstanding = true;
        let (begin, len) = (at as usize, len as usize);
        self.memory
            .revive(begin, len)
            .map_err(|source| FileError::io(Operation::Write, at, source))?;
        self.lost.erased(at, len as u64);
        if !self.memory.trusts_blanks() || !self.is_blank(begin, len)? {
            for at in (begin..begin + len).step_by(BLANK_CHUNK) {
                self.memory.stream(at, &BLANK);
            }
        }
        Ok(())
    }

    /// Lines are on their way to memory while the store is still busy with its
    /// index.
    #[inline]
    fn will_flush(&mut self) {
        self.open.write_back_all(&mut self.memory);
    }

    #[inline]
    fn flush(&mut self) -> Result<(), FileError> {
        self.check_write(0, 0, 1)?;
        if self.outstanding {
            self.open.write_back_all(&mut self.memory);
            self.memory.fence().map_err(|source| {
                self.poisoned = true;
                self.access = Access::ReadOnly;
                FileError::io(Operation::Flush, 0, source)
            })?;
            self.outstanding = false;
        }
        Ok(())
    }

    /// By the processor's own instruction, where it has one.
    #[inline]
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        sum::crc32c(state, bytes)
    }
}
