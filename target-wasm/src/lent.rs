//! Memory that is lent to the core until the store ends.

use alloc::alloc::dealloc;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;

/// Blocks lent out for as long as their owner likes; freed when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    blocks: Vec<(*mut u8, Layout)>,
}

impl Lent {
    /// Lends `count` default values.
    ///
    /// # Safety
    /// What is lent must not be used any more when `self` is dropped.
    pub(crate) unsafe fn slice<T: Clone + Default>(&mut self, count: usize) -> &'static mut [T] {
        let mut values = Vec::new();
        values.resize(count, T::default());
        let lent = Box::into_raw(values.into_boxed_slice());
        // SAFETY: the pointer is from a box that nobody else has.
        let lent = unsafe { &mut *lent };
        self.blocks
            .push((lent.as_mut_ptr().cast(), Layout::for_value(lent)));
        lent
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        for (block, layout) in self
            .blocks
            .drain(..)
            .filter(|(_, layout)| layout.size() > 0)
        {
            // SAFETY: the block is a boxed slice of this layout that was given
            // up in `slice`; its values need no drop, being plain data, and by
            // the contract of `slice` nobody uses them.
            unsafe { dealloc(block, layout) };
        }
    }
}
