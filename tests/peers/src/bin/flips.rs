//! One flipped bit in a closed store of each engine, and what it says of it:
//! every key is read in a process of its own, for some crash.
//!
//! `flips [FOLDER]`; `FLIPS` trials (default 200), `FLIPS_KEYS` pairs (default
//! 2000), `FLIPS_SEED`.

#[path = "../engine.rs"]
#[allow(dead_code)] // What only the other program measures.
mod engine;
#[path = "../engines/mod.rs"]
#[allow(dead_code)]
mod engines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use engine::{Engine, KEY_LEN, Key, Result, VALUE_LEN, Value};

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Exit codes of a child.
const RIGHT: u8 = 0;
const REFUSED: u8 = 10;
const REPORTED: u8 = 11;
const SILENT: u8 = 12;

fn pair(number: u64) -> (Key, Value) {
    let (mut key, mut value) = ([0; KEY_LEN], [0; VALUE_LEN]);
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for byte in key.iter_mut().chain(&mut value) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = (state >> 24) as u8;
    }
    (key, value)
}

fn setting(name: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name} is a number, not {text}").into()),
        Err(_) => Ok(otherwise),
    }
}

fn engine_named(name: &str, keys: u64) -> Result<Box<dyn Engine>> {
    let mut all = engines::all(keys).into_iter();
    let found = all.find(|engine| engine.name() == name);
    found.ok_or_else(|| format!("no engine {name}").into())
}

/// Reads all pairs, as a child.
fn read(name: &str, folder: &Path, keys: u64) -> Result<u8> {
    let engine = engine_named(name, keys)?;
    let (mut wrong, mut errors) = (0, 0);
    let opened = engine.with(folder, &mut |session| {
        for number in 0..keys {
            let (key, value) = pair(number);
            let mut right = false;
            let read = session.get_each(&[key], &mut |found| right = found == value);
            match read {
                Err(_) => errors += 1,
                Ok(()) if !right => wrong += 1,
                Ok(()) => {}
            }
        }
        Ok(())
    });
    Ok(match (wrong, errors, opened) {
        (1.., ..) => SILENT,
        (0, 1.., _) => REPORTED,
        // What fails while it closes was reported as well.
        (0, 0, Err(_)) => REFUSED,
        (0, 0, Ok(())) => RIGHT,
        _ => SILENT,
    })
}

/// All files of a folder, with their sizes.
fn files(folder: &Path, found: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata()? {
            about if about.is_dir() => files(&entry.path(), found)?,
            about => found.push((entry.path(), about.len())),
        }
    }
    found.sort();
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.metadata()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Flips one bit of the bytes that are not zero, any of them alike.
fn flip(folder: &Path, random: &mut u64) -> Result<()> {
    let mut all = Vec::new();
    files(folder, &mut all)?;
    let contents: Vec<(PathBuf, Vec<u8>)> = all
        .into_iter()
        .map(|(path, _)| Ok((path.clone(), fs::read(path)?)))
        .collect::<Result<_>>()?;
    let used = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != 0).count() as u64;
    let total: u64 = contents.iter().map(|(_, bytes)| used(bytes)).sum();
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    let mut chosen = (*random >> 8) % total.max(1);
    for (path, mut bytes) in contents {
        let here = used(&bytes);
        if chosen >= here {
            chosen -= here;
            continue;
        }
        let place = bytes
            .iter_mut()
            .filter(|byte| **byte != 0)
            .nth(chosen as usize);
        *place.ok_or("a byte that was counted")? ^= 1 << (*random & 7);
        fs::write(path, bytes)?;
        return Ok(());
    }
    Err("nothing to flip".into())
}

/// What a child made of a folder, by column.
fn outcome(name: &str, folder: &Path, keys: u64) -> Result<usize> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--read", name])
        .arg(folder)
        .arg(keys.to_string())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(
                match status.code().and_then(|code| u8::try_from(code).ok()) {
                    Some(RIGHT) => 0,
                    Some(REPORTED) => 1,
                    Some(REFUSED) => 2,
                    Some(SILENT) => 3,
                    _ => 4,
                },
            );
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(5);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn survey(folder: &Path) -> Result<()> {
    let (trials, keys) = (setting("FLIPS", 200)?, setting("FLIPS_KEYS", 2000)?);
    let seed = setting("FLIPS_SEED", 1)?;
    println!(
        "{trials} flips of one bit each, {keys} pairs of {KEY_LEN}+{VALUE_LEN} bytes, FLIPS_SEED={seed}"
    );
    println!(
        "{:<12}{:>10}{:>10}{:>10}{:>14}{:>10}{:>8}",
        "", "all right", "reported", "refused", "silent wrong", "crashed", "hung"
    );
    for engine in engines::all(keys) {
        let base = folder.join(format!("indelible-flips-{}", std::process::id()));
        let (whole, hit) = (base.join("whole"), base.join("hit"));
        fs::create_dir_all(&whole)?;
        let pairs: Vec<_> = (0..keys).map(pair).collect();
        engine.with(&whole, &mut |session| {
            pairs
                .chunks(100)
                .try_for_each(|pairs| session.put_batch(pairs))
        })?;
        let mut random = seed | 1;
        let mut counts = [0; 6];
        for _ in 0..trials {
            copy(&whole, &hit)?;
            flip(&hit, &mut random)?;
            counts[outcome(engine.name(), &hit, keys)?] += 1;
            fs::remove_dir_all(&hit)?;
        }
        let [right, reported, refused, silent, crashed, hung] = counts;
        println!(
            "{:<12}{right:>10}{reported:>10}{refused:>10}{silent:>14}{crashed:>10}{hung:>8}",
            engine.name()
        );
        fs::remove_dir_all(&base)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [flag, name, folder, keys] if flag == "--read" => {
            let keys = keys.parse().unwrap_or(0);
            read(name, Path::new(folder), keys).map(ExitCode::from)
        }
        [] => survey(&std::env::temp_dir()).map(|()| ExitCode::SUCCESS),
        [folder] => survey(Path::new(folder)).map(|()| ExitCode::SUCCESS),
        _ => Err("usage: flips [FOLDER]".into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("flips: {error}");
        ExitCode::FAILURE
    })
}
