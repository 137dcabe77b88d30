//! What every function returns, and the details of the last error.

use core::ffi::{c_char, c_int};

use indelible::{Error, GeometryError, Item, Operation};
use indelible_embedded::BootError;

use crate::arguments::Lent;
use crate::flash::Cause;
use crate::handle::indelible_store;

/// What a function returns. The numbers do not change.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub enum indelible_status {
    /// Done.
    #[default]
    INDELIBLE_OK = 0,
    /// No such key, or no such list element.
    INDELIBLE_NOT_FOUND = 1,
    /// The key to create is present.
    INDELIBLE_ERR_KEY_EXISTS = 2,
    /// A pointer is NULL, lies in the store's own memory or overlaps another,
    /// a length is impossible, or a flag is not known.
    INDELIBLE_ERR_ARGUMENT = 3,
    /// A pointer is not aligned: to 8 bytes for the store and its memory.
    INDELIBLE_ERR_ALIGNMENT = 4,
    /// The store is not open: never opened, closed, or a copy of one.
    INDELIBLE_ERR_NOT_OPEN = 5,
    /// The store is open already.
    INDELIBLE_ERR_ALREADY_OPEN = 6,
    /// Another call on this store is under way.
    INDELIBLE_ERR_BUSY = 7,
    /// The lent memory is too small: `needed`, `available`; `what` names the
    /// table that is, where it is entries that are counted.
    INDELIBLE_ERR_MEMORY_TOO_SMALL = 8,
    /// The buffer is too small: `needed` bytes.
    INDELIBLE_ERR_BUFFER_TOO_SMALL = 9,
    /// A key has at least one byte.
    INDELIBLE_ERR_KEY_EMPTY = 10,
    /// The key is longer (`needed`) than the store takes (`available`).
    INDELIBLE_ERR_KEY_TOO_LONG = 11,
    /// The value or list element is longer (`needed`) than the store takes
    /// (`available`).
    INDELIBLE_ERR_VALUE_TOO_LONG = 12,
    /// The store has no room: `needed`, `available` bytes. Deletes still work.
    INDELIBLE_ERR_FULL = 13,
    /// The log has no room: `log`, `needed`, `available` bytes. Advance its
    /// head.
    INDELIBLE_ERR_LOG_FULL = 14,
    /// The lent index holds no further entry: `available` fit.
    INDELIBLE_ERR_INDEX_FULL = 15,
    /// The transaction has more changes than `available`; commit first.
    INDELIBLE_ERR_TRANSACTION_TOO_LARGE = 16,
    /// A transaction is open; commit or abort it first.
    INDELIBLE_ERR_TRANSACTION_OPEN = 17,
    /// No transaction is open.
    INDELIBLE_ERR_NO_TRANSACTION = 18,
    /// The position is before the log's head, `address`.
    INDELIBLE_ERR_BEFORE_HEAD = 19,
    /// The position is behind the log's tail, `address`.
    INDELIBLE_ERR_PAST_TAIL = 20,
    /// There is no such log: `log`; there are `available`.
    INDELIBLE_ERR_INVALID_LOG = 21,
    /// A callback failed: `operation`, `address`, `cause`. After a failed
    /// program, erase or sync the store takes no changes until it is opened
    /// again.
    INDELIBLE_ERR_FLASH = 22,
    /// An earlier program, erase or sync failed: close the store, open it
    /// again.
    INDELIBLE_ERR_POISONED = 23,
    /// The store is open for reading only.
    INDELIBLE_ERR_READ_ONLY = 24,
    /// A checksum failed and could not be healed: `item`, `log`, `address`.
    INDELIBLE_ERR_CORRUPT = 25,
    /// Damage at `address` may have held a newer version of this key: the
    /// answer known is withheld. See `indelible_accept_damage`.
    INDELIBLE_ERR_DOUBTFUL = 26,
    /// No store was found: the flash is blank, or in use from `address` on, or
    /// power failed while a store was set up.
    INDELIBLE_ERR_NOT_A_STORE = 27,
    /// The store has another id.
    INDELIBLE_ERR_ID_MISMATCH = 28,
    /// The store is of another format version: `available`; this build works
    /// with `needed`.
    INDELIBLE_ERR_VERSION_UNSUPPORTED = 29,
    /// A store was found, but no ledger that can be read; the newest is at
    /// `address`.
    INDELIBLE_ERR_LEDGER_LOST = 30,
    /// The flash (`available` bytes) is shorter than its store (`needed`).
    INDELIBLE_ERR_FLASH_TOO_SMALL = 31,
    /// The flash is described otherwise than when the store was set up.
    INDELIBLE_ERR_GEOMETRY_MISMATCH = 32,
    /// The flash cannot hold this store: `what` does not work; `available` is
    /// there, `needed` the limit.
    INDELIBLE_ERR_GEOMETRY = 33,
    /// Segment sequences are used up (2^32 segments were opened).
    INDELIBLE_ERR_SEQUENCE_EXHAUSTED = 34,
    /// An error that this version of the API has no name for.
    INDELIBLE_ERR_OTHER = 35,
}

