//! Stores that threads share, judged by their histories: what every thread
//! called and was told, and when, must be explained by one order of all calls
//! that respects real time (linearizability, Herlihy and Wing 1990).

use std::fmt::Debug;

use indelible_dax::file::{self, MemoryFile, Syncer};
use indelible_dax::indelible::{Error, HashIndex};
use indelible_dax::{
    Access, Batch, FileMedium, Setup, ShardedSetup, ShardedStore, SharedError, SharedStore,
};
use stateright::semantics::SequentialSpec;

/// Keys that the calls are about.
pub const KEYS: usize = 3;

/// Bytes of a store's file.
pub const SIZE: u64 = 256 << 10;

/// Values by key.
pub type Values = [Option<u64>; KEYS];

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Sets a key.
    Put(usize, u64),
    /// Deletes a key.
    Delete(usize),
    /// Reads a key.
    Get(usize),
    /// Sets several keys at once.
    Batch(Vec<(usize, u64)>),
    /// Reads all keys at once.
    GetAll,
    /// Adds one to a key, in a transaction that reads it first.
    Add(usize),
    /// Counts keys.
    Len,
    /// Appends a byte to a log and tells where.
    Append,
    /// Reads where the log ends.
    Tail,
}

/// What a call was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It was done.
    Done,
    /// There was no such key.
    NotFound,
    /// A value.
    Value(Option<u64>),
    /// All values.
    Values(Values),
    /// A number or position.
    Number(u64),
}

/// What a store is to its callers.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    values: Values,
    log: u64,
}

impl SequentialSpec for Spec {
    type Op = Call;
    type Ret = Told;

    fn invoke(&mut self, call: &Call) -> Told {
        match call {
            Call::Put(key, value) => self.values[*key] = Some(*value),
            Call::Delete(key) => match self.values[*key].take() {
                Some(_) => {}
                None => return Told::NotFound,
            },
            Call::Get(key) => return Told::Value(self.values[*key]),
            Call::Batch(changes) => {
                for (key, value) in changes {
                    self.values[*key] = Some(*value);
                }
            }
            Call::GetAll => return Told::Values(self.values),
            Call::Add(key) => {
                let value = self.values[*key].unwrap_or(0) + 1;
                self.values[*key] = Some(value);
                return Told::Number(value);
            }
            Call::Len => return Told::Number(self.values.iter().flatten().count() as u64),
            Call::Append => {
                self.log += 1;
                return Told::Number(self.log - 1);
            }
            Call::Tail => return Told::Number(self.log),
        }
        Told::Done
    }
}

/// A store that can be called.
pub trait Subject: Clone + Send + 'static {
    /// Whether it has a log.
    const LOG: bool;

    /// Does what a call says.
    ///
    /// # Errors
    /// What the store does not do by its specification.
    fn call(&self, call: &Call) -> Result<Told, SharedError>;
}

/// A call of either store: they have the same methods and no trait.
macro_rules! call {
    ($store:expr, $call:expr) => {{
        let (store, call) = ($store, $call);
        let told = match call {
            Call::Put(at, value) => store.put(&key(*at), &value.to_le_bytes())?,
            Call::Delete(at) => match store.delete(&key(*at)) {
                Err(error) if matches!(error.store(), Some(Error::NotFound)) => {
                    return Ok(Told::NotFound);
                }
                done => done?,
            },
            Call::Get(at) => return Ok(Told::Value(store.get(&key(*at))?.map(value))),
            Call::Batch(changes) => {
                let mut batch = Batch::new();
                for (at, value) in changes {
                    batch.put(&key(*at), &value.to_le_bytes());
                }
                let _ = store.commit(&batch)?;
            }
            Call::Add(at) => {
                let added = store.transaction(|it| {
                    let added = it.get(&key(*at))?.map_or(0, value) + 1;
                    it.put(&key(*at), &added.to_le_bytes());
                    Ok::<_, SharedError>(added)
                })?;
                return Ok(Told::Number(added));
            }
            Call::Len => return Ok(Told::Number(store.len()?)),
            Call::GetAll | Call::Append | Call::Tail => unreachable!("done by each its own way"),
        };
        let () = told;
        Ok(Told::Done)
    }};
}

/// The store that is judged.
pub type Shared = SharedStore<HashIndex<'static>, FileMedium<MemoryFile>>;

