//! Putting and deleting.

use super::name::Name;
use crate::error::Error;
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Part, Spec, Trust, frame_len};
use crate::index::{Index, Loc, Probe};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::{Place, Store, Undo};

/// Whether the key has to be absent or present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Any,
    Absent,
    Present,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Sets a key to a value, durably and atomically on return. One flush.
    ///
    /// Damage that the start found is no obstacle: a newer version is beyond
    /// doubt. But where the index points at a record that could be this key's and
    /// cannot be read any more, it cannot tell which one to replace: that is
    /// [`Error::Doubtful`], here as in every change and read, until the store is
    /// closed and started again, which then leaves no such entry.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::IndexFull`], [`Error::KeyTooLong`],
    /// [`Error::ValueTooLong`], [`Error::TransactionOpen`], [`Error::Doubtful`], or
    /// the medium's.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Any, true);
        self.alone(staged)
    }

    /// [`Store::put`] of a key that must be absent.
    ///
    /// # Errors
    /// [`Error::KeyExists`], or as [`Store::put`].
    pub fn create(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Absent, true);
        self.alone(staged)
    }

    /// [`Store::put`] of a key that must be present; its list stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], or as [`Store::put`].
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Present, true);
        self.alone(staged)
    }

    /// Removes a key with its value and list, durably on return. Works in a
    /// full store. One flush.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TransactionOpen`], or the medium's.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_delete(key, true);
        self.alone(staged)
    }

    /// [`Store::put`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::put`], or [`Error::TransactionTooLarge`]; the transaction
    /// stays open and as it was.
    pub fn tentatively_put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Any, false);
        self.told(staged)
    }

    /// [`Store::create`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::create`]; the transaction stays open and as it was.
    pub fn tentatively_create(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Absent, false);
        self.told(staged)
    }

    /// [`Store::update`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::update`]; the transaction stays open and as it was.
    pub fn tentatively_update(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_put(key, value, Policy::Present, false);
        self.told(staged)
    }

    /// [`Store::delete`] when the transaction commits.
    ///
    /// # Errors
    /// As [`Store::delete`]; the transaction stays open and as it was.
    pub fn tentatively_delete(&mut self, key: &[u8]) -> Result<(), Error<M::Error>> {
        let staged = self.stage_delete(key, false);
        self.told(staged)
    }

    fn stage_put(
        &mut self,
        key: &[u8],
        value: &[u8],
        policy: Policy,
        last: bool,
    ) -> Result<(), Fault<M::Error>> {
        self.may_stage(last)?;
        self.check_key(key)?;
        let name = Name::item(key).trusting(Trust::Body);
        let probe = self.probe(&name);
        let old = self.find_by(&name, &probe)?;
        // Damage that makes a read doubtful does not forbid a newer version.
        if policy != Policy::Any {
            self.doubt(old.as_ref())?;
        }
        match (policy, old.is_some()) {
            (Policy::Absent, true) => return Err(Fault::plain(What::KeyExists)),
            (Policy::Present, false) => return Err(Fault::plain(What::NotFound)),
            _ => {}
        }
        let shape = self.device.shape;
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let len = frame_len(&shape, Kind::Put, key_len, value_len);
        if len > shape.frame_max() || value.len() > 1 << 30 {
            return self.stage_chunks(key, value, old.as_ref(), last);
        }
        self.make_fit(u64::from(len), old.as_ref(), len)?;
        self.may_change(1, old.is_none())?;
        self.begin(u64::from(len))?;
        let spec = Spec {
            last,
            ..Spec::new(Kind::Put)
        };
        let place = self.frame(&spec, key, &[Part::Bytes(value)])?;
        self.frame_max = self.frame_max.max(len);
        self.enter_by(&name, &probe, place, len, old)
    }

    /// As [`Store::may_add`], but where only tombstones are in the way their
    /// segments are reclaimed first: the one case of a long operation.
    fn make_fit(
        &mut self,
        len: u64,
        old: Option<&Frame>,
        frame_max: u32,
    ) -> Result<(), Fault<M::Error>> {
        let most = self.device.shape.segments;
        let mut rounds = most;
        loop {
            let result = self.may_add(len, old, frame_max);
            let hopeless = self.tombstones < len || self.group.open || rounds == 0;
            if result.is_ok() || hopeless {
                return result;
            }
            let figures = self.device.figures;
            if rounds == most {
                // What is relocated stands for a place behind the root, and so
                // behind every tombstone there is.
                self.write_root(None)?;
            }
            match self.reclaim_oldest() {
                Ok(true) => {}
                Err(fault) if !fault.is_full() => return Err(fault),
                _ => {
                    self.device.figures = figures;
                    return result;
                }
            }
            rounds = rounds.minus(1);
        }
    }

    /// Whether `len` more bytes of records fit, given what they replace.
    pub(crate) fn may_add(
        &mut self,
        len: u64,
        old: Option<&Frame>,
        frame_max: u32,
    ) -> Result<(), Fault<M::Error>> {
        let replaced = old.map_or(0, |frame| u64::from(frame.len));
        let capacity = crate::layout::record_capacity(
            &self.device.shape,
            self.record_segments(),
            self.interval,
            self.frame_max.max(frame_max),
        );
        let live = self.live.minus(replaced);
        if live.plus(len) > capacity {
            return Err(self.device.full(len, capacity.minus(live)));
        }
        Ok(())
    }

    /// Whether the index and the undo memory take `count` more changes.
    pub(crate) fn may_change(&self, count: usize, adds: bool) -> Result<(), Fault<M::Error>> {
        if self.group.undo.plus(count) > self.undo.len() {
            return Err(Fault::of(What::TransactionTooLarge, self.undo.len()));
        }
        let capacity = self.index.capacity();
        if adds && self.index.len().plus(count) > capacity {
            return Err(Fault::of(What::IndexFull, capacity));
        }
        Ok(())
    }

    /// Points a name at a record just written; `known` is the one before it,
    /// where it was looked up.
    pub(crate) fn enter(
        &mut self,
        name: &Name<'_>,
        place: Place,
        len: u32,
        known: Option<Frame>,
    ) -> Result<(), Fault<M::Error>> {
        self.enter_by(name, &self.probe(name), place, len, known)
    }

    /// As [`Store::enter`], by the probe of the name.
    fn enter_by(
        &mut self,
        name: &Name<'_>,
        probe: &Probe,
        place: Place,
        len: u32,
        mut known: Option<Frame>,
    ) -> Result<(), Fault<M::Error>> {
        let to = self.device.loc(place);
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare_known(table, name, loc, &mut known);
        let old = match self.index.insert(probe, to, &mut compare) {
            Ok(Ok(old)) => old,
            Ok(Err(full)) => {
                self.group.spoiled = true;
                return Err(Fault::of(What::IndexFull, full.capacity));
            }
            Err(error) => {
                self.group.spoiled = true;
                return Err(error);
            }
        };
        self.add_live(place.segment, len);
        if let Some(old) = old {
            self.remove_known(old, known.as_ref());
        } else if probe.primary {
            self.keys = self.keys.plus(1);
        }
        self.remember(Undo {
            hash: probe.hash,
            prefix: probe.prefix,
            old: old.map_or(0, |loc| loc.0.plus(1)),
            new: to.0.plus(1),
            primary: probe.primary,
        });
        Ok(())
    }

    pub(crate) fn remember(&mut self, undo: Undo) {
        if let Some(slot) = self.undo.get_mut(self.group.undo) {
            *slot = undo;
            self.group.undo = self.group.undo.plus(1);
        }
    }

    pub(crate) fn add_live(&mut self, segment: u32, len: u32) {
        self.live = self.live.plus(u64::from(len));
        self.frame_max = self.frame_max.max(len);
        if let Some(row) = self.table.row(segment) {
            row.live = row.live.plus(len);
        }
    }

    /// A tombstone is needed.
    pub(crate) fn add_tombstone(&mut self, segment: u32, len: u32) {
        self.add_live(segment, len);
        self.tombstones = self.tombstones.plus(u64::from(len));
        #[cfg(feature = "resume")]
        if let Some(row) = self.table.row(segment) {
            row.tombstones = row.tombstones.plus(len);
        }
    }

    /// A tombstone is not needed any more.
    pub(crate) fn take_tombstone(&mut self, segment: u32, len: u32) {
        self.take_live(segment, len);
        self.tombstones = self.tombstones.minus(u64::from(len));
        #[cfg(feature = "resume")]
        if let Some(row) = self.table.row(segment) {
            row.tombstones = row.tombstones.minus(len);
        }
    }

    pub(crate) fn take_live(&mut self, segment: u32, len: u32) {
        self.live = self.live.minus(u64::from(len));
        if let Some(row) = self.table.row(segment) {
            row.live = row.live.minus(len);
        }
    }

    /// A record is not needed any more.
    pub(crate) fn remove_live(&mut self, loc: Loc) {
        self.remove_known(loc, None);
    }

    /// As [`Store::remove_live`], of a record that may be known.
    pub(crate) fn remove_known(&mut self, loc: Loc, known: Option<&Frame>) {
        let place = self.table.place(&self.device, loc);
        let len = match known {
            Some(frame) if frame.place() == place => frame.len,
            _ => self.device.record(place).map_or(0, |frame| frame.len),
        };
        self.take_live(place.segment, len);
    }

    fn stage_delete(&mut self, key: &[u8], last: bool) -> Result<(), Fault<M::Error>> {
        self.may_stage(last)?;
        self.check_key(key)?;
        let name = Name::item(key).trusting(Trust::Body);
        let probe = self.probe(&name);
        let old = self.find_by(&name, &probe)?;
        if old.is_none() {
            self.doubt(None)?;
            return Err(Fault::plain(What::NotFound));
        }
        self.may_change(2, false)?;
        self.pressing = true;
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let len = frame_len(&self.device.shape, Kind::Delete, key_len, 0);
        self.begin(u64::from(len))?;
        let spec = Spec {
            last,
            ..Spec::new(Kind::Delete)
        };
        let place = self.frame(&spec, key, &[])?;
        self.add_tombstone(place.segment, len);
        if self.lists {
            self.leave(&Name::list(key), None)?;
        }
        self.leave_by(&name, &probe, old)
    }

    /// Removes a name from the index, if it is there; `known` as for
    /// [`Store::enter`].
    pub(crate) fn leave(
        &mut self,
        name: &Name<'_>,
        known: Option<Frame>,
    ) -> Result<(), Fault<M::Error>> {
        self.leave_by(name, &self.probe(name), known)
    }

    /// As [`Store::leave`], by the probe of the name.
    fn leave_by(
        &mut self,
        name: &Name<'_>,
        probe: &Probe,
        mut known: Option<Frame>,
    ) -> Result<(), Fault<M::Error>> {
        let (device, table) = (&self.device, &self.table);
        let mut compare = |loc| device.compare_known(table, name, loc, &mut known);
        let Some(old) = self.index.find(probe, &mut compare)? else {
            return Ok(());
        };
        self.index.remove(probe, old, &mut compare)?;
        self.remove_known(old, known.as_ref());
        if probe.primary {
            self.keys = self.keys.minus(1);
        }
        self.remember(Undo {
            hash: probe.hash,
            prefix: probe.prefix,
            old: old.0.plus(1),
            new: 0,
            primary: probe.primary,
        });
        Ok(())
    }

    /// Takes index changes back, newest first, down to `keep` of them.
    pub(crate) fn take_back(&mut self, keep: usize) -> Result<(), Fault<M::Error>> {
        let mut result = Ok(());
        if !I::KEYS || Mutant::NoUndo.on() {
            self.group.undo = keep;
            return result;
        }
        while self.group.undo > keep {
            self.group.undo = self.group.undo.minus(1);
            let Some(undo) = self.undo.get(self.group.undo).copied() else {
                break;
            };
            // An index that cannot be put right is not to be trusted any more.
            if let Err(error) = self.take_back_one(&undo) {
                self.device.poisoned = true;
                self.astray = true;
                result = Err(error);
            }
        }
        result
    }
}