use indelible_status::*;

/// What was hit.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum indelible_item {
    /// Nothing.
    #[default]
    INDELIBLE_ITEM_NONE = 0,
    /// A key's value, or a part of it.
    INDELIBLE_ITEM_VALUE = 1,
    /// An element of a list.
    INDELIBLE_ITEM_ELEMENT = 2,
    /// Bytes of a log.
    INDELIBLE_ITEM_LOG = 3,
    /// The store's own records.
    INDELIBLE_ITEM_METADATA = 4,
}

/// Which callback.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum indelible_operation {
    /// None.
    #[default]
    INDELIBLE_OPERATION_NONE = 0,
    /// `read`.
    INDELIBLE_OPERATION_READ = 1,
    /// `program`.
    INDELIBLE_OPERATION_PROGRAM = 2,
    /// `erase`.
    INDELIBLE_OPERATION_ERASE = 3,
    /// `sync`.
    INDELIBLE_OPERATION_SYNC = 4,
}

/// The details of an error. What a status does not speak of is zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct indelible_error {
    /// What the function returned.
    pub status: indelible_status,
    /// The callback that failed.
    pub operation: indelible_operation,
    /// What it returned; INDELIBLE_CAUSE_OUT_OF_RANGE where it was not called.
    pub cause: c_int,
    /// What was hit.
    pub item: indelible_item,
    /// Which log.
    pub log: u32,
    /// The address on the flash in bytes; a log position for
    /// INDELIBLE_ERR_BEFORE_HEAD and INDELIBLE_ERR_PAST_TAIL.
    pub address: u64,
    /// What was asked for, or would be needed.
    pub needed: u64,
    /// What is there.
    pub available: u64,
    /// The table, or the part of the geometry, in words; or NULL. A constant.
    pub what: *const c_char,
}

impl indelible_error {
    pub(crate) const NONE: indelible_error = indelible_error {
        status: INDELIBLE_OK,
        operation: indelible_operation::INDELIBLE_OPERATION_NONE,
        cause: 0,
        item: indelible_item::INDELIBLE_ITEM_NONE,
        log: 0,
        address: 0,
        needed: 0,
        available: 0,
        what: core::ptr::null(),
    };

    pub(crate) fn of(status: indelible_status) -> Self {
        indelible_error {
            status,
            ..Self::NONE
        }
    }

    pub(crate) fn limit(status: indelible_status, needed: u64, available: u64) -> Self {
        indelible_error {
            needed,
            available,
            ..Self::of(status)
        }
    }

    fn at(status: indelible_status, address: u64) -> Self {
        indelible_error {
            address,
            ..Self::of(status)
        }
    }

    pub(crate) fn geometry(what: &'static core::ffi::CStr, found: u64, limit: u64) -> Self {
        indelible_error {
            what: what.as_ptr(),
            ..Self::limit(INDELIBLE_ERR_GEOMETRY, limit, found)
        }
    }
}

impl From<indelible_status> for indelible_error {
    fn from(status: indelible_status) -> Self {
        Self::of(status)
    }
}

