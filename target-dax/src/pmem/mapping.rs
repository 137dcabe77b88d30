//! The real memory: mapped files on DAX file systems, and DAX devices.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::probed::Probed;
use super::processor::Processor;
use super::{Persist, WriteBack, refused, size_of, words};
use crate::MediumKind;
use crate::file::{Access, FileError, NotDax, Operation, OsFile, RawFile, Reads, write_all_at};

/// A large page of x86-64, and of most others.
const LARGE: usize = 2 << 20;

/// Alignment of DAX devices that do not say theirs.
const DEVICE_ALIGN: u64 = 2 << 20;

/// Memory of a file or a device, mapped for as long as this lives, and locked.
#[derive(Debug)]
pub struct Mapping {
    region: Region,
    kind: MediumKind,
    processor: Processor,
    reads: Reads,
    access: Access,
    /// What calls have read; none where they cannot read, or cannot fail.
    probed: Option<Probed>,
    /// Holds the lock.
    file: OsFile,
}

/// Mapped pages, unmapped in the end.
#[derive(Debug)]
struct Region {
    begin: NonNull<u8>,
    len: usize,
    /// All that is to be unmapped: the pages and what aligns them.
    taken: (NonNull<u8>, usize),
}

// SAFETY: a `Region` owns its mapping, which any thread may read, write and
// unmap; `Mapping` changes memory through `&mut self` alone.
unsafe impl Send for Region {}
// SAFETY: what `Mapping` does with a shared reference only reads memory.
unsafe impl Sync for Region {}

impl Region {
    /// Maps a file from its beginning, aligned so that large pages fit.
    fn map(file: &File, len: usize, access: Access, flags: MapFlags) -> Result<Self, Errno> {
        let protection = match access {
            Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
            Access::ReadOnly => ProtFlags::READ,
        };
        let spare = if len < LARGE { 0 } else { LARGE };
        let total = len.checked_add(spare).ok_or(Errno::NOMEM)?;
        let anywhere: *mut c_void = std::ptr::null_mut();
        // SAFETY: a new mapping at an address that the system chooses takes
        // nothing away from anyone.
        let taken =
            unsafe { mmap_anonymous(anywhere, total, ProtFlags::empty(), MapFlags::PRIVATE)? };
        let taken = NonNull::new(taken.cast::<u8>()).ok_or(Errno::NOMEM)?;
        let skip = taken.align_offset(LARGE).min(spare);
        // From here on it is unmapped if anything fails.
        let region = Self {
            // SAFETY: `skip` and `len` bytes together are in what was taken.
            begin: unsafe { taken.add(skip) },
            len,
            taken: (taken, total),
        };
        let begin = region.begin.as_ptr().cast();
        // SAFETY: it takes the place of a part of what was taken above, which
        // nobody else knows of.
        unsafe { mmap(begin, len, protection, flags | MapFlags::FIXED, file, 0)? };
        Ok(region)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let (taken, total) = self.taken;
        // SAFETY: these are what `mmap` was asked for and gave back, and no
        // borrow of the memory outlives `self`. A failure leaves the mapping
        // in place, which harms nobody.
        let _ = unsafe { munmap(taken.as_ptr().cast(), total) };
    }
}

/// Has a new, empty file lie in large pages, where it lies in memory and the
/// system can: then a jump waits for memory once and not twice, and pages need
/// not be mapped one by one, which takes longer than what is stored in them. A
/// wish: whatever fails changes nothing but the speed.
pub(crate) fn prefer_large(file: &File, size: u64) {
    /// Not every C library names it.
    const MADV_COLLAPSE: libc::c_int = 25;

    let whole = size / LARGE as u64 * LARGE as u64;
    let (Ok(len), true) = (usize::try_from(whole), whole > 0 && is_memory(file)) else {
        return;
    };
    if file.set_len(size).is_err() {
        return;
    }
    // Only what has a page already becomes a large one; the rest of it costs
    // less than if it had been there.
    for at in (0..whole).step_by(LARGE) {
        if write_all_at(file, at, &[0]).is_err() {
            return;
        }
    }
    if let Ok(region) = Region::map(file, len, Access::ReadWrite, MapFlags::SHARED) {
        // SAFETY: whole pages, mapped above; the advice does not change what
        // they hold.
        unsafe { libc::madvise(region.begin.as_ptr().cast(), len, MADV_COLLAPSE) };
    }
}

