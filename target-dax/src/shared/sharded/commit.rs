//! A transaction over several shards, whose leads the thread holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::batch::Batch;
use super::super::commit::{Work, stage};
use super::super::{Guarded, Inner, SharedError};
use super::{INTENTS, MARKS, Shards, intent};
use crate::HostMedium;
use crate::host::{HostIndex, StoreError};

/// The shards of one transaction, the leading one first.
struct Parts<'p, I: HostIndex<'static>, M: HostMedium> {
    shards: Vec<(&'p Inner<I, M>, &'p Batch)>,
}

impl<I: HostIndex<'static>, M: HostMedium> Shards<I, M> {
    /// Commits what `parts` say, in order of the shards.
    pub(super) fn commit_led(&self, parts: &[(usize, Batch)]) -> Result<(), SharedError> {
        let Some((leader, _)) = parts.first() else {
            return Ok(());
        };
        let inners = parts.iter().map(|(shard, _)| &*self.shards[*shard].inner);
        if let [(shard, only)] = parts {
            return self.shards[*shard]
                .inner
                .commit_group(Work::Many(only), &[])
                .map(drop);
        }
        let intent = intent::encode(parts);
        let mut span = self.shards[*leader].log_span(INTENTS)?;
        if span.tail - span.head + intent.len() as u64 > span.capacity && span.head < span.tail {
            // What it holds was carried out.
            let mut forget = Batch::new();
            forget.advance_head(INTENTS, span.tail);
            let inner = &self.shards[*leader].inner;
            inner.commit_group(Work::Many(&forget), &[])?;
            span.head = span.tail;
        }
        let end = span.tail + intent.len() as u64;
        let mut staged = Vec::with_capacity(parts.len());
        for (number, (shard, part)) in parts.iter().enumerate() {
            let mut batch = part.clone();
            if number == 0 {
                // All that came before was carried out.
                batch
                    .advance_head(INTENTS, span.tail)
                    .append(INTENTS, &intent);
            } else {
                let span = self.shards[*shard].log_span(MARKS)?;
                self.marks(*shard).add(*leader, end, span, &mut batch);
            }
            staged.push(batch);
        }
        let led = Parts {
            shards: inners.zip(&staged).collect(),
        };
        led.stage()?;
        led.commit().inspect_err(|_| led.halt())?;
        for (shard, _) in parts.iter().skip(1) {
            self.marks(*shard).note(*leader, end);
        }
        Ok(())
    }
}

impl<I: HostIndex<'static>, M: HostMedium> Parts<'_, I, M> {
    /// Stages all changes, or none.
    fn stage(&self) -> Result<(), SharedError> {
        for (number, (inner, batch)) in self.shards.iter().enumerate() {
            if let Err(error) = stage_part(inner, batch) {
                self.abort(number + 1)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes back what the first `count` shards have staged.
    fn abort(&self, count: usize) -> Result<(), SharedError> {
        let mut aborted = Ok(());
        for (inner, _) in self.shards.iter().take(count) {
            let mut guard = inner.lock();
            if let Some(owned) = guard.as_mut() {
                aborted = aborted.and(owned.get_mut().abort());
            }
        }
        Ok(aborted?)
    }

    /// Nothing more is written to these shards.
    fn halt(&self) {
        for (inner, _) in &self.shards {
            inner.halted.store(true, Ordering::Release);
        }
    }

    fn commit(&self) -> Result<(), SharedError> {
        let Some(((leader, _), others)) = self.shards.split_first() else {
            return Ok(());
        };
        let in_doubt = |error| SharedError::InDoubt(Arc::new(error));
        // With its intent the leader decides: nothing of another shard may be
        // on its medium as committed before.
        leader.write_out(leader.lock()).1.map_err(in_doubt)?;
        for (inner, _) in others {
            inner.write_out(inner.lock()).1.map_err(in_doubt)?;
        }
        self.show().map_err(in_doubt)
    }

    /// Lets readers see what is durable, in all shards at once.
    fn show(&self) -> Result<(), StoreError> {
        let mut guards: Vec<Guarded<'_, I, M>> = Vec::with_capacity(self.shards.len());
        guards.extend(self.shards.iter().map(|(inner, _)| inner.lock()));
        let mut shown = Ok(());
        for guard in &mut guards {
            if let Some(owned) = guard.as_mut() {
                shown = shown.and(owned.get_mut().commit());
            }
        }
        shown
    }
}

fn stage_part<I: HostIndex<'static>, M: HostMedium>(
    inner: &Inner<I, M>,
    batch: &Batch,
) -> Result<(), SharedError> {
    let mut guard = inner.lock();
    inner.may_write()?;
    let owned = guard.as_mut().ok_or(SharedError::Closed)?;
    stage(owned.get_mut(), Work::Many(batch)).map_err(|refusal| refusal.error)?;
    Ok(())
}