pub(crate) fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

pub(crate) fn log_number(log: usize) -> u32 {
    u32::try_from(log).unwrap_or(u32::MAX)
}

/// The item's kind, and the log where it is one's.
pub(crate) fn item(item: Item) -> (indelible_item, u32) {
    match item {
        Item::Value => (indelible_item::INDELIBLE_ITEM_VALUE, 0),
        Item::Element => (indelible_item::INDELIBLE_ITEM_ELEMENT, 0),
        Item::Log(log) => (indelible_item::INDELIBLE_ITEM_LOG, log_number(log)),
        Item::Metadata => (indelible_item::INDELIBLE_ITEM_METADATA, 0),
    }
}

fn flash_error(operation: Operation, at: u64, cause: Cause) -> indelible_error {
    indelible_error {
        operation: match operation {
            Operation::Read => indelible_operation::INDELIBLE_OPERATION_READ,
            Operation::Write => indelible_operation::INDELIBLE_OPERATION_PROGRAM,
            Operation::Erase => indelible_operation::INDELIBLE_OPERATION_ERASE,
            Operation::Flush => indelible_operation::INDELIBLE_OPERATION_SYNC,
        },
        cause: cause.0,
        ..indelible_error::at(INDELIBLE_ERR_FLASH, at)
    }
}

fn memory_error(what: &str, needed: usize, found: usize) -> indelible_error {
    let what = match what {
        "segments" => c"segments",
        "logs" => c"logs",
        "ring" => c"ring",
        _ => c"key_max",
    };
    indelible_error {
        what: what.as_ptr(),
        ..indelible_error::limit(INDELIBLE_ERR_MEMORY_TOO_SMALL, wide(needed), wide(found))
    }
}

impl From<GeometryError> for indelible_error {
    fn from(error: GeometryError) -> Self {
        match error {
            GeometryError::WriteUnit(unit) => Self::geometry(c"write unit", unit.into(), 512),
            GeometryError::EraseUnit(unit) => Self::geometry(c"erase unit", unit.into(), 8),
            GeometryError::SegmentSize { found, min } => {
                Self::geometry(c"segment size", found.into(), min.into())
            }
            GeometryError::Capacity { found, min } => Self::geometry(c"capacity", found, min),
            GeometryError::Checkpoint { bytes, max } => {
                Self::geometry(c"checkpoint: larger segments are needed", bytes, max)
            }
            GeometryError::Logs { found, max } => Self::geometry(c"logs", wide(found), wide(max)),
            GeometryError::TooLarge { max } => Self::geometry(c"capacity: too large", 0, max),
            _ => Self::of(INDELIBLE_ERR_GEOMETRY),
        }
    }
}