/// Whether a file lies in memory, which is lost with the power.
fn is_memory(file: &File) -> bool {
    /// `TMPFS_MAGIC`. The field has another type on each platform.
    const TMPFS: i128 = 0x0102_1994;

    rustix::fs::fstatfs(file).is_ok_and(|about| i128::from(about.f_type) == TMPFS)
}

impl Mapping {
    /// Maps a file with `MAP_SYNC`, which the system grants only where a store
    /// that is written back needs no call to be durable.
    ///
    /// # Errors
    /// [`FileError::NotDax`] says why it was refused, and what the system
    /// reports.
    pub fn of_file(file: OsFile, access: Access, reads: Reads) -> Result<Self, FileError> {
        let processor = Processor::detect().ok_or_else(|| refused(NotDax::Processor))?;
        let size = size_of(&file)?;
        // MAP_SHARED | MAP_SYNC would be granted everywhere, and ignored.
        let flags = MapFlags::SHARED_VALIDATE | MapFlags::SYNC;
        let region = Region::map(file.file(), size, access, flags)
            .map_err(|error| why_refused(file.file(), error))?;
        let mapping = Self {
            region,
            kind: MediumKind::FsDax,
            processor,
            reads,
            access,
            probed: Some(Probed::new(size)),
            file,
        };
        if access == Access::ReadWrite {
            mapping.settle()?;
        }
        Ok(mapping)
    }

    /// Whether [`Mapping::of_file`] would be refused, and why.
    ///
    /// # Errors
    /// [`FileError::NotDax`].
    pub fn probe(file: &OsFile) -> Result<(), FileError> {
        Processor::detect().ok_or_else(|| refused(NotDax::Processor))?;
        let flags = MapFlags::SHARED_VALIDATE | MapFlags::SYNC;
        Region::map(file.file(), 4096, Access::ReadOnly, flags)
            .map(drop)
            .map_err(|error| why_refused(file.file(), error))
    }

    /// Maps a DAX device, such as `/dev/dax0.0`.
    ///
    /// # Errors
    /// [`FileError::NotDax`], [`FileError::Locked`], and what the system
    /// reports.
    pub fn of_device(path: &Path, access: Access) -> Result<Self, FileError> {
        let failed = |source| FileError::io(Operation::Open, 0, source);
        let processor = Processor::detect().ok_or_else(|| refused(NotDax::Processor))?;
        let about = device(path).ok_or_else(|| refused(NotDax::FileSystem))?;
        let number = |name: &str| -> io::Result<u64> {
            let text = std::fs::read_to_string(about.join(name))?;
            text.trim().parse().map_err(io::Error::other)
        };
        let align = number("align").unwrap_or(DEVICE_ALIGN).max(4096);
        let size = number("size").map_err(failed)? / align * align;
        let size = usize::try_from(size).map_err(|error| failed(io::Error::other(error)))?;
        if size == 0 {
            return Err(FileError::Empty);
        }
        let file = OsFile::open_device(path, access)?;
        let region = Region::map(file.file(), size, access, MapFlags::SHARED)
            .map_err(|error| failed(error.into()))?;
        let mut mapping = Self {
            region,
            kind: MediumKind::DevDax,
            processor,
            reads: Reads::Mapped,
            access,
            probed: None,
            file,
        };
        if access == Access::ReadWrite {
            // What a killed process stored may still be in the cache alone,
            // and is read from there; nobody else knows which lines these are.
            mapping.write_back(0, size);
            mapping.processor.fence();
        }
        Ok(mapping)
    }

    /// Maps a file whose memory is lost with the power, such as one in
    /// `/dev/shm`, and does to it what would make it durable elsewhere.
    ///
    /// # Errors
    /// What the system reports.
    pub fn volatile(file: OsFile, access: Access) -> Result<Self, FileError> {
        let processor = Processor::detect().ok_or_else(|| refused(NotDax::Processor))?;
        let size = size_of(&file)?;
        let region = Region::map(file.file(), size, access, MapFlags::SHARED)
            .map_err(|error| FileError::io(Operation::Open, 0, error.into()))?;
        Ok(Self {
            region,
            kind: MediumKind::Volatile,
            processor,
            reads: Reads::Mapped,
            access,
            probed: None,
            file,
        })
    }

