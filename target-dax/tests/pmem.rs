//! Persistent memory: what is taken for it and what is not, and that the
//! medium does to memory what the core asks for.
//!
//! Everything runs over volatile memory here. With `INDELIBLE_DAX` naming a
//! folder on a DAX file system, and `INDELIBLE_DEVDAX` a DAX device, the same
//! runs there; `tests/run dax-vm` does that in a virtual machine. The device's
//! contents are lost.
#![cfg(target_os = "linux")]

mod common;

use std::path::{Path, PathBuf};

use common::Random;
use indelible_dax::file::{self, NotDax};
use indelible_dax::indelible::{Error, HashIndex, Medium};
use indelible_dax::pmem::PmemMedium;
use indelible_dax::{
    Access, AnyMedium, FileError, FileMedium, HostMemory, HostStore, MediumChoice, MediumKind,
    OpenError, Reads, Setup,
};

/// Places to run at, and how to open what is there.
fn places() -> Vec<(tempfile::TempDir, MediumChoice)> {
    let shm = Path::new("/dev/shm");
    let mut places = Vec::new();
    if shm.is_dir() {
        places.push((tempfile::tempdir_in(shm).unwrap(), MediumChoice::Volatile));
    }
    if let Some(folder) = std::env::var_os("INDELIBLE_DAX") {
        places.push((tempfile::tempdir_in(folder).unwrap(), MediumChoice::Dax));
    }
    assert!(!places.is_empty(), "neither /dev/shm nor INDELIBLE_DAX");
    places
}

fn kind_of(choice: MediumChoice) -> MediumKind {
    match choice {
        MediumChoice::Dax => MediumKind::FsDax,
        _ => MediumKind::Volatile,
    }
}

