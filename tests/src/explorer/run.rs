//! Runs operations on a store and on the specification side by side, and notes
//! what would be legal to find after a cut at each point of the journal.

use crate::script::{Op, Workload};
use crate::sim::Sim;
use crate::spec::{Contents, Refusal, Spec};
use crate::subject::{Failure, Leave, Opened, Subject};
use std::collections::VecDeque;
use std::sync::Arc;

/// What may be found; one of these.
pub type Legal = Vec<Arc<Contents>>;

/// A stretch of the journal.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its first event.
    pub start: usize,
    /// Behind its last event.
    pub end: usize,
    /// What may be found if power fails within it.
    pub during: Legal,
    /// What may be found once it is over.
    pub after: Legal,
    /// What was being done, to be tried again after a cut that undid it.
    pub op: Option<Op>,
    /// The same in words.
    pub doing: String,
}

/// One run: from opening a store to leaving it for good.
pub struct Run<'r> {
    subject: &'r dyn Subject,
    workload: &'r Workload,
    keys: Vec<Vec<u8>>,
    /// What the journal means.
    pub spans: Vec<Span>,
}

impl<'r> Run<'r> {
    /// A run of operations of this workload.
    pub fn new(subject: &'r dyn Subject, workload: &'r Workload) -> Self {
        Self {
            subject,
            workload,
            keys: workload.keys(),
            spans: Vec::new(),
        }
    }

    /// Opens the store, which must show one of `legal`, and does `ops`. Where
    /// it shows the first of `legal` and `retry` is given, that comes first.
    /// Returns what the store holds in the end.
    ///
    /// # Errors
    /// On anything that the specification does not allow.
    pub fn go(
        &mut self,
        sim: &mut Sim,
        mut legal: Legal,
        retry: Option<&Op>,
        ops: &[Op],
    ) -> Result<Arc<Contents>, Failure> {
        let mut queue: VecDeque<Op> = ops.iter().cloned().collect();
        let mut retry = retry;
        loop {
            let start = sim.rig().journal().len();
            let mut spec = Spec::default();
            let mut went_on = false;
            let subject = self.subject;
            subject.session(sim, &mut |store, started| {
                if started.damaged > 0 {
                    let what = format!("{} regions after a power cut", started.damaged);
                    return Err(Failure::Damage(what));
                }
                let found = Arc::new(self.look(store, &legal)?);
                spec = Spec::of((*found).clone());
                let undone = legal.len() > 1 && *found == *legal[0];
                let span = Span {
                    start,
                    end: 0,
                    during: legal.clone(),
                    after: vec![found],
                    op: retry.cloned(),
                    doing: "while opening".into(),
                };
                self.note(store.sim(), span);
                if let Some(op) = retry.take().filter(|_| undone) {
                    queue.push_front(op.clone());
                }
                while let Some(op) = queue.pop_front() {
                    went_on = matches!(op, Op::Close | Op::Reopen);
                    match op {
                        Op::Close => return Ok(Leave::Close),
                        Op::Reopen => return Ok(Leave::Drop),
                        op => self.step(store, &mut spec, op)?,
                    }
                }
                Ok(Leave::Drop)
            })?;
            if let Some(violation) = sim.rig().violation() {
                return Err(Failure::Wrong(format!("broken promise: {violation:?}")));
            }
            let found = Arc::new(spec.committed().clone());
            let start = self.spans.last().map_or(start, |span| span.end);
            let span = Span {
                start,
                end: 0,
                during: vec![found.clone()],
                after: vec![found.clone()],
                op: None,
                doing: "while leaving".into(),
            };
            self.note(sim, span);
            if !went_on {
                return Ok(found);
            }
            legal = vec![found];
        }
    }

    fn note(&mut self, sim: &Sim, span: Span) {
        let end = sim.rig().journal().len();
        self.spans.push(Span { end, ..span });
    }

    fn look(&self, store: &mut dyn Opened, legal: &Legal) -> Result<Contents, Failure> {
        let found = store.contents(&self.keys)?;
        if legal.iter().any(|contents| **contents == found) {
            return Ok(found);
        }
        let differences: Vec<_> = legal.iter().map(|l| l.difference(&found)).collect();
        Err(Failure::Wrong(format!(
            "expected / found: {}",
            differences.join(" -- or -- ")
        )))
    }

    fn step(&mut self, store: &mut dyn Opened, spec: &mut Spec, op: Op) -> Result<(), Failure> {
        let start = store.sim().rig().journal().len();
        let before = Arc::new(spec.committed().clone());
        let answers = store.apply(&op)?;
        self.follow(spec, &op, &answers)?;
        let after = Arc::new(spec.committed().clone());
        let during = match before == after {
            true => vec![after.clone()],
            false => vec![before, after.clone()],
        };
        let span = Span {
            start,
            end: 0,
            during,
            after: vec![after.clone()],
            doing: format!("in {op:?}"),
            op: Some(op),
        };
        self.note(store.sim(), span);
        self.look(store, &vec![after])?;
        Ok(())
    }

    /// Does on the specification what the store says it did.
    fn follow(
        &self,
        spec: &mut Spec,
        op: &Op,
        answers: &[Result<(), Refusal>],
    ) -> Result<(), Failure> {
        for (step, answer) in op.steps().iter().zip(answers) {
            let expected = match answer {
                Err(Refusal::NoRoom) if self.workload.may_fill => continue,
                _ => spec.tentatively(step),
            };
            if expected != *answer {
                return Err(Failure::Wrong(format!(
                    "{step:?} was answered {answer:?}, expected {expected:?}"
                )));
            }
        }
        let committed = match answers.get(op.steps().len()) {
            Some(Err(Refusal::NoRoom)) if self.workload.may_fill => false,
            Some(Err(refusal)) => {
                return Err(Failure::Wrong(format!("commit was refused: {refusal:?}")));
            }
            _ => !matches!(op, Op::Aborted(_)),
        };
        match committed {
            true => spec.commit(),
            false => spec.abort(),
        }
        Ok(())
    }
}
