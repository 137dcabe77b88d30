//! Saving the index while the store goes on.
//!
//! All that is saved is of one moment, that of a root: the host takes a copy,
//! and writes it out piece by piece between transactions. What changes meanwhile
//! is written behind that root, so a start takes it in. When all of it is
//! written a second root names it, and the one before is given up.

use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::header::Stream;
use crate::index::Index;
use crate::kv::saved::{Saved, segments};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::segments::Owner;
use crate::store::Store;

/// An index that is being saved: see [`Store::begin_save`].
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IndexSave {
    saved: Saved,
    /// Bytes written so far.
    done: u64,
    /// The segment that is written to, of this sequence, and how far.
    segment: u32,
    seq: u32,
    at: u32,
}

impl IndexSave {
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.saved.len
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.done
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.saved.len == 0
    }
}

/// How old the saved index is that a start may build on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SaveAge {
    /// Bytes that were written since, in whole segments; of all times where no
    /// index is saved.
    pub written: u64,
    /// Bytes that saving it takes now, about.
    pub takes: u64,
    /// A start could not use it, for the index has grown since, or there is
    /// none.
    pub none: bool,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Entries in the index.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.index.len()
    }

    /// How old the saved index is: for hosts that save it from time to time.
    /// Costs next to nothing.
    #[must_use]
    pub fn save_age(&self) -> SaveAge {
        let shape = &self.device.shape;
        let payload = u64::from(shape.payload());
        let entries = u64::try_from(self.index.len()).unwrap_or(u64::MAX);
        let opened = match self.table.kept {
            Some(kept) => {
                u64::from(self.table.next_seq.minus(kept.seq)).minus(segments(shape, kept.len))
            }
            None => u64::from(self.table.next_seq),
        };
        SaveAge {
            written: opened.times(payload),
            takes: entries.times(if I::ORDERED { 16 } else { 9 }),
            none: self.table.kept.is_none(),
        }
    }

    /// Begins to save the index, for a start after a power cut to build on:
    /// writes a checkpoint and gives `word` all that is to be saved, in order.
    /// The caller keeps it, as little-endian bytes, and hands it on with
    /// [`Store::save_some`], bit by bit and between transactions. `None` where
    /// the index is not saved ([`Saving`](crate::Saving)), the medium's writes
    /// are ordered, damage was met, or the store is too full for it.
    ///
    /// One that was begun before is given up. Two flushes, and a pass over the
    /// index.
    ///
    /// # Errors
    /// [`Error::TransactionOpen`], or the medium's.
    pub fn begin_save(
        &mut self,
        word: &mut dyn FnMut(u64),
    ) -> Result<Option<IndexSave>, Error<M::Error>> {
        let begun = self.try_begin_save(word);
        self.told(begun)
    }

    /// Writes more of a save: `bytes` are the next of it, up to its end or in
    /// multiples of 512, the fewer the sooner it returns. `false` where it is
    /// given up, for the store needs the room, or is done. Behind the last ones
    /// it writes a checkpoint that names what was saved. Flushes with that one,
    /// else only where room has to be made.
    ///
    /// # Errors
    /// [`Error::TransactionOpen`], or the medium's.
    pub fn save_some(
        &mut self,
        save: &mut IndexSave,
        bytes: &[u8],
    ) -> Result<bool, Error<M::Error>> {
        let more = self.try_save_some(save, bytes);
        self.told(more)
    }

    fn between(&self) -> Result<(), Fault<M::Error>> {
        self.writable()?;
        if self.group.open {
            return Err(Fault::plain(What::TransactionOpen));
        }
        Ok(())
    }

    fn try_begin_save(
        &mut self,
        word: &mut dyn FnMut(u64),
    ) -> Result<Option<IndexSave>, Fault<M::Error>> {
        self.between()?;
        self.table.yield_unnamed(&self.device.shape);
        if !I::SAVED || !self.anchored() || self.met_damage() {
            return Ok(None);
        }
        let len = self.saved_len();
        let needed = segments(&self.device.shape, len);
        if !self.room_to_save(needed)
            || u64::from(u32::MAX.minus(self.table.next_seq)) < needed << 1
        {
            return Ok(None);
        }
        match self.write_root(None) {
            Err(fault) if fault.is_full() => return Ok(None),
            other => other?,
        };
        self.give_up_victim();
        self.saved_words(word);
        let seq = self.table.next_seq;
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        self.table.next_seq = seq.plus(needed);
        let sum = self.device.shape.salt(seq, 0);
        Ok(Some(IndexSave {
            saved: Saved { seq, sum, len },
            done: 0,
            segment: 0,
            seq: seq.minus(1),
            at: self.device.shape.segment_size,
        }))
    }

    /// Whether so many segments may be taken; the index saved before goes first
    /// where both have no room.
    fn room_to_save(&mut self, needed: u64) -> bool {
        if !self.has_spare(needed.plus(self.table.saved().into())) {
            self.table.yield_kept();
        }
        self.has_spare(needed)
    }

    fn try_save_some(
        &mut self,
        save: &mut IndexSave,
        bytes: &[u8],
    ) -> Result<bool, Fault<M::Error>> {
        self.between()?;
        let shape = self.device.shape;
        let mut rest = bytes;
        while !rest.is_empty() && save.done < save.saved.len {
            if save.at >= shape.segment_size {
                match self.open_for_save(save) {
                    Err(fault) if fault.is_full() => return Ok(self.give_up_save()),
                    other => other?,
                }
            }
            if !self.is_saving(save) {
                // Its room was needed.
                return Ok(self.give_up_save());
            }
            let room =
                u64::from(shape.segment_size.minus(save.at)).min(save.saved.len.minus(save.done));
            let count = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at(count);
            save.saved.sum = self.device.medium.crc32c(save.saved.sum, now);
            self.write_padded(save, now)?;
            save.done = save.done.plus(u64::try_from(count).unwrap_or(0));
            save.at = save.at.plus(u32::try_from(count).unwrap_or(0));
            rest = later;
        }
        if save.done < save.saved.len {
            return Ok(true);
        }
        if self.is_saving(save) {
            self.end_save(save)?;
        }
        Ok(false)
    }

    /// Whether the segment that is written to is there: segments of saved
    /// indexes are given up all together.
    fn is_saving(&self, save: &IndexSave) -> bool {
        let row = self.table.get(save.segment);
        row.owner == Owner::Saved && row.seq == save.seq
    }

    fn open_for_save(&mut self, save: &mut IndexSave) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        self.make_room(u64::from(shape.payload()))?;
        self.may_take(crate::ledger::succession::HARD_RESERVE)?;
        if save.done > 0 && !self.is_saving(save) {
            // For that, its room was taken.
            return Err(Fault::plain(What::Full));
        }
        let next = core::mem::replace(&mut self.table.next_seq, save.seq.plus(1));
        let opened = self.table.open(&mut self.device, Stream::Cold, 0, 0);
        self.table.next_seq = next;
        save.segment = opened?;
        save.seq = save.seq.plus(1);
        save.at = shape.start;
        self.table.give(save.segment, Owner::Saved);
        Ok(())
    }

    /// Writes bytes behind what is there; what does not fill a unit is the end
    /// of it all.
    fn write_padded(&mut self, save: &IndexSave, bytes: &[u8]) -> Result<(), Fault<M::Error>> {
        let unit = usize::try_from(self.device.shape.unit).unwrap_or(1).max(1);
        let whole = bytes.len().minus(bytes.len().modulo(unit));
        let (units, rest) = bytes.split_at(whole.min(bytes.len()));
        if !units.is_empty() {
            self.device.write(save.segment, save.at, units)?;
        }
        if !rest.is_empty() {
            let mut last = [self.device.shape.geometry.blank; 512];
            crate::math::place(&mut last, 0, rest);
            let at = save.at.plus(u32::try_from(whole).unwrap_or(0));
            let last = last.get(..unit).unwrap_or_default();
            self.device.write(save.segment, at, last)?;
        }
        Ok(())
    }

    /// Gives up a save, and what was written of it.
    fn give_up_save(&mut self) -> bool {
        self.table.yield_unnamed(&self.device.shape);
        false
    }

    /// Names what was saved, instead of what was saved before.
    fn end_save(&mut self, save: &IndexSave) -> Result<(), Fault<M::Error>> {
        let before = self.table.kept.replace(save.saved);
        match self.write_root(None) {
            Err(fault) if fault.is_full() => self.table.kept = before,
            other => {
                other?;
            }
        }
        self.table.yield_unnamed(&self.device.shape);
        Ok(())
    }
}
