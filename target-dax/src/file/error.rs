//! What can go wrong with a file, in words that say what to do.

use std::{fmt, io};

/// What was being done to a file when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating and filling the file.
    Create,
    /// Opening, mapping or sizing it.
    Open,
    /// Making it longer.
    Grow,
    /// Taking the lock.
    Lock,
    /// Reading.
    Read,
    /// Writing or erasing.
    Write,
    /// `fdatasync`.
    Flush,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Create => "creating",
            Operation::Open => "opening",
            Operation::Grow => "growing",
            Operation::Lock => "locking",
            Operation::Read => "reading",
            Operation::Write => "writing",
            Operation::Flush => "flushing",
        })
    }
}

/// Why a path is not persistent memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDax {
    /// It lies in memory that is lost with the power, such as `/dev/shm`.
    Memory,
    /// Its file system keeps it on a disk, or was mounted without DAX.
    FileSystem,
    /// The system does not know `MAP_SYNC`, which came with Linux 4.15, or
    /// `RtlFlushNonVolatileMemory`, which came with Windows 10 1709.
    Kernel,
    /// The processor has no instruction that writes a cache line back.
    Processor,
    /// Such memory is not used on this system.
    System,
    /// It holds the image of a medium that memory cannot stand in for.
    Image,
    /// Not every region of the machine has caches that survive a power cut.
    Caches,
}

impl fmt::Display for NotDax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotDax::Memory => {
                "not persistent memory: it lies in a file system in volatile memory; choose \
                 another place, or the file medium"
            }
            NotDax::FileSystem => {
                if cfg!(windows) {
                    "not persistent memory: its volume is on a disk, or was not formatted with \
                     DAX; format one with /dax, or choose the file medium"
                } else {
                    "not persistent memory: its file system is on a disk, or is not mounted with \
                     DAX; mount it with -o dax=always, or choose the file medium"
                }
            }
            NotDax::Kernel => {
                if cfg!(windows) {
                    "not used as persistent memory: the system does not know \
                     RtlFlushNonVolatileMemory; Windows 10 1709 or newer does, or choose the file \
                     medium"
                } else {
                    "not used as persistent memory: the system does not know MAP_SYNC; Linux 4.15 \
                     or newer does, or choose the file medium"
                }
            }
            NotDax::Processor => {
                "not used as persistent memory: this processor has no instruction that writes a \
                 cache line back; choose the file medium"
            }
            NotDax::System => "not used as memory: not on this system; choose the file medium",
            NotDax::Image => {
                "not used as persistent memory: it holds the image of another medium; choose the \
                 file medium"
            }
            NotDax::Caches => {
                "not every region of persistent memory says that its persistence domain is \
                 cpu_cache, so cache lines have to be written back"
            }
        })
    }
}

/// What a file medium refuses or fails at.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The system reported an error.
    Io {
        /// What was being done.
        operation: Operation,
        /// The address in the file; 0 where none applies.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the file open.
    Locked,
    /// A file to be created exists.
    Exists,
    /// The disk has no room for the file.
    NoSpace {
        /// The size that was asked for.
        size: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no bytes.
    Empty,
    /// The path leads to a folder, a device or a pipe.
    NotRegular,
    /// The file is shorter than the image on it says.
    Short {
        /// Its size in bytes.
        size: u64,
        /// The size that the image needs.
        needed: u64,
    },
    /// Persistent memory was asked for, and this is none.
    NotDax {
        /// Why not.
        why: NotDax,
        /// What the system said, if it was asked.
        source: Option<io::Error>,
    },
    /// An earlier write or flush failed.
    Poisoned,
    /// The file was opened for reading only.
    ReadOnly,
    /// An address beyond the capacity.
    OutOfRange {
        /// The address.
        at: u64,
        /// The bytes from there.
        len: u64,
        /// The medium's size.
        capacity: u64,
    },
    /// A write or an erase that is not whole units.
    Misaligned {
        /// The address.
        at: u64,
        /// The bytes from there.
        len: u64,
        /// The unit that was not kept to.
        unit: u32,
    },
}

impl FileError {
    pub(crate) fn io(operation: Operation, at: u64, source: io::Error) -> Self {
        FileError::Io {
            operation,
            at,
            source,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io {
                operation,
                at,
                source,
            } => match operation {
                Operation::Read | Operation::Write => {
                    write!(f, "{operation} at byte {at} failed: {source}")
                }
                _ => write!(f, "{operation} failed: {source}"),
            },
            FileError::Locked => {
                f.write_str("another process has the store open; wait for it, or end it")
            }
            FileError::Exists => f.write_str("the path exists; remove it first, or choose another"),
            FileError::NoSpace { size, source } => write!(
                f,
                "no room for a file of {size} bytes ({source}); free some space, or make it smaller"
            ),
            FileError::Empty => f.write_str("the file is empty: not a store"),
            FileError::NotRegular => f.write_str("not a regular file; a store is one file"),
            FileError::Short { size, needed } => write!(
                f,
                "the file has {size} bytes where its store needs {needed}: it was truncated, \
                 or not copied whole; get a whole copy"
            ),
            FileError::NotDax { why, .. } => why.fmt(f),
            FileError::Poisoned => f.write_str(
                "an earlier write or flush failed, so what is on the disk is in doubt; \
                 open the store again",
            ),
            FileError::ReadOnly => f.write_str("the store is open for reading only"),
            FileError::OutOfRange { at, len, capacity } => {
                write!(
                    f,
                    "{len} bytes at {at} lie beyond the medium's {capacity} bytes"
                )
            }
            FileError::Misaligned { at, len, unit } => {
                write!(f, "{len} bytes at {at} are not whole units of {unit}")
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Io { source, .. } | FileError::NoSpace { source, .. } => Some(source),
            FileError::NotDax { source, .. } => source.as_ref().map(|source| source as _),
            _ => None,
        }
    }
}
