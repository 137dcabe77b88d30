//! Inside the virtual machine: opens a store, says what it holds, and commits
//! until the machine is killed. `guest dax|plain PATH`.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use indelible_dax::pmem::PmemMedium;
use indelible_dax::{
    Access, HostMedium, HostMemory, HostStore, MediumChoice, MediumKind, Reads, Setup,
};

const KEYS: u64 = 300;

/// What commit `number` puts under its key: of changing length, and of bytes
/// that tell commits apart.
fn value(number: u64) -> Vec<u8> {
    let len = number * 37 % 400;
    (0..len).map(|at| (number * 31 + at) as u8).collect()
}

fn key(number: u64) -> [u8; 8] {
    (number % KEYS).to_be_bytes()
}

/// Checks that the store is as it was after some commit, and returns which.
fn check(store: &HostStore<'_>) -> Result<Option<u64>, Box<dyn Error>> {
    let span = store.get_head_tail_and_capacity(0)?;
    let mut last = [0; 8];
    if span.tail == 0 {
        return Ok(None);
    }
    store.read(0, span.tail - 8, &mut last)?;
    let last = u64::from_le_bytes(last);
    if span.tail != last * 8 {
        return Err(format!("commit {last}, but {} bytes of log", span.tail).into());
    }
    for number in last.saturating_sub(KEYS - 1).max(1)..=last {
        if store.get(&key(number))?.as_deref() != Some(&value(number)) {
            return Err(format!("of commit {last}: the value of {number} is another").into());
        }
    }
    Ok(Some(last))
}

fn work(choice: MediumChoice, path: &Path) -> Result<(), Box<dyn Error>> {
    if !path.exists() {
        let setup = Setup::new(16 << 20).logs(&[64 << 10]).medium(choice);
        setup.create(path)?;
        // As durable as a new store is, whichever control follows.
        std::fs::File::open(path)?.sync_all()?;
    }
    let memory = HostMemory::new();
    let mut store: HostStore =
        HostStore::open_on(path, &memory, Access::ReadWrite, Reads::Mapped, choice)?;
    let last = check(&store)?;
    let mut output = std::io::stdout();
    match last {
        Some(last) => writeln!(output, "FOUND {last}")?,
        None => writeln!(output, "FOUND nothing")?,
    }
    writeln!(output, "ON {}", store.kind())?;
    let wanted = match choice {
        MediumChoice::Dax => MediumKind::FsDax,
        _ => MediumKind::Volatile,
    };
    if store.kind() != wanted {
        return Err(format!("on {} in place of {wanted}", store.kind()).into());
    }
    for number in last.unwrap_or(0) + 1.. {
        store.tentatively_put(&key(number), &value(number))?;
        store.tentatively_append(0, &number.to_le_bytes())?;
        let head = (number * 8).saturating_sub(32 << 10) / 8 * 8;
        if head > store.get_head_tail_and_capacity(0)?.head {
            store.tentatively_advance_head(0, head)?;
        }
        store.commit()?;
        // With a full stop: a line that is cut must not pass for a smaller
        // number.
        writeln!(output, "ACK {number}.")?;
        store.maintain(1)?;
    }
    Ok(())
}

fn identify(path: &Path) -> Result<(), Box<dyn Error>> {
    let medium = PmemMedium::open(path, Access::ReadWrite, Reads::Mapped)?;
    println!(
        "{}: lines written back by {}",
        medium.kind(),
        medium.memory().write_back_with()
    );
    Ok(())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let outcome = match (args.get(1).map(String::as_str), args.get(2).map(Path::new)) {
        (Some("dax"), Some(path)) => work(MediumChoice::Dax, path),
        (Some("plain"), Some(path)) => work(MediumChoice::Volatile, path),
        (Some("identify"), Some(path)) => identify(path),
        _ => Err("usage: guest dax|plain|identify PATH".into()),
    };
    if let Err(error) = outcome {
        println!("FAILED {error}");
        std::process::exit(1);
    }
}
