//! Operations between power cuts, run on a simulated medium and on the
//! specification side by side.

use core::fmt::{self, Debug, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use indelible::Geometry;
use indelible_tests::explorer::{Cut, Legal, Run, Span, one};
use indelible_tests::script::{Op, Workload};
use indelible_tests::seed::mix;
use indelible_tests::shrink::shrink;
use indelible_tests::sim::{Chooser, Decision, Event, Operation, Sim, SimError};
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::{Failure, Subject};

/// A run between two power cuts.
#[derive(Clone, Default)]
pub struct Stretch {
    /// What is done.
    pub ops: Vec<Op>,
    /// What fails of the medium first.
    pub fault: Option<Fault>,
    /// Where power fails in it: how far on, in 65536ths of the places there
    /// are.
    pub cut: Option<u16>,
}

/// One operation on the medium fails, and nothing is done any more.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The kind of operation.
    pub operation: Operation,
    /// Which of them: how far on, in 65536ths of those there are.
    pub at: u16,
    /// Power fails then; else the process alone ends.
    pub power: bool,
}

/// A whole run.
#[derive(Clone)]
pub struct Campaign {
    /// The medium.
    pub geometry: Geometry,
    /// The store's index.
    pub index: Indexed,
    /// The capacities of its logs.
    pub logs: Vec<u64>,
    /// How often torn units read differently within a run.
    pub flickers: usize,
    /// What decides that which the cuts leave open.
    pub seed: u64,
    /// One after the other.
    pub stretches: Vec<Stretch>,
}

impl Debug for Campaign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.geometry)?;
        writeln!(
            f,
            "index {:?}, logs {:?}, flickers {}, seed {}",
            self.index, self.logs, self.flickers, self.seed
        )?;
        for stretch in &self.stretches {
            for op in &stretch.ops {
                writeln!(f, "  {op:?}")?;
            }
            if let Some(fault) = stretch.fault {
                writeln!(f, "{fault:?}")?;
            }
            if let Some(cut) = stretch.cut {
                writeln!(f, "power cut {cut}/65536 of the way")?;
            }
        }
        Ok(())
    }
}

impl Campaign {
    /// Runs it.
    ///
    /// # Errors
    /// In words, on every finding.
    pub fn run(&self) -> Result<(), String> {
        self.run_told(&mut |_| {})
    }

    /// Runs it and tells where power failed.
    ///
    /// # Errors
    /// In words, on every finding.
    pub fn run_told(&self, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
        let ops = self.stretches.iter().flat_map(|stretch| &stretch.ops);
        let workload = Workload::new("fuzzed", ops.cloned().collect());
        let workload = workload.logs(&self.logs).may_fill();
        let subject = Real::new(&self.logs).indexed(self.index);

        let mut sim = Sim::new(self.geometry);
        sim.rig_mut().tearing.flickers = self.flickers;
        let made = subject.setup(&mut sim);
        made.map_err(|error| format!("setup: {error}"))?;
        let mut legal: Legal = vec![Arc::new(Contents::empty(self.logs.len()))];
        let mut retry = None;
        for (turn, stretch) in self.stretches.iter().enumerate() {
            let mut origin = sim.clone();
            let decided = sim.rig().decisions().len();
            sim.rig_mut().start_journal();
            let mut run = Run::new(&subject, &workload);
            let was = legal.clone();
            let lived = run.go(&mut sim, legal, retry.as_ref(), &stretch.ops);
            for event in sim.rig().journal() {
                tell(&match event {
                    Event::Write { at, bytes } => {
                        let bytes: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                        format!("  write {at} {bytes}")
                    }
                    other => format!("  {other:?}"),
                });
            }
            for Decision { site, choice } in sim.rig().decisions() {
                let (kind, at) = (site.kind, site.at);
                tell(&format!("  {kind:?} at {at}: {choice} of {}", site.options));
            }
            let found = lived.map_err(|failure| format!("stretch {turn}: {failure}"))?;
            if let Some(fault) = stretch.fault {
                let ops = &stretch.ops;
                let began = (origin.clone(), was.clone(), retry.clone());
                let failed = fail(&subject, &workload, began, ops, fault, (&sim, &run.spans))
                    .map_err(|error| format!("stretch {turn}, {fault:?}: {error}"))?;
                if let Some(cut) = failed {
                    tell(&cut.place);
                    sim = cut.sim;
                    sim.rig()
                        .set_chooser(Chooser::random(mix(&[self.seed, turn as u64])));
                    legal = cut.legal;
                    retry = cut.op;
                    continue;
                }
            }
            let Some(at) = stretch.cut else {
                legal = vec![found];
                retry = None;
                continue;
            };
            // What the cut before this one left open, recovery has decided.
            origin.pin(&sim.rig().decisions()[decided..]);
            let which = |count: usize| (usize::from(at) * count) >> 16;
            let cut = one(&origin, sim.rig().journal(), &run.spans, which)
                .map_err(|error| format!("stretch {turn}: its replay failed: {error}"))?;
            tell(&cut.place);
            sim = cut.sim;
            sim.rig()
                .set_chooser(Chooser::random(mix(&[self.seed, turn as u64])));
            legal = cut.legal;
            retry = cut.op;
        }
        // Whatever came last is there still.
        Run::new(&subject, &workload)
            .go(&mut sim, legal, None, &[Op::Reopen])
            .map_err(|failure| format!("at the end: {failure}"))?;
        Ok(())
    }

