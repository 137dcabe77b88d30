//! Who commits next, and for whom.
//!
//! One thread at a time *leads*: it alone writes. Who comes while another
//! leads leaves its batch and waits. A leader takes along the batches that
//! wait, and one flush makes all of them durable (group commit, as in most
//! databases since DeWitt et al. 1984).
//!
//! To wake a thread takes longer than most commits. So a leader that is done
//! does not hand the lead over: it leaves it free, and calls the first thread
//! that waits. Whoever comes before that one has woken up leads, and takes its
//! batch along, so it loses nothing by that. A thread that wants to lead itself
//! has nothing to be taken along and is handed the lead when it is the first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::batch::Batch;
use super::gather::Gathering;
use super::request::{Answer, Request, Restraint};
use super::sync::{Mutex, pause, whatever};
use super::{Done, SharedError};

/// Batches that one leader takes along at most.
const GROUP_MAX: usize = 256;

/// The threads that want to write.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Nanoseconds that the last flush took, where readers went on meanwhile.
    flush: AtomicU64,
    restraint: Restraint,
}

#[derive(Default)]
struct State {
    led: bool,
    waiting: VecDeque<Arc<Request>>,
    /// The first that waits was called, and has not looked yet whether it can
    /// lead.
    called: bool,
    gathering: Gathering,
}

impl State {
    /// Batches that wait, up to the first thread that wants to lead; and whether
    /// there is such a thread.
    fn batches(&self) -> (usize, bool) {
        let waiting = self.waiting.iter();
        let count = waiting
            .take_while(|request| request.batch().is_some())
            .count();
        (count, count < self.waiting.len())
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
            None => Turn::Lead(Lead::new(self)),
            Some(result) => Turn::Done(result),
        }
    }

    /// Waits to lead.
    pub(super) fn lead(&self) -> Lead<'_> {
        // Without a batch there is nothing that another one could have done.
        let _ = self.wait_for_turn(|| None);
        Lead::new(self)
    }

    /// Says how long a flush took.
    pub(super) fn flush_took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.flush.store(nanos, Ordering::Relaxed);
    }

    fn flush_time(&self) -> Duration {
        if cfg!(shuttle) {
            // A checker needs the same one in every run.
            return Duration::from_secs(1);
        }
        Duration::from_nanos(self.flush.load(Ordering::Relaxed))
    }

    /// The result of the thread's batch, or `None` once it leads.
    fn wait_for_turn(
        &self,
        batch: impl FnOnce() -> Option<Batch>,
    ) -> Option<Result<Done, SharedError>> {
        if self.take_lead(None) {
            return None;
        }
        // Copied while nobody waits for it.
        let request = Arc::new(Request::new(batch()));
        if self.take_lead(Some(&request)) {
            return None;
        }
        loop {
            match request.wait(self.flush_time(), &self.restraint) {
                Answer::Done(result) => return Some(result),
                Answer::Lead => return None,
                Answer::Called if self.answer_call(&request) => return None,
                Answer::Called => {}
            }
        }
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

    /// Whether a thread that was called leads now. Where it does not, another
    /// one came before it: its batch was taken along, or it is called again.
    fn answer_call(&self, request: &Arc<Request>) -> bool {
        let mut state = whatever(self.state.lock());
        let first = state.waiting.front();
        if !first.is_some_and(|first| Arc::ptr_eq(first, request)) {
            return false;
        }
        state.called = false;
        let free = !std::mem::replace(&mut state.led, true);
        if free {
            state.waiting.pop_front();
        }
        free
    }
}

/// The right to write.
pub(super) struct Lead<'q> {
    queue: &'q Queue,
    /// Batches that are committed under it.
    group: usize,
}

impl<'q> Lead<'q> {
    fn new(queue: &'q Queue) -> Self {
        Lead { queue, group: 1 }
    }

    /// Those who wait with batches, up to the first that wants to lead. Where
    /// that pays, waits a moment for those who committed just now.
    pub(super) fn take_along(&mut self) -> Along {
        let mut state = whatever(self.queue.state.lock());
        let (mut count, mut leads) = state.batches();
        if !leads && state.gathering.begin(count, self.queue.flush_time()) {
            while !leads && state.gathering.lacks(count) {
                drop(state);
                pause();
                state = whatever(self.queue.state.lock());
                (count, leads) = state.batches();
            }
            state.gathering.end(count);
        }
        let count = count.min(GROUP_MAX);
        if count > 0 {
            // Who was called is the first of them.
            state.called = false;
        }
        self.group = 1 + count;
        Along(state.waiting.drain(..count).collect())
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = whatever(self.queue.state.lock());
        let (waiting, _) = state.batches();
        state.gathering.expect(self.group, waiting);
        let Some(first) = state.waiting.front() else {
            state.led = false;
            return;
        };
        if first.batch().is_none() {
            let first = Arc::clone(first);
            state.waiting.pop_front();
            state.called = false;
            drop(state);
            return first.answer(Answer::Lead);
        }
        let called = (!state.called).then(|| Arc::clone(first));
        state.called = true;
        state.led = false;
        drop(state);
        if let Some(first) = called {
            first.answer(Answer::Called);
        }
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
