//! Taking in many records at once, where the medium lends memory.
//!
//! A rebuild takes in one record after another, and waits for memory with each.
//! Most are plain: a compact item, whole, of a group that committed. Of those as
//! many as follow one another are decoded and summed first, the slots where they
//! go are touched, so that the waits for them overlap, and then they are entered.
//! What is not plain ends the run, and is judged alone.

use super::name::Name;
use crate::device::Device;
use crate::fault::{Fault, What};
use crate::format::frame::{Plain, fetch_ahead};
use crate::index::{Index, Probe};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::store::{Place, Store};

/// Records that are decoded before the first of them is entered.
const AHEAD: usize = 16;

/// Bytes that are borrowed at a time: a place that cannot be read costs the run
/// that it is in.
const LENT: u32 = 8 << 10;

/// A record to be entered.
struct Next {
    probe: Probe,
    at: u32,
    plain: Plain,
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Takes in the plain records from a place on that begin before `until`;
    /// returns where they end. No group may begin at the place.
    pub(crate) fn take_in_plain(
        &mut self,
        mut place: Place,
        end: u32,
        until: u32,
    ) -> Result<u32, Fault<M::Error>> {
        loop {
            let next = self.device.plain_records(place, end, until);
            let Some(last) = next.last() else {
                return Ok(place.at);
            };
            let behind = last.at.plus(last.plain.len);
            for next in &next {
                self.index.foresee(&next.probe);
            }
            for next in &next {
                let at = next.at;
                self.enter_plain(Place { at, ..place }, next)?;
            }
            place.at = behind;
        }
    }

    /// As [`Store::take_in`] enters an item that was made sure of.
    fn enter_plain(&mut self, place: Place, next: &Next) -> Result<(), Fault<M::Error>> {
        let to = self.device.loc(place);
        let (device, table) = (&self.device, &self.table);
        let lent = device.borrow(place.segment, next.plain.key_at(place), next.plain.key_len);
        let name = Name::item(lent.unwrap_or_default());
        let mut known = None;
        let mut compare = |loc| device.compare_known(table, &name, loc, &mut known);
        let old = match self.index.insert(&next.probe, to, &mut compare)? {
            Ok(old) => old,
            Err(full) => return Err(Fault::of(What::IndexFull, full.capacity)),
        };
        self.add_live(place.segment, next.plain.len);
        match old {
            Some(old) => self.remove_known(old, known.as_ref()),
            None => self.keys = self.keys.plus(1),
        }
        Ok(())
    }
}

impl<M: Medium> Device<M> {
    /// The plain records that follow one another from a place on.
    fn plain_records(&self, place: Place, end: u32, until: u32) -> heapless::Vec<Next, AHEAD> {
        let mut next = heapless::Vec::new();
        let len = end.minus(place.at).min(LENT);
        let Some(mut bytes) = self.borrow(place.segment, place.at, len) else {
            return next;
        };
        let mut at = place.at;
        while at < until {
            let Some(plain) = self.plain(Place { at, ..place }, bytes) else {
                break;
            };
            let probe = Name::item(plain.key(bytes)).probe(self.shape.nonce);
            if next.push(Next { probe, at, plain }).is_err() {
                break;
            }
            at = at.plus(plain.len);
            let len = usize::try_from(plain.len).unwrap_or(usize::MAX);
            bytes = bytes.get(len..).unwrap_or_default();
            fetch_ahead(bytes);
        }
        next
    }
}
