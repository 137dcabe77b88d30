//! What the package's stores are made of.
//!
//! A module that has stores on other media too compiles these sources with a
//! module of its own in place of this one, where all its stores are of one type:
//! so it has the core once. That of the demo page does.

use crate::image::{Image, Port};
use crate::index::Indexes;
use crate::lent::Lent;

/// The port failed; it knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// The same, as a value.
pub const FAULT: Failed = Failed;

/// An image as the core has it.
pub type Below<'i, P> = &'i mut Image<P>;

/// How keys are found.
pub type Index = Indexes;

/// Hands an image to the core.
pub(crate) fn below<P: Port + 'static>(image: &mut Image<P>) -> Below<'_, P> {
    image
}

/// The image below a store.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
pub(crate) fn image<'b, P: Port + 'static>(below: &'b Below<'_, P>) -> &'b Image<P> {
    below
}

/// The same, to change.
pub(crate) fn image_mut<'b, P: Port + 'static>(below: &'b mut Below<'_, P>) -> &'b mut Image<P> {
    below
}

/// An empty index for `entries` entries.
///
/// # Safety
/// It must not be used any more when `lent` is dropped.
pub(crate) unsafe fn index(lent: &mut Lent, entries: usize) -> Index {
    // SAFETY: by the contract of this function.
    unsafe { Indexes::new(lent, entries) }
}
