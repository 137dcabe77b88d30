//! When the index is saved while the store goes on.

use indelible::{Index, IndexSave, Medium, Store};

use crate::file::FileError;
use crate::host::StoreError;

/// Fewer entries are built from their records soon enough.
const ENTRIES_MIN: usize = 100_000;
/// Bytes of a save that are written before an operation.
const PIECE: usize = 16 << 10;
/// Bytes that are written at a time of one that is asked for.
const STEP: usize = 256 << 10;

/// What a step of a save has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    More,
    Saved,
    /// There is no room, or nothing is saved here.
    NotSaved,
}

/// Saves of an index, and the one under way.
#[derive(Debug)]
pub(super) struct Saves {
    /// So many times what a save takes is written before the next one.
    times: u32,
    /// The one under way, its bytes, and how many of them are written.
    now: Option<(IndexSave, Vec<u8>, usize)>,
    /// No other one is begun before so much was written.
    not_before: u64,
}

impl Saves {
    /// Saves whenever `times` as much as a save takes was written; never by
    /// itself with 0.
    pub(super) fn every(times: u32) -> Self {
        Saves {
            times,
            now: None,
            not_before: 0,
        }
    }

    pub(super) fn set_every(&mut self, times: u32) {
        self.times = times;
    }

    /// The index was replaced by a larger one.
    pub(super) fn restart(&mut self) {
        self.now = None;
        self.not_before = 0;
    }

    /// Before an operation outside of a transaction: begins a save that is due,
    /// or writes a piece of the one under way.
    #[inline]
    pub(super) fn tend<M, I>(&mut self, store: &mut Store<'_, M, I>) -> Result<(), StoreError>
    where
        M: Medium<Error = FileError>,
        I: Index,
    {
        if self.now.is_some() {
            return self.go_on(store, PIECE);
        }
        if self.times == 0 || store.entries() < ENTRIES_MIN {
            return Ok(());
        }
        let age = store.save_age();
        if age.written < self.not_before || age.written / u64::from(self.times) < age.takes {
            return Ok(());
        }
        self.begin(store)
    }

    /// Begins a save.
    #[cold]
    fn begin<M, I>(&mut self, store: &mut Store<'_, M, I>) -> Result<(), StoreError>
    where
        M: Medium<Error = FileError>,
        I: Index,
    {
        let age = store.save_age();
        let mut bytes = Vec::with_capacity(age.takes as usize);
        let begun = store.begin_save(&mut |word| bytes.extend_from_slice(&word.to_le_bytes()))?;
        // Where it does not come to an end, no other one is begun at once.
        self.not_before = age.written + age.takes * u64::from(self.times.max(1));
        self.now = begun.map(|save| (save, bytes, 0));
        Ok(())
    }

    /// Writes so many bytes of the one under way.
    #[cold]
    fn go_on<M, I>(&mut self, store: &mut Store<'_, M, I>, most: usize) -> Result<(), StoreError>
    where
        M: Medium<Error = FileError>,
        I: Index,
    {
        let Some((save, bytes, done)) = &mut self.now else {
            return Ok(());
        };
        let end = bytes.len().min(*done + most);
        let more = store.save_some(save, &bytes[*done..end]);
        *done = end;
        if !matches!(more, Ok(true)) {
            self.now = None;
            if !store.save_age().none {
                self.not_before = 0;
            }
        }
        more.map(drop)
    }

    /// A step of a save that is asked for, its first one or another.
    pub(super) fn step<M, I>(
        &mut self,
        store: &mut Store<'_, M, I>,
        first: bool,
    ) -> Result<Step, StoreError>
    where
        M: Medium<Error = FileError>,
        I: Index,
    {
        match first {
            true => self.begin(store)?,
            false => self.go_on(store, STEP)?,
        }
        Ok(match self.now {
            Some(_) => Step::More,
            None if first || store.save_age().none => Step::NotSaved,
            None => Step::Saved,
        })
    }
}
