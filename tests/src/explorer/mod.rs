//! Cuts power at every write, flush and erase, and judges every recovery.
//!
//! A workload runs once, uncut, with a journal. [`cuts`] turns the journal
//! into media after a power failure, each with what may legally be found on
//! it. What a failure left open is decided lazily, when recovery looks
//! (`sim::Chooser`), so states that differ only where nothing looks count as
//! one; small cuts are gone through in full, large ones by telling patterns
//! and seeded samples. Each state is opened, compared, worked on (the
//! interrupted operation again, then more), left, and opened again. Then the
//! journal of that recovery is itself cut, down to [`Bounds::depth`].

mod bounds;
mod cuts;
mod faults;
mod leaves;
mod run;
mod setup;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;

pub use bounds::Bounds;
pub use cuts::{Cut, cuts, one};
pub use faults::explore_faults;
pub use run::{Legal, Run, Span};
pub use setup::explore_setup;
pub use tally::{Level, Tally};

use crate::script::Workload;
use crate::seed::mix;
use crate::sim::{Decision, Sim};
use crate::spec::Contents;
use crate::subject::{Failure, Subject};
use core::fmt;
use indelible::Geometry;
use std::sync::{Arc, Mutex};

/// A way to lose or corrupt something, or to be told so wrongly.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The workload.
    pub workload: String,
    /// What it ran on.
    pub geometry: Geometry,
    /// Where power failed, each time, with what was decided then.
    pub cuts: Vec<(String, Vec<Decision>)>,
    /// What went wrong.
    pub failure: Failure,
    /// What the last cut left, decided.
    pub left: Option<Box<Sim>>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {:?}", self.workload, self.geometry)?;
        for (place, decisions) in &self.cuts {
            writeln!(f, "  {place}")?;
            let shown: Vec<_> = decisions
                .iter()
                .filter(|d| d.site.options > 1)
                .map(|d| {
                    format!(
                        "{:?}@{}={}/{}",
                        d.site.kind, d.site.at, d.choice, d.site.options
                    )
                })
                .collect();
            writeln!(f, "    {}", shown.join(" "))?;
        }
        write!(f, "  {}", self.failure)
    }
}

impl std::error::Error for Counterexample {}

/// Runs a workload on a blank medium of this geometry and explores it.
///
/// # Errors
/// The first counterexample found.
pub fn explore(
    subject: &dyn Subject,
    workload: &Workload,
    geometry: Geometry,
    bounds: Bounds,
) -> Result<Tally, Box<Counterexample>> {
    let explorer = Explorer {
        subject,
        workload,
        geometry,
    };
    let (cuts, left_out) = explorer.cuts(bounds)?;
    let mut tally = explorer.all(cuts, bounds)?;
    tally.level(0).left_out += left_out;
    Ok(tally)
}

/// As [`explore`], on one thread: `each` is told after each cut of the workload
/// how many were made, of how many, and what was seen so far.
///
/// # Errors
/// The first counterexample found.
pub fn explore_each(
    subject: &dyn Subject,
    workload: &Workload,
    geometry: Geometry,
    bounds: Bounds,
    each: &mut dyn FnMut(usize, usize, &Tally),
) -> Result<Tally, Box<Counterexample>> {
    let explorer = Explorer {
        subject,
        workload,
        geometry,
    };
    let (cuts, left_out) = explorer.cuts(bounds)?;
    let mut tally = Tally::default();
    tally.level(0).left_out += left_out;
    for (i, cut) in cuts.iter().enumerate() {
        explorer.cut(cut, 0, bounds, &mut tally)?;
        each(i + 1, cuts.len(), &tally);
    }
    Ok(tally)
}

struct Explorer<'e> {
    subject: &'e dyn Subject,
    workload: &'e Workload,
    geometry: Geometry,
}

impl Explorer<'_> {
    fn found(&self, cuts: Vec<(String, Vec<Decision>)>, failure: Failure) -> Box<Counterexample> {
        Box::new(Counterexample {
            workload: self.workload.name.clone(),
            geometry: self.geometry,
            cuts,
            failure,
            left: None,
        })
    }

    /// A store after the prelude, and what it holds.
    fn prepare(&self, bounds: Bounds) -> Result<(Sim, Arc<Contents>), Box<Counterexample>> {
        let mut sim = Sim::new(self.geometry);
        sim.rig_mut().tearing = bounds.tearing;
        let empty = Arc::new(Contents::empty(self.workload.logs.len()));
        let prepared = self.subject.setup(&mut sim).and_then(|()| {
            let mut run = Run::new(self.subject, self.workload);
            run.go(&mut sim, vec![empty], None, &self.workload.prelude)
        });
        match prepared {
            Ok(start) => Ok((sim, start)),
            Err(failure) => Err(self.found(Vec::new(), failure)),
        }
    }

    /// The cuts of the workload, and how many the bounds leave out.
    fn cuts(&self, bounds: Bounds) -> Result<(Vec<Cut>, u64), Box<Counterexample>> {
        let (origin, start) = self.prepare(bounds)?;
        let (sim, spans) = self.run(&origin, &start)?;
        let seed = mix(&[self.workload.name.len() as u64]);
        cuts::spread(&origin, sim.rig().journal(), &spans, bounds.cuts, seed)
            .map_err(|error| self.found(Vec::new(), error.into()))
    }

    /// The workload, uncut, with its journal.
    fn run(
        &self,
        origin: &Sim,
        start: &Arc<Contents>,
    ) -> Result<(Sim, Vec<Span>), Box<Counterexample>> {
        let mut sim = origin.clone();
        sim.rig_mut().start_journal();
        let mut run = Run::new(self.subject, self.workload);
        match run.go(&mut sim, vec![start.clone()], None, &self.workload.ops) {
            Ok(_) => Ok((sim, run.spans)),
            Err(failure) => Err(self.found(Vec::new(), failure)),
        }
    }

    /// Spreads the cuts over the threads.
    fn all(&self, cuts: Vec<Cut>, bounds: Bounds) -> Result<Tally, Box<Counterexample>> {
        let queue = Mutex::new(cuts.into_iter());
        let next = || queue.lock().ok().and_then(|mut cuts| cuts.next());
        let work = || {
            let mut tally = Tally::default();
            while let Some(cut) = next() {
                if let Err(found) = self.cut(&cut, 0, bounds, &mut tally) {
                    while next().is_some() {}
                    return Err(found);
                }
            }
            Ok(tally)
        };
        let mut tally = Tally::default();
        let results = std::thread::scope(|scope| {
            let others: Vec<_> = (1..bounds.threads).map(|_| scope.spawn(work)).collect();
            let mut results = vec![work()];
            results.extend(others.into_iter().map(|other| match other.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
            results
        });
        for result in results {
            tally.add(&result?);
        }
        Ok(tally)
    }
}
