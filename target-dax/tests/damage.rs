//! Stores that decayed: what is hit is named, everything else is served.

mod common;

use std::fs;
use std::path::PathBuf;

use common::*;

/// A store of ten keys, closed, and its file's bytes.
fn store() -> (Bench, PathBuf, Vec<u8>) {
    let bench = Bench::with_store("1M", &["--logs", "1:16K"]);
    for n in 0..10 {
        let value = format!("the value number {n}, ").repeat(20);
        bench
            .run(["put", "s", &format!("folder/key {n}"), &value])
            .prints("");
    }
    bench
        .run([
            "log",
            "append",
            "s",
            "0",
            &"an entry of the log, ".repeat(20),
        ])
        .prints("0\n");
    let path = bench.path("s");
    let image = fs::read(&path).unwrap();
    (bench, path, image)
}

fn find(image: &[u8], bytes: &[u8]) -> usize {
    image
        .windows(bytes.len())
        .position(|window| window == bytes)
        .unwrap()
}

#[test]
fn a_damaged_value_costs_that_value() {
    let (bench, path, mut image) = store();
    let at = find(&image, b"the value number 4, ") + 100;
    image[at..at + 10].copy_from_slice(&[0xA5; 10]);
    fs::write(&path, &image).unwrap();

    let get = bench.run(["get", "s", "folder/key 4"]);
    assert_eq!(get.0.status.code(), Some(DAMAGED), "{}", get.stderr());
    assert!(get.0.stdout.is_empty(), "no wrong byte is printed");
    assert!(
        get.stderr().contains("folder/key 4: value damaged"),
        "{}",
        get.stderr()
    );
    for n in (0..10).filter(|n| *n != 4) {
        assert_eq!(
            bench
                .run(["get", "s", &format!("folder/key {n}")])
                .succeeds(),
            format!("the value number {n}, ").repeat(20).as_bytes()
        );
    }

    let check = bench.run(["check", "s"]);
    assert_eq!(check.0.status.code(), Some(DAMAGED));
    let listed = String::from_utf8_lossy(&check.0.stdout).into_owned();
    assert!(
        listed.lines().next().unwrap().starts_with("damaged: "),
        "{listed}"
    );
    assert!(
        listed.lines().last().unwrap().contains(" 1 damaged"),
        "{listed}"
    );
    let json = bench.run(["check", "s", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.0.stdout).unwrap();
    assert_eq!(json["damaged"], 1);
    let hit = json["findings"][0]["at"].as_u64().unwrap() as usize;
    assert!(
        (at - 500..at).contains(&hit),
        "{hit} is not the record at {at}"
    );

    assert_eq!(json["findings"][0]["key"], "folder/key 4");

    let export = bench.run(["export", "s", "out"]);
    assert_eq!(export.0.status.code(), Some(DAMAGED));
    assert!(
        export.stderr().contains("damaged at byte"),
        "{}",
        export.stderr()
    );
    let names = fs::read_dir(bench.path("out/folder")).unwrap().count();
    assert_eq!(names, 9, "no file is better than half a file");

    // Putting it anew mends the store.
    bench.run(["put", "s", "folder/key 4", "new"]).succeeds();
    assert_eq!(bench.run(["get", "s", "folder/key 4"]).succeeds(), b"new");
    assert_eq!(fs::read(&path).unwrap().len(), image.len());
}

#[test]
fn a_flipped_bit_is_healed_and_told() {
    let (bench, path, mut image) = store();
    let at = find(&image, b"the value number 4, ") + 100;
    image[at] ^= 0x10;
    fs::write(&path, &image).unwrap();
    let get = bench.run(["get", "s", "folder/key 4"]);
    assert_eq!(get.succeeds(), "the value number 4, ".repeat(20).as_bytes());
    let check = bench.run(["check", "s"]);
    let listed = String::from_utf8_lossy(check.succeeds()).into_owned();
    assert!(listed.contains("1 healed"), "{listed}");
    assert_eq!(fs::read(&path).unwrap(), image, "healed in memory only");
}

#[test]
fn a_damaged_log_is_never_read_wrongly() {
    let (bench, path, mut image) = store();
    let at = find(&image, b"an entry of the log, ") + 100;
    image[at..at + 10].copy_from_slice(&[0xA5; 10]);
    fs::write(&path, &image).unwrap();
    let read = bench.run(["log", "read", "s", "0"]);
    assert_eq!(read.0.status.code(), Some(DAMAGED), "{}", read.stderr());
    let check = bench.run(["check", "s"]);
    assert_eq!(check.0.status.code(), Some(DAMAGED));
    assert!(String::from_utf8_lossy(&check.0.stdout).contains("damaged: log 0"));
    assert_eq!(
        bench
            .run(["list", "s"])
            .succeeds()
            .iter()
            .filter(|b| **b == b'\n')
            .count(),
        10
    );
}

#[test]
fn no_command_panics_or_hangs_on_noise() {
    let (bench, path, image) = store();
    let mut random = Random(0xBAD_5EED);
    // Under Wine every process costs a tenth of a second.
    let rounds = if cfg!(windows) { 6 } else { 60 };
    for round in 0..rounds {
        let mut noisy = image.clone();
        for _ in 0..1 + random.below(6) {
            let len = [1, 8, 64, 512, 4096, 20_000][random.below(6) as usize];
            // Mostly where something is.
            let at = random.below(if round % 2 == 0 { 40_000 } else { 1 << 20 }) as usize;
            let end = (at + len).min(noisy.len());
            let noise = random.bytes(end - at);
            match random.below(3) {
                0 => noisy[at..end].fill(0),
                1 => noisy[at..end].fill(0xFF),
                _ => noisy[at..end].copy_from_slice(&noise),
            }
        }
        fs::write(&path, &noisy).unwrap();
        for args in [
            &["check", "s"][..],
            &["list", "s", "--long"],
            &["stat", "s"],
            &["inspect", "s", "--ledger"],
            &["log", "read", "s", "0"],
            &["get", "s", "folder/key 7"],
            &["put", "s", "k", "v"],
        ] {
            let ran = bench.run(args);
            let code = ran.0.status.code();
            assert!(
                matches!(code, Some(0 | 1 | 3 | 5 | 6)),
                "round {round}: {args:?}: {code:?}: {}",
                ran.stderr()
            );
            if args[0] == "get" && code == Some(0) {
                assert_eq!(ran.0.stdout, "the value number 7, ".repeat(20).as_bytes());
            }
        }
    }
}
