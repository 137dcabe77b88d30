//! Getting values, checked.

use super::chunks::Big;
use super::name::{DEPENDENT, Name};
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Seen, Trust};
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::Store;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Reads the whole value of a key into `buf`; returns its length, `None`
    /// where the key is absent. The record's checksum is compared, one flipped
    /// bit healed. Sees the open transaction.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`] with the length needed, [`Error::Corrupt`],
    /// [`Error::Doubtful`], or the medium's.
    pub fn get(&self, key: &[u8], buf: &mut [u8]) -> Result<Option<usize>, Error<M::Error>> {
        self.told(self.read_whole(&Name::item(key), buf))
    }

    pub(crate) fn read_whole(
        &self,
        name: &Name<'_>,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Fault<M::Error>> {
        let Some(frame) = self.locate(name)? else {
            return Ok(None);
        };
        let needed = usize::try_from(self.len_of(&frame)?).unwrap_or(usize::MAX);
        let Some(buf) = buf.get_mut(..needed) else {
            return Err(Fault::of(What::BufferTooSmall, needed));
        };
        self.read_item(name.key, &frame, 0, buf)?;
        Ok(Some(needed))
    }

    /// Reads a part of a key's value from `offset`; returns how many bytes
    /// there were, fewer than `buf` holds only at the value's end. Only the
    /// chunks that are touched are read and checked.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn read_value(
        &self,
        key: &[u8],
        offset: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Error<M::Error>> {
        self.told(self.read_part(&Name::item(key), offset, buf))
    }

    pub(crate) fn read_part(
        &self,
        name: &Name<'_>,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Fault<M::Error>> {
        let Some(frame) = self.locate(name)? else {
            return Ok(None);
        };
        let rest = self.len_of(&frame)?.minus(offset);
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..count).unwrap_or_default();
        self.read_item(name.key, &frame, offset, buf)?;
        Ok(Some(count))
    }

    /// The length of a key's value in bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Doubtful`], or the medium's.
    pub fn value_len(&self, key: &[u8]) -> Result<Option<u64>, Error<M::Error>> {
        self.told(self.whole_len(&Name::item(key)))
    }

    pub(crate) fn whole_len(&self, name: &Name<'_>) -> Result<Option<u64>, Fault<M::Error>> {
        match self.locate(name)? {
            Some(frame) => self.len_of(&frame).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a key is present.
    ///
    /// # Errors
    /// [`Error::Doubtful`], or the medium's.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Error<M::Error>> {
        let name = Name::item(key).trusting(Trust::Body);
        let found = self.told(self.locate(&name))?;
        Ok(found.is_some())
    }

    /// A value in place, its checksum compared: mapped media alone, and values
    /// that stand in one frame with no bit to heal. `None` elsewhere.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_ref(&self, key: &[u8]) -> Result<Option<&[u8]>, Error<M::Error>> {
        self.told(self.whole_ref(&Name::item(key)))
    }

    pub(crate) fn whole_ref(&self, name: &Name<'_>) -> Result<Option<&[u8]>, Fault<M::Error>> {
        let Some(frame) = self.locate(name)? else {
            return Ok(None);
        };
        let frame = self.sound(&frame)?;
        if frame.patch.is_some() || frame.kind != Kind::Put {
            return Ok(None);
        }
        Ok(self
            .device
            .borrow(frame.segment, frame.body_at(), frame.body_len))
    }

    /// As [`Store::get_ref`] without comparing the checksum: for media that
    /// the caller trusts.
    ///
    /// # Errors
    /// [`Error::Doubtful`], or the medium's.
    pub fn get_ref_unchecked(&self, key: &[u8]) -> Result<Option<&[u8]>, Error<M::Error>> {
        let name = Name::item(key).trusting(Trust::Everything);
        match self.told(self.locate(&name))? {
            Some(frame) if frame.kind == Kind::Put => {
                Ok(self
                    .device
                    .borrow(frame.segment, frame.body_at(), frame.body_len))
            }
            _ => Ok(None),
        }
    }

    /// How many keys are present.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.keys
    }

    /// Whether no key is present.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    pub(crate) fn len_of(&self, frame: &Frame) -> Result<u64, Fault<M::Error>> {
        if frame.kind == Kind::Big {
            let frame = self.sound(frame)?;
            return Ok(self.big(&frame)?.len);
        }
        Ok(u64::from(frame.body_len))
    }

    /// The frame with its content checked, unless that was just done, and
    /// healed where one bit is wrong.
    pub(crate) fn sound(&self, frame: &Frame) -> Result<Frame, Fault<M::Error>> {
        if frame.sound || Mutant::SkipReadChecksum.on() {
            return Ok(*frame);
        }
        match self.device.judge(*frame)? {
            Seen::Whole(frame) => Ok(frame),
            _ => {
                let what = if frame.kind == Kind::Element {
                    What::CorruptElement
                } else {
                    What::CorruptValue
                };
                let at = self.device.shape.address(frame.segment, frame.at);
                self.device.meet_damage();
                Err(Fault::at(what, at))
            }
        }
    }

    fn read_item(
        &self,
        key: &[u8],
        frame: &Frame,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        self.read_sound(key, &self.sound(frame)?, offset, buf)
    }

    /// Reads a part of the value of a record that was checked.
    pub(crate) fn read_sound(
        &self,
        key: &[u8],
        frame: &Frame,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        if frame.kind != Kind::Big {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            return self.read_body(frame, offset, buf);
        }
        let big = self.big(frame)?;
        self.read_chunks(key, &big, offset, buf)
    }

    fn read_body(&self, frame: &Frame, offset: u32, buf: &mut [u8]) -> Result<(), Fault<M::Error>> {
        if buf.is_empty() {
            return Ok(());
        }
        self.device
            .read_in(frame, frame.body_at().plus(offset), buf)
    }

    fn read_chunks(
        &self,
        key: &[u8],
        big: &Big,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        let chunk = u64::from(big.chunk.max(1));
        let mut done = 0usize;
        while done < buf.len() {
            let at = offset.plus(u64::try_from(done).unwrap_or(0));
            let within = u32::try_from(at.modulo(chunk)).unwrap_or(0);
            let name = Name::dependent(key, big.generation, at.over(chunk));
            let rest = buf.get_mut(done..).unwrap_or_default();
            let got = self.read_dependent(&name, within, rest)?;
            if got == 0 {
                // Shorter than its head says.
                return Err(Fault::plain(What::CorruptValue));
            }
            done = done.plus(got);
        }
        Ok(())
    }

    /// Reads a part of a chunk or element; returns how many bytes.
    pub(crate) fn read_dependent(
        &self,
        name: &Name<'_>,
        within: u32,
        buf: &mut [u8],
    ) -> Result<usize, Fault<M::Error>> {
        let Some(frame) = self.find(name)? else {
            // Its head names it, so it was there.
            let at = self.damages.first().map_or(0, |damage| damage.at);
            return Err(Fault::at(What::CorruptValue, at));
        };
        let frame = self.sound(&frame)?;
        let from = DEPENDENT.plus(within);
        let count = usize::try_from(frame.body_len.minus(from))
            .unwrap_or(0)
            .min(buf.len());
        let buf = buf.get_mut(..count).unwrap_or_default();
        self.read_body(&frame, from, buf)?;
        Ok(count)
    }
}
