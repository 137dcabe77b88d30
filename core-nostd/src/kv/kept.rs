//! A saved index that outlives later writes, for starts behind an end that was
//! not clean.
//!
//! It says what the index was when a root was written, its *anchor*. Each later
//! root names it (in a meta frame of its own), and nothing is written into its
//! segments as long as others are free. A start that goes by such a root loads
//! it, leaves out what led into segments that are not there any more, and takes
//! in what was written behind the anchor in the order of a rebuild: ledger
//! segments from the anchor's root on, and what was relocated since. All of
//! that is later, in the order of a rebuild, than what the saved index stands
//! for. What was needed in a segment that is gone was copied behind the anchor.
//!
//! Nothing depends on it. Where a word of it is not as it was written, or
//! anything behind the anchor is damaged, the index is built from all records.
//! Only on media whose writes are unordered.
//!
//! A close saves one, and a store that goes on can too (`saving`).

use crate::fault::Fault;
use crate::format::shape::Shape;
use crate::index::Index;
use crate::ledger::walk::Walk;
use crate::medium::Medium;
use crate::report::Report;
use crate::segments::Table;
use crate::store::Store;

#[cfg(feature = "resume")]
mod with {
    use super::*;
    use crate::fault::What;
    use crate::format::frame::{Kind, Meta, Part, Spec};
    use crate::kv::saved::{SAVED, Saved};
    use crate::math::Saturate;
    use crate::mutants::Mutant;
    use crate::segments::Owner;

    impl Walk {
        /// Whether a segment of this sequence holds a part of a saved index.
        pub(crate) fn holds(&self, shape: &Shape, seq: u32) -> bool {
            let at_close = self.saved.filter(|_| self.closed);
            let holds = |saved: Option<Saved>| saved.is_some_and(|saved| saved.holds(shape, seq));
            holds(at_close) || holds(self.base)
        }
    }

    impl Table<'_> {
        /// Segments with a saved index.
        pub(crate) fn saved(&self) -> u32 {
            self.count(Owner::Saved)
        }

        /// Nothing is kept, as far as is known.
        pub(crate) fn forget_kept(&mut self) {
            self.kept = None;
        }

        /// Keeps a saved index, from now on.
        pub(crate) fn keep(&mut self, shape: &Shape, saved: &Saved) {
            for index in 0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX) {
                let row = self.get(index);
                if row.free() && saved.holds(shape, row.seq) {
                    self.give(index, Owner::Saved);
                }
            }
            self.kept = Some(*saved);
        }

        /// Gives up what is no part of the saved index that roots name.
        pub(crate) fn yield_unnamed(&mut self, shape: &Shape) {
            let kept = self.kept;
            for index in 0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX) {
                let row = self.get(index);
                let named = kept.is_some_and(|kept| kept.holds(shape, row.seq));
                if row.owner == Owner::Saved && !named {
                    self.release(index);
                }
            }
        }

        /// Gives up saved indexes for their room; whether there was any.
        pub(crate) fn yield_kept(&mut self) -> bool {
            self.kept = None;
            if self.count(Owner::Saved) == 0 {
                return false;
            }
            for index in 0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX) {
                if self.get(index).owner == Owner::Saved {
                    self.release(index);
                }
            }
            true
        }
    }

    impl<M: Medium, I: Index> Store<'_, M, I> {
        /// Bytes of a root's word of the saved index.
        pub(crate) fn kept_len(&self) -> u32 {
            match self.table.kept {
                Some(_) => self.body_frame_len(Kind::Meta, SAVED),
                None => 0,
            }
        }

        /// Gives up saved indexes that take more than an eighth of what is spare:
        /// the less is, the more has to be moved to win it back.
        pub(crate) fn yield_if_tight(&mut self) -> bool {
            let saved = self.table.saved();
            saved > 0 && !self.has_spare(saved.into()) && self.table.yield_kept()
        }

        /// Whether so many segments are at most an eighth of what is spare.
        pub(crate) fn has_spare(&self, segments: u64) -> bool {
            let bytes = segments.times(self.device.shape.segment_size.into());
            bytes.times(8) <= self.record_capacity().minus(self.live)
        }

        /// Names the saved index in the root that is written. Where damage was
        /// met the next start has to look at everything.
        pub(crate) fn name_kept(&mut self) -> Result<(), Fault<M::Error>> {
            let Some(saved) = self.table.kept else {
                return Ok(());
            };
            if self.met_damage() {
                self.table.yield_kept();
                return Ok(());
            }
            if !self.fits(self.kept_len()) {
                return Ok(());
            }
            let spec = Spec::with(Kind::Meta, Meta::Saved.code());
            self.write_at_tail(&spec, &[], &[Part::Bytes(&saved.encode())])?;
            Ok(())
        }

        /// Whether damage was met since the root that names the saved index.
        pub(crate) fn kept_spoilt(&self) -> bool {
            self.table.kept.is_some() && self.device.met_damage()
        }

        /// Builds on the saved index that the root names. `false`: it cannot be
        /// done, and nothing is told of it.
        pub(crate) fn build_on_saved(
            &mut self,
            walk: &Walk,
            report: &mut Report,
        ) -> Result<bool, Fault<M::Error>> {
            let Some(saved) = walk.base.filter(|_| self.anchored()) else {
                return Ok(false);
            };
            if self.met_damage() {
                return Ok(false);
            }
            let (before, healed) = (report.clone(), self.healed_bits);
            let Ok(Some(mut from)) = self.load_from(&saved) else {
                return Ok(false);
            };
            if Mutant::ResumeWithoutCold.on() {
                from.cold = u32::MAX;
            }
            let done = match self.take_in_all(walk.newest_last, from, report) {
                Err(fault) if matches!(fault.what, What::IndexFull) => return Err(fault),
                done => done.is_ok(),
            };
            if done && report.damaged == 0 && !self.met_damage() {
                return Ok(true);
            }
            *report = before;
            self.healed_bits = healed;
            self.damages.clear();
            self.device.forget_damage();
            (self.lists, self.dependents) = (false, false);
            for row in self.table.rows.iter_mut() {
                row.damaged = false;
            }
            self.table.yield_kept();
            Ok(false)
        }
    }
}

#[cfg(not(feature = "resume"))]
mod without {
    use super::*;
    use crate::kv::saved::Saved;

    impl Walk {
        pub(crate) fn holds(&self, shape: &Shape, seq: u32) -> bool {
            let saved = self.saved.filter(|_| self.closed);
            saved.is_some_and(|saved| saved.holds(shape, seq))
        }
    }

    impl Table<'_> {
        pub(crate) fn saved(&self) -> u32 {
            0
        }

        pub(crate) fn forget_kept(&mut self) {}

        pub(crate) fn keep(&mut self, _: &Shape, _: &Saved) {}

        #[inline(always)]
        pub(crate) fn yield_kept(&mut self) -> bool {
            false
        }
    }

    impl<M: Medium, I: Index> Store<'_, M, I> {
        #[inline(always)]
        pub(crate) fn kept_len(&self) -> u32 {
            0
        }

        #[inline(always)]
        pub(crate) fn name_kept(&mut self) -> Result<(), Fault<M::Error>> {
            Ok(())
        }

        #[inline(always)]
        pub(crate) fn yield_if_tight(&mut self) -> bool {
            false
        }

        #[inline(always)]
        pub(crate) fn kept_spoilt(&self) -> bool {
            false
        }

        #[inline(always)]
        pub(crate) fn build_on_saved(
            &mut self,
            _: &Walk,
            _: &mut Report,
        ) -> Result<bool, Fault<M::Error>> {
            Ok(false)
        }
    }
}
