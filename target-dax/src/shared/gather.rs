//! Whether a leader waits for more batches.
//!
//! Those whose commit has just ended mostly come back at once with the next
//! one. A leader that went ahead without them would leave them waiting for a
//! flush of their own, and so in turn: half of the threads a flush. So, where a
//! flush takes long, it *gathers*: it waits up to half of that time for as many
//! as the last group had. Where they do not come, for they have something else
//! to do or no processor to do it on, it leaves it alone for a while, and for
//! twice as long each time.

use std::time::Duration;

use super::sync::Moment;

/// Nobody waits for others where flushes are shorter.
const FLUSH_LONG: Duration = Duration::from_micros(30);
/// However long a flush takes, nobody waits longer.
const PATIENCE_MAX: Duration = Duration::from_micros(500);
/// Groups that are not gathered after waiting in vain, at most.
const RESTRAINT_MAX: u32 = 256;

/// What is known of those who may come.
#[derive(Default)]
pub(super) struct Gathering {
    /// How many batches may wait once those of the last group have come back,
    /// beside the leader's own, and when that group ended.
    expected: usize,
    ended: Option<Moment>,
    patience: Duration,
    /// What waited when the leader began to wait.
    begun_with: usize,
    /// Groups that are not to be gathered, and how many the next time.
    restraint: u32,
    next_restraint: u32,
}

impl Gathering {
    /// A group of so many ended, and so many wait already.
    pub(super) fn expect(&mut self, group: usize, waiting: usize) {
        self.expected = group + waiting - 1;
        self.ended = (self.expected > 0).then(Moment::now);
    }

    /// Whether a leader waits, `count` batches being there, where a flush takes
    /// so long.
    pub(super) fn begin(&mut self, count: usize, flush: Duration) -> bool {
        if count >= self.expected || flush < FLUSH_LONG {
            return false;
        }
        if self.restraint > 0 {
            self.restraint -= 1;
            return false;
        }
        self.patience = (flush / 2).min(PATIENCE_MAX);
        self.begun_with = count;
        true
    }

    /// Whether it waits on.
    pub(super) fn lacks(&self, count: usize) -> bool {
        let over = |ended: &Moment| ended.is_past(self.patience);
        count < self.expected && !self.ended.as_ref().is_none_or(over)
    }

    /// It has waited: was it worth it?
    pub(super) fn end(&mut self, count: usize) {
        let (came, hoped) = (count - self.begun_with, self.expected - self.begun_with);
        self.next_restraint = match came * 2 >= hoped {
            true => 0,
            false => (self.next_restraint * 2).clamp(1, RESTRAINT_MAX),
        };
        self.restraint = self.next_restraint;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: Duration = Duration::from_millis(100);

    #[test]
    fn a_leader_waits_for_as_many_as_there_were() {
        let mut gathering = Gathering::default();
        assert!(!gathering.begin(0, FLUSH), "for whom?");
        gathering.expect(1, 0);
        assert!(!gathering.begin(0, FLUSH), "one thread alone");
        gathering.expect(3, 1);
        assert!(!gathering.begin(3, FLUSH), "all are there");
        assert!(!gathering.begin(0, FLUSH_LONG / 2), "a flush is shorter");
        assert!(gathering.begin(1, FLUSH));
        assert!(!gathering.lacks(3));
    }

    #[test]
    fn waiting_in_vain_is_done_less_and_less() {
        let mut gathering = Gathering::default();
        let mut waited = 0;
        let mut groups = |gathering: &mut Gathering, come: usize, count: usize| {
            waited = 0;
            for _ in 0..count {
                gathering.expect(4, 0);
                if gathering.begin(0, FLUSH) {
                    gathering.end(come);
                    waited += 1;
                }
            }
            waited
        };
        // After 0, 1, 2, 4, 8, 16, 32, 64, 128 and 256 groups more, and so on.
        assert_eq!(groups(&mut gathering, 1, 600), 10);
        assert_eq!(groups(&mut gathering, 1, 2570), 10);
        // Until they come again.
        assert!(groups(&mut gathering, 2, 600) >= 600 - 256);
    }
}
