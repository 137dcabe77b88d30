//! The seam between the judges and what they judge, so that the judges can
//! themselves be judged on a toy with known faults.

use crate::script::Op;
use crate::sim::{Sim, SimError};
use crate::spec::{Contents, Refusal};
use core::fmt;

/// Something that keeps [`Contents`] on a [`Sim`].
pub trait Subject: Sync {
    /// Makes an empty store.
    ///
    /// # Errors
    /// Where the medium fails or the store cannot be that small.
    fn setup(&self, sim: &mut Sim) -> Result<(), Failure>;

    /// Opens the store, lets `work` use it, and leaves it as `work` says.
    ///
    /// # Errors
    /// What opening, `work` or closing failed with.
    fn session(&self, sim: &mut Sim, work: &mut Work<'_>) -> Result<(), Failure>;
}

/// What is done with an open store.
pub type Work<'w> = dyn FnMut(&mut dyn Opened, &Started) -> Result<Leave, Failure> + 'w;

/// An open store.
pub trait Opened {
    /// Does one operation: the answer to each of its steps, and for a
    /// transaction to its commit.
    ///
    /// # Errors
    /// Anything but a refusal.
    fn apply(&mut self, op: &Op) -> Result<Vec<Result<(), Refusal>>, Failure>;

    /// Everything that the store shows. Each of `keys` is looked up also if
    /// no scan shows it.
    ///
    /// # Errors
    /// Where anything cannot be read, or two ways to read disagree.
    fn contents(&mut self, keys: &[Vec<u8>]) -> Result<Contents, Failure>;

    /// The medium below.
    fn sim(&self) -> &Sim;
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// In order.
    Close,
    /// As a killed process does.
    Drop,
}

/// What opening a store had to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// The store had been closed in order.
    pub clean: bool,
    /// A torn transaction was dropped.
    pub torn: bool,
    /// Bits that were corrected.
    pub healed_bits: u64,
    /// Damaged regions found.
    pub damaged: u64,
}

/// Why a store under test did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It reported damage, by name.
    Damage(String),
    /// It would not start.
    Refused(String),
    /// The medium failed.
    Medium(SimError),
    /// It did or showed something wrong.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(what) => write!(f, "damage reported: {what}"),
            Self::Refused(why) => write!(f, "refused to start: {why}"),
            Self::Medium(error) => write!(f, "medium: {error}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        Self::Medium(error)
    }
}
