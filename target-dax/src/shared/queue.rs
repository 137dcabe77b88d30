//! Who commits next, and for whom.
//!
//! One thread at a time *leads*: it alone writes. Who comes while another
//! leads leaves its batch and waits. A leader takes along the batches that
//! wait, and one flush makes all of them durable (group commit, as in most
//! databases since DeWitt et al. 1984). When it is done it hands the lead to
//! the next that waits, so no thread works for others for long.

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::Batch;
use super::sync::{Condvar, Mutex, whatever};
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
            Answer::Lead => Turn::Lead(Lead { queue: self }),
            Answer::Done(result) => Turn::Done(result),
        }
    }

    /// Waits to lead.
    pub(super) fn lead(&self) -> Lead<'_> {
        // Without a batch there is nothing that another one could have done.
        let _ = self.wait_for_turn(|| None);
        Lead { queue: self }
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
        if !free {
            state.waiting.extend(request.cloned());
        }
        free
    }
}

/// The right to write; the next thread in the queue has it after the drop.
pub(super) struct Lead<'q> {
    queue: &'q Queue,
}

impl Lead<'_> {
    /// Those who wait with batches, up to the first that wants to lead.
    pub(super) fn take_along(&self) -> Along {
        let mut state = whatever(self.queue.state.lock());
        let waiting = state.waiting.iter();
        let count = waiting
            .take_while(|request| request.batch.is_some())
            .count();
        Along(state.waiting.drain(..count.min(GROUP_MAX)).collect())
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
        match state.waiting.pop_front() {
            Some(next) => next.answer(Answer::Lead),
            None => state.led = false,
        }
    }
}