impl From<Error<Cause>> for indelible_error {
    fn from(error: Error<Cause>) -> Self {
        match error {
            Error::Medium {
                operation,
                at,
                cause,
            } => flash_error(operation, at, cause),
            Error::Poisoned => Self::of(INDELIBLE_ERR_POISONED),
            Error::ReadOnly => Self::of(INDELIBLE_ERR_READ_ONLY),
            Error::NotFound => Self::of(INDELIBLE_NOT_FOUND),
            Error::KeyExists => Self::of(INDELIBLE_ERR_KEY_EXISTS),
            Error::KeyEmpty => Self::of(INDELIBLE_ERR_KEY_EMPTY),
            Error::KeyTooLong { len, max } => {
                Self::limit(INDELIBLE_ERR_KEY_TOO_LONG, wide(len), wide(max))
            }
            Error::ValueTooLong { len, max } => Self::limit(INDELIBLE_ERR_VALUE_TOO_LONG, len, max),
            Error::Full { needed, available } => Self::limit(INDELIBLE_ERR_FULL, needed, available),
            Error::LogFull {
                log,
                needed,
                available,
            } => indelible_error {
                log: log_number(log),
                ..Self::limit(INDELIBLE_ERR_LOG_FULL, needed, available)
            },
            Error::IndexFull { capacity } => {
                Self::limit(INDELIBLE_ERR_INDEX_FULL, 0, wide(capacity))
            }
            Error::TransactionTooLarge { limit } => {
                Self::limit(INDELIBLE_ERR_TRANSACTION_TOO_LARGE, 0, wide(limit))
            }
            Error::TransactionOpen => Self::of(INDELIBLE_ERR_TRANSACTION_OPEN),
            Error::BeforeHead { head } => Self::at(INDELIBLE_ERR_BEFORE_HEAD, head),
            Error::PastTail { tail } => Self::at(INDELIBLE_ERR_PAST_TAIL, tail),
            Error::InvalidLog { log, count } => indelible_error {
                log: log_number(log),
                ..Self::limit(INDELIBLE_ERR_INVALID_LOG, 0, wide(count))
            },
            Error::Corrupt { item: hit, at } => {
                let (item, log) = item(hit);
                indelible_error {
                    item,
                    log,
                    ..Self::at(INDELIBLE_ERR_CORRUPT, at)
                }
            }
            Error::Doubtful { at } => Self::at(INDELIBLE_ERR_DOUBTFUL, at),
            Error::IdMismatch { .. } => Self::of(INDELIBLE_ERR_ID_MISMATCH),
            Error::VersionUnsupported { found, supported } => Self::limit(
                INDELIBLE_ERR_VERSION_UNSUPPORTED,
                supported.into(),
                found.into(),
            ),
            Error::NotAStore => Self::of(INDELIBLE_ERR_NOT_A_STORE),
            Error::LedgerLost { at } => Self::at(INDELIBLE_ERR_LEDGER_LOST, at),
            Error::MediumTooSmall { found, needed } => {
                Self::limit(INDELIBLE_ERR_FLASH_TOO_SMALL, needed, found)
            }
            Error::GeometryMismatch => Self::of(INDELIBLE_ERR_GEOMETRY_MISMATCH),
            Error::Geometry(cause) => cause.into(),
            Error::MemoryTooSmall {
                what,
                needed,
                found,
            } => memory_error(what, needed, found),
            Error::BufferTooSmall { needed } => {
                Self::limit(INDELIBLE_ERR_BUFFER_TOO_SMALL, wide(needed), 0)
            }
            Error::SequenceExhausted => Self::of(INDELIBLE_ERR_SEQUENCE_EXHAUSTED),
            _ => Self::of(INDELIBLE_ERR_OTHER),
        }
    }
}

impl From<BootError<Cause>> for indelible_error {
    fn from(error: BootError<Cause>) -> Self {
        match error {
            BootError::Store(cause) => cause.into(),
            BootError::Foreign { at } => Self::at(INDELIBLE_ERR_NOT_A_STORE, at),
            _ => Self::of(INDELIBLE_ERR_OTHER),
        }
    }
}

/// A status in words: a constant string, never NULL, for any number.
#[unsafe(no_mangle)]
pub extern "C" fn indelible_strerror(status: i32) -> *const c_char {
    let text = TEXTS.iter().find(|(known, _)| *known as i32 == status);
    text.map_or(c"unknown status", |(_, text)| text).as_ptr()
}

