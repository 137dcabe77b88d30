//! What the package's stores are made of here: the very types of the stores on
//! simulated media, so that the core is in the module once. Stands in the place
//! of the module of that name of `target-wasm`.

use crate::image::{Image, Port};
use crate::lent::Lent;
use indelible::{OrderedIndex, OrderedNode};
use indelible_tests::sim::{Operation, SimError, Simulated};
use std::any::Any;

/// The port failed; it knows why.
pub type Failed = SimError;

/// The same, as a value.
pub const FAULT: Failed = SimError::Injected(Operation::Flush);

/// `It`, whatever the port is: an alias has to use what it is given.
pub trait Whatever<P> {
    type It;
}

impl<T, P> Whatever<P> for T {
    type It = T;
}

/// An image as the core has it.
pub type Below<'i, P> = <&'i mut dyn Simulated as Whatever<P>>::It;

/// How keys are found: without the package's hash index, which saves reads of
/// records that nobody notices behind a message between threads.
pub type Index = OrderedIndex<'static>;

/// Hands an image to the core.
pub fn below<P: Port + 'static>(image: &mut Image<P>) -> Below<'_, P> {
    image
}

/// The image below a store.
pub fn image<'b, P: Port + 'static>(below: &'b Below<'_, P>) -> &'b Image<P> {
    let any: &dyn Any = &**below;
    any.downcast_ref().expect("the engine opened it on one")
}

/// The same, to change.
pub fn image_mut<'b, P: Port + 'static>(below: &'b mut Below<'_, P>) -> &'b mut Image<P> {
    let any: &mut dyn Any = &mut **below;
    any.downcast_mut().expect("the engine opened it on one")
}

/// An empty index for `entries` entries.
///
/// # Safety
/// It must not be used any more when `lent` is dropped.
pub unsafe fn index(lent: &mut Lent, entries: usize) -> Index {
    // SAFETY: by the contract of this function.
    OrderedIndex::new(unsafe { lent.slice::<OrderedNode>(OrderedIndex::nodes_for(entries)) })
}
