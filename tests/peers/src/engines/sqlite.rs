//! SQLite, through rusqlite: a B-tree with a write-ahead log.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::engine::{Engine, Key, Result, Session, Value, Visit};

/// SQLite with a write-ahead log synced at each commit.
pub struct Sqlite;

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn setting(&self) -> &'static str {
        "journal_mode=WAL, synchronous=FULL, cache 512 MiB, WITHOUT ROWID"
    }

    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()> {
        let connection = Connection::open(dir.join("sqlite"))?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA cache_size = -{};
             CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
            super::CACHE_BYTES >> 10
        ))?;
        let mut open = Open(connection);
        let outcome = job(&mut open);
        open.0.close().map_err(|(_, error)| error)?;
        outcome
    }
}

struct Open(Connection);

const PUT: &str = "INSERT OR REPLACE INTO kv (key, value) VALUES (?1, ?2)";

impl Session for Open {
    fn put(&mut self, key: &Key, value: &Value) -> Result<()> {
        self.0
            .prepare_cached(PUT)?
            .execute(params![key, value.as_slice()])?;
        Ok(())
    }

    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut statement = transaction.prepare_cached(PUT)?;
            for (key, value) in pairs {
                statement.execute(params![key, value.as_slice()])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()> {
        let transaction = self.0.transaction()?;
        let mut statement = transaction.prepare_cached("SELECT value FROM kv WHERE key = ?1")?;
        for key in keys {
            statement
                .query_row([key], |row| {
                    visit(row.get_ref(0)?.as_blob()?);
                    Ok(())
                })
                .optional()?;
        }
        Ok(())
    }

    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut statement = self
            .0
            .prepare_cached("SELECT key, value FROM kv ORDER BY key")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }

    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool> {
        let transaction = self.0.transaction()?;
        let mut statement = transaction
            .prepare_cached("SELECT key, value FROM kv WHERE key >= ?1 ORDER BY key LIMIT ?2")?;
        for start in starts {
            let mut rows = statement.query(params![start, count as i64])?;
            let mut nth = 0;
            while let Some(row) = rows.next()? {
                visit(nth, row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
                nth += 1;
            }
        }
        Ok(true)
    }
}