    /// Takes the space for the whole file, for a store into a hole of a full
    /// disk ends in `SIGBUS`, and makes durable what a killed process stored
    /// and did not write back: the system knows those pages.
    fn settle(&self) -> Result<(), FileError> {
        self.file.reserve_all(self.region.len as u64)?;
        self.file
            .file()
            .sync_data()
            .map_err(|source| FileError::io(Operation::Flush, 0, source))
    }

    /// What the memory is.
    #[must_use]
    pub fn kind(&self) -> MediumKind {
        self.kind
    }

    /// What lines are written back with.
    #[must_use]
    pub fn write_back_with(&self) -> WriteBack {
        self.processor.write_back_instruction()
    }

    /// Writes no line back any more, for caches that are flushed by the
    /// platform when power fails.
    ///
    /// # Errors
    /// [`FileError::NotDax`] where a region of the machine is not known to
    /// have such caches.
    pub fn trust_caches(&mut self) -> Result<(), FileError> {
        if !caches_are_durable(Path::new("/sys/bus/nd/devices")) {
            return Err(refused(NotDax::Caches));
        }
        self.processor = self.processor.without_write_back();
        Ok(())
    }

    /// Bytes in place, whether they can be read or not: a page that is
    /// poisoned, or that is no longer in the file, ends the process with
    /// `SIGBUS`. `None` beyond the end.
    #[must_use]
    #[inline]
    pub fn borrow_unchecked(&self, at: usize, len: usize) -> Option<&[u8]> {
        if at.checked_add(len)? > self.region.len {
            return None;
        }
        // SAFETY: the range lies in the mapping, which lives as long as
        // `self`; whatever changes the memory in this process takes `&mut
        // self`, and the lock keeps other users of this crate from it.
        Some(unsafe { std::slice::from_raw_parts(self.region.begin.as_ptr().add(at), len) })
    }

    /// Reads what no call has read yet of a range.
    #[inline]
    fn probe_range(&self, at: usize, len: usize) -> io::Result<()> {
        match &self.probed {
            Some(probed) => probed.range(&self.file, at, len),
            None => Ok(()),
        }
    }

    /// The address of `len` bytes that may be changed.
    #[inline]
    fn target(&mut self, at: usize, len: usize) -> *mut u8 {
        let end = at.checked_add(len);
        assert!(
            self.access == Access::ReadWrite && end.is_some_and(|end| end <= self.region.len),
            "{len} bytes at {at} of {} are not to be changed",
            self.region.len
        );
        self.region.begin.as_ptr().wrapping_add(at)
    }

    /// The file below, still locked.
    #[must_use]
    pub fn into_file(self) -> OsFile {
        self.file
    }
}

impl Persist for Mapping {
    fn size(&self) -> usize {
        self.region.len
    }

