//! A page that the system cannot read: bad sectors of a disk, poisoned memory.
//! It costs what stands in it, and is never taken for anything else.

mod common;

use std::io;
use std::ops::Range;

use common::judge::{Contents, Work, fresh, seed, work_on};
use indelible_dax::file::{self, MemoryFile, RawFile};
use indelible_dax::host::StoreError;
use indelible_dax::indelible::{Error, HashIndex};
#[cfg(any(target_os = "linux", windows))]
use indelible_dax::pmem::{Persist, PmemMedium};
use indelible_dax::{Access, FileMedium, HostMedium, HostMemory, HostStore, OpenError, Reads};

const SIZE: u64 = 128 << 10;
const PAGE: u64 = 4096;

/// What the system says of a page that is gone.
fn gone() -> io::Error {
    io::Error::from_raw_os_error(if cfg!(windows) { 23 } else { 5 })
}

/// A file with bytes that cannot be read until they are written, whole.
#[derive(Clone)]
struct Holed {
    file: MemoryFile,
    hole: Range<u64>,
}

impl Holed {
    fn touches(&self, at: u64, len: usize) -> bool {
        at < self.hole.end && self.hole.start < at + len as u64
    }
}

impl RawFile for Holed {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        match self.touches(at, buf.len()) {
            true => Err(gone()),
            false => self.file.read_at(at, buf),
        }
    }
    fn view(&self) -> Option<&[u8]> {
        None
    }
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if at <= self.hole.start && self.hole.end <= at + bytes.len() as u64 {
            self.hole = 0..0;
        } else if self.touches(at, bytes.len()) {
            return Err(gone());
        }
        self.file.write_at(at, bytes)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Memory with such bytes, which a call alone makes readable.
#[cfg(any(target_os = "linux", windows))]
struct Poisoned(Holed);

#[cfg(any(target_os = "linux", windows))]
impl Persist for Poisoned {
    fn size(&self) -> usize {
        SIZE as usize
    }
    fn line(&self) -> usize {
        64
    }
    fn read(&self, at: usize, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(at as u64, buf)
    }
    fn borrow(&self, at: usize, len: usize) -> Option<&[u8]> {
        let readable = !self.0.touches(at as u64, len);
        readable.then(|| &self.0.file.bytes()[at..at + len])
    }
    fn store(&mut self, at: usize, bytes: &[u8]) {
        assert!(!self.0.touches(at as u64, bytes.len()), "a signal");
        self.0.file.write_at(at as u64, bytes).unwrap();
    }
    fn stream(&mut self, at: usize, bytes: &[u8]) {
        self.store(at, bytes);
    }
    fn write_back(&mut self, _at: usize, _len: usize) {}
    fn fence(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn revive(&mut self, at: usize, len: usize) -> io::Result<()> {
        if self.0.touches(at as u64, len) {
            self.0.write_at(at as u64, &vec![0; len])?;
        }
        Ok(())
    }
}

/// A store that has been worked on, and what it holds.
fn image(closes: bool) -> (Vec<u8>, Contents) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::fs::write(&path, fresh(file::geometry(SIZE))).unwrap();
    let memory = HostMemory::new();
    let opened = HostStore::open_with(&memory, || {
        FileMedium::open(&path, Access::ReadWrite, Reads::Mapped)
    });
    let mut store: HostStore<'_, HashIndex<'_>, FileMedium> = opened.unwrap();
    let states = work_on(&mut store, Work::Mixed, 80, seed(), |_| {});
    match closes {
        true => store.close().unwrap(),
        false => drop(store),
    }
    let contents = states.last().unwrap().clone();
    (std::fs::read(&path).unwrap(), contents)
}

/// What became of a store with a page that is gone.
#[derive(Debug, Default)]
struct Tally {
    opened: u32,
    refused: u32,
    whole: u32,
    withheld: u32,
    found: u32,
}

fn is_damage(error: &StoreError) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Doubtful { .. })
}

