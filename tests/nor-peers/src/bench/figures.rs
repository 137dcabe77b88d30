//! What a piece of work cost.

use std::time::{Duration, Instant};

use crate::nor::{Counts, Flash};

/// What a number of operations cost.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// How many operations.
    pub operations: u64,
    /// What happened to the flash.
    pub counts: Counts,
    /// Bytes programmed.
    pub programmed: u64,
    /// Erases of the sector that was erased most.
    pub most: u64,
    /// Erases of the sector that was erased least.
    pub least: u64,
    /// Time on this host.
    pub time: Duration,
    /// Bytes of memory that the store holds on this host.
    pub ram: usize,
}

/// What opening a store cost.
#[derive(Clone, Debug, Default)]
pub struct Mount {
    /// Bytes read until it was ready.
    pub ready: u64,
    /// Bytes read by the first lookup.
    pub get: u64,
    /// Bytes programmed until it was ready.
    pub programmed: u64,
    /// Sectors erased until it was ready.
    pub erases: u64,
    /// Time on this host until it was ready.
    pub time: Duration,
}

/// A measurement under way.
pub struct Meter {
    flash: Flash,
    counts: Counts,
    erases: Vec<u64>,
    began: Instant,
}

impl Meter {
    /// Begins to measure.
    #[must_use]
    pub fn start(flash: &Flash) -> Self {
        Self {
            flash: flash.clone(),
            counts: flash.counts(),
            erases: flash.erases(),
            began: Instant::now(),
        }
    }

    /// What it cost since.
    #[must_use]
    pub fn stop(&self, operations: u64, ram: usize) -> Cost {
        let time = self.began.elapsed();
        let counts = self.flash.counts().since(&self.counts);
        let now = self.flash.erases();
        let erased = || now.iter().zip(&self.erases).map(|(now, then)| now - then);
        Cost {
            operations,
            counts,
            programmed: counts.words * self.flash.shape().word as u64,
            most: erased().max().unwrap_or(0),
            least: erased().min().unwrap_or(0),
            time,
            ram,
        }
    }
}

impl Cost {
    /// `total` for each operation.
    #[must_use]
    pub fn each(&self, total: u64) -> f64 {
        total as f64 / self.operations as f64
    }

    /// Bytes programmed for each operation.
    #[must_use]
    pub fn programmed_each(&self) -> f64 {
        self.each(self.programmed)
    }

    /// Bytes read for each operation.
    #[must_use]
    pub fn read_each(&self) -> f64 {
        self.each(self.counts.bytes_read)
    }
}
