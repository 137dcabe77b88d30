//! What the shell's commands do.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use indelible_dax::SharedError;
use indelible_dax::indelible::Error;

use super::super::keys::{Change, Keys, is_absent};
use super::super::{backup, bench, count};
use super::line::{HELP, Line};
use crate::failure::{Code, Failure, Outcome};
use crate::text::{bytes, escaped};

/// Bytes of a value that is measured.
const BENCH_VALUE: [u8; 100] = [b'v'; 100];

/// A store and the changes that are not committed yet.
pub struct Session<'s> {
    store: &'s mut dyn Keys,
    /// Changes that make a transaction.
    batch: u64,
    /// Changes in the one that is open.
    open: u64,
}

impl<'s> Session<'s> {
    pub fn new(store: &'s mut dyn Keys) -> Self {
        Self {
            store,
            batch: 1,
            open: 0,
        }
    }

    pub fn store(&self) -> &dyn Keys {
        self.store
    }

    /// Changes that are not durable.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Runs one command and returns the line that is to be printed, if any.
    pub fn run(&mut self, line: Line) -> Outcome<Option<String>> {
        match line {
            Line::Nothing => Ok(None),
            Line::Exit => self.commit().map(|()| None),
            line => self.answer(line).map(Some),
        }
    }

    fn answer(&mut self, line: Line) -> Outcome<String> {
        match line {
            Line::Put(key, value) => self.change(&key, Change::Put(&key, &value)),
            Line::Del(key) => self.change(&key, Change::Delete(&key)),
            Line::Get(key) => match self.store.get(&key) {
                Ok(Some(value)) => Ok(escaped(&value)),
                Ok(None) => Err(not_found(&key)),
                Err(error) if is_absent(&error) => Err(not_found(&key)),
                Err(error) => Err(about(&key, error)),
            },
            Line::Size => self.size(),
            Line::Snap(path) => self.snap(&path),
            Line::Flush => {
                let open = self.open;
                self.commit()?;
                Ok(match open {
                    0 => "OK".to_string(),
                    open => format!("OK ({open} committed)"),
                })
            }
            Line::SetBatch(batch) => {
                self.batch = batch;
                if self.open >= batch {
                    self.commit()?;
                }
                Ok("OK".to_string())
            }
            Line::Bench(keys) => self.bench(keys),
            Line::Help => Ok(HELP.to_string()),
            Line::Nothing | Line::Exit => Ok(String::new()),
        }
    }

    /// Makes what is open durable, or takes it back.
    pub fn commit(&mut self) -> Outcome {
        let open = std::mem::take(&mut self.open);
        if open == 0 {
            return Ok(());
        }
        self.store.commit().map_err(|error| {
            self.store.abort();
            let failure = Failure::from(error);
            match open {
                1 => failure,
                _ => failure.about(format_args!("none of the {open} open changes is done")),
            }
        })
    }

    fn change(&mut self, key: &[u8], change: Change<'_>) -> Outcome<String> {
        let mut staged = self.store.stage(change);
        if self.open > 0
            && let Err(error) = &staged
            && let Some(Error::TransactionTooLarge { .. } | Error::Full { .. }) = error.store()
        {
            // There may be room in a transaction of its own.
            self.commit()?;
            staged = self.store.stage(change);
        }
        if let Err(error) = staged {
            if self.open == 0 {
                // Nothing is in it.
                self.store.abort();
            }
            return Err(about(key, error));
        }
        self.open += 1;
        if self.open >= self.batch {
            self.commit()
                .map_err(|failure| failure.about(escaped(key)))?;
            return Ok("OK".to_string());
        }
        Ok(format!("OK ({} of {}, not durable)", self.open, self.batch))
    }

    fn size(&self) -> Outcome<String> {
        let room = self.store.room()?;
        let keys = count(room.keys, "key", "keys");
        let (live, capacity) = (bytes(room.live), bytes(room.capacity));
        Ok(format!("{keys}, {live} of {capacity}"))
    }

    fn snap(&mut self, path: &Path) -> Outcome<String> {
        self.commit()?;
        let copied = self
            .store
            .backup(path)
            .map_err(|error| Failure::copy(path, path, error))?;
        Ok(format!("OK ({})", backup::shown(copied)))
    }

    fn bench(&mut self, keys: u64) -> Outcome<String> {
        self.commit()?;
        bench::refuse_old_keys(self.store)?;
        let measured = self.measure(keys);
        if measured.is_err() {
            self.store.abort();
        }
        // The keys go even where measuring them failed.
        let removed = bench::remove(self.store);
        let shown = measured?;
        removed.map(|()| shown)
    }

    fn measure(&mut self, keys: u64) -> Outcome<String> {
        let start = Instant::now();
        for number in 0..keys {
            let key = bench::key(number);
            self.store.stage(Change::Put(&key, &BENCH_VALUE))?;
            if (number + 1) % self.batch == 0 {
                self.store.commit()?;
            }
        }
        self.store.commit()?;
        let puts = start.elapsed();
        let start = Instant::now();
        for number in 0..keys {
            // Neighbours in the store are not neighbours here.
            let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys;
            black_box(self.store.get(&bench::key(number))?);
        }
        let gets = start.elapsed();
        let rate = |time: std::time::Duration| keys as f64 / time.as_secs_f64().max(1e-9);
        Ok(format!(
            "{:.0} puts a second, {} a transaction; {:.0} gets a second",
            rate(puts),
            self.batch,
            rate(gets)
        ))
    }
}

fn about(key: &[u8], error: SharedError) -> Failure {
    match error.store() {
        Some(Error::NotFound) => not_found(key),
        _ => Failure::from(error).about(escaped(key)),
    }
}

fn not_found(key: &[u8]) -> Failure {
    Failure::new(Code::NotFound, format_args!("{}: not found", escaped(key)))
}
