//! What a store costs its medium.

/// Operations seen by a simulated medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of `read`.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Calls of `write`.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Write units programmed.
    pub units_programmed: u64,
    /// Calls of `erase`.
    pub erases: u64,
    /// Erases of each erase unit.
    pub sector_erases: Vec<u32>,
    /// Calls of `flush`.
    pub flushes: u64,
}

impl Counters {
    /// What happened since `earlier`; the sectors are left out.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            reads: self.reads - earlier.reads,
            bytes_read: self.bytes_read - earlier.bytes_read,
            writes: self.writes - earlier.writes,
            bytes_written: self.bytes_written - earlier.bytes_written,
            units_programmed: self.units_programmed - earlier.units_programmed,
            erases: self.erases - earlier.erases,
            sector_erases: Vec::new(),
            flushes: self.flushes - earlier.flushes,
        }
    }
}