/// The store in shards that is judged.
pub type Sharded = ShardedStore<HashIndex<'static>, FileMedium<MemoryFile>>;

impl Subject for Shared {
    const LOG: bool = true;

    fn call(&self, call: &Call) -> Result<Told, SharedError> {
        match call {
            Call::GetAll => {
                let values = self.view(|view| {
                    let mut values = Values::default();
                    for (at, place) in values.iter_mut().enumerate() {
                        let mut bytes = [0; 8];
                        let len = view.get(&key(at), &mut bytes)?;
                        *place = len.map(|_| u64::from_le_bytes(bytes));
                    }
                    Ok::<_, indelible_dax::host::StoreError>(values)
                })??;
                Ok(Told::Values(values))
            }
            Call::Append => Ok(Told::Number(self.append(0, b".")?)),
            Call::Tail => Ok(Told::Number(self.log_span(0)?.tail)),
            call => call!(self, call),
        }
    }
}

impl Subject for Sharded {
    const LOG: bool = false;

    fn call(&self, call: &Call) -> Result<Told, SharedError> {
        match call {
            Call::GetAll => {
                let keys: [_; KEYS] = std::array::from_fn(key);
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                let mut values = Values::default();
                for (place, read) in values.iter_mut().zip(self.get_all(&keys)?) {
                    *place = read.map(value);
                }
                Ok(Told::Values(values))
            }
            call => call!(self, call),
        }
    }
}

fn key(number: usize) -> Vec<u8> {
    // Of three shards, each has one.
    ["key 0", "key 1", "key 6"][number].into()
}

fn value(bytes: Vec<u8>) -> u64 {
    bytes.try_into().map_or(u64::MAX, u64::from_le_bytes)
}

/// The files of new stores: one, and one in shards.
pub struct Images {
    shared: Vec<u8>,
    sharded: Vec<Vec<u8>>,
}

impl Images {
    /// Makes them.
    ///
    /// # Panics
    /// Where there is no room for temporary files.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, many) = (folder.path().join("one"), folder.path().join("many"));
        let setup = Setup::new(SIZE).logs(&[4096]);
        setup.create(&one).expect("a new store");
        let setup = ShardedSetup::new(KEYS, SIZE).longest_transaction(4096);
        setup.create(&many).expect("a new store in shards");
        let shard = |number| std::fs::read(many.join(format!("shard.{number:05}")));
        Self {
            shared: std::fs::read(one).expect("the store"),
            sharded: (0..KEYS).map(|it| shard(it).expect("a shard")).collect(),
        }
    }

    /// Opens the one.
    ///
    /// # Panics
    /// Where it cannot be opened.
    #[must_use]
    pub fn shared(&self, pause: fn()) -> Shared {
        SharedStore::open_with(|| over(&self.shared, pause)).expect("the new store")
    }

    /// Opens the one in shards.
    ///
    /// # Panics
    /// Where it cannot be opened.
    #[must_use]
    pub fn sharded(&self, pause: fn()) -> Sharded {
        ShardedStore::open_with(|shard| over(&self.sharded[shard], pause)).expect("the new store")
    }
}

impl Default for Images {
    fn default() -> Self {
        Self::new()
    }
}

/// A file in memory whose syncs let other threads run.
fn over(image: &[u8], pause: fn()) -> Result<FileMedium<MemoryFile>, indelible_dax::FileError> {
    let syncer = Syncer::new(move || {
        pause();
        Ok(())
    });
    let raw = MemoryFile::with_syncer(image.to_vec(), syncer);
    FileMedium::over(raw, file::geometry(SIZE), Access::ReadWrite)
}

/// A small random generator (xorshift).
pub struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    /// Any call that a store with or without a log can do.
    pub fn call(&mut self, log: bool) -> Call {
        let key = self.below(KEYS as u64) as usize;
        let value = self.below(1000);
        match self.below(if log { 13 } else { 11 }) {
            0 | 1 => Call::Put(key, value),
            2 => Call::Delete(key),
            3 | 4 => Call::Get(key),
            5 | 6 => Call::Batch((0..KEYS).map(|key| (key, value)).collect()),
            7 => Call::GetAll,
            8 | 9 => Call::Add(key),
            10 => Call::Len,
            11 => Call::Append,
            _ => Call::Tail,
        }
    }
}
