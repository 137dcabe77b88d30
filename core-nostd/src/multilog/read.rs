//! Reading, checked by the block.

use super::{LogState, append::mapped, block_salt, corrupt_log, remainder_len, split};
use crate::checksum::flipped_bit;
use crate::error::Error;
use crate::fault::Fault;
use crate::format::shape::WRITE_UNIT_MAX;
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::Store;

/// A block of a log: where it stands and how much of it is there.
struct Block {
    segment: u32,
    n: u32,
    first: u32,
    /// Bytes of it before the tail.
    known: u32,
    /// Whether its checksum stands behind it.
    full: bool,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Reads from a log. Every block touched (1 KiB) is read and its checksum
    /// compared; a single flipped bit is healed. Sees the open transaction.
    ///
    /// # Errors
    /// [`Error::BeforeHead`], [`Error::PastTail`], [`Error::Corrupt`], or the
    /// medium's; `buf` then holds nothing of use.
    pub fn read(&self, log: usize, position: u64, buf: &mut [u8]) -> Result<(), Error<M::Error>> {
        let state = *self.told(self.log(log))?;
        self.read_log(log, &state, position, buf)
    }

    /// Reads what is between the head and the tail that `state` has staged.
    pub(crate) fn read_log(
        &self,
        log: usize,
        state: &LogState,
        position: u64,
        buf: &mut [u8],
    ) -> Result<(), Error<M::Error>> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        if position < state.staged.head {
            return Err(Error::BeforeHead {
                head: state.staged.head,
            });
        }
        if position.plus(len) > state.staged.tail {
            return Err(Error::PastTail {
                tail: state.staged.tail,
            });
        }
        let mut done = 0usize;
        while done < buf.len() {
            let at = position.plus(u64::try_from(done).unwrap_or(0));
            let rest = buf.get_mut(done..).unwrap_or_default();
            let got = self.told(self.read_block(log, state, at, rest))?.0;
            if got == 0 {
                break;
            }
            done = done.plus(got);
        }
        Ok(())
    }

    /// Reads what one block has of a run; returns how many bytes and whether
    /// a bit was healed.
    pub(crate) fn read_block(
        &self,
        log: usize,
        state: &LogState,
        position: u64,
        buf: &mut [u8],
    ) -> Result<(usize, bool), Fault<M::Error>> {
        let shape = self.device.shape;
        let (n, within) = split(&shape, position);
        let (first, len) = shape.log_block(within);
        let block_at = position.minus(u64::from(within.minus(first)));
        let known = u32::try_from(state.staged.tail.minus(block_at))
            .unwrap_or(u32::MAX)
            .min(len);
        let corrupt = |segment| {
            let at = shape.address(segment, shape.log_offset(first));
            Fault::at(corrupt_log(log), at)
        };
        let segment = mapped(self.log_segment(state, n)).ok_or_else(|| corrupt(0))?;
        let block = Block {
            segment,
            n,
            first,
            known,
            full: known == len,
        };
        if state.broken && !block.full {
            return Err(corrupt(segment));
        }
        let skip = within.minus(first);
        let count = usize::try_from(known.minus(skip))
            .unwrap_or(0)
            .min(buf.len());
        let buf = buf.get_mut(..count).unwrap_or_default();
        let sum = self.block_bytes(log, state, &block, skip, buf)?;
        let kept = if block.full {
            self.device.block_sum_at(segment, first, len)?
        } else {
            state.staged.sum
        };
        let difference = if Mutant::SkipReadChecksum.on() {
            0
        } else {
            sum ^ kept
        };
        if difference == 0 {
            return Ok((count, false));
        }
        if difference.is_power_of_two() && block.full {
            return Ok((count, true));
        }
        let Some(bit) = flipped_bit(difference, u32::MAX, known.times(8)) else {
            return Err(corrupt(segment));
        };
        if let Some(at) = (bit >> 3).checked_sub(skip)
            && let Some(byte) = buf.get_mut(usize::try_from(at).unwrap_or(usize::MAX))
        {
            *byte ^= 1u8.wrapping_shl(bit & 7);
        }
        Ok((count, true))
    }

    /// Copies the bytes of a block from `skip` on into `buf`; returns the
    /// checksum of all of it that is known.
    fn block_bytes(
        &self,
        log: usize,
        state: &LogState,
        block: &Block,
        skip: u32,
        buf: &mut [u8],
    ) -> Result<u32, Fault<M::Error>> {
        let shape = self.device.shape;
        let remainder = if block.full {
            0
        } else {
            remainder_len(&shape, state.staged.tail)
        };
        let remainder = remainder.min(block.known);
        let programmed = block.known.minus(remainder);
        let number = u32::try_from(log).unwrap_or(0);
        let mut sum = block_salt(&shape, number, block.n, block.first);
        let mut at = 0u32;
        let mut take = |bytes: &[u8]| {
            sum = self.device.medium.crc32c(sum, bytes);
            let from = usize::try_from(skip.minus(at)).unwrap_or(0);
            let to = usize::try_from(at.minus(skip)).unwrap_or(0);
            crate::math::place(buf, to, bytes.get(from..).unwrap_or(&[]));
            at = at.plus(u32::try_from(bytes.len()).unwrap_or(0));
        };
        let offset = shape.log_offset(block.first);
        self.device
            .pieces(block.segment, offset, programmed, &mut take)?;
        if remainder > 0 {
            let mut bytes = [0u8; WRITE_UNIT_MAX as usize];
            let len = usize::try_from(remainder).unwrap_or(0);
            let bytes = bytes.get_mut(..len).unwrap_or_default();
            self.device.read_remainder(&state.staged, bytes)?;
            take(bytes);
        }
        Ok(sum)
    }

    /// Blank words in the whole units between two positions of a log.
    pub(crate) fn log_blank_words(
        &self,
        state: &LogState,
        from: u64,
        to: u64,
    ) -> Result<u32, Fault<M::Error>> {
        let shape = self.device.shape;
        let (first, within) = split(&shape, from);
        let (last, within_to) = split(&shape, to);
        let mut at = shape.log_offset(within).round_down(shape.unit);
        let mut words = 0u32;
        for n in first..=last {
            let end = if n == last {
                shape.log_offset(within_to).round_down(shape.unit)
            } else {
                let (first, len) = shape.log_block(shape.log_payload.minus(1));
                shape.log_offset(first).plus(len).plus(shape.block_tail)
            };
            if let Some(segment) = mapped(self.log_segment(state, n))
                && end > at
            {
                words = words.plus(self.device.blank_words(segment, at, end.minus(at))?);
            }
            at = shape.start;
        }
        Ok(words)
    }

    /// Whether every block between two positions passes its checksum, healed
    /// or not.
    pub(crate) fn log_run_sound(
        &self,
        log: usize,
        state: &LogState,
        from: u64,
        to: u64,
    ) -> Result<bool, Fault<M::Error>> {
        let shape = self.device.shape;
        let mut at = from;
        while at < to {
            let (_, within) = split(&shape, at);
            let (first, len) = shape.log_block(within);
            match self.read_block(log, state, at, &mut [0u8; 1]) {
                Ok(_) => {}
                Err(fault) if fault.is_corrupt() => return Ok(false),
                Err(other) => return Err(other),
            }
            at = at.plus(u64::from(first.plus(len).minus(within)));
        }
        Ok(true)
    }

    /// The checksum of the known bytes of the tail's block, as they are.
    pub(crate) fn tail_sum(&self, log: usize, state: &LogState) -> Result<u32, Fault<M::Error>> {
        let state = &LogState {
            staged: state.committed,
            ..*state
        };
        let shape = self.device.shape;
        let (n, within) = split(&shape, state.committed.tail);
        if within == 0 {
            return Ok(state.committed.sum);
        }
        let (first, _) = shape.log_block(within.minus(1));
        let known = within.minus(first);
        let (_, len) = shape.log_block(first);
        let Some(segment) = mapped(self.log_segment(state, n)) else {
            return Ok(!state.committed.sum);
        };
        let block = Block {
            segment,
            n,
            first,
            known,
            full: known == len,
        };
        self.block_bytes(log, state, &block, 0, &mut [])
    }
}
