//! The words of a saved index, many at a time.

use crate::math::Saturate;

/// Words held at a time: at least a block of a hash index or a node of an
/// ordered one; where stacks are a host's, as many as the sum over them is
/// quick at.
const HELD: usize = if cfg!(feature = "resume") { 2048 } else { 65 };

/// Reads words, and holds them until they are taken.
pub(super) struct Words<'r, E> {
    read: &'r mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    /// Not read yet.
    left: u64,
    held: [[u8; 8]; HELD],
    from: usize,
    to: usize,
}

impl<'r, E> Words<'r, E> {
    /// The next `count` words that `read` fills its buffer with.
    pub(super) fn new(count: u64, read: &'r mut dyn FnMut(&mut [u8]) -> Result<(), E>) -> Self {
        Words {
            read,
            left: count,
            held: [[0; 8]; HELD],
            from: 0,
            to: 0,
        }
    }

    /// The next words: `count` of them (at most 65) or more, or all there are.
    #[inline]
    pub(super) fn show(&mut self, count: usize) -> Result<&[[u8; 8]], E> {
        if self.to.wrapping_sub(self.from) < count && self.left > 0 {
            self.refill()?;
        }
        Ok(self.held.get(self.from..self.to).unwrap_or_default())
    }

    /// Takes words that were shown.
    #[inline]
    pub(super) fn take(&mut self, count: usize) {
        self.from = self.from.wrapping_add(count).min(self.to);
    }

    /// Whether all were taken.
    pub(super) fn none_left(&self) -> bool {
        self.left == 0 && self.from == self.to
    }

    /// Moves what is held to the front, and reads behind it.
    fn refill(&mut self) -> Result<(), E> {
        let held = self.to.minus(self.from);
        for place in 0..held {
            let word = self.held.get(self.from.plus(place)).copied();
            if let Some(front) = self.held.get_mut(place) {
                *front = word.unwrap_or_default();
            }
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let room = room.min(HELD.minus(held));
        (self.from, self.to) = (0, held.plus(room));
        self.left = self.left.minus(u64::try_from(room).unwrap_or(u64::MAX));
        let behind = self.held.get_mut(held..self.to).unwrap_or_default();
        (self.read)(behind.as_flattened_mut())
    }
}
