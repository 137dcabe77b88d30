//! What a store makes of a damaged image.

use super::look::{Look, Opened, Refused, Visit, open};
use super::{Blow, Populated};
use crate::sim::{Operation, Sim};
use crate::spec::Contents;
use indelible::{Error, Index, Mode, Report};

/// The judgement of one blow, the mildest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything is right, and the store did not notice.
    Harmless,
    /// Everything is right, and the store says that it healed something.
    Healed,
    /// Errors name what was hit; everything else is right.
    Named {
        /// How many keys and logs answer with an error.
        items: usize,
    },
    /// It does not open.
    Refused(String),
    /// The newest transactions are gone as if they had never been begun: all
    /// that stood of them is blank.
    TailLost(String),
    /// The newest transaction, which was acknowledged, is gone, and the store
    /// reported a torn one.
    Misjudged(String),
    /// A wrong answer, a panic, a loop, or an acknowledged transaction gone
    /// without a word.
    Wrong(String),
}

/// More reads than any open and look of so small a store needs.
const READS_MAX: u64 = 1_000_000;

/// Strikes, and opens the image for reading and, anew, for writing. There the
/// store works on, is opened once more and read again.
pub fn judge(populated: &Populated, blow: &Blow) -> Verdict {
    let judged = std::panic::catch_unwind(|| {
        let mut image = populated.image.clone();
        blow.strike(&mut image, populated.geometry.blank);
        if image == populated.image {
            return Verdict::Harmless;
        }
        let reading = Judge::new(populated, blow).reading(&image);
        let writing = Judge::new(populated, blow).writing(&image);
        reading.max(writing)
    });
    judged.unwrap_or_else(|_| Verdict::Wrong("it panicked".into()))
}

struct Judge<'p> {
    populated: &'p Populated,
    blow: &'p Blow,
    /// What the store must hold now.
    truth: Contents,
    verdict: Verdict,
    /// An earlier start reported damage.
    told: bool,
    /// What the first start had to say.
    before: Report,
    /// The store was opened before.
    again: bool,
    work: bool,
}

impl<'p> Judge<'p> {
    fn new(populated: &'p Populated, blow: &'p Blow) -> Self {
        Self {
            populated,
            blow,
            truth: populated.truth().clone(),
            verdict: Verdict::Harmless,
            told: false,
            before: Report::default(),
            again: false,
            work: false,
        }
    }

    fn medium(&self, image: &[u8]) -> Sim {
        let sim = Sim::with_image(self.populated.geometry, image);
        sim.rig().fail_nth(Operation::Read, READS_MAX);
        sim
    }

    fn reading(mut self, image: &[u8]) -> Verdict {
        let mut sim = self.medium(image);
        self.open(&mut sim, Mode::ReadOnly);
        let counters = sim.rig().counters();
        if counters.writes + counters.erases > 0 {
            self.worsen(Verdict::Wrong("written to while reading".into()));
        }
        self.verdict
    }

    fn writing(mut self, image: &[u8]) -> Verdict {
        let mut sim = self.medium(image);
        self.work = true;
        self.open(&mut sim, Mode::ReadWrite);
        if self.verdict <= (Verdict::Named { items: usize::MAX }) {
            self.work = false;
            self.again = true;
            self.open(&mut sim, Mode::ReadWrite);
        }
        if let Some(violation) = sim.rig().violation() {
            self.worsen(Verdict::Wrong(format!("a broken promise: {violation:?}")));
        }
        self.verdict
    }

    fn open(&mut self, sim: &mut Sim, mode: Mode) {
        if let Err(Refused(why)) = open(sim, mode, self) {
            self.worsen(Verdict::Refused(why));
        }
    }

    fn worsen(&mut self, verdict: Verdict) {
        if verdict > self.verdict {
            self.verdict = verdict;
        }
    }

