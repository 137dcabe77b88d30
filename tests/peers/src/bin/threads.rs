//! Threads that put durably, and threads that read beside one that puts:
//! Indelible's shared store and its peers in one process, one after the other,
//! each at its documented durable setting.
//!
//! `threads [FOLDER]... `; `THREADS_SECONDS` (default 2) for each figure,
//! `THREADS_KEYS` (default 100000) in the store.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fjall::{KeyspaceCreateOptions, PersistMode};
use heed::types::Bytes;
use indelible_dax::{Batch, OrderedSharedStore, Setup, ShardedSetup, ShardedStore, SharedStore};
use redb::{ReadableDatabase, TableDefinition};
use rusqlite::{Connection, params};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Key = [u8; 16];
type Value = [u8; LEN];

/// Values differ, for SQLite writes nothing where a value stays the same.
fn value(seed: u64) -> Value {
    let mut value = [0x5A; 100];
    value[..8].copy_from_slice(&seed.to_le_bytes());
    value
}

/// Bytes of a value.
const LEN: usize = 100;
const WRITERS: [usize; 4] = [1, 2, 4, 16];
const READERS: usize = 2;

/// A store that threads use at once.
trait Store: Sync {
    /// Puts pairs in one transaction; durable on return.
    fn load(&self, pairs: &[(Key, Value)]) -> Result;
    /// Puts one pair; durable on return.
    fn put(&self, key: &Key, value: &Value) -> Result;
    /// Whether a key is there, its value read.
    fn get(&self, key: &Key) -> Result<bool>;
}

/// What makes a store in a folder.
type Make = fn(&Path, u64) -> Result<Box<dyn Store>>;