/// Everything is there, or withheld by name.
fn look<M: HostMedium>(
    store: &mut HostStore<'_, HashIndex<'_>, M>,
    contents: &Contents,
    tally: &mut Tally,
) {
    let mut withheld = 0;
    for (key, value) in &contents.keys {
        match store.get(key) {
            Ok(found) => assert_eq!(found.as_ref(), Some(value), "{}", key.escape_ascii()),
            Err(error) => {
                assert!(is_damage(&error), "{error}");
                withheld += 1;
            }
        }
    }
    for (log, (head, bytes)) in contents.logs.iter().enumerate() {
        let mut found = vec![0; bytes.len()];
        match store.read(log, *head, &mut found) {
            Ok(()) => assert!(found == *bytes, "log {log}"),
            Err(Error::PastTail { .. } | Error::BeforeHead { .. }) => withheld += 1,
            Err(error) => {
                assert!(is_damage(&error), "{error}");
                withheld += 1;
            }
        }
    }
    let damaged = store.check(&mut |_| {}).unwrap().damaged;
    assert!(withheld == 0 || damaged > 0 || store.report().damaged > 0);
    tally.found += u32::from(damaged > 0);
    tally.withheld += withheld;
    tally.whole += u32::from(withheld == 0);
}

/// Each page is gone in turn.
fn each_page<M: HostMedium>(
    image: &[u8],
    contents: &Contents,
    access: Access,
    open: impl Fn(Holed) -> M,
) -> Tally {
    let mut tally = Tally::default();
    for begin in (0..SIZE).step_by(PAGE as usize) {
        let holed = Holed {
            file: MemoryFile::new(image.to_vec()),
            hole: begin..begin + PAGE,
        };
        let memory = HostMemory::new();
        let opened: Result<HostStore<'_, HashIndex<'_>, M>, _> =
            HostStore::open_with(&memory, || Ok(open(holed.clone())));
        let mut store = match opened {
            Ok(store) => store,
            Err(OpenError::Store(error)) => {
                assert!(
                    !matches!(error, Error::Medium { .. }),
                    "page {begin}: {error}"
                );
                tally.refused += 1;
                continue;
            }
            Err(error) => panic!("page {begin}: {error}"),
        };
        tally.opened += 1;
        look(&mut store, contents, &mut tally);
        if access == Access::ReadWrite {
            go_on(&mut store, begin);
        }
    }
    println!("{tally:?}");
    tally
}

/// It takes more, as long as there is room beside the damage, and all of it
/// once that is accepted.
fn go_on<'a, M: HostMedium>(store: &mut HostStore<'a, HashIndex<'a>, M>, page: u64) {
    let _ = store.accept_damage();
    for number in 0..200u32 {
        let value = [7; 300];
        match store.put(b"more", &value) {
            Ok(()) | Err(Error::Full { .. }) => {}
            Err(error) => panic!("page {page}, put {number}: {error}"),
        }
        store.maintain(2).unwrap();
    }
}

#[test]
fn a_page_of_a_file_that_cannot_be_read_is_damage() {
    for closes in [false, true] {
        let (image, contents) = image(closes);
        for access in [Access::ReadWrite, Access::ReadOnly] {
            let tally = each_page(&image, &contents, access, |holed| {
                FileMedium::over(holed, file::geometry(SIZE), access).unwrap()
            });
            assert!(tally.opened > 16 && tally.withheld > 0 && tally.found > 0);
        }
    }
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_page_of_memory_that_is_poisoned_is_damage() {
    let (image, contents) = image(false);
    let access = Access::ReadWrite;
    let tally = each_page(&image, &contents, access, |holed| {
        PmemMedium::over(Poisoned(holed), file::geometry(SIZE), access).unwrap()
    });
    assert!(tally.opened > 16 && tally.withheld > 0 && tally.found > 0);
}

/// Another error than that bytes are gone is no damage, but handed on.
#[test]
fn a_file_that_cannot_be_read_just_now_is_an_error() {
    #[derive(Clone)]
    struct Away(MemoryFile);
    impl RawFile for Away {
        fn size(&self) -> io::Result<u64> {
            self.0.size()
        }
        fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<()> {
            match at {
                0..4096 => self.0.read_at(at, buf),
                _ => Err(io::ErrorKind::TimedOut.into()),
            }
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
    let (image, _) = image(false);
    let memory = HostMemory::new();
    let file = Away(MemoryFile::new(image));
    let opened: Result<HostStore<'_, HashIndex<'_>, FileMedium<Away>>, _> =
        HostStore::open_with(&memory, || {
            FileMedium::over(file.clone(), file::geometry(SIZE), Access::ReadWrite)
        });
    let error = opened.unwrap_err();
    assert!(
        matches!(error, OpenError::Store(Error::Medium { .. })),
        "{error}"
    );
}
