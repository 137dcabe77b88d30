//! What was found behind cuts.

/// One thing that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The store does not open.
    Mount,
    /// A value or record that was acknowledged is gone, or cannot be read.
    Lost,
    /// A value that was replaced, or a record that was dropped, is back.
    Older,
    /// A value that was never written.
    Invented,
    /// Some of a transaction's changes are there and some are not.
    Torn,
    /// The store opens, but takes no more writes.
    Refuses,
    /// A panic.
    Panic,
    /// Operations without end.
    Endless,
}

impl Violation {
    /// All of them, as they stand in tables.
    pub const ALL: [Violation; 8] = [
        Violation::Mount,
        Violation::Lost,
        Violation::Older,
        Violation::Invented,
        Violation::Torn,
        Violation::Refuses,
        Violation::Panic,
        Violation::Endless,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::Lost => "lost",
            Self::Older => "older",
            Self::Invented => "invented",
            Self::Torn => "torn",
            Self::Refuses => "refuses",
            Self::Panic => "panic",
            Self::Endless => "endless",
        }
    }
}

/// What was wrong, and how it looked.
pub type Wrong = (Violation, String);

/// Cuts, and those behind which something was wrong: each counts once, for the
/// first thing found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cuts.
    pub cuts: u64,
    /// Cuts behind which it programmed a word that was not blank, in a way that
    /// it says it never does. No violation: flash with ECC refuses it.
    pub overprograms: u64,
    counts: [u64; Violation::ALL.len()],
    /// How the first one looked.
    pub first: Option<String>,
}

impl Tally {
    /// Counts a cut.
    pub fn count(&mut self, outcome: Result<(), Wrong>, overprograms: u64) {
        self.cuts += 1;
        self.overprograms += u64::from(overprograms > 0);
        if let Err((violation, how)) = outcome {
            self.counts[violation as usize] += 1;
            self.first.get_or_insert(how);
        }
    }

    /// How many of a kind.
    #[must_use]
    pub fn of(&self, violation: Violation) -> u64 {
        self.counts[violation as usize]
    }

    /// How many of any kind.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.counts.iter().sum()
    }
}
