//! What can go wrong in an example.

use crate::flash::FlashError;
use core::fmt;
use embedded_storage::nor_flash::NorFlashErrorKind;
#[cfg(feature = "heap")]
use indelible_embedded::OutOfMemory;
use indelible_embedded::{BootError, Misfit, TypedError};

/// The error of the examples' flash.
type MediumError = indelible_embedded::Error<NorFlashErrorKind>;

/// The error of a store on it.
pub type StoreError = indelible::Error<MediumError>;

/// Why an example ended early.
#[derive(Debug)]
pub enum Failure {
    /// There is no flash, or its file failed.
    Flash(FlashError),
    /// The partition does not fit the flash.
    Partition(Misfit),
    /// The store refused.
    Store(StoreError),
    /// There is no store to work with.
    Boot(BootError<MediumError>),
    /// A typed value could not be read or written.
    Typed(TypedError<MediumError>),
    /// The heap has no room for the store's memory.
    #[cfg(feature = "heap")]
    Heap(OutOfMemory),
    /// What was read is not what was written.
    Wrong(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => error.fmt(f),
            Self::Partition(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Boot(error) => error.fmt(f),
            Self::Typed(error) => error.fmt(f),
            #[cfg(feature = "heap")]
            Self::Heap(error) => error.fmt(f),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

impl core::error::Error for Failure {}

impl From<FlashError> for Failure {
    fn from(error: FlashError) -> Self {
        Self::Flash(error)
    }
}

impl From<Misfit> for Failure {
    fn from(error: Misfit) -> Self {
        Self::Partition(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BootError<MediumError>> for Failure {
    fn from(error: BootError<MediumError>) -> Self {
        Self::Boot(error)
    }
}

impl From<TypedError<MediumError>> for Failure {
    fn from(error: TypedError<MediumError>) -> Self {
        Self::Typed(error)
    }
}

#[cfg(feature = "heap")]
impl From<OutOfMemory> for Failure {
    fn from(error: OutOfMemory) -> Self {
        Self::Heap(error)
    }
}
