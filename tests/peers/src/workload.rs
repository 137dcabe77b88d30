//! The keys and values, and the measured phases.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Instant;

use crate::engine::{Engine, KEY_LEN, Key, Result, Session, VALUE_LEN, Value};

/// How much of everything a run does.
#[derive(Clone, Copy)]
pub struct Amounts {
    /// Pairs loaded by durable batches.
    pub keys: u64,
    /// Durable single puts of further pairs.
    pub puts: u64,
    /// Random lookups.
    pub gets: u64,
    /// Random updates by durable batches, last of all; may be none.
    pub updates: u64,
    /// Pairs in a batch.
    pub batch: usize,
    /// What every key and value derives from.
    pub seed: u64,
}

impl Amounts {
    /// Pairs in the store at the end of a run.
    pub fn keys_total(&self) -> u64 {
        self.keys + self.puts + KILLED_PUTS
    }
}

/// Pairs that the killed child puts before it dies.
const KILLED_PUTS: u64 = 1000;

/// What is measured, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Durable puts of one pair, a second.
    Put,
    /// Pairs a second put by durable batches.
    Batch,
    /// Random lookups a second.
    Get,
    /// Nanoseconds of a lookup on its own, the median.
    GetMedian,
    /// The same, of which one in a hundred takes longer.
    GetSlow,
    /// Pairs a second in an ordered scan.
    Scan,
    /// Pairs a second in ordered scans of a hundred from random keys.
    ShortScan,
    /// Milliseconds to open a cleanly closed store and answer one lookup.
    Reopen,
    /// Milliseconds to open a store whose process was killed, and answer one lookup.
    ReopenKilled,
    /// MiB on disk after a clean close.
    Size,
    /// Pairs a second updated at random by durable batches.
    Update,
    /// Bytes on disk after that for each byte of keys and values.
    Space,
    /// Bytes of memory for each pair that the engine says it has, beside caches.
    Memory,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 13] = [
        Metric::Put,
        Metric::Batch,
        Metric::Get,
        Metric::GetMedian,
        Metric::GetSlow,
        Metric::Scan,
        Metric::ShortScan,
        Metric::Reopen,
        Metric::ReopenKilled,
        Metric::Size,
        Metric::Update,
        Metric::Space,
        Metric::Memory,
    ];

    /// The table's heading.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Put => "durable puts/s",
            Metric::Batch => "batched pairs/s",
            Metric::Get => "gets/s",
            Metric::GetMedian => "get ns, median",
            Metric::GetSlow => "get ns, 99 %",
            Metric::Scan => "scanned pairs/s",
            Metric::ShortScan => "scans of 100, /s",
            Metric::Reopen => "reopen ms",
            Metric::ReopenKilled => "reopen killed ms",
            Metric::Size => "size MiB",
            Metric::Update => "updates/s",
            Metric::Space => "space after them",
            Metric::Memory => "memory B a key",
        }
    }

    /// Whether a larger figure is the better one.
    pub fn larger_is_better(self) -> bool {
        matches!(
            self,
            Metric::Put
                | Metric::Batch
                | Metric::Get
                | Metric::Scan
                | Metric::ShortScan
                | Metric::Update
        )
    }
}

/// A figure for each of [`Metric::ALL`].
pub type Figures = [f64; Metric::ALL.len()];

