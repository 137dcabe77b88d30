//! Values longer than a frame: chunks of one generation, named by a head.

use super::name::{Class, DEPENDENT, Name};
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Part, Spec, body_max, frame_len};
use crate::format::shape::Shape;
use crate::index::{Index, Loc, Probe};
use crate::math::{Saturate, place, u32_at, u64_at};
use crate::medium::Medium;
use crate::store::{Store, Undo};

/// Bytes of the body of a chunked value's head.
pub(crate) const BIG: usize = 20;

/// Where the chunks of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Big {
    pub generation: u64,
    /// Bytes of the value.
    pub len: u64,
    /// Bytes of each chunk but the last.
    pub chunk: u32,
}

impl Big {
    pub(crate) fn count(&self) -> u64 {
        let chunk = u64::from(self.chunk.max(1));
        self.len.plus(chunk.minus(1)).over(chunk)
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// The longest value that the store could hold if it were empty.
    #[must_use]
    pub fn value_max(&self) -> u64 {
        self.record_capacity() >> 1
    }

    pub(crate) fn big(&self, frame: &Frame) -> Result<Big, Fault<M::Error>> {
        let mut bytes = [0u8; BIG];
        self.device.read_in(frame, frame.body_at(), &mut bytes)?;
        Ok(Big {
            generation: u64_at(&bytes, 0),
            len: u64_at(&bytes, 8),
            chunk: u32_at(&bytes, 16),
        })
    }

    /// Stages a value in chunks, then the head that makes them one.
    pub(crate) fn stage_chunks(
        &mut self,
        key: &[u8],
        value: &[u8],
        old: Option<&Frame>,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let shape = self.device.shape;
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let room = body_max(key_len, shape.frame_max());
        let chunk = room.minus(DEPENDENT);
        let len = u64::try_from(value.len()).unwrap_or(u64::MAX);
        let mut big = Big {
            generation: 0,
            len,
            chunk,
        };
        let max = self.value_max();
        if chunk < 16 || len > max {
            return Err(self.device.refuse(What::ValueTooLong, 0, (len, max)));
        }
        let head = frame_len(&shape, Kind::Big, key_len, BIG as u32);
        let frame = frame_len(&shape, Kind::Chunk, key_len, room);
        let total = big.count().times(u64::from(frame)).plus(u64::from(head));
        self.may_add(total, old, frame)?;
        let count = usize::try_from(big.count()).unwrap_or(usize::MAX);
        self.may_change(1, old.is_none())?;
        let capacity = self.index.capacity();
        if self.index.len().plus(count).plus(1) > capacity {
            return Err(Fault::of(What::IndexFull, capacity));
        }
        self.begin(total)?;
        big.generation = Shape::rank(self.tail.seq, self.tail.at);
        let staged = self.stage_big(key, value, &big, last);
        if staged.is_err() {
            self.drop_dependents(key, big.generation, 0, big.count());
        }
        staged
    }

    fn stage_big(
        &mut self,
        key: &[u8],
        value: &[u8],
        big: &Big,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let size = usize::try_from(big.chunk).unwrap_or(1).max(1);
        for (number, data) in value.chunks(size).enumerate() {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            self.stage_dependent(Kind::Chunk, key, big.generation, number, data, false)?;
        }
        let mut body = [0u8; BIG];
        place(&mut body, 0, &big.generation.to_le_bytes());
        place(&mut body, 8, &big.len.to_le_bytes());
        place(&mut body, 16, &big.chunk.to_le_bytes());
        let spec = Spec {
            last,
            ..Spec::new(Kind::Big)
        };
        let at = self.frame(&spec, key, &[Part::Bytes(&body)])?;
        self.dependents = true;
        let len = self.frame_at(at)?.map_or(0, |frame| frame.len);
        self.enter(&Name::item(key), at, len, None)
    }

    /// Writes a chunk or element and enters it. Chunks need no undo: they go
    /// with their head.
    pub(crate) fn stage_dependent(
        &mut self,
        kind: Kind,
        key: &[u8],
        generation: u64,
        number: u64,
        data: &[u8],
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let mut body = [0u8; DEPENDENT as usize];
        place(&mut body, 0, &generation.to_le_bytes());
        place(&mut body, 8, &number.to_le_bytes());
        let spec = Spec {
            last,
            ..Spec::new(kind)
        };
        let at = self.frame(&spec, key, &[Part::Bytes(&body), Part::Bytes(data)])?;
        let len = self.frame_at(at)?.map_or(0, |frame| frame.len);
        self.frame_max = self.frame_max.max(len);
        self.dependents = true;
        let undone = self.group.undo;
        self.enter(&Name::dependent(key, generation, number), at, len, None)?;
        if kind == Kind::Chunk {
            self.group.undo = undone;
        }
        Ok(())
    }

    /// Removes dependents of a generation from the index.
    pub(crate) fn drop_dependents(&mut self, key: &[u8], generation: u64, from: u64, to: u64) {
        // More than there are cannot be meant; the next start sweeps.
        let count = u64::try_from(self.index.len()).unwrap_or(u64::MAX);
        if to.minus(from) > count {
            return;
        }
        for number in from..to {
            let name = Name::dependent(key, generation, number);
            let probe = self.probe(&name);
            let (device, table) = (&self.device, &self.table);
            let mut compare = |loc| device.compare(table, &name, loc);
            let Ok(Some(loc)) = self.index.find(&probe, &mut compare) else {
                continue;
            };
            if self.index.remove(&probe, loc, &mut compare).is_ok() {
                self.remove_live(loc);
            }
        }
    }

    /// Drops what hung on records that the committed group replaced.
    pub(crate) fn drop_replaced(&mut self, changes: usize) {
        if !self.dependents && !self.lists {
            return;
        }
        for number in 0..changes {
            let Some(undo) = self.undo.get(number).copied() else {
                break;
            };
            let old = undo.old.checked_sub(1).map(Loc);
            if let Some(frame) = old.and_then(|loc| self.frame_of(loc)) {
                self.drop_hanging(&frame);
            }
        }
    }

    pub(crate) fn frame_of(&self, loc: Loc) -> Option<Frame> {
        let frame = self
            .device
            .record(self.table.place(&self.device, loc))
            .ok()?;
        self.sound(&frame).ok()
    }

    /// Drops the chunks of a dead head, or the elements that a dead list had
    /// and its key's newest list has not.
    fn drop_hanging(&mut self, frame: &Frame) {
        if !matches!(frame.kind, Kind::Big | Kind::List) {
            return;
        }
        let scratch = core::mem::take(&mut self.scratch);
        if let Some(key) = self.key_of(frame, scratch) {
            match frame.kind {
                Kind::Big => {
                    if let Ok(big) = self.big(frame) {
                        self.drop_dependents(key, big.generation, 0, big.count());
                    }
                }
                _ => self.drop_elements(key, frame),
            }
        }
        self.scratch = scratch;
    }

    /// A record's key in lent memory, where it fits and can be read.
    pub(crate) fn key_of<'k>(&self, frame: &Frame, into: &'k mut [u8]) -> Option<&'k [u8]> {
        self.read_key(frame, into).ok()
    }

    /// Reads a record's key into lent memory.
    pub(crate) fn read_key<'k>(
        &self,
        frame: &Frame,
        into: &'k mut [u8],
    ) -> Result<&'k [u8], Fault<M::Error>> {
        let needed = usize::try_from(frame.key_len).unwrap_or(usize::MAX);
        let Some(part) = into.get_mut(..needed) else {
            return Err(Fault::of(What::ScratchTooSmall, needed));
        };
        self.device.read_in(frame, frame.key_at(), part)?;
        Ok(part)
    }

    /// Takes one index change back.
    pub(crate) fn take_back_one(&mut self, undo: &Undo) -> Result<(), Fault<M::Error>> {
        let probe = Probe {
            hash: undo.hash,
            prefix: undo.prefix,
            primary: undo.primary,
        };
        let old = undo.old.checked_sub(1).map(Loc);
        let new = undo.new.checked_sub(1).map(Loc);
        let Some(known) = new.or(old) else {
            return Ok(());
        };
        let place = self.table.place(&self.device, known);
        let frame = self.sound(&self.device.record(place)?)?;
        let scratch = core::mem::take(&mut self.scratch);
        let result = self.put_back(&probe, &frame, old, new, scratch);
        self.scratch = scratch;
        result
    }

    fn put_back(
        &mut self,
        probe: &Probe,
        frame: &Frame,
        old: Option<Loc>,
        new: Option<Loc>,
        scratch: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let class = self.device.class(frame)?;
        let key = self.read_key(frame, scratch)?;
        let name = Name::new(key, class);
        if let (Some(_), Class::Item, Kind::Big) = (new, class, frame.kind) {
            let big = self.big(frame)?;
            self.drop_dependents(key, big.generation, 0, big.count());
        }
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare(table, &name, loc);
        match (old, new) {
            (None, Some(new)) => {
                self.index.remove(probe, new, &mut compare)?;
            }
            (Some(old), Some(new)) => {
                self.index.relocate(probe, new, old, &mut compare)?;
            }
            (Some(old), None) => {
                let _ = self.index.insert(probe, old, &mut compare)?;
            }
            (None, None) => {}
        }
        if let Some(new) = new {
            self.remove_live(new);
        }
        if let Some(old) = old {
            let place = self.table.place(&self.device, old);
            let len = self.device.record(place)?.len;
            self.add_live(place.segment, len);
        }
        if probe.primary {
            match (old.is_some(), new.is_some()) {
                (false, true) => self.keys = self.keys.minus(1),
                (true, false) => self.keys = self.keys.plus(1),
                _ => {}
            }
        }
        Ok(())
    }
}
