//! littlefs: files by name, written whole, appended to, read and removed.

#![no_std]
#![no_main]

use indelible_nor_sizes::{SECTOR, SEGMENTS, erase, firmware, program, read, serve};
use littlefs2::driver::Storage;
use littlefs2::fs::{Allocation, File, Filesystem};
use littlefs2::io::{Error, Result as Io, Write};
use littlefs2::path::PathBuf;

firmware!(main, may_panic);

struct Driver;

impl Storage for Driver {
    const READ_SIZE: usize = 4;
    const WRITE_SIZE: usize = 4;
    const BLOCK_SIZE: usize = SECTOR;
    const BLOCK_COUNT: usize = SEGMENTS;
    const BLOCK_CYCLES: isize = 500;
    type CACHE_SIZE = littlefs2::consts::U256;
    type LOOKAHEAD_SIZE = littlefs2::consts::U1;

    fn read(&mut self, at: usize, buf: &mut [u8]) -> Io<usize> {
        read(at, buf).map(|()| buf.len()).map_err(|_| Error::IO)
    }

    fn write(&mut self, at: usize, data: &[u8]) -> Io<usize> {
        program(at, data)
            .map(|()| data.len())
            .map_err(|_| Error::IO)
    }

    fn erase(&mut self, at: usize, len: usize) -> Io<usize> {
        erase(at, len).map(|()| len).map_err(|_| Error::IO)
    }
}

fn main() -> ! {
    let mut driver = Driver;
    if !Filesystem::is_mountable(&mut driver) {
        let _ = Filesystem::format(&mut driver);
    }
    let mut memory = Allocation::new();
    let Ok(files) = Filesystem::mount(&mut memory, &mut driver) else {
        loop {}
    };
    serve(|mail| {
        let Ok(path) = PathBuf::try_from(&mail.key[..]) else {
            return false;
        };
        match mail.operation {
            1 => files.write(&path, &mail.bytes),
            2 => files.remove(&path),
            3 => File::<Driver>::with_options()
                .write(true)
                .create(true)
                .append(true)
                .open_and_then(&files, &path, |file| file.write_all(&mail.bytes)),
            _ => files
                .open_file_and_then(&path, |file| file.read(&mut mail.bytes))
                .map(|_| ()),
        }
        .is_ok()
    })
}
