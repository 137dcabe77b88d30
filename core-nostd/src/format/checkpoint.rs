//! The checkpoint: the state of the whole store, at the start of a root.
//!
//! ```text
//! body   | id:128 | segments:32 | frame max:32 | next seq:32 | chain:32 | logs:32 | 0:32 | log rows | segment rows | sum:32 |
//! log    | capacity:64 | head:64 | tail:64 | block sum:32 | broken:32 |
//! segment| owner:8 erases:24 | seq:32 | extent:32 |
//! ```
//!
//! `extent` is a log segment's number in its log, and how many bytes of a
//! record segment are committed. `sum` (CRC-32) backs up the frame's checksum
//! where a flipped bit of so long a frame is healed. The bytes of a log that do not fill a unit
//! follow in wide log frames of the same group.

use crc::{Crc, Digest};

use crate::math::{Saturate, place, u32_at, u64_at};
use crate::segments::{Owner, Segment};

/// Bytes of the fixed part.
pub(crate) const FIXED: u32 = 40;
/// Bytes of a log's row.
pub(crate) const LOG_ROW: u32 = 32;
/// Bytes of a segment's row.
pub(crate) const SEGMENT_ROW: u32 = 12;

/// Bytes of the checksum behind the rows.
pub(crate) const SUM: u32 = 4;

#[cfg(feature = "fast-crc")]
type Tables = crc::Table<16>;
#[cfg(not(feature = "fast-crc"))]
type Tables = crc::NoTable;

static OTHER: Crc<u32, Tables> = Crc::<u32, Tables>::new(&crc::CRC_32_ISO_HDLC);

/// The checksum behind the rows, of another polynomial than the frame's.
pub(crate) struct Second(Digest<'static, u32, Tables>);

impl Second {
    pub(crate) fn new() -> Self {
        Second(OTHER.digest())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn sum(self) -> u32 {
        self.0.finalize()
    }
}

/// The second checksum of a checkpoint to be written.
pub(crate) fn second_sum(
    fixed: &[u8],
    logs: u32,
    log_row: &dyn Fn(u32) -> [u8; 32],
    segments: u32,
    segment_row: &dyn Fn(u32) -> [u8; 32],
) -> u32 {
    let mut second = Second::new();
    second.add(fixed);
    for number in 0..logs {
        second.add(&log_row(number));
    }
    for number in 0..segments {
        let row = segment_row(number);
        let len = usize::try_from(SEGMENT_ROW).unwrap_or(0);
        second.add(row.get(..len).unwrap_or(&[]));
    }
    second.sum()
}

/// Bytes of a checkpoint's body.
pub(crate) fn body_len(segments: u32, logs: u32) -> u32 {
    FIXED
        .plus(LOG_ROW.times(logs))
        .plus(SEGMENT_ROW.times(segments))
        .plus(SUM)
}

/// The fixed part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub id: u128,
    pub segments: u32,
    pub frame_max: u32,
    pub next_seq: u32,
    pub chain: u32,
    pub logs: u32,
}

impl Fixed {
    pub(crate) fn encode(&self) -> [u8; FIXED as usize] {
        let mut bytes = [0u8; FIXED as usize];
        place(&mut bytes, 0, &self.id.to_le_bytes());
        place(&mut bytes, 16, &self.segments.to_le_bytes());
        place(&mut bytes, 20, &self.frame_max.to_le_bytes());
        place(&mut bytes, 24, &self.next_seq.to_le_bytes());
        place(&mut bytes, 28, &self.chain.to_le_bytes());
        place(&mut bytes, 32, &self.logs.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Fixed {
            id: u128::from_le_bytes(crate::math::take(bytes, 0)),
            segments: u32_at(bytes, 16),
            frame_max: u32_at(bytes, 20),
            next_seq: u32_at(bytes, 24),
            chain: u32_at(bytes, 28),
            logs: u32_at(bytes, 32),
        }
    }
}

/// A log's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub capacity: u64,
    pub head: u64,
    pub tail: u64,
    pub sum: u32,
    /// The tail does not agree with its bytes.
    pub broken: bool,
}

impl LogRow {
    pub(crate) fn encode(&self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        place(&mut bytes, 0, &self.capacity.to_le_bytes());
        place(&mut bytes, 8, &self.head.to_le_bytes());
        place(&mut bytes, 16, &self.tail.to_le_bytes());
        place(&mut bytes, 24, &self.sum.to_le_bytes());
        place(&mut bytes, 28, &[u8::from(self.broken)]);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        LogRow {
            capacity: u64_at(bytes, 0),
            head: u64_at(bytes, 8),
            tail: u64_at(bytes, 16),
            sum: u32_at(bytes, 24),
            broken: u32_at(bytes, 28) & 1 == 1,
        }
    }
}

/// The first owner code that names a log.
const FIRST_LOG: u8 = 4;
/// The most logs that a store holds.
pub(crate) const LOGS_MAX: usize = 126;

/// A segment's row.
pub(crate) fn encode_segment(segment: &Segment) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    let (owner, extent) = match segment.owner {
        // Whoever does not believe this checkpoint still sees an owner.
        _ if segment.leaving => (1, 1),
        Owner::Withheld => (1, 1),
        Owner::Blank | Owner::Unverified => (0, 0),
        Owner::Dirty | Owner::Erasing => (1, 0),
        #[cfg(feature = "resume")]
        Owner::Saved => (1, 0),
        Owner::Ledger => (2, segment.used),
        Owner::Cold => (3, segment.used),
        Owner::Log => (FIRST_LOG.saturating_add(segment.log), segment.n),
    };
    let [e0, e1, e2, _] = segment.erases.min(0xFF_FFFF).to_le_bytes();
    place(&mut bytes, 0, &[owner, e0, e1, e2]);
    place(&mut bytes, 4, &segment.seq.to_le_bytes());
    place(&mut bytes, 8, &extent.to_le_bytes());
    bytes
}

/// What a segment's row says; blank ones are to be verified before use.
pub(crate) fn decode_segment(bytes: &[u8]) -> Segment {
    let [owner, e0, e1, e2] = crate::math::take(bytes, 0);
    let extent = u32_at(bytes, 8);
    let mut segment = Segment {
        erases: u32::from_le_bytes([e0, e1, e2, 0]),
        seq: u32_at(bytes, 4),
        ..Segment::default()
    };
    segment.owner = match owner {
        0 => Owner::Unverified,
        1 if extent == 0 => Owner::Dirty,
        1 => Owner::Withheld,
        2 => Owner::Ledger,
        3 => Owner::Cold,
        _ => Owner::Log,
    };
    match segment.owner {
        Owner::Ledger | Owner::Cold => segment.used = extent,
        Owner::Log => {
            segment.n = extent;
            segment.log = owner.saturating_sub(FIRST_LOG);
        }
        _ => {}
    }
    segment
}
