//! How much a store takes, and for how long: estimates for whoever plans a
//! device.
//!
//! Every byte is programmed into a segment that was erased for it, so what a
//! device survives is the bytes of all its segments times the erases that its
//! maker rates it for, divided by the bytes that an operation programs:
//!
//! ```text
//! updates = rated erases * segments * payload of a segment
//!           / (bytes of the record * amplification)
//! ```
//!
//! *Amplification* is what relocation adds: to free a segment its live records
//! are copied. Where keys are updated at random and the live share of the
//! space is `u`, the emptiest segment has the live share `v` with
//! `u = (v - 1) / ln v`, and each byte is written `1 / (1 - v)` times. Keys that
//! are never updated cost less than that, for they are copied together; wear is
//! levelled over free segments, so they only take space from the others.

use crate::format::frame::{Kind, body_max, frame_len, short_log};
use crate::format::shape::Shape;
use crate::kv::chunks::BIG;
use crate::kv::name::DEPENDENT as CHUNK_HEAD;
use crate::layout::{Layout, checkpoint_len, root_interval};
use crate::math::Saturate;

/// Amplification in percent, for every twentieth of the space that is live.
const AMPLIFICATION: [u32; 20] = [
    100, 100, 100, 100, 101, 102, 104, 108, 112, 118, 126, 135, 148, 165, 188, 220, 269, 352, 518,
    1017,
];

/// Bytes of the entry that frees a segment, with one cold segment.
const FREE: u32 = 20;

/// Free segments that reclaiming keeps ahead.
const AHEAD: u32 = 4;

impl Layout {
    fn shape(&self) -> Shape {
        Shape::new(self.geometry, self.segment_size, self.nonce)
    }

    /// Bytes that a key of `key_len` bytes with a value of `value_len` bytes
    /// takes of [`Layout::kv_capacity`] and programs when it is put.
    ///
    /// ```
    /// # use indelible::{Config, Geometry, Layout, Order};
    /// # let geometry = Geometry {
    /// #     capacity: 256 * 1024, write_unit: 4, erase_unit: 4096, blank: 0xFF, order: Order::Ordered,
    /// # };
    /// # let config = Config { id: 1, nonce: 2, segment_size: None, logs: &[] };
    /// let layout = Layout::plan(geometry, &config)?;
    /// assert_eq!(layout.record_len(16, 32), 56);
    /// # Ok::<(), indelible::GeometryError>(())
    /// ```
    #[must_use]
    pub fn record_len(&self, key_len: u32, value_len: u64) -> u64 {
        let shape = self.shape();
        let max = shape.frame_max();
        let room = body_max(key_len, max);
        if let Ok(body) = u32::try_from(value_len)
            && body <= room
        {
            return frame_len(&shape, Kind::Put, key_len, body).into();
        }
        let chunk = u64::from(room.minus(CHUNK_HEAD).max(1));
        let whole = u64::from(frame_len(&shape, Kind::Chunk, key_len, room));
        let rest = u32::try_from(value_len.modulo(chunk)).unwrap_or(0);
        let last = match rest {
            0 => 0,
            rest => frame_len(&shape, Kind::Chunk, key_len, rest.plus(CHUNK_HEAD)),
        };
        let head = frame_len(&shape, Kind::Big, key_len, BIG as u32);
        let chunks = value_len.over(chunk).times(whole);
        chunks.plus(last.into()).plus(head.into())
    }

    /// Bytes that an append of `len` bytes to a log programs, on average.
    #[must_use]
    pub fn append_len(&self, len: u64) -> u64 {
        let shape = self.shape();
        let block = u64::from(shape.block);
        let payload = block.minus(shape.block_tail.into()).max(1);
        let raw = len.times(block).plus(payload.minus(1)).over(payload);
        let appended = u32::try_from(len).unwrap_or(u32::MAX);
        let remainder = shape.unit >> 1;
        let (kind, body) = match short_log(&shape, appended, remainder) {
            true if shape.unit <= 8 => (Kind::Log, remainder),
            true => (Kind::Log, remainder.plus(6)),
            false => (Kind::LogWide, remainder.plus(crate::multilog::WIDE)),
        };
        raw.plus(frame_len(&shape, kind, 0, body).into())
    }

