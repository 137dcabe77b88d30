//! What is Windows' own: views, locks, names of files.
#![cfg(windows)]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use indelible_dax::file::{NotDax, nor_geometry};
use indelible_dax::indelible::Medium;
use indelible_dax::pmem::PmemMedium;
use indelible_dax::{
    Access, AnyMedium, FileError, HostMemory, HostStore, MediumChoice, MediumKind, OpenError,
    Reads, Setup,
};

fn open<'a>(path: &Path, memory: &'a HostMemory, choice: MediumChoice) -> HostStore<'a> {
    let (access, reads) = (Access::ReadWrite, Reads::Mapped);
    HostStore::open_on(path, memory, access, reads, choice).unwrap()
}

#[test]
fn a_view_keeps_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(4 << 20)
        .medium(MediumChoice::View)
        .create(&path)
        .unwrap();
    let memory = HostMemory::new();
    let mut store: HostStore<'_> = open(&path, &memory, MediumChoice::View);
    assert_eq!(store.kind(), MediumKind::View);
    for number in 0..500u32 {
        let value = vec![number as u8; number as usize % 500];
        store.put(&number.to_be_bytes(), &value).unwrap();
    }
    store.put(b"long", &vec![3; 300_000]).unwrap();
    drop(store);
    // What the one wrote the other reads.
    for choice in [MediumChoice::File, MediumChoice::View] {
        let memory = HostMemory::new();
        let store: HostStore<'_> = open(&path, &memory, choice);
        assert_eq!(store.len(), 501);
        for number in 0..500u32 {
            let value = store.get(&number.to_be_bytes()).unwrap().unwrap();
            assert_eq!(value, vec![number as u8; number as usize % 500]);
        }
        assert_eq!(store.get(b"long").unwrap().unwrap(), vec![3; 300_000]);
    }
}

#[test]
fn a_view_reads_and_writes_anywhere_and_erases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medium");
    let size = 256 << 10;
    fs::write(&path, vec![0; size]).unwrap();
    let mut model = vec![0; size];
    let mut random = Random(0x71E3);
    let mut medium = PmemMedium::open_view(&path, Access::ReadWrite).unwrap();
    for step in 0..2000 {
        let at = random.below(size as u64);
        let len = random
            .below(if step % 10 == 0 { 9000 } else { 200 })
            .min(size as u64 - at);
        if step % 40 == 0 {
            let page = at / 4096 * 4096;
            medium.erase(page, 4096).unwrap();
            model[page as usize..][..4096].fill(0);
        } else {
            let bytes = random.bytes(len as usize);
            medium.write(at, &bytes).unwrap();
            model[at as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        if step % 7 == 0 {
            medium.flush().unwrap();
        }
        let mut read = vec![0; len as usize];
        medium.read(at, &mut read).unwrap();
        assert!(read == model[at as usize..][..read.len()], "step {step}");
        assert_eq!(medium.borrow(at, read.len()), Some(&read[..]));
    }
    medium.flush().unwrap();
    drop(medium);
    assert!(fs::read(&path).unwrap() == model);
}

#[test]
fn a_store_has_one_writer_or_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    Setup::new(1 << 20).create(&path).unwrap();
    for choice in [MediumChoice::File, MediumChoice::View] {
        let open = |access| AnyMedium::open(&path, access, Reads::Mapped, choice);
        let writer = open(Access::ReadWrite).unwrap();
        for access in [Access::ReadWrite, Access::ReadOnly] {
            assert!(matches!(open(access), Err(FileError::Locked)));
        }
        drop(writer);
        let mut reader = open(Access::ReadOnly).unwrap();
        let second = open(Access::ReadOnly).unwrap();
        assert!(matches!(open(Access::ReadWrite), Err(FileError::Locked)));
        assert!(matches!(reader.write(0, b"x"), Err(FileError::ReadOnly)));
        drop((reader, second));
        open(Access::ReadWrite).unwrap();
    }
}

#[test]
fn what_cannot_be_had_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for (choice, expected) in [
        (MediumChoice::Dax, NotDax::FileSystem),
        (MediumChoice::Volatile, NotDax::System),
    ] {
        let refused = Setup::new(1 << 20).medium(choice).create(&path);
        assert!(
            matches!(&refused, Err(OpenError::File(FileError::NotDax { why, .. })) if *why == expected),
            "{refused:?}"
        );
        assert!(!path.exists());
    }
    // An image that keeps an order is never a view.
    Setup::image(nor_geometry(1 << 20, 4, 4096))
        .create(&path)
        .unwrap();
    let medium = AnyMedium::open(&path, Access::ReadWrite, Reads::Mapped, MediumChoice::View);
    assert!(matches!(medium, Ok(AnyMedium::File(_))));
    assert!(matches!(
        PmemMedium::open_view(folder.path().join("none"), Access::ReadOnly),
        Err(FileError::Io { .. })
    ));
}

#[test]
fn folders_come_back_and_no_name_leads_elsewhere() {
    let bench = Bench::with_store("4M", &[]);
    for (name, bytes) in [
        ("a/b/c.txt", "one"),
        ("a/ä", "two"),
        ("empty", ""),
        ("z", "three"),
    ] {
        let path = bench.path("tree").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    bench.run(["import", "s", "tree"]).succeeds();
    bench
        .run(["list", "s"])
        .prints("a/b/c.txt\na/ä\nempty\nz\n");
    bench.run(["export", "s", "out"]).prints("");
    for (name, bytes) in [
        ("a/b/c.txt", "one"),
        ("a/ä", "two"),
        ("empty", ""),
        ("z", "three"),
    ] {
        assert_eq!(
            fs::read(bench.path("out").join(name)).unwrap(),
            bytes.as_bytes()
        );
    }
    // Again, over what is there.
    bench.run(["export", "s", "out"]).prints("");

    bench.run(["put", "s", r"..\escaped", "x"]).succeeds();
    bench.run(["put", "s", "nul", "x"]).succeeds();
    bench.run(["put", "s", "stream:x", "x"]).succeeds();
    let ran = bench.run(["export", "s", "again"]);
    assert_eq!(ran.0.status.code(), Some(IO_FAILED), "{}", ran.stderr());
    assert_eq!(ran.stderr().lines().count(), 3, "{}", ran.stderr());
    assert!(!bench.path("escaped").exists());
    assert_eq!(fs::read(bench.path("again/z")).unwrap(), b"three");

    let bench = Bench::with_store("4M", &[]);
    bench.run(["put", "s", "NAME", "first"]).succeeds();
    bench.run(["put", "s", "name", "second"]).succeeds();
    bench
        .run(["export", "s", "out"])
        .fails(IO_FAILED, "case alone");
    assert_eq!(fs::read(bench.path("out/name")).unwrap(), b"first");
}
