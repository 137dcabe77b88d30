//! Every subcommand, its output, its exit codes.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};

use common::*;

#[test]
fn create_makes_a_file_of_the_size_and_refuses_an_existing_path() {
    let bench = Bench::new();
    bench.run(["create", "s", "--size", "4M"]).prints("");
    assert_eq!(fs::metadata(bench.path("s")).unwrap().len(), 4 << 20);
    bench
        .run(["create", "s", "--size", "4M"])
        .fails(CANNOT_OPEN, "exists");
    bench.run(["list", "s"]).prints("");
}

#[cfg(unix)]
#[test]
fn create_takes_the_space_at_once() {
    use std::os::unix::fs::MetadataExt;
    let bench = Bench::with_store("4M", &[]);
    assert!(fs::metadata(bench.path("s")).unwrap().blocks() * 512 >= 4 << 20);
}

#[test]
fn create_names_the_minimum_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let ran = bench.run(["create", "s", "--size", "1K"]);
    ran.fails(USAGE, "minimum of ");
    assert!(!bench.path("s").exists());
    let stderr = ran.stderr();
    let minimum = stderr.split("minimum of ").nth(1).unwrap();
    let minimum: String = minimum.chars().take_while(char::is_ascii_digit).collect();
    bench.run(["create", "s", "--size", &minimum]).prints("");
    bench.run(["put", "s", "k", "v"]).prints("");
    bench.run(["get", "s", "k"]).prints("v");
}

#[test]
fn create_makes_images_of_other_geometries() {
    for unit in ["1", "2", "4", "8", "16", "32", "256"] {
        let bench = Bench::with_store(
            "512K",
            &["--media", "nor", "--write-unit", unit, "--logs", "1:8K"],
        );
        bench.run(["put", "s", "k", "v"]).prints("");
        bench
            .run(["log", "append", "s", "0", "entry"])
            .prints("0\n");
        bench.run(["get", "s", "k"]).prints("v");
        bench.run(["log", "read", "s", "0"]).prints("entry");
        let image = fs::read(bench.path("s")).unwrap();
        assert_eq!(image.len(), 512 << 10);
        assert_eq!(image.last(), Some(&0xFF), "blank flash reads as ones");
    }
    let bench = Bench::new();
    bench
        .run(["create", "s", "--size", "1M", "--write-unit", "4"])
        .fails(USAGE, "--media nor");
    let odd = [
        "create",
        "s",
        "--size",
        "1M",
        "--media",
        "nor",
        "--write-unit",
        "3",
    ];
    bench.run(odd).fails(USAGE, "write unit 3");
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_shows_at_creation_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let disk = rustix::fs::statvfs(bench.path(".")).unwrap();
    let more = disk.f_bfree * disk.f_frsize + (1 << 30);
    if more > 1 << 40 {
        return eprintln!("skipped: the disk has room for the largest store");
    }
    bench
        .run(["create", "s", "--size", &more.to_string()])
        .fails(FULL, "free some space");
    assert!(!bench.path("s").exists());
}

#[cfg(unix)]
#[test]
fn a_full_small_disk_is_code_6_and_leaves_nothing_behind() {
    let bench = Bench::new();
    fs::create_dir(bench.path("disk")).unwrap();
    let disk = bench.path("disk");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: only root can mount a small disk");
    }
    let ran = bench.run(["create", "disk/s", "--size", "2M"]);
    let left = fs::read_dir(&disk).unwrap().count();
    let fits = bench.run(["create", "disk/s", "--size", "512K"]);
    let put = bench.run(["put", "disk/s", "k", "v"]);
    let grow = bench.run(["grow", "disk/s", "1280K"]);
    let cut = fs::metadata(disk.join("s")).unwrap().len();
    let grown = bench.run(["grow", "disk/s", "768K"]);
    let got = bench.run(["get", "disk/s", "k"]);
    let unmounted = std::process::Command::new("umount")
        .arg(&disk)
        .status()
        .unwrap();
    assert!(unmounted.success());
    ran.fails(FULL, "free some space");
    assert_eq!(left, 0);
    fits.succeeds();
    put.prints("");
    grow.fails(FULL, "free some space");
    assert_eq!(cut, 512 << 10);
    grown.prints("");
    got.prints("v");
}

#[test]
fn grow_makes_a_full_store_larger() {
    let bench = Bench::with_store("512K", &["--logs", "1:16K"]);
    bench.run(["log", "append", "s", "0", "entry"]).succeeds();
    let value = vec![7; 60_000];
    let put = |name: String| bench.run_with(["put", "s", &name], &value);
    let mut keys = 0;
    while put(format!("key {keys}")).0.status.success() {
        keys += 1;
    }
    put("more".to_string()).fails(FULL, "`indelible grow`");
    bench.run(["grow", "s", "1M"]).prints("");
    assert_eq!(fs::metadata(bench.path("s")).unwrap().len(), 1 << 20);
    put("more".to_string()).succeeds();
    for key in 0..keys {
        let got = bench.run(["get", "s", &format!("key {key}")]);
        assert_eq!(got.succeeds(), value);
    }
    bench.run(["log", "read", "s", "0"]).prints("entry");
    bench.run(["check", "s"]).succeeds();
}

