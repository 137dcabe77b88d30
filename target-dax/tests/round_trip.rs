//! Folders imported and exported again.

#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use common::*;

/// Every regular file below a folder.
fn files(root: &Path) -> BTreeMap<PathBuf, PathBuf> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.insert(
                    entry.path().strip_prefix(root).unwrap().to_path_buf(),
                    entry.path(),
                );
            }
        }
    }
    files
}

fn same_files(a: &Path, b: &Path) -> usize {
    let (a, b) = (files(a), files(b));
    assert!(a.keys().eq(b.keys()), "the names differ");
    for (name, path) in &a {
        assert!(
            fs::read(path).unwrap() == fs::read(&b[name]).unwrap(),
            "{} differs",
            name.display()
        );
    }
    a.len()
}

/// Room for a folder: its bytes and what goes with them.
fn size_for(folder: &Path) -> String {
    let bytes: u64 = files(folder)
        .values()
        .map(|path| fs::symlink_metadata(path).unwrap().len() + 512)
        .sum();
    format!("{}", (bytes * 5 / 4 + (8 << 20)).next_multiple_of(1 << 20))
}

#[test]
fn every_regular_file_comes_back() {
    let bench = Bench::with_store("8M", &[]);
    let tree = bench.path("tree");
    fs::create_dir_all(tree.join("a/b/c")).unwrap();
    fs::create_dir_all(tree.join("empty/inner")).unwrap();
    fs::write(tree.join("top"), "top\n").unwrap();
    fs::write(tree.join("a-b"), "sorts between a and a/").unwrap();
    fs::write(tree.join("a/b/c/deep"), vec![7; 300_000]).unwrap();
    fs::write(tree.join("a/nothing"), "").unwrap();
    fs::write(tree.join("a/line\nbreak"), "x").unwrap();
    fs::write(
        tree.join(OsStr::from_bytes(b"a/\xff\xfe not text")),
        "bytes",
    )
    .unwrap();
    symlink("top", tree.join("link")).unwrap();
    symlink("nowhere", tree.join("a/dangling")).unwrap();
    let ran = bench.run(["import", "s", "tree"]);
    assert_eq!(ran.succeeds(), b"");
    assert_eq!(
        ran.stderr(),
        "indelible: left out: 2 symlinks, 1 empty folder\n"
    );
    bench
        .run(["get", "s", "a/b/c/deep"])
        .prints(vec![7; 300_000]);
    bench.run(["export", "s", "out"]).prints("");
    assert_eq!(same_files(&tree, &bench.path("out")), 6);
    // Again, over what is there.
    fs::write(bench.path("out/top"), "something longer that was changed").unwrap();
    bench.run(["export", "s", "out"]).prints("");
    assert_eq!(same_files(&tree, &bench.path("out")), 6);
    bench
        .run(["export", "s", "part", "--prefix", "a/"])
        .prints("");
    assert_eq!(files(&bench.path("part")).len(), 4);
    bench.run(["check", "s"]).succeeds();
}

#[test]
fn running_import_again_completes_it_and_writes_nothing_else() {
    let bench = Bench::with_store("8M", &[]);
    let tree = bench.path("tree");
    fs::create_dir(&tree).unwrap();
    for n in 0..200 {
        fs::write(
            tree.join(format!("{n:03}")),
            format!("file {n}\n").repeat(n),
        )
        .unwrap();
    }
    let acks: String = (0..200).map(|n| format!("{n:03}\n")).collect();
    bench.run(["import", "s", "tree", "--ack"]).prints(&acks);
    fs::write(tree.join("100"), "changed").unwrap();
    fs::write(tree.join("new"), "new").unwrap();
    bench.run(["del", "s", "050"]).prints("");
    let ran = bench.run(["import", "s", "tree", "--ack"]);
    ran.prints(acks + "new\n");
    bench.run(["get", "s", "100"]).prints("changed");
    bench.run(["export", "s", "out"]).prints("");
    same_files(&tree, &bench.path("out"));
}

#[test]
fn a_store_in_the_folder_is_not_imported_into_itself() {
    let bench = Bench::new();
    fs::create_dir(bench.path("tree")).unwrap();
    fs::write(bench.path("tree/file"), "x").unwrap();
    bench.run(["create", "tree/s", "--size", "1M"]).prints("");
    bench.run(["import", "tree/s", "tree"]).prints("");
    bench.run(["list", "tree/s"]).prints("file\n");
}

