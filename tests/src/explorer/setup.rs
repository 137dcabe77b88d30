//! Cuts a setup, on a blank medium and over an old store.

use super::cuts::cuts;
use super::{Bounds, Counterexample, Explorer, Legal, Run, Span, Tally};
use crate::script::Workload;
use crate::sim::{Chooser, Pattern, Sim};
use crate::spec::Contents;
use crate::subject::{Failure, Subject};
use indelible::Geometry;
use std::sync::Arc;

/// Cuts the setup of a store. What a cut leaves must open as the new, empty
/// store, or as the old one as it was at some time (half an erase looks like
/// half a commit), or report damage, or not open; and setting it up again must
/// make an empty store. With `over` the workload's operations are in an old
/// store that the setup replaces.
///
/// # Errors
/// The first counterexample found.
pub fn explore_setup(
    subject: &dyn Subject,
    workload: &Workload,
    geometry: Geometry,
    bounds: Bounds,
    over: bool,
) -> Result<Tally, Box<Counterexample>> {
    let explorer = Explorer {
        subject,
        workload,
        geometry,
    };
    let fail = |failure| explorer.found(Vec::new(), failure);
    let empty = Arc::new(Contents::empty(workload.logs.len()));
    let mut sim = Sim::new(geometry);
    // Two, so that a cut during setup is told from one after it.
    let mut legal = vec![empty.clone(), empty.clone()];
    if over {
        let (origin, start) = explorer.prepare(bounds)?;
        let (done, spans) = explorer.run(&origin, &start)?;
        sim = done.kill();
        legal.extend(spans.iter().map(|span| span.after[0].clone()));
    }
    sim.rig_mut().tearing = bounds.tearing;
    let origin = sim.clone();
    sim.rig_mut().start_journal();
    subject.setup(&mut sim).map_err(fail)?;
    let journal = sim.rig().journal();
    let span = Span {
        start: 0,
        end: journal.len(),
        during: legal.clone(),
        after: vec![empty.clone()],
        op: None,
        doing: "while setting up".into(),
    };
    let mut tally = Tally::default();
    for cut in cuts(&origin, journal, &[span]).map_err(|error| fail(error.into()))? {
        tally.level(0).cut(cut.sim.states_log2());
        let patterns = Pattern::all(cut.sim.open_count());
        let stride = patterns.len().div_ceil(bounds.patterns).max(1);
        let patterns = patterns.into_iter().step_by(stride).map(Chooser::Pattern);
        let random = (0..bounds.samples).map(|i| Chooser::random(i as u64));
        for chooser in patterns.chain(random) {
            tally.level(0).visited += 1;
            let mut sim = cut.sim.clone();
            sim.rig().set_chooser(chooser);
            let done = cut.legal.len() == 1;
            let legal = if done { &cut.legal } else { &legal };
            if let Err(failure) = judge(subject, workload, &mut sim, legal, &empty, done) {
                let made = sim.rig().decisions();
                return Err(explorer.found(vec![(cut.place, made)], failure));
            }
        }
    }
    Ok(tally)
}

fn judge(
    subject: &dyn Subject,
    workload: &Workload,
    sim: &mut Sim,
    legal: &Legal,
    empty: &Arc<Contents>,
    done: bool,
) -> Result<(), Failure> {
    let mut first = Run::new(subject, workload);
    match first.go(sim, legal.clone(), None, &[]) {
        Err(Failure::Refused(_) | Failure::Damage(_)) if !done => {}
        other => drop(other?),
    }
    subject.setup(sim)?;
    let mut again = Run::new(subject, workload);
    again.go(sim, vec![empty.clone()], None, &workload.epilogue)?;
    Ok(())
}