    /// Bytes of records that a segment takes: its share of the checkpoints is
    /// left out, what is said when it is freed, and half a record at its end.
    fn payload_for(&self, record_len: u64) -> u64 {
        let shape = self.shape();
        let records = self.segments.minus(self.ring);
        let interval = root_interval(&shape, self.logs, records).max(1);
        let checkpoint = u64::from(checkpoint_len(&shape, self.logs)).over(interval.into());
        let freed = frame_len(&shape, Kind::Meta, 0, FREE).plus(frame_len(&shape, Kind::Run, 0, 8));
        let payload = u64::from(shape.payload().minus(freed)).minus(checkpoint);
        payload.minus(record_len.min(shape.frame_max().into()) >> 1)
    }

    /// How often keys can be updated, all of them together, until the segments
    /// have been erased `rated_erases` times on average: an estimate, on the
    /// short side where updates are not spread evenly over the keys.
    ///
    /// `record_len` is [`Layout::record_len`] of one key and value, `live_bytes`
    /// the sum of it over all keys. Zero where they do not fit.
    ///
    /// Uses of one device add up as shares: it is worn out when
    /// `updates done / updates + appends done / appends` passes 1.
    ///
    /// ```
    /// # use indelible::{Config, Geometry, Layout, Order};
    /// # let geometry = Geometry {
    /// #     capacity: 256 * 1024, write_unit: 4, erase_unit: 4096, blank: 0xFF, order: Order::Ordered,
    /// # };
    /// # let config = Config { id: 1, nonce: 2, segment_size: None, logs: &[] };
    /// let layout = Layout::plan(geometry, &config)?;
    /// // 200 settings on a flash that is rated for 10,000 erases.
    /// let record = layout.record_len(16, 32);
    /// let updates = layout.updates(record, 200 * record, 10_000);
    /// // One update a second for more than a year.
    /// assert!(updates > 365 * 24 * 60 * 60);
    /// # Ok::<(), indelible::GeometryError>(())
    /// ```
    #[must_use]
    pub fn updates(&self, record_len: u64, live_bytes: u64, rated_erases: u32) -> u64 {
        let payload = self.payload_for(record_len);
        let segments = self.segments.minus(self.ring);
        let space = u64::from(segments.minus(AHEAD)).times(payload);
        let percent = amplification(live_bytes.times(1000).over(space));
        if live_bytes > self.kv_capacity {
            return 0;
        }
        let bytes = u64::from(rated_erases)
            .times(segments.into())
            .times(payload);
        let each = record_len.max(1).times(percent);
        // Large devices pass 64 bits in hundredths.
        match bytes.checked_mul(100) {
            Some(hundredths) => hundredths.over(each),
            None => bytes.over(each).times(100),
        }
    }

    /// How many appends of `len` bytes a store's logs take, all of them
    /// together, until the segments have been erased `rated_erases` times on
    /// average, where heads follow the tails.
    #[must_use]
    pub fn appends(&self, len: u64, rated_erases: u32) -> u64 {
        u64::from(rated_erases)
            .times(self.segments.into())
            .times(self.payload_for(0))
            .over(self.append_len(len).max(1))
    }
}

/// Amplification in percent where so many thousandths of the space are live.
fn amplification(live: u64) -> u64 {
    let step = live.over(50);
    let at = usize::try_from(step).unwrap_or(usize::MAX);
    let last = AMPLIFICATION.len().minus(1);
    let value = |at: usize| u64::from(AMPLIFICATION.get(at.min(last)).copied().unwrap_or(100));
    let (low, high) = (value(at), value(at.plus(1)));
    low.plus(high.minus(low).times(live.modulo(50)).over(50))
}

#[cfg(test)]
mod tests {
    use super::amplification;

    #[test]
    fn amplification_grows_with_what_is_live() {
        let mut before = 100;
        for live in 0..1000 {
            let now = amplification(live);
            assert!(now >= before, "{live}");
            before = now;
        }
        assert_eq!(amplification(500), 126);
        assert_eq!(amplification(725), 204);
        assert_eq!(amplification(5000), 1017);
    }
}
