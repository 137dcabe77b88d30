//! An unordered index: one word for each slot.

use core::cmp::Ordering;

use super::loading::Words;
use super::packed::{pack, unpack};
use super::{Cursor, Index, IndexFull, LOC_MAX, Loc, Probe};

/// One step of displacement; bits 56..64 hold the displacement plus one, so
/// that an empty slot (0) orders below every used one.
const STEP: u64 = 1 << 56;
/// Where the hash's low 18 bits go.
const FINGER_SHIFT: u32 = 38;
const FINGER_MASK: u64 = (1 << 18) - 1;
const PRIMARY: u64 = 1 << 37;
/// Displacement, fingerprint and primary bit.
const TAG: u64 = !LOC_MAX;

/// A hash index: Robin Hood linear probing over lent words, 8 bytes a slot.
///
/// It takes 8 / 0.85 = 9.4 bytes an entry and is meant to run full: at 85 %
/// a lookup touches three to four neighbouring slots on average. A lookup
/// asks `compare` once for an entry that is present; for an absent one it
/// asks only where an entry with the same home slot has the same 18
/// fingerprint bits, about once in 300 000 lookups.
///
/// The home slot comes from the hash's high 32 bits and the fingerprint from
/// its low 18, so the hash has to be good in both. An entry lies at most 254
/// slots from its home. A good hash stays far below that at 85 %; a hash that
/// gives hundreds of entries the same high bits does not, and meets
/// [`IndexFull`] before [`Index::capacity`].
///
/// [`Probe::primary`] is kept beside the location and is part of what an
/// entry is found by. [`Probe::prefix`] is not used.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HashIndex<'a> {
    slots: &'a mut [u64],
    len: usize,
}

/// A walk along the slots where an entry may lie.
#[derive(Clone, Copy)]
struct Walk {
    /// The slot.
    at: usize,
    /// What the entry looks like there.
    want: u64,
}

/// Why a walk stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The slot holds what was asked for.
    Match,
    /// It is not in the table; its place would be here.
    Place,
    /// It is not in the table and has no place in it.
    Far,
}

impl<'a> HashIndex<'a> {
    /// An empty index over `slots`, which it clears.
    ///
    /// Any length works, 0 and 1 with a capacity of 0; slots past the first
    /// `u32::MAX` are left unused. Costs a write of every slot.
    #[must_use]
    pub fn new(slots: &'a mut [u64]) -> Self {
        slots.fill(0);
        Self::in_zeros(slots)
    }

    /// An empty index over `slots` that are all zero, as new memory of a system
    /// is, which it does not touch. What else is in them it would take for
    /// entries.
    #[must_use]
    pub fn in_zeros(slots: &'a mut [u64]) -> Self {
        let most = slots.len().min(u32::MAX as usize);
        let slots = slots.get_mut(..most).unwrap_or_default();
        Self { slots, len: 0 }
    }

    /// The fewest slots whose [`Index::capacity`] is at least `entries`.
    #[must_use]
    pub const fn slots_for(entries: usize) -> usize {
        // ceil(entries * 20 / 17), without overflow in between.
        let rest = (entries % 17).saturating_mul(20).div_ceil(17);
        (entries / 17).saturating_mul(20).saturating_add(rest)
    }

    fn full(&self) -> IndexFull {
        IndexFull {
            capacity: self.capacity(),
        }
    }

    fn slot(&self, at: usize) -> u64 {
        self.slots.get(at).copied().unwrap_or(0)
    }

