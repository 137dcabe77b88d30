//! Opening what a path leads to: a store in one file, or in shards.

use std::path::Path;

use indelible_dax::host::HostIndex;
use indelible_dax::indelible::{HashIndex, OrderedIndex, Report, Saving};
use indelible_dax::shared::sharded::{is_sharded, part_of};
use indelible_dax::{Access, HostMemory, HostStore, Reads, ShardedReader, ShardedStore};

use super::keys::{Keys, Sharded};
use super::{choice, count};
use crate::failure::{Code, Failure, Outcome};
use crate::output::complain;

/// What is open for reading only.
pub enum Stores<'a, I: HostIndex<'a> = Saving<HashIndex<'a>>> {
    One(Box<HostStore<'a, I>>),
    Shards(ShardedReader<'a, I>),
}

impl<'a, I: HostIndex<'a>> Stores<'a, I> {
    fn open(path: &Path, memory: &'a HostMemory, reads: Reads) -> Outcome<Self> {
        if is_sharded(path) {
            let opened = ShardedReader::open_on(path, memory, reads, choice());
            let reader = opened.map_err(|error| Failure::shards(path, error))?;
            for (number, shard) in reader.shards().iter().enumerate() {
                tell(
                    format_args!("{}: shard {number}", path.display()),
                    shard.report(),
                );
            }
            return Ok(Self::Shards(reader));
        }
        let opened = HostStore::open_on(path, memory, Access::ReadOnly, reads, choice());
        let store = opened.map_err(|error| Failure::open(path, error))?;
        tell(path.display(), store.report());
        Ok(Self::One(Box::new(store)))
    }

    /// Refuses to show a transaction over shards in part.
    fn whole(self, path: &Path) -> Outcome<Self> {
        match &self {
            Self::Shards(reader) => match unfinished(path, reader)? {
                0 => Ok(self),
                number => Err(Failure::new(
                    Code::Open,
                    format_args!(
                        "{}: a crash left {} over shards to be carried out; a command that \
                         writes does so, such as `indelible shell`",
                        path.display(),
                        count(number, "transaction", "transactions")
                    ),
                )),
            },
            Self::One(_) => Ok(self),
        }
    }

    pub fn all(&self) -> &[HostStore<'a, I>] {
        match self {
            Self::One(store) => std::slice::from_ref(&**store),
            Self::Shards(reader) => reader.shards(),
        }
    }

    pub fn all_mut(&mut self) -> &mut [HostStore<'a, I>] {
        match self {
            Self::One(store) => std::slice::from_mut(&mut **store),
            Self::Shards(reader) => reader.shards_mut(),
        }
    }

    /// Where a key lies.
    pub fn of(&self, key: &[u8]) -> &HostStore<'a, I> {
        match self {
            Self::One(store) => store,
            Self::Shards(reader) => reader.of(key),
        }
    }
}

/// Transactions over shards that wait to be carried out.
pub fn unfinished<'a, I: HostIndex<'a>>(
    path: &Path,
    reader: &ShardedReader<'a, I>,
) -> Outcome<u64> {
    let unfinished = reader.unfinished();
    unfinished.map_err(|error| Failure::shards(path, error))
}

/// Opens a store in one file for writing, runs `work` and closes it.
pub fn writing<T>(path: &Path, work: impl FnOnce(&mut HostStore<'_>) -> Outcome<T>) -> Outcome<T> {
    let memory = HostMemory::new();
    let (access, reads) = (Access::ReadWrite, Reads::Mapped);
    let opened = HostStore::open_on(path, &memory, access, reads, choice());
    let mut store: HostStore<'_> = opened.map_err(|error| Failure::open(path, error))?;
    tell(path.display(), store.report());
    let outcome = match part_of(path, store.id()) {
        None => work(&mut store),
        Some((_, shards)) => Err(Failure::usage(format_args!(
            "{}: one of the {shards} shards of a store; name the folder to write to it",
            path.display()
        ))),
    };
    let closed = store
        .close()
        .map_err(|error| Failure::from(error).about(path.display()));
    let value = outcome?;
    closed?;
    Ok(value)
}

/// As [`writing`], where the store may be in shards too.
pub fn changing<T>(path: &Path, work: impl FnOnce(&mut dyn Keys) -> Outcome<T>) -> Outcome<T> {
    if !is_sharded(path) {
        return writing(path, |store| work(store));
    }
    let about = |error| Failure::from(error).about(path.display());
    let opened = ShardedStore::open_on(path, choice());
    let store: ShardedStore = opened.map_err(|error| Failure::shards(path, error))?;
    for (number, report) in store.reports().map_err(about)?.iter().enumerate() {
        tell(format_args!("{}: shard {number}", path.display()), report);
    }
    let outcome = Sharded::new(store.clone())
        .map_err(about)
        .and_then(|mut keys| work(&mut keys));
    let closed = store.close().map_err(about);
    let value = outcome?;
    closed?;
    Ok(value)
}

/// Refuses a store in shards, and says why.
pub fn in_one_file(path: &Path, code: Code, why: &str) -> Outcome {
    match is_sharded(path) {
        true => Err(Failure::new(
            code,
            format_args!("{}: {why}", path.display()),
        )),
        false => Ok(()),
    }
}

/// Opens a store in one file for reading only and runs `work`.
pub fn opened_one<T>(
    path: &Path,
    reads: Reads,
    work: impl FnOnce(&mut HostStore<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    let opened = HostStore::open_on(path, &memory, Access::ReadOnly, reads, choice());
    let mut store: HostStore<'_> = opened.map_err(|error| Failure::open(path, error))?;
    tell(path.display(), store.report());
    work(&mut store)
}

/// Opens a store for reading only and runs `work`, a transaction over shards
/// that was cut being no reason to stop.
pub fn opened<T>(
    path: &Path,
    reads: Reads,
    work: impl for<'a> FnOnce(&mut Stores<'a>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    work(&mut Stores::open(path, &memory, reads)?)
}

/// Opens a store so that every record is looked at, whatever was saved.
pub fn examined<T>(
    path: &Path,
    reads: Reads,
    work: impl for<'a> FnOnce(&mut Stores<'a, HashIndex<'a>>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    work(&mut Stores::open(path, &memory, reads)?)
}

/// Opens a store for looking keys up.
pub fn reading<T>(
    path: &Path,
    reads: Reads,
    work: impl for<'a> FnOnce(&Stores<'a>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    work(&Stores::open(path, &memory, reads)?.whole(path)?)
}

/// Opens a store for walking its keys in order.
pub fn walking<T>(
    path: &Path,
    reads: Reads,
    work: impl for<'a> FnOnce(&mut Stores<'a, Saving<OrderedIndex<'a>>>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    work(&mut Stores::open(path, &memory, reads)?.whole(path)?)
}

/// Says what was found at start that its owner should know.
fn tell(store: impl std::fmt::Display, report: &Report) {
    if let Some(torn) = report.torn {
        complain(&format!(
            "{store}: a crash cut off a transaction of {} bytes, which had not been acknowledged; \
             it is dropped",
            torn.bytes
        ));
    }
    if report.damaged > 0 {
        complain(&format!(
            "{store}: {} found; `indelible check` lists all damage",
            count(
                report.damaged.into(),
                "damaged region was",
                "damaged regions were"
            )
        ));
    }
    if report.healed_bits > 0 {
        complain(&format!(
            "{store}: {} found and corrected; copy the store to a better disk",
            count(
                report.healed_bits.into(),
                "flipped bit was",
                "flipped bits were"
            )
        ));
    }
}
