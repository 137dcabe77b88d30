//! The stores: each over the simulated flash, by the traits that it asks of a
//! flash driver.

mod ekv;
mod indelible;
#[cfg(feature = "littlefs")]
mod littlefs;
mod sequential;
mod tickv;
mod wasefire;

pub use self::ekv::Ekv;
pub use self::indelible::{Closed, Indelible};
#[cfg(feature = "littlefs")]
pub use self::littlefs::Littlefs;
pub use self::sequential::Sequential;
pub use self::tickv::Tickv;
pub use self::wasefire::Wasefire;

use crate::engine::Engine;

/// All of them on flash with words of `WORD` bytes and `SECTORS` sectors.
/// Indelible comes first.
fn with<const WORD: usize, const SECTORS: usize>() -> Vec<Box<dyn Engine>> {
    vec![
        Box::new(Indelible),
        Box::new(Closed),
        Box::new(Sequential::<WORD> { cached: true }),
        Box::new(Sequential::<WORD> { cached: false }),
        Box::new(Ekv),
        Box::new(Wasefire),
        #[cfg(feature = "littlefs")]
        Box::new(Littlefs::<WORD, SECTORS>),
        Box::new(Tickv),
    ]
}

/// Sectors of the flash on which power is cut.
pub const CUT_SECTORS: usize = 16;

/// Each once, on flash with [`CUT_SECTORS`] sectors and words of 4 bytes.
#[must_use]
pub fn small() -> Vec<Box<dyn Engine>> {
    let mut engines = with::<4, CUT_SECTORS>();
    // What is on the flash is the same with caches and without.
    let same = [Sequential::<4> { cached: true }.name(), Closed.name()];
    engines.retain(|engine| !same.contains(&engine.name()));
    engines
}

/// All of them on flash with 64 sectors and words of `word` bytes: 4, 8, 16 or
/// 256; Indelible alone on any other.
#[must_use]
pub fn all(word: usize) -> Vec<Box<dyn Engine>> {
    match word {
        4 => with::<4, 64>(),
        8 => with::<8, 64>(),
        16 => with::<16, 64>(),
        256 => with::<256, 64>(),
        _ => vec![Box::new(Indelible)],
    }
}