#[test]
fn grow_says_what_it_refuses() {
    let bench = Bench::with_store("1M", &[]);
    bench.run(["put", "s", "key", "value"]).prints("");
    let before = fs::read(bench.path("s")).unwrap();
    bench
        .run(["grow", "s", "512K"])
        .fails(USAGE, "it has 1048576 bytes");
    bench.run(["grow", "s", "1M"]).fails(USAGE, "only grows");
    bench
        .run(["grow", "s", "1536001"])
        .fails(USAGE, "no multiple");
    bench.run(["grow", "s", "1T"]).fails(USAGE, "--grows-to");
    bench.run(["grow", "s", "2X"]).fails(USAGE, "no unit");
    bench.run(["grow", "none", "2M"]).fails(CANNOT_OPEN, "none");
    assert!(fs::read(bench.path("s")).unwrap() == before);

    let stat = bench.run(["stat", "s", "--json"]);
    let stat: serde_json::Value = serde_json::from_slice(stat.succeeds()).unwrap();
    let most = stat["grows_to"].as_u64().unwrap();
    assert!(most >= 2 << 20, "{most}");
    bench.run(["grow", "s", &most.to_string()]).prints("");
    bench.run(["put", "s", "k", "v"]).prints("");
    bench.run(["get", "s", "k"]).prints("v");

    let bench = Bench::with_store("1M", &["--grows-to", "64M"]);
    bench.run(["grow", "s", "64M"]).prints("");
    let bench = Bench::with_store("512K", &["--media", "nor"]);
    bench.run(["grow", "s", "1M"]).fails(USAGE, "does not grow");
}

#[test]
fn values_come_back_byte_for_byte() {
    let bench = Bench::with_store("4M", &[]);
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    bench.run(["put", "s", "argument", "value"]).prints("");
    bench.run_with(["put", "s", "input"], &all).prints("");
    bench.run_with(["put", "s", "newline"], "line\n").prints("");
    bench.run(["put", "s", "empty", ""]).prints("");
    bench.run_with(["put", "s", "nothing"], "").prints("");
    bench.run(["put", "s", "number", "-5"]).prints("");
    bench.run(["put", "s", "--", "-dash", "--hex"]).prints("");
    bench.run(["get", "s", "number"]).prints("-5");
    bench.run(["get", "s", "--", "-dash"]).prints("--hex");
    bench.run(["get", "s", "argument"]).prints("value");
    bench.run(["get", "s", "input"]).prints(&all);
    bench.run(["get", "s", "newline"]).prints("line\n");
    bench.run(["get", "s", "empty"]).prints("");
    bench.run(["get", "s", "nothing"]).prints("");
    bench.run(["put", "s", "argument", "replaced"]).prints("");
    bench.run(["get", "s", "argument"]).prints("replaced");
}

#[test]
fn a_value_of_tens_of_megabytes_works() {
    let bench = Bench::with_store("100M", &[]);
    let mut random = Random(42);
    let large = random.bytes(33_333_333);
    bench.run_with(["put", "s", "large"], &large).prints("");
    let ran = bench.run(["get", "s", "large"]);
    assert!(ran.succeeds() == large);
    bench.run(["check", "s"]).succeeds();
}

#[test]
fn what_is_absent_is_code_1() {
    let bench = Bench::with_store("1M", &["--logs", "1:8K"]);
    bench
        .run(["get", "s", "no"])
        .fails(NOT_FOUND, "no: not found");
    bench
        .run(["del", "s", "no"])
        .fails(NOT_FOUND, "no: not found");
    bench
        .run(["log", "read", "s", "1"])
        .fails(NOT_FOUND, "no log 1");
    bench
        .run(["log", "read", "s", "0", "--from", "5"])
        .fails(NOT_FOUND, "tail");
    bench
        .run(["get", "s", "no", "--element", "0"])
        .fails(NOT_FOUND, "not found");
}

#[test]
fn del_deletes_what_is_there() {
    let bench = Bench::with_store("1M", &[]);
    for key in ["a", "b", "c"] {
        bench.run(["put", "s", key, "v"]).prints("");
    }
    bench
        .run(["del", "s", "a", "x", "b"])
        .fails(NOT_FOUND, "x: not found");
    bench.run(["list", "s"]).prints("c\n");
    bench.run(["del", "s", "c"]).prints("");
    bench.run(["list", "s"]).prints("");
}

#[test]
fn list_prints_keys_in_bytewise_order_and_nothing_else() {
    let bench = Bench::with_store("1M", &[]);
    for key in ["b", "a/b", "a", "a-b", "B", "ü", "a\nb"] {
        bench.run(["put", "s", key, key]).prints("");
    }
    bench
        .run(["list", "s"])
        .prints("B\na\na\nb\na-b\na/b\nb\nü\n");
    bench
        .run(["list", "s", "--prefix", "a"])
        .prints("a\na\nb\na-b\na/b\n");
    bench
        .run(["list", "s", "--prefix", "a", "--utf8"])
        .prints("a\na\\nb\na-b\na/b\n");
    bench
        .run(["list", "s", "--prefix", "61", "--hex"])
        .prints("61\n610a62\n612d62\n612f62\n");
    bench
        .run(["list", "s", "--prefix", "a/", "--long"])
        .prints("           3        0 a/b\n");
    bench.run(["list", "s", "--prefix", "none"]).prints("");
}

#[test]
fn hexadecimal_and_text_are_for_people() {
    let bench = Bench::with_store("1M", &[]);
    bench.run(["put", "s", "--hex", "00ff", "0a1b"]).prints("");
    bench.run(["get", "s", "--hex", "00ff"]).prints("0a1b\n");
    bench.run(["list", "s", "--hex"]).prints("00ff\n");
    bench.run(["list", "s", "--utf8"]).prints("\\0\\xff\n");
    bench
        .run_with(["put", "s", "text"], b"a\tgr\xc3\xbc\xc3\x9fe\xff\n")
        .prints("");
    bench
        .run(["get", "s", "text", "--utf8"])
        .prints("a\\tgrüße\\xff\\n\n");
    bench
        .run(["put", "s", "--hex", "0g", "00"])
        .fails(USAGE, "--hex");
    bench
        .run(["get", "s", "k", "--hex", "--utf8"])
        .fails(USAGE, "cannot be used");
}

