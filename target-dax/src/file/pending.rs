//! Small writes, joined before they are handed to the system.

use indelible::Order;

/// Runs held at most: the ledger, a few logs and cold records at a time.
const RUNS_MAX: usize = 8;

/// Bytes held at most.
const BYTES_MAX: usize = 256 << 10;

/// Consecutive bytes to be written at an address.
#[derive(Debug, Default)]
struct Run {
    at: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

/// Writes that were issued and not yet handed to the system: runs that do not
/// overlap, in the order in which they were begun.
#[derive(Debug)]
pub(super) struct Pending {
    runs: Vec<Run>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    bytes: usize,
    order: Order,
}

impl Default for Pending {
    fn default() -> Self {
        Self::new(Order::Unordered)
    }
}

impl Pending {
    pub(super) fn new(order: Order) -> Self {
        Self {
            runs: Vec::new(),
            spare: Vec::new(),
            bytes: 0,
            order,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The run that a write at `at` continues. On ordered media only the
    /// newest may be continued, or the write would overtake what is between.
    fn continued_by(&self, at: u64) -> Option<usize> {
        match self.order {
            Order::Unordered => self.runs.iter().position(|run| run.end() == at),
            Order::Ordered => {
                let newest = self.runs.len().checked_sub(1)?;
                (self.runs[newest].end() == at).then_some(newest)
            }
        }
    }

    /// Whether a write can join without anything being handed on before it.
    pub(super) fn has_room(&self, at: u64, len: usize) -> bool {
        self.runs.is_empty()
            || self.bytes + len <= BYTES_MAX
                && !self.overlaps(at, len as u64)
                && (self.runs.len() < RUNS_MAX || self.continued_by(at).is_some())
    }

    /// Adds a write for which there is [room](Self::has_room).
    pub(super) fn push(&mut self, at: u64, bytes: &[u8]) {
        let run = match self.continued_by(at) {
            Some(run) => run,
            None => {
                let buffer = self.spare.pop().unwrap_or_default();
                self.runs.push(Run { at, bytes: buffer });
                self.runs.len() - 1
            }
        };
        self.runs[run].bytes.extend_from_slice(bytes);
        self.bytes += bytes.len();
    }

    #[inline]
    pub(super) fn overlaps(&self, at: u64, len: u64) -> bool {
        self.runs
            .iter()
            .any(|run| run.at < at + len && at < run.end())
    }

    /// Puts what is pending over bytes that were read at `at`.
    #[inline]
    pub(super) fn overlay(&self, at: u64, buf: &mut [u8]) {
        if !self.is_empty() {
            self.overlay_runs(at, buf);
        }
    }

    fn overlay_runs(&self, at: u64, buf: &mut [u8]) {
        let end = at + buf.len() as u64;
        for run in &self.runs {
            let (from, to) = (run.at.max(at), run.end().min(end));
            if from < to {
                let source = &run.bytes[(from - run.at) as usize..(to - run.at) as usize];
                buf[(from - at) as usize..(to - at) as usize].copy_from_slice(source);
            }
        }
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.runs.iter().map(|run| (run.at, run.bytes.as_slice()))
    }

    pub(super) fn clear(&mut self) {
        for mut run in self.runs.drain(..) {
            run.bytes.clear();
            self.spare.push(run.bytes);
        }
        self.bytes = 0;
    }
}
