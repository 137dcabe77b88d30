//! The plain-file medium.
//!
//! # What it promises
//!
//! * **Unordered files** (the default: blank `0x00`, write unit 1, erase unit
//!   4096). Writes go to the page cache and may reach the disk in any order;
//!   [`flush`](indelible::Medium::flush) is one `fdatasync`. Adjacent small
//!   writes are joined before they become one `pwrite`, and reads see them
//!   before that.
//! * **Images of ordered media** (flash dumps: blank `0xFF` and the units that
//!   the image names). A file keeps no order of its own, so the medium makes
//!   it: what is outstanding goes out in the order issued, cut at 512-byte
//!   sectors, with an `fdatasync` after each sector and after each erased
//!   unit. All it takes from the disk is that it writes a sector whole. Small
//!   commits cost one or two `fdatasync`, large values one per 512 bytes: this
//!   is for working on images, not for speed.
//! * **Space is taken at creation.** The file is allocated and written with
//!   the blank byte, so a full disk shows then, and later commits find extents
//!   that are already written, which halves the cost of an `fdatasync` on
//!   ext4. Erasing writes zeros for the same reason: `FALLOC_FL_ZERO_RANGE`
//!   and `FALLOC_FL_PUNCH_HOLE` erase no faster than zeros are written and
//!   make each later commit there take 1.7 times as long, and a punched hole
//!   can no longer be filled once the disk is full. The bench
//!   `medium` of this crate prints the figures.
//! * **A failed write, erase or flush poisons the medium:** every later one
//!   fails with [`FileError::Poisoned`] until the file is opened again. A
//!   retried `fsync` proves nothing.
//! * **Nothing is taken for durable because it can be read.** After an `fsync`
//!   that failed, Linux takes pages for clean that are not on the disk, and a
//!   later process, which nobody tells, reads them from the cache. So an erase
//!   writes blanks over blanks as well, unless this medium itself has made and
//!   synced them (when it created the file, or made it longer). On unordered
//!   media the core relies on nothing else that it did not write itself; an
//!   image of an ordered one is written whole, as it is read, before the first
//!   flush of a session.
//! * **One store, one writer.** An exclusive lock is held as long as the file
//!   is open, a shared one where it is open for reading only. The lock is
//!   advisory: it holds between programs that ask for it, as all users of this
//!   crate do. On Windows it holds for all, also for a copy of an open store.
//! * **Other systems.** A flush is what the standard library takes for one:
//!   `fcntl(F_FULLFSYNC)` on Apple's systems, `FlushFileBuffers` on Windows.
//!   There reads are calls, for a mapping need not show what calls wrote:
//!   [`MediumChoice::View`](crate::MediumChoice::View) writes through a mapping
//!   too. Only on Linux and Windows is space taken before it is written.
//!
//! # What it asks
//!
//! The size of the file is checked when it is opened and must not shrink
//! after. Mapped reads ([`Reads::Mapped`], 25 times as fast as `pread`) raise
//! `SIGBUS` where another program truncates the file against its lock, or
//! where the disk cannot read a page. [`Reads::Positioned`] does not: what is cut
//! off is an error then, and a page that cannot be read is damage, shown to the
//! core as bytes that are no record's. The `indelible` command uses it wherever
//! it looks at a store that may be damaged.

mod blanks;
mod error;
mod heads;
mod lost;
mod memory;
mod pending;
mod raw;
mod recorder;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use indelible::{Geometry, Medium, Order};

pub use error::{FileError, NotDax, Operation};
pub use memory::MemoryFile;
pub use raw::{OsFile, RawFile, Syncer};
pub use recorder::{CrashStates, Event, Journal, Recorder, Visited};
#[cfg(any(target_os = "linux", windows))]
pub(crate) use recorder::{Piece, visit_pieces};

use crate::backup::Tracker;
use blanks::Blanks;
use heads::Heads;
pub(crate) use lost::Lost;
use pending::Pending;
pub(crate) use raw::{no_room, reserve_room, sync_folder_of, write_all_at};

/// The unit in which plain files are erased, a page.
pub const ERASE_UNIT: u32 = 4096;