    #[inline]
    fn line(&self) -> usize {
        self.processor.line()
    }

    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()> {
        let positioned = self.reads == Reads::Positioned && self.kind != MediumKind::DevDax;
        if positioned || self.probe_range(at, buf.len()).is_err() {
            // Of a window that cannot be read, these bytes perhaps can.
            return self.file.read_through(at as u64, buf);
        }
        match self.borrow_unchecked(at, buf.len()) {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    #[inline]
    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]> {
        if self.reads == Reads::Positioned {
            return None;
        }
        if at.checked_add(len)? > self.region.len {
            return None;
        }
        self.probe_range(at, len).ok()?;
        self.borrow_unchecked(at, len)
    }

    #[inline]
    fn store(&mut self, at: usize, bytes: &[u8]) {
        let target = self.target(at, bytes.len());
        // SAFETY: the range is mapped for writing, in whole pages and so in
        // whole words, and `&mut self` means that nobody borrows it.
        unsafe { words::store(target, bytes) }
    }

    fn stream(&mut self, at: usize, bytes: &[u8]) {
        let line = self.line();
        assert!(at.is_multiple_of(line) && bytes.len().is_multiple_of(line));
        let target = self.target(at, bytes.len());
        // SAFETY: the range is mapped for writing and, by `&mut self`, is
        // borrowed by nobody; pages are aligned to lines, and so is `at`.
        unsafe { self.processor.stream(target, bytes) }
    }

    #[inline]
    fn write_back(&mut self, at: usize, len: usize) {
        let target = self.target(at, len);
        // SAFETY: the range is mapped, in whole pages.
        unsafe { self.processor.write_back(target, len) }
    }

    #[inline]
    fn fence(&mut self) -> io::Result<()> {
        self.processor.fence();
        Ok(())
    }

    fn resize(&mut self, from: usize, to: usize) -> io::Result<()> {
        let flags = match self.kind {
            MediumKind::FsDax => MapFlags::SHARED_VALIDATE | MapFlags::SYNC,
            MediumKind::Volatile => MapFlags::SHARED,
            // A device is as long as it is, and mapped whole.
            _ if to <= self.region.len => return Ok(()),
            _ => return Err(io::ErrorKind::StorageFull.into()),
        };
        let before = self.region.len;
        self.file.resize(from as u64, to as u64, 0)?;
        match Region::map(self.file.file(), to, self.access, flags) {
            Ok(region) => self.region = region,
            Err(error) => {
                // The first error counts.
                let _ = self.file.resize(before as u64, before as u64, 0);
                return Err(error.into());
            }
        }
        if let Some(probed) = &mut self.probed {
            *probed = Probed::new(to);
        }
        Ok(())
    }

    fn revive(&mut self, at: usize, len: usize) -> io::Result<()> {
        let Err(error) = self.probe_range(at, len) else {
            return Ok(());
        };
        if self.kind != MediumKind::FsDax {
            return Err(error);
        }
        // Whole pages that are written by a call are cleared of poison by the
        // driver; stores through the mapping do not clear it.
        self.file.write_through(at as u64, &vec![0; len])?;
        self.file.file().sync_data()?;
        self.probe_range(at, len)
    }
}

/// What the system meant when it refused to map a file with `MAP_SYNC`.
fn why_refused(file: &File, error: Errno) -> FileError {
    let why = match error {
        Errno::OPNOTSUPP if is_memory(file) => NotDax::Memory,
        Errno::OPNOTSUPP => NotDax::FileSystem,
        Errno::INVAL => NotDax::Kernel,
        other => return FileError::io(Operation::Open, 0, other.into()),
    };
    FileError::NotDax {
        why,
        source: Some(error.into()),
    }
}

/// Where the system describes a DAX device; `None` for anything else.
pub(crate) fn device(path: &Path) -> Option<PathBuf> {
    let about = std::fs::metadata(path).ok()?;
    if !about.file_type().is_char_device() {
        return None;
    }
    let (major, minor) = (
        rustix::fs::major(about.rdev()),
        rustix::fs::minor(about.rdev()),
    );
    let place = PathBuf::from(format!("/sys/dev/char/{major}:{minor}"));
    let subsystem = std::fs::read_link(place.join("subsystem")).ok()?;
    (subsystem.file_name()? == "dax").then_some(place)
}

/// Whether every region of persistent memory says that processor caches are
/// written to it when power fails; there must be one.
fn caches_are_durable(devices: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(devices) else {
        return false;
    };
    let mut regions = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"region"))
        .map(|entry| std::fs::read_to_string(entry.path().join("persistence_domain")))
        .peekable();
    regions.peek().is_some()
        && regions.all(|domain| domain.is_ok_and(|domain| domain.trim() == "cpu_cache"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_trusted_only_where_every_region_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let region = |name: &str, domain: Option<&str>| {
            let place = folder.path().join(name);
            std::fs::create_dir_all(&place).unwrap();
            if let Some(domain) = domain {
                std::fs::write(place.join("persistence_domain"), domain).unwrap();
            }
        };
        assert!(!caches_are_durable(&folder.path().join("absent")));
        assert!(!caches_are_durable(folder.path()));
        region("namespace0.0", None);
        assert!(!caches_are_durable(folder.path()));
        region("region0", Some("cpu_cache\n"));
        assert!(caches_are_durable(folder.path()));
        region("region1", Some("memory_controller\n"));
        assert!(!caches_are_durable(folder.path()));
        region("region1", Some("cpu_cache\n"));
        assert!(caches_are_durable(folder.path()));
        region("region2", None);
        assert!(!caches_are_durable(folder.path()));
    }
}
