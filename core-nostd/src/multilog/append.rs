//! Appending.

use super::{LogState, Mark, NONE, WIDE, block_salt, corrupt_log, remainder_len, split};
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Kind, Meta, Part, Spec, Writer, body_offset, short_log};
use crate::format::header::Stream;
use crate::format::shape::WRITE_UNIT_MAX;
use crate::index::Index;
use crate::math::{Saturate, place};
use crate::medium::Medium;
use crate::store::Store;

/// Bytes of long appends to memory that are put together before they are
/// written.
const RUN: usize = 4096;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Appends to a log, durably and atomically on return; returns the
    /// position of the first byte. One flush.
    ///
    /// # Errors
    /// [`Error::LogFull`], [`Error::InvalidLog`], [`Error::TransactionOpen`],
    /// or the medium's.
    pub fn append(&mut self, log: usize, data: &[u8]) -> Result<u64, Error<M::Error>> {
        let staged = self.stage_append(log, data, true);
        self.alone(staged)
    }

    /// Appends to a log when the transaction commits; returns the position
    /// that the first byte then has.
    ///
    /// # Errors
    /// As [`Store::append`]; the transaction stays open and as it was.
    pub fn tentatively_append(&mut self, log: usize, data: &[u8]) -> Result<u64, Error<M::Error>> {
        let staged = self.stage_append(log, data, false);
        self.told(staged)
    }

    fn stage_append(
        &mut self,
        log: usize,
        data: &[u8],
        last: bool,
    ) -> Result<u64, Fault<M::Error>> {
        self.may_stage(last)?;
        let state = self.log(log)?;
        let position = state.staged.tail;
        let needed = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let available = state.capacity.minus(position.minus(state.committed.head));
        if needed <= available && state.broken {
            return Err(Fault::at(corrupt_log(log), self.tail_address(state)));
        }
        if needed > available {
            return Err(self.device.refuse(What::LogFull, log, (needed, available)));
        }
        let frame = self
            .body_frame_len(Kind::LogWide, 22)
            .plus(self.device.shape.unit);
        self.pressing = true;
        self.begin(u64::from(frame).times(4))?;
        self.touch(log);
        if data.is_empty() && !last {
            return Ok(position);
        }
        self.clear_frontier(log)?;
        // Room for the frame first: bytes without their frame would be lost.
        if !self.fits(frame.plus(self.body_frame_len(Kind::Meta, 16))) {
            self.succeed()?;
        }
        if self.in_long_runs(data) {
            self.append_by::<{ RUN }>(log, data, last)?;
        } else {
            self.append_by::<{ WRITE_UNIT_MAX as usize }>(log, data, last)?;
        }
        Ok(position)
    }

    /// Whether to put blocks together before they are written: to memory, past
    /// its cache, whole runs take a fraction of what pieces of them do.
    fn in_long_runs(&self, data: &[u8]) -> bool {
        let shape = &self.device.shape;
        cfg!(feature = "resume")
            && !shape.ordered()
            && data.len() > RUN / 2
            && self.device.borrow(0, 0, shape.unit).is_some()
    }

    /// Writes and tells an append, gathering up to `N` bytes at a time.
    fn append_by<const N: usize>(
        &mut self,
        log: usize,
        data: &[u8],
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let mut writer = Writer::<N>::sized(0, 0);
        match self.append_bytes(log, data, &mut writer) {
            Ok((mark, blanks)) => self.tell_append(log, mark, writer.left(), blanks, last),
            Err(error) => {
                self.spoil(log);
                Err(error)
            }
        }
    }

    /// Bytes stand behind the tail that no frame tells of.
    fn spoil(&mut self, log: usize) {
        if let Some(state) = self.logs.get_mut(log) {
            state.frontier = super::Frontier::Copy;
        }
    }

    pub(crate) fn tail_address(&self, state: &LogState) -> u64 {
        let shape = self.device.shape;
        let (n, within) = split(&shape, state.staged.tail);
        shape.address(self.log_segment(state, n), shape.log_offset(within))
    }

    /// Writes the whole units of an append, and leaves what does not fill one
    /// in `writer`; returns the new mark and the blank words written.
    fn append_bytes<const N: usize>(
        &mut self,
        log: usize,
        mut data: &[u8],
        writer: &mut Writer<N>,
    ) -> Result<(Mark, u32), Fault<M::Error>> {
        let shape = self.device.shape;
        let mut mark = self.log(log)?.staged;
        let (mut n, mut within) = split(&shape, mark.tail);
        let mut blanks = 0u32;
        self.resume(log, &mark, (n, within), writer)?;
        while !data.is_empty() {
            if within == 0 {
                blanks = blanks.plus(writer.blank_words());
                let segment = self.open_log_segment(log, n)?;
                writer.restart(segment, shape.start);
            }
            let (first, len) = shape.log_block(within);
            if within == first {
                mark.sum = block_salt(&shape, u32::try_from(log).unwrap_or(0), n, first);
            }
            let room = usize::try_from(first.plus(len).minus(within)).unwrap_or(0);
            let (now, later) = data.split_at(room.min(data.len()));
            mark.sum = self.device.medium.crc32c(mark.sum, now);
            writer.push(&mut self.device, now)?;
            mark.tail = mark.tail.plus(u64::try_from(now.len()).unwrap_or(0));
            within = within.plus(u32::try_from(now.len()).unwrap_or(0));
            if now.len() == room {
                let tail = usize::try_from(shape.block_tail).unwrap_or(4);
                let mut bytes = [0u8; 8];
                place(&mut bytes, 0, &mark.sum.to_le_bytes());
                place(&mut bytes, 4, &(!mark.sum).to_le_bytes());
                writer.push(&mut self.device, bytes.get(..tail).unwrap_or(&[]))?;
                if within == shape.log_payload {
                    writer.drain(&mut self.device)?;
                    (n, within) = (n.plus(1), 0);
                }
            }
            data = later;
        }
        writer.drain(&mut self.device)?;
        blanks = blanks.plus(writer.blank_words());
        mark.short = false;
        mark.flip = None;
        Ok((mark, blanks))
    }

    /// Starts a writer at a log's tail, which is byte `within` of the log's
    /// segment `n`, with the remainder in it.
    fn resume<const N: usize>(
        &mut self,
        log: usize,
        mark: &Mark,
        (n, within): (u32, u32),
        writer: &mut Writer<N>,
    ) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        let segment = self.log_segment(self.log(log)?, n);
        let at = shape.log_offset(within);
        let remainder = at & shape.unit.wrapping_sub(1);
        writer.restart(segment, at.minus(remainder));
        if remainder > 0 {
            let mut bytes = [0u8; WRITE_UNIT_MAX as usize];
            let len = usize::try_from(remainder).unwrap_or(0);
            let bytes = bytes.get_mut(..len).unwrap_or_default();
            self.device.read_remainder(mark, bytes)?;
            writer.push(&mut self.device, bytes)?;
        }
        Ok(())
    }

    /// Takes a segment for a log's number `n`, and says so in the group.
    pub(crate) fn open_log_segment(&mut self, log: usize, n: u32) -> Result<u32, Fault<M::Error>> {
        let number = u8::try_from(log).unwrap_or(u8::MAX);
        let segment = self.table.open(&mut self.device, Stream::Log, number, n)?;
        self.map_log(log, n, segment);
        let seq = self.table.get(segment).seq;
        self.tell_open(log, n, segment, seq)?;
        Ok(segment)
    }

    pub(crate) fn tell_open(
        &mut self,
        log: usize,
        n: u32,
        segment: u32,
        seq: u32,
    ) -> Result<(), Fault<M::Error>> {
        let mut body = [0u8; 16];
        let number = u32::try_from(log).unwrap_or(u32::MAX);
        place(&mut body, 0, &number.to_le_bytes());
        place(&mut body, 4, &n.to_le_bytes());
        place(&mut body, 8, &segment.to_le_bytes());
        place(&mut body, 12, &seq.to_le_bytes());
        let spec = Spec::with(Kind::Meta, Meta::Open.code());
        self.frame(&spec, &[], &[Part::Bytes(&body)])?;
        Ok(())
    }

    /// Writes the frame that commits an append.
    fn tell_append(
        &mut self,
        log: usize,
        mut mark: Mark,
        remainder: &[u8],
        blanks: u32,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        let before = self.log(log)?.staged.tail;
        let appended = u32::try_from(mark.tail.minus(before)).unwrap_or(u32::MAX);
        let len = u32::try_from(remainder.len()).unwrap_or(0);
        let number = u8::try_from(log).unwrap_or(u8::MAX);
        let mut spec = Spec {
            last,
            ..Spec::with(Kind::LogWide, number)
        };
        let mut bytes = [0u8; WIDE as usize];
        let mut fixed = bytes.len();
        if short_log(&shape, appended, len) {
            spec.kind = Kind::Log;
            spec.appended = appended;
            spec.data_sum = mark.sum;
            fixed = 0;
            if shape.unit > 8 {
                fixed = 6;
                place(&mut bytes, 0, &mark.sum.to_le_bytes());
                let appended = u16::try_from(appended).unwrap_or(u16::MAX);
                place(&mut bytes, 4, &appended.to_le_bytes());
            }
        } else {
            place(&mut bytes, 0, &mark.tail.to_le_bytes());
            place(&mut bytes, 8, &mark.sum.to_le_bytes());
            place(&mut bytes, 12, &blanks.to_le_bytes());
            place(&mut bytes, 16, &appended.to_le_bytes());
        }
        let body = [
            Part::Bytes(bytes.get(..fixed).unwrap_or(&[])),
            Part::Bytes(remainder),
        ];
        let at = self.frame(&spec, &[], &body)?;
        let fixed = u32::try_from(fixed).unwrap_or(0);
        let before = body_offset(spec.kind, 0, fixed.plus(len)).plus(fixed);
        mark.remainder = shape.address(at.segment, at.at.plus(before)).plus(1);
        let head = self.log(log)?.staged.head;
        if let Some(state) = self.logs.get_mut(log) {
            state.staged = Mark { head, ..mark };
        }
        Ok(())
    }

    /// Writes the bytes of every log that do not fill a unit behind a
    /// checkpoint, and looks for them there from now on.
    pub(crate) fn write_remainders(&mut self) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        for log in 0..self.logs.len() {
            let state = *self.log(log)?;
            let len = remainder_len(&shape, state.committed.tail);
            if len == 0 || state.committed.remainder == 0 {
                continue;
            }
            let mut bytes = [0u8; WIDE as usize];
            place(&mut bytes, 0, &state.committed.tail.to_le_bytes());
            place(&mut bytes, 8, &state.committed.sum.to_le_bytes());
            let (segment, at) = shape.place(state.committed.remainder.minus(1));
            let body = [
                Part::Bytes(&bytes),
                Part::Copy {
                    segment,
                    at,
                    len,
                    flip: state.committed.flip,
                },
            ];
            let spec = Spec::with(Kind::LogWide, u8::try_from(log).unwrap_or(u8::MAX));
            let at = self.write_at_tail(&spec, &[], &body)?;
            let Some(frame) = self.frame_at(at)? else {
                continue;
            };
            if let Some(state) = self.logs.get_mut(log) {
                let address = shape.address(at.segment, frame.body_at().plus(WIDE));
                state.committed.remainder = address.plus(1);
                state.committed.flip = None;
                state.staged = state.committed;
            }
        }
        Ok(())
    }
}

/// The segment that holds a log position, if any does.
pub(crate) fn mapped(segment: u32) -> Option<u32> {
    (segment != NONE).then_some(segment)
}
