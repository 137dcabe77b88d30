//! The original: lives through the workload and through power cuts of its own.

use crate::flash::{Flash, Image};
use crate::judge::{Counts, ID, Judge, Lent, Opened, Shared, Violation, What, open};
use crate::model::{LOG_CAPACITY, LOGS, Model, stage};
use crate::random::Random;
use crate::workload::{Operation, Workload};
use core::fmt::{self, Debug};
use indelible::{Config, Error, setup};
use indelible_embedded::Nor;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where all random numbers come from.
    pub seed: u64,
    /// Operations of the workload.
    pub operations: u32,
    /// Torn states tried at each step, besides the cut before it.
    pub tears: u32,
    /// One recovered copy in so many goes on and is opened once more; at
    /// least 1.
    pub goes_on: u32,
    /// The power of the original is cut in one operation of so many; at least
    /// 1.
    pub cuts: u32,
}

/// Memory for a run on flash of `BYTES` bytes; `USED` bytes have a bit for each
/// of its units.
#[derive(Debug)]
pub struct Arena<const BYTES: usize, const USED: usize> {
    original: ([u8; BYTES], [u8; USED], Lent),
    spare: ([u8; BYTES], [u8; USED], Lent),
    shared: Shared,
}

impl<const BYTES: usize, const USED: usize> Arena<BYTES, USED> {
    /// For statics.
    pub const fn new() -> Self {
        Self {
            original: ([0; BYTES], [0; USED], Lent::new()),
            spare: ([0; BYTES], [0; USED], Lent::new()),
            shared: Shared::new(),
        }
    }
}

impl<const BYTES: usize, const USED: usize> Default for Arena<BYTES, USED> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub counts: Counts,
    /// What ended it early.
    pub violation: Option<Violation>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.counts)?;
        match &self.violation {
            Some(violation) => write!(f, "VIOLATION: {violation}"),
            None => f.write_str("0 violations"),
        }
    }
}

/// Runs a plan on flash with write units of `UNIT` and sectors of `SECTOR`
/// bytes, until its end or the first violation.
///
/// # Panics
/// If the arena does not fit the units.
pub fn run<const UNIT: usize, const SECTOR: usize, const BYTES: usize, const USED: usize>(
    plan: &Plan,
    arena: &mut Arena<BYTES, USED>,
) -> Outcome {
    arena.shared = Shared::new();
    let (bytes, used, lent) = &mut arena.original;
    let mut image = Image::blank(bytes, used, UNIT);
    let (bytes, used, spare_lent) = &mut arena.spare;
    let mut judge = Judge::<UNIT, SECTOR> {
        shared: &arena.shared,
        spare: Image::blank(bytes, used, UNIT),
        lent: spare_lent,
        random: Random::new(plan.seed ^ 0x7EA5),
        tears: plan.tears,
        goes_on: plan.goes_on,
    };
    let mut runner = Runner {
        plan,
        shared: &arena.shared,
        workload: Workload::new(plan.seed),
    };
    runner.set_up(&mut image, &mut judge);
    while !runner.is_over() {
        runner.live(&mut image, &mut judge, lent);
    }
    Outcome {
        counts: arena.shared.counts.get(),
        violation: arena.shared.violation.take(),
    }
}

struct Runner<'r> {
    plan: &'r Plan,
    shared: &'r Shared,
    workload: Workload,
}

