//! What can happen to an image.

use crate::seed::mix;

/// One damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// One bit flips.
    Flip {
        /// Which, from the start of the image.
        bit: u64,
    },
    /// A run of bytes is replaced.
    Hole {
        /// Its first byte.
        at: u64,
        /// Its length.
        len: u64,
        /// What it holds then.
        content: Content,
    },
}

/// What stands in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// As after an erase.
    Blank,
    /// Anything.
    Noise,
}

/// Every single-bit flip of an image of this many bytes.
pub fn flips(bytes: usize) -> Vec<Blow> {
    let bits = 0..bytes as u64 * 8;
    bits.map(|bit| Blow::Flip { bit }).collect()
}

/// Every aligned hole of `len` bytes in an image of this many bytes.
pub fn holes(bytes: usize, len: u64, content: Content) -> Vec<Blow> {
    let places = (0..bytes as u64).step_by(len as usize);
    places.map(|at| Blow::Hole { at, len, content }).collect()
}

impl Blow {
    /// The first byte that it hits.
    pub fn at(&self) -> u64 {
        match *self {
            Self::Flip { bit } => bit / 8,
            Self::Hole { at, .. } => at,
        }
    }

    /// Does it.
    pub fn strike(&self, image: &mut [u8], blank: u8) {
        match *self {
            Self::Flip { bit } => image[(bit / 8) as usize] ^= 1 << (bit % 8),
            Self::Hole { at, len, content } => {
                let end = (at + len).min(image.len() as u64);
                let bytes = &mut image[at as usize..end as usize];
                match content {
                    Content::Blank => bytes.fill(blank),
                    Content::Noise => fastrand::Rng::with_seed(mix(&[at, len])).fill(bytes),
                }
            }
        }
    }
}
