//! Why the plain-file medium is built as it is: each choice measured against
//! its alternatives, with system calls alone and no store above them.
//!
//! `cargo bench -p indelible-dax --bench medium [-- FOLDER…]`; the folders
//! default to the temporary folder and `/dev/shm`.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};

const FILE: u64 = 64 << 20;
const SEGMENT: u64 = 64 << 10;

fn main() {
    let mut folders: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|argument| !argument.as_encoded_bytes().starts_with(b"--"))
        .map(PathBuf::from)
        .collect();
    if folders.is_empty() {
        folders.push(std::env::temp_dir());
        folders.push(PathBuf::from("/dev/shm"));
    }
    for folder in folders {
        println!("\n{}", folder.display());
        if let Err(error) = measure(&folder) {
            println!("  {error}");
        }
    }
}

/// A file that vanishes with its handle.
fn scratch(folder: &Path, zeros: bool) -> std::io::Result<File> {
    let path = folder.join(format!("indelible-bench-{}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    fallocate(&file, FallocateFlags::empty(), 0, FILE)?;
    if zeros {
        write_zeros(&file, 0, FILE)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn write_zeros(file: &File, at: u64, len: u64) -> std::io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut done = 0;
    while done < len {
        let n = (len - done).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..n as usize], at + done)?;
        done += n;
    }
    Ok(())
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn show(what: &str, time: Duration, count: u64) {
    println!(
        "  {what:<58} {:>10.2} us",
        time.as_secs_f64() * 1e6 / count as f64
    );
}

fn measure(folder: &Path) -> std::io::Result<()> {
    let file = scratch(folder, true)?;
    // SAFETY: the file is private to this process and is never truncated.
    let map = unsafe { memmap2::Mmap::map(&file)? };

    // Reads of 120 bytes.
    let count = 1_000_000;
    for pass in 0..2 {
        let mut state = 88172645463325252;
        let mut buffer = [0; 120];
        let start = Instant::now();
        for _ in 0..count {
            let at = (random(&mut state) % (FILE - 120)) as usize;
            buffer.copy_from_slice(&map[at..at + 120]);
            black_box(&buffer);
        }
        if pass == 1 {
            show("read of 120 bytes, mapping", start.elapsed(), count);
        }
    }
    let mut state = 88172645463325252;
    let mut buffer = [0; 120];
    let start = Instant::now();
    for _ in 0..count {
        let at = random(&mut state) % (FILE - 120);
        file.read_exact_at(&mut buffer, at)?;
        black_box(&buffer);
    }
    show("read of 120 bytes, pread", start.elapsed(), count);

    // A commit of three adjacent small writes.
    let commits = 2000;
    let record = [0x5A; 160];
    let start = Instant::now();
    for n in 0..commits {
        let at = n * 160;
        file.write_all_at(&record[..24], at)?;
        file.write_all_at(&record[24..40], at + 24)?;
        file.write_all_at(&record[40..], at + 40)?;
        file.sync_data()?;
    }
    show(
        "commit of three writes, three pwrites, fdatasync",
        start.elapsed(),
        commits,
    );
    let file = scratch(folder, true)?;
    let mut pending = Vec::with_capacity(256);
    let start = Instant::now();
    for n in 0..commits {
        pending.clear();
        pending.extend_from_slice(&record[..24]);
        pending.extend_from_slice(&record[24..40]);
        pending.extend_from_slice(&record[40..]);
        file.write_all_at(&pending, n * 160)?;
        file.sync_data()?;
    }
    show(
        "commit of three writes, coalesced, fdatasync",
        start.elapsed(),
        commits,
    );
    let file = scratch(folder, true)?;
    // SAFETY: as above.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file)? };
    let start = Instant::now();
    for n in 0..commits as usize {
        let at = n * 160;
        map[at..at + 160].copy_from_slice(&record);
        map.flush_range(at, 160)?;
    }
    show(
        "commit of three writes, stored in a mapping, msync",
        start.elapsed(),
        commits,
    );
    drop(map);
    let file = scratch(folder, true)?;
    // SAFETY: as above.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file)? };
    let start = Instant::now();
    for n in 0..commits as usize {
        let at = n * 160;
        map[at..at + 160].copy_from_slice(&record);
        file.sync_data()?;
    }
    show(
        "commit of three writes, stored in a mapping, fdatasync",
        start.elapsed(),
        commits,
    );
    drop(map);

    // The system calls alone.
    let file = scratch(folder, true)?;
    let start = Instant::now();
    let writes = 200_000;
    for n in 0..writes {
        file.write_all_at(&record, n * 160)?;
    }
    show("pwrite of 160 bytes alone", start.elapsed(), writes);
    let start = Instant::now();
    for n in 0..writes {
        file.write_all_at(&record[..40], n * 40)?;
    }
    show("pwrite of 40 bytes alone", start.elapsed(), writes);

    // First use of a file that was only allocated.
    for (zeros, what) in [(false, "allocated only"), (true, "allocated and zeroed")] {
        let file = scratch(folder, zeros)?;
        let start = Instant::now();
        for n in 0..commits {
            file.write_all_at(&record, n * 4096)?;
            file.sync_data()?;
        }
        show(
            &format!("first commit in a page, {what}"),
            start.elapsed(),
            commits,
        );
    }

    // Erasing a used segment, then filling it by commits.
    type Erase = fn(&File, u64) -> std::io::Result<()>;
    let ways: [(&str, Erase); 3] = [
        ("zeros written", |file, at| write_zeros(file, at, SEGMENT)),
        ("FALLOC_FL_ZERO_RANGE", |file, at| {
            Ok(fallocate(file, FallocateFlags::ZERO_RANGE, at, SEGMENT)?)
        }),
        ("FALLOC_FL_PUNCH_HOLE", |file, at| {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            Ok(fallocate(file, flags, at, SEGMENT)?)
        }),
    ];
    for (what, erase) in ways {
        let file = scratch(folder, true)?;
        let segments = 100;
        for segment in 0..segments {
            file.write_all_at(&[0x5A; SEGMENT as usize], segment * SEGMENT)?;
        }
        file.sync_data()?;
        let mut erasing = Duration::ZERO;
        let mut filling = Duration::ZERO;
        for segment in 0..segments {
            let start = Instant::now();
            if let Err(error) = erase(&file, segment * SEGMENT) {
                println!("  {what}: {error}");
                break;
            }
            file.sync_data()?;
            erasing += start.elapsed();
            let start = Instant::now();
            for n in 0..16 {
                file.write_all_at(&[0x5A; 4000], segment * SEGMENT + n * 4096)?;
                file.sync_data()?;
            }
            filling += start.elapsed();
        }
        show(
            &format!("erase of 64 KiB and fdatasync, {what}"),
            erasing,
            segments,
        );
        show(
            &format!("commit of 4 kB into it, {what}"),
            filling,
            segments * 16,
        );
    }
    Ok(())
}
