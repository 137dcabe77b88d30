//! Long random walks: one store lives through many cuts, each of them somewhere
//! in its recovery or its work.

use crate::engine::{Engine, Fault};
use crate::nor::Flash;

use super::contents::Legal;
use super::flash::{Atom, Cut, Model, atoms};
use super::lives::{live, run};
use super::tally::{Tally, Wrong};
use super::{Part, SHAPE};

/// What a walk came to.
#[derive(Debug, Default)]
pub struct Walk {
    /// A violation counts for the cut before it.
    pub tally: Tally,
    /// Stores that it took: each violation ends one.
    pub stores: u64,
    /// Stores that ended without any cut before.
    pub uncut: u64,
}

/// Operations in a life at most.
const STEPS_MAX: usize = 40;
/// Cuts that a store lives through at most: then comes a fresh one.
const CUTS_MAX: u64 = 2000;

/// Cuts power `cuts` times; what `model` does not tear is cut cleanly.
///
/// # Errors
/// A store cannot be made.
pub fn walk(
    engine: &dyn Engine,
    part: Part,
    model: Model,
    cuts: u64,
    seed: u64,
) -> Result<Walk, Fault> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut walk = Walk::default();
    while walk.tally.cuts < cuts && walk.uncut < cuts.div_ceil(100) {
        walk.stores += 1;
        let mut store = Walker::new(engine, part, model)?;
        let until = (walk.tally.cuts + CUTS_MAX).min(cuts);
        let mut was_cut = false;
        while walk.tally.cuts < until {
            let (outcome, overprograms) = store.life(&mut random);
            let failed = outcome.is_err();
            if was_cut {
                walk.tally.count(outcome, overprograms);
            } else if failed {
                walk.uncut += 1;
            }
            if failed {
                break;
            }
            was_cut = true;
        }
    }
    Ok(walk)
}

struct Walker<'e> {
    engine: &'e dyn Engine,
    part: Part,
    model: Model,
    cut: Cut,
    legal: Legal,
}

/// How much had been done, and what was legal to find, at some moment of a life.
struct Moment {
    atoms: usize,
    legal: Legal,
}

impl<'e> Walker<'e> {
    fn new(engine: &'e dyn Engine, part: Part, model: Model) -> Result<Self, Fault> {
        let flash = Flash::new(SHAPE, engine.programs_max());
        engine.format(&flash, part.plan())?;
        Ok(Self {
            engine,
            part,
            model,
            cut: Cut::of(&flash, engine.programs_max()),
            legal: Legal::default(),
        })
    }

    /// Opens the store, compares, works; then says that power failed somewhere
    /// on the way, and how.
    fn life(&mut self, random: &mut fastrand::Rng) -> (Result<(), Wrong>, u64) {
        let flash = self.cut.flash();
        flash.record();
        let (part, engine) = (self.part, self.engine);
        let mut done: Vec<Atom> = Vec::new();
        let mut moments = vec![Moment {
            atoms: 0,
            legal: self.legal.clone(),
        }];
        let mut legal = self.legal.clone();
        let steps = random.usize(..STEPS_MAX);
        let outcome = live(engine, part, &flash, &mut |store| {
            legal.check(part, store)?;
            done.extend(atoms(&flash.take_journal()));
            for _ in 0..steps {
                let step = legal.next(part, engine.has_transactions(), random);
                legal.begin(&step);
                moments.push(Moment {
                    atoms: done.len(),
                    legal: legal.clone(),
                });
                run(&step, store)?;
                done.extend(atoms(&flash.take_journal()));
                legal.acknowledge();
            }
            moments.push(Moment {
                atoms: done.len(),
                legal: legal.clone(),
            });
            Ok(())
        });
        if outcome.is_ok() {
            self.fail(&done, &moments, random);
        }
        (outcome, flash.counts().overprograms)
    }

    /// Power failed at one of `done`, or behind all of it.
    fn fail(&mut self, done: &[Atom], moments: &[Moment], random: &mut fastrand::Rng) {
        // Erases are rare among words: half of the cuts look for one.
        let erases: Vec<usize> = (0..done.len())
            .filter(|at| matches!(done[*at], Atom::Erase { .. }))
            .collect();
        let at = match random.choice(&erases) {
            Some(erase) if random.bool() => *erase,
            _ => random.usize(..=done.len()),
        };
        for atom in &done[..at] {
            self.cut.apply(atom);
        }
        let moment = moments.iter().rev().find(|moment| moment.atoms <= at);
        if let Some(moment) = moment {
            // Values that were made later were never written.
            self.legal = moment.legal.clone();
        }
        let torn = match (done.get(at), self.model) {
            (Some(atom @ Atom::Word { .. }), Model::TornWord)
            | (Some(atom @ Atom::Erase { .. }), Model::TornErase) => atom,
            _ => return,
        };
        self.cut.tear(torn, random);
    }
}