const PAGE: usize = ERASE_UNIT as usize;

/// What every disk writes whole.
const SECTOR: u64 = 512;

/// Writes of this size and more are not worth a copy.
const DIRECT_MIN: usize = 32 << 10;

/// How much is written at once when a range is blanked.
const BLANK_CHUNK: usize = 256 << 10;

/// What an opened file may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing, under an exclusive lock.
    ReadWrite,
    /// Reading, under a lock shared with other readers. The file is never
    /// changed.
    ReadOnly,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// Through a shared mapping; see the [module](self) for what it asks.
    #[default]
    Mapped,
    /// With `pread`, small ones 16 KiB at a time.
    Positioned,
}

/// The geometry of a plain file of `size` bytes.
///
/// ```
/// let geometry = indelible_dax::file::geometry(4 << 20);
/// assert_eq!((geometry.write_unit, geometry.blank), (1, 0));
/// ```
#[must_use]
pub const fn geometry(size: u64) -> Geometry {
    Geometry {
        capacity: size,
        write_unit: 1,
        erase_unit: ERASE_UNIT,
        blank: 0,
        order: Order::Unordered,
    }
}

/// The geometry of an image of NOR flash.
///
/// ```
/// let geometry = indelible_dax::file::nor_geometry(1 << 20, 4, 4096);
/// assert_eq!((geometry.write_unit, geometry.blank), (4, 0xFF));
/// ```
#[must_use]
pub const fn nor_geometry(size: u64, write_unit: u32, erase_unit: u32) -> Geometry {
    Geometry {
        capacity: size,
        write_unit,
        erase_unit,
        blank: 0xFF,
        order: Order::Ordered,
    }
}

/// Whether a range lies in a medium.
#[inline]
pub(crate) fn check_range(geometry: Geometry, at: u64, len: u64) -> Result<(), FileError> {
    let capacity = geometry.capacity;
    match at.checked_add(len) {
        Some(end) if end <= capacity => Ok(()),
        _ => Err(FileError::OutOfRange { at, len, capacity }),
    }
}

/// A plain file as a medium. See the [module](self).
///
/// The file below it is [`OsFile`], or a [`Recorder`] in tests.
#[derive(Debug)]
pub struct FileMedium<F: RawFile = OsFile> {
    raw: F,
    geometry: Geometry,
    access: Access,
    /// Written by the core, not yet by `pwrite`.
    pending: Pending,
    /// Whether anything is in the page cache that may not be on the disk. So
    /// it is at first: what a killed process wrote is served from the cache.
    unsynced: bool,
    /// Whether the page cache is still what another process left: after a sync
    /// of its that failed, pages are taken for clean that are not on the disk.
    inherited: bool,
    blanks: Blanks,
    /// Whether a flush was begun that has not ended.
    flushing: bool,
    poisoned: bool,
    lost: Lost,
    heads: Heads,
    tracker: Tracker,
}

impl FileMedium {
    /// Creates a file of `geometry.capacity` bytes, allocated and blank, and
    /// locks it. The file and its folder's entry are durable on return.
    ///
    /// Nothing is left behind where it fails.
    ///
    /// # Errors
    /// [`FileError::Exists`] for a path that exists, [`FileError::NoSpace`]
    /// where the disk has no room for the whole file.
    ///
    /// ```
    /// use indelible_dax::file::{self, FileMedium};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("store");
    /// let medium = FileMedium::create(&path, file::geometry(1 << 20)).unwrap();
    /// assert!(FileMedium::create(&path, file::geometry(1 << 20)).is_err());
    /// ```
    pub fn create(path: impl AsRef<Path>, geometry: Geometry) -> Result<Self, FileError> {
        Self::create_in(path.as_ref(), geometry, |_| ())
    }