fn seed() -> u64 {
    let seed = std::env::var("INDELIBLE_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(0xDA0);
    println!("INDELIBLE_SEED={seed}");
    seed
}

fn open(path: &Path, access: Access, choice: MediumChoice) -> AnyMedium {
    AnyMedium::open(path, access, Reads::Mapped, choice).unwrap()
}

#[test]
fn memory_holds_what_was_written() {
    for (folder, choice) in places() {
        let path = folder.path().join("medium");
        let size = 256 << 10;
        let mut medium = AnyMedium::create(&path, file::geometry(size), choice).unwrap();
        assert_eq!(indelible_dax::HostMedium::kind(&medium), kind_of(choice));
        let mut random = Random(seed() | 1);
        let mut expected = vec![0; size as usize];
        for _ in 0..3000 {
            let len = match random.below(8) {
                0 => random.below(20_000),
                1 => 0,
                _ => random.below(200),
            };
            let at = random.below(size - len);
            match random.below(20) {
                0 => {
                    let at = at / 4096 * 4096;
                    medium.erase(at, 4096).unwrap();
                    expected[at as usize..at as usize + 4096].fill(0);
                }
                1 => medium.flush().unwrap(),
                _ => {
                    let bytes = random.bytes(len as usize);
                    medium.write(at, &bytes).unwrap();
                    expected[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
                }
            }
            let mut found = vec![0; len as usize];
            medium.read(at, &mut found).unwrap();
            let range = at as usize..(at + len) as usize;
            assert!(found == expected[range.clone()], "{len} bytes at {at}");
            let lent = medium.borrow(at, len as usize).unwrap();
            assert!(lent == &expected[range], "{len} bytes at {at}");
        }
        medium.flush().unwrap();
        drop(medium);
        assert!(std::fs::read(&path).unwrap() == expected);
        let medium = open(&path, Access::ReadOnly, choice);
        assert!(medium.borrow(0, expected.len()).unwrap() == expected);
    }
}

#[test]
fn what_is_out_of_place_is_refused() {
    for (folder, choice) in places() {
        let path = folder.path().join("medium");
        let mut medium = AnyMedium::create(&path, file::geometry(8192), choice).unwrap();
        let beyond = |result| matches!(result, Err(FileError::OutOfRange { .. }));
        assert!(beyond(medium.write(8190, b"four")));
        assert!(beyond(medium.write(u64::MAX, b"four")));
        assert!(beyond(medium.read(8190, &mut [0; 4])));
        assert!(beyond(medium.erase(8192, 4096)));
        assert!(medium.borrow(8190, 4).is_none());
        assert!(medium.borrow(u64::MAX, 4).is_none());
        let misaligned = medium.erase(1, 4096);
        assert!(matches!(misaligned, Err(FileError::Misaligned { .. })));
        let second = AnyMedium::open(&path, Access::ReadOnly, Reads::Mapped, choice);
        assert!(matches!(second, Err(FileError::Locked)));
        drop(medium);
        let mut medium = open(&path, Access::ReadOnly, choice);
        assert!(matches!(medium.write(0, b"!"), Err(FileError::ReadOnly)));
        assert!(matches!(medium.flush(), Err(FileError::ReadOnly)));
    }
}

#[test]
fn a_store_in_memory_is_the_store_in_a_file() {
    for (folder, choice) in places() {
        let mut images = Vec::new();
        for choice in [MediumChoice::File, choice] {
            let path = folder.path().join(format!("{choice:?}"));
            let setup = Setup::new(1 << 20).logs(&[8192]).id(7).medium(choice);
            setup.create(&path).unwrap();
            // The one thing that is random is the nonce; take the file's.
            if let Some(image) = images.first() {
                std::fs::write(&path, image).unwrap();
            } else {
                images.push(std::fs::read(&path).unwrap());
            }
            let memory = HostMemory::new();
            let mut store: HostStore =
                HostStore::open_on(&path, &memory, Access::ReadWrite, Reads::Mapped, choice)
                    .unwrap();
            let mut random = Random(7);
            for round in 0..2000u64 {
                let key = random.below(200).to_le_bytes();
                let len = random.below(1500) as usize;
                match random.below(4) {
                    0 => drop(store.delete(&key)),
                    1 => {
                        let head = store.append(0, &random.bytes(20)).unwrap();
                        store.advance_head(0, head).unwrap();
                    }
                    _ => store.put(&key, &random.bytes(len)).unwrap(),
                }
                if round % 64 == 0 {
                    store.maintain(4).unwrap();
                }
            }
            store.close().unwrap();
            images.push(std::fs::read(&path).unwrap());
        }
        assert!(images[1] == images[2], "the images differ");
        // Each opens as the other.
        let path = folder.path().join("File");
        let memory = HostMemory::new();
        let mut store: HostStore =
            HostStore::open_on(&path, &memory, Access::ReadWrite, Reads::Mapped, choice).unwrap();
        assert_eq!(store.kind(), kind_of(choice));
        assert!(store.report().clean);
        let checked = store.check(&mut |finding| panic!("{finding:?}"));
        println!("{:?}", checked.unwrap());
    }
}

#[test]
fn volatile_memory_is_never_taken_for_persistent_memory() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("store");
    let refused = Setup::new(1 << 20).medium(MediumChoice::Dax).create(&path);
    let why = match refused {
        Err(OpenError::File(FileError::NotDax { why, .. })) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why, NotDax::Memory);
    assert!(!path.exists(), "something is left behind");
    Setup::new(1 << 20).create(&path).unwrap();
    let memory = HostMemory::new();
    let store: HostStore = HostStore::open(&path, &memory).unwrap();
    assert_eq!(store.kind(), MediumKind::File);
    drop(store);
    let refused = PmemMedium::open(&path, Access::ReadWrite, Reads::Mapped).unwrap_err();
    println!("{refused}");
    assert!(refused.to_string().contains("volatile memory"));
}

/// A folder on a disk: `INDELIBLE_DISK`, or where the tests were built.
fn disk() -> PathBuf {
    std::env::var_os("INDELIBLE_DISK")
        .map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), Into::into)
}

#[test]
fn a_disk_is_never_taken_for_persistent_memory() {
    let folder = tempfile::tempdir_in(disk()).unwrap();
    let path = folder.path().join("store");
    Setup::new(1 << 20).create(&path).unwrap();
    let refused = PmemMedium::open(&path, Access::ReadWrite, Reads::Mapped).unwrap_err();
    println!("{refused}");
    assert!(
        refused.to_string().contains("not mounted with DAX"),
        "{refused}"
    );
    let medium = AnyMedium::open(&path, Access::ReadWrite, Reads::Mapped, MediumChoice::Auto);
    assert!(matches!(medium, Ok(AnyMedium::File(_))));
}

/// `tests/run aarch64` runs this on a processor with the instruction and on one
/// without.
#[cfg(target_arch = "aarch64")]
#[test]
fn memory_is_refused_without_dc_cvap() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("store");
    let created = Setup::new(1 << 20)
        .medium(MediumChoice::Volatile)
        .create(&path);
    let has = std::arch::is_aarch64_feature_detected!("dpb");
    println!("dc cvap: {has}");
    match created {
        Ok(_) => assert!(has && path.exists()),
        Err(OpenError::File(FileError::NotDax {
            why: NotDax::Processor,
            ..
        })) => assert!(!has && !path.exists()),
        other => panic!("{other:?}"),
    }
    // A file is a store anywhere.
    let path = folder.path().join("file");
    Setup::new(1 << 20).create(&path).unwrap();
}

