//! Reading what was committed, beside the open transaction.
//!
//! The index shows a transaction from its first change on, with an undo row
//! for each, and records stay where they are until it is durable. So what a
//! name led to before is found by following its rows back.

use super::name::Name;
use crate::error::Error;
use crate::fault::Fault;
use crate::index::{Index, Loc, Probe};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::multilog::LogSpan;
use crate::store::{Store, Undo};
use core::cmp::Ordering;

/// The store without its open transaction: see [`Store::committed`].
pub struct Committed<'s, 'a, M: Medium, I: Index> {
    store: &'s Store<'a, M, I>,
}

impl<'a, M: Medium, I: Index> Store<'a, M, I> {
    /// The store as its last commit left it, whatever a transaction has staged
    /// or [prepared](Store::prepare) since. Where nothing is staged reads cost
    /// what they cost without it; else they go through the changes of the
    /// transaction, 40 bytes each, at each key.
    ///
    /// ```
    /// # use indelible::{Error, Index, Medium, Store};
    /// fn book<M: Medium, I: Index>(store: &mut Store<M, I>) -> Result<(), Error<M::Error>> {
    ///     store.put(b"seats", b"2")?;
    ///     store.tentatively_put(b"seats", b"1")?;
    ///     store.prepare()?;
    ///     let mut seats = [0; 4];
    ///     assert_eq!(store.committed().get(b"seats", &mut seats)?, Some(1));
    ///     assert_eq!(seats.first(), Some(&b'2'));
    ///     store.commit()
    /// }
    /// ```
    #[must_use]
    pub fn committed(&self) -> Committed<'_, 'a, M, I> {
        Committed { store: self }
    }
}

impl<M: Medium, I: Index> Committed<'_, '_, M, I> {
    /// [`Store::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8], buf: &mut [u8]) -> Result<Option<usize>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.read_whole(&name, buf))
    }

    /// [`Store::read_value`].
    ///
    /// # Errors
    /// As there.
    pub fn read_value(
        &self,
        key: &[u8],
        offset: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.read_part(&name, offset, buf))
    }

    /// [`Store::value_len`].
    ///
    /// # Errors
    /// As there.
    pub fn value_len(&self, key: &[u8]) -> Result<Option<u64>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.whole_len(&name))
    }

    /// [`Store::contains`].
    ///
    /// # Errors
    /// As there.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Error<M::Error>> {
        let name = Name::item(key).committed();
        Ok(self.store.told(self.store.locate(&name))?.is_some())
    }

    /// [`Store::get_ref`].
    ///
    /// # Errors
    /// As there.
    pub fn get_ref(&self, key: &[u8]) -> Result<Option<&[u8]>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.whole_ref(&name))
    }

    /// [`Store::len`].
    #[must_use]
    pub fn len(&self) -> u64 {
        let (mut added, mut removed) = (0u64, 0u64);
        for row in self.store.staged_rows().iter().filter(|row| row.primary) {
            added = added.plus(u64::from(row.old == 0));
            removed = removed.plus(u64::from(row.new == 0));
        }
        self.store.keys.plus(removed).minus(added)
    }

    /// [`Store::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [`Store::list_len`].
    ///
    /// # Errors
    /// As there.
    pub fn list_len(&self, key: &[u8]) -> Result<Option<u64>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.elements(&name))
    }

    /// [`Store::list_read`].
    ///
    /// # Errors
    /// As there.
    pub fn list_read(
        &self,
        key: &[u8],
        index: u64,
        buf: &mut [u8],
    ) -> Result<Option<usize>, Error<M::Error>> {
        let name = Name::item(key).committed();
        self.store.told(self.store.read_element(&name, index, buf))
    }

    /// Calls `visit` with each key whose value the transaction created,
    /// replaced or deleted, once for each time; `key` is memory for one.
    ///
    /// # Errors
    /// [`Error::MemoryTooSmall`], or the medium's.
    pub fn changed(
        &self,
        key: &mut [u8],
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error<M::Error>> {
        for row in self.store.staged_rows().iter().filter(|row| row.primary) {
            visit(self.store.told(self.store.key_of_row(row, key))?);
        }
        Ok(())
    }

    /// [`Store::get_head_tail_and_capacity`].
    ///
    /// # Errors
    /// As there.
    pub fn get_head_tail_and_capacity(&self, log: usize) -> Result<LogSpan, Error<M::Error>> {
        let state = self.store.told(self.store.log(log))?;
        Ok(LogSpan {
            head: state.committed.head,
            tail: state.committed.tail,
            capacity: state.capacity,
        })
    }

    /// [`Store::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, log: usize, position: u64, buf: &mut [u8]) -> Result<(), Error<M::Error>> {
        let mut state = *self.store.told(self.store.log(log))?;
        state.staged = state.committed;
        self.store.read_log(log, &state, position, buf)
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// The changes of the open transaction, in order.
    fn staged_rows(&self) -> &[Undo] {
        self.undo.get(..self.group.undo).unwrap_or_default()
    }

    /// Where a name led before the open transaction, `found` being where it
    /// leads now.
    pub(crate) fn before_group(
        &self,
        name: &Name<'_>,
        probe: &Probe,
        mut found: Option<Loc>,
    ) -> Result<Option<Loc>, Fault<M::Error>> {
        for row in self.staged_rows().iter().rev() {
            if row.hash != probe.hash || row.new != found.map_or(0, |loc| loc.0.plus(1)) {
                continue;
            }
            let old = row.old.checked_sub(1).map(Loc);
            // What was removed has only its hash in the row.
            if found.is_none()
                && let Some(old) = old
                && self.device.compare(&self.table, name, old)? != Ordering::Equal
            {
                continue;
            }
            found = old;
        }
        Ok(found)
    }

    /// Reads the key of a change.
    fn key_of_row<'k>(&self, row: &Undo, key: &'k mut [u8]) -> Result<&'k [u8], Fault<M::Error>> {
        let at = if row.new == 0 { row.old } else { row.new };
        let place = self.table.place(&self.device, Loc(at.minus(1)));
        let frame = self.device.record(place)?;
        self.read_key(&frame, key)
    }
}
