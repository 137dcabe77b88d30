//! Finding roots on the medium.

use crate::device::Device;
use crate::fault::{Fault, What};
use crate::format::checkpoint::{
    FIXED, Fixed, LOG_ROW, LOGS_MAX, LogRow, SEGMENT_ROW, SUM, Second, body_len, decode_segment,
};
use crate::format::frame::{Frame, Kind, Seen};
use crate::format::header::{Parsed, Stream};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::segments::Segment;
use crate::store::Place;

/// Root segments that cannot be read, the newest first.
pub(crate) type Unreadable = heapless::Vec<Place, 4>;

/// Above every root.
pub(crate) const NEWEST: (u32, u32) = (u32::MAX, u32::MAX);

/// A root that can be read: its checkpoint frame and fixed part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub frame: Frame,
    pub fixed: Fixed,
    /// No ledger segment's header has a higher sequence.
    pub newest: u32,
}

impl<M: Medium> Device<M> {
    /// The checkpoint of a root segment, if its whole group is there.
    pub(crate) fn root_at(&self, segment: u32, seq: u32) -> Result<Option<Root>, Fault<M::Error>> {
        let shape = self.shape;
        let Seen::Whole(frame) = self.examine(segment, seq, shape.start, shape.link_at)? else {
            return Ok(None);
        };
        if frame.kind != Kind::Checkpoint {
            return Ok(None);
        }
        let mut bytes = [0u8; FIXED as usize];
        self.read_in(&frame, frame.body_at(), &mut bytes)?;
        let fixed = Fixed::decode(&bytes);
        let logs = usize::try_from(fixed.logs).unwrap_or(usize::MAX);
        if logs > LOGS_MAX || frame.body_len != body_len(fixed.segments, fixed.logs) {
            return Ok(None);
        }
        if frame.patch.is_some() && !self.second_sum_holds(&frame)? {
            return Ok(None);
        }
        Ok(Some(Root {
            frame,
            fixed,
            newest: u32::MAX,
        }))
    }

    /// Whether a healed checkpoint passes its other checksum: so long a frame
    /// could pass the first by chance.
    fn second_sum_holds(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut second = Second::new();
        let end = frame.body_at().plus(frame.body_len).minus(SUM);
        let mut at = frame.body_at();
        let mut chunk = [0u8; 64];
        while at < end {
            let count = usize::try_from(end.minus(at)).unwrap_or(0).min(chunk.len());
            let bytes = chunk.get_mut(..count).unwrap_or_default();
            self.read_in(frame, at, bytes)?;
            second.add(bytes);
            at = at.plus(u32::try_from(count).unwrap_or(1));
        }
        let mut kept = [0u8; SUM as usize];
        self.read_in(frame, end, &mut kept)?;
        Ok(second.sum() == u32::from_le_bytes(kept))
    }

