//! Inside the virtual machine: opens a store, says what it holds, and commits
//! until the machine is killed. `guest dax|plain|grow PATH`; the last makes the
//! store longer over and over as well. `guest poison PATH DISK` marks a page of
//! a store as poisoned and looks at what that costs.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use indelible_dax::indelible::Medium;
use indelible_dax::pmem::PmemMedium;
use indelible_dax::{
    Access, HostMedium, HostMemory, HostStore, MediumChoice, MediumKind, Reads, Setup,
};

const KEYS: u64 = 300;

/// What a store has that grows: at first, by how much and how often, at most.
const SIZE_MIN: u64 = 1 << 20;
const SIZE_STEP: u64 = 64 << 10;
const SIZE_EVERY: u64 = 16;
const SIZE_MAX: u64 = 24 << 20;

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

fn create(choice: MediumChoice, path: &Path, grows: bool) -> Result<(), Box<dyn Error>> {
    let setup = match grows {
        true => Setup::new(SIZE_MIN).grows_to(SIZE_MAX),
        false => Setup::new(16 << 20),
    };
    setup.logs(&[64 << 10]).medium(choice).create(path)?;
    // As durable as a new store is, whichever control follows.
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

fn work(choice: MediumChoice, path: &Path, grows: bool) -> Result<(), Box<dyn Error>> {
    if !path.exists() {
        create(choice, path, grows)?;
    }
    let memory = HostMemory::new();
    let mut store: HostStore =
        HostStore::open_on(path, &memory, Access::ReadWrite, Reads::Mapped, choice)?;
    let last = check(&store)?;
    let mut output = std::io::stdout();
    let mut size = store.layout().geometry.capacity;
    match last {
        Some(last) => writeln!(output, "FOUND {last}")?,
        None => writeln!(output, "FOUND nothing")?,
    }
    writeln!(output, "SIZE {size}")?;
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
        if grows && number % SIZE_EVERY == 0 && size + SIZE_STEP <= SIZE_MAX {
            size += SIZE_STEP;
            writeln!(output, "GROWING {size}.")?;
            store.grow(size)?;
            writeln!(output, "GREW {size}.")?;
        }
    }
    Ok(())
}

const PAGE: usize = 4096;
const POISONED_KEYS: u64 = 400;

/// A value that occurs once on the disk.
fn marked(number: u64) -> Vec<u8> {
    let mut value = format!("indelible poison {number} ").into_bytes();
    value.resize(2000, number as u8);
    value
}

/// Where a disk has `bytes`, which are so far behind the beginning of a page.
fn find_on(disk: &Path, bytes: &[u8], within: usize) -> Result<u64, Box<dyn Error>> {
    let disk = File::open(disk)?;
    let mut page = vec![0; PAGE];
    for at in (0..).step_by(PAGE) {
        disk.read_exact_at(&mut page, at)?;
        if page[within..].starts_with(bytes) {
            return Ok(at);
        }
    }
    Err("it is not on the disk".into())
}

/// Tells the kernel that a page of the disk is poisoned, as it is told of what
/// the machine finds: calls that read it fail from here on, and a page fault
/// there is a signal.
fn poison_page(disk: &Path, at: u64) -> Result<(), Box<dyn Error>> {
    let name = disk.file_name().ok_or("no disk")?;
    let list = Path::new("/sys/block").join(name).join("badblocks");
    std::fs::write(list, format!("{} {}\n", at / 512, PAGE / 512))?;
    Ok(())
}

/// All keys have their values, or are withheld as damaged; how many.
fn count(path: &Path, reads: Reads) -> Result<(u64, u64, u64), Box<dyn Error>> {
    use indelible_dax::indelible::Error as StoreError;
    let memory = HostMemory::new();
    let mut store: HostStore =
        HostStore::open_on(path, &memory, Access::ReadWrite, reads, MediumChoice::Dax)?;
    let (mut right, mut withheld) = (0, 0);
    for number in 0..POISONED_KEYS {
        match store.get(&number.to_be_bytes()) {
            Ok(Some(value)) if value == marked(number) => right += 1,
            Err(StoreError::Corrupt { .. } | StoreError::Doubtful { .. }) => withheld += 1,
            other => return Err(format!("of {number}: {other:?}").into()),
        }
    }
    let damaged = store.check(&mut |_| {})?.damaged;
    // It goes on beside the damage.
    store.put(b"beside", b"it")?;
    Ok((right, withheld, damaged))
}