impl Runner<'_> {
    fn is_over(&self) -> bool {
        self.shared.violation.borrow().is_some()
            || self.shared.counts.get().operations >= self.plan.operations
    }

    fn set_up<const UNIT: usize, const SECTOR: usize>(
        &mut self,
        image: &mut Image<'_>,
        judge: &mut Judge<'_, '_, UNIT, SECTOR>,
    ) {
        let config = Config {
            id: ID,
            nonce: self.plan.seed,
            segment_size: None,
            logs: &[LOG_CAPACITY; LOGS],
        };
        let flash = Flash::<_, UNIT, SECTOR>::new(image, judge, None);
        let mut nor = Nor::new(flash).expect("there is a sector");
        if let Err(error) = setup(&mut nor, &config) {
            self.blame(What::OperationFailed, Some(&error));
        }
        self.shared.expected.borrow_mut().setting_up = false;
    }

    fn blame(&self, what: What, error: Option<&dyn Debug>) {
        self.shared.blame(what, None, error);
    }

    /// From one start to the next end.
    fn live<const UNIT: usize, const SECTOR: usize>(
        &mut self,
        image: &mut Image<'_>,
        judge: &mut Judge<'_, '_, UNIT, SECTOR>,
        lent: &mut Lent,
    ) {
        image.flicker();
        self.shared.count(|counts| counts.starts += 1);
        self.shared.cut.set(false);
        self.plan_cut(4);
        let flicker = Some(self.workload.number(24));
        let mut store = match open::<_, UNIT, SECTOR>(image, judge, flicker, lent) {
            Ok((store, report)) if report.damaged == 0 => store,
            Ok(_) => return self.blame(What::Damage, None),
            Err(_) if self.shared.cut.get() => return,
            Err(error) => return self.blame(What::NotOpened, Some(&error)),
        };
        self.shared.cut_after.set(None);
        let found = self.shared.expected.borrow().found(&store).cloned();
        match found {
            Ok(model) => self.settle(&model),
            Err((what, _)) => return self.blame(what, None),
        }
        while !self.is_over() {
            let model = self.shared.expected.borrow().after.clone();
            let operation = self.workload.next(&model);
            self.shared.count(|counts| counts.operations += 1);
            match operation {
                Operation::Drop => return,
                Operation::Close => {
                    self.plan_cut(4);
                    let closed = store.close();
                    return self.accept(closed.map(|_| ()));
                }
                _ => {}
            }
            self.plan_cut(self.plan.cuts);
            let done = self.carry_out(&mut store, &operation);
            let ended = done.is_err();
            self.accept(done);
            if ended {
                return;
            }
        }
        // The last operation is seen by nobody else.
        let found = self.shared.expected.borrow().after.compare(&store);
        if let Err(difference) = found {
            self.blame(What::Differs(difference), None);
        }
    }

    /// In one case of `of` the power is cut during what comes now.
    fn plan_cut(&mut self, of: u32) {
        let cut = self.workload.number(of) == 0;
        let steps = self.workload.number(40);
        self.shared.cut_after.set(cut.then_some(steps));
    }

    /// What was done is durable, so nothing else may be found from now on.
    fn settle(&self, model: &Model) {
        let mut expected = self.shared.expected.borrow_mut();
        expected.before.clone_from(model);
        expected.after.clone_from(model);
    }

    fn accept<E: Debug>(&self, done: Result<(), Error<E>>) {
        self.shared.cut_after.set(None);
        match done {
            Ok(()) => {
                let after = self.shared.expected.borrow().after.clone();
                self.settle(&after);
            }
            Err(_) if self.shared.cut.get() => {}
            Err(error) => self.blame(What::OperationFailed, Some(&error)),
        }
    }

    fn carry_out<W: crate::Witness, const UNIT: usize, const SECTOR: usize>(
        &self,
        store: &mut Opened<'_, '_, W, UNIT, SECTOR>,
        operation: &Operation,
    ) -> Result<(), Error<indelible_embedded::Error<crate::Fault>>> {
        match operation {
            Operation::Commit(changes) => {
                {
                    let mut expected = self.shared.expected.borrow_mut();
                    changes
                        .iter()
                        .for_each(|change| expected.after.apply(*change));
                }
                changes
                    .iter()
                    .try_for_each(|change| stage(store, *change))?;
                store.commit()
            }
            Operation::Abort(changes) => {
                changes
                    .iter()
                    .try_for_each(|change| stage(store, *change))?;
                store.abort()
            }
            Operation::Maintain(budget) => store.maintain(*budget).map(|_| ()),
            Operation::Close | Operation::Drop => Ok(()),
        }
    }
}
