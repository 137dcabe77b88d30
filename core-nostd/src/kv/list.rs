//! A list for each key: elements by number, and a record of the bounds.

use super::name::{DEPENDENT, Name};
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Part, Spec, body_max, frame_len};
use crate::format::shape::Shape;
use crate::index::{Index, Loc};
use crate::math::{Saturate, place, u64_at};
use crate::medium::Medium;
use crate::store::Store;

/// Bytes of a list record's body.
pub(crate) const LIST: usize = 24;

/// The bounds of a list: elements `start..end` of a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub generation: u64,
    pub start: u64,
    pub end: u64,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// How many elements the list of a key has; `None` where the key is
    /// absent.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Doubtful`], or the medium's.
    pub fn list_len(&self, key: &[u8]) -> Result<Option<u64>, Error<M::Error>> {
        self.told(self.elements(&Name::item(key)))
    }

    pub(crate) fn elements(&self, item: &Name<'_>) -> Result<Option<u64>, Fault<M::Error>> {
        let bounds = self.present_bounds(item)?;
        Ok(bounds.map(|bounds| bounds.end.minus(bounds.start)))
    }

    /// Reads one element, counted from the first that is left; returns its
    /// length, `None` where key or element is absent.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`], [`Error::Corrupt`], [`Error::Doubtful`], or
    /// the medium's.
    pub fn list_read(
        &self,
        key: &[u8],
        index: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Error<M::Error>> {
        self.told(self.read_element(&Name::item(key), index, buf))
    }

    pub(crate) fn read_element(
        &self,
        item: &Name<'_>,
        index: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Fault<M::Error>> {
        let Some(bounds) = self.present_bounds(item)? else {
            return Ok(None);
        };
        let number = bounds.start.plus(index);
        if number >= bounds.end {
            return Ok(None);
        }
        let name = item.dependent_of(bounds.generation, number);
        if let Some(frame) = self.find(&name)? {
            let needed = usize::try_from(frame.body_len.minus(DEPENDENT)).unwrap_or(0);
            if needed > buf.len() {
                return Err(Fault::of(What::BufferTooSmall, needed));
            }
            self.doubt(Some(&frame))?;
        }
        self.read_dependent(&name, 0, buf).map(Some)
    }

    /// Appends an element to a key's list, durably on return. One flush.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the key is absent, or as [`Store::put`].
    pub fn list_append(&mut self, key: &[u8], element: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_append(key, element, true);
        self.alone(staged)
    }

    /// Replaces one element, durably on return. One flush.
    ///
    /// # Errors
    /// [`Error::NotFound`] where key or element is absent, or as
    /// [`Store::put`].
    pub fn list_update(
        &mut self,
        key: &[u8],
        index: u64,
        element: &[u8],
    ) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_update(key, index, element, true);
        self.alone(staged)
    }

    /// Drops the first `count` elements, durably on return. One flush; the
    /// index is changed for each element dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the key is absent or the list shorter.
    pub fn list_trim(&mut self, key: &[u8], count: u64) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_trim(key, count, true);
        self.alone(staged)
    }

    /// [`Store::list_append`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::list_append`]; the transaction stays open and as it was.
    pub fn tentatively_list_append(
        &mut self,
        key: &[u8],
        element: &[u8],
    ) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_append(key, element, false);
        self.told(staged)
    }

    /// [`Store::list_update`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::list_update`]; the transaction stays open and as it was.
    pub fn tentatively_list_update(
        &mut self,
        key: &[u8],
        index: u64,
        element: &[u8],
    ) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_update(key, index, element, false);
        self.told(staged)
    }

    /// [`Store::list_trim`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::list_trim`]; the transaction stays open and as it was.
    pub fn tentatively_list_trim(&mut self, key: &[u8], count: u64) -> Result<(), Error<M::Error>> {
        let staged = self.stage_list_trim(key, count, false);
        self.told(staged)
    }

    /// The bounds of a key's list; `None` where the key is absent.
    fn present_bounds(&self, item: &Name<'_>) -> Result<Option<Bounds>, Fault<M::Error>> {
        if self.locate(item)?.is_none() {
            return Ok(None);
        }
        Ok(Some(self.bounds(item)?.unwrap_or_default()))
    }

    /// The bounds of a key's list, if it ever had one.
    pub(crate) fn bounds(&self, item: &Name<'_>) -> Result<Option<Bounds>, Fault<M::Error>> {
        if !self.lists {
            return Ok(None);
        }
        match self.locate(&item.list_of())? {
            Some(frame) => {
                let frame = self.sound(&frame)?;
                self.bounds_of(&frame).map(Some)
            }
            None => Ok(None),
        }
    }

    pub(crate) fn bounds_of(&self, frame: &Frame) -> Result<Bounds, Fault<M::Error>> {
        let mut bytes = [0u8; LIST];
        self.device.read_in(frame, frame.body_at(), &mut bytes)?;
        Ok(Bounds {
            generation: u64_at(&bytes, 0),
            start: u64_at(&bytes, 8),
            end: u64_at(&bytes, 16),
        })
    }

    /// The frame lengths of an element and of the bounds, if they fit.
    fn list_lens(&mut self, key: &[u8], element: &[u8]) -> Result<(u32, u32), Fault<M::Error>> {
        let shape = self.device.shape;
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let len = u32::try_from(element.len()).unwrap_or(u32::MAX);
        let max = body_max(key_len, shape.frame_max()).minus(DEPENDENT);
        if len > max {
            let figures = (len.into(), max.into());
            return Err(self.device.refuse(What::ValueTooLong, 0, figures));
        }
        Ok((
            frame_len(&shape, Kind::Element, key_len, DEPENDENT.plus(len)),
            frame_len(&shape, Kind::List, key_len, LIST as u32),
        ))
    }

    fn require_key(&mut self, key: &[u8], last: bool) -> Result<(), Fault<M::Error>> {
        self.may_stage(last)?;
        self.check_key(key)?;
        if self.locate(&Name::item(key))?.is_none() {
            return Err(Fault::plain(What::NotFound));
        }
        Ok(())
    }

    fn stage_list_append(
        &mut self,
        key: &[u8],
        element: &[u8],
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        self.require_key(key, last)?;
        let (element_len, list_len) = self.list_lens(key, element)?;
        let both = u64::from(element_len).plus(u64::from(list_len));
        self.may_add(both, None, element_len)?;
        self.may_change(2, true)?;
        let bounds = self.bounds(&Name::item(key))?;
        self.begin(both)?;
        let mut bounds = bounds.unwrap_or_else(|| Bounds {
            generation: Shape::rank(self.tail.seq, self.tail.at),
            ..Bounds::default()
        });
        // Both frames or none: the second must not be refused.
        if !self.fits(element_len.plus(list_len)) {
            self.succeed()?;
        }
        self.stage_dependent(
            Kind::Element,
            key,
            bounds.generation,
            bounds.end,
            element,
            false,
        )?;
        bounds.end = bounds.end.plus(1);
        self.stage_bounds(key, &bounds, last)
    }

    fn stage_list_update(
        &mut self,
        key: &[u8],
        index: u64,
        element: &[u8],
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        self.require_key(key, last)?;
        let bounds = self.bounds(&Name::item(key))?.unwrap_or_default();
        let number = bounds.start.plus(index);
        if number >= bounds.end {
            return Err(Fault::plain(What::NotFound));
        }
        let (len, _) = self.list_lens(key, element)?;
        let old = self.find(&Name::dependent(key, bounds.generation, number))?;
        self.may_add(len.into(), old.as_ref(), len)?;
        self.may_change(1, old.is_none())?;
        self.begin(len.into())?;
        self.stage_dependent(Kind::Element, key, bounds.generation, number, element, last)
    }

    fn stage_list_trim(
        &mut self,
        key: &[u8],
        count: u64,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        self.require_key(key, last)?;
        let mut bounds = self.bounds(&Name::item(key))?.unwrap_or_default();
        if count > bounds.end.minus(bounds.start) {
            return Err(Fault::plain(What::NotFound));
        }
        if bounds == Bounds::default() {
            return Ok(());
        }
        self.may_change(1, false)?;
        let (_, len) = self.list_lens(key, &[])?;
        self.begin(len.into())?;
        bounds.start = bounds.start.plus(count);
        self.stage_bounds(key, &bounds, last)
    }

    fn stage_bounds(
        &mut self,
        key: &[u8],
        bounds: &Bounds,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        let mut body = [0u8; LIST];
        place(&mut body, 0, &bounds.generation.to_le_bytes());
        place(&mut body, 8, &bounds.start.to_le_bytes());
        place(&mut body, 16, &bounds.end.to_le_bytes());
        let spec = Spec {
            last,
            ..Spec::new(Kind::List)
        };
        let at = self.frame(&spec, key, &[Part::Bytes(&body)])?;
        self.lists = true;
        let len = self.frame_at(at)?.map_or(0, |frame| frame.len);
        self.enter(&Name::list(key), at, len, None)
    }

    /// Drops the elements that a dead bounds record had and the newest has
    /// not.
    pub(crate) fn drop_elements(&mut self, key: &[u8], dead: &Frame) {
        let Ok(old) = self.bounds_of(dead) else {
            return;
        };
        let new = match self.find(&Name::list(key)) {
            Ok(Some(frame)) => match self.sound(&frame) {
                Ok(frame) => Some(self.bounds_of(&frame).unwrap_or(old)),
                Err(_) => return,
            },
            Ok(None) => None,
            Err(_) => return,
        };
        let to = match new {
            Some(new) if new.generation == old.generation => new.start.min(old.end),
            _ => old.end,
        };
        self.drop_dependents(key, old.generation, old.start, to);
    }

    /// Whether a chunk or element at a location still belongs to its key.
    pub(crate) fn hangs(
        &self,
        key: &[u8],
        generation: u64,
        number: u64,
    ) -> Result<bool, Fault<M::Error>> {
        if let Some(frame) = self.find(&Name::item(key))?
            && frame.kind == Kind::Big
        {
            let big = self.big(&self.sound(&frame)?)?;
            if big.generation == generation {
                return Ok(number < big.count());
            }
        }
        if let Some(frame) = self.find(&Name::list(key))? {
            let bounds = self.bounds_of(&self.sound(&frame)?)?;
            if bounds.generation == generation {
                return Ok((bounds.start..bounds.end).contains(&number));
            }
        }
        Ok(false)
    }

    /// Removes a dependent that hangs on nothing.
    pub(crate) fn drop_orphan(&mut self, loc: Loc, key: &[u8], generation: u64, number: u64) {
        let name = Name::dependent(key, generation, number);
        let probe = self.probe(&name);
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare(table, &name, loc);
        if let Ok(true) = self.index.remove(&probe, loc, &mut compare) {
            self.remove_live(loc);
        }
    }
}
