//! An ordered index: a B+tree that caches eight bytes of each key.

use core::cmp::Ordering;

use super::loading::Words;
use super::{Cursor, Index, IndexFull, LOC_MAX, Loc, Probe};
use crate::math::Saturate;

/// Entries in a node. By measurement 16 to 48 differ little at a million
/// entries (what counts is memory's latency); 16 walks slower, and larger
/// nodes leave more slack in a small index.
const FAN: usize = 32;
/// The fewest entries in a node, but for the root and the children of a root
/// that has two: what the smallest of three nodes gets when two full ones and
/// one more entry are spread over them.
const MIN: usize = (2 * FAN + 1) / 3;
/// Of two children of a root each has half a full node and so more than two
/// children itself, where it has any: the last node with two is the root.
const _: () = assert!(FAN >= 5);
const PRIMARY: u64 = 1 << 37;
/// Location and primary bit; an inner node has its child's number above.
const LOW: u64 = (PRIMARY << 1) - 1;
const CHILD_SHIFT: u32 = 38;
const MAX_NODES: usize = 1 << (64 - CHILD_SHIFT);
const NONE: u32 = u32::MAX;

/// Levels of the tallest tree.
const DEPTH: usize = {
    let mut depth = 1;
    let mut nodes = MAX_NODES;
    while nodes > 1 {
        nodes /= MIN;
        depth += 1;
    }
    depth
};

/// A key's first eight bytes, and its location with the primary bit (and in
/// an inner node the child that begins with it).
type Entry = (u64, u64);

/// Memory for an [`OrderedIndex`]: one node of the tree, 528 bytes. Integers
/// alone, so memory of zeros holds nodes too.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OrderedNode {
    entries: [Entry; FAN],
    len: u32,
    /// Leaves: the neighbours. Free nodes: the next free one.
    next: u32,
    prev: u32,
}

impl Default for OrderedNode {
    fn default() -> Self {
        Self {
            entries: [(0, 0); FAN],
            len: 0,
            next: NONE,
            prev: NONE,
        }
    }
}

impl OrderedNode {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn get(&self, at: usize) -> Entry {
        self.entries.get(at).copied().unwrap_or_default()
    }

    fn set(&mut self, at: usize, entry: Entry) {
        if let Some(place) = self.entries.get_mut(at) {
            *place = entry;
        }
    }

    /// Adds an entry at a place; the later ones move on.
    fn open(&mut self, at: usize, mut entry: Entry) {
        let len = self.len();
        let Some(places) = self.entries.get_mut(at..=len) else {
            return;
        };
        for place in places {
            core::mem::swap(place, &mut entry);
        }
        self.len = self.len.wrapping_add(1);
    }

    /// Takes the entry at a place out; the later ones move back.
    fn close(&mut self, at: usize) {
        let len = self.len();
        let Some(places) = self.entries.get_mut(at..len) else {
            return;
        };
        let mut entry = (0, 0);
        for place in places.iter_mut().rev() {
            core::mem::swap(place, &mut entry);
        }
        self.len = self.len.saturating_sub(1);
    }

    /// The places from `from` on whose prefix is equal.
    fn ties(&self, from: usize, prefix: u64) -> (usize, usize) {
        let all = self.entries.get(from..self.len()).unwrap_or_default();
        // Faster than a binary search, whose steps wait for memory one by one.
        let less = all.iter().filter(|entry| entry.0 < prefix).count();
        let tied = all.get(less..).unwrap_or_default();
        // Most often there are none or one.
        let tied = tied.iter().take_while(|entry| entry.0 == prefix).count();
        let low = from.wrapping_add(less);
        (low, low.wrapping_add(tied))
    }

    /// The first place from `from` on whose entry is not less than the probe,
    /// and whether it is equal. One that is `known` to be equal is found without
    /// asking.
    fn search<E>(
        &self,
        from: usize,
        prefix: u64,
        known: Option<Loc>,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<(usize, bool), E> {
        let (mut low, mut high) = self.ties(from, prefix);
        if let Some(known) = known
            && let Some(place) = (low..high).find(|at| loc_of(self.get(*at)) == known)
        {
            return Ok((place, true));
        }
        while low < high {
            let middle = low.midpoint(high);
            match compare(loc_of(self.get(middle)))? {
                Ordering::Less => low = middle.wrapping_add(1),
                Ordering::Equal => return Ok((middle, true)),
                Ordering::Greater => high = middle,
            }
        }
        Ok((low, false))
    }
}

fn loc_of(entry: Entry) -> Loc {
    Loc(entry.1 & LOC_MAX)
}

fn child_of(entry: Entry) -> u32 {
    (entry.1 >> CHILD_SHIFT) as u32
}

fn word(to: Loc, primary: bool) -> u64 {
    to.0 | if primary { PRIMARY } else { 0 }
}

/// The most nodes that a tree of so many entries can take.
const fn most_nodes(entries: usize) -> usize {
    let mut count = entries;
    let mut total: usize = 0;
    loop {
        count = if count <= FAN {
            1
        } else if count < 2 * MIN {
            2
        } else {
            count / MIN
        };
        total = total.saturating_add(count);
        if count == 1 {
            return total;
        }
    }
}

/// The way from the root to a leaf: a node and a place in it for each level.
#[derive(Default)]
struct Path([(u32, u32); DEPTH]);

impl Path {
    fn at(&self, level: usize) -> (u32, usize) {
        let (node, place) = self.0.get(level).copied().unwrap_or((NONE, 0));
        (node, place as usize)
    }

    fn set(&mut self, level: usize, node: u32, place: usize) {
        if let Some(step) = self.0.get_mut(level) {
            *step = (node, place as u32);
        }
    }
}

/// An ordered index: a B+tree over lent nodes, with the first eight bytes of
/// the key beside each location.
///
/// A node takes 528 bytes and holds 32 entries, at least 21 but for a handful
/// of nodes at the root: [`Index::capacity`] counts on 21, 26 bytes an entry
/// for certain; entries added at random come to about 20 bytes.
///
/// Where the eight bytes tell the keys apart no record is read but the one
/// that is found. Where keys share them, `compare` is asked in a binary search
/// among those that share: `log2` of their number. Every location in the index
/// may be asked for, so the records at them must be readable until they are
/// relocated or removed.
///
/// [`Probe::hash`] is not used.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OrderedIndex<'a> {
    nodes: &'a mut [OrderedNode],
    len: usize,
    capacity: usize,
    root: u32,
    /// The level of the leaves; the root's is 0.
    height: usize,
    /// Nodes in use or in the list of freed ones; those behind were never used.
    fresh: usize,
    /// The list of freed nodes, and its length.
    freed: u32,
    freed_len: usize,
}

