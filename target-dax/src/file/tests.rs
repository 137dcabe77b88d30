use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn recorded(path: &PathBuf, geometry: Geometry) -> (FileMedium<Recorder<OsFile>>, Journal) {
    let journal = Journal::new();
    let raw = FileMedium::create(path, geometry).unwrap().into_raw();
    let recorder = Recorder::new(raw, journal.clone());
    (
        FileMedium::over(recorder, geometry, Access::ReadWrite).unwrap(),
        journal,
    )
}

fn writes(journal: &Journal) -> Vec<(u64, usize)> {
    let write = |event| match event {
        Event::Write { at, bytes } => Some((at, bytes.len())),
        _ => None,
    };
    journal.events().into_iter().filter_map(write).collect()
}

#[test]
fn create_fills_the_file_with_the_blank_byte() {
    let folder = folder();
    let file = folder.path().join("file");
    FileMedium::create(&file, geometry(10_000)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), vec![0; 10_000]);
    let flash = folder.path().join("flash");
    FileMedium::create(&flash, nor_geometry(8192, 4, 4096)).unwrap();
    assert_eq!(fs::read(&flash).unwrap(), vec![0xFF; 8192]);
}

#[test]
fn create_refuses_a_path_that_exists_and_leaves_it_alone() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "mine").unwrap();
    let refused = FileMedium::create(&path, geometry(4096));
    assert!(matches!(refused, Err(FileError::Exists)), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_file_that_does_not_fit_is_removed_again() {
    let folder = folder();
    let path = folder.path().join("file");
    let refused = FileMedium::create(&path, geometry(1 << 60));
    assert!(
        matches!(refused, Err(FileError::NoSpace { .. })),
        "{refused:?}"
    );
    assert!(!path.exists());
}

#[test]
fn a_file_is_open_once_for_writing_or_often_for_reading() {
    let folder = folder();
    let path = folder.path().join("file");
    let writer = FileMedium::create(&path, geometry(4096)).unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let refused = FileMedium::open(&path, access, Reads::Mapped);
        assert!(matches!(refused, Err(FileError::Locked)), "{refused:?}");
    }
    drop(writer);
    let reader = FileMedium::open(&path, Access::ReadOnly, Reads::Mapped).unwrap();
    FileMedium::open(&path, Access::ReadOnly, Reads::Positioned).unwrap();
    let refused = FileMedium::open(&path, Access::ReadWrite, Reads::Mapped);
    assert!(matches!(refused, Err(FileError::Locked)), "{refused:?}");
    drop(reader);
    FileMedium::open(&path, Access::ReadWrite, Reads::Mapped).unwrap();
}

