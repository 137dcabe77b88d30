//! The system calls: all that touches the disk, and the seam for tests.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Access, FileError, Operation, Reads};

/// A file as the medium uses it. [`OsFile`] is the real one; a
/// [`Recorder`](super::Recorder) stands in between and sees every call.
pub trait RawFile {
    /// The size in bytes.
    ///
    /// # Errors
    /// What the system reports.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` from `at`.
    ///
    /// # Errors
    /// What the system reports; the end of the file is an error.
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()>;

    /// The whole file in memory, where it is mapped. It shows what
    /// [`RawFile::write_at`] wrote.
    fn view(&self) -> Option<&[u8]>;

    /// Writes all of `bytes` at `at`, into the page cache.
    ///
    /// # Errors
    /// What the system reports; any part of it may have been written then.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// `fdatasync`: on success everything written is on the disk.
    ///
    /// # Errors
    /// What the system reports; everything since the last success is then in
    /// doubt.
    fn sync_data(&mut self) -> io::Result<()>;

    /// As [`RawFile::read_at`], for bytes that nothing near is read with.
    ///
    /// # Errors
    /// As there.
    fn read_few(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_at(at, buf)
    }

    /// Makes the file `to` bytes long and `blank` from `from` on, durably, its
    /// length too. Reads and the view reach to the new end then.
    ///
    /// # Errors
    /// What the system reports, `StorageFull` where there is no room; the file
    /// has its old length then. A file that cannot is `Unsupported`, as by
    /// default.
    fn resize(&mut self, from: u64, to: u64, blank: u8) -> io::Result<()> {
        let _ = (from, to, blank);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What does the same as [`RawFile::sync_data`] without the file, so that
    /// others may read it in the meantime. `None` where there is no such thing.
    fn syncer(&self) -> Option<Syncer> {
        None
    }
}

/// The [`RawFile::sync_data`] of a file that others read meanwhile.
#[derive(Clone)]
pub struct Syncer(Arc<dyn Fn() -> io::Result<()> + Send + Sync>);

impl Syncer {
    /// One that calls `sync`.
    pub fn new(sync: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(sync))
    }

    /// As [`RawFile::sync_data`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> io::Result<()> {
        (self.0)()
    }
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncer").finish_non_exhaustive()
    }
}

/// An open, locked file of the operating system.
#[derive(Debug)]
pub struct OsFile {
    /// Holds the lock; it ends with the handle.
    file: Arc<File>,
    map: Option<memmap2::Mmap>,
    /// What positioned reads of small pieces read with them.
    ahead: Mutex<Ahead>,
}

/// Bytes that a small positioned read takes in, and how many such windows
/// are kept: a record's pieces, and those that it is compared with.
const WINDOW: u64 = 16 << 10;
const WINDOWS: usize = 4;

/// A few windows of the file, replaced in turn.
#[derive(Debug, Default)]
struct Ahead {
    windows: [(u64, Vec<u8>); WINDOWS],
    oldest: usize,
}

impl Ahead {
    /// Fills `buf` from a window; `None` where it does not lie in one.
    fn copy(&mut self, file: &File, at: u64, buf: &mut [u8]) -> Option<()> {
        let begin = at / WINDOW * WINDOW;
        let inside = (at - begin) as usize;
        if inside + buf.len() > WINDOW as usize {
            return None;
        }
        let held = self
            .windows
            .iter()
            .position(|(window, bytes)| *window == begin && !bytes.is_empty());
        let held = match held {
            Some(held) => held,
            None => {
                let (window, bytes) = &mut self.windows[self.oldest];
                bytes.resize(WINDOW as usize, 0);
                // A page nearby may be unreadable; perhaps these bytes are not.
                let len = fill(file, begin, bytes).unwrap_or(0);
                bytes.truncate(len);
                *window = begin;
                let held = self.oldest;
                self.oldest = (held + 1) % WINDOWS;
                held
            }
        };
        let bytes = self.windows[held].1.get(inside..inside + buf.len())?;
        buf.copy_from_slice(bytes);
        Some(())
    }

