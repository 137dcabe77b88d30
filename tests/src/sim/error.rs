//! What a simulated medium answers when it does not do what it was asked.

use core::fmt;

/// One of the four things that a medium does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `Medium::read`
    Read,
    /// `Medium::write`
    Write,
    /// `Medium::erase`
    Erase,
    /// `Medium::flush`
    Flush,
}

/// A promise to the medium that the store broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Beyond the capacity.
    OutOfRange {
        /// What was asked for.
        operation: Operation,
        /// First byte.
        at: u64,
        /// Length in bytes.
        len: u64,
    },
    /// Not whole write units, or not whole erase units.
    Unaligned {
        /// What was asked for.
        operation: Operation,
        /// First byte.
        at: u64,
        /// Length in bytes.
        len: u64,
    },
    /// A write into bytes that are not blank.
    NotBlank {
        /// The byte.
        at: u64,
    },
    /// A write into bytes that read as blank, but need not stay so: their
    /// erase is outstanding or was cut, or a crash left them open.
    NotDurablyBlank {
        /// The byte.
        at: u64,
    },
    /// A second write into the same bytes since their last erase, even if the
    /// first one wrote nothing but blanks.
    WrittenTwice {
        /// The byte.
        at: u64,
    },
}

/// Why a simulated medium refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimError {
    /// The store broke a promise; the test has failed.
    Violation(Violation),
    /// The test asked for this failure.
    Injected(Operation),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => write!(f, "the store broke a promise: {violation:?}"),
            Self::Injected(operation) => write!(f, "injected failure of a {operation:?}"),
        }
    }
}

impl std::error::Error for SimError {}
