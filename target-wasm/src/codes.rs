//! Errors as numbers. `js/codes.js` has the same list, with names and words.

use indelible::{Error, GeometryError, Item};

use crate::engine::EngineError;

/// An error as its number and up to three figures.
#[must_use]
pub fn code(error: &EngineError) -> [f64; 4] {
    match *error {
        Error::Medium { operation, at, .. } => row(1, operation as u64, at, 0),
        Error::Poisoned => row(2, 0, 0, 0),
        Error::ReadOnly => row(3, 0, 0, 0),
        Error::NotFound => row(4, 0, 0, 0),
        Error::KeyEmpty => row(5, 0, 0, 0),
        Error::KeyTooLong { len, max } => row(6, wide(len), wide(max), 0),
        Error::ValueTooLong { len, max } => row(7, len, max, 0),
        Error::Full { needed, available } => row(8, needed, available, 0),
        Error::LogFull {
            log,
            needed,
            available,
        } => row(9, needed, available, wide(log)),
        Error::IndexFull { capacity } => row(10, wide(capacity), 0, 0),
        Error::TransactionTooLarge { limit } => row(11, wide(limit), 0, 0),
        Error::BeforeHead { head } => row(12, head, 0, 0),
        Error::PastTail { tail } => row(13, tail, 0, 0),
        Error::InvalidLog { log, count } => row(14, wide(log), wide(count), 0),
        Error::Corrupt { item, at } => {
            let (what, log) = item_row(item);
            row(15, at, what, log)
        }
        Error::Doubtful { at } => row(16, at, 0, 0),
        Error::VersionUnsupported { found, supported } => {
            row(17, found.into(), supported.into(), 0)
        }
        Error::NotAStore => row(18, 0, 0, 0),
        Error::LedgerLost { at } => row(19, at, 0, 0),
        Error::MediumTooSmall { found, needed } => row(20, needed, found, 0),
        Error::GeometryMismatch => row(21, 0, 0, 0),
        Error::Geometry(GeometryError::Capacity { found, min }) => row(22, min, found, 0),
        Error::Geometry(GeometryError::SegmentSize { found, min }) => {
            row(23, min.into(), found.into(), 0)
        }
        Error::Geometry(_) => row(24, 0, 0, 0),
        Error::TransactionOpen => row(25, 0, 0, 0),
        Error::SequenceExhausted => row(26, 0, 0, 0),
        _ => row(27, 0, 0, 0),
    }
}

/// What a checksum failed on: 0 value, 1 list element, 2 log, 3 metadata; and
/// which log.
#[must_use]
pub fn item_row(item: Item) -> (u64, u64) {
    match item {
        Item::Value => (0, 0),
        Item::Element => (1, 0),
        Item::Log(log) => (2, wide(log)),
        Item::Metadata => (3, 0),
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// JavaScript's numbers are exact up to 2^53, far beyond a store's size.
#[allow(clippy::cast_precision_loss)]
fn row(code: u32, a: u64, b: u64, c: u64) -> [f64; 4] {
    [f64::from(code), a as f64, b as f64, c as f64]
}
