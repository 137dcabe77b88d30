//! redb: copy-on-write B-trees.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::engine::{Engine, Key, Result, Session, Value, Visit};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");

/// redb at `Durability::Immediate`, its default.
pub struct Redb;

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn setting(&self) -> &'static str {
        "Durability::Immediate (default), cache 512 MiB"
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let mut builder = Database::builder();
        builder.set_cache_size(usize::try_from(super::CACHE_BYTES)?);
        job(&mut Open(builder.create(dir.join("redb"))?))
    }
}

struct Open(Database);

impl Session for Open {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        self.put_batch(&[(*key, *value)])
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in pairs {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(TABLE)?;
        for key in keys {
            if let Some(value) = table.get(key.as_slice())? {
                visit(value.value());
            }
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(TABLE)?;
        for pair in table.iter()? {
            let (key, value) = pair?;
            visit(key.value(), value.value());
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        let transaction = self.0.begin_read()?;
        let table = transaction.open_table(TABLE)?;
        for start in starts {
            for (nth, pair) in table.range(start.as_slice()..)?.take(count).enumerate() {
                let (key, value) = pair?;
                visit(nth, key.value(), value.value());
            }
        }
        Ok(true)
    }
}
