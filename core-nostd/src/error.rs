//! What can go wrong, where, and which limit it met.

use core::fmt;

/// What the core was doing with the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Erasing.
    Erase,
    /// Flushing.
    Flush,
}

/// What a checksum failed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Item {
    /// A key's value, or a chunk of it.
    Value,
    /// An element of a list.
    Element,
    /// Bytes of a log.
    Log(usize),
    /// The store's own records.
    Metadata,
}

/// The error of every store operation; `E` is the medium's.
///
/// Unless it says otherwise, an error leaves store and open transaction as
/// they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The medium failed. After a failed write, erase or flush the store takes
    /// no further writes until it is opened again.
    Medium {
        /// What was being done.
        operation: Operation,
        /// The address in bytes (0 for a flush).
        at: u64,
        /// The medium's own error.
        cause: E,
    },
    /// An earlier write, erase or flush failed; open the store again.
    Poisoned,
    /// The store was opened for reading only.
    ReadOnly,
    /// No such key, or no such list element.
    NotFound,
    /// The key to create is present.
    KeyExists,
    /// Keys have at least one byte.
    KeyEmpty,
    /// The key is longer than the store takes.
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest that fits.
        max: usize,
    },
    /// The value or list element is longer than the store takes.
    ValueTooLong {
        /// Its length in bytes.
        len: u64,
        /// The longest that fits.
        max: u64,
    },
    /// The store has no room; delete something, or make a larger one.
    Full {
        /// Bytes that the operation needs.
        needed: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// The log has no room; advance its head.
    LogFull {
        /// Which log.
        log: usize,
        /// Bytes that the operation needs.
        needed: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// The lent index memory holds no further key.
    IndexFull {
        /// Entries that fit.
        capacity: usize,
    },
    /// The lent undo memory holds no further change; commit first.
    TransactionTooLarge {
        /// Changes that fit.
        limit: usize,
    },
    /// A transaction is open; commit or abort it first.
    TransactionOpen,
    /// The position is before the log's head.
    BeforeHead {
        /// The first position that can be read.
        head: u64,
    },
    /// The position is behind the log's tail.
    PastTail {
        /// The position behind the last byte.
        tail: u64,
    },
    /// There is no such log.
    InvalidLog {
        /// The number asked for.
        log: usize,
        /// How many logs there are.
        count: usize,
    },
    /// A checksum failed and could not be healed: the item is damaged.
    Corrupt {
        /// What was hit.
        item: Item,
        /// Its address on the medium in bytes.
        at: u64,
    },
    /// Damage that cannot be attributed to a key may have held a newer version
    /// of this one: the answer known is withheld.
    Doubtful {
        /// Where the damage is.
        at: u64,
    },
    /// The store has another id.
    IdMismatch {
        /// The id asked for.
        expected: u128,
        /// The id found.
        found: u128,
    },
    /// The image is of another format version.
    VersionUnsupported {
        /// The version found.
        found: u8,
        /// The version that this build reads and writes.
        supported: u8,
    },
    /// No store was found on the medium.
    NotAStore,
    /// A store was found, but no ledger that can be read.
    LedgerLost {
        /// The address of the newest ledger segment found.
        at: u64,
    },
    /// The medium is shorter than its store: it was cut.
    MediumTooSmall {
        /// Bytes that are there.
        found: u64,
        /// Bytes of the store.
        needed: u64,
    },
    /// The medium's geometry is not the one that the store was set up with.
    GeometryMismatch,
    /// The geometry cannot hold this store.
    Geometry(GeometryError),
    /// A lent slice is too short.
    MemoryTooSmall {
        /// Which.
        what: &'static str,
        /// Entries needed.
        needed: usize,
        /// Entries lent.
        found: usize,
    },
    /// The buffer is too short.
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
    },
    /// Segment sequences are used up (2^32 segments were opened).
    SequenceExhausted,
}

