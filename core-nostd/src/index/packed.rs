//! The slots of a hash index as words.
//!
//! Sixty-four slots are a block: one word says which of them are used, a bit
//! each from the lowest on, and those follow. A run of blocks with none is a zero
//! and their number. They stand as they lie in the table, so loading is one pass
//! from its one end to the other, and nothing is looked for.

use super::loading::Words;
use super::{LOC_MAX, Loc};
use crate::math::Saturate;

const BLOCK: usize = 64;

/// Where a slot's highest byte is, which is never zero in a used one.
const DISPLACEMENT: u32 = 56;

/// Calls `word` with everything that [`unpack`] needs.
pub(super) fn pack<E>(slots: &[u64], word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
    let mut empty = 0u64;
    for block in slots.chunks(BLOCK) {
        let bit = |bits: u64, slot: &u64| bits.wrapping_shl(1) | u64::from(*slot != 0);
        let used = block.iter().rev().fold(0, bit);
        if used == 0 {
            empty = empty.plus(1);
            continue;
        }
        pack_empty(&mut empty, word)?;
        word(used)?;
        for slot in block.iter().filter(|slot| **slot != 0) {
            word(*slot)?;
        }
    }
    pack_empty(&mut empty, word)
}

fn pack_empty<E>(blocks: &mut u64, word: &mut dyn FnMut(u64) -> Result<(), E>) -> Result<(), E> {
    if *blocks > 0 {
        word(0)?;
        word(*blocks)?;
    }
    *blocks = 0;
    Ok(())
}

/// Fills slots, all zero already where they are `blank`; returns how many are
/// used, `None` where the words are not a table of as many slots with all entries
/// before `end`.
pub(super) fn unpack<E>(
    mut slots: &mut [u64],
    blank: bool,
    end: Loc,
    words: &mut Words<'_, E>,
) -> Result<Option<usize>, E> {
    let mut len = 0usize;
    while !slots.is_empty() {
        let shown = words.show(BLOCK.plus(1))?;
        let Some((used, rest)) = shown.split_first() else {
            return Ok(None);
        };
        let used = u64::from_le_bytes(*used);
        if used != 0 {
            let Some((block, behind)) = split(slots, BLOCK) else {
                return Ok(None);
            };
            if !unpack_block(block, used, rest, end) {
                return Ok(None);
            }
            let count = usize::try_from(used.count_ones()).unwrap_or(0);
            len = len.plus(count);
            words.take(count.plus(1));
            slots = behind;
            continue;
        }
        let blocks = rest.first().map_or(0, |word| u64::from_le_bytes(*word));
        let count = usize::try_from(blocks).unwrap_or(usize::MAX).times(BLOCK);
        let Some((empty, behind)) = split(slots, count) else {
            return Ok(None);
        };
        if !blank {
            empty.fill(0);
        }
        words.take(2);
        slots = behind;
    }
    Ok(words.none_left().then_some(len))
}

/// The first `count` slots, or all where they are fewer, and the others; `None`
/// for none.
fn split(slots: &mut [u64], count: usize) -> Option<(&mut [u64], &mut [u64])> {
    let count = slots.len().min(count);
    slots.split_at_mut_checked(count).filter(|_| count > 0)
}

/// Fills a block with the first words, in place by the bits of `used`; whether
/// they can be entries before `end`.
///
/// Without a branch for each slot: which are used cannot be foretold.
fn unpack_block(block: &mut [u64], mut used: u64, words: &[[u8; 8]], end: Loc) -> bool {
    let count = usize::try_from(used.count_ones()).unwrap_or(0);
    let Some(words) = words.get(..count) else {
        return false;
    };
    let mut next = 0usize;
    for slot in block {
        let one = used & 1;
        let word = words.get(next).map_or(0, |word| u64::from_le_bytes(*word));
        *slot = word & 0u64.wrapping_sub(one);
        next = next.wrapping_add(one as usize);
        used >>= 1;
    }
    used == 0 && can_be_entries(words, end)
}

/// Whether words can be used slots whose entries lie before `end`.
fn can_be_entries(words: &[[u8; 8]], end: Loc) -> bool {
    // Their differences wrap below zero, into the highest bit, where not.
    let last = end.0.wrapping_sub(1);
    let wraps = words.iter().fold(0, |wraps, word| {
        let word = u64::from_le_bytes(*word);
        wraps | last.wrapping_sub(word & LOC_MAX) | (word >> DISPLACEMENT).wrapping_sub(1)
    });
    wraps >> 63 == 0
}
