//! What a shared store fails with.

use std::fmt;
use std::sync::Arc;

use crate::host::StoreError;

/// Why a shared store did not do what it was asked. Clones share the cause.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SharedError {
    /// The store refused it: nothing of it was done.
    Store(Arc<StoreError>),
    /// The commit that it was a part of failed at the medium: all or nothing
    /// of it will be there when the store is opened again, and until then
    /// nothing more is written.
    InDoubt(Arc<StoreError>),
    /// The store was closed through another handle.
    Closed,
}

impl SharedError {
    /// The store's own error, where there is one.
    #[must_use]
    pub fn store(&self) -> Option<&StoreError> {
        match self {
            SharedError::Store(error) | SharedError::InDoubt(error) => Some(error),
            SharedError::Closed => None,
        }
    }
}

impl From<StoreError> for SharedError {
    fn from(error: StoreError) -> Self {
        SharedError::Store(Arc::new(error))
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SharedError::Store(error) => error.fmt(f),
            SharedError::InDoubt(error) => write!(f, "the commit is in doubt: {error}"),
            SharedError::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The store's error is what is shown; its cause comes next.
        self.store().and_then(std::error::Error::source)
    }
}
