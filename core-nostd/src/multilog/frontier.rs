//! The first write behind a tail that was inherited.
//!
//! A cut or aborted append may have left bytes behind the tail; on flash even
//! a unit that looks blank may be half-programmed. Such a tail's segment is
//! copied, once, and the log goes on in the copy: no holes, nothing leaks.

use super::append::mapped;
use super::{Frontier, block_salt, split};
use crate::checksum::flipped_bit;
use crate::fault::Fault;
use crate::format::frame::{Patch, Writer, apply};
use crate::format::header::Stream;
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::store::Store;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Makes sure that a log's tail can be written behind.
    pub(crate) fn clear_frontier(&mut self, log: usize) -> Result<(), Fault<M::Error>> {
        if self.log(log)?.frontier == Frontier::Known {
            return Ok(());
        }
        let state = *self.log(log)?;
        let shape = self.device.shape;
        let (n, within) = split(&shape, state.staged.tail);
        let needed = match state.frontier {
            Frontier::Known => false,
            _ if within == 0 => false,
            Frontier::Copy => true,
            Frontier::Verify => {
                let segment = self.log_segment(&state, n);
                let from = shape.log_offset(within).round_down(shape.unit);
                self.device.programmed(segment, from, shape.segment_size)?.0 > 0
            }
        };
        if needed {
            let (segment, seq) = self.copy_tail(log)?;
            let replaced = self.log_segment(&state, n);
            self.map_log(log, n, segment);
            if let Some(state) = self.logs.get_mut(log) {
                state.replaced = mapped(replaced);
            }
            self.tell_open(log, n, segment, seq)?;
        }
        if let Some(state) = self.logs.get_mut(log) {
            state.frontier = Frontier::Known;
        }
        Ok(())
    }

    /// How many logs go on in a copy of their tail's segment when they are
    /// appended to, which takes a segment until the commit.
    pub(crate) fn copies_due(&self) -> u32 {
        let mut due = 0u32;
        for log in self.logs.iter() {
            let (_, within) = split(&self.device.shape, log.committed.tail);
            due = due.plus(u32::from(log.frontier == Frontier::Copy && within > 0));
        }
        due
    }

    /// Copies the tail's segment as far as it is committed, healing what can
    /// be healed. Durable on return where that takes a flush.
    pub(crate) fn copy_tail(&mut self, log: usize) -> Result<(u32, u32), Fault<M::Error>> {
        let shape = self.device.shape;
        let state = *self.log(log)?;
        let (n, within) = split(&shape, state.staged.tail);
        let old = self.log_segment(&state, n);
        let number = u8::try_from(log).unwrap_or(u8::MAX);
        let new = self.table.open(&mut self.device, Stream::Log, number, n)?;
        let end = shape.log_offset(within).round_down(shape.unit);
        let mut writer = Writer::new(new, shape.start);
        let mut at = shape.start;
        while at < end {
            let block_end = at.plus(shape.block).min(end);
            let flip = self.block_flip(log, n, old, at)?;
            self.copy_run(&mut writer, old, at, block_end, flip)?;
            at = block_end;
        }
        writer.drain(&mut self.device)?;
        if !shape.ordered() {
            self.flush()?;
        }
        Ok((new, self.table.get(new).seq))
    }

    fn copy_run(
        &mut self,
        writer: &mut Writer,
        segment: u32,
        from: u32,
        to: u32,
        flip: Option<Patch>,
    ) -> Result<(), Fault<M::Error>> {
        let mut chunk = [0u8; 256];
        let mut at = from;
        while at < to {
            let count = usize::try_from(to.minus(at)).unwrap_or(0).min(chunk.len());
            let Some(bytes) = chunk.get_mut(..count) else {
                break;
            };
            self.device.read(segment, at, bytes)?;
            apply(flip, at, bytes);
            writer.push(&mut self.device, bytes)?;
            at = at.plus(u32::try_from(count).unwrap_or(0));
        }
        Ok(())
    }

    /// The one flipped bit of a full block, by its offset in the segment.
    fn block_flip(
        &self,
        log: usize,
        n: u32,
        segment: u32,
        at: u32,
    ) -> Result<Option<Patch>, Fault<M::Error>> {
        let shape = self.device.shape;
        let payload = shape.block.minus(shape.block_tail);
        let first = at.minus(shape.start).over(shape.block).times(payload);
        let (_, len) = shape.log_block(first);
        let state = self.log(log)?;
        let (tail_n, within) = split(&shape, state.staged.tail);
        if tail_n == n && first.plus(len) > within {
            return Ok(None);
        }
        let salt = block_salt(&shape, u32::try_from(log).unwrap_or(0), n, first);
        let sum = self.device.sum(segment, at, len, salt)?;
        let difference = sum ^ self.device.block_sum_at(segment, first, len)?;
        if difference == 0 || difference.is_power_of_two() {
            return Ok(None);
        }
        let bit = flipped_bit(difference, u32::MAX, len.times(8));
        Ok(bit.map(|bit| Patch {
            at: at.plus(bit >> 3),
            mask: 1u8.wrapping_shl(bit & 7),
        }))
    }
}
