//! Which lines were stored to and are not yet being written back.

use super::Persist;

/// Lines held at most: each place that the core writes to at a time has one.
const LINES_MAX: usize = 8;

/// Partly filled lines. A full one is written back at once, so that the flush
/// waits for little, and one that is being filled only by the flush, for the
/// same line again and again takes longest.
#[derive(Debug)]
pub(super) struct Open {
    line: usize,
    /// Where they begin; the first `count` of them.
    lines: [usize; LINES_MAX],
    count: usize,
}

impl Open {
    pub(super) fn new(line: usize) -> Self {
        Self {
            line,
            lines: [0; LINES_MAX],
            count: 0,
        }
    }

    /// Notes a store of `len` bytes, which is not 0.
    #[inline]
    pub(super) fn stored(&mut self, at: usize, len: usize, memory: &mut impl Persist) {
        let first = at & !(self.line - 1);
        let end = at + len;
        let last = end & !(self.line - 1);
        if last > first {
            // A line that was begun earlier is full now, whoever began it.
            self.forget(first);
            memory.write_back(first, last - first);
        }
        if last < end {
            self.hold(last, memory);
        }
    }

    #[inline]
    fn forget(&mut self, line: usize) {
        if let Some(place) = self.lines[..self.count].iter().position(|at| *at == line) {
            self.count -= 1;
            self.lines[place] = self.lines[self.count];
        }
    }

    #[inline]
    fn hold(&mut self, line: usize, memory: &mut impl Persist) {
        if self.lines[..self.count].contains(&line) {
            return;
        }
        if self.count == LINES_MAX {
            self.write_back_all(memory);
        }
        self.lines[self.count] = line;
        self.count += 1;
    }

    /// Begins to write back every line.
    #[inline]
    pub(super) fn write_back_all(&mut self, memory: &mut impl Persist) {
        for line in &self.lines[..self.count] {
            memory.write_back(*line, 1);
        }
        self.count = 0;
    }
}
