//! One module for each kind of command.

mod backup;
mod batch;
mod bench;
mod check;
mod create;
mod export;
mod folders;
mod grow;
mod import;
mod inspect;
mod kv;
mod log;
mod pages;
mod shell;
mod stat;

use std::path::Path;
use std::sync::OnceLock;

use indelible_dax::host::{HostIndex, StoreError};
use indelible_dax::indelible::HashIndex;
use indelible_dax::indelible::{Entry, Error, Report};
use indelible_dax::{Access, HostMemory, HostStore, MediumChoice, OrderedHostStore, Reads};

use crate::args::{Command, Medium};
use crate::failure::{Failure, Outcome};
use crate::output::complain;

/// What the command line chose for the store, of which there is one.
static CHOICE: OnceLock<MediumChoice> = OnceLock::new();

fn choice() -> MediumChoice {
    *CHOICE.get_or_init(MediumChoice::default)
}

pub fn run(command: Command, medium: Option<Medium>) -> Outcome {
    let dax = matches!(&command, Command::Create(create) if create.dax);
    CHOICE.get_or_init(|| match medium {
        _ if dax => MediumChoice::Dax,
        Some(Medium::File) => MediumChoice::File,
        Some(Medium::Dax) => MediumChoice::Dax,
        #[cfg(windows)]
        Some(Medium::View) => MediumChoice::View,
        Some(Medium::Auto) | None => MediumChoice::Auto,
    });
    match command {
        Command::Create(args) => create::run(args),
        Command::Put(args) => kv::put(args),
        Command::Get(args) => kv::get(args),
        Command::Del(args) => kv::del(args),
        Command::List(args) => kv::list(args),
        Command::Batch(args) => batch::run(args),
        Command::Log { command } => log::run(command),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Check(args) => check::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Backup(args) => backup::backup(args),
        Command::Restore(args) => backup::restore(args),
        Command::Grow(args) => grow::run(args),
        Command::Shell(args) => shell::run(args),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { dir } => pages::man(dir.as_deref()),
    }
}

/// Opens a store for writing, runs `work` and closes it.
fn writing<T>(path: &Path, work: impl FnOnce(&mut HostStore<'_>) -> Outcome<T>) -> Outcome<T> {
    let memory = HostMemory::new();
    let mut store: HostStore<'_> =
        HostStore::open_on(path, &memory, Access::ReadWrite, Reads::Mapped, choice())
            .map_err(|error| Failure::open(path, error))?;
    tell(path, store.report());
    let outcome = work(&mut store);
    let closed = store
        .close()
        .map_err(|error| Failure::from(error).about(path.display()));
    let value = outcome?;
    closed?;
    Ok(value)
}

/// Opens a store for reading only, with an index of one kind, and runs `work`.
fn opened_with<'a, I: HostIndex<'a>, T>(
    path: &Path,
    memory: &'a HostMemory,
    reads: Reads,
    work: impl FnOnce(&mut HostStore<'a, I>) -> Outcome<T>,
) -> Outcome<T> {
    let mut store: HostStore<'a, I> =
        HostStore::open_on(path, memory, Access::ReadOnly, reads, choice())
            .map_err(|error| Failure::open(path, error))?;
    tell(path, store.report());
    work(&mut store)
}

/// Opens a store for reading only and runs `work`.
fn opened<T>(
    path: &Path,
    reads: Reads,
    work: impl FnOnce(&mut HostStore<'_>) -> Outcome<T>,
) -> Outcome<T> {
    opened_with(path, &HostMemory::new(), reads, work)
}

/// Opens a store so that every record is looked at, whatever was saved.
fn examined<T>(
    path: &Path,
    reads: Reads,
    work: impl for<'a> FnOnce(&mut HostStore<'a, HashIndex<'a>>) -> Outcome<T>,
) -> Outcome<T> {
    let memory = HostMemory::new();
    opened_with(path, &memory, reads, |store| work(store))
}

/// Opens a store for looking keys up.
fn reading<T>(
    path: &Path,
    reads: Reads,
    work: impl FnOnce(&HostStore<'_>) -> Outcome<T>,
) -> Outcome<T> {
    opened(path, reads, |store| work(store))
}

/// Opens a store for walking its keys in order.
fn walking<T>(
    path: &Path,
    reads: Reads,
    work: impl FnOnce(&mut OrderedHostStore<'_>) -> Outcome<T>,
) -> Outcome<T> {
    opened_with(path, &HostMemory::new(), reads, work)
}

/// Says what was found at start that its owner should know.
fn tell(path: &Path, report: &Report) {
    let path = path.display();
    if let Some(torn) = report.torn {
        complain(&format!(
            "{path}: a crash cut off a transaction of {} bytes, which had not been acknowledged; \
             it is dropped",
            torn.bytes
        ));
    }
    if report.damaged > 0 {
        complain(&format!(
            "{path}: {} found; `indelible check` lists all damage",
            count(
                report.damaged.into(),
                "damaged region was",
                "damaged regions were"
            )
        ));
    }
    if report.healed_bits > 0 {
        complain(&format!(
            "{path}: {} found and corrected; copy the store to a better disk",
            count(
                report.healed_bits.into(),
                "flipped bit was",
                "flipped bits were"
            )
        ));
    }
}

/// A number with what it counts.
fn count(number: u64, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{number} {what}")
}

/// Calls `visit` for each key that begins with `prefix`, in order, and goes on
/// past damage. What was damaged is the failure in the end.
fn each_key<'a, I: HostIndex<'a>>(
    store: &HostStore<'a, I>,
    prefix: &[u8],
    mut visit: impl FnMut(Entry<'_>) -> Outcome,
) -> Outcome {
    let mut buffer = vec![0; store.key_max().max(1)];
    let mut slots = store.scan_slots();
    let mut scan = store.scan_in(prefix, &mut slots);
    let mut damage = None;
    loop {
        match scan.next(&mut buffer) {
            Ok(Some(entry)) => visit(entry)?,
            Ok(None) => break,
            // The same again would come for ever.
            Err(error @ (Error::Corrupt { .. } | Error::Doubtful { .. }))
                if damage.as_ref().is_none_or(|before| !same(before, &error)) =>
            {
                damage = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    damage.map_or(Ok(()), |error| Err(error.into()))
}

fn same(a: &StoreError, b: &StoreError) -> bool {
    match (a, b) {
        (Error::Corrupt { at: a, .. }, Error::Corrupt { at: b, .. })
        | (Error::Doubtful { at: a }, Error::Doubtful { at: b }) => a == b,
        _ => false,
    }
}
