//! The header at the start of each segment: who owns it, and in what order.
//!
//! ```text
//!  0       4    5    6    7    8           12      16
//! | magic  |ver |flag|unit|log | segment   | seq   |
//! |        |    |    |log2|    | size      |       |
//! | nonce                      | erases:24 | erase | n     |
//! |                            |           | log2  |       |
//! | index                      | crc32c    |
//! ```
//!
//! A header alone proves nothing: a segment belongs to the store only while a
//! checkpoint or a ledger entry says so.

use crate::checksum::{crc32c, flipped_bit};
use crate::format::VERSION;
use crate::format::shape::{HEADER, Shape};
use crate::math::{Saturate, place, take, u32_at, u64_at};
use crate::medium::{Geometry, Order};

/// Named byte ranges of a header.
mod field {
    pub const MAGIC: usize = 0;
    /// Version, flags, write unit and log, a byte each.
    pub const VERSION: usize = 4;
    pub const SIZE: usize = 8;
    pub const SEQ: usize = 12;
    pub const NONCE: usize = 16;
    /// Erase count (24 bits) and erase unit (its logarithm).
    pub const ERASES: usize = 24;
    pub const N: usize = 28;
    pub const INDEX: usize = 32;
    pub const CRC: usize = 36;
}

const MAGIC: u32 = u32::from_le_bytes(*b"iNDL");
const ORDERED: u8 = 1;
const BLANK_ONES: u8 = 2;
const KIND_SHIFT: u32 = 2;

/// Which stream a segment was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// A ledger segment that starts with a checkpoint.
    Root,
    /// A ledger segment that goes on from its predecessor's link.
    Ledger,
    /// Relocated records.
    Cold,
    /// A log's bytes.
    Log,
}

/// A decoded segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub stream: Stream,
    pub log: u8,
    pub seq: u32,
    /// A log segment's number in its log, a ledger segment's in the chain.
    pub n: u32,
    pub erases: u32,
    pub index: u32,
}

/// What a header says of the whole store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub order: Order,
    pub blank: u8,
    pub write_unit: u32,
    pub erase_unit: u32,
    pub segment_size: u32,
    pub nonce: u64,
}

/// What 40 bytes turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Header {
        header: Header,
        origin: Origin,
        healed: bool,
    },
    OtherVersion(u8),
    None,
}

/// A header's bytes.
pub(crate) fn encode(header: &Header, shape: &Shape) -> [u8; HEADER as usize] {
    let mut bytes = [0u8; HEADER as usize];
    let kind = match header.stream {
        Stream::Root => 0u8,
        Stream::Ledger => 1,
        Stream::Cold => 2,
        Stream::Log => 3,
    };
    let ordered = if shape.ordered() { ORDERED } else { 0 };
    let ones = if shape.geometry.blank == 0xFF {
        BLANK_ONES
    } else {
        0
    };
    let flags = ordered | ones | kind.wrapping_shl(KIND_SHIFT);
    let log2 = |unit: u32| u8::try_from(unit.trailing_zeros()).unwrap_or(0);
    let [e0, e1, e2, _] = header.erases.min(0xFF_FFFF).to_le_bytes();
    place(&mut bytes, field::MAGIC, &MAGIC.to_le_bytes());
    place(
        &mut bytes,
        field::VERSION,
        &[VERSION, flags, log2(shape.geometry.write_unit), header.log],
    );
    place(&mut bytes, field::SIZE, &shape.segment_size.to_le_bytes());
    place(&mut bytes, field::SEQ, &header.seq.to_le_bytes());
    place(&mut bytes, field::NONCE, &shape.nonce.to_le_bytes());
    place(
        &mut bytes,
        field::ERASES,
        &[e0, e1, e2, log2(shape.geometry.erase_unit)],
    );
    place(&mut bytes, field::N, &header.n.to_le_bytes());
    place(&mut bytes, field::INDEX, &header.index.to_le_bytes());
    let sum = summed(&bytes);
    place(&mut bytes, field::CRC, &sum.to_le_bytes());
    bytes
}