#[cfg(unix)]
#[test]
fn keys_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::with_store("1M", &[]);
    let key = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    bench
        .run(["put".as_ref(), "s".as_ref(), key, "v".as_ref()])
        .prints("");
    bench.run(["get".as_ref(), "s".as_ref(), key]).prints("v");
    bench.run(["list", "s"]).prints(b"\xff\xfe\n");
    bench
        .run(["put", "s", "", "v"])
        .fails(USAGE, "at least one byte");
    bench
        .run(["put", "s", &"k".repeat(100_000), "v"])
        .fails(USAGE, "longer than");
}

#[test]
fn batch_does_a_group_of_lines_wholly_or_not_at_all() {
    let bench = Bench::with_store("1M", &["--logs", "2:16K"]);
    let input = "# first\nput a 1\nput b two words\nappend 0 hello\\n\nappend 1 x\n\n\n\
                 del a\nput a\\sb \\x00\\xff\n";
    bench
        .run_with(["batch", "s", "--ack"], input)
        .prints("5\n9\n");
    bench.run(["get", "s", "b"]).prints("two words");
    bench.run(["get", "s", "a b"]).prints(b"\x00\xff");
    bench.run(["get", "s", "a"]).fails(NOT_FOUND, "not found");
    bench.run(["log", "read", "s", "0"]).prints("hello\n");
    bench.run(["log", "read", "s", "1"]).prints("x");

    let input = "put c 1\n\nput d 1\ndel absent\nput e 1\n\nput f 1\n";
    bench
        .run_with(["batch", "s"], input)
        .fails(NOT_FOUND, "line 4: not found");
    bench.run(["list", "s"]).prints("a b\nb\nc\n");

    let input = "put g 1\n\nput h 1\nbogus\n";
    bench
        .run_with(["batch", "s"], input)
        .fails(USAGE, "line 4: `bogus` is no operation");
    bench.run(["list", "s"]).prints("a b\nb\nc\ng\n");

    bench
        .run_with(["batch", "s"], "append 0 y\ntrim 0 3\n")
        .prints("");
    bench.run(["log", "info", "s", "0"]).succeeds();
    bench.run(["log", "read", "s", "0"]).prints("lo\ny");
}

#[test]
fn batch_works_on_lists() {
    let bench = Bench::with_store("1M", &[]);
    let input = "put k item\npush k zero\npush k one\npush k two\n\nset k 1 uno\n";
    bench.run_with(["batch", "s"], input).prints("");
    bench.run(["get", "s", "k"]).prints("item");
    bench.run(["get", "s", "k", "--element", "1"]).prints("uno");
    bench
        .run(["list", "s", "--long"])
        .prints("           4        3 k\n");
    bench.run_with(["batch", "s"], "drop k 2\n").prints("");
    bench
        .run(["list", "s", "--long"])
        .prints("           4        1 k\n");
    bench
        .run(["get", "s", "k", "--element", "5"])
        .fails(NOT_FOUND, "not found");
}

#[test]
fn logs_are_appended_read_trimmed_and_described() {
    let bench = Bench::with_store("1M", &["--logs", "1:16K", "2:4K"]);
    bench
        .run(["log", "append", "s", "0", "hello "])
        .prints("0\n");
    bench
        .run_with(["log", "append", "s", "0"], "world\n")
        .prints("6\n");
    bench
        .run(["log", "append", "s", "0", "--hex", "ff00"])
        .prints("12\n");
    bench
        .run(["log", "read", "s", "0"])
        .prints(b"hello world\n\xff\x00");
    bench
        .run(["log", "read", "s", "0", "--from", "6", "--len", "5"])
        .prints("world");
    bench
        .run(["log", "read", "s", "0", "--from", "12", "--hex"])
        .prints("ff00\n");
    bench
        .run(["log", "read", "s", "0", "--from", "6", "--utf8"])
        .prints("world\\n\\xff\\0\n");
    bench.run(["log", "trim", "s", "0", "6"]).prints("");
    bench
        .run(["log", "read", "s", "0", "--len", "5"])
        .prints("world");
    bench
        .run(["log", "read", "s", "0", "--from", "5"])
        .fails(NOT_FOUND, "head 6");
    bench
        .run(["log", "read", "s", "0", "--len", "100"])
        .fails(NOT_FOUND, "tail 14");
    bench
        .run(["log", "trim", "s", "0", "15"])
        .fails(NOT_FOUND, "tail 14");
    let info = bench.run(["log", "info", "s"]);
    let info = String::from_utf8_lossy(info.succeeds()).into_owned();
    assert_eq!(info.lines().count(), 3);
    assert!(info.starts_with("log 0 head 6 tail 14 capacity "), "{info}");
    let capacity: u64 = info
        .lines()
        .next()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(capacity >= 16 << 10);
    bench
        .run(["log", "info", "s", "9"])
        .fails(NOT_FOUND, "no log 9");
}

