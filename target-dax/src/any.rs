//! Which medium a store is on, and how it is chosen.

use std::fmt;
use std::io;
use std::path::Path;

#[cfg(any(target_os = "linux", windows))]
use indelible::Layout;
use indelible::{Geometry, Medium};

use crate::backup::Tracker;
#[cfg(any(target_os = "linux", windows))]
use crate::file::OsFile;
use crate::file::{Access, FileError, FileMedium, NotDax, Operation, RawFile, Reads, Syncer};
#[cfg(any(target_os = "linux", windows))]
use crate::pmem::{self, PmemMedium};
use crate::sum;

/// What a medium is, which says what its durability rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediumKind {
    /// A plain file: `fdatasync`.
    File,
    /// A mapped file on a DAX file system: cache lines written back.
    FsDax,
    /// A mapped DAX device: cache lines written back.
    DevDax,
    /// A mapped view of a plain file: `FlushViewOfFile` and then
    /// `FlushFileBuffers`.
    View,
    /// Memory that is lost with the power: nothing is durable.
    Volatile,
}

impl fmt::Display for MediumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MediumKind::File => "a plain file",
            MediumKind::FsDax => "persistent memory, a file on a DAX file system",
            MediumKind::DevDax => "persistent memory, a DAX device",
            MediumKind::View => "a mapped view of a plain file",
            MediumKind::Volatile => "volatile memory",
        })
    }
}

/// Which medium to use for a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediumChoice {
    /// Persistent memory where the path leads to some, a plain file elsewhere.
    /// [`HostMedium::kind`] says which it is.
    #[default]
    Auto,
    /// A plain file, also on persistent memory.
    File,
    /// Persistent memory, or [`FileError::NotDax`].
    Dax,
    /// A plain file through a mapped view: on Windows alone, for elsewhere the
    /// file medium reads through one. A plain file with
    /// [`Reads::Positioned`], and for images of flash, whose order views do
    /// not keep.
    View,
    /// Memory that is lost with the power, never chosen by itself. On Linux
    /// alone.
    Volatile,
}

/// A medium that a [`HostStore`](crate::HostStore) can be opened on.
pub trait HostMedium: Medium<Error = FileError> {
    /// Takes over the geometry that the image on the medium names. Called
    /// before anything is written.
    ///
    /// # Errors
    /// [`FileError::Short`] where the medium is smaller than that: it was
    /// truncated, or not copied whole.
    fn adopt(&mut self, geometry: Geometry) -> Result<(), FileError>;

    /// Makes the medium `capacity` bytes long, what is added blank, all of it
    /// durable on return. A DAX device has its own length, and need not be
    /// blank behind the store's.
    ///
    /// # Errors
    /// [`FileError::NoSpace`] where there is no room for it, and what the
    /// system reports, `Unsupported` of a medium that cannot, as by default;
    /// the medium is as long as before then.
    fn resize(&mut self, capacity: u64) -> Result<(), FileError> {
        let _ = capacity;
        let source = io::ErrorKind::Unsupported.into();
        Err(FileError::io(Operation::Grow, 0, source))
    }

    /// What the medium may be used for.
    fn access(&self) -> Access;

    /// What the medium is.
    fn kind(&self) -> MediumKind;

    /// The backups that are being made of it, which it tells what it writes and
    /// erases.
    fn tracker(&mut self) -> &mut Tracker;

    /// Reads the headers of segments once from now on, or each time again: a
    /// start looks at each several times. Does nothing by default.
    fn keep_heads(&mut self, keep: bool) {
        let _ = keep;
    }

    /// The first half of a flush, where it has two: see
    /// [`FileMedium::begin_flush`]. `None`, as by default, where a flush is
    /// short, or has to be one.
    ///
    /// # Errors
    /// As a flush's.
    fn begin_flush(&mut self) -> Result<Option<Syncer>, FileError> {
        Ok(None)
    }

    /// The second half, with the outcome of [`Syncer::sync`].
    ///
    /// # Errors
    /// As a flush's.
    fn end_flush(&mut self, synced: io::Result<()>) -> Result<(), FileError> {
        let _ = synced;
        Ok(())
    }
}

