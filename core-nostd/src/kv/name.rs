//! The names that the index goes by, and how records compare with them.

use crate::device::{CHUNK, Device};
use crate::fault::{Fault, What};
use crate::format::frame::{Frame, Kind, Seen, Trust};
use crate::index::{Index, Loc, Probe};
use crate::math::{Saturate, u64_at};
use crate::medium::Medium;
use crate::segments::Table;
use crate::store::{Place, Store};
use core::cmp::Ordering;

/// Bytes before the data of a chunk or element: generation and number.
pub(crate) const DEPENDENT: u32 = 16;

/// What of a key an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Its value.
    Item,
    /// Its list's bounds.
    List,
    /// A chunk of the value or an element of the list.
    Dependent { generation: u64, number: u64 },
}

/// The name of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'k> {
    pub key: &'k [u8],
    pub class: Class,
    /// What of its record need not be checked.
    pub trust: Trust,
    /// Its entry before the open transaction is asked for.
    #[cfg(feature = "prepare")]
    pub committed: bool,
}

impl<'k> Name<'k> {
    pub(crate) fn item(key: &'k [u8]) -> Self {
        Name::new(key, Class::Item)
    }

    pub(crate) fn list(key: &'k [u8]) -> Self {
        Name::new(key, Class::List)
    }

    pub(crate) fn dependent(key: &'k [u8], generation: u64, number: u64) -> Self {
        Name::new(key, Class::Dependent { generation, number })
    }

    pub(crate) fn new(key: &'k [u8], class: Class) -> Self {
        Name {
            key,
            class,
            trust: Trust::Nothing,
            #[cfg(feature = "prepare")]
            committed: false,
        }
    }

    /// The same, to be found whatever its record's body is.
    pub(crate) fn trusting(self, trust: Trust) -> Self {
        Name { trust, ..self }
    }

    /// The entry as it was before the open transaction.
    #[cfg(feature = "prepare")]
    pub(crate) fn committed(self) -> Self {
        let committed = true;
        Name { committed, ..self }
    }

    /// Whether it stands for the entry before the open transaction.
    #[inline]
    fn is_committed(&self) -> bool {
        #[cfg(feature = "prepare")]
        return self.committed;
        #[cfg(not(feature = "prepare"))]
        false
    }

    /// The name of the same key's list.
    pub(crate) fn list_of(&self) -> Self {
        let class = Class::List;
        Name { class, ..*self }
    }

    /// The name of one of the same key's chunks or elements.
    pub(crate) fn dependent_of(&self, generation: u64, number: u64) -> Self {
        let class = Class::Dependent { generation, number };
        Name { class, ..*self }
    }

    /// What an index may know of the entry. Saved indexes go by the hash: it is
    /// a part of the format.
    #[inline]
    pub(crate) fn probe(&self, nonce: u64) -> Probe {
        let (words, rest) = self.key.as_chunks::<8>();
        let mut hash = nonce;
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        // What is left leaves a byte free, enough to tell lengths apart.
        let len = u64::try_from(self.key.len()).unwrap_or(0);
        hash = mix(hash, prefix(rest) ^ len);
        match self.class {
            Class::Item => {}
            Class::List => hash = mix(hash, 1),
            Class::Dependent { generation, number } => hash = mix(mix(hash, generation), number),
        }
        Probe {
            hash: mix(hash, nonce),
            prefix: prefix(self.key),
            primary: self.class == Class::Item,
        }
    }
}

/// A word more in a hash, which stays good in all of its bits: two halves of a
/// product, each of the other's bytes the other way round (as `ahash` does it
/// where products have 64 bits).
#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    const FACTOR: u64 = 0x5851_F42D_4C95_7F2D;
    let word = hash ^ word;
    let low = word.wrapping_mul(FACTOR.swap_bytes());
    let high = word.swap_bytes().wrapping_mul(!FACTOR);
    low ^ high.swap_bytes()
}

/// A key's first eight bytes as a number that orders as they do.
#[inline]
pub(crate) fn prefix(key: &[u8]) -> u64 {
    if let Some(bytes) = key.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0u8; 8];
    crate::math::place(&mut bytes, 0, key);
    u64::from_be_bytes(bytes)
}