#[test]
fn a_full_log_is_code_6_and_takes_more_when_trimmed() {
    let bench = Bench::with_store("1M", &["--logs", "1:4K"]);
    let piece = "x".repeat(1000);
    let mut tail = 0;
    let full = loop {
        let ran = bench.run(["log", "append", "s", "0", &piece]);
        if !ran.0.status.success() {
            break ran;
        }
        tail += 1000;
        assert!(tail < 1 << 20);
    };
    full.fails(FULL, "log trim");
    assert!(tail >= 4000);
    bench
        .run(["log", "trim", "s", "0", &tail.to_string()])
        .prints("");
    bench
        .run(["log", "append", "s", "0", &piece])
        .prints(format!("{tail}\n"));
}

#[test]
fn a_full_store_is_code_6_loses_nothing_and_still_deletes() {
    let bench = Bench::with_store("256K", &[]);
    let value = "v".repeat(4000);
    let mut keys = 0;
    let full = loop {
        let ran = bench.run(["put", "s", &format!("{keys:04}"), &value]);
        if !ran.0.status.success() {
            break ran;
        }
        keys += 1;
        assert!(keys < 100);
    };
    full.fails(FULL, "delete keys");
    let list: String = (0..keys).map(|key| format!("{key:04}\n")).collect();
    bench.run(["list", "s"]).prints(&list);
    bench.run(["del", "s", "0000"]).prints("");
    bench.run(["put", "s", "new", &value]).prints("");
    bench
        .run(["get", "s", &format!("{:04}", keys - 1)])
        .prints(&value);
    bench.run(["check", "s"]).succeeds();
}

#[test]
fn a_key_whose_record_is_destroyed_can_be_put_anew() {
    let bench = Bench::with_store("1M", &[]);
    for key in ["before", "fragile", "behind"] {
        bench.run(["put", "s", key, "old value"]).prints("");
    }
    let mut image = fs::read(bench.path("s")).unwrap();
    let key = image.windows(7).position(|bytes| bytes == b"fragile");
    let key = key.unwrap();
    image[key - 16..key + 12].fill(0xA5);
    fs::write(bench.path("s"), &image).unwrap();
    let doubtful = "may hide a newer version of this key";
    bench.run(["get", "s", "fragile"]).fails(DAMAGED, doubtful);
    bench.run(["put", "s", "fragile", "new"]).succeeds();
    assert_eq!(bench.run(["get", "s", "fragile"]).succeeds(), b"new");
    assert_eq!(
        bench.run(["get", "s", "before"]).0.status.code(),
        Some(DAMAGED)
    );
    assert_eq!(bench.run(["get", "s", "behind"]).succeeds(), b"old value");
}

#[test]
fn what_is_no_store_is_code_3_and_says_why() {
    let bench = Bench::new();
    let (no_file, no_folder) = match cfg!(windows) {
        true => ("s: opening failed: ", "(os error 3)"),
        false => ("s: opening failed: No such file", "No such file"),
    };
    bench.run(["get", "s", "k"]).fails(CANNOT_OPEN, no_file);
    fs::write(bench.path("empty"), "").unwrap();
    bench.run(["get", "empty", "k"]).fails(CANNOT_OPEN, "empty");
    fs::write(bench.path("text"), "hello ".repeat(10_000)).unwrap();
    bench
        .run(["get", "text", "k"])
        .fails(CANNOT_OPEN, "no store found");
    bench
        .run(["put", "text", "k", "v"])
        .fails(CANNOT_OPEN, "no store found");
    assert_eq!(
        fs::read(bench.path("text")).unwrap(),
        "hello ".repeat(10_000).as_bytes()
    );
    fs::create_dir(bench.path("folder")).unwrap();
    bench
        .run(["get", "folder", "k"])
        .fails(CANNOT_OPEN, "regular file");
    bench
        .run(["create", "no/s", "--size", "1M"])
        .fails(CANNOT_OPEN, no_folder);
}

#[test]
fn a_truncated_store_is_refused_with_both_sizes() {
    let bench = Bench::with_store("1M", &[]);
    bench.run(["put", "s", "k", "v"]).prints("");
    let whole = fs::read(bench.path("s")).unwrap();
    for size in [1, 4096, 100_000, 512 << 10, (1 << 20) - 1] {
        fs::write(bench.path("s"), &whole[..size]).unwrap();
        for args in [
            &["get", "s", "k"][..],
            &["check", "s"],
            &["put", "s", "k", "w"],
        ] {
            let ran = bench.run(args);
            let stderr = ran.stderr();
            assert_eq!(
                ran.0.status.code(),
                Some(CANNOT_OPEN),
                "{size}: {args:?}: {stderr}"
            );
            assert!(
                stderr.contains(&format!("only {size}"))
                    || stderr.contains("no store found")
                    || stderr.contains("no readable ledger"),
                "{size}: {stderr}"
            );
        }
        assert_eq!(
            fs::read(bench.path("s")).unwrap(),
            whole[..size],
            "nothing was written"
        );
    }
    fs::write(bench.path("s"), &whole).unwrap();
    bench.run(["get", "s", "k"]).prints("v");
}

