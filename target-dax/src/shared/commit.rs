//! What a leader does: stages the batches, lets go of the store while the
//! medium flushes, and tells everyone.

use std::sync::Arc;
use std::time::Instant;

use indelible::Error;

use super::batch::{Batch, Change, What};
use super::request::Request;
use super::{Done, Guarded, Inner, SharedError};
use crate::HostMedium;
use crate::host::{HostIndex, HostStore, StoreError};

/// What one thread wants to be committed.
#[derive(Clone, Copy)]
pub(super) enum Work<'w> {
    One(Change<'w>),
    Many(&'w Batch),
}

impl<'w> Work<'w> {
    fn changes(self) -> impl Iterator<Item = Change<'w>> {
        let (one, many) = match self {
            Work::One(change) => (Some(change), None),
            Work::Many(batch) => (None, Some(batch.changes())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// A copy that may go to another thread.
    pub(super) fn to_batch(self) -> Batch {
        match self {
            Work::Many(batch) => batch.clone(),
            Work::One(change) => {
                let mut batch = Batch::new();
                batch.push(change);
                batch
            }
        }
    }
}

/// Why a batch was not staged.
pub(super) struct Refusal {
    pub error: StoreError,
    /// Whether some of its changes were, so that they have to be taken back.
    partly: bool,
}

/// How far the batches of a group got.
struct Group<'g> {
    works: &'g [Work<'g>],
    results: Vec<Option<Result<Done, SharedError>>>,
}

impl<I: HostIndex<'static>, M: HostMedium> Inner<I, M> {
    /// Commits the leader's own work and that of others, in as many flushes as
    /// it takes, mostly one. The leader's result is returned.
    pub(super) fn commit_group(
        &self,
        own: Work<'_>,
        along: &[Arc<Request>],
    ) -> Result<Done, SharedError> {
        let batches = along.iter().filter_map(|request| request.batch());
        let others = batches.map(Work::Many);
        let works: Vec<_> = std::iter::once(own).chain(others).collect();
        let mut group = Group {
            works: &works,
            results: works.iter().map(|_| None).collect(),
        };
        let mut first = 0;
        while first < works.len() {
            first = self.commit_some(&mut group, first);
        }
        let mut results = group
            .results
            .into_iter()
            .map(|result| result.unwrap_or(Err(SharedError::Closed)));
        let own = results.next().unwrap_or(Err(SharedError::Closed));
        for (request, result) in along.iter().zip(results) {
            request.done(result);
        }
        own
    }

    /// Commits works from `first` on with one flush; returns the first that is
    /// left for another one.
    fn commit_some(&self, group: &mut Group<'_>, first: usize) -> usize {
        let mut guard = self.lock();
        let open = guard.as_mut().ok_or(SharedError::Closed);
        let store = match self.may_write().and(open) {
            Ok(owned) => owned.get_mut(),
            Err(error) => {
                group.results[first..].fill_with(|| Some(Err(error.clone())));
                return group.works.len();
            }
        };
        let end = group.stage(store, first);
        let (mut guard, written) = self.write_out(guard);
        // After a failure it takes the group back.
        let shown = guard
            .as_mut()
            .map_or(Ok(()), |owned| owned.get_mut().commit());
        // The first error says more than that the medium is poisoned.
        if let Err(error) = written.and(shown) {
            let error = Arc::new(error);
            for result in &mut group.results[first..end] {
                // What was refused stays refused.
                if let Some(result @ Ok(_)) = result {
                    *result = Err(SharedError::InDoubt(Arc::clone(&error)));
                }
            }
        }
        end
    }

    /// Makes what is staged durable and does not show it: the store's commit is
    /// to follow, which has nothing left to flush. Readers are not kept from
    /// the store while the medium flushes, where that can be done without it.
    pub(super) fn write_out<'g>(
        &'g self,
        mut guard: Guarded<'g, I, M>,
    ) -> (Guarded<'g, I, M>, Result<(), StoreError>) {
        let Some(store) = guard.as_mut().map(|owned| owned.get_mut()) else {
            return (guard, Ok(()));
        };
        if let Err(error) = store.prepare() {
            return (guard, Err(error));
        }
        if !store.in_transaction() {
            return (guard, Ok(()));
        }
        let medium = store.medium_mut();
        let begun = medium.begin_flush();
        let Ok(Some(syncer)) = begun else {
            let flushed = begun.and_then(|_| medium.flush());
            return (guard, flushed.map_err(flush_failed));
        };
        drop(guard);
        let begun = Instant::now();
        let synced = syncer.sync();
        self.queue.flush_took(begun.elapsed());
        let mut guard = self.lock();
        // Nobody closes the store meanwhile, for that takes the lead.
        let ended = guard.as_mut().map_or(Ok(()), |owned| {
            owned.get_mut().medium_mut().end_flush(synced)
        });
        (guard, ended.map_err(flush_failed))
    }
}

