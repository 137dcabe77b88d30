//! Counts verdicts.

use super::{Blow, Verdict};
use core::fmt;

/// The verdicts of one kind of blow on one image.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What was struck, how.
    pub name: String,
    /// How many verdicts of each kind, in the order of [`COLUMNS`].
    pub counts: [u64; 8],
    /// Verdicts of the worse kinds, `withheld` and on.
    pub examples: Vec<(Blow, Verdict)>,
}

/// The kinds of verdicts; `withheld` is named, with more than one item.
pub const COLUMNS: [&str; 8] = [
    "harmless",
    "healed",
    "named",
    "withheld",
    "refused",
    "tail lost",
    "misjudged",
    "wrong",
];

impl Row {
    /// Counts these.
    pub fn new(name: &str, verdicts: Vec<(Blow, Verdict)>) -> Self {
        let mut row = Self {
            name: name.into(),
            ..Self::default()
        };
        for (blow, verdict) in verdicts {
            let column = column(&verdict);
            row.counts[column] += 1;
            match verdict {
                Verdict::Harmless | Verdict::Healed | Verdict::Named { items: ..2 } => {}
                bad => row.examples.push((blow, bad)),
            }
        }
        row
    }

    /// How many there are of the kind in a column.
    pub fn count(&self, column: &str) -> u64 {
        let at = COLUMNS.iter().position(|name| *name == column);
        at.map_or(0, |at| self.counts[at])
    }

    /// How many blows there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The titles of the columns.
    pub fn titles() -> String {
        let titles = COLUMNS.map(|column| format!("{column:>10}")).concat();
        format!("{:36}{:>9}{titles}", "", "blows")
    }
}

fn column(verdict: &Verdict) -> usize {
    match verdict {
        Verdict::Harmless => 0,
        Verdict::Healed => 1,
        Verdict::Named { items: ..2 } => 2,
        Verdict::Named { .. } => 3,
        Verdict::Refused(_) => 4,
        Verdict::TailLost(_) => 5,
        Verdict::Misjudged(_) => 6,
        Verdict::Wrong(_) => 7,
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:36}{:>9}", self.name, self.total())?;
        for count in self.counts {
            write!(f, "{count:>10}")?;
        }
        Ok(())
    }
}