/// splitmix64's finalizer: a bijection, so distinct inputs give distinct keys.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The `n`th pair: keys in no order, values that do not compress.
fn pair(seed: u64, n: u64) -> (Key, Value) {
    let mut key = Key::default();
    let head = mix(seed.wrapping_add(n.wrapping_mul(GOLDEN)));
    key[..8].copy_from_slice(&head.to_be_bytes());
    key[8..].copy_from_slice(&mix(head ^ seed).to_be_bytes());
    let mut value = [0; VALUE_LEN];
    for (i, chunk) in value.chunks_mut(8).enumerate() {
        let word = mix(head.wrapping_add((i as u64 + 1).wrapping_mul(GOLDEN)));
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    (key, value)
}

/// What a read adds to its check sum: the same for every engine.
fn digest(value: &[u8]) -> u64 {
    value
        .first_chunk()
        .map_or(0, |word| u64::from_le_bytes(*word))
        .wrapping_add(value.len() as u64)
}

fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// Runs every phase on an empty `dir`.
///
/// # Errors
/// What the engine reports, and any read that does not give what was put.
pub fn run(engine: &dyn Engine, dir: &Path, amounts: Amounts) -> Result<Figures> {
    let mut figures = [f64::NAN; Metric::ALL.len()];
    let mut set = |metric: Metric, figure: f64| {
        if let Some(at) = Metric::ALL.iter().position(|m| *m == metric) {
            figures[at] = figure;
        }
    };
    let Amounts {
        keys,
        puts,
        gets,
        updates,
        batch,
        seed,
    } = amounts;

    engine.with(dir, &mut |store| {
        let mut elapsed = 0.0;
        let mut pairs = Vec::with_capacity(batch);
        let mut n = 0;
        while n < keys {
            pairs.clear();
            pairs.extend((n..keys.min(n + batch as u64)).map(|n| pair(seed, n)));
            let begin = Instant::now();
            store.put_batch(&pairs)?;
            elapsed += begin.elapsed().as_secs_f64();
            n += pairs.len() as u64;
        }
        set(Metric::Batch, keys as f64 / elapsed);

        let singles: Vec<_> = (keys..keys + puts).map(|n| pair(seed, n)).collect();
        let begin = Instant::now();
        for (key, value) in &singles {
            store.put(key, value)?;
        }
        set(Metric::Put, per_second(puts, begin));
        Ok(())
    })?;
    set(Metric::Size, size(dir)? as f64 / f64::from(1 << 20));

    let held = keys + puts;
    let probe = pair(seed, held / 2);
    let mut reopen = Vec::new();
    for _ in 0..3 {
        reopen.push(open_and_get(engine, dir, &probe)?);
    }
    set(Metric::Reopen, median(&mut reopen));

    engine.with(dir, &mut |store| {
        let sample = gets.min(held);
        let wanted: Vec<u64> = (0..sample).map(|i| mix(seed ^ mix(i)) % held).collect();
        let expected = wanted
            .iter()
            .fold(0_u64, |sum, n| sum.wrapping_add(digest(&pair(seed, *n).1)));
        let keys: Vec<Key> = wanted.iter().map(|n| pair(seed, *n).0).collect();
        let mut rates = Vec::new();
        for _ in 0..3 {
            let mut sum = 0_u64;
            let begin = Instant::now();
            store.get_each(&keys, &mut |value| sum = sum.wrapping_add(digest(value)))?;
            rates.push(per_second(sample, begin));
            if sum != expected {
                return Err("the values read are not the values put".into());
            }
        }
        set(Metric::Get, median(&mut rates));

        let (median, slow) = latencies(store, &keys[..keys.len().min(100_000)])?;
        set(Metric::GetMedian, median);
        set(Metric::GetSlow, slow);
        set(Metric::Scan, scans(store, seed, held)?);
        set(Metric::ShortScan, short_scans(store, &keys)?);
        set(
            Metric::Memory,
            store
                .memory()
                .map_or(f64::NAN, |bytes| bytes as f64 / held as f64),
        );
        Ok(())
    })?;

    kill_child(engine, dir, amounts)?;
    let last = pair(seed, held + KILLED_PUTS - 1);
    set(Metric::ReopenKilled, open_and_get(engine, dir, &last)?);

    if updates > 0 {
        let held = amounts.keys_total();
        engine.with(dir, &mut |store| {
            set(Metric::Update, update(store, amounts, held)?);
            Ok(())
        })?;
        let live = held * (KEY_LEN + VALUE_LEN) as u64;
        set(Metric::Space, size(dir)? as f64 / live as f64);
    }
    Ok(figures)
}

/// Nanoseconds of single lookups: the median, and the least that 99 % stay below.
fn latencies(store: &mut dyn Session, keys: &[Key]) -> Result<(f64, f64)> {
    let mut found = 0;
    let mut took = Vec::with_capacity(keys.len());
    for key in keys {
        let begin = Instant::now();
        store.get_each(&[*key], &mut |_| found += 1)?;
        took.push(begin.elapsed().as_nanos() as f64);
    }
    if found != keys.len() {
        return Err("a lookup found nothing".into());
    }
    let middle = median(&mut took); // And in order.
    Ok((middle, took[took.len() * 99 / 100]))
}

/// Pairs a second in scans of a hundred; NaN where the engine keeps no order.
fn short_scans(store: &mut dyn Session, keys: &[Key]) -> Result<f64> {
    const SCANS: usize = 10_000;
    const PAIRS: usize = 100;
    let starts = &keys[..keys.len().min(SCANS)];
    let (mut count, mut ordered) = (0, true);
    let mut last = Vec::new();
    let begin = Instant::now();
    let done = store.scan_each(starts, PAIRS, &mut |nth, key, _| {
        ordered &= if nth == 0 {
            true
        } else {
            last.as_slice() < key
        };
        last.clear();
        last.extend_from_slice(key);
        count += 1;
    })?;
    let rate = per_second(count, begin);
    if !done {
        return Ok(f64::NAN);
    }
    // Few start so near the end that there are less.
    if !ordered || count < (starts.len() * PAIRS) as u64 * 9 / 10 {
        return Err(format!("short scans gave {count} pairs, in order: {ordered}").into());
    }
    Ok(rate)
}

/// Pairs a second updated at random, each batch durable.
fn update(store: &mut dyn Session, amounts: Amounts, held: u64) -> Result<f64> {
    let Amounts {
        updates,
        batch,
        seed,
        ..
    } = amounts;
    let mut elapsed = 0.0;
    let mut done = 0;
    while done < updates {
        let next = updates.min(done + batch as u64);
        let pairs: Vec<_> = (done..next)
            .map(|n| (pair(seed, mix(seed ^ mix(n)) % held).0, pair(!seed, n).1))
            .collect();
        let begin = Instant::now();
        store.put_batch(&pairs)?;
        elapsed += begin.elapsed().as_secs_f64();
        done = next;
    }
    let n = updates - 1;
    let (key, value) = (pair(seed, mix(seed ^ mix(n)) % held).0, pair(!seed, n).1);
    let mut right = false;
    store.get_each(&[key], &mut |found| right = found == value)?;
    if !right {
        return Err("the last update is not there".into());
    }
    Ok(updates as f64 / elapsed)
}

/// Pairs a second in scans of everything.
fn scans(store: &mut dyn Session, seed: u64, held: u64) -> Result<f64> {
    let expected = (0..held).fold(0_u64, |sum, n| sum.wrapping_add(digest(&pair(seed, n).1)));
    let mut rates = Vec::new();
    for _ in 0..3 {
        let (mut count, mut sum, mut ordered) = (0_u64, 0_u64, true);
        let mut last = Key::default();
        let begin = Instant::now();
        store.scan(&mut |key, value| {
            ordered &= count == 0 || last.as_slice() < key;
            last.copy_from_slice(key);
            count += 1;
            sum = sum.wrapping_add(digest(value));
        })?;
        rates.push(per_second(count, begin));
        if (count, sum, ordered) != (held, expected, true) {
            return Err(format!(
                "the scan gave {count} of {held} pairs, in order: {ordered}, or other values"
            )
            .into());
        }
    }
    Ok(median(&mut rates))
}

/// Milliseconds from nothing to the first answer.
fn open_and_get(engine: &dyn Engine, dir: &Path, (key, value): &(Key, Value)) -> Result<f64> {
    let begin = Instant::now();
    let mut ms = 0.0;
    engine.with(dir, &mut |store| {
        let mut found = false;
        store.get_each(&[*key], &mut |got| found = got == value)?;
        ms = begin.elapsed().as_secs_f64() * 1e3;
        if found {
            Ok(())
        } else {
            Err("a durable pair is gone".into())
        }
    })?;
    Ok(ms)
}

/// Runs this program again as a process that puts more pairs and then dies
/// with the store open.
fn kill_child(engine: &dyn Engine, dir: &Path, amounts: Amounts) -> Result<()> {
    use std::os::unix::process::ExitStatusExt;
    let status = std::process::Command::new(std::env::current_exe()?)
        .arg("--die-in")
        .arg(dir)
        .args(["--engine", engine.name()])
        .args(["--keys", &amounts.keys.to_string()])
        .args(["--puts", &amounts.puts.to_string()])
        .args(["--seed", &amounts.seed.to_string()])
        .status()?;
    match status.signal() {
        Some(libc::SIGKILL) => Ok(()),
        _ => {
            Err(format!("the child ended with {status} where it should have killed itself").into())
        }
    }
}

/// What that child does.
///
/// # Errors
/// What the engine reports.
pub fn put_and_die(engine: &dyn Engine, dir: &Path, amounts: Amounts) -> Result<()> {
    engine.with(dir, &mut |store| {
        let first = amounts.keys + amounts.puts;
        for n in first..first + KILLED_PUTS {
            let (key, value) = pair(amounts.seed, n);
            store.put(&key, &value)?;
        }
        // SAFETY: a signal to this very process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        Ok(())
    })
}

/// Bytes allocated to everything under `dir`.
fn size(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(total)
}

/// The middle one.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What the disk itself does: 128-byte writes into allocated space, each
/// followed by `fdatasync`, a second. No engine that syncs can be faster.
///
/// # Errors
/// What the file system reports.
pub fn floor(dir: &Path) -> Result<f64> {
    const WRITES: u64 = 2000;
    let path = dir.join("floor");
    let file = fs::File::create(&path)?;
    file.write_all_at(&vec![1; 1 << 20], 0)?;
    file.sync_all()?;
    let begin = Instant::now();
    for n in 0..WRITES {
        file.write_all_at(&[2; 128], n * 128)?;
        file.sync_data()?;
    }
    let rate = per_second(WRITES, begin);
    fs::remove_file(&path)?;
    Ok(rate)
}
