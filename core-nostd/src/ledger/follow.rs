//! Recovery: from one ledger segment to the next.

use super::roots::Root;
use super::walk::Walk;
use crate::device::Device;
use crate::fault::{Fault, What};
use crate::format::frame::{Kind, LINK_BODY, Seen};
use crate::format::header::Stream;
use crate::index::Index;
use crate::math::{Saturate, u32_at};
use crate::medium::Medium;
use crate::report::{Hit, Report};
use crate::segments::Owner;
use crate::store::{Place, Store};

/// The ledger segment that follows another.
pub(crate) struct Successor {
    segment: u32,
    seq: u32,
    /// The link was healed, or is known only by what stands in its target.
    healed: bool,
    /// Where the frames before the link end.
    used: u32,
}

impl Successor {
    /// Whether its link says that nothing counts from an offset on.
    pub(crate) fn begins_behind(&self, at: u32) -> bool {
        !self.healed && self.used <= at
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// The ledger segment behind the tail's: by its link, or, where the link
    /// is damaged, by its header if something was committed in it.
    pub(crate) fn successor(&self) -> Result<Option<Successor>, Fault<M::Error>> {
        let shape = self.device.shape;
        let at = self.tail;
        let seen = self
            .device
            .examine(at.segment, at.seq, shape.link_at, shape.segment_size)?;
        if let Seen::Whole(frame) = seen
            && frame.kind == Kind::Link
        {
            let mut bytes = [0u8; LINK_BODY];
            self.device.read_in(&frame, frame.body_at(), &mut bytes)?;
            let (segment, seq) = (u32_at(&bytes, 0), u32_at(&bytes, 4));
            let used = u32_at(&bytes, 8);
            if segment >= shape.segments {
                // It leads behind the end that an older root tells of.
                let link = shape.address(at.segment, shape.link_at);
                return Err(Fault::at(What::LedgerLost, link));
            }
            if seq > at.seq {
                let healed = frame.patch.is_some();
                let used = used.min(shape.link_at);
                return Ok(Some(Successor {
                    segment,
                    seq,
                    healed,
                    used,
                }));
            }
        }
        // The link cannot be read. Where its slot is blank, what stood before
        // it may have gone with it.
        let (bits, _) = self
            .device
            .programmed(at.segment, shape.link_at, shape.segment_size)?;
        let used = if bits == 0 { shape.link_at } else { at.at };
        if self.newest_header <= at.seq {
            return Ok(None);
        }
        let chain = self.chain.plus(1);
        for segment in 0..shape.segments {
            let Some((header, _)) = self.device.header(segment)? else {
                continue;
            };
            if header.n != chain || header.seq <= at.seq {
                continue;
            }
            let place = Place {
                segment,
                seq: header.seq,
                at: shape.start,
            };
            if self.was_used(place, header.stream)? {
                return Ok(Some(Successor {
                    segment,
                    seq: header.seq,
                    healed: true,
                    used,
                }));
            }
        }
        Ok(None)
    }

    /// Whether anything was committed in a segment that no link can be read to.
    fn was_used(&self, place: Place, stream: Stream) -> Result<bool, Fault<M::Error>> {
        let ordered = self.device.shape.ordered();
        if stream == Stream::Root && !ordered {
            return Ok(false);
        }
        self.device.was_used(place, stream)
    }

    /// Whether any whole frame of a ledger segment is there.
    fn holds_frames(&self, segment: u32, seq: u32) -> Result<bool, Fault<M::Error>> {
        let at = self.device.shape.start;
        let place = Place { segment, seq, at };
        Ok(self.device.resync_in(place, at)?.is_some())
    }

    /// Goes on in the next ledger segment, if there is one.
    pub(crate) fn follow_link(
        &mut self,
        walk: &mut Walk,
        report: &mut Report,
    ) -> Result<bool, Fault<M::Error>> {
        let Some(next) = self.successor()? else {
            return Ok(false);
        };
        let Successor { segment, seq, .. } = next;
        let header = self.device.header(segment)?.map(|(header, _)| header);
        let known = header.filter(|header| header.seq == seq);
        let root = self.device.whole_root(segment, seq)?;
        if let Some(root) = &root
            && known.is_some()
        {
            // It was not confirmed when the newest root was chosen: the frame
            // that confirms it, which power cut, reads otherwise now. So it is
            // the root, and nothing was lost before it.
            return self.go_on_from(root, walk);
        }
        if next.used > self.tail.at {
            let at = self.tail;
            self.damage(Hit::Ledger, at, next.used.minus(at.at), next.used, report);
            walk.damaged = true;
            self.tail.at = next.used;
        } else if next.healed {
            report.healed_bits = report.healed_bits.plus(1);
        }
        self.mark_used(self.tail);
        if known.is_none() && !self.holds_frames(segment, seq)? {
            // The header was durable before the link: the segment was erased
            // since, under a newer root that cannot be found.
            let at = self.device.shape.address(segment, 0);
            return Err(Fault::at(What::LedgerLost, at));
        }
        if let Some(root) = &root {
            // Its header was lost, so it was not found as the newest root.
            report.healed_bits = report.healed_bits.plus(1);
            return self.go_on_from(root, walk);
        }
        walk.sealed_root = known.is_some_and(|header| header.stream == Stream::Root);
        self.go_on_in(segment, seq);
        Ok(true)
    }

    /// Goes on from a newer root that the walk has come to.
    fn go_on_from(&mut self, root: &Root, walk: &mut Walk) -> Result<bool, Fault<M::Error>> {
        self.load(root)?;
        self.newest_header = u32::MAX;
        self.chain = root.fixed.chain;
        self.root_seq = root.frame.seq;
        self.since_root = 0;
        self.tail = Place {
            at: self.device.shape.start,
            ..root.frame.place()
        };
        *walk = Walk::default();
        Ok(true)
    }

    /// Goes on in a ledger segment without a root.
    fn go_on_in(&mut self, segment: u32, seq: u32) {
        let start = self.device.shape.start;
        self.table.release(segment);
        self.table.give(segment, Owner::Ledger);
        if let Some(row) = self.table.row(segment) {
            row.seq = seq;
            row.n = seq;
            row.used = start;
        }
        self.chain = self.chain.plus(1);
        self.since_root = self.since_root.plus(1);
        self.tail = Place {
            segment,
            seq,
            at: start,
        };
    }
}

impl<M: Medium> Device<M> {
    /// The root of a segment, if all of its group is there.
    fn whole_root(&self, segment: u32, seq: u32) -> Result<Option<Root>, Fault<M::Error>> {
        match self.root_at(segment, seq)? {
            Some(root) if self.root_end(&root)?.is_some() => Ok(Some(root)),
            _ => Ok(None),
        }
    }

    /// Whether anything was committed in a ledger segment, as far as can be read.
    pub(crate) fn was_used(&self, place: Place, stream: Stream) -> Result<bool, Fault<M::Error>> {
        let link_at = self.shape.link_at;
        match stream {
            Stream::Ledger => {
                let seen = self.examine(place.segment, place.seq, place.at, link_at)?;
                Ok(matches!(seen, Seen::Whole(_)))
            }
            // A group behind a root's checkpoint proves that it was whole.
            Stream::Root => {
                let from = place.at.plus(self.shape.unit);
                Ok(self.resync_in(place, from)?.is_some_and(|(_, first)| first))
            }
            _ => Ok(false),
        }
    }
}
