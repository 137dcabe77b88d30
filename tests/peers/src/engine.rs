//! What every engine under comparison has to do.

use std::error::Error;
use std::path::Path;

/// Any engine's error: a bench only prints it and stops.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes in a key.
pub const KEY_LEN: usize = 16;
/// Bytes in a value.
pub const VALUE_LEN: usize = 100;

/// A key.
pub type Key = [u8; KEY_LEN];
/// A value.
pub type Value = [u8; VALUE_LEN];

/// Takes a pair's number in its scan, its key and its value.
pub type Visit<'v> = dyn FnMut(usize, &[u8], &[u8]) + 'v;

/// A way to keep keys on disk.
pub trait Engine {
    /// A short name for the table.
    fn name(&self) -> &'static str;

    /// How it is set up: what makes a write durable, and its cache.
    fn setting(&self) -> &'static str;

    /// Whether it is Indelible, which the table compares with the others.
    fn is_ours(&self) -> bool {
        false
    }

    /// Opens the store in `dir`, an existing folder, creating the store where
    /// there is none, and closes it cleanly when `job` has ended.
    ///
    /// # Errors
    /// What the engine or `job` reports.
    fn with(&self, dir: &Path, job: &mut dyn FnMut(&mut dyn Session) -> Result<()>) -> Result<()>;
}

/// An open store.
pub trait Session {
    /// Puts one pair; durable on return.
    ///
    /// # Errors
    /// What the engine reports.
    fn put(&mut self, key: &Key, value: &Value) -> Result<()>;

    /// Puts all pairs in one transaction; durable on return.
    ///
    /// # Errors
    /// What the engine reports.
    fn put_batch(&mut self, pairs: &[(Key, Value)]) -> Result<()>;

    /// Looks every key up, in this order, and shows each value found. The
    /// engine may do all of it in one read transaction.
    ///
    /// # Errors
    /// What the engine reports.
    fn get_each(&mut self, keys: &[Key], visit: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Shows every pair in bytewise order of the keys.
    ///
    /// # Errors
    /// What the engine reports.
    fn scan(&mut self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    /// Shows the `count` pairs from each of `starts` on, with the number of
    /// each. The engine may do all of it in one read transaction. `false` from
    /// an engine that keeps no order.
    ///
    /// # Errors
    /// What the engine reports.
    fn scan_each(&mut self, starts: &[Key], count: usize, visit: &mut Visit<'_>) -> Result<bool>;

    /// Bytes of memory that grow with the pairs, where the engine tells.
    fn memory(&self) -> Option<usize> {
        None
    }
}