    fn set(&mut self, at: usize, word: u64) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = word;
        }
    }

    /// The slot behind a slot.
    fn after(&self, at: usize) -> usize {
        let next = at.wrapping_add(1);
        if next < self.slots.len() { next } else { 0 }
    }

    /// The start of the walk for an entry.
    fn walk(&self, probe: &Probe) -> Walk {
        // Both factors are below 2^32.
        let home = (probe.hash >> 32).wrapping_mul(self.slots.len() as u64) >> 32;
        let primary = if probe.primary { PRIMARY } else { 0 };
        Walk {
            at: home as usize,
            want: STEP | ((probe.hash & FINGER_MASK) << FINGER_SHIFT) | primary,
        }
    }

    /// Goes to the next slot, unless that is too far from home.
    fn advance(&self, walk: &mut Walk) -> bool {
        let Some(want) = walk.want.checked_add(STEP) else {
            return false;
        };
        walk.want = want;
        walk.at = self.after(walk.at);
        true
    }

    /// Goes on to the first slot that is as wanted in the bits of `mask`.
    #[inline]
    fn run(&self, walk: &mut Walk, mask: u64) -> Stop {
        loop {
            let Some(&word) = self.slots.get(walk.at) else {
                return Stop::Far;
            };
            if (word ^ walk.want) & mask == 0 {
                return Stop::Match;
            }
            // Entries lie in the order of their homes: behind one that is
            // nearer to its home than this walk is, there is none of ours.
            if word >> 56 < walk.want >> 56 {
                return Stop::Place;
            }
            if !self.advance(walk) {
                return Stop::Far;
            }
        }
    }

    /// Where the entry lies, or where it would have to.
    #[inline]
    fn look<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<(Walk, Stop), E> {
        let mut walk = self.walk(probe);
        loop {
            let stop = self.run(&mut walk, TAG);
            if stop != Stop::Match || compare(Loc(self.slot(walk.at) & LOC_MAX))?.is_eq() {
                return Ok((walk, stop));
            }
            if !self.advance(&mut walk) {
                return Ok((walk, Stop::Far));
            }
        }
    }

    /// The slot of the entry that points exactly at `from`.
    fn exact(&self, probe: &Probe, from: Loc) -> Option<usize> {
        if from.0 > LOC_MAX {
            return None;
        }
        let mut walk = self.walk(probe);
        walk.want |= from.0;
        (self.run(&mut walk, u64::MAX) == Stop::Match).then_some(walk.at)
    }

    /// Puts a new entry where its walk ended; the entries from there to the
    /// next empty slot move on by one. Decides before it moves any.
    fn place(&mut self, walk: Walk, to: Loc) -> Result<(), IndexFull> {
        if self.len >= self.capacity() {
            return Err(self.full());
        }
        // Below capacity there is an empty slot.
        let mut at = walk.at;
        loop {
            match self.slot(at) {
                0 => break,
                word if word.checked_add(STEP).is_none() => return Err(self.full()),
                _ => at = self.after(at),
            }
        }
        let mut carry = walk.want | to.0;
        at = walk.at;
        loop {
            let word = self.slot(at);
            self.set(at, carry);
            if word == 0 {
                break;
            }
            carry = word.wrapping_add(STEP);
            at = self.after(at);
        }
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Empties a slot; the entries behind it that are not at home move back.
    fn take(&mut self, mut at: usize) {
        loop {
            let next = self.after(at);
            let moved = match self.slot(next) {
                word if word >> 56 > 1 => word.wrapping_sub(STEP),
                _ => 0,
            };
            self.set(at, moved);
            if moved == 0 {
                break;
            }
            at = next;
        }
        self.len = self.len.saturating_sub(1);
    }

    /// The entry in a slot.
    fn entry(&self, at: usize) -> (Loc, bool) {
        let word = self.slot(at);
        (Loc(word & LOC_MAX), word & PRIMARY != 0)
    }
}