// An entry of an inner node mirrors the first entry of the child's subtree:
// prefix, location and primary bit. The leftmost leaf is always node 0, as a
// split adds nodes to the right, a merge frees the right one, and a new root
// takes a new node.
impl<'a> OrderedIndex<'a> {
    /// An empty index over `nodes`, which it clears.
    ///
    /// Any length works, 0 with a capacity of 0; nodes past the first 2^26 are
    /// left unused. Does not touch the nodes but the first.
    #[must_use]
    pub fn new(nodes: &'a mut [OrderedNode]) -> Self {
        let count = nodes.len().min(MAX_NODES);
        let nodes = nodes.get_mut(..count).unwrap_or_default();
        // The most entries whose tree never takes more nodes.
        let (mut low, mut high) = (0, count.saturating_mul(FAN));
        while count > 0 && low < high {
            let middle = high.wrapping_sub(high.wrapping_sub(low) / 2);
            if most_nodes(middle) <= count {
                low = middle;
            } else {
                high = middle.wrapping_sub(1);
            }
        }
        let mut index = Self {
            nodes,
            len: 0,
            capacity: low,
            root: 0,
            height: 0,
            fresh: 0,
            freed: NONE,
            freed_len: 0,
        };
        index.clear();
        index
    }

    /// The fewest nodes whose [`Index::capacity`] is at least `entries`.
    #[must_use]
    pub const fn nodes_for(entries: usize) -> usize {
        if entries == 0 { 0 } else { most_nodes(entries) }
    }

    fn full(&self) -> IndexFull {
        IndexFull {
            capacity: self.capacity,
        }
    }

    fn node(&self, id: u32) -> Option<&OrderedNode> {
        self.nodes.get(id as usize)
    }

    fn node_mut(&mut self, id: u32) -> Option<&mut OrderedNode> {
        self.nodes.get_mut(id as usize)
    }

    fn node_len(&self, id: u32) -> usize {
        self.node(id).map_or(0, OrderedNode::len)
    }

    fn entry(&self, id: u32, place: usize) -> Entry {
        self.node(id).map_or((0, 0), |node| node.get(place))
    }

    /// The entry for a child in its parent.
    fn mirrored(&self, child: u32) -> Entry {
        let (prefix, word) = self.entry(child, 0);
        (prefix, (word & LOW) | (u64::from(child) << CHILD_SHIFT))
    }

    /// Renews a parent's entry for a child.
    fn mirror(&mut self, parent: u32, place: usize) {
        let entry = self.mirrored(child_of(self.entry(parent, place)));
        if let Some(node) = self.node_mut(parent) {
            node.set(place, entry);
        }
    }

    /// Renews the entries above a leaf whose first entry has changed.
    fn mirror_up(&mut self, path: &Path) {
        let mut level = self.height;
        while level > 0 && path.at(level).1 == 0 {
            level = level.wrapping_sub(1);
            let (parent, place) = path.at(level);
            self.mirror(parent, place);
        }
    }

    fn alloc(&mut self) -> Option<u32> {
        let id = if self.freed == NONE {
            let id = self.fresh as u32;
            self.nodes.get(self.fresh)?;
            self.fresh = self.fresh.wrapping_add(1);
            id
        } else {
            let id = self.freed;
            self.freed = self.node(id)?.next;
            self.freed_len = self.freed_len.saturating_sub(1);
            id
        };
        let node = self.node_mut(id)?;
        (node.len, node.next, node.prev) = (0, NONE, NONE);
        Some(id)
    }

    fn free(&mut self, id: u32) {
        let freed = self.freed;
        if let Some(node) = self.node_mut(id) {
            (node.len, node.next, node.prev) = (0, freed, NONE);
            self.freed = id;
            self.freed_len = self.freed_len.wrapping_add(1);
        }
    }

    /// Makes two leaves neighbours.
    fn link(&mut self, left: u32, right: u32) {
        if let Some(node) = self.node_mut(left) {
            node.next = right;
        }
        if let Some(node) = self.node_mut(right) {
            node.prev = left;
        }
    }

    /// A new node behind `left`, on the same level.
    fn alloc_after(&mut self, left: u32, level: usize) -> Option<u32> {
        let new = self.alloc()?;
        if level == self.height {
            let right = self.node(left)?.next;
            self.link(left, new);
            self.link(new, right);
        }
        Some(new)
    }

    /// Frees an emptied node behind `left`, on the same level.
    fn free_after(&mut self, left: u32, empty: u32, level: usize) {
        if level == self.height {
            let right = self.node(empty).map_or(NONE, |node| node.next);
            self.link(left, right);
        }
        self.free(empty);
    }

    /// Moves entries between neighbours so that the left one has `keep`.
    fn balance(&mut self, left: u32, right: u32, keep: usize) {
        let Ok([l, r]) = self.nodes.get_disjoint_mut([left as usize, right as usize]) else {
            return;
        };
        let (have, others) = (l.len(), r.len());
        let rest = have.saturating_add(others).saturating_sub(keep);
        if let Some(count) = have.checked_sub(keep) {
            for i in (0..others).rev() {
                r.set(i.wrapping_add(count), r.get(i));
            }
            for i in 0..count {
                r.set(i, l.get(keep.wrapping_add(i)));
            }
        } else {
            let count = keep.saturating_sub(have);
            for i in 0..count {
                l.set(have.wrapping_add(i), r.get(i));
            }
            for i in 0..rest {
                r.set(i, r.get(i.wrapping_add(count)));
            }
        }
        (l.len, r.len) = (keep as u32, rest as u32);
    }