impl Table<'_> {
    /// Where a location lies.
    pub(crate) fn place<M: Medium>(&self, device: &Device<M>, loc: Loc) -> Place {
        let address = loc.0.times(u64::from(device.shape.unit));
        let (segment, at) = device.shape.place(address);
        Place {
            segment,
            seq: self.seq(segment),
            at,
        }
    }
}

impl<M: Medium> Device<M> {
    /// The location of a place.
    pub(crate) fn loc(&self, place: Place) -> Loc {
        let address = self.shape.address(place.segment, place.at);
        // Units are powers of two.
        Loc(address.wrapping_shr(self.shape.unit.trailing_zeros()))
    }

    /// The record at a place, its header sound or healed; its content is not
    /// summed.
    pub(crate) fn record(&self, place: Place) -> Result<Frame, Fault<M::Error>> {
        let end = self.shape.segment_size;
        if let Some(frame) = self.parse(place.segment, place.seq, place.at, end)? {
            return Ok(frame);
        }
        match self.examine(place.segment, place.seq, place.at, end)? {
            Seen::Whole(frame) => Ok(frame),
            _ => {
                self.meet_damage();
                let at = self.shape.address(place.segment, place.at);
                Err(Fault::at(What::CorruptMetadata, at))
            }
        }
    }

    /// How the key of a record orders against `key`.
    pub(crate) fn compare_key(
        &self,
        frame: &Frame,
        key: &[u8],
    ) -> Result<Ordering, Fault<M::Error>> {
        if frame.patch.is_none()
            && let Some(bytes) = self.borrow(frame.segment, frame.key_at(), frame.key_len)
        {
            return Ok(bytes.cmp(key));
        }
        let mut chunk = [0u8; CHUNK];
        let mut done = 0u32;
        let mut rest = key;
        while done < frame.key_len {
            let count = frame.key_len.minus(done).min(CHUNK as u32);
            let bytes = chunk
                .get_mut(..usize::try_from(count).unwrap_or(0))
                .unwrap_or_default();
            self.read_in(frame, frame.key_at().plus(done), bytes)?;
            let (now, later) = rest.split_at(bytes.len().min(rest.len()));
            match (*bytes).cmp(now) {
                Ordering::Equal => {}
                other => return Ok(other),
            }
            rest = later;
            done = done.plus(count);
        }
        Ok(if rest.is_empty() {
            Ordering::Equal
        } else {
            Ordering::Less
        })
    }

    /// Generation and number of a dependent record; the class of any.
    pub(crate) fn class(&self, frame: &Frame) -> Result<Class, Fault<M::Error>> {
        Ok(match frame.kind {
            Kind::List => Class::List,
            Kind::Chunk | Kind::Element => {
                let mut bytes = [0u8; DEPENDENT as usize];
                self.read_in(frame, frame.body_at(), &mut bytes)?;
                Class::Dependent {
                    generation: u64_at(&bytes, 0),
                    number: u64_at(&bytes, 8),
                }
            }
            _ => Class::Item,
        })
    }

    fn compare_frame(&self, frame: &Frame, name: &Name<'_>) -> Result<Ordering, Fault<M::Error>> {
        self.will_read(frame.segment, frame.at, frame.len);
        match self.compare_key(frame, name.key)? {
            Ordering::Equal => Ok(self.class(frame)?.cmp(&name.class)),
            other => Ok(other),
        }
    }

    /// How the record at a location orders against a name.
    pub(crate) fn compare(
        &self,
        table: &Table<'_>,
        name: &Name<'_>,
        loc: Loc,
    ) -> Result<Ordering, Fault<M::Error>> {
        Ok(self.compare_at(table.place(self, loc), name)?.0)
    }

    /// As [`Device::compare`]. Does not look again at a record that is known
    /// to match, and keeps the one that does.
    pub(crate) fn compare_known(
        &self,
        table: &Table<'_>,
        name: &Name<'_>,
        loc: Loc,
        known: &mut Option<Frame>,
    ) -> Result<Ordering, Fault<M::Error>> {
        let place = table.place(self, loc);
        if known.is_some_and(|frame| frame.place() == place) {
            return Ok(Ordering::Equal);
        }
        let (order, frame) = self.compare_at(place, name)?;
        if order == Ordering::Equal {
            *known = Some(frame);
        }
        Ok(order)
    }

