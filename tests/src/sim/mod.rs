//! Simulated media: every failure that the contract allows, and no other.
//!
//! [`MemoryLike`] is persistent memory, a file or a browser; [`FlashLike`] is
//! NOR flash. Both count what a store costs, fail for good on any broken
//! promise (write-once, alignment, range), fail on request, and turn into what
//! a power cut leaves of them. What a cut leaves open is decided when the
//! store looks, by a [`Chooser`].
//!
//! [`Sim`] is either of them, for tests that run on both.

mod bits;
mod chooser;
mod counters;
mod error;
mod flash;
mod journal;
mod memory;
mod rig;
#[cfg(test)]
mod tests;
mod torn;

pub use bits::Bits;
pub use chooser::{Chooser, Decision, Kind, Open, Pattern, Site, Trail};
pub use counters::Counters;
pub use error::{Operation, SimError, Violation};
pub use flash::FlashLike;
pub use journal::Event;
pub use memory::MemoryLike;
pub use rig::{Rig, Tearing};

use core::any::Any;
use core::hash::{Hash, Hasher};
use indelible::{Geometry, Medium, Order};

/// A simulated medium of either kind.
#[derive(Clone, Debug)]
pub enum Sim {
    /// Unordered.
    Memory(MemoryLike),
    /// Ordered.
    Flash(FlashLike),
}

macro_rules! either {
    ($sim:expr, $medium:ident => $do:expr) => {
        match $sim {
            Sim::Memory($medium) => $do,
            Sim::Flash($medium) => $do,
        }
    };
}

impl Sim {
    /// A blank medium of the kind that the geometry's order asks for.
    pub fn new(geometry: Geometry) -> Self {
        match geometry.order {
            Order::Unordered => Self::Memory(MemoryLike::new(geometry)),
            Order::Ordered => Self::Flash(FlashLike::new(geometry)),
        }
    }

    /// A medium that durably holds `image`.
    pub fn with_image(geometry: Geometry, image: &[u8]) -> Self {
        match geometry.order {
            Order::Unordered => Self::Memory(MemoryLike::with_image(geometry, image)),
            Order::Ordered => Self::Flash(FlashLike::with_image(geometry, image)),
        }
    }

    /// Counters, failures, journal, decisions.
    pub fn rig(&self) -> &Rig {
        either!(self, medium => &medium.rig)
    }

    /// The same, to change.
    pub fn rig_mut(&mut self) -> &mut Rig {
        either!(self, medium => &mut medium.rig)
    }

    /// Does again what a journal says was done.
    ///
    /// # Errors
    /// As the operation itself.
    pub fn replay(&mut self, event: &Event) -> Result<(), SimError> {
        match event {
            Event::Write { at, bytes } => self.write(*at, bytes),
            Event::Erase { at, len } => self.erase(*at, *len),
            Event::Flush => self.flush(),
        }
    }

    /// What a power cut at this moment leaves. On flash it falls between two
    /// steps; [`FlashLike::cut`] tears one.
    pub fn cut(&self) -> Self {
        match self {
            Self::Memory(medium) => Self::Memory(medium.cut()),
            Self::Flash(medium) => Self::Flash(medium.cut(medium.outstanding())),
        }
    }

    /// What a killed process leaves: the system keeps what was issued, and a
    /// later power cut can still take it.
    pub fn kill(&self) -> Self {
        let mut after = self.clone();
        let mut rig = Rig::new(self.rig().geometry());
        rig.tearing = self.rig().tearing;
        *after.rig_mut() = rig;
        after
    }

    /// Whether a power cut now could take anything.
    pub fn is_durable(&self) -> bool {
        match self {
            Self::Memory(medium) => medium.is_durable(),
            Self::Flash(medium) => medium.outstanding() == 0,
        }
    }

    /// How many words, units and sectors are undecided.
    pub fn open_count(&self) -> usize {
        either!(self, medium => medium.open_count())
    }

    /// Everything undecided, in order of address, with what it may hold. What
    /// was decided once and may yet read differently is left out.
    pub fn open(&self) -> Vec<Open> {
        either!(self, medium => medium.open())
    }

    /// The logarithm to base 2 of the number of images that this medium may
    /// turn out to hold.
    pub fn states_log2(&self) -> f64 {
        either!(self, medium => medium.states_log2())
    }

    /// Decides again what was decided on another copy of this medium.
    pub fn pin(&mut self, decisions: &[Decision]) {
        either!(self, medium => medium.pin(decisions))
    }

    /// The bytes as they read now, with everything undecided decided.
    pub fn image(&self) -> Vec<u8> {
        either!(self, medium => medium.image())
    }

    /// Damages the medium.
    pub fn edit(&mut self, edit: impl FnOnce(&mut [u8])) {
        either!(self, medium => medium.edit(edit))
    }

    /// A number that equal images share.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.image().hash(&mut hasher);
        hasher.finish()
    }
}

/// A medium as the stores of the tests have it: one type for all of them, and
/// for media of another crate, so that a program has the core's code once.
pub trait Simulated: Medium<Error = SimError> + Any {}

impl<M: Medium<Error = SimError> + Any> Simulated for M {}

impl Medium for Sim {
    type Error = SimError;

    fn geometry(&self) -> Geometry {
        self.rig().geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), SimError> {
        either!(self, medium => medium.read(at, buf))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SimError> {
        either!(self, medium => medium.write(at, bytes))
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), SimError> {
        either!(self, medium => medium.erase(at, len))
    }

    fn flush(&mut self) -> Result<(), SimError> {
        either!(self, medium => medium.flush())
    }
}
