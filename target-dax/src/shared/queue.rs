//! Who commits next, and for whom.
//!
//! One thread at a time *leads*: it alone writes. Who comes while another
//! leads leaves its batch and waits. A leader takes along the batches that
//! wait, and one flush makes all of them durable (group commit, as in most
//! databases since DeWitt et al. 1984). When it is done it hands the lead to
//! the next that waits, so no thread works for others for long.
//!
//! Those whose commit has just ended mostly come back at once with the next
//! one. A leader that went ahead without them would leave them waiting for a
//! flush of their own, and so in turn: half of the threads a flush. So, where a
//! flush takes long, it *gathers*: it waits up to a part of that time for as
//! many as the last group had.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::sync::{Condvar, Moment, Mutex, pause, whatever};
use super::{Done, SharedError};

/// Batches that one leader takes along at most.
const GROUP_MAX: usize = 256;

/// The threads that want to write.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    led: bool,
    waiting: VecDeque<Arc<Request>>,
    /// How many batches may wait once those of the last group have come back,
    /// and when that group ended.
    expected: usize,
    ended: Option<Moment>,
}

impl State {
    /// Batches that wait, up to the first thread that wants to lead; and whether
    /// there is such a thread.
    fn batches(&self) -> (usize, bool) {
        let waiting = self.waiting.iter();
        let count = waiting
            .take_while(|request| request.batch.is_some())
            .count();
        (count, count < self.waiting.len())
    }
}

/// A thread that waits.
pub(super) struct Request {
    /// What it wants to be committed; `None` where it wants to lead itself.
    batch: Option<Batch>,
    answer: Mutex<Option<Answer>>,
    answered: Condvar,
}

enum Answer {
    Lead,
    Done(Result<Done, SharedError>),
}

impl Request {
    fn new(batch: Option<Batch>) -> Arc<Self> {
        Arc::new(Self {
            batch,
            answer: Mutex::new(None),
            answered: Condvar::new(),
        })
    }

    /// What it wants to be committed.
    pub(super) fn batch(&self) -> &Batch {
        static NONE: Batch = Batch::new();
        self.batch.as_ref().unwrap_or(&NONE)
    }

    /// Tells the thread that its batch is done.
    pub(super) fn done(&self, result: Result<Done, SharedError>) {
        self.answer(Answer::Done(result));
    }

    /// The first answer counts.
    fn answer(&self, answer: Answer) {
        whatever(self.answer.lock()).get_or_insert(answer);
        self.answered.notify_one();
    }

    fn wait(&self) -> Answer {
        let mut answer = whatever(self.answer.lock());
        loop {
            if let Some(answer) = answer.take() {
                return answer;
            }
            answer = whatever(self.answered.wait(answer));
        }
    }
}

/// What became of a thread that came to commit a batch.
pub(super) enum Turn<'q> {
    /// It leads, and its batch is still to be committed.
    Lead(Lead<'q>),
    /// Another one committed it.
    Done(Result<Done, SharedError>),
}

impl Queue {
    /// Waits to lead, or for a leader who commits what `batch` returns: it is
    /// called only where another thread leads.
    pub(super) fn enter(&self, batch: impl FnOnce() -> Batch) -> Turn<'_> {
        match self.wait_for_turn(|| Some(batch())) {
            Answer::Lead => Turn::Lead(Lead::new(self)),
            Answer::Done(result) => Turn::Done(result),
        }
    }

    /// Waits to lead.
    pub(super) fn lead(&self) -> Lead<'_> {
        // Without a batch there is nothing that another one could have done.
        let _ = self.wait_for_turn(|| None);
        Lead::new(self)
    }

    fn wait_for_turn(&self, batch: impl FnOnce() -> Option<Batch>) -> Answer {
        if self.take_lead(None) {
            return Answer::Lead;
        }
        // Copied while nobody waits for it.
        let request = Request::new(batch());
        if self.take_lead(Some(&request)) {
            return Answer::Lead;
        }
        request.wait()
    }

    /// Whether the lead was free; else `request` joins those who wait.
    fn take_lead(&self, request: Option<&Arc<Request>>) -> bool {
        let mut state = whatever(self.state.lock());
        let free = !std::mem::replace(&mut state.led, true);
        if free {
            // It is one of those that were expected.
            state.expected = state.expected.saturating_sub(1);
        } else {
            state.waiting.extend(request.cloned());
        }
        free
    }
}

/// The right to write; the next thread in the queue has it after the drop.
pub(super) struct Lead<'q> {
    queue: &'q Queue,
    /// Batches that are committed under it.
    group: usize,
}

impl<'q> Lead<'q> {
    fn new(queue: &'q Queue) -> Self {
        Lead { queue, group: 1 }
    }

    /// Those who wait with batches, up to the first that wants to lead; waits
    /// up to `patience` from the last group's end on for those who are expected.
    pub(super) fn take_along(&mut self, patience: Duration) -> Along {
        let mut state = whatever(self.queue.state.lock());
        while !patience.is_zero() {
            let (count, leads) = state.batches();
            let ended = state.ended.as_ref();
            let over = ended.is_none_or(|ended| ended.is_past(patience));
            if leads || over || count >= state.expected.min(GROUP_MAX) {
                break;
            }
            drop(state);
            pause();
            state = whatever(self.queue.state.lock());
        }
        let count = state.batches().0.min(GROUP_MAX);
        self.group = 1 + count;
        Along(state.waiting.drain(..count).collect())
    }
}

/// Requests that a leader has taken along. Those that it did not answer, for it
/// panicked, learn that nothing more is written.
pub(super) struct Along(pub(super) Vec<Arc<Request>>);

impl Drop for Along {
    fn drop(&mut self) {
        for request in &self.0 {
            request.done(Err(SharedError::Closed));
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = whatever(self.queue.state.lock());
        let next = state.waiting.pop_front();
        state.expected = state.waiting.len() + self.group;
        state.ended = Some(Moment::now());
        match next {
            Some(next) => next.answer(Answer::Lead),
            None => state.led = false,
        }
    }
}