/// Why a geometry and configuration make no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GeometryError {
    /// The write unit is no power of two from 1 to 512.
    WriteUnit(u32),
    /// The erase unit is no power of two, or no multiple of the write unit
    /// and of 8.
    EraseUnit(u32),
    /// The segment size is no multiple of the erase unit, or outside its
    /// limits.
    SegmentSize {
        /// The size asked for.
        found: u32,
        /// The smallest that works.
        min: u32,
    },
    /// The medium is too small for its logs and the least that a store needs.
    Capacity {
        /// Bytes that are there.
        found: u64,
        /// The smallest capacity that works.
        min: u64,
    },
    /// The checkpoint would pass a quarter of a segment: use larger segments.
    Checkpoint {
        /// Bytes of the checkpoint.
        bytes: u64,
        /// The most that a segment takes.
        max: u64,
    },
    /// Too many logs.
    Logs {
        /// Logs asked for.
        found: usize,
        /// The most that a store holds.
        max: usize,
    },
    /// The medium is ordered, and the build has no code for that (feature
    /// `ordered`).
    Ordered,
    /// More units than the index can address, or, of a store that is to grow,
    /// more segments than its checkpoint can tell of.
    TooLarge {
        /// The largest capacity in bytes.
        max: u64,
    },
    /// A store that is to grow is not made of whole segments then.
    Segments {
        /// The capacity asked for.
        found: u64,
        /// Bytes of a segment, of which it should be a multiple.
        segment_size: u32,
    },
    /// A store on an ordered medium stays as large as it is.
    Fixed,
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteUnit(unit) => {
                write!(f, "write unit {unit} is no power of two from 1 to 512")
            }
            Self::EraseUnit(unit) => write!(
                f,
                "erase unit {unit} is no power of two that is a multiple of the write unit and of 8"
            ),
            Self::SegmentSize { found, min } => write!(
                f,
                "segment size {found} is no multiple of the erase unit, or below {min}"
            ),
            Self::Capacity { found, min } => {
                write!(f, "capacity of {found} bytes is below the minimum of {min}")
            }
            Self::Checkpoint { bytes, max } => write!(
                f,
                "a checkpoint of {bytes} bytes passes the {max} that a segment takes: use larger segments"
            ),
            Self::Logs { found, max } => write!(f, "{found} logs are more than {max}"),
            Self::Ordered => f.write_str("this build has no code for ordered media"),
            Self::TooLarge { max } => write!(f, "capacity passes {max} bytes"),
            Self::Segments {
                found,
                segment_size,
            } => write!(
                f,
                "capacity of {found} bytes is no multiple of the segment size {segment_size}"
            ),
            Self::Fixed => f.write_str("a store on an ordered medium does not grow"),
        }
    }
}

impl core::error::Error for GeometryError {}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Medium {
                operation,
                at,
                cause,
            } => {
                let what = match operation {
                    Operation::Read => "read",
                    Operation::Write => "write",
                    Operation::Erase => "erase",
                    Operation::Flush => "flush",
                };
                write!(f, "{what} failed at byte {at}: {cause}")
            }
            Self::Poisoned => f.write_str("an earlier write failed: open the store again"),
            Self::ReadOnly => f.write_str("the store is open for reading only"),
            Self::NotFound => f.write_str("not found"),
            Self::KeyExists => f.write_str("the key exists"),
            Self::KeyEmpty => f.write_str("a key has at least one byte"),
            Self::KeyTooLong { len, max } => {
                write!(f, "key of {len} bytes is longer than {max}")
            }
            Self::ValueTooLong { len, max } => {
                write!(f, "value of {len} bytes is longer than {max}")
            }
            Self::Full { needed, available } => {
                write!(
                    f,
                    "store full: {needed} bytes needed, {available} available"
                )
            }
            Self::LogFull {
                log,
                needed,
                available,
            } => {
                write!(
                    f,
                    "log {log} full: {needed} bytes needed, {available} available"
                )
            }
            Self::IndexFull { capacity } => {
                write!(f, "index full: it holds {capacity} entries")
            }
            Self::TransactionTooLarge { limit } => {
                write!(f, "transaction has more than {limit} changes")
            }
            Self::TransactionOpen => f.write_str("a transaction is open"),
            Self::BeforeHead { head } => write!(f, "position is before the head {head}"),
            Self::PastTail { tail } => write!(f, "position is past the tail {tail}"),
            Self::InvalidLog { log, count } => {
                write!(f, "no log {log}: the store has {count}")
            }
            Self::Corrupt { item, at } => match item {
                Item::Value => write!(f, "value damaged at byte {at} of the medium"),
                Item::Element => write!(f, "list element damaged at byte {at} of the medium"),
                Item::Log(log) => write!(f, "log {log} damaged at byte {at} of the medium"),
                Item::Metadata => write!(f, "metadata damaged at byte {at} of the medium"),
            },
            Self::Doubtful { at } => write!(
                f,
                "damage at byte {at} of the medium may hide a newer version of this key"
            ),
            Self::IdMismatch { expected, found } => {
                write!(f, "store has id {found:032x}, not {expected:032x}")
            }
            Self::VersionUnsupported { found, supported } => write!(
                f,
                "image has format version {found}, this build works with {supported}"
            ),
            Self::NotAStore => f.write_str("no store found"),
            Self::LedgerLost { at } => {
                write!(f, "no readable ledger: the newest is damaged, at byte {at}")
            }
            Self::MediumTooSmall { found, needed } => {
                write!(f, "the store has {needed} bytes, the medium only {found}")
            }
            Self::GeometryMismatch => {
                f.write_str("the medium's geometry is not the one that the store was made with")
            }
            Self::Geometry(cause) => write!(f, "{cause}"),
            Self::MemoryTooSmall {
                what,
                needed,
                found,
            } => {
                write!(
                    f,
                    "lent memory for {what}: {found} entries, {needed} needed"
                )
            }
            Self::BufferTooSmall { needed } => write!(f, "buffer too small: {needed} bytes needed"),
            Self::SequenceExhausted => f.write_str("segment sequences are used up"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Medium { cause, .. } => Some(cause),
            Self::Geometry(cause) => Some(cause),
            _ => None,
        }
    }
}
