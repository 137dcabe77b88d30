//! A cut at every word and every erase of a bounded workload.

use crate::engine::{Engine, Fault, Store};
use crate::nor::Flash;

use super::contents::Legal;
use super::flash::{Atom, Cut, Model, atoms};
use super::lives::recover;
use super::tally::Tally;
use super::{Part, SHAPE};

/// Sectors that the store erases before power is cut for the first time: it is
/// then at its usual work.
const WARM: u64 = 4;
/// Operations after which it is at its usual work in any case.
const WARM_STEPS: u64 = 3000;
/// Sectors whose erase is cut at least: where the cuts are used up before, the
/// workload goes on with cuts at its erases alone.
const ERASES: u64 = 8;
/// Operations at most, where a store erases that seldom.
const OPERATIONS_MAX: u64 = 10_000;
/// Operations after which the original is compared too.
const SETTLE: u64 = 32;
/// How often each erase is torn, each time otherwise.
const TEARS: usize = 8;

/// What a workload with cuts came to.
#[derive(Debug, Default)]
pub struct Every {
    /// One for each model, in the order of [`Model::ALL`].
    pub tallies: [Tally; 3],
    /// Operations during which power was cut.
    pub operations: u64,
    /// Why the store stopped without any cut.
    pub stopped: Option<String>,
}

impl Every {
    fn cuts(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.cuts).sum()
    }

    fn enough(&self, cuts: u64) -> bool {
        let erases = self.tallies[Model::TornErase as usize].cuts / TEARS as u64;
        self.cuts() >= cuts && (erases >= ERASES || self.operations >= OPERATIONS_MAX)
    }
}

/// Cuts power at every step of a workload, until there were `cuts` of them. A
/// store that does not even get to its usual work without a cut is cut from its
/// first operation on.
///
/// # Errors
/// The store cannot be made.
pub fn every(engine: &dyn Engine, part: Part, cuts: u64, seed: u64) -> Result<Every, Fault> {
    let done = workload(engine, part, cuts, seed, WARM_STEPS)?;
    if done.stopped.is_some() && done.operations == 0 {
        return workload(engine, part, cuts, seed, 0);
    }
    Ok(done)
}

fn workload(
    engine: &dyn Engine,
    part: Part,
    cuts: u64,
    seed: u64,
    warm: u64,
) -> Result<Every, Fault> {
    let flash = Flash::new(SHAPE, engine.programs_max());
    engine.format(&flash, part.plan())?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut legal = Legal::default();
    let mut done = Every::default();
    let session = engine.session(&flash, part.plan(), &mut |store| {
        let transactions = engine.has_transactions();
        for number in 0..warm {
            if number.is_multiple_of(SETTLE) {
                settle(&mut legal, part, store)?;
            }
            if flash.counts().erases >= SHAPE.sectors as u64 + WARM {
                break;
            }
            let step = legal.next(part, transactions, &mut random);
            legal.begin(&step);
            step.run(store)?;
            legal.acknowledge();
        }
        settle(&mut legal, part, store)?;
        flash.record();
        let mut cut = Cut::of(&flash, engine.programs_max());
        while !done.enough(cuts) {
            let step = legal.next(part, transactions, &mut random);
            legal.begin(&step);
            step.run(store)?;
            let full = done.cuts() >= cuts;
            for atom in atoms(&flash.take_journal()) {
                if full && matches!(atom, Atom::Word { .. }) {
                    cut.apply(&atom);
                    continue;
                }
                around(engine, part, &cut, &atom, &legal, &mut random, &mut done);
                cut.apply(&atom);
            }
            legal.acknowledge();
            done.operations += 1;
            if done.operations.is_multiple_of(SETTLE) {
                settle(&mut legal, part, store)?;
                for atom in atoms(&flash.take_journal()) {
                    cut.apply(&atom);
                }
            }
        }
        Ok(())
    });
    if let Err(fault) = session {
        done.stopped = Some(fault.to_string());
    }
    Ok(done)
}

/// The original shows what it dropped from its log; it must be right too.
fn settle(legal: &mut Legal, part: Part, store: &mut dyn Store) -> Result<(), Fault> {
    legal
        .check(part, store)
        .map_err(|(_, how)| Fault::Failed(how))
}

/// Cuts before something is done, and while it is.
fn around(
    engine: &dyn Engine,
    part: Part,
    cut: &Cut,
    atom: &Atom,
    legal: &Legal,
    random: &mut fastrand::Rng,
    done: &mut Every,
) {
    let (model, tears) = match atom {
        Atom::Word { .. } => (Model::TornWord, 1),
        Atom::Erase { .. } => (Model::TornErase, TEARS),
    };
    let mut try_one = |model: Model, cut: &Cut| {
        let flash = cut.flash();
        let outcome = recover(engine, part, &flash, legal.clone(), &mut random.fork());
        done.tallies[model as usize].count(outcome, flash.counts().overprograms);
    };
    try_one(Model::Clean, cut);
    for tear in 0..tears {
        let mut torn = cut.clone();
        torn.tear(
            atom,
            &mut fastrand::Rng::with_seed(tear as u64 ^ seed_of(atom)),
        );
        try_one(model, &torn);
    }
}

/// Another tear for each place: a cut can be found again by the workload's seed.
fn seed_of(atom: &Atom) -> u64 {
    match atom {
        Atom::Word { at, word } => (*at as u64) << 32 | u64::from(u32::from_le_bytes(*word)),
        Atom::Erase { sector } => (*sector as u64) << 8,
    }
}