    /// How the record at a place orders against a name, and the record. One
    /// that does not match is believed only when its checksum holds: a flipped
    /// bit of a key must not make the key disappear.
    fn compare_at(
        &self,
        place: Place,
        name: &Name<'_>,
    ) -> Result<(Ordering, Frame), Fault<M::Error>> {
        let end = self.shape.segment_size;
        if let Some(frame) = self.parse(place.segment, place.seq, place.at, end)?
            && frame.kind.keyed()
            && self.compare_frame(&frame, name)? == Ordering::Equal
        {
            // Nor may one make a record match that is another's.
            return match self.judge(frame)? {
                Seen::Whole(healed) if healed.patch.is_some() => {
                    Ok((self.compare_frame(&healed, name)?, healed))
                }
                Seen::Whole(frame) => Ok((Ordering::Equal, frame)),
                _ => Ok((Ordering::Equal, frame)),
            };
        }
        match self.examine(place.segment, place.seq, place.at, end)? {
            Seen::Whole(frame) | Seen::Damaged(frame, true) => {
                Ok((self.compare_frame(&frame, name)?, frame))
            }
            _ => {
                self.meet_damage();
                let at = self.shape.address(place.segment, place.at);
                Err(Fault::at(What::Doubtful, at))
            }
        }
    }

    /// How the keys of two records order.
    pub(crate) fn compare_records(
        &self,
        one: &Frame,
        other: &Frame,
    ) -> Result<Ordering, Fault<M::Error>> {
        let mut a = [0u8; 64];
        let mut b = [0u8; 64];
        let mut done = 0u32;
        loop {
            let left = one.key_len.minus(done).min(64);
            let right = other.key_len.minus(done).min(64);
            let a = a
                .get_mut(..usize::try_from(left).unwrap_or(0))
                .unwrap_or_default();
            let b = b
                .get_mut(..usize::try_from(right).unwrap_or(0))
                .unwrap_or_default();
            self.read_in(one, one.key_at().plus(done), a)?;
            self.read_in(other, other.key_at().plus(done), b)?;
            match (*a).cmp(b) {
                Ordering::Equal if left == 64 && right == 64 => done = done.plus(64),
                order => return Ok(order),
            }
        }
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    pub(crate) fn probe(&self, name: &Name<'_>) -> Probe {
        name.probe(self.device.shape.nonce)
    }

    /// The newest record of a name, its content not yet checked. An answer
    /// that unattributed damage may hide a newer one of is withheld.
    #[cfg_attr(target_arch = "wasm32", inline)]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(crate) fn locate(&self, name: &Name<'_>) -> Result<Option<Frame>, Fault<M::Error>> {
        let found = self.find(name)?;
        if !self.damages.is_empty() {
            self.doubt(found.as_ref())?;
        }
        Ok(found)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(crate) fn find(&self, name: &Name<'_>) -> Result<Option<Frame>, Fault<M::Error>> {
        self.find_by(name, &self.probe(name))
    }

    /// As [`Store::find`], by the probe of the name.
    #[cfg_attr(target_arch = "wasm32", inline)]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(crate) fn find_by(
        &self,
        name: &Name<'_>,
        probe: &Probe,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        match self.find_lent(name, probe) {
            Some(found) => Ok(found),
            None => self.find_compared(name, probe),
        }
    }