/// Costs: each of `find`, `insert`, `relocate`, `points_at` and `remove` reads a run of
/// neighbouring slots, about 4 on average at 85 %; 42 were the most with a
/// good hash and a million slots. `insert` of a new entry also rewrites the
/// slots up to the next empty one, some 20 at 85 %, and `remove` those up to
/// the next that is empty or holds an entry at home. `find` and `insert` ask
/// `compare` once where the entry is present, else almost never; `relocate`,
/// `points_at` and `remove` never. `next` and `prev` walk the slots in hash order, over
/// 1.2 slots an entry in a full table and over the whole of an empty one.
///
/// Saved are the number of slots, then the slots (see `packed`): only a table of
/// as many slots can be loaded from them, for the hashes are not kept.
impl Index for HashIndex<'_> {
    const ORDERED: bool = false;
    const FORM: u32 = 1;

    fn len(&self) -> usize {
        self.len
    }

    /// 85 % of the slots.
    fn capacity(&self) -> usize {
        // floor(slots * 17 / 20), without overflow in between.
        let slots = self.slots.len();
        let rest = (slots % 20).wrapping_mul(17) / 20;
        (slots / 20).wrapping_mul(17).wrapping_add(rest)
    }

    /// Costs a write of every slot, unless none is used.
    fn clear(&mut self) {
        if self.len > 0 {
            self.slots.fill(0);
        }
        self.len = 0;
    }

    #[inline]
    fn find<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Loc>, E> {
        let (walk, stop) = self.look(probe, compare)?;
        Ok((stop == Stop::Match).then(|| self.entry(walk.at).0))
    }

    /// A load that nothing waits for.
    #[inline]
    fn foresee(&self, probe: &Probe) {
        core::hint::black_box(self.slot(self.walk(probe).at));
    }

    fn insert<E>(
        &mut self,
        probe: &Probe,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Result<Option<Loc>, IndexFull>, E> {
        if to.0 > LOC_MAX {
            return Ok(Err(self.full()));
        }
        let (walk, stop) = self.look(probe, compare)?;
        Ok(match stop {
            Stop::Match => {
                let (old, _) = self.entry(walk.at);
                self.set(walk.at, walk.want | to.0);
                Ok(Some(old))
            }
            Stop::Place => self.place(walk, to).map(|()| None),
            Stop::Far => Err(self.full()),
        })
    }

    fn relocate<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        to: Loc,
        _compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        if to.0 > LOC_MAX {
            return Ok(false);
        }
        let found = self.exact(probe, from);
        if let Some(at) = found {
            self.set(at, (self.slot(at) & TAG) | to.0);
        }
        Ok(found.is_some())
    }

    fn points_at<E>(
        &self,
        probe: &Probe,
        at: Loc,
        _compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        Ok(self.exact(probe, at).is_some())
    }

    fn remove<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        _compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        let found = self.exact(probe, from);
        if let Some(at) = found {
            self.take(at);
        }
        Ok(found.is_some())
    }

    fn first(&self) -> Cursor {
        Cursor { node: 0, slot: 0 }
    }

    fn next(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        let rest = self.slots.get(at.node as usize..)?;
        let skip = rest.iter().position(|&word| word != 0)?;
        let at = (at.node as usize).wrapping_add(skip);
        let (loc, primary) = self.entry(at);
        let node = at.wrapping_add(1) as u32;
        Some((loc, primary, Cursor { node, slot: 0 }))
    }

    fn prev(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        let end = self.slots.len().min(at.node as usize);
        let before = self.slots.get(..end)?;
        let at = before.iter().rposition(|&word| word != 0)?;
        let (loc, primary) = self.entry(at);
        let node = at as u32;
        Some((loc, primary, Cursor { node, slot: 0 }))
    }

    fn seek<E>(
        &self,
        _probe: &Probe,
        _compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Cursor, E> {
        Ok(self.first())
    }

    fn save<E>(&self, word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
        word(self.slots.len() as u64)?;
        pack(self.slots, word)
    }

    fn load<E>(
        &mut self,
        count: u64,
        end: Loc,
        read: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        let blank = self.len == 0;
        // Until it is known, so that it is cleared.
        self.len = usize::MAX;
        let mut words = Words::new(count, read);
        let slots = words.show(1)?.first().map(|word| u64::from_le_bytes(*word));
        words.take(1);
        if slots != Some(self.slots.len() as u64) {
            return Ok(false);
        }
        let Some(len) = unpack(self.slots, blank, end, &mut words)? else {
            return Ok(false);
        };
        if len > self.capacity() {
            return Ok(false);
        }
        self.len = len;
        Ok(true)
    }

    fn leave_out(&mut self, gone: &mut dyn FnMut(Loc, bool) -> bool) -> bool {
        let mut at = 0;
        while at < self.slots.len() {
            let (loc, primary) = self.entry(at);
            let used = self.slot(at) != 0;
            if used && gone(loc, primary) {
                // The one behind may have come here.
                self.take(at);
            } else {
                at = at.wrapping_add(1);
            }
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::all, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    extern crate std;
    use super::super::words::{load, words};
    use super::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;
    use std::{eprintln, vec};

    struct Rng(u64);
    impl Rng {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(self.0)
        }
        fn below(&mut self, n: usize) -> usize {
            (self.next() % n.max(1) as u64) as usize
        }
    }

    /// Prints the seed where a test fails.
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("seed {:#x}", self.0);
            }
        }
    }

    fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    type Asked = Result<Ordering, ()>;

    fn never(_: Loc) -> Asked {
        panic!("compare called")
    }

    fn absent(_: Loc) -> Asked {
        Ok(Ordering::Less)
    }

    /// A probe whose hash has `bits` good bits high and low.
    fn probe(key: u64, bits: u32) -> Probe {
        let z = mix(key ^ 0x5bd1);
        let keep = u64::MAX << (32 - bits) & u64::from(u32::MAX);
        Probe {
            hash: (z & (keep << 32)) | (z & ((1 << bits) - 1)),
            prefix: 0,
            primary: key & 1 == 1,
        }
    }

    fn check(index: &HashIndex<'_>) {
        let n = index.slots.len();
        let mut used = 0;
        for at in 0..n {
            let word = index.slots[at];
            let before = index.slots[(at + n - 1) % n];
            used += usize::from(word != 0);
            assert!(word >> 56 <= (before >> 56) + 1, "gap before {at}");
        }
        assert_eq!(used, index.len());
        assert!(used <= index.capacity());
    }

    fn walk(index: &HashIndex<'_>) -> Vec<(Loc, bool)> {
        let mut all = Vec::new();
        let mut at = index.first();
        while let Some((loc, primary, next)) = index.next(at) {
            let (again, bit, here) = index.prev(next).unwrap();
            assert_eq!((again, bit), (loc, primary));
            assert_eq!(index.next(here), Some((loc, primary, next)));
            all.push((loc, primary));
            at = next;
        }
        let mut back = Vec::new();
        while let Some((loc, primary, before)) = index.prev(at) {
            back.push((loc, primary));
            at = before;
        }
        back.reverse();
        assert_eq!(all, back);
        all
    }

    #[test]
    fn loads_what_was_saved_and_nothing_else() {
        let mut memory = vec![0; 300];
        let mut index = HashIndex::new(&mut memory);
        for key in 0..200 {
            let added = index.insert(&probe(key, 32), Loc(key * 3), &mut absent);
            assert_eq!(added, Ok(Ok(None)));
        }
        let saved = words(&index);
        // The slots, five blocks, and the entries.
        assert_eq!(saved.len(), 1 + 5 + 200);
        let mut other = vec![7; 300];
        let mut other = HashIndex::new(&mut other);
        assert!(load(&mut other, &saved, 600));
        assert_eq!((other.len(), &other.slots), (200, &index.slots));
        assert!(!load(&mut other, &saved, 597), "a location too far");
        assert!(!load(&mut other, &[], 600));
        let mut larger = vec![0; 301];
        assert!(!load(&mut HashIndex::new(&mut larger), &saved, 600));
        let mut none = HashIndex::new(&mut []);
        assert!(load(&mut none, &[0], 600) && !load(&mut none, &[0, STEP], 600));
    }

    #[test]
    fn loads_into_any_memory_and_takes_little_for_few() {
        for used in [0, 1, 5, 40] {
            let mut memory = vec![0; 10_000];
            let mut index = HashIndex::new(&mut memory);
            for key in 0..used {
                let added = index.insert(&probe(key, 32), Loc(key), &mut absent);
                assert_eq!(added, Ok(Ok(None)));
            }
            let saved = words(&index);
            assert!(saved.len() <= 3 + 4 * used as usize, "{}", saved.len());
            let mut other = vec![0; 10_000];
            let mut other = HashIndex::in_zeros(&mut other);
            for _ in 0..2 {
                assert!(load(&mut other, &saved, 600));
                assert_eq!((other.len(), &other.slots), (used as usize, &index.slots));
                // Of what did not load nothing is left.
                assert!(!load(&mut other, &saved[..saved.len() - 1], 600));
                assert!(load(&mut other, &saved, 600));
                assert_eq!((other.len(), &other.slots), (used as usize, &index.slots));
                assert!(!load(&mut other, &[9], 600));
                other.clear();
                assert!(other.slots.iter().all(|slot| *slot == 0));
            }
        }
    }

    #[test]
    fn what_cannot_be_a_table_is_not_loaded() {
        let mut memory = vec![0; 70];
        let mut index = HashIndex::new(&mut memory);
        let entry = STEP | 5;
        assert!(load(
            &mut index,
            &[70, 0b11, entry, entry, 0b100000, entry],
            6
        ));
        assert_eq!(
            (index.len(), index.slot(1), index.slot(69)),
            (3, entry, entry)
        );
        assert!(load(&mut index, &[70, 0, 2], 6));
        for (forged, why) in [
            (&[70, 0b11, entry, entry][..], "a block is missing"),
            (&[70, 0b11, entry, entry, 0b10, entry, 0], "a word too many"),
            (&[70, 0b11, entry, 5, 0, 1], "a used slot that is not"),
            (&[70, 0b11, entry, entry + 1, 0, 1], "a location too far"),
            (&[70, 0, 1, 0b1000000, entry], "a slot behind the last"),
            (&[70, 0, 0, 0, 1, 0, 1], "no blocks"),
            (&[70, 0], "half a run"),
            (&[70, 0b11, entry], "half a block"),
        ] {
            assert!(!load(&mut index, forged, 6), "{why}");
        }
        let all = [&[70, u64::MAX][..], &[entry; 64], &[0b111111], &[entry; 6]].concat();
        assert!(!load(&mut index, &all, 6), "too many");
    }

    #[test]
    fn loads_all_but_what_is_dropped() {
        for slots in [7, 20, 64, 300, 1000] {
            let _seed = Seed(slots as u64);
            let mut memory = vec![0; slots];
            let mut index = HashIndex::new(&mut memory);
            let keys = index.capacity() as u64;
            for key in 0..keys {
                let added = index.insert(&probe(key, 18), Loc(key * 3), &mut absent);
                assert_eq!(added, Ok(Ok(None)));
            }
            let saved = words(&index);
            for part in 1..6 {
                let kept = |key: u64| key % part != 0;
                assert!(load(&mut index, &saved, LOC_MAX));
                assert!(index.leave_out(&mut |loc, _| !kept(loc.0 / 3)));
                check(&index);
                for key in 0..keys {
                    let mut is = |loc: Loc| Ok::<_, ()>(loc.0.cmp(&(key * 3)));
                    let found = index.find(&probe(key, 18), &mut is);
                    assert_eq!(found, Ok(kept(key).then_some(Loc(key * 3))));
                }
            }
        }
    }

    #[test]
    fn loads_any_words_without_harm() {
        let _seed = Seed(11);
        let mut rng = Rng(11);
        let mut loaded = 0;
        for _ in 0..2000 {
            let mut memory = vec![0; 40];
            let mut index = HashIndex::new(&mut memory);
            let used = rng.next() >> 24 & rng.next() >> rng.below(30);
            let mut forged = vec![40, used];
            forged.extend((0..used.count_ones()).map(|_| rng.next() | STEP));
            let at = rng.below(forged.len());
            match rng.below(8) {
                0 => forged[at] = rng.next(),
                1 => forged[at] ^= 1 << rng.below(64),
                _ => {}
            }
            if load(&mut index, &forged, LOC_MAX + 1) {
                loaded += 1;
                for key in 0..40 {
                    let (probe, to) = (probe(key, 32), Loc(key));
                    let _ = index.insert(&probe, to, &mut absent).unwrap();
                    let _ = index.find(&probe, &mut absent);
                    let _ = index.remove(&probe, to, &mut never);
                }
                index.leave_out(&mut |loc, _| loc.0 % 2 == 0);
            }
        }
        assert!(loaded > 500, "{loaded}");
    }

    fn model(seed: u64, slots: usize, bits: u32, ops: usize) {
        let _seed = Seed(seed);
        let mut rng = Rng(seed);
        let mut memory = vec![u64::MAX; slots];
        let mut index = HashIndex::new(&mut memory);
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let mut medium: BTreeMap<u64, u64> = BTreeMap::new();
        let keys = slots + 3;
        for op in 0..ops {
            let key = rng.below(keys) as u64;
            let probe = probe(key, bits);
            let to = rng.next() & LOC_MAX;
            if medium.contains_key(&to) {
                continue;
            }
            let records = medium.clone();
            let mut compare = |loc: Loc| -> Asked { Ok(records[&loc.0].cmp(&key)) };
            // Fills for a while, then empties for a while.
            let removes = if op / 500 % 2 == 0 { 2 } else { 5 };
            match rng.below(10) {
                0 | 1 => {
                    let found = index.find(&probe, &mut compare).unwrap();
                    assert_eq!(found.map(|loc| loc.0), model.get(&key).copied());
                }
                2 => {
                    let from = model.get(&key).copied().unwrap_or(to);
                    let there = index.points_at(&probe, Loc(from), &mut never);
                    assert_eq!(there, Ok(model.contains_key(&key)));
                    assert_eq!(index.points_at(&probe, Loc(to), &mut never), Ok(false));
                    let moved = index.relocate(&probe, Loc(from), Loc(to), &mut never);
                    assert_eq!(moved, Ok(model.contains_key(&key)));
                    if moved.unwrap() {
                        medium.remove(&from);
                        medium.insert(to, key);
                        model.insert(key, to);
                    } else {
                        assert_eq!(index.remove(&probe, Loc(to), &mut never), Ok(false));
                    }
                }
                x if x < 3 + removes => {
                    let Some(&from) = model.get(&key) else {
                        continue;
                    };
                    assert_eq!(index.remove(&probe, Loc(from ^ 1), &mut never), Ok(false));
                    let far = Loc(from | (1 << 37));
                    assert_eq!(index.remove(&probe, far, &mut never), Ok(false));
                    assert_eq!(index.remove(&probe, Loc(from), &mut never), Ok(true));
                    medium.remove(&from);
                    model.remove(&key);
                }
                _ => {
                    let before = index.slots.to_vec();
                    match index.insert(&probe, Loc(to), &mut compare).unwrap() {
                        Ok(old) => {
                            assert_eq!(old.map(|loc| loc.0), model.insert(key, to));
                            old.map(|loc| medium.remove(&loc.0));
                            medium.insert(to, key);
                        }
                        Err(full) => {
                            assert!(!model.contains_key(&key));
                            assert_eq!(full.capacity, index.capacity());
                            assert_eq!(before, index.slots);
                            if bits > 8 {
                                assert_eq!(model.len(), full.capacity);
                            }
                        }
                    }
                }
            }
            assert_eq!(index.len(), model.len());
            if op % 64 == 0 || op + 1 == ops {
                check(&index);
                let mut seen = walk(&index);
                seen.sort();
                let mut want: Vec<_> = model.iter().map(|(k, l)| (Loc(*l), k & 1 == 1)).collect();
                want.sort();
                assert_eq!(seen, want);
                let saved = words(&index);
                assert!(load(&mut index, &saved, LOC_MAX + 1));
            }
        }
        index.clear();
        assert_eq!((index.len(), walk(&index).len()), (0, 0));
    }

    #[test]
    fn behaves_as_a_map() {
        for slots in [0, 1, 2, 3, 7, 20, 64, 300] {
            for bits in [0, 1, 3, 16, 18] {
                model(
                    0x1dea + slots as u64 * 64 + u64::from(bits),
                    slots,
                    bits,
                    4000,
                );
            }
        }
    }

    #[test]
    fn slots_for_is_the_inverse_of_capacity() {
        let mut memory = vec![0; 3000];
        for entries in 0..2000 {
            let slots = HashIndex::slots_for(entries);
            assert!(HashIndex::new(&mut memory[..slots]).capacity() >= entries);
            if slots > 0 {
                assert!(HashIndex::new(&mut memory[..slots - 1]).capacity() < entries);
            }
        }
        assert_eq!(HashIndex::slots_for(usize::MAX), usize::MAX);
    }

    #[test]
    fn takes_85_percent_with_a_good_hash() {
        let mut worst = 0;
        for slots in [1_000, 4_096, 30_000, 262_144, 1 << 20] {
            for seed in 0..if slots > 100_000 { 1 } else { 8 } {
                let _seed = Seed(seed);
                let mut memory = vec![0; slots];
                let mut index = HashIndex::new(&mut memory);
                let full = index.capacity() as u64;
                assert_eq!(full, slots as u64 * 85 / 100);
                let base = seed << 32;
                // Entries that are told apart by the fingerprint mostly.
                for key in 0..full {
                    let put = index.insert(&probe(base + key, 32), Loc(key), &mut absent);
                    assert_eq!(put, Ok(Ok(None)));
                }
                let over = index.insert(&probe(base + full, 32), Loc(full), &mut absent);
                let capacity = full as usize;
                assert_eq!(over, Ok(Err(IndexFull { capacity })));
                // Churn at capacity.
                for key in 0..full / 2 {
                    let from = Loc(key);
                    assert!(
                        index
                            .remove(&probe(base + key, 32), from, &mut never)
                            .unwrap()
                    );
                    let new = probe(base + full + key, 32);
                    let put = index.insert(&new, Loc(full + key), &mut absent);
                    assert_eq!(put, Ok(Ok(None)));
                }
                check(&index);
                worst = worst.max(index.slots.iter().map(|w| w >> 56).max().unwrap());
                for key in full / 2..full + full / 2 {
                    let is = |loc: Loc| Ok::<_, ()>(loc.0.cmp(&key));
                    let found = index.find(&probe(base + key, 32), &mut { is });
                    assert_eq!(found, Ok(Some(Loc(key))));
                }
            }
        }
        assert!(worst < 160, "displacement {worst}");
    }

    #[test]
    fn errors_change_nothing() {
        let mut memory = vec![0; 100];
        let mut index = HashIndex::new(&mut memory);
        for key in 0..40 {
            let put = index.insert(&probe(key, 0), Loc(key), &mut absent);
            // Without a hash bit even and odd keys differ in `primary` only.
            assert_eq!(put, Ok(Ok(None)));
        }
        let before = index.slots.to_vec();
        for fail in 0..20 {
            let mut left = fail;
            let mut compare = |_: Loc| {
                left -= 1;
                if left < 0 {
                    Err(fail)
                } else {
                    Ok(Ordering::Less)
                }
            };
            assert_eq!(index.find(&probe(2, 0), &mut compare), Err(fail));
            left = fail;
            let mut compare = |_: Loc| {
                left -= 1;
                if left < 0 {
                    Err(fail)
                } else {
                    Ok(Ordering::Less)
                }
            };
            assert_eq!(index.insert(&probe(2, 0), Loc(99), &mut compare), Err(fail));
            assert_eq!(before, index.slots);
            assert_eq!(index.len(), 40);
        }
    }

    #[test]
    fn too_far_from_home_is_full() {
        let mut memory = vec![0; 1000];
        let mut index = HashIndex::new(&mut memory);
        // All at home in slot 0: 255 places.
        let at_zero = |key: u64| Probe {
            hash: key & FINGER_MASK,
            prefix: 0,
            primary: true,
        };
        for key in 0..255 {
            assert_eq!(
                index.insert(&at_zero(key), Loc(key), &mut absent),
                Ok(Ok(None))
            );
        }
        let before = index.slots.to_vec();
        let full = Err(IndexFull { capacity: 850 });
        assert_eq!(index.insert(&at_zero(255), Loc(255), &mut absent), Ok(full));
        assert_eq!(before, index.slots);
        // One at home further up goes behind them, and one that would push
        // them on cannot.
        let later = |slot: u64| Probe {
            hash: ((slot << 32).div_ceil(1000) << 32) | 7,
            prefix: 0,
            primary: true,
        };
        assert_eq!(
            index.insert(&later(10), Loc(1000), &mut absent),
            Ok(Ok(None))
        );
        assert!(index.remove(&at_zero(9), Loc(9), &mut never).unwrap());
        assert_eq!(
            index.insert(&later(999), Loc(1001), &mut absent),
            Ok(Ok(None))
        );
        assert_eq!(
            index.insert(&later(999), Loc(1002), &mut absent),
            Ok(Ok(None))
        );
        let before = index.slots.to_vec();
        assert_eq!(index.insert(&later(999), Loc(1003), &mut absent), Ok(full));
        assert_eq!(before, index.slots);
        check(&index);
        for key in (0..255).filter(|&key| key != 9) {
            let is = |loc: Loc| Ok::<_, ()>(loc.0.cmp(&key));
            assert_eq!(index.find(&at_zero(key), &mut { is }), Ok(Some(Loc(key))));
        }
    }

    #[test]
    fn refuses_locations_that_do_not_fit() {
        let mut memory = vec![0; 10];
        let mut index = HashIndex::new(&mut memory);
        let (p, max) = (probe(5, 18), Loc(LOC_MAX));
        let far = Loc(LOC_MAX + 1);
        assert!(index.insert(&p, far, &mut absent).unwrap().is_err());
        assert_eq!(index.insert(&p, max, &mut absent), Ok(Ok(None)));
        assert_eq!(index.relocate(&p, max, far, &mut never), Ok(false));
        assert_eq!(index.relocate(&p, far, max, &mut never), Ok(false));
        assert_eq!(walk(&index), [(max, true)]);
        let at = Cursor {
            node: u32::MAX,
            slot: 9,
        };
        assert_eq!(index.next(at), None);
        assert_eq!(index.prev(at).unwrap().0, max);
    }
}