/// A process that has done a transaction, and has the store open until its
/// input ends.
fn holding(bench: &Bench, transaction: &str) -> (Child, ChildStdin) {
    let mut holder = bench
        .command(["batch", "s", "--ack"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = holder.stdin.take().unwrap();
    writeln!(input, "{transaction}\n").unwrap();
    let mut acknowledged = [0; 2];
    let mut output = holder.stdout.take().unwrap();
    output.read_exact(&mut acknowledged).unwrap();
    (holder, input)
}

#[test]
fn two_processes_never_open_one_store() {
    let bench = Bench::with_store("1M", &[]);
    bench.run(["put", "s", "k", "v"]).prints("");
    let (mut holder, input) = holding(&bench, "put held 1");
    for args in [
        &["get", "s", "k"][..],
        &["put", "s", "k", "w"],
        &["check", "s"],
        &["list", "s"],
    ] {
        bench
            .run(args)
            .fails(CANNOT_OPEN, "another process has the store open");
    }
    drop(input);
    assert!(holder.wait().unwrap().success());
    bench.run(["get", "s", "k"]).prints("v");
    bench.run(["get", "s", "held"]).prints("1");
}

#[test]
fn commands_that_read_never_modify_the_file() {
    let bench = Bench::with_store("1M", &["--logs", "1:8K"]);
    bench.run(["put", "s", "k", "v"]).prints("");
    bench
        .run(["log", "append", "s", "0", "entry"])
        .prints("0\n");
    // As a crash leaves it: never closed.
    let (mut holder, _input) = holding(&bench, "put k2 v2");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let before = fs::read(bench.path("s")).unwrap();
    let modified = fs::metadata(bench.path("s")).unwrap().modified().unwrap();
    let mut permissions = fs::metadata(bench.path("s")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(bench.path("s"), permissions).unwrap();
    for args in [
        &["get", "s", "k2"][..],
        &["list", "s", "--long"],
        &["log", "read", "s", "0"],
        &["log", "info", "s"],
        &["stat", "s"],
        &["check", "s"],
        &["inspect", "s"],
        &["inspect", "s", "--ledger"],
        &["inspect", "s", "--segment", "0"],
        &["export", "s", "out"],
    ] {
        bench.run(args).succeeds();
        assert_eq!(fs::read(bench.path("s")).unwrap(), before, "{args:?}");
        assert_eq!(
            fs::metadata(bench.path("s")).unwrap().modified().unwrap(),
            modified
        );
    }
    assert_eq!(fs::read(bench.path("out/k2")).unwrap(), b"v2");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let bench = Bench::with_store("16M", &["--logs", "1:1M"]);
    let input: String = (0..20_000)
        .map(|n| format!("put some/quite/long/key/{n} {n}\n"))
        .collect();
    let groups: String = input
        .lines()
        .collect::<Vec<_>>()
        .chunks(1000)
        .map(|lines| lines.join("\n") + "\n\n")
        .collect();
    bench.run_with(["batch", "s"], groups).prints("");
    let large = vec![b'x'; 500_000];
    bench.run_with(["put", "s", "large"], &large).prints("");
    bench
        .run_with(["log", "append", "s", "0"], &large)
        .prints("0\n");
    for args in [
        &["list", "s"][..],
        &["get", "s", "large"],
        &["log", "read", "s", "0"],
        &["inspect", "s", "--ledger"],
        &["man"],
        &["completions", "bash"],
    ] {
        let mut child = bench
            .command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn output_that_fails_is_code_4() {
    let bench = Bench::with_store("1M", &[]);
    bench.run(["put", "s", "k", "v"]).prints("");
    for args in [&["get", "s", "k"][..], &["list", "s"]] {
        let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
            return;
        };
        let output = bench.command(args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(IO_FAILED));
        assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
    }
}

#[test]
fn usage_errors_are_code_2_and_every_help_has_examples() {
    let bench = Bench::new();
    let bare = bench.run::<&str>([]);
    assert_eq!(bare.0.status.code(), Some(USAGE));
    // Windows' name has an extension.
    let name = format!("indelible{}", std::env::consts::EXE_SUFFIX);
    let usage = format!("Usage: {name} [OPTIONS] <COMMAND>");
    assert!(bare.stderr().contains(&usage), "{}", bare.stderr());
    bench
        .run(["create", "s"])
        .fails(USAGE, &format!("--size <SIZE>; see `{name} create --help`"));
    bench.run(["frobnicate"]).fails(USAGE, "frobnicate");
    bench
        .run(["lists", "s"])
        .fails(USAGE, "'lists'; a similar subcommand exists: 'list'; see `");
    bench.run(["create", "s", "--size", "4X"]).fails(
        USAGE,
        &format!("no unit: use K, M, G or T; see `{name} create --help`"),
    );
    bench
        .run(["create", "s", "--size", "4.5M"])
        .fails(USAGE, "a whole number: write 4608K for 4.5M");
    bench
        .run(["create", "s", "--size", "5T"])
        .fails(USAGE, "the most there can be; choose a smaller");
    bench
        .run(["put", "s", "-k", "v"])
        .fails(USAGE, "to pass '-k' as a value, use '-- -k'");
    bench
        .run(["bench", "s", "--keys", "0"])
        .fails(USAGE, "--keys");
    bench.run(["create", "s"]).fails(USAGE, "--size");
    bench
        .run(["create", "s", "--size", "many"])
        .fails(USAGE, "a size is a number");
    bench.run(["del", "s"]).fails(USAGE, "KEYS");
    for command in [
        &["create"][..],
        &["put"],
        &["get"],
        &["del"],
        &["list"],
        &["batch"],
        &["log", "append"],
        &["log", "read"],
        &["log", "trim"],
        &["log", "info"],
        &["import"],
        &["export"],
        &["stat"],
        &["check"],
        &["inspect"],
        &["bench"],
        &["backup"],
        &["restore"],
        &["shell"],
        &["completions"],
        &["man"],
        &[],
    ] {
        let ran = bench.run(command.iter().chain(&["--help"]));
        let help = String::from_utf8_lossy(ran.succeeds()).into_owned();
        assert!(help.contains("Examples:\n  "), "{command:?}: {help}");
    }
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = bench.run(["completions", shell]);
        assert!(String::from_utf8_lossy(ran.succeeds()).contains("inspect"));
    }
    let ran = bench.run(["man"]);
    assert!(String::from_utf8_lossy(ran.succeeds()).contains(".TH indelible 1"));
    bench.run(["man", "--dir", "pages"]).prints("");
    assert!(bench.path("pages/indelible-import.1").exists());
}

#[test]
fn stat_and_inspect_print_json() {
    let bench = Bench::with_store("1M", &["--logs", "1:16K"]);
    bench.run(["put", "s", "k", "v"]).prints("");
    bench
        .run(["log", "append", "s", "0", "entry"])
        .prints("0\n");
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(bench.run(args).succeeds()).unwrap()
    };
    let stat = json(&["stat", "s", "--json"]);
    assert_eq!(stat["keys"], 1);
    assert_eq!(stat["logs"][0]["tail"], 5);
    let map = json(&["inspect", "s", "--json"]);
    assert_eq!(
        map["segments"].as_array().unwrap().len() as u64,
        stat["segments"]
    );
    json(&["inspect", "s", "--ledger", "--json"]);
    json(&["inspect", "s", "--segment", "0", "--json"]);
    assert_eq!(json(&["check", "s", "--json"])["damaged"], 0);
    bench.run(["stat", "s"]).succeeds();
    let ran = bench.run(["inspect", "s"]);
    // The close behind the last append saved the index.
    let map = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert!(map.contains("i saved index"), "{map}");
    assert!(map.lines().nth(1).unwrap().contains('i'), "{map}");
    bench
        .run(["inspect", "s", "--segment", "100000"])
        .fails(NOT_FOUND, "no segment");
}

#[test]
fn bench_leaves_no_key_behind() {
    let bench = Bench::with_store("4M", &[]);
    bench.run(["put", "s", "mine", "v"]).prints("");
    let ran = bench.run(["bench", "s", "--keys", "1000", "--json"]);
    let figures: serde_json::Value = serde_json::from_slice(ran.succeeds()).unwrap();
    assert!(figures["puts"].as_f64().unwrap() > 0.0, "{figures}");
    bench.run(["list", "s"]).prints("mine\n");
    bench.run(["check", "s"]).succeeds();
}

/// Keys of which each of a few shards has some.
fn many() -> Vec<String> {
    (0..12).map(|number| format!("key {number:02}")).collect()
}

/// Puts all of them in one transaction.
fn put_all(bench: &Bench, value: &str) {
    let put = |key: String| format!("put {} {value}\n", key.replace(' ', "\\s"));
    let input: String = many().into_iter().map(put).collect();
    bench.run_with(["batch", "s"], input).prints("");
}

/// A store of three shards with something in it.
fn with_shards() -> Bench {
    let bench = Bench::with_store("1M", &["--shards", "3", "--grows-to", "16M"]);
    put_all(&bench, "old");
    bench
}

/// As [`with_shards`], with a transaction that the last shard has not heard of,
/// as a power cut leaves it.
fn with_a_transaction_half_done() -> Bench {
    let bench = with_shards();
    let last = bench.path("s/shard.00002");
    let before = fs::read(&last).unwrap();
    put_all(&bench, "new");
    fs::write(&last, before).unwrap();
    bench
}

#[test]
fn a_store_in_shards_is_read_and_changed_as_one() {
    let bench = with_shards();
    let all: String = many().iter().map(|key| format!("{key}\n")).collect();
    bench.run(["list", "s"]).prints(&all);
    bench
        .run(["list", "s", "--long", "--prefix", "key 07"])
        .prints("           3        0 key 07\n");
    for key in many() {
        bench.run(["get", "s", &key]).prints("old");
    }
    bench
        .run(["get", "s", "no"])
        .fails(NOT_FOUND, "no: not found");
    bench.run(["put", "s", "key 07", "newer"]).prints("");
    bench
        .run(["del", "s", "key 00", "no", "key 11"])
        .fails(NOT_FOUND, "s: no: not found");
    bench
        .run_with(
            ["batch", "s", "--ack"],
            "put a 1\npush a x\ndel key 01\n\nput b 2\n",
        )
        .prints("3\n5\n");
    bench.run(["get", "s", "a", "--element", "0"]).prints("x");
    for (input, words) in [
        (
            "put c 3\nappend 0 x\n",
            "line 2: no log 0: the store has 0; this",
        ),
        ("put c 3\ndel no\nput d 4\n", "line 2: not found; this"),
        (
            "put c 3\nput d 4\nset a 7 y\n",
            "lines 1 to 3: not found; this",
        ),
    ] {
        bench
            .run_with(["batch", "s"], input)
            .fails(NOT_FOUND, words);
    }
    bench.run(["get", "s", "key 07"]).prints("newer");
    bench
        .run(["get", "s", "key 01"])
        .fails(NOT_FOUND, "not found");

    let (mut holder, input) = holding(&bench, "put held 1");
    for args in [&["get", "s", "b"][..], &["put", "s", "b", "3"]] {
        bench.run(args).fails(
            CANNOT_OPEN,
            "s: shard 0: another process has the store open",
        );
    }
    drop(input);
    assert!(holder.wait().unwrap().success());
}

#[test]
fn create_makes_shards() {
    let bench = Bench::new();
    bench
        .run([
            "create",
            "s",
            "--size",
            "1M",
            "--shards",
            "2",
            "--grows-to",
            "8M",
        ])
        .prints("");
    bench.run(["put", "s", "k", "v"]).prints("");
    assert_eq!(
        fs::metadata(bench.path("s/shard.00001")).unwrap().len(),
        1 << 20
    );
    bench.run(["get", "s", "k"]).prints("v");
    bench
        .run(["create", "s", "--size", "1M", "--shards", "2"])
        .fails(CANNOT_OPEN, "exists");
    bench
        .run(["create", "t", "--size", "1M", "--shards", "0"])
        .fails(USAGE, "0 shards");
    bench
        .run(["create", "t", "--size", "1K", "--shards", "2"])
        .fails(USAGE, "minimum of ");
    bench
        .run([
            "create", "t", "--size", "1M", "--shards", "2", "--logs", "1:8K",
        ])
        .fails(USAGE, "cannot be used");
    assert!(!bench.path("t").exists());
}

#[test]
fn folders_go_into_shards_and_come_out_again() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("in/a")).unwrap();
    let mut random = Random(7);
    let large = random.bytes(700_000);
    fs::write(bench.path("in/a/large"), &large).unwrap();
    for number in 0..200 {
        fs::write(
            bench.path(format!("in/{number}")),
            random.bytes(number * 20),
        )
        .unwrap();
    }
    // The store may lie in the folder.
    bench
        .run(["create", "in/s", "--size", "2M", "--shards", "3"])
        .prints("");
    let ran = bench.run(["import", "in/s", "in", "--ack"]);
    let acked = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert_eq!(acked.lines().count(), 201);
    bench.run(["import", "in/s", "in"]).prints("");
    bench.run(["export", "in/s", "out"]).prints("");
    assert_eq!(fs::read(bench.path("out/a/large")).unwrap(), large);
    for number in 0..200 {
        let (one, other) = (format!("in/{number}"), format!("out/{number}"));
        assert!(fs::read(bench.path(one)).unwrap() == fs::read(bench.path(other)).unwrap());
    }
    bench.run(["check", "in/s"]).succeeds();
}

