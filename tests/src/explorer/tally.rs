//! How much was looked at, out of how much there is.

use super::run::Span;
use core::fmt;

/// The states of one exploration, by how often power had failed.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The first entry counts cuts of the workload, the second cuts of its
    /// recoveries, and so on.
    pub levels: Vec<Level>,
}

/// The states after power failed a number of times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    /// Cuts made.
    pub cuts: u64,
    /// Cuts of recoveries that were not made, since the bounds allow so many.
    pub left_out: u64,
    /// The logarithm to base 2 of the number of legal states of all of them.
    pub legal_log2: f64,
    /// States that recovery told apart and that were visited.
    pub visited: u64,
    /// States visited in which recovery undid the operation in flight.
    pub undone: u64,
    /// States visited in which the operation in flight was found done.
    pub done: u64,
    /// States not run, since an equal image was.
    pub equal: u64,
    /// Cuts of which every state was covered: those not visited differ only
    /// where recovery did not look.
    pub complete: u64,
}

impl Tally {
    /// The entry for power having failed `depth` + 1 times.
    pub fn level(&mut self, depth: usize) -> &mut Level {
        if self.levels.len() <= depth {
            self.levels.resize(depth + 1, Level::default());
        }
        &mut self.levels[depth]
    }

    /// All states visited.
    pub fn visited(&self) -> u64 {
        self.levels.iter().map(|level| level.visited).sum()
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        for (depth, level) in other.levels.iter().enumerate() {
            self.level(depth).add(level);
        }
    }
}

impl Level {
    fn add(&mut self, other: &Self) {
        self.legal_log2 = match (self.cuts, other.cuts) {
            (0, _) => other.legal_log2,
            (_, 0) => self.legal_log2,
            _ => add_log2(self.legal_log2, other.legal_log2),
        };
        self.cuts += other.cuts;
        self.left_out += other.left_out;
        self.visited += other.visited;
        self.undone += other.undone;
        self.done += other.done;
        self.equal += other.equal;
        self.complete += other.complete;
    }

    /// Counts a state with what was found in it. Where only one thing was legal
    /// to find there was nothing in flight.
    pub(super) fn state(&mut self, opened: Option<&Span>) {
        self.visited += 1;
        let Some([before, _, ..]) = opened.map(|span| &span.during[..]) else {
            return;
        };
        let undone = opened.is_some_and(|span| span.after.first() == Some(before));
        self.undone += u64::from(undone);
        self.done += u64::from(!undone);
    }

    /// Counts a cut with this many legal states.
    pub fn cut(&mut self, legal_log2: f64) {
        self.add(&Self {
            cuts: 1,
            legal_log2,
            ..Self::default()
        });
    }
}

fn add_log2(a: f64, b: f64) -> f64 {
    let (large, small) = (a.max(b), a.min(b));
    large + (small - large).exp2().ln_1p() / core::f64::consts::LN_2
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, level) in self.levels.iter().enumerate() {
            let states = match level.legal_log2 < 40.0 {
                true => format!("{:.0}", level.legal_log2.exp2()),
                false => format!("2^{:.1}", level.legal_log2),
            };
            write!(
                f,
                "{}power failure {}: {} of {} cuts ({} covered in full), {states} legal states, {} visited, {} equal to one visited",
                if depth > 0 { "; " } else { "" },
                depth + 1,
                level.cuts,
                level.cuts + level.left_out,
                level.complete,
                level.visited,
                level.equal,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_states_add_up() {
        let mut tally = Tally::default();
        tally.level(0).cut(3.0);
        tally.level(0).cut(3.0);
        tally.level(0).cut(4.0);
        assert!((tally.levels[0].legal_log2 - 5.0).abs() < 1e-9);
        let mut sum = Tally::default();
        sum.add(&tally);
        sum.add(&tally);
        assert!((sum.levels[0].legal_log2 - 6.0).abs() < 1e-9);
        assert_eq!(sum.levels[0].cuts, 6);
    }
}
