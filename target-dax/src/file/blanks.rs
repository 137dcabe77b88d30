//! What a medium knows to be blank on the disk.

use std::ops::Range;

/// Ranges that were written blank, synced, and not written since, all by one
/// open medium: what else reads as blank may be so in the page cache alone.
///
/// In order, none of them empty, none touching another.
#[derive(Debug, Default)]
pub(super) struct Blanks(Vec<Range<u64>>);

impl Blanks {
    /// This range alone is known.
    pub(super) fn only(range: Range<u64>) -> Self {
        let mut ranges = vec![range];
        ranges.retain(|range| !range.is_empty());
        Self(ranges)
    }

    /// Whether a range is known to be blank.
    pub(super) fn hold(&self, range: &Range<u64>) -> bool {
        let place = self.0.partition_point(|known| known.end <= range.start);
        self.0
            .get(place)
            .is_some_and(|known| known.start <= range.start && range.end <= known.end)
    }

    /// A range is written.
    pub(super) fn written(&mut self, range: &Range<u64>) {
        let begin = self.0.partition_point(|known| known.end <= range.start);
        let hit = self.0[begin..].partition_point(|known| known.start < range.end);
        if hit == 0 || range.is_empty() {
            return;
        }
        let (first, last) = (&self.0[begin], &self.0[begin + hit - 1]);
        let left = [first.start..range.start, range.end..last.end];
        let left = left.into_iter().filter(|range| !range.is_empty());
        self.0.splice(begin..begin + hit, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside a bit for each byte.
    #[test]
    fn what_is_known_is_what_was_not_written() {
        let mut seed = 7u64;
        let mut below = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % end
        };
        for _ in 0..200 {
            let mut blanks = Blanks::only(20..90);
            let mut bytes = [false; 100];
            bytes[20..90].fill(true);
            for _ in 0..12 {
                let begin = below(100);
                let range = begin..begin + below(101 - begin).min(below(30));
                blanks.written(&range);
                bytes[range.start as usize..range.end as usize].fill(false);
                for begin in 0..100 {
                    for end in begin + 1..=100 {
                        let all = bytes[begin..end].iter().all(|blank| *blank);
                        assert_eq!(blanks.hold(&(begin as u64..end as u64)), all);
                    }
                }
            }
        }
    }
}
