//! RocksDB: a log-structured merge tree.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, DB, Direction, IteratorMode, Options, WriteBatch, WriteOptions,
};

use crate::engine::{Engine, Key, Result, Session, Value, Visit};

/// RocksDB with its write-ahead log synced at each write.
pub struct Rocks;

impl Engine for Rocks {
    fn name(&self) -> &'static str {
        "RocksDB"
    }

    fn setting(&self) -> &'static str {
        "WriteOptions::sync, block cache 512 MiB"
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(usize::try_from(super::CACHE_BYTES)?)?);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        let mut write = WriteOptions::default();
        write.set_sync(true);
        job(&mut Open {
            database: DB::open(&options, dir.join("rocksdb"))?,
            write,
        })
    }
}

struct Open {
    database: DB,
    write: WriteOptions,
}

impl Session for Open {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        Ok(self.database.put_opt(key, value, &self.write)?)
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        Ok(self.database.write_opt(batch, &self.write)?)
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        for key in keys {
            if let Some(value) = self.database.get_pinned(key)? {
                visit(&value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for pair in self.database.iterator(IteratorMode::Start) {
            let (key, value) = pair?;
            visit(&key, &value);
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        for start in starts {
            let from = IteratorMode::From(start, Direction::Forward);
            for (nth, pair) in self.database.iterator(from).take(count).enumerate() {
                let (key, value) = pair?;
                visit(nth, &key, &value);
            }
        }
        Ok(true)
    }
}
