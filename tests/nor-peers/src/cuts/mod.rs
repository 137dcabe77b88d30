//! Power cuts. A store works; its changes are noted word by word; for a cut the
//! flash is put together as it was at that moment, and the store opened on it.
//! The original goes on meanwhile, so that a thousand cuts cost a thousand
//! recoveries and not a thousand runs.
//!
//! Three models: power fails between two words ([`Model::Clean`]); the word being
//! programmed has cleared any of the bits that it was to clear
//! ([`Model::TornWord`]); the sector being erased has set any of its bits
//! ([`Model::TornErase`]). What a torn word or sector holds is decided at the cut
//! and stays: units that read differently from one look to the next are legal
//! flash too, but no peer promises to survive them. `explore` in Indelible's own
//! tests has those.

mod contents;
mod every;
mod flash;
mod lives;
mod tally;
mod walk;

pub use contents::{Legal, Step};
pub use every::every;
pub use flash::{Cut, Model};
pub use tally::{Tally, Violation};
pub use walk::walk;

use crate::engine::{Engine, Plan};
use crate::nor::Shape;

/// Keys in use.
pub const KEYS: usize = 24;

/// The flash on which power is cut.
pub const SHAPE: Shape = Shape {
    sectors: crate::engines::CUT_SECTORS,
    sector: crate::shim::SECTOR,
    word: 4,
};

/// Which part of a store is worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Keys: puts, deletes, and transactions where there are any.
    Keys,
    /// The log: appends, the oldest records dropped.
    Log,
}

impl Part {
    /// Both.
    pub const ALL: [Part; 2] = [Part::Keys, Part::Log];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Log => "log",
        }
    }

    /// Whether a store has it.
    #[must_use]
    pub fn is_in(self, engine: &dyn Engine) -> bool {
        self == Self::Keys || engine.has_log()
    }

    fn plan(self) -> Plan {
        Plan {
            keys: if self == Self::Keys { KEYS } else { 0 },
            log: self == Self::Log,
        }
    }
}
