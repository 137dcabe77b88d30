//! littlefs: a file a key; the log is files of a few records each.

use littlefs2::driver::Storage;
use littlefs2::fs::{Allocation, File, Filesystem};
use littlefs2::io::{Error, Result as Io, Write};
use littlefs2::path::PathBuf;
use std::collections::VecDeque;

use crate::engine::{Engine, Fault, Key, Plan, RECORD, Store, VALUE_MAX, Work};
use crate::nor::{Flash, Refused};
use crate::shim::SECTOR;

/// Records in a file of the log: such a file lies inside its directory.
const RECORDS: usize = 8;

/// Files in the log at most. More of them fit, but a directory that fills the
/// flash is compacted for almost every record.
const FILES: usize = 192;

/// littlefs on flash with words of `WORD` bytes and `SECTORS` sectors.
pub struct Littlefs<const WORD: usize, const SECTORS: usize>;

struct Driver<const WORD: usize, const SECTORS: usize>(Flash);

fn io(outcome: Result<(), Refused>, len: usize) -> Io<usize> {
    outcome.map(|()| len).map_err(|_| Error::IO)
}

impl<const WORD: usize, const SECTORS: usize> Storage for Driver<WORD, SECTORS> {
    const READ_SIZE: usize = 4;
    const WRITE_SIZE: usize = WORD;
    const BLOCK_SIZE: usize = SECTOR;
    const BLOCK_COUNT: usize = SECTORS;
    const BLOCK_CYCLES: isize = 500;
    type CACHE_SIZE = littlefs2::consts::U256;
    type LOOKAHEAD_SIZE = littlefs2::consts::U1;

    fn read(&mut self, at: usize, buf: &mut [u8]) -> Io<usize> {
        io(self.0.read(at, buf), buf.len())
    }

    fn write(&mut self, at: usize, data: &[u8]) -> Io<usize> {
        io(self.0.program(at, data), data.len())
    }

    fn erase(&mut self, at: usize, len: usize) -> Io<usize> {
        io(self.0.erase(at, len), len)
    }
}

struct Open<'a, 'b, const WORD: usize, const SECTORS: usize> {
    files: &'a Filesystem<'b, Driver<WORD, SECTORS>>,
    /// Numbers of the log's files, the oldest first.
    log: VecDeque<u32>,
    /// Records in the newest.
    newest: usize,
}

/// Its errors do not show their code.
fn fault(error: Error) -> Fault {
    Fault::Failed(match error {
        Error::NO_SPACE => "no space".into(),
        other => format!("error {}", other.code()),
    })
}

fn path(name: &[u8]) -> Result<PathBuf, Fault> {
    // '/' parts directories.
    let name: Vec<u8> = name
        .iter()
        .map(|byte| if *byte == b'/' { b'.' } else { *byte })
        .collect();
    PathBuf::try_from(name.as_slice()).map_err(Fault::of)
}

fn record_path(file: u32) -> Result<PathBuf, Fault> {
    path(format!("log.{file:08}").as_bytes())
}

impl<const WORD: usize, const SECTORS: usize> Engine for Littlefs<WORD, SECTORS> {
    fn name(&self) -> String {
        "littlefs".into()
    }

    fn note(&self) -> &'static str {
        "a file a key, caches of 256 bytes, block cycles 500; w4 is 192 files of 8 records, the oldest removed, more are dearer; RAM with the cache of an open file"
    }

    fn unwinds(&self) -> bool {
        false
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        (word > 256).then_some("words above its cache")
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn has_log(&self) -> bool {
        true
    }

    fn format(&self, flash: &Flash, _plan: Plan) -> Result<(), Fault> {
        Filesystem::format(&mut Driver::<WORD, SECTORS>(flash.clone())).map_err(fault)
    }

    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        let mut driver = Driver::<WORD, SECTORS>(flash.clone());
        let mut memory = Allocation::new();
        let files = Filesystem::mount(&mut memory, &mut driver).map_err(fault)?;
        let mut open = Open {
            files: &files,
            log: VecDeque::new(),
            newest: 0,
        };
        if plan.log {
            open.find_log()?;
        }
        work(&mut open)
    }
}

impl<const WORD: usize, const SECTORS: usize> Open<'_, '_, WORD, SECTORS> {
    fn find_log(&mut self) -> Result<(), Fault> {
        let mut found = Vec::new();
        self.files
            .read_dir_and_then(littlefs2::path!("/"), |entries| {
                for entry in entries {
                    let name = entry?.file_name().to_string();
                    found.extend(
                        name.strip_prefix("log.")
                            .and_then(|n| n.parse::<u32>().ok()),
                    );
                }
                Ok(())
            })
            .map_err(fault)?;
        found.sort_unstable();
        self.log = found.into();
        if let Some(newest) = self.log.back() {
            let metadata = self.files.metadata(&record_path(*newest)?);
            self.newest = metadata.map_err(fault)?.len() / RECORD;
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> Result<(), Fault> {
        let oldest = self.log.pop_front().unwrap_or_default();
        self.files.remove(&record_path(oldest)?).map_err(fault)
    }

    fn append_once(&mut self, record: &[u8; RECORD]) -> Result<Io<()>, Fault> {
        let full = self.newest == RECORDS || self.log.is_empty();
        let file = match self.log.back() {
            Some(newest) if !full => *newest,
            newest => newest.map_or(0, |newest| newest + 1),
        };
        let appended = File::<'_, '_, Driver<WORD, SECTORS>>::with_options()
            .write(true)
            .create(true)
            .append(true)
            .open_and_then(self.files, &record_path(file)?, |file| {
                file.write_all(record)
            });
        if appended.is_ok() {
            if full {
                self.log.push_back(file);
                self.newest = 0;
            }
            self.newest += 1;
        }
        Ok(appended)
    }
}

impl<const WORD: usize, const SECTORS: usize> Store for Open<'_, '_, WORD, SECTORS> {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        let read = self
            .files
            .open_file_and_then(&path(key)?, |file| file.read(value));
        match read {
            // A file is made first and filled then; no value here is empty.
            Ok(0) => Ok(None),
            Ok(len) => Ok(Some(len)),
            Err(Error::NO_SUCH_ENTRY) => Ok(None),
            Err(other) => Err(fault(other)),
        }
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        self.files.write(&path(key)?, value).map_err(fault)
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        self.files.remove(&path(key)?).map_err(fault)
    }

    fn append(&mut self, record: &[u8; RECORD]) -> Result<(), Fault> {
        if self.log.len() > FILES {
            self.drop_oldest()?;
        }
        loop {
            match self.append_once(record)? {
                Err(Error::NO_SPACE) if self.log.len() > 1 => self.drop_oldest()?,
                other => return other.map_err(fault),
            }
        }
    }

    fn records(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        let mut records = [0; RECORDS * RECORD];
        for file in &self.log {
            let len = self
                .files
                .open_file_and_then(&record_path(*file)?, |file| file.read(&mut records))
                .map_err(fault)?;
            records[..len].chunks(RECORD).for_each(&mut *visit);
        }
        Ok(())
    }

    fn ram(&self) -> usize {
        // The cache of the file that is open during a call.
        size_of::<Allocation<Driver<WORD, SECTORS>>>() + 256
    }
}
