//! What a start takes: behind a close, behind a kill with an index saved before
//! it, and behind one without.
//!
//! `cargo bench -p indelible-dax --bench start [-- FOLDER]`; the folder defaults
//! to `/dev/shm`. `START_KEYS` and `START_FEW` set the keys of a large store and
//! of a small one (1,000,000 and 100,000, of 16 bytes with 100 each), `START_ROUNDS`
//! the rounds (7). Printed are the median and the best, in milliseconds of the thread's
//! processor time, so that other programs disturb them less; of the clock where the
//! system is not Linux.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indelible_dax::indelible::Saving;
use indelible_dax::{Access, HostMemory, HostStore, MediumChoice, Reads, Setup};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const VALUE: [u8; 100] = [0x5A; 100];
/// Puts between a saved index and a kill.
const BEHIND: u64 = 1000;

fn main() -> Result {
    let folder = std::env::args_os()
        .skip(1)
        .find(|argument| !argument.as_encoded_bytes().starts_with(b"--"));
    let folder = folder.map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    let (keys, few) = (
        setting("START_KEYS", 1_000_000),
        setting("START_FEW", 100_000),
    );
    println!("{:<44} {:>8} {:>8}", "ms to start", "median", "best");
    for (name, choice) in [
        ("file", MediumChoice::File),
        #[cfg(target_os = "linux")]
        ("memory", MediumChoice::Volatile),
    ] {
        for keys in [few, keys] {
            let path = folder.path().join(name);
            hash::measure(&path, keys, choice, &format!("{name}, {keys}"))?;
            std::fs::remove_file(&path)?;
            ordered::measure(&path, keys, choice, &format!("{name}, ordered, {keys}"))?;
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn key(number: u64) -> [u8; 16] {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93).to_le_bytes());
    key[8..].copy_from_slice(&number.to_le_bytes());
    key
}

/// This thread's processor time.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
}

/// Prints the median and the best of some rounds.
fn rounds(name: &str, mut round: impl FnMut() -> Result<f64>) -> Result {
    let mut times = Vec::new();
    for _ in 0..setting("START_ROUNDS", 7).max(1) {
        times.push(round()?);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{name:<44} {:>8.2} {:>8.2}",
        times[times.len() / 2],
        times[0]
    );
    Ok(())
}

/// The measurements with one kind of index.
macro_rules! measured {
    ($name:ident, $index:ident) => {
        mod $name {
            use super::*;

            type Store<'m> = HostStore<'m, Saving<indelible_dax::indelible::$index<'m>>>;

            fn open<'m>(
                path: &Path,
                memory: &'m HostMemory,
                choice: MediumChoice,
            ) -> Result<(Store<'m>, f64)> {
                let begin = now();
                let mut store =
                    Store::open_on(path, memory, Access::ReadWrite, Reads::Mapped, choice)?;
                let took = now().saturating_sub(begin).as_secs_f64() * 1e3;
                store.set_save_every(0);
                Ok((store, took))
            }

            pub fn measure(path: &Path, keys: u64, choice: MediumChoice, what: &str) -> Result {
                Setup::new((keys * 200).next_multiple_of(1 << 20) + (16 << 20))
                    .medium(choice)
                    .create(path)?;
                let memory = HostMemory::new();
                let (mut store, _) = open(path, &memory, choice)?;
                for number in 0..keys {
                    store.tentatively_put(&key(number), &VALUE)?;
                    if number % 100 == 99 {
                        store.commit()?;
                    }
                }
                store.commit()?;
                // Without a close, as a kill would.
                drop(store);
                let reopen = |loaded: bool, len: u64| {
                    let memory = HostMemory::new();
                    let (store, took) = open(path, &memory, choice)?;
                    assert_eq!((store.len(), store.report().index_loaded), (len, loaded));
                    Ok((store.get(&key(keys / 2))?.is_some(), took).1)
                };
                rounds(&format!("{what}: all records"), || reopen(false, keys))?;
                let memory = HostMemory::new();
                open(path, &memory, choice)?.0.close()?;
                rounds(&format!("{what}: close"), || reopen(true, keys))?;
                let memory = HostMemory::new();
                let (mut store, _) = open(path, &memory, choice)?;
                for number in keys..keys + BEHIND {
                    store.put(&key(number), &VALUE)?;
                }
                drop(store);
                rounds(&format!("{what}: kill"), || reopen(true, keys + BEHIND))
            }
        }
    };
}

measured!(hash, HashIndex);
measured!(ordered, OrderedIndex);