    /// Where the group that a checkpoint starts ends, if it is complete.
    pub(crate) fn root_end(&self, root: &Root) -> Result<Option<u32>, Fault<M::Error>> {
        let mut at = root.frame.end();
        let end = self.shape.link_at;
        while at < end {
            match self.examine(root.frame.segment, root.frame.seq, at, end)? {
                Seen::Whole(frame) if frame.last => return Ok(Some(frame.end())),
                Seen::Whole(frame) => at = frame.end(),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether a root that ends at `end` is known to be whole for good:
    /// something was begun behind it, which on ordered media comes after its
    /// last unit, and on others after its flush.
    fn confirmed(&self, root: &Root, end: u32) -> Result<bool, Fault<M::Error>> {
        let segment = root.frame.segment;
        let near = end.plus(self.shape.unit.max(16)).min(self.shape.link_at);
        if self.programmed(segment, end, near)?.0 > 0 {
            return Ok(true);
        }
        Ok(self.programmed(segment, near, self.shape.link_at)?.0 > 0)
    }

    pub(crate) fn log_row(&self, root: &Root, log: u32) -> Result<LogRow, Fault<M::Error>> {
        let mut bytes = [0u8; LOG_ROW as usize];
        let at = root.frame.body_at().plus(FIXED).plus(LOG_ROW.times(log));
        self.read_in(&root.frame, at, &mut bytes)?;
        Ok(LogRow::decode(&bytes))
    }

    pub(crate) fn segment_row(&self, root: &Root, index: u32) -> Result<Segment, Fault<M::Error>> {
        let mut bytes = [0u8; SEGMENT_ROW as usize];
        if index >= root.fixed.segments {
            // The store has grown since.
            return Ok(Segment::default());
        }
        let at = root
            .frame
            .body_at()
            .plus(FIXED)
            .plus(LOG_ROW.times(root.fixed.logs))
            .plus(SEGMENT_ROW.times(index));
        self.read_in(&root.frame, at, &mut bytes)?;
        Ok(decode_segment(&bytes))
    }

    /// The newest root, and the newer ones that cannot be read.
    pub(crate) fn require_root(&self) -> Result<(Root, Unreadable), Fault<M::Error>> {
        let (root, unreadable) = self.newest_root(NEWEST)?;
        let newest = unreadable.first();
        let at = newest.map_or(0, |place| self.shape.address(place.segment, 0));
        Ok((root.ok_or(Fault::at(What::LedgerLost, at))?, unreadable))
    }

    /// The newest root below `below` that is known to be durable, and the newer
    /// ones that are not or cannot be read.
    ///
    /// Of one that is not, the flush may have failed, or, on ordered media, its
    /// last unit have been cut. Nothing was committed behind it, and nothing
    /// that the root before it needs is gone.
    pub(crate) fn newest_root(
        &self,
        mut below: (u32, u32),
    ) -> Result<(Option<Root>, Unreadable), Fault<M::Error>> {
        let mut unreadable = Unreadable::new();
        let mut doubtful: Option<(Root, Unreadable)> = None;
        let mut newest = 0;
        for _ in 0..self.shape.segments {
            let Some(place) = self.root_header(below, &mut newest)? else {
                break;
            };
            if let Some(root) = self.root_at(place.segment, place.seq)?
                && let Some(end) = self.root_end(&root)?
            {
                let root = Root { newest, ..root };
                if self.confirmed(&root, end)? || self.shape.ordered() && doubtful.is_some() {
                    return Ok((Some(root), unreadable));
                }
                doubtful = Some((root, unreadable.clone()));
            } else if doubtful.is_some() && self.was_used(place, Stream::Root)? {
                // The one before is damaged: this one has to do.
                break;
            }
            let _ = unreadable.push(place);
            below = (place.seq, place.segment);
        }
        Ok(match doubtful {
            Some((root, unreadable)) => (Some(root), unreadable),
            None => (None, unreadable),
        })
    }

    /// The root header of highest sequence and index below `below`. Two can
    /// share a sequence: a torn header may read as none once and be whole the
    /// next time. `newest` becomes the highest sequence of any in the ledger.
    fn root_header(
        &self,
        below: (u32, u32),
        newest: &mut u32,
    ) -> Result<Option<Place>, Fault<M::Error>> {
        let mut best: Option<(u32, u32)> = None;
        for segment in 0..self.shape.segments {
            let Some((header, _)) = self.header(segment)? else {
                continue;
            };
            if matches!(header.stream, Stream::Root | Stream::Ledger) {
                *newest = header.seq.max(*newest);
            }
            let key = (header.seq, segment);
            let newer = best.is_none_or(|best| key > best);
            if header.stream == Stream::Root && key < below && newer {
                best = Some(key);
            }
        }
        let at = self.shape.start;
        Ok(best.map(|(seq, segment)| Place { segment, seq, at }))
    }

    /// A segment's header if it is this store's, and whether it was healed.
    pub(crate) fn header(
        &self,
        segment: u32,
    ) -> Result<Option<(crate::format::header::Header, bool)>, Fault<M::Error>> {
        let at = self.shape.address(segment, 0);
        match crate::layout::peek(&self.medium, at)? {
            Parsed::Header {
                header,
                origin,
                healed,
            } if origin.nonce == self.shape.nonce
                && origin.segment_size == self.shape.segment_size
                && header.index == segment =>
            {
                Ok(Some((header, healed)))
            }
            _ => Ok(None),
        }
    }
}

/// Whether anything was ever committed in a store of which no root can be read:
/// else power failed in its setup.
pub(crate) fn ever_used<M: Medium>(device: &Device<M>) -> Result<bool, Fault<M::Error>> {
    let at = device.shape.start;
    for segment in 0..device.shape.segments {
        let Some((header, _)) = device.header(segment)? else {
            continue;
        };
        let seq = header.seq;
        let used = match header.stream {
            Stream::Cold | Stream::Log => true,
            stream => device.was_used(Place { segment, seq, at }, stream)?,
        };
        if used {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a root says of the store's size.
pub(crate) struct Survey {
    pub segments: u32,
    pub logs: u32,
    pub ring: u32,
    pub root: Root,
    pub unreadable: Unreadable,
    /// The store takes all of the device.
    pub whole: bool,
}

/// The size of the store on a device, if a root can be read.
pub(crate) fn survey<M: Medium>(device: &Device<M>) -> Result<Option<Survey>, Fault<M::Error>> {
    let (Some(root), unreadable) = device.newest_root(NEWEST)? else {
        return Ok(None);
    };
    let mut ring = 0u32;
    for log in 0..root.fixed.logs {
        let row = device.log_row(&root, log)?;
        ring = ring.plus(crate::layout::log_segments(&device.shape, row.capacity));
    }
    let segments = root.fixed.segments;
    if ring > segments {
        return Ok(None);
    }
    Ok(Some(Survey {
        segments,
        logs: root.fixed.logs,
        ring,
        root,
        unreadable,
        whole: segments == device.shape.segments,
    }))
}
