//! What an adapter's operations fail with.

use core::fmt;

/// Why a medium refused an operation; `E` is the driver's error, kept as it
/// came.
///
/// Inside a store it arrives as the cause of [`indelible::Error::Medium`],
/// beside what was being done and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The driver failed.
    Driver(E),
    /// The device is in use: an operation of the store was called from inside
    /// [`Shared::with`](crate::Shared::with), or another holder of an
    /// [`Access`](crate::Access) has it.
    Busy,
    /// An operation that waited failed: nothing is written any more until the
    /// store is opened again.
    InDoubt,
    /// The bytes are outside the medium. The core never asks for them.
    OutOfRange {
        /// The first byte asked for.
        at: u64,
        /// How many bytes.
        len: u64,
        /// Bytes that there are.
        capacity: u64,
    },
}

// Drivers' errors need not be `Display`.
impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(cause) => write!(f, "the driver failed: {cause:?}"),
            Self::Busy => f.write_str("the device is in use"),
            Self::InDoubt => f.write_str("an earlier operation failed"),
            Self::OutOfRange { at, len, capacity } => {
                write!(f, "{len} bytes at {at} pass the capacity of {capacity}")
            }
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}
