//! One file for each engine.

mod fjall;
mod indelible;
mod lmdb;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sqlite;

use crate::engine::Engine;

/// Bytes of cache for each engine that has one of its own: more than the data
/// of a million pairs, so that no engine is measured at its cache's misses.
const CACHE_BYTES: u64 = 512 << 20;

/// Every engine, Indelible first.
///
/// `keys` is the most that a store will ever hold, for engines whose size is
/// given at creation.
pub fn all(keys: u64) -> Vec<Box<dyn Engine>> {
    vec![
        Box::new(indelible::Indelible {
            index: indelible::Index::Hash,
            keys,
        }),
        Box::new(indelible::Indelible {
            index: indelible::Index::Ordered,
            keys,
        }),
        Box::new(redb::Redb),
        Box::new(fjall::Fjall),
        Box::new(lmdb::Lmdb),
        Box::new(sqlite::Sqlite),
        #[cfg(feature = "rocksdb")]
        Box::new(rocksdb::Rocks),
    ]
}