    /// Balances two neighbours that together have room for one entry, and
    /// adds it at a place counted over both.
    fn balance_open(&mut self, left: u32, right: u32, place: usize, entry: Entry) {
        let total = self.node_len(left).saturating_add(self.node_len(right));
        let half = total.saturating_add(1) / 2;
        let (keep, target, place) = if place < half {
            (half.saturating_sub(1), left, place)
        } else {
            (half, right, place.wrapping_sub(half))
        };
        self.balance(left, right, keep);
        if let Some(node) = self.node_mut(target) {
            node.open(place, entry);
        }
    }

    /// The child at a place and a neighbour: the place of the left one, and
    /// whether the neighbour has room for an entry.
    fn pair(&self, parent: u32, place: usize) -> (usize, bool) {
        let room = |place| self.node_len(child_of(self.entry(parent, place))) < FAN;
        let next = place.wrapping_add(1);
        match place.checked_sub(1) {
            Some(left) if room(left) => (left, true),
            _ if next < self.node_len(parent) && room(next) => (place, true),
            Some(left) => (left, false),
            None => (place, false),
        }
    }

    /// Whether there are nodes for an entry added at the end of the path.
    fn fits(&self, path: &Path) -> bool {
        let mut free = self
            .nodes
            .len()
            .saturating_sub(self.fresh)
            .saturating_add(self.freed_len);
        let mut level = self.height;
        loop {
            if self.node_len(path.at(level).0) < FAN {
                return true;
            }
            let Some(above) = level.checked_sub(1) else {
                return free >= 2 && self.height.wrapping_add(1) < DEPTH;
            };
            let (parent, place) = path.at(above);
            if self.pair(parent, place).1 {
                return true;
            }
            let Some(less) = free.checked_sub(1) else {
                return false;
            };
            free = less;
            level = above;
        }
    }

    /// Adds an entry at the end of the path.
    fn add(&mut self, path: &Path, mut entry: Entry) -> Result<(), IndexFull> {
        if self.nodes.is_empty() || !self.fits(path) {
            return Err(self.full());
        }
        // A new first entry of a leaf shows above it, before anything moves.
        let mut level = self.height;
        while level > 0 && path.at(level).1 == 0 {
            level = level.wrapping_sub(1);
            let (parent, place) = path.at(level);
            let child = child_of(self.entry(parent, place));
            if let Some(node) = self.node_mut(parent) {
                let word = entry.1 | (u64::from(child) << CHILD_SHIFT);
                node.set(place, (entry.0, word));
            }
        }
        self.len = self.len.wrapping_add(1);
        let mut level = self.height;
        let (_, mut place) = path.at(level);
        loop {
            let (id, _) = path.at(level);
            let more = self.open(path, level, id, place, entry);
            match more {
                Some(above) => {
                    level = level.saturating_sub(1);
                    (place, entry) = above;
                }
                None => return Ok(()),
            }
        }
    }

    /// Adds an entry to a node, and hands back what to add to its parent.
    fn open(
        &mut self,
        path: &Path,
        level: usize,
        id: u32,
        place: usize,
        entry: Entry,
    ) -> Option<(usize, Entry)> {
        if self.node_len(id) < FAN {
            self.node_mut(id)?.open(place, entry);
            return None;
        }
        let Some(above) = level.checked_sub(1) else {
            self.grow(id, place, entry);
            return None;
        };
        let (parent, at) = path.at(above);
        let (first, room) = self.pair(parent, at);
        let second = first.wrapping_add(1);
        let left = child_of(self.entry(parent, first));
        let right = child_of(self.entry(parent, second));
        let place = if left == id {
            place
        } else {
            place.saturating_add(self.node_len(left))
        };
        if room {
            self.balance_open(left, right, place, entry);
            self.mirror(parent, second);
            return None;
        }
        // Two full nodes and one entry make three: the last takes MIN of
        // them, the first two share the others.
        let new = self.alloc_after(right, level)?;
        const SHARED: usize = 2 * FAN + 1 - MIN;
        if let Some(place) = place.checked_sub(SHARED) {
            self.balance(right, new, SHARED - FAN);
            self.node_mut(new)?.open(place, entry);
            self.balance(left, right, SHARED / 2);
        } else {
            self.balance(right, new, FAN - MIN);
            self.balance_open(left, right, place, entry);
        }
        self.mirror(parent, second);
        Some((second.wrapping_add(1), self.mirrored(new)))
    }

    /// Adds an entry to a full root.
    fn grow(&mut self, id: u32, place: usize, entry: Entry) -> Option<()> {
        let new = self.alloc_after(id, 0)?;
        let root = self.alloc()?;
        self.balance_open(id, new, place, entry);
        let entries = (self.mirrored(id), self.mirrored(new));
        let node = self.node_mut(root)?;
        node.set(0, entries.0);
        node.set(1, entries.1);
        node.len = 2;
        self.root = root;
        self.height = self.height.wrapping_add(1);
        Some(())
    }

    /// Takes out the entry at the end of the path.
    fn take(&mut self, path: &Path) -> Option<()> {
        let (leaf, place) = path.at(self.height);
        self.node_mut(leaf)?.close(place);
        self.len = self.len.saturating_sub(1);
        self.mirror_up(path);
        let mut level = self.height;
        while let Some(above) = level.checked_sub(1) {
            if self.node_len(path.at(level).0) >= MIN {
                return None;
            }
            let (parent, at) = path.at(above);
            if !self.refill(parent, at, level) {
                return None;
            }
            level = above;
        }
        if self.height > 0 && self.node_len(self.root) == 1 {
            let old = self.root;
            self.root = child_of(self.entry(old, 0));
            self.height = self.height.saturating_sub(1);
            self.free(old);
        }
        None
    }