fn flush_failed(cause: crate::FileError) -> StoreError {
    Error::Medium {
        operation: indelible::Operation::Flush,
        at: 0,
        cause,
    }
}

impl Group<'_> {
    /// Stages works from `first` on, each wholly or not at all; returns the
    /// first that has to wait for the next transaction.
    fn stage<I: HostIndex<'static>, M: HostMedium>(
        &mut self,
        store: &mut HostStore<'static, I, M>,
        first: usize,
    ) -> usize {
        let mut end = self.works.len();
        let mut next = first;
        let mut staged = false;
        while next < end {
            if matches!(self.results[next], Some(Err(_))) {
                next += 1;
                continue;
            }
            match stage(store, self.works[next]) {
                Ok(done) => {
                    self.results[next] = Some(Ok(done));
                    staged = true;
                    next += 1;
                }
                Err(refusal) => {
                    if staged && too_much(&refusal.error) {
                        // There may be room in a transaction of its own.
                        end = next;
                    } else {
                        self.results[next] = Some(Err(refusal.error.into()));
                    }
                    if !refusal.partly {
                        next += 1;
                        continue;
                    }
                    // A transaction is taken back as a whole.
                    if let Err(error) = store.abort() {
                        let error = Arc::new(error);
                        self.results[first..end]
                            .fill_with(|| Some(Err(SharedError::Store(Arc::clone(&error)))));
                        return end;
                    }
                    (next, staged) = (first, false);
                }
            }
        }
        end
    }
}

/// Whether a transaction with less in it might take it.
fn too_much(error: &StoreError) -> bool {
    matches!(
        error,
        Error::TransactionTooLarge { .. } | Error::Full { .. }
    )
}

pub(super) fn stage<I: HostIndex<'static>, M: HostMedium>(
    store: &mut HostStore<'static, I, M>,
    work: Work<'_>,
) -> Result<Done, Refusal> {
    let mut done = Done::default();
    for (number, change) in work.changes().enumerate() {
        let partly = number > 0;
        apply(store, &change, &mut done).map_err(|error| Refusal { error, partly })?;
    }
    Ok(done)
}

fn apply<I: HostIndex<'static>, M: HostMedium>(
    store: &mut HostStore<'static, I, M>,
    change: &Change<'_>,
    done: &mut Done,
) -> Result<(), StoreError> {
    let Change {
        log,
        number,
        key,
        data,
        ..
    } = *change;
    match change.what {
        What::Put => store.tentatively_put(key, data),
        What::Create => store.tentatively_create(key, data),
        What::Update => store.tentatively_update(key, data),
        What::Delete => store.tentatively_delete(key),
        What::Append => {
            done.positions.push(store.tentatively_append(log, data)?);
            Ok(())
        }
        What::AdvanceHead => store.tentatively_advance_head(log, number),
        What::ListAppend => store.tentatively_list_append(key, data),
        What::ListUpdate => store.tentatively_list_update(key, number, data),
        What::ListTrim => store.tentatively_list_trim(key, number),
    }
}