    fn forget(&mut self, at: u64, len: u64) {
        for (begin, bytes) in &mut self.windows {
            if *begin < at + len && at < *begin + WINDOW {
                bytes.clear();
            }
        }
    }
}

impl OsFile {
    /// Opens an existing file and locks it.
    ///
    /// # Errors
    /// [`FileError::Locked`], [`FileError::NotRegular`], or what the system
    /// reports.
    pub fn open(path: &Path, access: Access) -> Result<Self, FileError> {
        // Where another file took its place before it was locked, that one is
        // meant: this one has lost its name.
        for _ in 0..8 {
            let file = Self::open_once(path, access)?;
            if file.is_at(path) {
                return Ok(file);
            }
        }
        Err(FileError::Locked)
    }

    /// Whether a path leads to this file.
    #[cfg(unix)]
    fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (Ok(here), Ok(there)) = (self.file.metadata(), std::fs::metadata(path)) else {
            return false;
        };
        (here.dev(), here.ino()) == (there.dev(), there.ino())
    }

    /// Elsewhere an open file keeps its name.
    #[cfg(not(unix))]
    fn is_at(&self, _path: &Path) -> bool {
        true
    }

    fn open_once(path: &Path, access: Access) -> Result<Self, FileError> {
        let failed = |source| FileError::io(Operation::Open, 0, source);
        // Opening a pipe for reading would wait for its writer.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(FileError::NotRegular);
        }
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .open(path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(FileError::NotRegular);
        }
        Self::locked(file, access)
    }

    /// Opens a device and locks it.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_device(path: &Path, access: Access) -> Result<Self, FileError> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .open(path)
            .map_err(|source| FileError::io(Operation::Open, 0, source))?;
        Self::locked(file, access)
    }

    /// The handle.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Reads with a call, and these bytes alone.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn read_through(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, at, buf)
    }

    /// Writes with a call, for users that know nothing of [`RawFile::view`].
    #[cfg(target_os = "linux")]
    pub(crate) fn write_through(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&self.file, at, bytes)
    }

    /// Takes the space for holes that the file may have.
    #[cfg(target_os = "linux")]
    pub(crate) fn reserve_all(&self, size: u64) -> Result<(), FileError> {
        reserve_room(&self.file, size)
    }

    pub(super) fn locked(file: File, access: Access) -> Result<Self, FileError> {
        let locked = match access {
            Access::ReadWrite => file.try_lock(),
            Access::ReadOnly => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => Ok(Self {
                file: Arc::new(file),
                map: None,
                ahead: Mutex::default(),
            }),
            Err(std::fs::TryLockError::WouldBlock) => Err(FileError::Locked),
            Err(std::fs::TryLockError::Error(source)) => {
                Err(FileError::io(Operation::Lock, 0, source))
            }
        }
    }

    /// Maps the file for [`Reads::Mapped`], where the system can.
    pub(super) fn mapped(mut self, reads: Reads) -> Result<Self, FileError> {
        let size = self
            .size()
            .map_err(|source| FileError::io(Operation::Open, 0, source))?;
        // Elsewhere a mapping need not show what was written by a call.
        let coherent = cfg!(any(
            target_os = "linux",
            target_os = "android",
            target_vendor = "apple"
        ));
        if reads == Reads::Mapped && coherent && size > 0 && usize::try_from(size).is_ok() {
            self.map();
        }
        Ok(self)
    }

    /// Maps the file as it is now.
    fn map(&mut self) {
        // SAFETY: the mapping is shared and read-only, and lives in the same
        // structure as the handle that holds the file's lock, so no other user
        // of this crate changes the file under it. This process changes it
        // only in `write_at` and `resize`, which take `&mut self`, so that no
        // slice from `view` is alive then. That the file is not truncated or
        // written against its lock by another program is what the module's
        // documentation asks of the user.
        let map = unsafe { memmap2::MmapOptions::new().map(&*self.file) };
        // Without a mapping, reads are positioned: slower, not wrong.
        self.map = map.ok();
    }

    /// Takes the space for a new file and fills it with the blank byte.
    pub(super) fn allocate(&self, size: u64, blank: u8) -> Result<(), FileError> {
        self.fill(0, size, blank)
            .map_err(|source| no_room(Operation::Create, size, source))
    }

    /// Takes the space for `size` bytes and writes the blank byte from `at` on,
    /// durably.
    fn fill(&self, mut at: u64, size: u64, blank: u8) -> io::Result<()> {
        reserve(&self.file, size)?;
        let blanks = vec![blank; 1 << 20];
        while at < size {
            let len = (size - at).min(blanks.len() as u64) as usize;
            write_all_at(&self.file, at, &blanks[..len])?;
            at += len as u64;
        }
        self.file.sync_all()
    }
}

