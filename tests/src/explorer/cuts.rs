//! Where a journal can be cut, and what each cut leaves.

use super::run::{Legal, Span};
use crate::script::Op;
use crate::sim::{Event, Sim, SimError};

/// A medium after a power cut, and what recovery may make of it.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The medium, undecided.
    pub sim: Sim,
    /// What may be found.
    pub legal: Legal,
    /// What was being done.
    pub op: Option<Op>,
    /// Where it was cut, for reports.
    pub place: String,
}

/// All cuts of a journal that started on `origin`.
///
/// On unordered media the states of every cut between two flushes are among
/// those of a cut just before the second: a word that was not yet written is a
/// word that was not yet kept. So one cut per flush covers the cuts at every
/// write before it. On ordered media every unit and every sector is a cut of
/// its own, in which it is torn. Wherever an operation returned with anything
/// outstanding, a cut that takes all or part of that is made too, and must not
/// undo the operation.
///
/// At each flush of an unordered medium the process may also be killed
/// instead: everything issued is there, and nothing of it is durable.
///
/// # Errors
/// If the journal cannot be done again: the medium would not be deterministic.
pub fn cuts(origin: &Sim, journal: &[Event], spans: &[Span]) -> Result<Vec<Cut>, SimError> {
    chosen(origin, journal, spans, &mut || true)
}

/// At most `most` of the cuts, evenly spread, and how many that leaves out.
///
/// # Errors
/// As [`cuts`].
pub fn spread(
    origin: &Sim,
    journal: &[Event],
    spans: &[Span],
    most: usize,
    seed: u64,
) -> Result<(Vec<Cut>, u64), SimError> {
    let mut count = 0_usize;
    chosen(origin, journal, spans, &mut || {
        count += 1;
        false
    })?;
    let stride = count.div_ceil(most).max(1);
    let first = seed as usize % stride;
    let mut number = 0;
    let cuts = chosen(origin, journal, spans, &mut || {
        number += 1;
        (number - 1) % stride == first
    })?;
    let left_out = (count - cuts.len()) as u64;
    Ok((cuts, left_out))
}

/// One of the cuts: `which` is told how many there are and says its number.
///
/// # Errors
/// As [`cuts`].
///
/// # Panics
/// If there is no cut of that number.
pub fn one(
    origin: &Sim,
    journal: &[Event],
    spans: &[Span],
    which: impl FnOnce(usize) -> usize,
) -> Result<Cut, SimError> {
    let mut count = 0;
    chosen(origin, journal, spans, &mut || {
        count += 1;
        false
    })?;
    let (which, mut number) = (which(count), 0);
    let mut cuts = chosen(origin, journal, spans, &mut || {
        number += 1;
        number - 1 == which
    })?;
    Ok(cuts.remove(0))
}

/// Those of the cuts, in order, for which `choose` says so.
fn chosen(
    origin: &Sim,
    journal: &[Event],
    spans: &[Span],
    choose: &mut dyn FnMut() -> bool,
) -> Result<Vec<Cut>, SimError> {
    let mut found = Vec::new();
    let mut sim = origin.clone();
    for (i, span) in spans.iter().enumerate() {
        let doing = &span.doing;
        for (at, event) in journal[span.start..span.end].iter().enumerate() {
            let at = span.start + at;
            found.extend(
                during(&mut sim, event, choose)?
                    .into_iter()
                    .map(|(how, sim)| Cut {
                        sim,
                        legal: span.during.clone(),
                        op: span.op.clone(),
                        place: format!("{how} at event {at} {doing}"),
                    }),
            );
        }
        if i + 1 == spans.len() || !sim.is_durable() {
            let all = whole(&sim, choose);
            found.extend(all.into_iter().map(|sim| Cut {
                sim,
                legal: span.after.clone(),
                op: None,
                place: format!("power failed after event {} {doing}", span.end),
            }));
        }
    }
    Ok(found)
}

const POWER: &str = "power failed";

/// What cuts during `event` leave; does it.
fn during(
    sim: &mut Sim,
    event: &Event,
    choose: &mut dyn FnMut() -> bool,
) -> Result<Vec<(&'static str, Sim)>, SimError> {
    let mut found = Vec::new();
    if matches!((&*sim, event), (Sim::Memory(medium), Event::Flush) if !medium.is_durable()) {
        found.extend(choose().then(|| (POWER, sim.cut())));
        found.extend(choose().then(|| ("process killed", sim.kill())));
    }
    let before = match sim {
        Sim::Memory(_) => 0,
        Sim::Flash(medium) => medium.outstanding(),
    };
    sim.replay(event)?;
    if let Sim::Flash(medium) = sim {
        let steps = (before..medium.outstanding()).filter(|_| choose());
        found.extend(steps.map(|step| (POWER, Sim::Flash(medium.cut(step)))));
    }
    Ok(found)
}

/// What cuts leave that come when everything was issued.
fn whole(sim: &Sim, choose: &mut dyn FnMut() -> bool) -> Vec<Sim> {
    match sim {
        Sim::Memory(_) => choose().then(|| sim.cut()).into_iter().collect(),
        Sim::Flash(medium) => {
            let steps = (0..=medium.outstanding()).filter(|_| choose());
            steps.map(|step| Sim::Flash(medium.cut(step))).collect()
        }
    }
}