const TEXTS: &[(indelible_status, &core::ffi::CStr)] = &[
    (INDELIBLE_OK, c"ok"),
    (INDELIBLE_NOT_FOUND, c"not found"),
    (INDELIBLE_ERR_KEY_EXISTS, c"the key exists"),
    (INDELIBLE_ERR_ARGUMENT, c"an argument is invalid"),
    (INDELIBLE_ERR_ALIGNMENT, c"a pointer is not aligned"),
    (INDELIBLE_ERR_NOT_OPEN, c"the store is not open"),
    (INDELIBLE_ERR_ALREADY_OPEN, c"the store is open already"),
    (
        INDELIBLE_ERR_BUSY,
        c"another call on the store is under way",
    ),
    (
        INDELIBLE_ERR_MEMORY_TOO_SMALL,
        c"the lent memory is too small",
    ),
    (INDELIBLE_ERR_BUFFER_TOO_SMALL, c"the buffer is too small"),
    (INDELIBLE_ERR_KEY_EMPTY, c"a key has at least one byte"),
    (INDELIBLE_ERR_KEY_TOO_LONG, c"the key is too long"),
    (INDELIBLE_ERR_VALUE_TOO_LONG, c"the value is too long"),
    (INDELIBLE_ERR_FULL, c"the store is full"),
    (INDELIBLE_ERR_LOG_FULL, c"the log is full"),
    (INDELIBLE_ERR_INDEX_FULL, c"the index is full"),
    (
        INDELIBLE_ERR_TRANSACTION_TOO_LARGE,
        c"the transaction has too many changes",
    ),
    (INDELIBLE_ERR_TRANSACTION_OPEN, c"a transaction is open"),
    (INDELIBLE_ERR_NO_TRANSACTION, c"no transaction is open"),
    (
        INDELIBLE_ERR_BEFORE_HEAD,
        c"the position is before the log's head",
    ),
    (
        INDELIBLE_ERR_PAST_TAIL,
        c"the position is past the log's tail",
    ),
    (INDELIBLE_ERR_INVALID_LOG, c"no such log"),
    (INDELIBLE_ERR_FLASH, c"a flash operation failed"),
    (
        INDELIBLE_ERR_POISONED,
        c"an earlier flash operation failed: open the store again",
    ),
    (
        INDELIBLE_ERR_READ_ONLY,
        c"the store is open for reading only",
    ),
    (INDELIBLE_ERR_CORRUPT, c"damaged"),
    (
        INDELIBLE_ERR_DOUBTFUL,
        c"damage may hide a newer version of this key",
    ),
    (INDELIBLE_ERR_NOT_A_STORE, c"no store found"),
    (INDELIBLE_ERR_ID_MISMATCH, c"the store has another id"),
    (
        INDELIBLE_ERR_VERSION_UNSUPPORTED,
        c"the store is of another format version",
    ),
    (
        INDELIBLE_ERR_LEDGER_LOST,
        c"the store's ledger cannot be read",
    ),
    (
        INDELIBLE_ERR_FLASH_TOO_SMALL,
        c"the flash is shorter than its store",
    ),
    (
        INDELIBLE_ERR_GEOMETRY_MISMATCH,
        c"the flash is described otherwise than at setup",
    ),
    (INDELIBLE_ERR_GEOMETRY, c"the flash cannot hold this store"),
    (
        INDELIBLE_ERR_SEQUENCE_EXHAUSTED,
        c"segment sequences are used up",
    ),
    (INDELIBLE_ERR_OTHER, c"another error"),
];

/// The details of the last error on a store, or of its open that failed. All
/// zero where there was none. A call that is refused with INDELIBLE_ERR_BUSY
/// leaves none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_last_error(
    store: *const indelible_store,
    error: *mut indelible_error,
) -> indelible_status {
    // SAFETY: `store` and `error` are NULL or as the header asks.
    let result = unsafe {
        crate::handle::last_error(store).and_then(|(last, lent)| {
            lent.out(error)?.required()?.set(last);
            Ok(())
        })
    };
    result.map_or_else(|refused| refused.status, |()| INDELIBLE_OK)
}

/// The version of the library, such as "0.1.0": a constant string.
#[unsafe(no_mangle)]
pub extern "C" fn indelible_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Hands the outcome of a function without a store over.
///
/// # Safety
/// `error` is NULL or as the header asks.
pub(crate) unsafe fn tell(
    result: Result<(), indelible_error>,
    error: *mut indelible_error,
) -> indelible_status {
    let details = result.err().unwrap_or(indelible_error::NONE);
    // SAFETY: the caller's promise.
    match unsafe { Lent::NOTHING.out(error) } {
        Ok(out) => out.set(details),
        Err(refused) => return refused.status,
    }
    details.status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_text_at_its_number() {
        for (number, (status, text)) in TEXTS.iter().enumerate() {
            assert_eq!(*status as usize, number);
            assert!(!text.is_empty());
        }
        assert_eq!(INDELIBLE_ERR_OTHER as usize + 1, TEXTS.len());
    }
}
