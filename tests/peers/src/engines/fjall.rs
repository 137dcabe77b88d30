//! fjall: a log-structured merge tree.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::engine::{Engine, Key, Result, Session, Value, Visit};

/// fjall with `PersistMode::SyncAll` after every write.
pub struct Fjall;

impl Engine for Fjall {
    fn name(&self) -> &'static str {
        "fjall"
    }

    fn setting(&self) -> &'static str {
        "PersistMode::SyncAll at each commit, cache 512 MiB"
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let database = Database::builder(dir.join("fjall"))
            .cache_size(super::CACHE_BYTES)
            .open()?;
        let pairs = database.keyspace("kv", KeyspaceCreateOptions::default)?;
        job(&mut Open { database, pairs })
    }
}

struct Open {
    database: Database,
    pairs: Keyspace,
}

impl Session for Open {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        self.pairs.insert(key.as_slice(), value.as_slice())?;
        self.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, value) in pairs {
            batch.insert(&self.pairs, key.as_slice(), value.as_slice());
        }
        batch.commit()?;
        Ok(())
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        for key in keys {
            if let Some(value) = self.pairs.get(key)? {
                visit(&value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for pair in self.pairs.iter() {
            let (key, value) = pair.into_inner()?;
            visit(&key, &value);
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        for start in starts {
            for (nth, pair) in self.pairs.range(start.as_slice()..).take(count).enumerate() {
                let (key, value) = pair.into_inner()?;
                visit(nth, &key, &value);
            }
        }
        Ok(true)
    }
}