#[test]
fn check_and_stat_name_the_shards() {
    let bench = with_shards();
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&bench.run(args).0.stdout).unwrap()
    };
    let stat = json(&["stat", "s", "--json"]);
    assert_eq!(stat["keys"], 12);
    assert_eq!(stat["capacity"], 3 << 20);
    assert_eq!(stat["shards"][2]["clean"], true);
    let ran = bench.run(["stat", "s"]);
    let text = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert!(
        text.starts_with("store     3 MiB in 3 shards\nrecords   12 keys, "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 5);
    let ran = bench.run(["check", "s"]);
    let text = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert_eq!(text.matches(": 0 damaged, 0 healed\n").count(), 3, "{text}");

    let path = bench.path("s/shard.00001");
    let mut image = fs::read(&path).unwrap();
    let value = image.windows(3).rposition(|bytes| bytes == b"old").unwrap();
    image[value..value + 3].copy_from_slice(b"XYZ");
    fs::write(&path, &image).unwrap();
    let ran = bench.run(["check", "s"]);
    let text = String::from_utf8_lossy(&ran.0.stdout).into_owned();
    assert_eq!(ran.0.status.code(), Some(DAMAGED), "{text}{}", ran.stderr());
    assert!(text.contains("shard 1: damaged: value of `key "), "{text}");
    let check = json(&["check", "s", "--json"]);
    assert_eq!(check["damaged"], 1);
    assert_eq!(check["shards"][0]["damaged"], 0);
    assert_eq!(check["shards"][1]["findings"][0]["item"], "value");
    let ran = bench.run(["backup", "s", "copy"]);
    assert_eq!(ran.0.status.code(), Some(DAMAGED));
    assert!(
        ran.stderr().contains("s: shard 1: the original is damaged"),
        "{}",
        ran.stderr()
    );
    assert!(!bench.path("copy").exists());
    let kept = bench.run(["backup", "s", "copy", "--accept-damage"]);
    kept.succeeds();
    let ran = bench.run(["restore", "copy", "t"]);
    assert_eq!(ran.0.status.code(), Some(DAMAGED), "{}", ran.stderr());
    assert!(!bench.path("t").exists());
}

