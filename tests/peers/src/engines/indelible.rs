//! Indelible's file target, with either index.

use std::path::Path;

use indelible_dax::host::HostIndex;
use indelible_dax::indelible::{HashIndex, OrderedIndex, Saving};
use indelible_dax::{HostMemory, HostStore, Setup};

use crate::engine::{Engine, KEY_LEN, Key, Result, Session, VALUE_LEN, Value, Visit};

/// Bytes of a record beyond key and value, with its rounding.
const RECORD_EXTRA: u64 = 12;

/// Which index the store has.
#[derive(Clone, Copy)]
pub enum Index {
    /// For lookups.
    Hash,
    /// For scans.
    Ordered,
}

/// Indelible in a file that the pairs fill to nine tenths.
pub struct Indelible {
    /// The index.
    pub index: Index,
    /// The most pairs that it will hold.
    pub keys: u64,
}

impl Engine for Indelible {
    fn name(&self) -> &'static str {
        match self.index {
            Index::Hash => "Indelible",
            Index::Ordered => "I. ordered",
        }
    }

    fn setting(&self) -> &'static str {
        match self.index {
            Index::Hash => "each commit synced, hash index, mapped reads, file 9/10 full",
            Index::Ordered => "the same with the ordered index",
        }
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let path = dir.join("indelible");
        if !path.exists() {
            let record = KEY_LEN as u64 + VALUE_LEN as u64 + RECORD_EXTRA;
            Setup::new((self.keys * record * 10 / 9).next_multiple_of(1 << 20)).create(&path)?;
        }
        let memory = HostMemory::new();
        match self.index {
            Index::Hash => open::<Saving<HashIndex<'_>>>(&path, &memory, job),
            Index::Ordered => open::<Saving<OrderedIndex<'_>>>(&path, &memory, job),
        }
    }
}

fn open<'m, I: HostIndex<'m>>(
    path: &Path,
    memory: &'m HostMemory,
    job: &mut dyn FnMut(&mut dyn Session) -> Result<()>,
) -> Result<()> {
    let mut open = Open(HostStore::<I>::open(path, memory)?, memory);
    let outcome = job(&mut open);
    open.0.close()?;
    outcome
}

struct Open<'m, I: HostIndex<'m>>(HostStore<'m, I>, &'m HostMemory);

impl<'m, I: HostIndex<'m>> Session for Open<'m, I> {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        self.0.put(key, value)?;
        Ok(())
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        for (key, value) in pairs {
            self.0.tentatively_put(key, value)?;
        }
        self.0.commit()?;
        Ok(())
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        for key in keys {
            // What has a bit to heal is not borrowed.
            match self.0.get_ref(key)? {
                Some(value) => visit(value),
                None => self.0.get(key)?.iter().for_each(|value| visit(value)),
            }
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let (mut key, mut value) = ([0; KEY_LEN], [0; VALUE_LEN]);
        let mut slots = self.0.scan_slots();
        let mut scan = self.0.scan_in(&[], &mut slots);
        while let Some(entry) = scan.next_with_value(&mut key, &mut value)? {
            visit(entry.key, &value);
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        if !I::ORDERED {
            return Ok(false);
        }
        let (mut key, mut value) = ([0; KEY_LEN], [0; VALUE_LEN]);
        for start in starts {
            let mut scan = self.0.scan(&[]);
            scan.seek(start);
            for nth in 0..count {
                match scan.next_with_value(&mut key, &mut value)? {
                    Some(entry) => visit(nth, entry.key, &value),
                    None => break,
                }
            }
        }
        Ok(true)
    }

    fn memory(&self) -> Option<usize> {
        Some(self.1.lent())
    }
}