fn poison(path: &Path, disk: &Path) -> Result<(), Box<dyn Error>> {
    let _ = std::fs::remove_file(path);
    Setup::new(4 << 20).medium(MediumChoice::Dax).create(path)?;
    let memory = HostMemory::new();
    let mut store: HostStore = HostStore::open_on(
        path,
        &memory,
        Access::ReadWrite,
        Reads::Mapped,
        MediumChoice::Dax,
    )?;
    for number in 0..POISONED_KEYS {
        store.put(&number.to_be_bytes(), &marked(number))?;
    }
    drop(store);
    println!(
        "  before: {:?} right, withheld, damaged",
        count(path, Reads::Mapped)?
    );
    let image = std::fs::read(path)?;
    let marker = b"indelible poison 200 ";
    let at = image
        .windows(marker.len())
        .position(|bytes| bytes == marker);
    let at = at.ok_or("it is not in the file")?;
    // Where a page ends, so does what is looked for.
    let len = marker.len().min(PAGE - at % PAGE);
    let page = find_on(disk, &image[at..at + len], at % PAGE)?;
    poison_page(disk, page)?;

    let read = File::open(path)?.read_at(&mut [0; 8], at as u64);
    let error = read.err().ok_or("the page can still be read")?;
    println!("  a call to read it: {error}");
    let touched = Command::new("/proc/self/exe")
        .args(["touch".as_ref(), path.as_os_str()])
        .arg(at.to_string())
        .status()?;
    if touched.signal() != Some(7) {
        return Err(format!("touching it: {touched}").into());
    }
    println!("  touching it unchecked: {touched}");
    for reads in [Reads::Mapped, Reads::Positioned] {
        let (right, withheld, damaged) = count(path, reads)?;
        println!("  {reads:?}: {right} keys right, {withheld} withheld, {damaged} places damaged");
        // Older keys are withheld too: the page may have held newer values of
        // them.
        if withheld == 0 || damaged == 0 || right < POISONED_KEYS / 4 {
            return Err("that is not what one page costs".into());
        }
    }
    let mut medium = PmemMedium::open(path, Access::ReadWrite, Reads::Mapped)?;
    match medium.erase((at / PAGE * PAGE) as u64, PAGE as u64) {
        Ok(()) => println!("  erasing the page cleared it"),
        Err(error) => println!("  erasing the page: {error}"),
    }
    println!("POISONED");
    Ok(())
}

/// Reads a byte in place, unchecked.
fn touch(path: &Path, at: u64) -> Result<(), Box<dyn Error>> {
    let medium = PmemMedium::open(path, Access::ReadOnly, Reads::Mapped)?;
    let bytes = medium.borrow_unchecked(at, 1).ok_or("beyond the end")?;
    println!("  it holds {}", std::hint::black_box(bytes[0]));
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
        (Some("dax"), Some(path)) => work(MediumChoice::Dax, path, false),
        (Some("grow"), Some(path)) => work(MediumChoice::Dax, path, true),
        (Some("plain"), Some(path)) => work(MediumChoice::Volatile, path, false),
        (Some("identify"), Some(path)) => identify(path),
        (Some("poison"), Some(path)) => match args.get(3) {
            Some(disk) => poison(path, Path::new(disk)),
            None => Err("no disk".into()),
        },
        (Some("touch"), Some(path)) => match args.get(3).and_then(|at| at.parse().ok()) {
            Some(at) => touch(path, at),
            None => Err("no place".into()),
        },
        _ => Err("usage: guest dax|plain|grow|identify|poison|touch PATH".into()),
    };
    if let Err(error) = outcome {
        println!("FAILED {error}");
        std::process::exit(1);
    }
}