    /// What is wrong with it; a panic counts too.
    fn finding(&self) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| self.run())) {
            Ok(outcome) => outcome.err(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Some(format!("panic: {}", text.unwrap_or_default()))
            }
        }
    }

    /// The shortest run found that still has a finding of the same kind;
    /// `None` where there is none to begin with.
    pub fn shortest(&self) -> Option<Self> {
        let kind = kind(&self.finding()?);
        let fails = |campaign: &Self| {
            campaign
                .finding()
                .is_some_and(|found| self::kind(&found) == kind)
        };
        let mut best = self.clone();
        loop {
            let before = format!("{best:?}");
            best.leave_out_cuts(&fails);
            for turn in 0..best.stretches.len() {
                let ops = shrink(&best.stretches[turn].ops, &|ops| {
                    best.with_ops(turn, ops).nearby().iter().any(fails)
                });
                let near = best.with_ops(turn, &ops).nearby();
                best = near.into_iter().find(fails).unwrap_or(best);
            }
            if format!("{best:?}") == before {
                return Some(best);
            }
        }
    }

    fn with_ops(&self, turn: usize, ops: &[Op]) -> Self {
        let mut other = self.clone();
        other.stretches[turn].ops = ops.to_vec();
        other
    }

    /// This run with its last cut here and there, and decided otherwise.
    fn nearby(&self) -> Vec<Self> {
        let mut all = vec![self.clone()];
        let Some(last) = self
            .stretches
            .iter()
            .rposition(|stretch| stretch.cut.is_some() || stretch.fault.is_some())
        else {
            return all;
        };
        for part in 0..32 {
            let mut other = self.clone();
            let at = part * 2048 + 1024;
            match &mut other.stretches[last].fault {
                Some(fault) => fault.at = at,
                None => other.stretches[last].cut = Some(at),
            }
            other.seed = u64::from(part % 4);
            all.push(other);
        }
        all
    }

    fn leave_out_cuts(&mut self, fails: &dyn Fn(&Self) -> bool) {
        let mut turn = 0;
        while turn + 1 < self.stretches.len() {
            let mut dropped = self.clone();
            dropped.stretches.remove(turn);
            let mut joined = self.clone();
            let next = joined.stretches.remove(turn + 1);
            joined.stretches[turn].ops.extend(next.ops);
            joined.stretches[turn].cut = next.cut;
            joined.stretches[turn].fault = next.fault;
            let mut reopened = self.clone();
            reopened.stretches[turn].ops.push(Op::Reopen);
            let next = reopened.stretches.remove(turn + 1);
            reopened.stretches[turn].ops.extend(next.ops);
            reopened.stretches[turn].cut = next.cut;
            reopened.stretches[turn].fault = next.fault;
            let shorter = [dropped, joined, reopened].into_iter().find(fails);
            match shorter {
                Some(shorter) => *self = shorter,
                None => turn += 1,
            }
        }
    }
}

/// Does a stretch that went well again, from where it `began`, with a fault in
/// it; what that leaves, `None` where the store could do without.
fn fail(
    subject: &Real,
    workload: &Workload,
    (mut sim, legal, retry): (Sim, Legal, Option<Op>),
    ops: &[Op],
    fault: Fault,
    (sound, spans): (&Sim, &[Span]),
) -> Result<Option<Cut>, String> {
    let done = sound.rig().counters().since(&sim.rig().counters());
    let count = match fault.operation {
        Operation::Read => done.reads,
        Operation::Write => done.writes,
        Operation::Erase => done.erases,
        Operation::Flush => done.flushes,
    };
    let nth = (u64::from(fault.at) * count) >> 16;
    if nth == count {
        return Ok(None);
    }
    sim.rig().fail_nth(fault.operation, nth);
    sim.rig_mut().start_journal();
    let mut run = Run::new(subject, workload);
    match run.go(&mut sim, legal, retry.as_ref(), ops) {
        Err(Failure::Medium(SimError::Injected(_))) => {}
        Err(other) => return Err(other.to_string()),
        Ok(_) if fault.operation == Operation::Read => return Ok(None),
        Ok(_) => return Err("the store kept the error to itself".into()),
    }
    let span = &spans[run.spans.len()];
    Ok(Some(Cut {
        sim: if fault.power { sim.cut() } else { sim.kill() },
        legal: span.during.clone(),
        op: span.op.clone(),
        place: format!("{fault:?} {}", span.doing),
    }))
}

/// The beginning of a finding's words, without what numbers and keys there are
/// in it.
fn kind(finding: &str) -> String {
    let words = finding.split_once(": ").map_or(finding, |(_, rest)| rest);
    words
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .take(28)
        .collect()
}