const STORES: &[(&str, Make)] = &[
    ("Indelible", |folder, keys| {
        Ok(Box::new(SharedStore::<
            indelible_dax::indelible::HashIndex<'_>,
        >::open(made(folder, keys)?)?))
    }),
    ("I. ordered", |folder, keys| {
        Ok(Box::new(OrderedSharedStore::open(made(folder, keys)?)?))
    }),
    ("I. 4 shards", |folder, keys| {
        let folder = folder.join("shards");
        ShardedSetup::new(4, size(keys) / 4 * 5 / 4).create(&folder)?;
        Ok(Box::new(ShardedStore::<
            indelible_dax::indelible::HashIndex<'_>,
        >::open(folder)?))
    }),
    ("redb", |folder, _| {
        Ok(Box::new(Redb(redb::Database::create(folder.join("redb"))?)))
    }),
    ("fjall", |folder, _| {
        let database = fjall::Database::builder(folder.join("fjall")).open()?;
        let pairs = database.keyspace("kv", KeyspaceCreateOptions::default)?;
        Ok(Box::new(Fjall { database, pairs }))
    }),
    ("LMDB", |folder, _| {
        let folder = folder.join("lmdb");
        std::fs::create_dir_all(&folder)?;
        // SAFETY: nothing else opens or changes the files under the map.
        let env = unsafe {
            heed::EnvOpenOptions::new()
                .map_size(16 << 30)
                .open(&folder)?
        };
        let write = env.write_txn()?;
        let pairs = env
            .create_databases_and_commit(write, |opener, write| {
                opener
                    .create_database::<Bytes, Bytes>(write, None)
                    .map(heed::CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit();
        Ok(Box::new(Lmdb { env, pairs }))
    }),
    ("SQLite", |folder, _| {
        Ok(Box::new(Sqlite::new(&folder.join("sqlite"))?))
    }),
    #[cfg(feature = "rocksdb")]
    ("RocksDB", |folder, _| {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        let mut write = rocksdb::WriteOptions::default();
        write.set_sync(true);
        let database = rocksdb::DB::open(&options, folder.join("rocksdb"))?;
        Ok(Box::new(Rocks { database, write }))
    }),
];

/// Bytes for so many pairs and their newer versions: two thirds full.
fn size(keys: u64) -> u64 {
    (keys * 128 * 3 / 2).next_multiple_of(1 << 20).max(16 << 20)
}

fn made(folder: &Path, keys: u64) -> Result<PathBuf> {
    let path = folder.join("indelible");
    Setup::new(size(keys)).create(&path)?;
    Ok(path)
}

/// Both of ours have the same methods.
macro_rules! ours {
    ($store:ident, $index:ty) => {
        impl Store for $store<$index> {
            fn load(&self, pairs: &[(Key, Value)]) -> Result {
                let mut batch = Batch::new();
                for (key, value) in pairs {
                    batch.put(key, value);
                }
                let _ = self.commit(&batch)?;
                Ok(())
            }
            fn put(&self, key: &Key, value: &Value) -> Result {
                Ok($store::put(self, key, value)?)
            }
            fn get(&self, key: &Key) -> Result<bool> {
                Ok(self.get_into(key, &mut [0; 128])?.is_some())
            }
        }
    };
}

ours!(SharedStore, indelible_dax::indelible::HashIndex<'static>);
ours!(
    SharedStore,
    indelible_dax::indelible::Saving<indelible_dax::indelible::OrderedIndex<'static>>
);
ours!(ShardedStore, indelible_dax::indelible::HashIndex<'static>);

struct Redb(redb::Database);

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");

impl Store for Redb {
    fn load(&self, pairs: &[(Key, Value)]) -> Result {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in pairs {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }
    fn put(&self, key: &Key, value: &Value) -> Result {
        self.load(&[(*key, *value)])
    }
    fn get(&self, key: &Key) -> Result<bool> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        Ok(table
            .get(key.as_slice())?
            .is_some_and(|value| value.value().len() == LEN))
    }
}

struct Fjall {
    database: fjall::Database,
    pairs: fjall::Keyspace,
}

impl Store for Fjall {
    fn load(&self, pairs: &[(Key, Value)]) -> Result {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, value) in pairs {
            batch.insert(&self.pairs, key.as_slice(), value.as_slice());
        }
        Ok(batch.commit()?)
    }
    fn put(&self, key: &Key, value: &Value) -> Result {
        self.pairs.insert(key.as_slice(), value.as_slice())?;
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
    fn get(&self, key: &Key) -> Result<bool> {
        Ok(self.pairs.get(key)?.is_some_and(|value| value.len() == LEN))
    }
}

struct Lmdb {
    env: heed::Env,
    pairs: heed::Database<'static, Bytes, Bytes>,
}

impl Store for Lmdb {
    fn load(&self, pairs: &[(Key, Value)]) -> Result {
        let mut write = self.env.write_txn()?;
        for (key, value) in pairs {
            self.pairs.put(&mut write, key, value)?;
        }
        Ok(write.commit()?)
    }
    fn put(&self, key: &Key, value: &Value) -> Result {
        self.load(&[(*key, *value)])
    }
    fn get(&self, key: &Key) -> Result<bool> {
        let read = self.env.read_txn()?;
        Ok(self
            .pairs
            .get(&read, key)?
            .is_some_and(|value| value.len() == LEN))
    }
}

/// A connection for each thread that works at the time.
struct Sqlite {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    fn new(path: &Path) -> Result<Self> {
        let sqlite = Self {
            path: path.to_path_buf(),
            idle: Mutex::default(),
        };
        sqlite.with(|connection| {
            Ok(connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS kv
                 (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
            )?)
        })?;
        Ok(sqlite)
    }

    fn with<T>(&self, run: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().expect("no panic under it").pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&self.path)?;
                connection.busy_timeout(Duration::from_secs(60))?;
                connection.execute_batch(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                     PRAGMA cache_size = -65536;",
                )?;
                connection
            }
        };
        let result = run(&mut connection);
        self.idle
            .lock()
            .expect("no panic under it")
            .push(connection);
        result
    }
}

impl Store for Sqlite {
    fn load(&self, pairs: &[(Key, Value)]) -> Result {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let mut put =
                    transaction.prepare_cached("INSERT OR REPLACE INTO kv VALUES (?1, ?2)")?;
                for (key, value) in pairs {
                    put.execute(params![key, value.as_slice()])?;
                }
            }
            Ok(transaction.commit()?)
        })
    }
    fn put(&self, key: &Key, value: &Value) -> Result {
        self.load(&[(*key, *value)])
    }
    fn get(&self, key: &Key) -> Result<bool> {
        self.with(|connection| {
            let mut get = connection.prepare_cached("SELECT value FROM kv WHERE key = ?1")?;
            let len = get.query_row([key], |row| Ok(row.get_ref(0)?.as_blob()?.len()));
            Ok(len? == LEN)
        })
    }
}