impl<F: RawFile> HostMedium for FileMedium<F> {
    fn adopt(&mut self, geometry: Geometry) -> Result<(), FileError> {
        FileMedium::adopt(self, geometry)
    }

    fn resize(&mut self, capacity: u64) -> Result<(), FileError> {
        FileMedium::resize(self, capacity)
    }

    fn access(&self) -> Access {
        FileMedium::access(self)
    }

    fn kind(&self) -> MediumKind {
        MediumKind::File
    }

    fn tracker(&mut self) -> &mut Tracker {
        FileMedium::tracker(self)
    }

    fn keep_heads(&mut self, keep: bool) {
        FileMedium::keep_heads(self, keep);
    }

    fn begin_flush(&mut self) -> Result<Option<Syncer>, FileError> {
        FileMedium::begin_flush(self)
    }

    fn end_flush(&mut self, synced: io::Result<()>) -> Result<(), FileError> {
        FileMedium::end_flush(self, synced)
    }
}

/// The medium of a path, whichever it is. Costs a branch a call, always the
/// same; a [`HostStore`](crate::HostStore) over one of the media alone costs
/// none.
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyMedium {
    /// A plain file.
    File(FileMedium),
    /// Persistent memory, or a mapped view.
    #[cfg(any(target_os = "linux", windows))]
    Pmem(PmemMedium),
}

macro_rules! each {
    ($medium:expr, $it:ident => $call:expr) => {
        match $medium {
            AnyMedium::File($it) => $call,
            #[cfg(any(target_os = "linux", windows))]
            AnyMedium::Pmem($it) => $call,
        }
    };
}

impl AnyMedium {
    /// Opens and locks what is at a path.
    ///
    /// # Errors
    /// [`FileError::NotDax`] where [`MediumChoice::Dax`] cannot be had, and
    /// those of [`FileMedium::open`].
    pub fn open(
        path: impl AsRef<Path>,
        access: Access,
        reads: Reads,
        choice: MediumChoice,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        match choice {
            MediumChoice::File => FileMedium::open(path, access, reads).map(Self::File),
            MediumChoice::Auto => Self::auto(path, access, reads),
            #[cfg(any(target_os = "linux", windows))]
            MediumChoice::Dax => PmemMedium::open(path, access, reads).map(Self::Pmem),
            #[cfg(target_os = "linux")]
            MediumChoice::Volatile => PmemMedium::open_volatile(path, access).map(Self::Pmem),
            #[cfg(windows)]
            MediumChoice::View => Self::view(path, access, reads),
            #[allow(unreachable_patterns, reason = "on every system some are left")]
            _ => Err(FileError::NotDax {
                why: NotDax::System,
                source: None,
            }),
        }
    }

    #[cfg(windows)]
    fn view(path: &Path, access: Access, reads: Reads) -> Result<Self, FileError> {
        if reads == Reads::Positioned {
            return FileMedium::open(path, access, reads).map(Self::File);
        }
        Self::fitting(PmemMedium::open_view(path, access)?, access, reads)
    }

    #[cfg(any(target_os = "linux", windows))]
    fn auto(path: &Path, access: Access, reads: Reads) -> Result<Self, FileError> {
        #[cfg(target_os = "linux")]
        if pmem::device(path).is_some() {
            return PmemMedium::open(path, access, reads).map(Self::Pmem);
        }
        let file = OsFile::open(path, access)?;
        // Whatever is in the way of memory need not be in the way of a file.
        if pmem::Mapping::probe(&file).is_err() {
            return FileMedium::of_file(file, access, reads).map(Self::File);
        }
        Self::fitting(PmemMedium::of_file(file, access, reads)?, access, reads)
    }

    /// Memory, or the file below it for the image of a medium that keeps an
    /// order, which memory does not.
    #[cfg(any(target_os = "linux", windows))]
    fn fitting(medium: PmemMedium, access: Access, reads: Reads) -> Result<Self, FileError> {
        match Layout::read(&medium) {
            Ok(layout) if !pmem::holds(layout.geometry) => {
                let file = medium.into_memory().into_file();
                FileMedium::of_file(file, access, reads).map(Self::File)
            }
            _ => Ok(Self::Pmem(medium)),
        }
    }

