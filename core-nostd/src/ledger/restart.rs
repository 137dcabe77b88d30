//! The first writes after an unclean end.

use super::root::Newest;
use super::walk::Walk;
use crate::fault::Fault;
use crate::format::frame::Seen;
use crate::format::shape::Shape;
use crate::index::Index;
use crate::medium::Medium;
use crate::multilog::{Frontier, LogState, split};
use crate::mutants::Mutant;
use crate::store::{Place, Store};

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// The first writes after an unclean end: logs that the newest group
    /// touched go on in copies, then a new root records every cut.
    pub(crate) fn restart(&mut self, walk: &Walk) -> Result<bool, Fault<M::Error>> {
        self.erase_cut_roots()?;
        if !self.device.shape.ordered() {
            self.prove_again(walk)?;
            self.copy_tails(walk)?;
        }
        let newest = self.in_doubt(walk)?;
        if !self.write_root(newest)? {
            return Ok(false);
        }
        // Every start takes a segment, so it gives back what is missing.
        self.regain()?;
        if !self.device.shape.ordered() {
            self.renew_tails(walk)?;
        }
        Ok(true)
    }

    /// As [`Store::copy_tails`], for those that there was no room for: now
    /// there is.
    fn renew_tails(&mut self, walk: &Walk) -> Result<(), Fault<M::Error>> {
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            if state.frontier == Frontier::Known || !self.tail_in_doubt(walk, log, &state) {
                continue;
            }
            match self.renew_tail(log) {
                Ok(()) => self.end_group()?,
                // The first append makes the copy.
                Err(fault) if fault.is_full() => self.give_up()?,
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn renew_tail(&mut self, log: usize) -> Result<(), Fault<M::Error>> {
        self.pressing = true;
        self.begin(64)?;
        self.touch(log);
        if let Some(state) = self.logs.get_mut(log) {
            state.frontier = Frontier::Copy;
        }
        self.clear_frontier(log)
    }

    /// Copies the tails of logs that the newest group appended to, for its
    /// flush may have failed. On ordered media the bytes were there before the
    /// frame that tells of them.
    fn copy_tails(&mut self, walk: &Walk) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            // The last free segment is the root's.
            if !self.tail_in_doubt(walk, log, &state) || self.table.free() < 2 {
                continue;
            }
            let segment = match self.copy_tail(log) {
                Ok((segment, _)) => segment,
                // No room for a copy: the first append makes one.
                Err(fault) if fault.is_full() => continue,
                Err(other) => return Err(other),
            };
            let (n, _) = split(&shape, state.committed.tail);
            let old = self.log_segment(&state, n);
            self.map_log(log, n, segment);
            if let Some(row) = self.table.row(old) {
                row.leaving = true;
            }
            if let Some(state) = self.logs.get_mut(log) {
                state.frontier = Frontier::Known;
            }
        }
        Ok(())
    }

    /// Whether a log's tail stands in a segment that the newest group wrote to.
    fn tail_in_doubt(&self, walk: &Walk, log: usize, state: &LogState) -> bool {
        let (_, within) = split(&self.device.shape, state.committed.tail);
        walk.newest_logs.has(log) && within > 0 && !state.broken && !Mutant::NoCopyOn.on()
    }

    /// The part of the newest group that may not be on the medium for good: on
    /// ordered media its last frame, else what its flush was to make durable,
    /// for a flush that failed leaves it in a cache alone.
    fn in_doubt(&self, walk: &Walk) -> Result<Option<Newest>, Fault<M::Error>> {
        let Some((start, to)) = walk.newest else {
            return Ok(None);
        };
        // Damage behind it may be of something newer: a copy would look as if
        // it were the newest of all.
        let rank = Shape::rank(start.seq, start.at);
        if self.damages.iter().any(|damage| damage.until > rank) {
            return Ok(None);
        }
        let mut from = start;
        if self.device.shape.ordered() {
            from = walk.newest_last;
            let seen = self
                .device
                .examine(from.segment, from.seq, from.at, to.at)?;
            if matches!(seen, Seen::Damaged(..)) {
                // It stays where it is, for its damage to stay known.
                return Ok(None);
            }
        } else if start.segment != to.segment {
            from = Place {
                at: self.device.shape.start,
                ..to
            };
        }
        let logs = walk.newest_logs;
        Ok(Some(Newest { from, to, logs }))
    }

    /// Erases newer roots that were cut, so that none of them is ever read as
    /// whole once anything that it may need is gone.
    pub(crate) fn erase_cut_roots(&mut self) -> Result<(), Fault<M::Error>> {
        let roots = core::mem::take(&mut self.cut_roots);
        let ordered = self.device.shape.ordered();
        for root in roots.iter().filter(|_| ordered) {
            if self.table.get(root.segment).free() {
                self.table.erase_now(&mut self.device, root.segment)?;
            }
        }
        Ok(())
    }
}
