//! LMDB, through heed: copy-on-write B-trees in a memory map.

use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions};

use crate::engine::{Engine, Key, Result, Session, Value, Visit};

/// Bytes of address space for the map: more than any run here fills.
const MAP_BYTES: usize = 16 << 30;

/// LMDB with its default, synchronous commits.
pub struct Lmdb;

impl Engine for Lmdb {
    fn name(&self) -> &'static str {
        "LMDB"
    }

    fn setting(&self) -> &'static str {
        "default flags (each commit synced), memory map"
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let dir = dir.join("lmdb");
        std::fs::create_dir_all(&dir)?;
        // SAFETY: nothing else opens or changes the files under the map.
        let env = unsafe { EnvOpenOptions::new().map_size(MAP_BYTES).open(&dir)? };
        let write = env.write_txn()?;
        let pairs = env
            .create_databases_and_commit(write, |opener, write| {
                opener
                    .create_database::<Bytes, Bytes>(write, None)
                    .map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit();
        let mut open = Open { env, pairs };
        let outcome = job(&mut open);
        open.env.prepare_for_closing().wait();
        outcome
    }
}

struct Open {
    env: Env,
    pairs: Database<'static, Bytes, Bytes>,
}

impl Session for Open {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        self.put_batch(&[(*key, *value)])
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut write = self.env.write_txn()?;
        for (key, value) in pairs {
            self.pairs.put(&mut write, key, value)?;
        }
        write.commit()?;
        Ok(())
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        let read = self.env.read_txn()?;
        for key in keys {
            if let Some(value) = self.pairs.get(&read, key)? {
                visit(value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let read = self.env.read_txn()?;
        for pair in self.pairs.iter(&read)? {
            let (key, value) = pair?;
            visit(key, value);
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        let transaction = self.env.read_txn()?;
        for start in starts {
            let from = (Bound::Included(start.as_slice()), Bound::Unbounded);
            for (nth, pair) in self
                .pairs
                .range(&transaction, &from)?
                .take(count)
                .enumerate()
            {
                let (key, value) = pair?;
                visit(nth, key, value);
            }
        }
        Ok(true)
    }
}