    fn verdict_of(&self, look: &Look) -> Verdict {
        let compared = look.compare(&self.truth, self.told);
        let mut items = compared.named.len();
        if compared.wrong.is_empty() {
            // A report of damage is a name even where nothing needed is hit.
            if look.report.damaged > 0 || look.damaged > 0 {
                items = items.max(1);
            }
            return match (items, u64::from(look.report.healed_bits) + look.healed) {
                (0, 0) => Verdict::Harmless,
                (0, _) => Verdict::Healed,
                _ => Verdict::Named { items },
            };
        }
        let mut what = compared.wrong;
        what.truncate(4);
        let lost = what.join("; ");
        let what = format!("{lost}; {:?}", look.report);
        if self.again {
            let before = &self.before;
            return Verdict::Wrong(format!("when opened again: {what}; before: {before:?}"));
        }
        if !self.is_past(look) {
            return Verdict::Wrong(what);
        }
        match look.report.torn {
            Some(_) => Verdict::Misjudged(what),
            None if matches!(self.blow, Blow::Hole { .. }) => Verdict::TailLost(lost),
            None => Verdict::Wrong(what),
        }
    }

    /// Whether the store shows what it held before its newest transactions,
    /// and reports no damage.
    fn is_past(&self, look: &Look) -> bool {
        let mut past = self.populated.history.iter().rev();
        !self.told
            && past.any(|past| **past != self.truth && look.compare(past, false).wrong.is_empty())
    }

    /// Works on, so that what surrounds the damage is reclaimed: it must stay
    /// known. What is refused for want of room or because of the damage is no
    /// matter.
    fn work<I: Index>(&mut self, store: &mut Opened<'_, '_, I>) {
        let count = if self.verdict == Verdict::Harmless {
            2
        } else {
            40
        };
        let mut done = store.put(b"new", b"after the damage");
        for log in 0..self.truth.logs.len() {
            done = done.and_then(|()| match store.append(log, b"appended") {
                Ok(at) => {
                    self.appended(log, at, b"appended");
                    Ok(())
                }
                Err(Error::Corrupt { .. } | Error::LogFull { .. }) => Ok(()),
                Err(error) => Err(error),
            });
        }
        for round in 0..count {
            done = done.and_then(|()| store.put(&[b'n', round % 3], &[round; 90]));
        }
        for key in [&b"new"[..], b"n\0", b"n\x01", b"n\x02"] {
            done = done.and_then(|()| match store.delete(key) {
                Err(Error::NotFound) => Ok(()),
                other => other,
            });
        }
        done = done.and_then(|()| store.maintain(60).map(drop));
        match done {
            Ok(()) | Err(Error::Corrupt { .. } | Error::Doubtful { .. } | Error::Full { .. }) => {}
            Err(error) => self.worsen(Verdict::Wrong(format!("at work: {error}"))),
        }
    }
}

impl Judge<'_> {
    /// A log goes on from where it ends. That may be before its true end only
    /// where damage was reported.
    fn appended(&mut self, number: usize, at: u64, bytes: &[u8]) {
        let log = &mut self.truth.logs[number];
        let tail = log.tail();
        if at != tail && (!self.told || at > tail) {
            self.worsen(Verdict::Wrong(format!("log {number} goes on from {at}")));
            return;
        }
        log.bytes.truncate(at.saturating_sub(log.head) as usize);
        log.bytes.extend(bytes);
    }
}

impl Visit for Judge<'_> {
    fn visit<I: Index>(&mut self, store: &mut Opened<'_, '_, I>, report: &Report) {
        self.told |= report.damaged > 0;
        if !self.again {
            self.before = report.clone();
        }
        let mut look = Look::at(store, report, &self.populated.keys);
        look.forget(|key| key == b"new" || key.first() == Some(&b'n'));
        let verdict = self.verdict_of(&look);
        let was = core::mem::replace(&mut self.verdict, Verdict::Harmless);
        if self.again && was <= Verdict::Healed && matches!(verdict, Verdict::Named { .. }) {
            let what = look.compare(&self.truth, true).named;
            self.worsen(Verdict::Wrong(format!("damage comes up later: {what:?}")));
        }
        self.worsen(was);
        self.worsen(verdict);
        if self.work && self.verdict <= (Verdict::Named { items: usize::MAX }) {
            self.work(store);
        }
    }
}
