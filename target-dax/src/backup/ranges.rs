//! Sets of byte ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes, as ranges that neither overlap nor touch.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(super) fn insert(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        // Backwards from the last that begins before the end; few of them.
        while let Some((&begin, &stop)) = self.0.range(..=end).next_back()
            && stop >= start
        {
            self.0.remove(&begin);
            (start, end) = (start.min(begin), end.max(stop));
        }
        self.0.insert(start, end);
    }

    /// The parts of `range` that are in the set, in order.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let before = self.0.range(..range.start).next_back();
        let inside = self.0.range(range.start..range.end.max(range.start));
        before
            .into_iter()
            .chain(inside)
            .map(move |(begin, end)| *begin.max(&range.start)..*end.min(&range.end))
            .filter(|part| part.start < part.end)
    }

    /// The parts of `range` that are not, in order.
    pub(super) fn outside(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for part in self.within(range.clone()) {
            if at < part.start {
                gaps.push(at..part.start);
            }
            at = part.end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// Forgets all that ends at `at` or before.
    pub(super) fn forget_below(&mut self, at: u64) {
        while let Some(first) = self.0.first_entry()
            && *first.get() <= at
        {
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_a_bitmap() {
        let seed = 0x5EED_0B5E_55ED_u64;
        let mut state = seed;
        let mut below = |end: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % end
        };
        for round in 0..500 {
            let mut ranges = Ranges::default();
            let mut bits = [false; 64];
            for _ in 0..below(12) {
                let start = below(64);
                let end = start + below(64 - start + 1);
                ranges.insert(start..end);
                bits[start as usize..end as usize].fill(true);
            }
            let start = below(64);
            let end = start + below(64 - start + 1);
            let mut found = [false; 64];
            for part in ranges.within(start..end) {
                found[part.start as usize..part.end as usize].fill(true);
            }
            let mut gaps = [false; 64];
            for part in ranges.outside(start..end) {
                gaps[part.start as usize..part.end as usize].fill(true);
            }
            for at in 0..64 {
                let asked = (start..end).contains(&(at as u64));
                assert_eq!(found[at], asked && bits[at], "seed {seed}, round {round}");
                assert_eq!(gaps[at], asked && !bits[at], "seed {seed}, round {round}");
            }
        }
    }
}
