//! One life of a store: from power to power.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::{Engine, Store};
use crate::nor::{Endless, Flash};

use super::contents::{Legal, Step};
use super::flash::bounded;
use super::tally::{Violation, Wrong};
use super::{Part, flash};

/// Opens the store and does `work` with it; what goes wrong is named.
pub fn live(
    engine: &dyn Engine,
    part: Part,
    flash: &Flash,
    work: &mut dyn FnMut(&mut dyn Store) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    flash::bounded(flash, engine);
    let mut found = None;
    let session = catch_unwind(AssertUnwindSafe(|| {
        engine.session(flash, part.plan(), &mut |store| {
            bounded(flash, engine);
            found = work(store).err();
            Ok(())
        })
    }));
    if flash.exhausted() {
        return Err((Violation::Endless, "it goes on for ever".into()));
    }
    match session {
        Err(panic) if panic.is::<Endless>() => {
            Err((Violation::Endless, "it goes on for ever".into()))
        }
        Err(panic) => Err((Violation::Panic, text(&*panic))),
        Ok(Err(fault)) => Err((Violation::Mount, fault.to_string())),
        Ok(Ok(())) => found.map_or(Ok(()), Err),
    }
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".into())
}

/// Has the store do something, which it has room for.
pub fn run(step: &Step, store: &mut dyn Store) -> Result<(), Wrong> {
    step.run(store)
        .map_err(|fault| (Violation::Refuses, fault.to_string()))
}

/// Operations on a store that was recovered.
const LATER: usize = 3;

/// What follows a cut: the store is opened, read, used, and opened and read
/// once more.
pub fn recover(
    engine: &dyn Engine,
    part: Part,
    flash: &Flash,
    mut legal: Legal,
    random: &mut fastrand::Rng,
) -> Result<(), Wrong> {
    live(engine, part, flash, &mut |store| {
        legal.check(part, store)?;
        for _ in 0..LATER {
            let step = legal.next(part, engine.has_transactions(), random);
            legal.begin(&step);
            run(&step, store)?;
            legal.acknowledge();
        }
        Ok(())
    })?;
    live(engine, part, flash, &mut |store| legal.check(part, store))
}