    /// Refills a child that has fewer than MIN entries from its neighbours;
    /// true where that took a node out of the parent.
    fn refill(&mut self, parent: u32, at: usize, level: usize) -> bool {
        let children = self.node_len(parent);
        // Three children, or the two that a root may have.
        let first = at.saturating_sub(1).min(children.saturating_sub(3));
        let second = first.wrapping_add(1);
        let third = first.wrapping_add(2);
        let a = child_of(self.entry(parent, first));
        let b = child_of(self.entry(parent, second));
        let pair = self.node_len(a).saturating_add(self.node_len(b));
        let gone = if children < 2 {
            return false;
        } else if children == 2 {
            let merge = pair <= FAN;
            self.balance(a, b, if merge { pair } else { pair / 2 });
            if merge {
                self.free_after(a, b, level);
            } else {
                self.mirror(parent, second);
            }
            merge.then_some(second)
        } else {
            let c = child_of(self.entry(parent, third));
            let total = pair.saturating_add(self.node_len(c));
            let merge = total <= 2 * FAN;
            if merge {
                let half = total / 2;
                self.balance(a, b, half);
                self.balance(b, c, total.saturating_sub(half));
                self.free_after(b, c, level);
            } else {
                // The second never gets more than fits, nor less than none:
                // the first is done first where it takes, last where it gives.
                let keep = total / 3;
                let spare = self.node_len(a).saturating_sub(keep);
                let middle = total.saturating_sub(keep) / 2;
                if spare == 0 {
                    self.balance(a, b, keep);
                }
                self.balance(b, c, middle.saturating_sub(spare));
                self.balance(a, b, keep);
                self.mirror(parent, third);
            }
            self.mirror(parent, second);
            merge.then_some(third)
        };
        if let (Some(place), Some(node)) = (gone, self.node_mut(parent)) {
            node.close(place);
        }
        gone.is_some()
    }

    /// Points the entry at the end of the path elsewhere.
    fn repoint(&mut self, path: &Path, word: u64) {
        let (leaf, place) = path.at(self.height);
        if let Some(node) = self.node_mut(leaf) {
            let (prefix, _) = node.get(place);
            node.set(place, (prefix, word));
        }
        self.mirror_up(path);
    }

    /// The way to the first entry that is not less than the probe, and that
    /// entry where it is equal.
    fn descend<E>(
        &self,
        probe: &Probe,
        known: Option<Loc>,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<(Path, Option<Entry>), E> {
        let mut path = Path::default();
        let mut id = self.root;
        // Whether the node's first entry is known to be less.
        let mut less = false;
        let mut equal = false;
        for level in 0..=self.height {
            let Some(node) = self.node(id) else {
                break;
            };
            let leaf = level == self.height;
            let mut place = 0;
            if !equal {
                // An inner node's first entry decides nothing.
                let from = usize::from(less || !leaf);
                (place, equal) = node.search(from, probe.prefix, known, compare)?;
                if !leaf && !equal {
                    place = place.saturating_sub(1);
                    less |= place > 0;
                }
            }
            path.set(level, id, place);
            if leaf {
                return Ok((path, equal.then(|| node.get(place))));
            }
            id = child_of(node.get(place));
        }
        Ok((path, None))
    }

    /// The way to the entry that points exactly at `from`.
    fn exact<E>(
        &self,
        probe: &Probe,
        from: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Path>, E> {
        let (path, found) = self.descend(probe, Some(from), compare)?;
        Ok((found.map(loc_of) == Some(from)).then_some(path))
    }
}

/// Costs: `find`, `insert`, `relocate`, `remove` and `seek` read one node a
/// level (four levels at a million entries); `insert` and `remove` also move
/// half a node's entries on average, and now and then those of three nodes a
/// level. `next` and `prev` read one entry of a leaf. `compare` is asked where
/// prefixes tie; `relocate`, `points_at` and `remove` take the record at `from` for the
/// probed entry's without asking, so that they ask only where the keys that
/// share its first eight bytes fill more than a node.
///
/// `relocate`, `points_at` and `remove` need those other entries' records, not the one at
/// `from`, to be readable.
///
/// Saved are the entries in order, two words each: prefix, and location with
/// the primary bit. They fit into any index with room for as many.
impl Index for OrderedIndex<'_> {
    const ORDERED: bool = true;
    const FORM: u32 = 2;

    fn len(&self) -> usize {
        self.len
    }

    /// What fits however the entries came and went; more may.
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn clear(&mut self) {
        self.len = 0;
        self.root = 0;
        self.height = 0;
        self.fresh = 0;
        self.freed = NONE;
        self.freed_len = 0;
        // The root, node 0, if there are nodes.
        self.alloc();
    }

    fn find<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Option<Loc>, E> {
        Ok(self.descend(probe, None, compare)?.1.map(loc_of))
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
        let word = word(to, probe.primary);
        let (path, found) = self.descend(probe, None, compare)?;
        Ok(match found {
            Some(old) => {
                self.repoint(&path, word);
                Ok(Some(loc_of(old)))
            }
            None => self.add(&path, (probe.prefix, word)).map(|()| None),
        })
    }

    fn relocate<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        to: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        if to.0 > LOC_MAX {
            return Ok(false);
        }
        let found = self.exact(probe, from, compare)?;
        if let Some(path) = &found {
            self.repoint(path, word(to, probe.primary));
        }
        Ok(found.is_some())
    }

    fn points_at<E>(
        &self,
        probe: &Probe,
        at: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        Ok(self.exact(probe, at, compare)?.is_some())
    }