impl RawFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match ahead.copy(&self.file, at, buf) {
            Some(()) => Ok(()),
            None => read_exact_at(&self.file, at, buf),
        }
    }

    fn read_few(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, at, buf)
    }

    fn view(&self) -> Option<&[u8]> {
        self.map.as_deref()
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let ahead = self.ahead.get_mut();
        let ahead = ahead.unwrap_or_else(PoisonError::into_inner);
        ahead.forget(at, bytes.len() as u64);
        write_all_at(&self.file, at, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn resize(&mut self, from: u64, to: u64, blank: u8) -> io::Result<()> {
        let before = self.size()?;
        let mapped = self.map.take().is_some();
        *self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner) = Ahead::default();
        let resized = match before > to {
            true => self.file.set_len(to),
            false => Ok(()),
        };
        let resized = resized.and_then(|()| self.fill(from, to, blank));
        if resized.is_err() {
            // The first error counts; a file that stays longer does no harm.
            let _ = self.file.set_len(before);
        }
        if mapped {
            self.map();
        }
        resized
    }

    fn syncer(&self) -> Option<Syncer> {
        let file = Arc::clone(&self.file);
        Some(Syncer::new(move || file.sync_data()))
    }
}

/// Why space for a file could not be taken.
pub(crate) fn no_room(operation: Operation, size: u64, source: io::Error) -> FileError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            FileError::NoSpace { size, source }
        }
        _ => FileError::io(operation, 0, source),
    }
}

/// Takes the space for a file that is going to be written whole.
pub(crate) fn reserve_room(file: &File, size: u64) -> Result<(), FileError> {
    reserve(file, size).map_err(|source| no_room(Operation::Create, size, source))
}

/// Makes the entry of a new file in its folder durable. On Windows the flush
/// of the file did: NTFS writes the change of the folder to its log before.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    if cfg!(unix) {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| FileError::io(Operation::Create, 0, source))?;
    }
    Ok(())
}

/// Reserves space, where the file system can; writing takes it elsewhere.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    if size == 0 {
        return Ok(());
    }
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, size) {
            Err(Errno::INTR) => {}
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reserves space: a file that is not sparse has it from when it is that long.
#[cfg(windows)]
fn reserve(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size).map_err(|error| match error.kind() {
        // More than a file may have; the second is how Wine puts it.
        io::ErrorKind::InvalidInput | io::ErrorKind::OutOfMemory => {
            io::Error::new(io::ErrorKind::FileTooLarge, error)
        }
        _ => error,
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
fn reserve(_file: &File, _size: u64) -> io::Result<()> {
    Ok(())
}

fn read_exact_at(file: &File, at: u64, buf: &mut [u8]) -> io::Result<()> {
    match fill(file, at, buf)? {
        len if len == buf.len() => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads until `buf` is full or the file ends; returns how many bytes.
fn fill(file: &File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match read_some(file, at + filled as u64, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn read_some(file: &File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, at)
}

#[cfg(windows)]
fn read_some(file: &File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, at)
}

#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        match file.seek_write(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                at += n as u64;
                bytes = &bytes[n..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