    /// As [`FileMedium::create`]; the file, still empty, is shown to `prepare`.
    pub(crate) fn create_in(
        path: &Path,
        geometry: Geometry,
        prepare: impl FnOnce(&File),
    ) -> Result<Self, FileError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => FileError::Exists,
                _ => FileError::io(Operation::Create, 0, source),
            })?;
        prepare(&file);
        let filled = OsFile::locked(file, Access::ReadWrite).and_then(|raw| {
            raw.allocate(geometry.capacity, geometry.blank)?;
            sync_folder_of(path)?;
            raw.mapped(Reads::Mapped)
        });
        match filled {
            Ok(raw) => {
                let mut medium = Self::over(raw, geometry, Access::ReadWrite)?;
                medium.inherited = false;
                medium.blanks = Blanks::only(0..geometry.capacity);
                Ok(medium)
            }
            Err(error) => {
                // The first error counts; a file that cannot be removed is
                // refused as "not a store" later.
                let _ = std::fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Opens and locks a file. Its geometry is that of a plain file until
    /// [`FileMedium::adopt`] is told what the image on it says.
    ///
    /// # Errors
    /// [`FileError::Locked`] where another process has it open,
    /// [`FileError::Empty`] and [`FileError::NotRegular`] for what cannot hold
    /// a store.
    pub fn open(path: impl AsRef<Path>, access: Access, reads: Reads) -> Result<Self, FileError> {
        Self::of_file(OsFile::open(path.as_ref(), access)?, access, reads)
    }

    /// As [`FileMedium::open`], for a file that is open and locked.
    ///
    /// # Errors
    /// [`FileError::Empty`], or what the system reports.
    pub fn of_file(file: OsFile, access: Access, reads: Reads) -> Result<Self, FileError> {
        let raw = file.mapped(reads)?;
        let size = raw
            .size()
            .map_err(|source| FileError::io(Operation::Open, 0, source))?;
        if size == 0 {
            return Err(FileError::Empty);
        }
        Self::over(raw, geometry(size), access)
    }
}

impl<F: RawFile> FileMedium<F> {
    /// A medium over a file that is already open: the way in for a
    /// [`Recorder`].
    ///
    /// # Errors
    /// [`FileError::Short`] where the file is smaller than the geometry.
    pub fn over(raw: F, geometry: Geometry, access: Access) -> Result<Self, FileError> {
        let mut medium = Self {
            raw,
            geometry,
            access,
            pending: Pending::new(geometry.order),
            unsynced: true,
            inherited: true,
            blanks: Blanks::default(),
            flushing: false,
            poisoned: false,
            lost: Lost::default(),
            heads: Heads::default(),
            tracker: Tracker::default(),
        };
        medium.adopt(geometry)?;
        Ok(medium)
    }

    /// Takes over the geometry that the image on the file names. To be called
    /// before anything is written.
    ///
    /// # Errors
    /// [`FileError::Short`] where the file is smaller than the geometry says:
    /// it was truncated, or not copied whole.
    pub fn adopt(&mut self, geometry: Geometry) -> Result<(), FileError> {
        let size = self
            .raw
            .size()
            .map_err(|source| FileError::io(Operation::Open, 0, source))?;
        if size < geometry.capacity {
            return Err(FileError::Short {
                size,
                needed: geometry.capacity,
            });
        }
        self.geometry = geometry;
        self.pending = Pending::new(geometry.order);
        Ok(())
    }

    /// Makes the file and the medium `capacity` bytes long, what is added
    /// blank. All of that is durable on return, the file's length too, and
    /// nothing else is outstanding.
    ///
    /// # Errors
    /// [`FileError::NoSpace`] where the disk has no room for it, or what the
    /// system reports; file and medium are as long as before then.
    pub fn resize(&mut self, capacity: u64) -> Result<(), FileError> {
        self.flush()?;
        let Geometry {
            capacity: before,
            blank,
            ..
        } = self.geometry;
        self.raw
            .resize(before.min(capacity), capacity, blank)
            .map_err(|source| no_room(Operation::Grow, capacity, source))?;
        self.geometry.capacity = capacity;
        self.blanks = Blanks::only(before..capacity);
        Ok(())
    }

    /// The first half of a flush, for who shares a store: hands everything
    /// outstanding to the system and returns what waits for the disk, which
    /// needs the medium no more. [`FileMedium::end_flush`] has to follow. `None`
    /// where only [`flush`](Medium::flush) can, as on ordered media.
    ///
    /// # Errors
    /// As a flush's.
    pub fn begin_flush(&mut self) -> Result<Option<Syncer>, FileError> {
        self.check_write(0, 0, 1)?;
        let Some(syncer) = self.raw.syncer() else {
            return Ok(None);
        };
        if self.geometry.order == Order::Ordered {
            return Ok(None);
        }
        self.change(Self::drain)?;
        // What is written from here on is not in the flush.
        self.unsynced = false;
        self.flushing = true;
        Ok(Some(syncer))
    }

    /// The second half of a flush: `synced` is what [`Syncer::sync`] returned.
    ///
    /// # Errors
    /// Its own, with the medium poisoned as by a failed flush.
    pub fn end_flush(&mut self, synced: io::Result<()>) -> Result<(), FileError> {
        self.flushing = false;
        self.change(|_| synced.map_err(|source| FileError::io(Operation::Flush, 0, source)))
    }

    pub(crate) fn tracker(&mut self) -> &mut Tracker {
        &mut self.tracker
    }

    pub(crate) fn keep_heads(&mut self, keep: bool) {
        self.heads.keep(keep);
    }

    /// What the file may be used for.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The file below, which for [`OsFile`] ends the lock when dropped. What
    /// was not flushed is lost, as in a power cut.
    pub fn into_raw(self) -> F {
        self.raw
    }

    /// The file below.
    pub fn raw(&self) -> &F {
        &self.raw
    }

    fn check_range(&self, at: u64, len: u64) -> Result<(), FileError> {
        check_range(self.geometry, at, len)
    }

    fn check_write(&self, at: u64, len: u64, unit: u32) -> Result<(), FileError> {
        if self.poisoned {
            return Err(FileError::Poisoned);
        }
        if self.access == Access::ReadOnly {
            return Err(FileError::ReadOnly);
        }
        self.check_range(at, len)?;
        let unit_bytes = u64::from(unit.max(1));
        if !at.is_multiple_of(unit_bytes) || !len.is_multiple_of(unit_bytes) {
            return Err(FileError::Misaligned { at, len, unit });
        }
        Ok(())
    }

    /// Runs what changes the file; its failure poisons the medium.
    fn change(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let result = run(self);
        self.poisoned |= result.is_err();
        result
    }

    /// Hands everything pending to the system: on unordered media to the page
    /// cache, on ordered media to the disk, in order.
    fn drain(&mut self) -> Result<(), FileError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        let mut result = Ok(());
        for (at, bytes) in pending.runs() {
            result = match self.geometry.order {
                Order::Unordered => self.put(at, bytes),
                Order::Ordered => self.put_in_order(at, bytes),
            };
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            pending.clear();
        }
        // After a failure reads still see it, and nothing is written any more.
        self.pending = pending;
        result
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.unsynced = true;
        self.heads.forget();
        self.blanks.written(&(at..at + bytes.len() as u64));
        self.raw
            .write_at(at, bytes)
            .map_err(|source| FileError::io(Operation::Write, at, source))
    }

    fn put_in_order(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        // Whatever another process left in the page cache comes first.
        self.sync()?;
        let mut at = at;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = SECTOR - at % SECTOR;
            let len = rest.len().min(usize::try_from(room).unwrap_or(rest.len()));
            let (piece, after) = rest.split_at(len);
            self.put(at, piece)?;
            self.sync()?;
            at += len as u64;
            rest = after;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), FileError> {
        if std::mem::take(&mut self.inherited) && self.geometry.order == Order::Ordered {
            self.write_again()?;
        }
        if self.unsynced || self.flushing {
            self.raw
                .sync_data()
                .map_err(|source| FileError::io(Operation::Flush, 0, source))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Writes the file as it is read. On ordered media the core builds on what
    /// it reads, and a sync that failed in another process may have left that
    /// in the page cache alone.
    fn write_again(&mut self) -> Result<(), FileError> {
        let capacity = self.geometry.capacity;
        let mut chunk = vec![0; BLANK_CHUNK];
        let mut at = 0;
        while at < capacity {
            let len = (capacity - at).min(BLANK_CHUNK as u64) as usize;
            let bytes = &mut chunk[..len];
            if self.raw.read_at(at, bytes).is_ok() {
                self.put(at, bytes)?;
            } else {
                self.write_pages_again(at, bytes)?;
            }
            at += len as u64;
        }
        Ok(())
    }

    /// As [`Self::write_again`], but for the pages that cannot be read: those
    /// are not in the cache.
    fn write_pages_again(&mut self, at: u64, chunk: &mut [u8]) -> Result<(), FileError> {
        for (place, bytes) in (at..).step_by(PAGE).zip(chunk.chunks_mut(PAGE)) {
            if self.raw.read_at(place, bytes).is_ok() {
                self.put(place, bytes)?;
            }
        }
        Ok(())
    }

    /// Writes a range blank, whatever it reads as but for what is known.
    fn blank(&mut self, at: u64, len: u64) -> Result<(), FileError> {
        if self.blanks.hold(&(at..at + len)) {
            return Ok(());
        }
        static ZEROS: [u8; BLANK_CHUNK] = [0x00; BLANK_CHUNK];
        static ONES: [u8; BLANK_CHUNK] = [0xFF; BLANK_CHUNK];
        let blanks = if self.geometry.blank == 0 {
            &ZEROS
        } else {
            &ONES
        };
        let mut done = 0;
        while done < len {
            let n = (len - done).min(BLANK_CHUNK as u64);
            self.put(at + done, &blanks[..n as usize])?;
            done += n;
        }
        self.lost.erased(at, len);
        Ok(())
    }
}

impl<F: RawFile> Medium for FileMedium<F> {
    type Error = FileError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), FileError> {
        self.check_range(at, buf.len() as u64)?;
        let few = self.heads.serve(at, buf.len());
        let mapped = self.raw.view().filter(|_| !few).and_then(|view| {
            let begin = usize::try_from(at).ok()?;
            view.get(begin..begin.checked_add(buf.len())?)
        });
        match mapped {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => {
                let blank = self.geometry.blank;
                let fetch = |at, buf: &mut [u8]| match few {
                    true => (self.heads).read(at, buf, |at, buf| self.raw.read_few(at, buf)),
                    false => self.raw.read_at(at, buf),
                };
                self.lost
                    .read(at, buf, blank, fetch)
                    .map_err(|source| FileError::io(Operation::Read, at, source))?;
            }
        }
        self.pending.overlay(at, buf);
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.check_range(at, len as u64).ok()?;
        if self.pending.overlaps(at, len as u64) {
            return None;
        }
        let begin = usize::try_from(at).ok()?;
        self.raw.view()?.get(begin..begin.checked_add(len)?)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.check_write(at, bytes.len() as u64, self.geometry.write_unit)?;
        self.tracker.written(at, bytes.len() as u64);
        self.change(|medium| {
            if medium.geometry.order == Order::Unordered && bytes.len() >= DIRECT_MIN {
                medium.drain()?;
                return medium.put(at, bytes);
            }
            if !medium.pending.has_room(at, bytes.len()) {
                medium.drain()?;
            }
            medium.pending.push(at, bytes);
            Ok(())
        })
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), FileError> {
        self.check_write(at, len, self.geometry.erase_unit)?;
        self.tracker.erasing(at, len, |at, buf| self.read(at, buf));
        self.change(|medium| {
            medium.drain()?;
            match medium.geometry.order {
                Order::Unordered => medium.blank(at, len),
                Order::Ordered => {
                    medium.sync()?;
                    let unit = u64::from(medium.geometry.erase_unit.max(1));
                    for begin in (at..at + len).step_by(unit as usize) {
                        medium.blank(begin, unit)?;
                        medium.sync()?;
                    }
                    Ok(())
                }
            }
        })
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.check_write(0, 0, 1)?;
        self.change(|medium| {
            medium.drain()?;
            medium.sync()
        })
    }

    /// By the processor's own instruction, where it has one.
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        crate::sum::crc32c(state, bytes)
    }
}

#[cfg(test)]
mod tests;