    /// The quick way to most items, on media that lend: the entry with the
    /// key's hash, whose record is nearly always the key's. `None` where a
    /// longer look is needed.
    #[cfg_attr(target_arch = "wasm32", inline)]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn find_lent(&self, name: &Name<'_>, probe: &Probe) -> Option<Option<Frame>> {
        let lends = self.device.borrow(0, 0, 1).is_some();
        let moved = name.is_committed() && self.group.open;
        if I::ORDERED || !lends || moved || self.astray || name.class != Class::Item {
            return None;
        }
        let same = &mut |_| Ok::<_, Fault<M::Error>>(Ordering::Equal);
        let Some(loc) = self.index.find(probe, same).ok()? else {
            return Some(None);
        };
        let place = self.table.place(&self.device, loc);
        self.device.quick(place, name.key, name.trust).map(Some)
    }

    /// As [`Store::find_by`], the keys of records compared by the index.
    #[inline(never)]
    fn find_compared(
        &self,
        name: &Name<'_>,
        probe: &Probe,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        if self.astray {
            return Err(Fault::plain(What::Poisoned));
        }
        let (device, table) = (&self.device, &self.table);
        let mut matched = None;
        let found = self.index.find(probe, &mut |loc| {
            if (I::ORDERED || name.is_committed()) && name.class == Class::Item {
                matched = device.quick(table.place(device, loc), name.key, name.trust);
                if matched.is_some() {
                    return Ok(Ordering::Equal);
                }
            }
            device.compare_known(table, name, loc, &mut matched)
        })?;
        #[cfg(feature = "prepare")]
        let found = match name.committed {
            true => self.before_group(name, probe, found)?,
            false => found,
        };
        match found.map(|loc| table.place(device, loc)) {
            Some(place) if matched.is_some_and(|frame| frame.place() == place) => Ok(matched),
            Some(place) => device.record(place).map(Some),
            None => Ok(None),
        }
    }

    /// Refuses an answer that is older than unattributed damage.
    pub(crate) fn doubt(&self, found: Option<&Frame>) -> Result<(), Fault<M::Error>> {
        let rank = found.map_or(0, |frame| self.rank(frame));
        for damage in &self.damages {
            if rank < damage.until {
                return Err(Fault::at(What::Doubtful, damage.at));
            }
        }
        Ok(())
    }

    /// The order that a record stands for, or an earlier one.
    pub(crate) fn rank(&self, frame: &Frame) -> u64 {
        let row = self.table.get(frame.segment);
        if row.owner == crate::segments::Owner::Cold && frame.first {
            // It was doubtful when it was copied.
            0
        } else if row.owner == crate::segments::Owner::Cold {
            crate::format::shape::Shape::rank(row.n, 0)
        } else {
            crate::format::shape::Shape::rank(frame.seq, frame.at)
        }
    }

    /// Checks a key's length.
    pub(crate) fn check_key(&mut self, key: &[u8]) -> Result<(), Fault<M::Error>> {
        let max = self.key_max();
        match key.len() {
            0 => Err(Fault::plain(What::KeyEmpty)),
            len if len > max => {
                let max = u64::try_from(max).unwrap_or(u64::MAX);
                Err(self.device.refuse(What::KeyTooLong, len, (max, 0)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
    extern crate std;
    use super::*;

    /// How many of the names share a value with another one before them.
    fn collisions(names: u64, of: impl Fn(u64) -> u64) -> usize {
        let mut seen = std::collections::HashSet::new();
        (0..names).filter(|name| !seen.insert(of(*name))).count()
    }

    #[test]
    fn hashes_are_those_of_saved_indexes() {
        let hash = |name: Name<'_>| name.probe(7).hash;
        assert_eq!(hash(Name::item(b"key")), 0xD135_2FCD_E65B_E5A9);
        assert_eq!(hash(Name::list(b"a longer key")), 0x33FF_BCC5_0B89_F8E8);
        assert_eq!(
            hash(Name::dependent(b"a longer key 16", 1, 2)),
            0x7EA5_9EA2_DA6E_613C
        );
    }

    #[test]
    fn hashes_are_good_in_the_bits_that_indexes_use() {
        const NAMES: u64 = 1 << 16;
        let by_key = |number: u64| {
            let key = number.to_le_bytes();
            let len = 8 - (number.leading_zeros() / 8) as usize;
            Name::item(key.get(..len.max(1)).unwrap()).probe(7).hash
        };
        let by_text = |number: u64| {
            let key = std::format!("/settings/{number:020}");
            Name::item(key.as_bytes()).probe(7).hash
        };
        let by_number = |number: u64| Name::dependent(b"k", 1 << 32, number).probe(7).hash;
        for hash in [&by_key as &dyn Fn(u64) -> u64, &by_text, &by_number] {
            assert_eq!(collisions(NAMES, hash), 0);
            // As random ones: of 2^32 values about 0.5, of 2^18 about 7,600.
            assert!(collisions(NAMES, |name| hash(name) >> 32) < 8);
            for shift in [0, 14, 46] {
                let found = collisions(NAMES, |name| hash(name) >> shift & 0x3_FFFF);
                assert!(found.abs_diff(7600) < 600, "{found} from bit {shift} on");
            }
        }
    }
}