#[test]
fn the_image_of_a_flash_chip_is_not_memory() {
    for (folder, choice) in places() {
        let path = folder.path().join("image");
        let setup = Setup::image(file::nor_geometry(256 << 10, 4, 4096));
        let refused = setup.clone().medium(choice).create(&path);
        let image = matches!(
            refused,
            Err(OpenError::File(FileError::NotDax {
                why: NotDax::Image,
                ..
            }))
        );
        assert!(image, "{refused:?}");
        setup.create(&path).unwrap();
        let memory = HostMemory::new();
        let store: HostStore = HostStore::open(&path, &memory).unwrap();
        assert_eq!(store.kind(), MediumKind::File);
    }
}

#[test]
fn a_file_that_was_cut_is_an_error() {
    for (folder, choice) in places() {
        let path = folder.path().join("store");
        Setup::new(1 << 20).medium(choice).create(&path).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(512 << 10))
            .unwrap();
        let memory = HostMemory::new();
        let opened: Result<HostStore, _> =
            HostStore::open_on(&path, &memory, Access::ReadWrite, Reads::Mapped, choice);
        let refused = matches!(
            opened,
            Err(OpenError::File(FileError::Short { .. })
                | OpenError::Store(Error::MediumTooSmall { .. }))
        );
        assert!(refused, "{opened:?}");
    }
}

#[test]
fn positioned_reads_see_what_was_stored() {
    for (folder, choice) in places() {
        if choice == MediumChoice::Volatile {
            continue;
        }
        let path = folder.path().join("store");
        Setup::new(1 << 20).medium(choice).create(&path).unwrap();
        let memory = HostMemory::new();
        let mut store: HostStore =
            HostStore::open_on(&path, &memory, Access::ReadWrite, Reads::Positioned, choice)
                .unwrap();
        store.put(b"key", &[7; 5000]).unwrap();
        assert_eq!(store.get(b"key").unwrap().unwrap(), [7; 5000]);
        assert!(store.get_ref(b"key").unwrap().is_none());
    }
}

#[test]
fn one_medium_alone_is_a_store_too() {
    for (folder, choice) in places() {
        let path = folder.path().join("store");
        Setup::new(1 << 20).medium(choice).create(&path).unwrap();
        let memory = HostMemory::new();
        let mut store: HostStore<'_, HashIndex<'_>, PmemMedium> =
            HostStore::open_with(&memory, || match choice {
                MediumChoice::Dax => PmemMedium::open(&path, Access::ReadWrite, Reads::Mapped),
                _ => PmemMedium::open_volatile(&path, Access::ReadWrite),
            })
            .unwrap();
        store.put(b"key", b"value").unwrap();
        assert_eq!(
            store.get_ref_unchecked(b"key").unwrap(),
            Some(&b"value"[..])
        );
        println!(
            "{}: lines of {} bytes by {}",
            store.kind(),
            indelible_dax::pmem::Persist::line(store.medium().memory()),
            store.medium().memory().write_back_with()
        );
        // Not closed: as a kill leaves it, for the file medium.
        drop(store);
        let mut store: HostStore<'_, HashIndex<'_>, FileMedium> =
            HostStore::open_with(&memory, || {
                FileMedium::open(&path, Access::ReadWrite, Reads::Mapped)
            })
            .unwrap();
        assert_eq!(store.get(b"key").unwrap().unwrap(), b"value");
        store.put(b"key", b"other").unwrap();
        store.close().unwrap();
    }
}

#[test]
fn a_device_holds_a_store() {
    let Some(path) = std::env::var_os("INDELIBLE_DEVDAX").map(PathBuf::from) else {
        println!("no INDELIBLE_DEVDAX");
        return;
    };
    let size = 8 << 20;
    Setup::new(size).logs(&[4096]).create(&path).unwrap();
    let again = Setup::new(size).create(&path);
    assert!(matches!(again, Err(OpenError::File(FileError::Exists))));
    for round in 0..3u64 {
        let memory = HostMemory::new();
        let mut store: HostStore = HostStore::open(&path, &memory).unwrap();
        assert_eq!(store.kind(), MediumKind::DevDax);
        for key in 0..500u64 {
            let found = store.get(&key.to_le_bytes()).unwrap();
            let expected = (round > 0).then(|| (key ^ (round - 1)).to_le_bytes().repeat(9));
            assert_eq!(found, expected);
            store
                .put(&key.to_le_bytes(), &(key ^ round).to_le_bytes().repeat(9))
                .unwrap();
        }
        store.append(0, b"a round").unwrap();
        if round == 1 {
            store.close().unwrap();
        }
    }
}
