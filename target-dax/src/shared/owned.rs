//! A store together with the memory that it borrows.

use std::ptr::NonNull;

use indelible::Index;

use crate::HostMedium;
use crate::host::{HostIndex, HostMemory, HostStore, OpenError, StoreError};

/// A [`HostStore`] that borrows from nobody else. It stays inside this
/// module's parent, which hands out nothing that lives as long as the store
/// says.
pub(super) struct Owned<I: Index, M: HostMedium> {
    /// `None` only while this is being dropped or taken apart.
    store: Option<HostStore<'static, I, M>>,
    /// A box's; freed behind the store.
    memory: NonNull<HostMemory>,
}

// SAFETY: the memory is used through the store alone, and freed when that is
// gone. What lends it out is `Sync`, so the store may be used, and the memory
// freed, by whichever thread has this.
unsafe impl<I: Index, M: HostMedium> Send for Owned<I, M>
where
    HostStore<'static, I, M>: Send,
    HostMemory: Send + Sync,
{
}

// SAFETY: a shared reference to this gives one to the store and nothing else.
unsafe impl<I: Index, M: HostMedium> Sync for Owned<I, M>
where
    HostStore<'static, I, M>: Sync,
    HostMemory: Send + Sync,
{
}

impl<I: HostIndex<'static>, M: HostMedium> Owned<I, M> {
    pub(super) fn open(
        open: impl FnOnce(&'static HostMemory) -> Result<HostStore<'static, I, M>, OpenError>,
    ) -> Result<Self, OpenError> {
        let memory = NonNull::from(Box::leak(Box::new(HostMemory::new())));
        let mut owned = Self {
            store: None,
            memory,
        };
        // SAFETY: the box lives until this is dropped, after the store, which
        // is the only one to keep the reference; it is shared and never mutable.
        owned.store = Some(open(unsafe { memory.as_ref() })?);
        Ok(owned)
    }

    pub(super) fn get(&self) -> &HostStore<'static, I, M> {
        self.store.as_ref().expect("a store until it is closed")
    }

    pub(super) fn get_mut(&mut self) -> &mut HostStore<'static, I, M> {
        self.store.as_mut().expect("a store until it is closed")
    }

    pub(super) fn close(mut self) -> Result<(), StoreError> {
        self.store.take().map_or(Ok(()), HostStore::close)
    }
}

impl<I: Index, M: HostMedium> Drop for Owned<I, M> {
    fn drop(&mut self) {
        self.store = None;
        // SAFETY: the pointer is of a box that was leaked and that nobody else
        // frees; the store, which borrowed it, is gone.
        drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
    }
}
