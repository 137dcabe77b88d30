//! Proofs of roots, on unordered media.
//!
//! A root that can be read may be in a cache alone, where its flush failed. What
//! stands behind it was written later, so it shows that the flush succeeded.

use super::walk::Walk;
use crate::fault::Fault;
use crate::format::frame::{Control, Seen};
use crate::index::Index;
use crate::math::Saturate;
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::Store;

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Writes an empty group behind the root at the tail, before anything else
    /// is done, and flushes.
    pub(crate) fn prove_root(&mut self) -> Result<(), Fault<M::Error>> {
        if self.device.shape.ordered() || Mutant::NoRootProof.on() {
            return Ok(());
        }
        self.write_control(Control::Commit, true, &[])?;
        self.flush()
    }

    /// A root with nothing but proofs behind it may have them in a cache alone.
    /// Then the root before it is the one to go by once power fails, so nothing
    /// may be erased before a proof is durable. Anything else behind it shows
    /// that one is.
    pub(crate) fn prove_again(&mut self, walk: &Walk) -> Result<(), Fault<M::Error>> {
        let Some(end) = walk.root_end else {
            return Ok(());
        };
        let Some(at) = self.behind_proofs(end.at)? else {
            return Ok(());
        };
        let group = self.group;
        self.tail.at = at;
        self.prove_root()?;
        self.tail = end;
        self.group = group;
        Ok(())
    }

    /// The next proof behind a place of the walk without a whole frame, where
    /// only proofs that were cut, or whose flushes failed, stand between.
    pub(crate) fn proof_behind(&self, walk: &Walk) -> Result<Option<u32>, Fault<M::Error>> {
        if walk.root_end.is_none() || walk.open {
            return Ok(None);
        }
        let mut at = self.tail.at;
        while at < self.device.shape.link_at {
            match self.proof_at(at)? {
                Proof::Whole => return Ok(Some(at)),
                Proof::Cut => at = at.plus(self.control_len()),
                Proof::None => break,
            }
        }
        Ok(None)
    }

    /// Where the next proof of the root at the tail goes, which ends at `at`;
    /// `None` where something else stands behind it, or no room is left.
    fn behind_proofs(&self, mut at: u32) -> Result<Option<u32>, Fault<M::Error>> {
        let (len, link_at) = (self.control_len(), self.device.shape.link_at);
        let segment = self.tail.segment;
        let (_, used) = self.device.programmed(segment, at, link_at)?;
        while at < used {
            if self.proof_at(at)? == Proof::None {
                return Ok(None);
            }
            at = at.plus(len);
        }
        Ok((at.plus(len.times(2)) <= link_at).then_some(at))
    }

    /// What stands where a proof may stand, in the tail's segment.
    fn proof_at(&self, at: u32) -> Result<Proof, Fault<M::Error>> {
        let link_at = self.device.shape.link_at;
        let seen = self
            .device
            .examine(self.tail.segment, self.tail.seq, at, link_at)?;
        Ok(match seen {
            Seen::Whole(frame) if frame.is_proof() => Proof::Whole,
            // What is longer was no proof, and the next one would stand in it.
            Seen::Torn(frame) if frame.end() <= at.plus(self.control_len()) => Proof::Cut,
            Seen::Blank => Proof::Cut,
            _ => Proof::None,
        })
    }
}

/// What a place may hold that is a proof's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Whole,
    /// What a cut or a failed flush left of one, be it nothing.
    Cut,
    None,
}
