//! What a store did to its medium, for doing it again up to a cut.

/// One operation that changes a medium, or makes changes durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// First byte.
        at: u64,
        /// What was written.
        bytes: Box<[u8]>,
    },
    /// Erase units were erased.
    Erase {
        /// First byte.
        at: u64,
        /// Length in bytes.
        len: u64,
    },
    /// Everything before became durable.
    Flush,
}