/// Decodes a header, healing one flipped bit.
pub(crate) fn decode(bytes: &[u8; HEADER as usize]) -> Parsed {
    let mut bytes = *bytes;
    let difference = summed(&bytes) ^ u32_at(&bytes, field::CRC);
    let mut healed = false;
    if difference != 0 {
        // Mostly there is none, and to look for the bit takes long.
        let foreign = u32_at(&bytes, field::MAGIC) ^ MAGIC;
        if foreign.count_ones() > 1 || !heal(&mut bytes, difference) {
            return Parsed::None;
        }
        healed = true;
    }
    read_fields(&bytes, healed)
}

/// Flips the one bit that explains `difference` back; a flip of the checksum
/// itself needs none.
fn heal(bytes: &mut [u8; HEADER as usize], difference: u32) -> bool {
    if difference.is_power_of_two() {
        return true;
    }
    let bits = u32::try_from(field::CRC).unwrap_or(0).times(8);
    let Some(bit) = flipped_bit(difference, u32::MAX, bits) else {
        return false;
    };
    let at = usize::try_from(bit >> 3).unwrap_or(usize::MAX);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1u8.wrapping_shl(bit & 7);
    }
    true
}

fn summed(bytes: &[u8; HEADER as usize]) -> u32 {
    let covered = bytes.get(..field::CRC).unwrap_or(&[]);
    !crc32c(u32::MAX, covered)
}

fn read_fields(bytes: &[u8; HEADER as usize], healed: bool) -> Parsed {
    if u32_at(bytes, field::MAGIC) != MAGIC {
        return Parsed::None;
    }
    let [version, flags, unit, log] = take(bytes, field::VERSION);
    if version != VERSION {
        return Parsed::OtherVersion(version);
    }
    let [e0, e1, e2, erase_unit] = take(bytes, field::ERASES);
    if unit > 9 || erase_unit > 31 {
        return Parsed::None;
    }
    let stream = match flags.wrapping_shr(KIND_SHIFT) & 3 {
        0 => Stream::Root,
        1 => Stream::Ledger,
        2 => Stream::Cold,
        _ => Stream::Log,
    };
    let header = Header {
        stream,
        log,
        seq: u32_at(bytes, field::SEQ),
        n: u32_at(bytes, field::N),
        erases: u32::from_le_bytes([e0, e1, e2, 0]),
        index: u32_at(bytes, field::INDEX),
    };
    let origin = Origin {
        order: if flags & ORDERED != 0 {
            Order::Ordered
        } else {
            Order::Unordered
        },
        blank: if flags & BLANK_ONES != 0 { 0xFF } else { 0 },
        write_unit: 1u32.wrapping_shl(u32::from(unit)),
        erase_unit: 1u32.wrapping_shl(u32::from(erase_unit)),
        segment_size: u32_at(bytes, field::SIZE),
        nonce: u64_at(bytes, field::NONCE),
    };
    Parsed::Header {
        header,
        origin,
        healed,
    }
}

impl Origin {
    /// The geometry that the store was set up with, on a medium of `capacity`.
    pub(crate) fn geometry(&self, capacity: u64) -> Geometry {
        Geometry {
            capacity,
            write_unit: self.write_unit,
            erase_unit: self.erase_unit,
            blank: self.blank,
            order: self.order,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )]
    use super::*;

    fn sample() -> ([u8; 40], Header) {
        let geometry = Geometry {
            capacity: 1 << 20,
            write_unit: 4,
            erase_unit: 4096,
            blank: 0xFF,
            order: Order::Ordered,
        };
        let shape = Shape::new(geometry, 8192, 0x1234_5678_9ABC_DEF0);
        let header = Header {
            stream: Stream::Cold,
            log: 3,
            seq: 77,
            n: 5,
            erases: 9,
            index: 12,
        };
        (encode(&header, &shape), header)
    }

    #[test]
    fn round_trip() {
        let (bytes, header) = sample();
        let Parsed::Header {
            header: found,
            origin,
            healed,
        } = decode(&bytes)
        else {
            panic!("not a header")
        };
        assert_eq!(found, header);
        assert!(!healed);
        assert_eq!(origin.write_unit, 4);
        assert_eq!(origin.segment_size, 8192);
    }

    #[test]
    fn every_flip_is_healed() {
        let (bytes, header) = sample();
        for bit in 0..320 {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            let Parsed::Header {
                header: found,
                healed,
                ..
            } = decode(&other)
            else {
                panic!("bit {bit}")
            };
            assert_eq!(found, header);
            assert!(healed);
        }
    }
}
