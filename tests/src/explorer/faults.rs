//! Makes the medium refuse, once, at each of its operations in turn.

use super::{Bounds, Counterexample, Cut, Explorer, Run, Tally};
use crate::script::Workload;
use crate::sim::{Operation, Sim, SimError};
use crate::subject::{Failure, Subject};
use indelible::Geometry;

/// Runs a workload once for every operation on the medium, which fails that
/// time. The store must hand the error on, unless it was a read that it can do
/// without; opened again, after a kill or after
/// a power cut, it must hold what was acknowledged, and the operation that
/// failed as a whole or not at all.
///
/// Of reads only every `read_stride`th fails.
///
/// # Errors
/// The first counterexample found.
pub fn explore_faults(
    subject: &dyn Subject,
    workload: &Workload,
    geometry: Geometry,
    bounds: Bounds,
    read_stride: usize,
) -> Result<Tally, Box<Counterexample>> {
    let explorer = Explorer {
        subject,
        workload,
        geometry,
    };
    let (origin, start) = explorer.prepare(bounds)?;
    let (sound, spans) = explorer.run(&origin, &start)?;
    let counters = sound.rig().counters().since(&origin.rig().counters());
    let kinds = [
        (Operation::Read, counters.reads, read_stride),
        (Operation::Write, counters.writes, 1),
        (Operation::Erase, counters.erases, 1),
        (Operation::Flush, counters.flushes, 1),
    ];
    let mut cuts = Vec::new();
    for (operation, count, stride) in kinds {
        for nth in (0..count).step_by(stride) {
            let mut sim = origin.clone();
            sim.rig().fail_nth(operation, nth);
            sim.rig_mut().start_journal();
            let mut run = Run::new(subject, workload);
            let place = format!("{operation:?} {nth} failed");
            match run.go(&mut sim, vec![start.clone()], None, &workload.ops) {
                Err(Failure::Medium(SimError::Injected(_))) => {}
                Err(other) => return Err(explorer.found(vec![(place, vec![])], other)),
                // What was asked for may not have been needed.
                Ok(_) if operation == Operation::Read => continue,
                Ok(_) => {
                    let what = Failure::Wrong("the store kept the error to itself".into());
                    return Err(explorer.found(vec![(place, vec![])], what));
                }
            }
            let span = &spans[run.spans.len()];
            let after = |how: &str, sim: Sim| Cut {
                sim,
                legal: span.during.clone(),
                op: span.op.clone(),
                place: format!("{how} after {place} {}", span.doing),
            };
            cuts.push(after("process killed", sim.kill()));
            cuts.push(after("power failed", sim.cut()));
        }
    }
    explorer.all(cuts, bounds)
}
