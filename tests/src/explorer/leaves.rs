//! Goes through the states of one cut.

use super::cuts::spread;
use super::{Bounds, Counterexample, Cut, Explorer, Run, Tally};
use crate::script::Op;
use crate::seed::mix;
use crate::sim::{Chooser, Decision, Event, Pattern, Sim, Trail};
use crate::subject::Failure;
use core::hash::{Hash, Hasher};
use std::collections::HashSet;

/// One state of a cut, recovered.
struct Leaf {
    decisions: Vec<Decision>,
    chooser: Chooser,
    journal: Vec<Event>,
    spans: Vec<super::Span>,
}

/// Recoveries to be cut themselves, no two of which wrote the same.
#[derive(Default)]
struct Chosen {
    seen: HashSet<u64>,
    leaves: Vec<Leaf>,
}

impl Chosen {
    fn offer(&mut self, leaf: Leaf, room: usize) {
        let mut hasher = std::hash::DefaultHasher::new();
        leaf.journal.hash(&mut hasher);
        if self.leaves.len() < room && self.seen.insert(hasher.finish()) {
            self.leaves.push(leaf);
        }
    }
}

impl Explorer<'_> {
    /// Explores one cut, and the cuts of its recoveries.
    pub(super) fn cut(
        &self,
        cut: &Cut,
        depth: usize,
        bounds: Bounds,
        tally: &mut Tally,
    ) -> Result<(), Box<Counterexample>> {
        tally.level(depth).cut(cut.sim.states_log2());
        let nested = if bounds.depth > 1 { bounds.nested } else { 0 };
        let mut chosen = Chosen::default();
        let mut log2: f64 = 0.0;
        for pattern in [Pattern::New, Pattern::Old] {
            let leaf = self.leaf(cut, Chooser::Pattern(pattern))?;
            log2 = log2.max(leaf.log2());
            chosen.offer(leaf, nested);
        }
        let few = log2 <= f64::from(bounds.exhaustive_log2);
        if !few || !self.exhaust(cut, depth, bounds, tally, &mut chosen)? {
            self.sample(cut, depth, bounds, tally, &mut chosen)?;
        }
        for leaf in chosen.leaves {
            let mut origin = cut.sim.clone();
            origin.pin(&leaf.decisions);
            let choices = leaf.decisions.iter().map(|d| d.choice as u64);
            let seed: Vec<u64> = choices.chain([leaf.journal.len() as u64]).collect();
            let most = bounds.nested_cuts;
            let (inner, left_out) = spread(&origin, &leaf.journal, &leaf.spans, most, mix(&seed))
                .map_err(|error| self.found(vec![], error.into()))?;
            tally.level(depth + 1).left_out += left_out;
            for deeper in inner {
                let result = self.cut(&deeper, depth + 1, bounds.deeper(), tally);
                result.map_err(|mut found| {
                    found
                        .cuts
                        .insert(0, (cut.place.clone(), leaf.decisions.clone()));
                    found
                })?;
            }
        }
        Ok(())
    }

    /// Every state that recovery tells apart. `false` where there are too many
    /// after all: what the probes asked need not be all that is ever asked.
    fn exhaust(
        &self,
        cut: &Cut,
        depth: usize,
        bounds: Bounds,
        tally: &mut Tally,
        chosen: &mut Chosen,
    ) -> Result<bool, Box<Counterexample>> {
        let most = 4 << bounds.exhaustive_log2;
        let mut exact = true;
        let mut trail = Trail::default();
        for _ in 0..most {
            let leaf = self.leaf(cut, Chooser::Trail(trail))?;
            tally.level(depth).state(leaf.spans.first());
            exact &= leaf.decisions.iter().all(|d| d.site.exact);
            let Chooser::Trail(mut walked) = leaf.chooser.clone() else {
                return Ok(false);
            };
            chosen.offer(leaf, bounds.nested * usize::from(bounds.depth > 1));
            if !walked.advance() {
                tally.level(depth).complete += u64::from(exact);
                return Ok(true);
            }
            trail = walked;
        }
        Ok(false)
    }

    /// Telling patterns, then random states.
    fn sample(
        &self,
        cut: &Cut,
        depth: usize,
        bounds: Bounds,
        tally: &mut Tally,
        chosen: &mut Chosen,
    ) -> Result<(), Box<Counterexample>> {
        let patterns = Pattern::all(cut.sim.open_count());
        let stride = patterns.len().div_ceil(bounds.patterns).max(1);
        let patterns = patterns.into_iter().step_by(stride).map(Chooser::Pattern);
        let seed = |i| mix(&[i as u64, cut.sim.open_count() as u64]);
        let random = (0..bounds.samples).map(|i| Chooser::random(seed(i)));
        let mut seen = HashSet::new();
        for chooser in patterns.chain(random) {
            if !seen.insert(image(&cut.sim, &chooser)) {
                tally.level(depth).equal += 1;
                continue;
            }
            let leaf = self.leaf(cut, chooser)?;
            tally.level(depth).state(leaf.spans.first());
            chosen.offer(leaf, bounds.nested * usize::from(bounds.depth > 1));
        }
        Ok(())
    }

    /// Recovers one state and judges it.
    fn leaf(&self, cut: &Cut, chooser: Chooser) -> Result<Leaf, Box<Counterexample>> {
        let mut sim = cut.sim.clone();
        sim.rig_mut().start_journal();
        sim.rig().set_chooser(chooser);
        let mut run = Run::new(self.subject, self.workload);
        let mut ops = self.workload.epilogue.clone();
        ops.push(Op::Reopen);
        let result = run.go(&mut sim, cut.legal.clone(), cut.op.as_ref(), &ops);
        let decisions = sim.rig().decisions();
        match result {
            Ok(_) => Ok(Leaf {
                decisions,
                chooser: sim.rig().chooser(),
                journal: sim.rig().journal().to_vec(),
                spans: run.spans,
            }),
            Err(failure) => Err(self.failed(cut, decisions, failure)),
        }
    }

    fn failed(&self, cut: &Cut, made: Vec<Decision>, failure: Failure) -> Box<Counterexample> {
        let mut left = cut.sim.clone();
        left.pin(&made);
        let mut found = self.found(vec![(cut.place.clone(), made)], failure);
        found.left = Some(Box::new(left));
        found
    }
}

impl Leaf {
    /// The logarithm to base 2 of the combinations of what was asked.
    fn log2(&self) -> f64 {
        let options = self.decisions.iter().map(|d| d.site.options as f64);
        options.map(f64::log2).sum()
    }
}

fn image(sim: &Sim, chooser: &Chooser) -> u64 {
    let copy = sim.clone();
    copy.rig().set_chooser(chooser.clone());
    copy.fingerprint()
}
