//! Operations, drawn from a seed.

use crate::model::{Change, KEYS, LOGS, Model};
use crate::random::Random;
use heapless::Vec;

/// Changes in a transaction at most.
pub const CHANGES: usize = 6;

/// What is done with the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Changes, committed together.
    Commit(Vec<Change, CHANGES>),
    /// Changes, given up.
    Abort(Vec<Change, CHANGES>),
    /// Reclaims and erases ahead, so many steps at most.
    Maintain(u32),
    /// Closes the store and opens it again.
    Close,
    /// The power goes between two operations.
    Drop,
}

/// Draws operations that a store which holds `model` has room for.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    salt: u32,
}

impl Workload {
    /// Equal seeds, equal operations.
    pub const fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            salt: 0,
        }
    }

    /// The next operation on a store that holds `model`.
    pub fn next(&mut self, model: &Model) -> Operation {
        match self.random.below(100) {
            0..=11 => Operation::Commit(self.changes(model, CHANGES)),
            12..=16 => Operation::Abort(self.changes(model, CHANGES)),
            17..=19 => Operation::Maintain(1 + self.random.below(4)),
            20 => Operation::Close,
            21 => Operation::Drop,
            _ => Operation::Commit(self.changes(model, 1)),
        }
    }

    fn changes(&mut self, model: &Model, max: usize) -> Vec<Change, CHANGES> {
        let mut after = model.clone();
        let mut changes = Vec::new();
        for _ in 0..1 + self.random.below(max as u32) {
            let change = self.change(model, &after);
            after.apply(change);
            let _ = changes.push(change);
        }
        changes
    }

    /// A change that is allowed after `after`.
    fn change(&mut self, committed: &Model, after: &Model) -> Change {
        loop {
            let change = self.any();
            if after.allows(committed, change) {
                return change;
            }
        }
    }

    fn any(&mut self) -> Change {
        let key = self.random.below(KEYS as u32) as u8;
        let log = self.random.below(LOGS as u32) as u8;
        self.salt += 1;
        match self.random.below(100) {
            0..=44 => Change::Put(key, self.salt),
            45..=56 => Change::Delete(key),
            57..=66 => Change::Push(key, self.salt),
            67..=71 => Change::Trim(key, 1 + self.random.below(3) as u8),
            72..=91 => Change::Append(log, self.salt),
            _ => Change::Advance(log, 1 + self.random.below(400) as u16),
        }
    }

    /// A number, for what else there is to decide.
    pub fn number(&mut self, bound: u32) -> u32 {
        self.random.below(bound)
    }

    /// A salt that was not used before.
    pub fn salt(&mut self) -> u32 {
        self.salt += 1;
        self.salt
    }
}
