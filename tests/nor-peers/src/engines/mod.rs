//! The stores: each over the simulated flash, by the traits that it asks of a
//! flash driver.

mod indelible;

pub use self::indelible::Indelible;

use crate::engine::Engine;

/// All of them, for flash with words of `word` bytes. Indelible comes first.
#[must_use]
pub fn all(word: usize) -> Vec<Box<dyn Engine>> {
    let _ = word;
    vec![Box::new(Indelible)]
}