    fn remove<E>(
        &mut self,
        probe: &Probe,
        from: Loc,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<bool, E> {
        let found = self.exact(probe, from, compare)?;
        if let Some(path) = &found {
            self.take(path);
        }
        Ok(found.is_some())
    }

    fn first(&self) -> Cursor {
        Cursor { node: 0, slot: 0 }
    }

    fn next(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        let Cursor { mut node, mut slot } = at;
        let mut leaf = self.node(node)?;
        while slot >= leaf.len {
            (node, slot) = (leaf.next, 0);
            leaf = self.node(node)?;
        }
        let entry = leaf.get(slot as usize);
        let slot = slot.wrapping_add(1);
        Some((loc_of(entry), entry.1 & PRIMARY != 0, Cursor { node, slot }))
    }

    fn prev(&self, at: Cursor) -> Option<(Loc, bool, Cursor)> {
        let Cursor { mut node, slot } = at;
        let mut leaf = self.node(node)?;
        let mut end = slot.min(leaf.len);
        while end == 0 {
            node = leaf.prev;
            leaf = self.node(node)?;
            end = leaf.len;
        }
        let slot = end.wrapping_sub(1);
        let entry = leaf.get(slot as usize);
        Some((loc_of(entry), entry.1 & PRIMARY != 0, Cursor { node, slot }))
    }

    fn seek<E>(
        &self,
        probe: &Probe,
        compare: &mut dyn FnMut(Loc) -> Result<Ordering, E>,
    ) -> Result<Cursor, E> {
        let (path, _) = self.descend(probe, None, compare)?;
        let (node, place) = path.at(self.height);
        let slot = place as u32;
        Ok(Cursor { node, slot })
    }

    fn save<E>(&self, word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
        let mut leaf = self.node(0);
        while let Some(node) = leaf {
            for entry in node.entries.iter().take(node.len()) {
                word(entry.0)?;
                word(entry.1)?;
            }
            leaf = self.node(node.next);
        }
        Ok(())
    }

    fn load<E>(
        &mut self,
        count: u64,
        end: Loc,
        read: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.clear();
        let len = usize::try_from(count / 2).unwrap_or(usize::MAX);
        if count & 1 == 1 || len > self.capacity {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
        if !self.load_leaves(len, end, &mut Words::new(count, read))? {
            return Ok(false);
        }
        self.len = len;
        Ok(self.load_inner())
    }

    /// Only where there is nothing to leave out: no node may become too small.
    fn leave_out(&mut self, gone: &mut dyn FnMut(Loc, bool) -> bool) -> bool {
        let mut leaf = self.node(0);
        while let Some(node) = leaf {
            let mut entries = node.entries.iter().take(node.len());
            if entries.any(|entry| gone(loc_of(*entry), entry.1 & PRIMARY != 0)) {
                return false;
            }
            leaf = self.node(node.next);
        }
        true
    }
}

/// Into how many nodes so many entries go when they are loaded, as evenly as
/// they can: with some room in each, unless that leaves too few in them.
fn loaded_nodes(entries: usize) -> usize {
    let roomy = entries.div_ceil(FAN - FAN / 8);
    if entries.over(roomy) < MIN {
        entries.div_ceil(FAN)
    } else {
        roomy
    }
}

/// How many of `entries` entries go into each of `nodes` nodes.
fn shares(entries: usize, nodes: usize) -> impl Iterator<Item = usize> {
    let nodes = nodes.max(1);
    let (share, more) = (entries.over(nodes), entries.modulo(nodes));
    (0..nodes).map(move |node| share.saturating_add(usize::from(node < more)))
}

// Loading: the tree is built from its leaves up, each level from the left.
impl OrderedIndex<'_> {
    /// Fills the leaves, the first nodes that there are.
    fn load_leaves<E>(
        &mut self,
        len: usize,
        end: Loc,
        words: &mut Words<'_, E>,
    ) -> Result<bool, E> {
        self.fresh = 0;
        let mut before = NONE;
        let mut last = 0;
        for share in shares(len, loaded_nodes(len)) {
            let Some(id) = self.alloc() else {
                return Ok(false);
            };
            let Some(node) = self.node_mut(id) else {
                return Ok(false);
            };
            let (pairs, _) = words.show(share.times(2))?.as_chunks::<2>();
            if pairs.len() < share {
                return Ok(false);
            }
            let mut sound = true;
            for (place, [prefix, low]) in node.entries.iter_mut().zip(pairs).take(share) {
                *place = (u64::from_le_bytes(*prefix), u64::from_le_bytes(*low));
                sound &= place.1 <= LOW && place.0 >= last && loc_of(*place).0 < end.0;
                last = place.0;
            }
            if !sound {
                return Ok(false);
            }
            words.take(share.times(2));
            node.len = share as u32;
            if before != NONE {
                self.link(before, id);
            }
            before = id;
        }
        Ok(true)
    }

    /// Builds the levels above the leaves that were just filled.
    fn load_inner(&mut self) -> bool {
        let (mut first, mut behind) = (0, self.fresh);
        while behind.saturating_sub(first) > 1 {
            let children = behind.saturating_sub(first);
            if self.height.wrapping_add(1) >= DEPTH {
                return false;
            }
            let mut child = first as u32;
            for share in shares(children, loaded_nodes(children)) {
                let Some(id) = self.alloc() else {
                    return false;
                };
                for place in 0..share {
                    let entry = self.mirrored(child);
                    if let Some(node) = self.node_mut(id) {
                        node.set(place, entry);
                        node.len = node.len.wrapping_add(1);
                    }
                    child = child.wrapping_add(1);
                }
            }
            (first, behind) = (behind, self.fresh);
            self.height = self.height.wrapping_add(1);
        }
        self.root = first as u32;
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
    use std::ops::Bound;
    use std::vec::Vec;
    use std::{eprintln, format, vec};

    struct Rng(u64);
    impl Rng {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
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

    fn probe(key: &[u8]) -> Probe {
        let mut prefix = [0; 8];
        let len = key.len().min(8);
        prefix[..len].copy_from_slice(&key[..len]);
        Probe {
            hash: 0,
            prefix: u64::from_be_bytes(prefix),
            primary: key.iter().fold(0, |a, b| a ^ b) & 1 == 1,
        }
    }

    /// Everything that has to hold of a tree.
    fn check(index: &OrderedIndex<'_>) {
        if index.nodes.is_empty() {
            return;
        }
        let mut level = vec![index.root];
        let mut used = 0;
        let mut leaves = Vec::new();
        for depth in 0..=index.height {
            used += level.len();
            let mut below = Vec::new();
            for (i, &id) in level.iter().enumerate() {
                let node = index.node(id).unwrap();
                let least = match level.len() {
                    1 if depth == index.height => 0,
                    1 => 2,
                    2 => FAN.div_ceil(2),
                    _ => MIN,
                };
                assert!(
                    node.len() >= least && node.len() <= FAN,
                    "fill {}",
                    node.len()
                );
                if depth == index.height {
                    let prev = if i > 0 { level[i - 1] } else { NONE };
                    assert_eq!(node.prev, prev);
                    assert_eq!(node.next, level.get(i + 1).copied().unwrap_or(NONE));
                } else {
                    for place in 0..node.len() {
                        let entry = node.get(place);
                        let child = child_of(entry);
                        assert_eq!(entry, index.mirrored(child));
                        below.push(child);
                    }
                }
            }
            if depth == index.height {
                leaves = level;
                break;
            }
            level = below;
        }
        assert_eq!(leaves[0], 0);
        let held: usize = leaves.iter().map(|&id| index.node_len(id)).sum();
        assert_eq!(held, index.len());
        assert_eq!(used, index.fresh - index.freed_len);
        let (mut freed, mut id) = (0, index.freed);
        while id != NONE {
            freed += 1;
            id = index.node(id).unwrap().next;
        }
        assert_eq!(freed, index.freed_len);
        // The bound that the capacity is derived from.
        assert!(used <= most_nodes(held), "{used} nodes for {held}");
    }

    fn state(index: &OrderedIndex<'_>) -> std::string::String {
        format!("{index:?}")
    }

    /// An index with its medium and a model of both.
    struct World<'a> {
        index: OrderedIndex<'a>,
        medium: Vec<Option<Vec<u8>>>,
        model: BTreeMap<Vec<u8>, usize>,
        reads: usize,
    }

    impl<'a> World<'a> {
        fn new(nodes: &'a mut [OrderedNode]) -> Self {
            Self {
                index: OrderedIndex::new(nodes),
                medium: Vec::new(),
                model: BTreeMap::new(),
                reads: 0,
            }
        }

        /// Calls with a `compare` that fails where a record is gone.
        fn with<T>(
            &mut self,
            key: &[u8],
            call: impl FnOnce(
                &mut OrderedIndex<'a>,
                &Probe,
                &mut dyn FnMut(Loc) -> Result<Ordering, ()>,
            ) -> Result<T, ()>,
        ) -> T {
            let (medium, reads) = (&self.medium, &mut self.reads);
            call(&mut self.index, &probe(key), &mut |loc| {
                *reads += 1;
                let record = medium[loc.0 as usize].as_deref();
                Ok(record.expect("asked for a record that is gone").cmp(key))
            })
            .unwrap()
        }

        fn insert(&mut self, key: &[u8]) -> bool {
            let to = self.medium.len();
            let put = self.with(key, |i, p, c| i.insert(p, Loc(to as u64), c));
            match put {
                Ok(old) => {
                    self.medium.push(Some(key.to_vec()));
                    let model = self.model.insert(key.to_vec(), to);
                    assert_eq!(old.map(|loc| loc.0 as usize), model);
                    old.map(|loc| self.medium[loc.0 as usize] = None);
                    true
                }
                Err(full) => {
                    assert_eq!(full.capacity, self.index.capacity());
                    assert!(self.index.len() >= full.capacity);
                    assert!(!self.model.contains_key(key));
                    false
                }
            }
        }

        /// The record at the old place is gone before the index is told.
        fn relocate(&mut self, key: &[u8]) {
            let to = self.medium.len();
            let from = self.model.get(key).copied();
            let at = Loc(from.unwrap_or(to) as u64);
            assert_eq!(
                self.with(key, |i, p, c| i.points_at(p, at, c)),
                from.is_some()
            );
            if let Some(from) = from {
                self.medium[from] = None;
                self.model.insert(key.to_vec(), to);
            }
            self.medium.push(from.map(|_| key.to_vec()));
            let moved = self.with(key, |i, p, c| i.relocate(p, at, Loc(to as u64), c));
            assert_eq!(moved, from.is_some());
            if moved {
                // It is there no more.
                assert!(!self.with(key, |i, p, c| i.relocate(p, at, at, c)));
                assert!(!self.with(key, |i, p, c| i.points_at(p, at, c)));
            }
        }

        fn remove(&mut self, key: &[u8]) {
            let Some(from) = self.model.get(key).copied() else {
                let nowhere = Loc(LOC_MAX);
                assert!(!self.with(key, |i, p, c| i.remove(p, nowhere, c)));
                return;
            };
            let wrong = Loc(self.medium.len() as u64);
            assert!(!self.with(key, |i, p, c| i.remove(p, wrong, c)));
            self.model.remove(key);
            self.medium[from] = None;
            assert!(self.with(key, |i, p, c| i.remove(p, Loc(from as u64), c)));
        }

        fn find(&mut self, key: &[u8]) {
            let found = self.with(key, |i, p, c| i.find(p, c));
            assert_eq!(
                found.map(|loc| loc.0 as usize),
                self.model.get(key).copied()
            );
        }

        fn seek(&mut self, key: &[u8]) {
            let at = self.with(key, |i, p, c| i.seek(p, c));
            let next = self.index.next(at).map(|(loc, ..)| loc.0 as usize);
            let from = (Bound::Included(key), Bound::Unbounded);
            let mut range = self.model.range::<[u8], _>(from);
            assert_eq!(next, range.next().map(|(_, &loc)| loc));
            let prev = self.index.prev(at).map(|(loc, ..)| loc.0 as usize);
            let to = (Bound::Unbounded, Bound::Excluded(key));
            let mut range = self.model.range::<[u8], _>(to);
            assert_eq!(prev, range.next_back().map(|(_, &loc)| loc));
        }

        fn check(&self) {
            check(&self.index);
            assert_eq!(self.index.len(), self.model.len());
            let mut at = self.index.first();
            assert_eq!(self.index.prev(at), None);
            for (key, &want) in &self.model {
                let (loc, primary, next) = self.index.next(at).unwrap();
                assert_eq!((loc.0 as usize, primary), (want, probe(key).primary));
                let (again, bit, here) = self.index.prev(next).unwrap();
                assert_eq!((again, bit), (loc, primary));
                assert_eq!(self.index.next(here), Some((loc, primary, next)));
                at = next;
            }
            assert_eq!(self.index.next(at), None);
            for &want in self.model.values().rev() {
                let (loc, _, before) = self.index.prev(at).unwrap();
                assert_eq!(loc.0 as usize, want);
                at = before;
            }
            assert_eq!(self.index.prev(at), None);
        }

        fn any(&self, rng: &mut Rng) -> Option<Vec<u8>> {
            let from = key(rng);
            let from = (Bound::Included(&from[..]), Bound::Unbounded);
            let mut range = self.model.range::<[u8], _>(from);
            let found = range.next().or_else(|| self.model.iter().next());
            found.map(|(key, _)| key.clone())
        }
    }

    /// Short keys; many share their first eight bytes, some differ in
    /// trailing zeros only.
    fn key(rng: &mut Rng) -> Vec<u8> {
        let mut key = Vec::new();
        match rng.below(4) {
            0 => key.extend_from_slice(b"samesame"),
            1 => key.extend_from_slice(&[b'p', rng.below(3) as u8, 0, 0, 0, 0, 0, 0]),
            2 => {}
            _ => key.extend_from_slice(&rng.next().to_be_bytes()),
        }
        for _ in 0..rng.below(4) {
            key.push(if rng.below(3) == 0 {
                0
            } else {
                rng.below(40) as u8
            });
        }
        key
    }

    #[test]
    fn nothing_is_left_out_of_a_tree() {
        let mut memory = vec![OrderedNode::default(); 40];
        let mut index = OrderedIndex::new(&mut memory);
        let forged: Vec<_> = (0..300u64).flat_map(|i| [i, i]).collect();
        assert!(load(&mut index, &forged, 300));
        for gone in [0, 150, 299, 300] {
            assert_eq!(index.leave_out(&mut |loc, _| loc.0 == gone), gone == 300);
        }
    }

    #[test]
    fn loads_any_number_of_entries_as_a_sound_tree() {
        let mut memory = vec![OrderedNode::default(); 400];
        let mut index = OrderedIndex::new(&mut memory);
        let capacity = index.capacity();
        for len in (0..700)
            .chain((701..capacity).step_by(97))
            .chain([capacity])
        {
            let entries = (0..len as u64).flat_map(|i| [i / 3, i]);
            let forged: Vec<_> = entries.collect();
            assert!(load(&mut index, &forged, capacity as u64));
            assert_eq!(index.len(), len);
            check(&index);
            assert_eq!(words(&index), forged);
            assert!(len == 0 || !load(&mut index, &forged, len as u64 - 1));
        }
        let one_more = vec![0; 2 * capacity + 2];
        assert!(!load(&mut index, &one_more, 1));
        assert!(!load(&mut index, &[0], 1), "half an entry");
        assert!(!load(&mut index, &[1, 0, 0, 0], 1), "out of order");
    }

    #[test]
    fn loads_any_words_without_harm() {
        let _seed = Seed(12);
        let mut rng = Rng(12);
        for _ in 0..500 {
            let mut memory = vec![OrderedNode::default(); 9];
            let mut index = OrderedIndex::new(&mut memory);
            let mut prefix = 0;
            let mut forged = Vec::new();
            for _ in 0..rng.below(100) {
                prefix += rng.next() & 1;
                forged.extend([prefix, rng.next() & LOW]);
            }
            let at = rng.below(forged.len());
            if rng.below(2) == 0 && at < forged.len() {
                forged[at] = rng.next();
            }
            if load(&mut index, &forged, LOC_MAX + 1) {
                check(&index);
                for n in 0..40u8 {
                    let probe = probe(&[n]);
                    let mut compare = |loc: Loc| Ok::<_, ()>(loc.0.cmp(&u64::from(n)));
                    let _ = index.insert(&probe, Loc(n.into()), &mut compare);
                    let _ = index.find(&probe, &mut compare);
                    let _ = index.remove(&probe, Loc(n.into()), &mut compare);
                }
            }
        }
    }

    fn model(seed: u64, nodes: usize, ops: usize) {
        let _seed = Seed(seed);
        let mut rng = Rng(seed);
        let mut memory = vec![OrderedNode::default(); nodes];
        let mut world = World::new(&mut memory);
        let phase = 40 + 25 * nodes;
        for op in 0..ops {
            let fills = op / phase % 2 == 0;
            let some = match world.any(&mut rng) {
                Some(some) if rng.below(2) == 0 => some,
                _ => key(&mut rng),
            };
            match rng.below(12) {
                0 => world.find(&some),
                1 => world.seek(&some),
                2 | 3 => world.relocate(&some),
                x if x < if fills { 5 } else { 11 } => {
                    let some = world.any(&mut rng).unwrap_or(some);
                    world.remove(&some);
                }
                _ => {
                    world.insert(&some);
                }
            }
            if op % (1 + nodes * 8) == 0 || op + 1 == ops {
                world.check();
                let saved = words(&world.index);
                assert!(load(&mut world.index, &saved, LOC_MAX + 1));
                world.check();
            }
        }
        let keys: Vec<_> = world.model.keys().cloned().collect();
        for key in keys {
            world.find(&key);
            world.remove(&key);
        }
        world.check();
        assert_eq!(
            world.index.fresh - world.index.freed_len,
            usize::from(nodes > 0)
        );
    }

    #[test]
    fn behaves_as_a_map() {
        for (nodes, ops) in [(0, 100), (1, 3000), (2, 3000), (3, 4000), (4, 5000)] {
            model(0xace + nodes as u64, nodes, ops);
        }
        for (nodes, ops) in [(7, 10_000), (20, 20_000), (100, 60_000), (900, 150_000)] {
            model(0xbee + nodes as u64, nodes, ops);
        }
    }

    #[test]
    fn nodes_for_is_the_inverse_of_capacity() {
        for entries in 0..3000 {
            let nodes = OrderedIndex::nodes_for(entries);
            let mut memory = vec![OrderedNode::default(); nodes];
            assert!(OrderedIndex::new(&mut memory).capacity() >= entries);
            if nodes > 0 {
                assert!(OrderedIndex::new(&mut memory[1..]).capacity() < entries);
            }
        }
        assert!(OrderedIndex::nodes_for(usize::MAX) > usize::MAX / FAN);
    }

    /// At capacity, inserting and removing in patterns that leave nodes as
    /// empty as they get never runs out of nodes.
    #[test]
    fn churn_within_capacity_always_fits() {
        for nodes in [1, 2, 3, 4, 5, 9, 24, 60, 200] {
            for pattern in 0..5 {
                let seed = 0xc0de + nodes as u64 * 16 + pattern;
                let _seed = Seed(seed);
                let mut rng = Rng(seed);
                let mut memory = vec![OrderedNode::default(); nodes];
                let mut world = World::new(&mut memory);
                let capacity = world.index.capacity();
                let mut count = 0u64;
                for round in 0..if nodes > 50 { 12 } else { 40 } {
                    while world.index.len() < capacity {
                        count += 1;
                        let number = match pattern {
                            0 => count,
                            1 => u64::MAX - count,
                            2 => rng.next(),
                            // Bunches around a place that changes.
                            3 => (round as u64 * 7919 % 97) << 40 | rng.next() >> 32,
                            _ => (count % 64) << 32 | count,
                        };
                        let mut key = number.to_be_bytes().to_vec();
                        if round % 2 == 1 {
                            key.splice(0..0, *b"samesame");
                        }
                        assert!(world.insert(&key), "{} of {capacity}", world.index.len());
                    }
                    world.check();
                    let keys: Vec<_> = world.model.keys().cloned().collect();
                    let from = rng.below(keys.len());
                    for (i, key) in keys.iter().enumerate() {
                        let goes = match rng.below(2) + round % 5 {
                            0 => i % 3 != 0,
                            1 => i >= from,
                            2 => i < from,
                            3 => i % (FAN + 1) > 2,
                            _ => i % 2 == 0,
                        };
                        if goes {
                            world.remove(key);
                        }
                    }
                    world.check();
                    // One in, one out, at a capacity with sparse nodes.
                    while world.index.len() < capacity {
                        assert!(world.insert(&rng.next().to_be_bytes()));
                    }
                    for _ in 0..capacity {
                        let key = world.any(&mut rng).unwrap();
                        world.remove(&key);
                        assert!(world.insert(&rng.next().to_be_bytes()));
                    }
                    world.check();
                }
            }
        }
    }

    #[test]
    fn full_changes_nothing() {
        for nodes in 1..40 {
            let mut rng = Rng(nodes as u64);
            let mut memory = vec![OrderedNode::default(); nodes];
            let mut world = World::new(&mut memory);
            while world.insert(&rng.next().to_be_bytes()) {}
            for _ in 0..20 {
                let before = state(&world.index);
                if !world.insert(&rng.next().to_be_bytes()) {
                    assert_eq!(before, state(&world.index));
                }
            }
            world.check();
            world.index.clear();
            assert!(world.index.is_empty());
            check(&world.index);
        }
    }

    #[test]
    fn errors_change_nothing() {
        let mut memory = vec![OrderedNode::default(); OrderedIndex::nodes_for(600)];
        let mut world = World::new(&mut memory);
        let keys: Vec<_> = (0..900u32)
            .map(|i| [&b"prefixed"[..], &(i * 7919 % 900).to_be_bytes()].concat())
            .collect();
        for key in keys.iter().filter(|key| key[11] % 3 != 0) {
            assert!(world.insert(key));
        }
        for key in keys.iter().step_by(10) {
            let from = world.model.get(key).map_or(LOC_MAX, |&loc| loc as u64);
            let (p, from, to) = (probe(key), Loc(from), Loc(5));
            let World { index, medium, .. } = &mut world;
            let record = |loc: Loc| medium[loc.0 as usize].as_deref().unwrap();
            let mut asked = Vec::new();
            let found = index.find(&p, &mut |loc| {
                asked.push(loc);
                Ok::<_, ()>(record(loc).cmp(key))
            });
            assert!(found.is_ok() && (1..=20).contains(&asked.len()));
            // `relocate` and `remove` ask above the node that has `from`.
            let before = state(index);
            let mut met = 0;
            let same = index.relocate(&p, from, from, &mut |loc| {
                met += 1;
                assert_ne!(loc, from);
                Ok::<_, ()>(record(loc).cmp(key))
            });
            assert_eq!(same, Ok(from.0 != LOC_MAX));
            assert!(met <= asked.len() && (met < asked.len() || from.0 == LOC_MAX));
            assert_eq!(before, state(index));
            for (fail, _) in asked.iter().enumerate() {
                for what in 0..5 {
                    let mut left = fail;
                    let compare = &mut |loc| {
                        left = left.checked_sub(1).ok_or(fail)?;
                        Ok(record(loc).cmp(key))
                    };
                    let error = match what {
                        0 => index.find(&p, compare).err(),
                        1 => index.seek(&p, compare).err(),
                        2 => index.insert(&p, to, compare).err(),
                        _ if fail >= met => continue,
                        3 => index.remove(&p, from, compare).err(),
                        _ => index.relocate(&p, from, to, compare).err(),
                    };
                    assert_eq!(error, Some(fail));
                    assert_eq!(before, state(index));
                }
            }
        }
        world.check();
    }

    #[test]
    fn asks_only_where_prefixes_tie() {
        let mut rng = Rng(1);
        let mut memory = vec![OrderedNode::default(); OrderedIndex::nodes_for(5000)];
        let mut world = World::new(&mut memory);
        let keys: Vec<_> = (0..5000).map(|_| rng.next().to_be_bytes()).collect();
        for key in &keys {
            assert!(world.insert(key));
        }
        assert_eq!(world.reads, 0);
        for key in &keys {
            world.find(key);
        }
        assert_eq!(world.reads, keys.len());
        for key in &keys {
            let from = world.model[&key[..]];
            world.medium.push(Some(key.to_vec()));
            let to = world.medium.len() - 1;
            world.model.insert(key.to_vec(), to);
            let (from, to) = (Loc(from as u64), Loc(to as u64));
            assert!(world.with(key, |i, p, c| i.relocate(p, from, to, c)));
        }
        assert_eq!(world.reads, keys.len());
        world.check();
    }

    #[test]
    fn refuses_locations_that_do_not_fit() {
        let mut memory = vec![OrderedNode::default(); 1];
        let mut index = OrderedIndex::new(&mut memory);
        let mut compare = |_: Loc| Ok::<_, ()>(Ordering::Equal);
        let (p, max, far) = (probe(b"a"), Loc(LOC_MAX), Loc(LOC_MAX + 1));
        assert!(index.insert(&p, far, &mut compare).unwrap().is_err());
        assert_eq!(index.insert(&p, max, &mut compare), Ok(Ok(None)));
        assert_eq!(index.relocate(&p, max, far, &mut compare), Ok(false));
        assert_eq!(index.remove(&p, far, &mut compare), Ok(false));
        assert_eq!(index.find(&p, &mut compare), Ok(Some(max)));
        let nowhere = Cursor { node: 7, slot: 7 };
        assert_eq!((index.next(nowhere), index.prev(nowhere)), (None, None));
    }
}