#[test]
fn shards_are_backed_up_restored_and_grown_together() {
    let bench = with_shards();
    let made = bench.run(["backup", "s", "copy"]);
    let made = String::from_utf8_lossy(made.succeeds()).into_owned();
    assert!(made.starts_with("3145728 bytes, CRC-32C "), "{made}");
    bench
        .run(["backup", "s", "copy", "--force"])
        .fails(CANNOT_OPEN, "copy: the path exists");
    bench
        .run(["backup", "s", "s", "--force"])
        .fails(USAGE, "s: store and copy are the same");
    bench.run(["restore", "copy", "again"]).prints(made);
    bench.run(["put", "copy", "key 00", "changed"]).prints("");
    bench.run(["get", "again", "key 00"]).prints("old");

    bench
        .run(["grow", "again", "512K"])
        .fails(USAGE, "it has 1048576 bytes");
    bench
        .run(["grow", "again", "1T"])
        .fails(USAGE, "--grows-to");
    bench.run(["grow", "again", "2M"]).prints("");
    let stat = bench.run(["stat", "again", "--json"]);
    let stat: serde_json::Value = serde_json::from_slice(stat.succeeds()).unwrap();
    assert_eq!(stat["capacity"], 6 << 20);
    bench.run(["get", "again", "key 05"]).prints("old");

    let one = Bench::with_store("1M", &[]);
    one.run(["backup", "s", "s", "--force"])
        .fails(USAGE, "s: store and copy are the same");
    one.run(["restore", "s", "s", "--force"])
        .fails(USAGE, "s: store and copy are the same");
}