#[test]
fn what_cannot_hold_a_store_is_refused_by_name() {
    let folder = folder();
    let refused = FileMedium::open(folder.path(), Access::ReadOnly, Reads::Mapped);
    assert!(matches!(refused, Err(FileError::NotRegular)), "{refused:?}");
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    let refused = FileMedium::open(&empty, Access::ReadOnly, Reads::Mapped);
    assert!(matches!(refused, Err(FileError::Empty)), "{refused:?}");
    let missing = FileMedium::open(folder.path().join("no"), Access::ReadOnly, Reads::Mapped);
    match missing {
        Err(error @ FileError::Io { .. }) => {
            let source = std::error::Error::source(&error).unwrap();
            let source = source.downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.kind(), ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_truncated_file_is_refused_with_both_sizes() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, [0; 5000]).unwrap();
    let mut medium = FileMedium::open(&path, Access::ReadOnly, Reads::Mapped).unwrap();
    match medium.adopt(geometry(8192)) {
        Err(FileError::Short {
            size: 5000,
            needed: 8192,
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_see_what_was_written_before_and_after_the_flush() {
    for reads in [Reads::Mapped, Reads::Positioned] {
        let folder = folder();
        let path = folder.path().join("file");
        drop(FileMedium::create(&path, geometry(1 << 20)).unwrap());
        let mut medium = FileMedium::open(&path, Access::ReadWrite, reads).unwrap();
        medium.write(100, b"hello ").unwrap();
        medium.write(106, b"world").unwrap();
        medium.write(300, b"elsewhere").unwrap();
        medium.write(100_000, &[7; DIRECT_MIN]).unwrap();
        for _ in 0..2 {
            let mut buf = [0xAA; 13];
            medium.read(99, &mut buf).unwrap();
            assert_eq!(&buf, b"\0hello world\0");
            medium.read(298, &mut buf[..4]).unwrap();
            assert_eq!(&buf[..4], b"\0\0el");
            medium.read(100_000, &mut buf[..1]).unwrap();
            assert_eq!(buf[0], 7);
            medium.flush().unwrap();
        }
        // Windows need not show in a mapping what calls write.
        if reads == Reads::Mapped && cfg!(unix) {
            assert_eq!(medium.borrow(100, 11).unwrap(), b"hello world");
            medium.write(111, b"!").unwrap();
            assert_eq!(
                medium.borrow(100, 12),
                None,
                "part of it is not in the mapping yet"
            );
            assert_eq!(medium.borrow(100, 11).unwrap(), b"hello world");
        }
    }
}

#[test]
fn what_is_kept_of_pages_while_a_store_starts_is_never_old() {
    for order in [Order::Unordered, Order::Ordered] {
        let folder = folder();
        let path = folder.path().join("file");
        let blank = if order == Order::Ordered { 0xFF } else { 0 };
        let geometry = Geometry {
            order,
            blank,
            ..geometry(1 << 20)
        };
        let (mut medium, _) = recorded(&path, geometry);
        medium.keep_heads(true);
        let head = |medium: &FileMedium<_>| {
            let mut buf = [0xAA; 8];
            medium.read(8192, &mut buf).unwrap();
            buf
        };
        assert_eq!(head(&medium), [blank; 8]);
        for (fill, len) in [(7, 8), (9, DIRECT_MIN)] {
            medium.write(8192, &vec![fill; len]).unwrap();
            // Read before the file has it, and after.
            assert_eq!(head(&medium), [fill; 8]);
            medium.flush().unwrap();
            assert_eq!(head(&medium), [fill; 8]);
            medium.erase(8192, 4096).unwrap();
            assert_eq!(head(&medium), [blank; 8]);
        }
    }
}

#[test]
fn adjacent_writes_become_one_and_a_flush_is_one_fdatasync() {
    let folder = folder();
    let (mut medium, journal) = recorded(&folder.path().join("file"), geometry(1 << 20));
    medium.flush().unwrap();
    for n in 0..10 {
        medium.write(n * 16, &[1; 16]).unwrap();
        medium.write(8192 + n * 8, &[2; 8]).unwrap();
    }
    assert!(writes(&journal).is_empty());
    medium.flush().unwrap();
    medium.flush().unwrap();
    assert_eq!(writes(&journal), [(0, 160), (8192, 80)]);
    let syncs = journal
        .events()
        .iter()
        .filter(|event| **event == Event::Sync)
        .count();
    assert_eq!(
        syncs, 2,
        "one at first, one for the writes, none for nothing"
    );
}

#[test]
fn an_erase_writes_blanks_unless_it_knows_that_they_are_there() {
    let folder = folder();
    let path = folder.path().join("file");
    let (mut medium, journal) = recorded(&path, geometry(1 << 20));
    medium.write(4096 + 17, b"data").unwrap();
    medium.erase(4096, 4096).unwrap();
    // They read as blank, and a flush in another process may have failed.
    medium.erase(8192, 4096).unwrap();
    let written = [(4096 + 17, 4), (4096, 4096), (8192, 4096)];
    assert_eq!(writes(&journal), written);
    let mut buf = [1; 4];
    medium.read(4096 + 17, &mut buf).unwrap();
    assert_eq!(buf, [0; 4]);
    // These it has just made, and these it has just written.
    medium.resize(2 << 20).unwrap();
    medium.write((1 << 20) + 4096, b"more").unwrap();
    medium.erase(1 << 20, 4096).unwrap();
    medium.erase((1 << 20) + 4096, 4096).unwrap();
    medium.erase((1 << 20) + 8192, 4096).unwrap();
    let more = [((1 << 20) + 4096, 4), ((1 << 20) + 4096, 4096)];
    assert_eq!(writes(&journal)[3..], more);
}

#[test]
fn what_was_just_created_is_not_written_again() {
    let folder = folder();
    for geometry in [geometry(1 << 20), nor_geometry(1 << 20, 4, 4096)] {
        let path = folder.path().join("file");
        let mut medium = FileMedium::create(&path, geometry).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        medium.erase(0, 1 << 20).unwrap();
        medium.flush().unwrap();
        let after = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(before, after, "{geometry:?}");
        fs::remove_file(&path).unwrap();
    }
}

/// A page that cannot be read is not in the cache, and left alone.
#[test]
fn images_are_written_whole_before_anything_is_built_on_them() {
    struct Unreadable(MemoryFile);
    impl RawFile for Unreadable {
        fn size(&self) -> io::Result<u64> {
            self.0.size()
        }
        fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
            if at < 12288 && at + buf.len() as u64 > 8192 {
                return Err(ErrorKind::Other.into());
            }
            self.0.read_at(at, buf)
        }
        fn view(&self) -> Option<&[u8]> {
            None
        }
        fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
            self.0.write_at(at, bytes)
        }
        fn sync_data(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let geometry = nor_geometry(1 << 20, 4, 4096);
    let file = Unreadable(MemoryFile::new(vec![7; 1 << 20]));
    let journal = Journal::new();
    let recorder = Recorder::new(file, journal.clone());
    let mut medium = FileMedium::over(recorder, geometry, Access::ReadWrite).unwrap();
    medium.flush().unwrap();
    let chunk = 256 << 10;
    let mut whole: Vec<(u64, usize)> = (0..64).map(|page| (page * 4096, 4096)).collect();
    whole.remove(2);
    whole.extend([
        (chunk as u64, chunk),
        (2 * chunk as u64, chunk),
        (3 * chunk as u64, chunk),
    ]);
    assert_eq!(writes(&journal), whole);
    assert_eq!(journal.events().last(), Some(&Event::Sync));
    medium.write(0, &[0; 4]).unwrap();
    medium.flush().unwrap();
    assert_eq!(writes(&journal)[whole.len()..], [(0, 4)]);
}

#[test]
fn ordered_images_sync_after_each_sector_and_each_erased_unit() {
    let folder = folder();
    let (mut medium, journal) =
        recorded(&folder.path().join("file"), nor_geometry(1 << 20, 4, 4096));
    medium.flush().unwrap();
    let begin = writes(&journal).len();
    medium.write(500, &[1; 8]).unwrap();
    medium.write(508, &[2; 1000]).unwrap();
    medium.write(4096, &[3; 4]).unwrap();
    let mut buf = [0; 9];
    medium.read(507, &mut buf).unwrap();
    assert_eq!(buf, [1, 2, 2, 2, 2, 2, 2, 2, 2]);
    medium.erase(4096, 8192).unwrap();
    medium.write(0, &[4; 4]).unwrap();
    medium.flush().unwrap();
    let mut last_write = None;
    let synced = |event: &Event| *event == Event::Sync;
    let first = journal.events().iter().position(synced).unwrap();
    for event in journal.events().split_off(first) {
        match event {
            Event::Write { at, bytes } => {
                assert_eq!(last_write, None, "a write before the last one was synced");
                let one_sector = at / 512 == (at + bytes.len() as u64 - 1) / 512;
                assert!(one_sector || bytes.len() == 4096 && at % 4096 == 0);
                last_write = Some(at);
            }
            _ => last_write = None,
        }
    }
    assert_eq!(
        writes(&journal)[begin..],
        [
            (500, 12),
            (512, 512),
            (1024, 484),
            (4096, 4),
            (4096, 4096),
            (8192, 4096),
            (0, 4)
        ]
    );
}

#[test]
fn a_failed_flush_poisons_the_medium_until_it_is_opened_again() {
    let folder = folder();
    let path = folder.path().join("file");
    let (mut medium, journal) = recorded(&path, geometry(1 << 20));
    medium.write(0, b"a").unwrap();
    journal.fail_after(1, ErrorKind::Other);
    assert!(matches!(
        medium.flush(),
        Err(FileError::Io {
            operation: Operation::Flush,
            ..
        })
    ));
    assert!(matches!(medium.flush(), Err(FileError::Poisoned)));
    assert!(matches!(medium.write(1, b"b"), Err(FileError::Poisoned)));
    assert!(matches!(medium.erase(0, 4096), Err(FileError::Poisoned)));
    drop(medium);
    let mut medium = FileMedium::open(&path, Access::ReadWrite, Reads::Mapped).unwrap();
    medium.write(1, b"b").unwrap();
    medium.flush().unwrap();
}

#[test]
fn a_failed_write_poisons_too_and_reads_still_see_it() {
    let folder = folder();
    let (mut medium, journal) = recorded(&folder.path().join("file"), geometry(1 << 20));
    medium.write(0, b"a").unwrap();
    journal.fail_after(0, ErrorKind::StorageFull);
    let failed = medium.flush();
    assert!(matches!(
        failed,
        Err(FileError::Io {
            operation: Operation::Write,
            ..
        })
    ));
    assert!(matches!(medium.flush(), Err(FileError::Poisoned)));
    let mut buf = [0];
    medium.read(0, &mut buf).unwrap();
    assert_eq!(&buf, b"a");
}

#[test]
fn a_read_only_medium_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, [1; 8192]).unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let mut medium = FileMedium::open(&path, Access::ReadOnly, Reads::Mapped).unwrap();
    assert!(matches!(medium.write(0, b"a"), Err(FileError::ReadOnly)));
    assert!(matches!(medium.erase(0, 4096), Err(FileError::ReadOnly)));
    assert!(matches!(medium.flush(), Err(FileError::ReadOnly)));
    assert_eq!(fs::read(&path).unwrap(), [1; 8192]);
}

#[test]
fn what_is_out_of_range_or_not_aligned_is_an_error() {
    let folder = folder();
    let path = folder.path().join("file");
    let mut medium = FileMedium::create(&path, nor_geometry(8192, 4, 4096)).unwrap();
    let mut buf = [0; 8];
    assert!(matches!(
        medium.read(8188, &mut buf),
        Err(FileError::OutOfRange { .. })
    ));
    assert!(matches!(
        medium.read(u64::MAX, &mut buf),
        Err(FileError::OutOfRange { .. })
    ));
    assert_eq!(medium.borrow(8188, 8), None);
    assert!(matches!(
        medium.write(8192, &[0; 4]),
        Err(FileError::OutOfRange { .. })
    ));
    assert!(matches!(
        medium.write(2, &[0; 4]),
        Err(FileError::Misaligned { unit: 4, .. })
    ));
    assert!(matches!(
        medium.write(4, &[0; 3]),
        Err(FileError::Misaligned { unit: 4, .. })
    ));
    assert!(matches!(
        medium.erase(4, 4096),
        Err(FileError::Misaligned { unit: 4096, .. })
    ));
    medium.write(0, &[0; 4]).unwrap();
}

/// After a flush no page of the file is dirty or on its way: the kernel itself
/// says so, which no recorder inside the process can.
#[test]
#[cfg(target_os = "linux")]
fn the_kernel_holds_no_dirty_page_after_a_flush() {
    use std::os::fd::AsRawFd;

    #[repr(C)]
    #[derive(Default, Debug)]
    struct CacheStat {
        cache: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }
    const CACHESTAT: libc::c_long = 451;

    // In the build folder: the temporary folder may be in memory only, where
    // every page stays dirty.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let path = folder.path().join("file");
    let mut medium = FileMedium::create(&path, geometry(1 << 20)).unwrap();
    let probe = fs::File::open(&path).unwrap();
    let stat = || {
        let range = [0u64, 0];
        let mut stat = CacheStat::default();
        // SAFETY: both pointers are to live structures of the layout that
        // cachestat(2) asks for.
        let result = unsafe {
            libc::syscall(
                CACHESTAT,
                probe.as_raw_fd(),
                range.as_ptr(),
                &raw mut stat,
                0,
            )
        };
        (result == 0).then_some(stat)
    };
    let Some(clean) = stat() else {
        return eprintln!("skipped: cachestat(2) is not there");
    };
    if clean.dirty > 0 {
        return eprintln!("skipped: pages of this file system are always dirty");
    }
    medium.write(0, &[1; 100_000]).unwrap();
    assert!(stat().unwrap().dirty > 0);
    medium.flush().unwrap();
    let flushed = stat().unwrap();
    assert_eq!((flushed.dirty, flushed.writeback), (0, 0));
}

#[test]
fn the_checksum_is_the_cores_own() {
    let folder = folder();
    let medium = FileMedium::create(folder.path().join("file"), geometry(4096)).unwrap();
    let bytes: Vec<u8> = (0..5000).map(|n| (n * 7 % 251) as u8).collect();
    for state in [0, !0, 0x1234_5678] {
        for len in [0, 1, 7, 8, 63, 64, 1000, 5000] {
            assert_eq!(
                medium.crc32c(state, &bytes[3.min(len)..len]),
                indelible::checksum::crc32c(state, &bytes[3.min(len)..len])
            );
        }
    }
}
