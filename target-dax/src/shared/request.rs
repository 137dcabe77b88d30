//! A thread that waits for its turn to commit.
//!
//! To sleep and to be woken takes tens of microseconds, and more where an idle
//! processor of a virtual machine has to be woken first: as long as a flush of a
//! fast disk. So where flushes are short a thread waits awake at first, as in
//! RocksDB's write threads; it looks a few times where they are very short, and
//! else lets others have the processor between its looks. Where those keep it,
//! it sleeps, and so does whoever waits after it for a while.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::batch::Batch;
use super::sync::{Condvar, Moment, Mutex, pause, spin, whatever};
use super::{Done, SharedError};

/// Flushes to memory: a thread looks without letting go of the processor.
const FLUSH_SHORT: Duration = Duration::from_micros(10);
/// How often it does so: about as long as a few commits to memory take.
const LOOKS: u32 = 200;
/// Where flushes take longer a thread that waits sleeps at once.
const FLUSH_MIDDLING: Duration = Duration::from_micros(300);
/// Who does not get the processor back for so long is not alone with it.
const KEPT: Duration = Duration::from_micros(100);
/// Waits that are slept through then.
const RESTRAINT: u32 = 500;

/// How many threads are to sleep at once, for others need the processors.
#[derive(Default)]
pub(super) struct Restraint(AtomicU32);

impl Restraint {
    fn allows(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        self.0.fetch_update(order, order, less).is_err()
    }

    fn begin(&self) {
        self.0.store(RESTRAINT, Ordering::Relaxed);
    }
}

/// A thread that waits.
pub(super) struct Request {
    /// What it wants to be committed; `None` where it wants to lead itself.
    batch: Option<Batch>,
    waiting: Mutex<Waiting>,
    answered: Condvar,
    /// There is an answer, seen without the lock.
    ready: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    answer: Option<Answer>,
    /// The thread sleeps, and has to be woken.
    asleep: bool,
}

pub(super) enum Answer {
    /// The lead was left free.
    Called,
    /// The thread leads.
    Lead,
    /// Its batch is done.
    Done(Result<Done, SharedError>),
}

impl Request {
    pub(super) fn new(batch: Option<Batch>) -> Self {
        Self {
            batch,
            waiting: Mutex::default(),
            answered: Condvar::new(),
            ready: AtomicBool::new(false),
        }
    }

    /// What it wants to be committed.
    pub(super) fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// Tells the thread that its batch is done.
    pub(super) fn done(&self, result: Result<Done, SharedError>) {
        self.answer(Answer::Done(result));
    }

    /// The first answer counts, but for a call, which says nothing yet.
    pub(super) fn answer(&self, answer: Answer) {
        let mut waiting = whatever(self.waiting.lock());
        if matches!(waiting.answer, None | Some(Answer::Called)) {
            waiting.answer = Some(answer);
        }
        self.ready.store(true, Ordering::Release);
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            self.answered.notify_one();
        }
    }

    /// Waits for an answer where a flush takes so long.
    pub(super) fn wait(&self, flush: Duration, restraint: &Restraint) -> Answer {
        if flush < FLUSH_SHORT {
            spin(LOOKS, || self.is_ready());
        } else if flush < FLUSH_MIDDLING && restraint.allows() {
            self.wait_awake(flush * 2, restraint);
        }
        let mut waiting = whatever(self.waiting.lock());
        loop {
            if let Some(answer) = waiting.answer.take() {
                self.ready.store(false, Ordering::Release);
                return answer;
            }
            waiting.asleep = true;
            waiting = whatever(self.answered.wait(waiting));
            waiting.asleep = false;
        }
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Waits for an answer so long at most, letting others have the processor.
    fn wait_awake(&self, patience: Duration, restraint: &Restraint) {
        let begun = Moment::now();
        while !self.is_ready() && !begun.is_past(patience) {
            let looked = Moment::now();
            pause();
            if looked.is_past(KEPT) {
                return restraint.begin();
            }
        }
    }
}
