//! An import that is killed at any moment loses nothing that it acknowledged.
//!
//! `INDELIBLE_KILLS=200 cargo test -p indelible-dax --release --test kill`
//! kills that often (20 times otherwise), `INDELIBLE_KILL_DIR` chooses the
//! folder, `INDELIBLE_SEED` the moments, `INDELIBLE_MEDIUM` the medium.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, fs};

use common::*;
use indelible_dax::{HostMemory, HostStore};

fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// The file of a key.
fn name_of(key: &[u8]) -> PathBuf {
    #[cfg(unix)]
    return <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(key).into();
    #[cfg(not(unix))]
    return std::str::from_utf8(key).unwrap().into();
}

/// A folder of files of many sizes, for machines without the system's.
fn make_tree(root: &Path, random: &mut Random) {
    // Under Wine every file that is opened costs a talk of three processes.
    let files = if cfg!(windows) { 250 } else { 1500 };
    for n in 0..files {
        let folder = root.join(format!("folder{}", n % 17));
        fs::create_dir_all(&folder).unwrap();
        let len = match n % 50 {
            0 => 200_000 + random.below(200_000),
            1..10 => 4_000 + random.below(8_000),
            _ => random.below(1_000),
        };
        fs::write(folder.join(format!("file{n}")), random.bytes(len as usize)).unwrap();
    }
}

#[test]
fn a_killed_import_keeps_what_it_acknowledged() {
    let kills: u64 = setting("INDELIBLE_KILLS", 20);
    let seed: u64 = setting("INDELIBLE_SEED", 0x5EED_1234_5678_9ABD);
    println!("INDELIBLE_SEED={seed}");
    let mut random = Random(seed | 1);
    let bench = Bench::new();
    let folder: PathBuf = match env::var_os("INDELIBLE_KILL_DIR") {
        Some(folder) => folder.into(),
        None => {
            make_tree(&bench.path("tree"), &mut random);
            bench.path("tree")
        }
    };
    let mut bytes = 0;
    let mut paths = vec![folder.clone()];
    while let Some(path) = paths.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => paths.push(entry.path()),
                kind if kind.is_file() => bytes += entry.metadata().unwrap().len() + 512,
                _ => {}
            }
        }
    }
    let size = (bytes * 3 / 2 + (8 << 20)).to_string();
    let create = |bench: &Bench| {
        let _ = fs::remove_file(bench.path("s"));
        bench.run(["create", "s", "--size", &size]).succeeds();
    };
    let medium: String = setting("INDELIBLE_MEDIUM", "auto".into());
    let import = [
        "--medium".into(),
        medium.into(),
        "import".into(),
        "s".into(),
        folder.clone().into_os_string(),
        "--ack".into(),
    ];

    // How long a whole run takes.
    create(&bench);
    let start = Instant::now();
    let ran = bench.run(&import);
    let whole = start.elapsed();
    let total = ran.succeeds().iter().filter(|byte| **byte == b'\n').count();

    let mut rounds = 0;
    let mut acked_min = usize::MAX;
    let mut acked_max = 0;
    create(&bench);
    for kill in 0..kills {
        // Every third goes on from where the last was killed.
        if kill % 3 == 0 {
            create(&bench);
        }
        let after = Duration::from_micros(random.below(whole.as_micros() as u64 + 1));
        let mut child = bench
            .command(&import)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut acked = Vec::new();
            let mut output = output;
            loop {
                let mut key = Vec::new();
                match output.read_until(b'\n', &mut key) {
                    // A line that was cut acknowledges nothing.
                    Ok(n) if n > 0 && key.ends_with(b"\n") => {
                        key.pop();
                        acked.push(key);
                    }
                    _ => return acked,
                }
            }
        });
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
        let acked = reader.join().unwrap();
        rounds += 1;
        acked_min = acked_min.min(acked.len());
        acked_max = acked_max.max(acked.len());

        let context = format!("INDELIBLE_SEED={seed}, kill {kill} after {after:?}");
        let check = bench.run(["check", "s"]);
        assert!(check.0.status.success(), "{context}: {}", check.stderr());
        let memory = HostMemory::new();
        let store: HostStore<'_> = HostStore::open_read_only(bench.path("s"), &memory).unwrap();
        let mut missing = BTreeMap::new();
        for key in &acked {
            let name = name_of(key);
            let expected = fs::read(folder.join(&name)).unwrap();
            if store.get(key).unwrap().as_ref() != Some(&expected) {
                missing.insert(name, expected.len());
            }
        }
        assert!(
            missing.is_empty(),
            "{context}: acknowledged and gone: {missing:?}"
        );
    }
    // What is left undone completes.
    bench.run(&import).succeeds();
    let list = bench.run(["list", "s"]);
    assert_eq!(
        list.succeeds()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count(),
        total
    );
    println!(
        "{rounds} kills within {whole:?}: {acked_min} to {acked_max} of {total} keys were \
         acknowledged, none was lost"
    );
}
