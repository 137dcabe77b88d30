//! Every number that follows from the geometry and the segment size.

use crate::math::Saturate;
use crate::medium::{Geometry, Order};

/// The largest write unit, in bytes.
pub const WRITE_UNIT_MAX: u32 = 512;

/// Bytes of the header at the start of each segment, before rounding.
pub(crate) const HEADER: u32 = 40;

/// Log bytes summed together, with their checksum, in large segments.
const BLOCK: u32 = 1024;

/// The sizes that a store lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub geometry: Geometry,
    /// Bytes written at a time: the write unit, but at least a crash word
    /// (8 bytes) where writes are unordered, so that a word never holds
    /// pieces of two commits.
    pub unit: u32,
    pub segment_size: u32,
    pub segments: u32,
    /// Where a segment's content starts: its header rounded to the unit.
    pub start: u32,
    /// Where a ledger segment's reserved link frame stands.
    pub link_at: u32,
    pub nonce: u64,
    /// Bytes of a log block with its checksum.
    pub block: u32,
    /// Bytes of the checksum that ends a log block.
    pub block_tail: u32,
    /// Log bytes that a segment holds.
    pub log_payload: u32,
}

/// Whether a medium is ordered, in builds that know such.
fn is_ordered(geometry: &Geometry) -> bool {
    cfg!(feature = "ordered") && geometry.order == Order::Ordered
}

/// Whether this build has the code for a medium.
pub(crate) fn is_known(geometry: &Geometry) -> bool {
    cfg!(feature = "ordered") || geometry.order == Order::Unordered
}

impl Shape {
    pub(crate) fn new(geometry: Geometry, segment_size: u32, nonce: u64) -> Self {
        let unit = if is_ordered(&geometry) {
            geometry.write_unit
        } else {
            geometry.write_unit.max(8)
        };
        let start = HEADER.round_up(unit);
        let area = segment_size.minus(start).round_down(unit);
        let block = if segment_size >= 2048 { BLOCK } else { area }.max(1);
        let block_tail = unit.clamp(4, 8);
        let rest = area.modulo(block).minus(block_tail);
        let log_payload = area.over(block).times(block.minus(block_tail)).plus(rest);
        let link = super::frame::LINK_BYTES.round_up(unit);
        let segments = geometry.capacity.over(u64::from(segment_size));
        Shape {
            geometry,
            unit,
            segment_size,
            segments: u32::try_from(segments).unwrap_or(u32::MAX),
            start,
            link_at: segment_size.minus(link).round_down(unit),
            nonce,
            block,
            block_tail,
            log_payload,
        }
    }

    #[inline]
    pub(crate) fn ordered(&self) -> bool {
        is_ordered(&self.geometry)
    }

    /// Bytes of a segment between header and link: what frames can take.
    #[inline]
    pub(crate) fn payload(&self) -> u32 {
        self.link_at.minus(self.start)
    }

    /// The longest frame of a record. An eighth of a segment keeps the waste
    /// at segment ends bounded; what is longer is stored in chunks.
    #[inline]
    pub(crate) fn frame_max(&self) -> u32 {
        let eighth = self.payload() >> 3;
        eighth.max(96).round_up(self.unit).min(self.payload())
    }

    /// The address of byte `offset` of a segment.
    #[inline]
    pub(crate) fn address(&self, segment: u32, offset: u32) -> u64 {
        u64::from(segment)
            .times(u64::from(self.segment_size))
            .plus(u64::from(offset))
    }

    /// The segment and offset of an address.
    #[inline]
    pub(crate) fn place(&self, address: u64) -> (u32, u32) {
        let size = u64::from(self.segment_size);
        if size.is_power_of_two() {
            // The rule, and a division takes longer than all the rest.
            let segment = address.wrapping_shr(size.trailing_zeros());
            let offset = address & size.wrapping_sub(1);
            return (
                u32::try_from(segment).unwrap_or(u32::MAX),
                u32::try_from(offset).unwrap_or(0),
            );
        }
        (
            u32::try_from(address.over(size)).unwrap_or(u32::MAX),
            u32::try_from(address.modulo(size)).unwrap_or(0),
        )
    }

    /// The order that a place in a KV stream stands for: later is larger.
    #[inline]
    pub(crate) fn rank(seq: u32, offset: u32) -> u64 {
        (u64::from(seq) << 32) | u64::from(offset)
    }

    /// The salt of a frame.
    #[inline]
    pub(crate) fn salt(&self, seq: u32, offset: u32) -> u32 {
        crate::checksum::salt(self.nonce, seq, offset)
    }

    /// Where byte `within` of a log segment's payload stands in the segment.
    pub(crate) fn log_offset(&self, within: u32) -> u32 {
        let payload = self.block.minus(self.block_tail).max(1);
        self.start
            .plus(within.over(payload).times(self.block))
            .plus(within.modulo(payload))
    }

    /// The first payload byte and the payload length of the log block that
    /// holds payload byte `within`.
    pub(crate) fn log_block(&self, within: u32) -> (u32, u32) {
        let payload = self.block.minus(self.block_tail).max(1);
        let first = within.over(payload).times(payload);
        (first, payload.min(self.log_payload.minus(first)))
    }
}
