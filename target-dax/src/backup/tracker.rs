//! The image of one moment, taken from a medium that is written to meanwhile.
//!
//! The core writes each byte at most once between two erases of it, into blank
//! space. So a byte written since the moment was blank then, and the image is
//! that of now with those bytes blank again. What is about to be erased is
//! copied first.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible::Geometry;

use super::ranges::Ranges;
use crate::file::{FileError, Operation, write_all_at};

/// Bytes that are copied at a time, for which a writer waits at most.
pub(super) const CHUNK: u64 = 256 << 10;

/// Reads from the medium.
type Read<'r> = &'r dyn Fn(u64, &mut [u8]) -> Result<(), FileError>;

/// The backups that are being made of a medium, which tells it what it writes
/// and erases: one that does not has backups that are not of one moment. Mostly
/// there are none, which costs a branch.
#[derive(Debug, Default)]
pub struct Tracker(Vec<Arc<Moment>>);

impl Tracker {
    pub(crate) fn add(&mut self, moment: &Arc<Moment>) {
        self.0.push(Arc::clone(moment));
    }

    pub(crate) fn remove(&mut self, moment: &Arc<Moment>) {
        self.0.retain(|other| !Arc::ptr_eq(other, moment));
    }

    /// To be called for each write, before or after it.
    #[inline]
    pub fn written(&self, at: u64, len: u64) {
        if !self.0.is_empty() {
            self.tell_written(at, len);
        }
    }

    /// To be called before each erase. `read` reads from the medium.
    #[inline]
    pub fn erasing(
        &self,
        at: u64,
        len: u64,
        read: impl Fn(u64, &mut [u8]) -> Result<(), FileError>,
    ) {
        if !self.0.is_empty() {
            self.tell_erasing(at, len, &read);
        }
    }

    #[cold]
    fn tell_written(&self, at: u64, len: u64) {
        for moment in &self.0 {
            moment.written(at..at.saturating_add(len));
        }
    }

    #[cold]
    fn tell_erasing(&self, at: u64, len: u64, read: Read<'_>) {
        for moment in &self.0 {
            moment.erasing(at..at.saturating_add(len), read);
        }
    }
}

/// A medium as it was when this was made, on its way to a file.
#[derive(Debug)]
pub(crate) struct Moment {
    size: u64,
    blank: u8,
    out: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Everything below is copied.
    next: u64,
    /// What was written since, and so was blank.
    written: Ranges,
    /// What was copied out of turn, ahead of an erase.
    ahead: Ranges,
    /// The checksums of what was copied.
    sums: Vec<Piece>,
    /// Why the copy cannot be completed. The store goes on.
    failed: Option<FileError>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u64,
    len: u64,
    sum: u32,
}

impl Moment {
    /// The moment is now: nothing may be written between this and
    /// [`Tracker::add`].
    pub(crate) fn new(geometry: Geometry, out: File) -> Arc<Self> {
        Arc::new(Self {
            size: geometry.capacity,
            blank: geometry.blank,
            out,
            state: Mutex::default(),
        })
    }

    /// Reads the next part into `bytes`; returns its address, `None` after the
    /// last one. Nothing may be written to the medium meanwhile.
    pub(crate) fn read_next(
        &self,
        bytes: &mut Vec<u8>,
        read: impl Fn(u64, &mut [u8]) -> Result<(), FileError>,
    ) -> Result<Option<u64>, FileError> {
        let mut state = self.state();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        let rest = state.next..self.size;
        let Some(gap) = state.ahead.outside(rest).into_iter().next() else {
            return Ok(None);
        };
        let range = gap.start..gap.end.min(gap.start + CHUNK);
        self.read(&state, range.clone(), bytes, &read)?;
        state.next = range.end;
        state.written.forget_below(range.end);
        state.ahead.forget_below(range.end);
        Ok(Some(range.start))
    }

    /// Writes what [`Moment::read_next`] read.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        let piece = self.put(at, bytes)?;
        self.state().sums.push(piece);
        Ok(())
    }

    /// The CRC-32C of the whole image, once all of it is copied.
    pub(crate) fn sum(&self) -> u32 {
        let mut pieces = self.state().sums.clone();
        pieces.sort_unstable_by_key(|piece| piece.at);
        pieces.iter().fold(0, |sum, piece| {
            crc32c::crc32c_combine(sum, piece.sum, piece.len as usize)
        })
    }

    /// The file that is written to.
    pub(crate) fn out(&self) -> &File {
        &self.out
    }

    fn written(&self, range: Range<u64>) {
        let mut state = self.state();
        let start = range.start.max(state.next);
        state.written.insert(start..range.end);
    }

    fn erasing(&self, range: Range<u64>, read: Read<'_>) {
        let mut state = self.state();
        let start = range.start.max(state.next);
        let end = range.end.min(self.size);
        if start >= end || state.failed.is_some() {
            return;
        }
        if let Err(error) = self.copy_ahead(&mut state, start..end, read) {
            state.failed = Some(error);
        }
    }

    fn copy_ahead(
        &self,
        state: &mut State,
        range: Range<u64>,
        read: Read<'_>,
    ) -> Result<(), FileError> {
        let mut bytes = Vec::new();
        for gap in state.ahead.outside(range.clone()) {
            for at in gap.clone().step_by(CHUNK as usize) {
                let piece = at..gap.end.min(at + CHUNK);
                self.read(state, piece, &mut bytes, read)?;
                state.sums.push(self.put(at, &bytes)?);
            }
        }
        state.ahead.insert(range);
        Ok(())
    }

    /// Reads a range as it was.
    fn read(
        &self,
        state: &State,
        range: Range<u64>,
        bytes: &mut Vec<u8>,
        read: Read<'_>,
    ) -> Result<(), FileError> {
        let start = range.start;
        bytes.resize((range.end - start) as usize, 0);
        read(start, bytes)?;
        for part in state.written.within(range) {
            bytes[(part.start - start) as usize..(part.end - start) as usize].fill(self.blank);
        }
        Ok(())
    }

    fn put(&self, at: u64, bytes: &[u8]) -> Result<Piece, FileError> {
        write_all_at(&self.out, at, bytes)
            .map_err(|source| FileError::io(Operation::Write, at, source))?;
        let len = bytes.len() as u64;
        let sum = crc32c::crc32c(bytes);
        Ok(Piece { at, len, sum })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The CRC-32C of a file's first `size` bytes, as they are read back.
pub(super) fn sum_of(mut file: &File, size: u64) -> io::Result<u32> {
    use std::io::{Read, Seek};

    file.rewind()?;
    let mut bytes = vec![0; CHUNK as usize];
    let (mut sum, mut left) = (0, size);
    while left > 0 {
        let len = left.min(CHUNK) as usize;
        file.read_exact(&mut bytes[..len])?;
        sum = crc32c::crc32c_append(sum, &bytes[..len]);
        left -= len as u64;
    }
    Ok(sum)
}