#[test]
fn a_transaction_over_shards_is_never_shown_in_part() {
    let bench = with_a_transaction_half_done();
    let before: Vec<_> = (0..3)
        .map(|shard| fs::read(bench.path(format!("s/shard.{shard:05}"))).unwrap())
        .collect();
    for args in [
        &["get", "s", "key 00"][..],
        &["list", "s"],
        &["export", "s", "out"],
    ] {
        bench.run(args).fails(
            CANNOT_OPEN,
            "s: a crash left 1 transaction over shards to be carried out; a command that writes",
        );
    }
    let ran = bench.run(["check", "s"]);
    let text = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert!(
        text.contains("1 unfinished transaction over shards"),
        "{text}"
    );
    let ran = bench.run(["stat", "s"]);
    let text = String::from_utf8_lossy(ran.succeeds()).into_owned();
    assert!(
        text.contains("waiting   1 transaction over shards"),
        "{text}"
    );
    bench.run(["backup", "s", "copy"]).succeeds();
    for (shard, before) in before.iter().enumerate() {
        let now = fs::read(bench.path(format!("s/shard.{shard:05}"))).unwrap();
        assert!(now == *before, "what reads has written to shard {shard}");
    }
    // Both the store and its copy are whole once they are written to.
    for store in ["s", "copy"] {
        bench.run_with(["shell", store], "").prints("");
        for key in many() {
            bench.run(["get", store, &key]).prints("new");
        }
    }
}

#[test]
fn what_shards_cannot_do_is_said() {
    let bench = with_shards();
    bench
        .run(["log", "read", "s", "0"])
        .fails(NOT_FOUND, "s: a store in shards has no logs");
    bench.run(["log", "info", "s"]).fails(NOT_FOUND, "no logs");
    bench
        .run(["bench", "s"])
        .fails(USAGE, "BENCH in `indelible shell` measures one");
    let ran = bench.run(["inspect", "s"]);
    ran.fails(USAGE, "inspect one of them, such as s");
    bench.run(["inspect", "s/shard.00001"]).succeeds();
    // By itself a shard is only looked at.
    let before = fs::read(bench.path("s/shard.00001")).unwrap();
    bench.run(["list", "s/shard.00001"]).succeeds();
    for args in [
        &["put", "s/shard.00001", "k", "v"][..],
        &["log", "append", "s/shard.00001", "0", "x"],
        &["grow", "s/shard.00001", "2M"],
    ] {
        bench
            .run(args)
            .fails(USAGE, "one of the 3 shards of a store; name the folder");
    }
    assert!(fs::read(bench.path("s/shard.00001")).unwrap() == before);

    fs::rename(bench.path("s/shard.00002"), bench.path("away")).unwrap();
    bench
        .run(["get", "s", "key 00"])
        .fails(CANNOT_OPEN, "s: shard 2: opening failed: ");
    fs::copy(bench.path("s/shard.00001"), bench.path("s/shard.00002")).unwrap();
    for args in [&["get", "s", "key 00"][..], &["put", "s", "k", "v"]] {
        bench.run(args).fails(
            CANNOT_OPEN,
            "s: shard 2 is of another store, or another one",
        );
    }
    fs::rename(bench.path("away"), bench.path("s/shard.00002")).unwrap();
    fs::remove_file(bench.path("s/shard.00000")).unwrap();
    bench
        .run(["get", "s", "key 00"])
        .fails(CANNOT_OPEN, "s: shard 0: opening failed: ");
}

#[test]
fn the_shell_works_on_shards() {
    let bench = with_shards();
    let script = "get key 03\nget \"key 03\"\nsetbatch 5\nput a 1\nget a\ndel \"key 00\"\n\
                  get \"key 00\"\ndel \"key 00\"\nsize\nput a 2\nput b 3\nput c 4\nbench 30\n\
                  size\nsnap copy\nput d 5\n";
    let ran = bench.run_with(["shell", "s"], script);
    let printed = String::from_utf8_lossy(&ran.0.stdout).into_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(ran.0.status.code(), Some(USAGE), "{printed}");
    let errors = ran.stderr();
    let complaints = [
        "indelible: line 1: write GET KEY; quote what has spaces",
        "indelible: line 7: key 00: not found",
        "indelible: line 8: key 00: not found",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), complaints);
    let first = [
        "old",
        "OK",
        "OK (1 of 5, not durable)",
        "1",
        "OK (2 of 5, not durable)",
    ];
    assert_eq!(lines[..5], first);
    assert!(lines[5].starts_with("12 keys, "), "{printed}");
    let staged = ["OK (3 of 5, not durable)", "OK (4 of 5, not durable)", "OK"];
    assert_eq!(lines[6..9], staged);
    assert!(
        lines[9].contains(" puts a second, 5 a transaction; "),
        "{printed}"
    );
    assert!(lines[10].starts_with("14 keys, "), "{printed}");
    assert!(
        lines[11].starts_with("OK (3145728 bytes, CRC-32C "),
        "{printed}"
    );
    bench.run(["get", "s", "d"]).prints("5");
    bench.run(["get", "copy", "a"]).prints("2");
    bench
        .run(["get", "copy", "d"])
        .fails(NOT_FOUND, "not found");

    // More than one transaction over shards can be is several.
    let value = "v".repeat(9_000);
    let mut script = "setbatch 100\n".to_string();
    for number in 0..20 {
        script += &format!("put long{number} {value}\n");
    }
    bench.run_with(["shell", "s"], script).succeeds();
    bench.run(["get", "s", "long19"]).prints(&value);
    bench.run(["check", "s"]).succeeds();
}
