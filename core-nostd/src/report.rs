//! What `start` found, and what the store is made of.

/// What kind of place was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Hit {
    /// Records or commits in the ledger.
    Ledger,
    /// Relocated records.
    Cold,
    /// A log's bytes or its tail.
    Log(usize),
}

/// A damaged run of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Damage {
    /// What it belongs to.
    pub hit: Hit,
    /// Its address in bytes.
    pub at: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Records older than this may have had a newer version here; zero where
    /// the key is known.
    pub(crate) until: u64,
}

/// What a store remembers of damage that may hide newer records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden {
    /// Its address in bytes.
    pub at: u64,
    /// Records older than this may have had a newer version here.
    pub until: u64,
}

/// A transaction that was cut and dropped. It was never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Torn {
    /// Bytes from its first to its last programmed one.
    pub bytes: u64,
}

/// What `start` found. Nothing is dropped, healed or abandoned without a word
/// here.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    /// The store had been closed.
    pub clean: bool,
    /// The transaction that the power cut interrupted.
    pub torn: Option<Torn>,
    /// Single flipped bits that were corrected.
    pub healed_bits: u32,
    /// Damaged runs found.
    pub damaged: u32,
    /// The first of them.
    pub damages: heapless::Vec<Damage, 8>,
    /// Segments that a cut operation left behind; they are free again.
    pub abandoned: u32,
    /// Ledger segments that a torn succession left behind.
    pub torn_successions: u32,
    /// The index is one that was saved ([`Saving`](crate::Saving)), by the last
    /// close or before, with what was written since; the records from before
    /// were not looked at.
    pub index_loaded: bool,
}

/// The state of a store's space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stats {
    /// Segments in all.
    pub segments: u32,
    /// Segments of the ledger.
    pub ledger: u32,
    /// Segments of relocated records.
    pub cold: u32,
    /// Segments of logs.
    pub logs: u32,
    /// Free segments that are known or believed to be blank.
    pub blank: u32,
    /// Free segments that are to be erased.
    pub dirty: u32,
    /// Bytes of record frames that are needed, tombstones included.
    pub live_bytes: u64,
    /// Tombstones among them.
    pub tombstone_bytes: u64,
    /// Bytes of record frames that fit.
    pub kv_capacity: u64,
    /// Keys.
    pub keys: u64,
    /// Entries in the index (keys, lists, elements, chunks).
    pub index_len: usize,
    /// Entries that fit into the lent index.
    pub index_capacity: usize,
    /// Erases of the least erased segment.
    pub erases_min: u32,
    /// Erases of the most erased segment.
    pub erases_max: u32,
    /// Erases of all segments.
    pub erases_total: u64,
    /// Single flipped bits corrected since start.
    pub healed_bits: u32,
}