#[test]
fn import_into_a_full_store_is_code_6_and_what_was_acknowledged_is_there() {
    let bench = Bench::with_store("256K", &[]);
    fs::create_dir(bench.path("tree")).unwrap();
    for n in 0..100 {
        fs::write(bench.path(format!("tree/{n:03}")), [n; 5000]).unwrap();
    }
    let ran = bench.run(["import", "s", "tree", "--ack"]);
    ran.fails(FULL, "store full");
    let acked = String::from_utf8(ran.0.stdout).unwrap();
    assert!(acked.lines().count() > 10);
    bench.run(["list", "s"]).prints(acked);
}

#[test]
fn import_says_what_it_cannot_read() {
    let bench = Bench::with_store("1M", &[]);
    bench
        .run(["import", "s", "none"])
        .fails(IO_FAILED, "none: No such file");
    bench
        .run(["import", "none", "."])
        .fails(CANNOT_OPEN, "none: opening failed");
    fs::create_dir(bench.path("tree")).unwrap();
    // The call by its command: rustix has none for macOS.
    let made = std::process::Command::new("mkfifo")
        .arg(bench.path("tree/pipe"))
        .status();
    assert!(made.unwrap().success());
    let ran = bench.run(["import", "s", "tree"]);
    assert_eq!(ran.succeeds(), b"");
    assert!(
        ran.stderr().contains("1 pipe, socket or device"),
        "{}",
        ran.stderr()
    );
}

#[test]
fn export_refuses_keys_that_are_no_relative_path() {
    let bench = Bench::with_store("1M", &[]);
    let input = "put fine 1\nput /etc/absolute 1\nput ../up 1\nput a/../b 1\nput a//b 1\n\
                 put a/./b 1\nput . 1\nput .. 1\nput a/ 1\nput zero\\0byte 1\nput ..fine 1\n";
    bench.run_with(["batch", "s"], input).prints("");
    let ran = bench.run(["export", "s", "out"]);
    assert_eq!(ran.0.status.code(), Some(IO_FAILED));
    let stderr = ran.stderr();
    assert_eq!(stderr.lines().count(), 9, "{stderr}");
    for words in [
        "/etc/absolute: the key is an absolute path",
        "`..` part",
        "`.` part",
        "empty part",
        "zero byte",
    ] {
        assert!(stderr.contains(words), "{stderr}");
    }
    let written: Vec<_> = files(&bench.path("out")).into_keys().collect();
    assert_eq!(written, [PathBuf::from("..fine"), PathBuf::from("fine")]);
    assert!(!bench.path("up").exists());
}

#[test]
fn export_reports_clashes() {
    let bench = Bench::with_store("1M", &[]);
    bench
        .run_with(
            ["batch", "s"],
            "put a file\nput a-b 1\nput a/b inner\nput c/d 1\n",
        )
        .prints("");
    let ran = bench.run(["export", "s", "out"]);
    ran.fails(IO_FAILED, "a/b: `a` is a file, not a folder; not exported");
    assert_eq!(fs::read(bench.path("out/a")).unwrap(), b"file");
    assert_eq!(files(&bench.path("out")).len(), 3);
}

#[test]
fn export_follows_no_symlink() {
    let bench = Bench::with_store("1M", &[]);
    bench
        .run_with(["batch", "s"], "put a/b 1\nput c 2\nput d 3\n")
        .prints("");
    fs::create_dir(bench.path("out")).unwrap();
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::write(bench.path("victim"), "untouched").unwrap();
    symlink("../elsewhere", bench.path("out/a")).unwrap();
    symlink("../victim", bench.path("out/c")).unwrap();
    let ran = bench.run(["export", "s", "out"]);
    assert_eq!(ran.0.status.code(), Some(IO_FAILED));
    assert_eq!(ran.stderr().lines().count(), 2, "{}", ran.stderr());
    assert_eq!(fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(fs::read(bench.path("victim")).unwrap(), b"untouched");
    assert_eq!(fs::read(bench.path("out/d")).unwrap(), b"3");
}

fn system_folder(folder: &str) {
    let folder = Path::new(folder);
    if !folder.exists() {
        return eprintln!("skipped: there is no {}", folder.display());
    }
    let bench = Bench::with_store(&size_for(folder), &[]);
    let ran = bench.run(["import".as_ref(), "s".as_ref(), folder.as_os_str()]);
    ran.succeeds();
    bench.run(["check", "s"]).succeeds();
    bench.run(["export", "s", "out"]).prints("");
    let count = same_files(folder, &bench.path("out"));
    let bytes = fs::metadata(bench.path("s")).unwrap().size();
    println!(
        "{}: {count} files identical, store of {bytes} bytes",
        folder.display()
    );
}

#[test]
fn usr_share_doc_comes_back() {
    system_folder("/usr/share/doc");
}

#[test]
fn usr_include_comes_back() {
    system_folder("/usr/include");
}
