//! What stands on the medium, byte by byte. ARCHITECTURE.md has the drawings.

pub(crate) mod checkpoint;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod shape;

/// The format's version; an image of another one is refused by name.
pub const VERSION: u8 = 1;