#[cfg(feature = "rocksdb")]
struct Rocks {
    database: rocksdb::DB,
    write: rocksdb::WriteOptions,
}

#[cfg(feature = "rocksdb")]
impl Store for Rocks {
    fn load(&self, pairs: &[(Key, Value)]) -> Result {
        let mut batch = rocksdb::WriteBatch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        Ok(self.database.write_opt(batch, &self.write)?)
    }
    fn put(&self, key: &Key, value: &Value) -> Result {
        Ok(self.database.put_opt(key, value, &self.write)?)
    }
    fn get(&self, key: &Key) -> Result<bool> {
        Ok(self
            .database
            .get_pinned(key)?
            .is_some_and(|value| value.len() == LEN))
    }
}

fn key(number: u64) -> Key {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn setting(name: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name} is a number, not {text}").into()),
        Err(_) => Ok(otherwise),
    }
}

/// Operations a second of `writers` that put and `readers` that get.
fn work(
    store: &dyn Store,
    keys: u64,
    time: Duration,
    writers: usize,
    readers: usize,
) -> Result<(f64, f64)> {
    let stop = AtomicBool::new(false);
    let (puts, gets) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..writers + readers)
            .map(|number| {
                let (stop, puts, gets) = (&stop, &puts, &gets);
                scope.spawn(move || -> Result {
                    let mut random = 0x9E37_79B9 + number as u64;
                    let mut done = 0;
                    while !stop.load(Ordering::Relaxed) {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        let key = key(random % keys);
                        if number < writers {
                            store.put(&key, &value(random))?;
                        } else if !store.get(&key)? {
                            return Err("a key is missing".into());
                        }
                        done += 1;
                    }
                    let total = if number < writers { puts } else { gets };
                    total.fetch_add(done, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = |count: AtomicU64| count.into_inner() as f64 / seconds;
    Ok((rate(puts), rate(gets)))
}

fn main() -> Result {
    let mut folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if folders.is_empty() {
        folders.push(std::env::temp_dir());
    }
    let keys = setting("THREADS_KEYS", 100_000)?;
    let time = Duration::from_secs(setting("THREADS_SECONDS", 2)?);
    for folder in folders {
        println!(
            "\n{}: {keys} pairs of 16+100 bytes, {time:?} each",
            folder.display()
        );
        print!("{:<14}", "durable puts/s");
        for writers in WRITERS {
            print!("{:>12}", format!("{writers} threads"));
        }
        println!(
            "{:>16}{:>16}",
            format!("{READERS} readers get"),
            "1 writer puts"
        );
        for &(name, make) in STORES {
            let folder = folder.join(format!("indelible-threads-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            let store = make(&folder, keys)?;
            let all: Vec<_> = (0..keys).map(|it| (key(it), value(it))).collect();
            all.chunks(1000).try_for_each(|pairs| store.load(pairs))?;
            print!("{name:<14}");
            for writers in WRITERS {
                let (puts, _) = work(&*store, keys, time, writers, 0)?;
                print!("{puts:>12.0}");
            }
            let (puts, gets) = work(&*store, keys, time, 1, READERS)?;
            println!("{gets:>16.0}{puts:>16.0}");
            drop(store);
            std::fs::remove_dir_all(&folder)?;
        }
    }
    Ok(())
}