    #[cfg(not(any(target_os = "linux", windows)))]
    fn auto(path: &Path, access: Access, reads: Reads) -> Result<Self, FileError> {
        FileMedium::open(path, access, reads).map(Self::File)
    }

    /// Creates a file of `geometry.capacity` bytes, allocated and blank, and
    /// opens it. A DAX device exists, and is taken if no store is on it.
    ///
    /// Nothing is left behind where it fails.
    ///
    /// # Errors
    /// As for [`FileMedium::create`] and [`AnyMedium::open`].
    pub fn create(
        path: impl AsRef<Path>,
        geometry: Geometry,
        choice: MediumChoice,
    ) -> Result<Self, FileError> {
        let path = path.as_ref();
        #[cfg(target_os = "linux")]
        if choice != MediumChoice::File && pmem::device(path).is_some() {
            let mut medium = PmemMedium::open(path, Access::ReadWrite, Reads::Mapped)?;
            if !matches!(Layout::read(&medium), Err(indelible::Error::NotAStore)) {
                return Err(FileError::Exists);
            }
            medium.adopt(geometry)?;
            return Ok(Self::Pmem(medium));
        }
        #[cfg(not(any(target_os = "linux", windows)))]
        if !matches!(choice, MediumChoice::Auto | MediumChoice::File) {
            return Err(FileError::NotDax {
                why: NotDax::System,
                source: None,
            });
        }
        // As a file first: written whole by calls, so that its extents are
        // there and no store into the mapping has to wait for one.
        let created = FileMedium::create_in(path, geometry, |_file| {
            #[cfg(target_os = "linux")]
            if choice == MediumChoice::Volatile {
                pmem::prefer_large(_file, geometry.capacity);
            }
        })?;
        #[cfg(any(target_os = "linux", windows))]
        if choice != MediumChoice::File && (choice != MediumChoice::Auto || pmem::holds(geometry)) {
            drop(created);
            let opened = Self::open(path, Access::ReadWrite, Reads::Mapped, choice)
                .and_then(|mut medium| medium.adopt(geometry).map(|()| medium));
            if opened.is_err() {
                // The first error counts.
                let _ = std::fs::remove_file(path);
            }
            return opened;
        }
        Ok(Self::File(created))
    }
}

impl HostMedium for AnyMedium {
    fn adopt(&mut self, geometry: Geometry) -> Result<(), FileError> {
        each!(self, medium => medium.adopt(geometry))
    }

    fn resize(&mut self, capacity: u64) -> Result<(), FileError> {
        each!(self, medium => HostMedium::resize(medium, capacity))
    }

    fn access(&self) -> Access {
        each!(self, medium => medium.access())
    }

    fn kind(&self) -> MediumKind {
        each!(self, medium => medium.kind())
    }

    fn tracker(&mut self) -> &mut Tracker {
        each!(self, medium => HostMedium::tracker(medium))
    }

    fn keep_heads(&mut self, keep: bool) {
        each!(self, medium => HostMedium::keep_heads(medium, keep));
    }

    fn begin_flush(&mut self) -> Result<Option<Syncer>, FileError> {
        each!(self, medium => HostMedium::begin_flush(medium))
    }

    fn end_flush(&mut self, synced: io::Result<()>) -> Result<(), FileError> {
        each!(self, medium => HostMedium::end_flush(medium, synced))
    }
}

impl Medium for AnyMedium {
    type Error = FileError;

    #[inline]
    fn geometry(&self) -> Geometry {
        each!(self, medium => medium.geometry())
    }

    #[inline]
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), FileError> {
        each!(self, medium => medium.read(at, buf))
    }

    #[inline]
    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        each!(self, medium => medium.borrow(at, len))
    }

    #[inline]
    fn will_read(&self, at: u64, len: usize) {
        each!(self, medium => medium.will_read(at, len));
    }

    #[inline]
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        each!(self, medium => medium.write(at, bytes))
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), FileError> {
        each!(self, medium => medium.erase(at, len))
    }

    #[inline]
    fn will_flush(&mut self) {
        each!(self, medium => medium.will_flush());
    }

    #[inline]
    fn flush(&mut self) -> Result<(), FileError> {
        each!(self, medium => medium.flush())
    }

    #[inline]
    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        // Both by the same instruction.
        sum::crc32c(state, bytes)
    }
}
