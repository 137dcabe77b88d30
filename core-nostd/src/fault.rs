//! Failures on their way out of the core.
//!
//! A [`Fault`] says what went wrong in two words, where the medium's own error
//! is small: it passes through many hands, and each of them has to carry it.
//! Public calls make an [`Error`] of it as they return. Figures that do not
//! fit into it wait in the device; only what changes the store has such.

use crate::device::Device;
use crate::error::{Error, Item, Operation};
use crate::format::VERSION;
use crate::index::Index;
use crate::medium::Medium;
use crate::store::Store;

/// What went wrong. The variants are those of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<E> {
    Medium(Operation, E),
    Poisoned,
    ReadOnly,
    NotFound,
    KeyExists,
    KeyEmpty,
    KeyTooLong,
    ValueTooLong,
    Full,
    LogFull,
    IndexFull,
    TransactionTooLarge,
    TransactionOpen,
    BeforeHead,
    PastTail,
    InvalidLog,
    CorruptValue,
    CorruptElement,
    CorruptLog(u8),
    CorruptMetadata,
    Doubtful,
    VersionUnsupported,
    NotAStore,
    LedgerLost,
    MediumTooSmall,
    GeometryMismatch,
    ScratchTooSmall,
    BufferTooSmall,
    SequenceExhausted,
}

/// What went wrong, and one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault<E> {
    pub what: What<E>,
    /// The address, or the number, length or limit that the error tells of. A
    /// machine of 32 bits tells addresses up to 4 GiB.
    pub at: usize,
}

impl<E> Fault<E> {
    /// A fault with its figure.
    pub(crate) fn of(what: What<E>, at: usize) -> Self {
        Fault { what, at }
    }

    /// A fault at an address.
    pub(crate) fn at(what: What<E>, address: u64) -> Self {
        Self::of(what, usize::try_from(address).unwrap_or(usize::MAX))
    }

    /// A fault that needs no figure.
    pub(crate) fn plain(what: What<E>) -> Self {
        Self::of(what, 0)
    }

    /// Whether a checksum failed.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(
            self.what,
            What::CorruptValue | What::CorruptElement | What::CorruptLog(_) | What::CorruptMetadata
        )
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.what, What::Full)
    }
}

impl<M: Medium> Device<M> {
    /// A fault whose figures wait here: what is needed and what is there, or
    /// the limit alone.
    pub(crate) fn refuse(
        &mut self,
        what: What<M::Error>,
        at: usize,
        figures: (u64, u64),
    ) -> Fault<M::Error> {
        self.figures = figures;
        Fault::of(what, at)
    }

    /// No room: bytes needed, bytes available.
    pub(crate) fn full(&mut self, needed: u64, available: u64) -> Fault<M::Error> {
        self.refuse(What::Full, 0, (needed, available))
    }

    /// The error that a caller sees, as far as the device knows.
    #[cold]
    pub(crate) fn error(&self, fault: Fault<M::Error>) -> Error<M::Error> {
        let len = fault.at;
        let at = u64::try_from(len).unwrap_or(u64::MAX);
        let (needed, available) = self.figures;
        let limit = usize::try_from(needed).unwrap_or(usize::MAX);
        match fault.what {
            What::Medium(operation, cause) => Error::Medium {
                operation,
                at,
                cause,
            },
            What::Poisoned => Error::Poisoned,
            What::ReadOnly => Error::ReadOnly,
            What::NotFound => Error::NotFound,
            What::KeyExists => Error::KeyExists,
            What::KeyEmpty => Error::KeyEmpty,
            What::KeyTooLong => Error::KeyTooLong { len, max: limit },
            What::ValueTooLong => Error::ValueTooLong {
                len: needed,
                max: available,
            },
            What::Full => Error::Full { needed, available },
            What::LogFull => Error::LogFull {
                log: len,
                needed,
                available,
            },
            What::IndexFull => Error::IndexFull { capacity: len },
            What::TransactionTooLarge => Error::TransactionTooLarge { limit: len },
            What::TransactionOpen => Error::TransactionOpen,
            What::BeforeHead => Error::BeforeHead { head: needed },
            What::PastTail => Error::PastTail { tail: needed },
            What::InvalidLog => Error::InvalidLog { log: len, count: 0 },
            What::CorruptValue => corrupt(Item::Value, at),
            What::CorruptElement => corrupt(Item::Element, at),
            What::CorruptLog(log) => corrupt(Item::Log(log.into()), at),
            What::CorruptMetadata => corrupt(Item::Metadata, at),
            What::Doubtful => Error::Doubtful { at },
            What::VersionUnsupported => Error::VersionUnsupported {
                found: u8::try_from(at).unwrap_or(u8::MAX),
                supported: VERSION,
            },
            What::NotAStore => Error::NotAStore,
            What::LedgerLost => Error::LedgerLost { at },
            What::MediumTooSmall => Error::MediumTooSmall {
                found: available,
                needed,
            },
            What::GeometryMismatch => Error::GeometryMismatch,
            What::ScratchTooSmall => Error::MemoryTooSmall {
                what: "scratch",
                needed: len,
                found: 0,
            },
            What::BufferTooSmall => Error::BufferTooSmall { needed: len },
            What::SequenceExhausted => Error::SequenceExhausted,
        }
    }

    /// A result as the caller sees it.
    pub(crate) fn told<T>(&self, result: Result<T, Fault<M::Error>>) -> Result<T, Error<M::Error>> {
        result.map_err(|fault| self.error(fault))
    }
}

fn corrupt<E>(item: Item, at: u64) -> Error<E> {
    Error::Corrupt { item, at }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    #[cold]
    fn error(&self, fault: Fault<M::Error>) -> Error<M::Error> {
        match self.device.error(fault) {
            Error::InvalidLog { log, .. } => Error::InvalidLog {
                log,
                count: self.logs.len(),
            },
            Error::MemoryTooSmall { what, needed, .. } => Error::MemoryTooSmall {
                what,
                needed,
                found: self.scratch.len(),
            },
            other => other,
        }
    }

    /// A result as the caller sees it.
    pub(crate) fn told<T>(&self, result: Result<T, Fault<M::Error>>) -> Result<T, Error<M::Error>> {
        result.map_err(|fault| self.error(fault))
    }
}
