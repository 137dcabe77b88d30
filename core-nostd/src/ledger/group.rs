//! Transactions: groups of frames that become durable together.

use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Control, Frame, Kind, Meta, Part, Spec, frame_len};
use crate::index::Index;
use crate::kv::saved::{SAVED, Saved};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::multilog::{Frontier, LogSet};
use crate::mutants::Mutant;
use crate::store::{Group, Place, Store};

/// Bytes of a close's body before what it says of the saved index: one bit for
/// each log. Without that, zeros at its end are left out.
pub(crate) const KNOWN: usize = 16;

/// Bytes of a close's body that tells of a saved index.
pub(crate) const CLOSE: u32 = (KNOWN + SAVED) as u32;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Opens a group if none is open, with room for `bytes` of frames.
    pub(crate) fn begin(&mut self, bytes: u64) -> Result<(), Fault<M::Error>> {
        self.writable()?;
        if self.group.open {
            return Ok(());
        }
        if self.root_due {
            self.write_root(None)?;
        }
        if self.root_wanted() || self.kept_spoilt() {
            self.write_root(None)?;
        }
        self.make_room(bytes)?;
        self.open_group();
        let staged = self.stage_freed();
        if staged.is_err() {
            self.group.open = false;
        }
        staged
    }

    pub(crate) fn open_group(&mut self) {
        self.group = Group {
            open: true,
            start: self.tail,
            live: self.live,
            tombstones: self.tombstones,
            ..Group::default()
        };
    }

    /// Tells in the open group that a reclaimed segment is free.
    fn stage_freed(&mut self) -> Result<(), Fault<M::Error>> {
        let Some((segment, body)) = self.freed_entry() else {
            return Ok(());
        };
        if Mutant::EraseBeforeFreed.on() {
            self.device.erase(segment)?;
        }
        let len = self.body_frame_len(Kind::Meta, body.len());
        if !self.fits(len) {
            return Ok(());
        }
        self.frame(
            &Spec::with(Kind::Meta, Meta::Free.code()),
            &[],
            &[Part::Bytes(&body)],
        )?;
        self.group.freeing = Some(segment);
        Ok(())
    }

    pub(crate) fn body_frame_len(&self, kind: Kind, body: usize) -> u32 {
        frame_len(
            &self.device.shape,
            kind,
            0,
            u32::try_from(body).unwrap_or(u32::MAX),
        )
    }

    /// Bytes that the control frame ending a group needs; always kept free.
    pub(crate) fn control_len(&self) -> u32 {
        frame_len(&self.device.shape, Kind::Control, 0, 0)
    }

    /// Whether a frame fits behind the tail, with the end of its group.
    pub(crate) fn fits(&self, len: u32) -> bool {
        self.tail.at.plus(len).plus(self.control_len()) <= self.device.shape.link_at
    }

    /// Writes a frame of the open group; returns where it stands.
    pub(crate) fn frame(
        &mut self,
        spec: &Spec,
        key: &[u8],
        body: &[Part<'_>],
    ) -> Result<Place, Fault<M::Error>> {
        let mut body_len = 0u32;
        for part in body {
            body_len = body_len.plus(part.len());
        }
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let len = frame_len(&self.device.shape, spec.kind, key_len, body_len);
        if !self.fits(len) {
            self.succeed()?;
        }
        let spec = Spec {
            first: self.group.frames == 0,
            last: spec.last && !self.two_flushes,
            ..*spec
        };
        if self.group.frames == 0 {
            self.group.start = self.tail;
        }
        self.write_at_tail(&spec, key, body)
    }

    /// Writes a frame at the ledger's tail, whatever its group.
    pub(crate) fn write_at_tail(
        &mut self,
        spec: &Spec,
        key: &[u8],
        body: &[Part<'_>],
    ) -> Result<Place, Fault<M::Error>> {
        self.close_predecessor()?;
        let at = self.tail;
        let len = self
            .device
            .write_frame(at.segment, at.seq, at.at, spec, key, body)?;
        self.tail.at = at.at.plus(len);
        self.group.frames = self.group.frames.plus(1);
        if spec.last {
            self.device.medium.will_flush();
        }
        Ok(at)
    }

    /// The frame at a place of the ledger just written.
    pub(crate) fn frame_at(&self, place: Place) -> Result<Option<Frame>, Fault<M::Error>> {
        let end = self.device.shape.segment_size;
        self.device.parse(place.segment, place.seq, place.at, end)
    }

    /// Makes everything tentative durable, all or nothing. One flush.
    ///
    /// # Errors
    /// The medium's; the store is then to be opened again, and the
    /// transaction is in doubt as a whole.
    pub fn commit(&mut self) -> Result<(), Error<M::Error>> {
        let ended = self.end_group();
        self.told(ended)
    }

    /// The first part of a [`commit`](Store::commit): writes all of it, and
    /// leaves its flush to the commit, which must follow. Until then nothing
    /// is changed or aborted, and [`Store::committed`] reads what was there
    /// before. A host commits so without keeping its readers from the store
    /// while the medium flushes. No flush; one where the store commits in two.
    ///
    /// # Errors
    /// As [`Store::commit`]: nothing of the transaction is left.
    #[cfg(feature = "prepare")]
    pub fn prepare(&mut self) -> Result<(), Error<M::Error>> {
        let ended = self.end_frames();
        self.told(ended)
    }

    pub(crate) fn end_group(&mut self) -> Result<(), Fault<M::Error>> {
        self.end_frames()?;
        self.seal()
    }

    fn end_frames(&mut self) -> Result<(), Fault<M::Error>> {
        self.writable()?;
        if self.group.spoiled {
            let capacity = self.index.capacity();
            self.give_up()?;
            return Err(Fault::of(What::IndexFull, capacity));
        }
        if !self.group.open || self.group.frames == 0 || self.group.ended {
            return Ok(());
        }
        if let Err(error) = self.write_commit() {
            let _ = self.roll_back();
            return Err(error);
        }
        self.group.ended = true;
        Ok(())
    }

    fn write_commit(&mut self) -> Result<(), Fault<M::Error>> {
        let mut control = Control::Commit;
        if self.two_flushes && !self.device.shape.ordered() {
            self.flush()?;
            control = Control::CommitFlushed;
        }
        self.write_control(control, false, &[])
    }

    /// Writes the control frame that ends a group, its `first` one where it is
    /// alone in it.
    pub(crate) fn write_control(
        &mut self,
        control: Control,
        first: bool,
        body: &[u8],
    ) -> Result<(), Fault<M::Error>> {
        let spec = Spec {
            first,
            last: true,
            ..Spec::with(Kind::Control, control.code())
        };
        self.write_at_tail(&spec, &[], &[Part::Bytes(body)])?;
        Ok(())
    }

    /// From now on commits on unordered media flush their data before they
    /// write their mark: two flushes. A fault that returns whole words of the
    /// newest transaction to blank is then known as corruption as well.
    pub fn set_two_flushes(&mut self, two: bool) {
        self.two_flushes = two;
    }

    /// Flushes the group that was just closed by its last frame.
    pub(crate) fn seal(&mut self) -> Result<(), Fault<M::Error>> {
        if !self.group.open {
            return Ok(());
        }
        if self.group.frames == 0 {
            self.group.open = false;
            return Ok(());
        }
        if !Mutant::NoCommitFlush.on()
            && let Err(error) = self.flush()
        {
            let _ = self.roll_back();
            return Err(error);
        }
        self.after_commit();
        Ok(())
    }

    /// What follows from a durable group.
    fn after_commit(&mut self) {
        let group = self.group;
        self.group = Group::default();
        self.pressing = false;
        self.mark_used(self.tail);
        self.logs_committed(&group.logs);
        if let Some(segment) = group.freeing {
            self.freed(segment);
        }
        self.drop_replaced(group.undo);
    }

    /// Records how far the ledger's segment is committed.
    pub(crate) fn mark_used(&mut self, tail: Place) {
        if let Some(row) = self.table.row(tail.segment) {
            row.used = tail.at;
        }
    }

    /// Forgets everything tentative. One flush if frames were written.
    ///
    /// # Errors
    /// The medium's; the store is then to be opened again.
    pub fn abort(&mut self) -> Result<(), Error<M::Error>> {
        let given_up = self.give_up();
        self.told(given_up)
    }

    pub(crate) fn give_up(&mut self) -> Result<(), Fault<M::Error>> {
        if !self.group.open {
            return Ok(());
        }
        if self.group.ended {
            // It may be durable already.
            return Err(Fault::plain(What::TransactionOpen));
        }
        let written = self.group.frames > 0;
        // Where this fails, the index shows what is given up.
        self.roll_back()?;
        if !written || self.device.poisoned {
            return Ok(());
        }
        if !Mutant::NoAbortMark.on() {
            self.write_control(Control::Abort, false, &[])?;
        }
        self.group = Group::default();
        self.flush()?;
        self.mark_used(self.tail);
        Ok(())
    }

    /// Takes the open group back in memory.
    fn roll_back(&mut self) -> Result<(), Fault<M::Error>> {
        self.pressing = false;
        let group = self.group;
        let result = self.take_back(0);
        // Its tombstones count until they are reclaimed, here as in rebuilding:
        // reclaiming does not look whether a group was aborted.
        self.live = group.live.plus(self.tombstones.minus(group.tombstones));
        self.logs_rolled_back(&group.logs);
        if group.start.segment != self.tail.segment {
            self.abandon_from(group.start);
        }
        self.group = Group {
            frames: group.frames,
            ..Group::default()
        };
        result
    }

    /// Whether an operation may be staged: in the open transaction, or, with
    /// the `last` frame of it, in one of its own.
    pub(crate) fn may_stage(&self, last: bool) -> Result<(), Fault<M::Error>> {
        if self.group.open && (last || self.group.ended) {
            return Err(Fault::plain(What::TransactionOpen));
        }
        self.writable()
    }

    /// Ends the transaction of an operation that was staged with its `last`
    /// frame.
    pub(crate) fn alone<T>(
        &mut self,
        staged: Result<T, Fault<M::Error>>,
    ) -> Result<T, Error<M::Error>> {
        let ended = self.end_alone(staged.as_ref().err().map(|fault| &fault.what));
        self.told(ended.and(staged))
    }

    fn end_alone(&mut self, failed: Option<&What<M::Error>>) -> Result<(), Fault<M::Error>> {
        match failed {
            Some(What::TransactionOpen) => Ok(()),
            Some(_) => self.give_up(),
            None if self.two_flushes => self.end_group(),
            None => self.seal(),
        }
    }

    /// Closes the store: seals the last transaction, so that the next start
    /// is clean. An open transaction is aborted. One flush; with
    /// [`Saving`](crate::Saving) a checkpoint and the index as well, where
    /// there is room for them.
    ///
    /// # Errors
    /// The medium's. A store that was not closed loses nothing either.
    pub fn close(mut self) -> Result<M, Error<M::Error>> {
        let closed = self.end();
        self.told(closed)?;
        Ok(self.device.medium)
    }

    fn end(&mut self) -> Result<(), Fault<M::Error>> {
        if self.mode == crate::store::Mode::ReadOnly || self.device.poisoned {
            return Ok(());
        }
        if self.group.ended {
            self.seal()?;
        }
        self.give_up()?;
        if self.device.outstanding {
            self.flush()?;
        }
        let saved = self.save_index()?;
        if !self.root_due {
            self.write_close(saved)?;
        }
        Ok(())
    }

    fn write_close(&mut self, saved: Option<Saved>) -> Result<(), Fault<M::Error>> {
        let mut known = LogSet::default();
        for (number, log) in self.logs.iter().enumerate() {
            if log.frontier == Frontier::Known && self.device.shape.ordered() {
                known.insert(number);
            }
        }
        let mut body = [0u8; KNOWN + SAVED];
        crate::math::place(&mut body, 0, &known.0);
        let mut used = body.iter().rposition(|byte| *byte != 0);
        if let Some(saved) = saved {
            crate::math::place(&mut body, KNOWN, &saved.encode());
            used = Some(body.len().minus(1));
        }
        let body = body.get(..used.map_or(0, |last| last.plus(1)));
        let body = body.unwrap_or_default();
        let len = self.body_frame_len(Kind::Control, body.len());
        if !self.fits(len) {
            return Ok(());
        }
        self.write_control(Control::Close, true, body)?;
        self.flush()
    }
}
