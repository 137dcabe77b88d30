//! Stores on mapped memory: what the memory costs, and what a store over it
//! makes of that, beside the figures of CapybaraKV on the same kind of machine.
//!
//! `cargo bench -p indelible-dax --bench pmem [-- FOLDER]`; the folder defaults
//! to `/dev/shm`. `PMEM_KEYS` and `PMEM_ROUNDS` set the keys (100,000) and the
//! rounds (3), of which the best counts. Times are of the thread's processor
//! time, so that other programs disturb them less.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("persistent memory is used on Linux alone");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::hint::black_box;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use indelible_dax::host::StoreError;
    use indelible_dax::indelible::{HashIndex, Saving};
    use indelible_dax::pmem::{Mapping, Persist, PmemMedium};
    use indelible_dax::{Access, HostMemory, HostStore, MediumChoice, Setup};
    use rustix::time::{ClockId, clock_gettime};

    type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
    type Store<'a> = HostStore<'a, Saving<HashIndex<'a>>, PmemMedium>;

    /// What the figures of CapybaraKV were measured on took that long, in ns:
    /// a 64-byte store past the cache and a fence; a store, `clwb` and a fence.
    const STREAM_NS: f64 = 110.0;
    const WRITE_BACK_NS: f64 = 180.0;

    /// CapybaraKV, operations a second, and what is aimed at in its multiples.
    struct Peer {
        create: f64,
        update: f64,
        read: f64,
        delete: f64,
    }

    const VALUES: [(usize, Peer); 3] = [
        (
            64,
            Peer {
                create: 442e3,
                update: 351e3,
                read: 2.5e6,
                delete: 508e3,
            },
        ),
        (
            256,
            Peer {
                create: 469e3,
                update: 352e3,
                read: 1.9e6,
                delete: 508e3,
            },
        ),
        (
            1024,
            Peer {
                create: 413e3,
                update: 330e3,
                read: 1.4e6,
                delete: 508e3,
            },
        ),
    ];

    pub fn main() -> Result {
        let folder = std::env::args_os()
            .skip(1)
            .find(|argument| !argument.as_encoded_bytes().starts_with(b"--"));
        let folder = folder.map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
        let folder = tempfile::tempdir_in(folder)?;
        processor();
        let slowness = memory(&folder.path().join("memory"))?;
        keys(folder.path(), slowness)?;
        logs(folder.path(), slowness)
    }

    fn setting(name: &str, otherwise: u64) -> u64 {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// This thread's processor time.
    fn now() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// The time of the best of some rounds, each of them `count` operations.
    fn best(count: usize, mut round: impl FnMut()) -> f64 {
        let rounds = setting("PMEM_ROUNDS", 3).max(1);
        let times = (0..rounds).map(|_| {
            let begin = now();
            round();
            (now() - begin).as_secs_f64() * 1e9 / count as f64
        });
        times.fold(f64::INFINITY, f64::min)
    }

    /// How fast the processor is beside the reference's, which no figure is
    /// normalised by: whoever compares should know.
    fn processor() {
        const COUNT: usize = 200_000;
        const TABLE_NS: f64 = 147.0;
        let table = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
        let bytes = [0x5A; 64];
        let time = best(COUNT, || {
            for _ in 0..COUNT {
                black_box(table.checksum(black_box(&bytes)));
            }
        });
        println!("a sum of 64 bytes by a table takes {time:.0} ns, the reference {TABLE_NS:.0}");
        let times = time / TABLE_NS;
        println!("so what this processor alone does takes about {times:.2} times its time\n");
    }

    /// What the memory costs; returns how much slower than the reference's.
    fn memory(path: &Path) -> Result<f64> {
        const SIZE: usize = 64 << 20;
        const COUNT: usize = 100_000;
        std::fs::write(path, vec![1; SIZE])?;
        let mut memory: Mapping = PmemMedium::open_volatile(path, Access::ReadWrite)?.into_memory();
        println!(
            "lines of {} bytes, {}",
            memory.line(),
            memory.write_back_with()
        );
        let source = [0x5A; 8192];
        let next = |at: &mut usize| {
            // Away from where the processor looks ahead.
            *at = (*at + 4096 + 64) % (SIZE - 8192) / 64 * 64;
            *at
        };
        let mut at = 0;
        let write_back = best(COUNT, || {
            for _ in 0..COUNT {
                let at = next(&mut at);
                memory.store(at, &source[..64]);
                memory.write_back(at, 64);
                memory.fence().unwrap();
            }
        });
        let same = best(COUNT, || {
            for _ in 0..COUNT {
                memory.store(0, &source[..64]);
                memory.write_back(0, 64);
                memory.fence().unwrap();
            }
        });
        let stream = best(COUNT, || {
            for _ in 0..COUNT {
                let at = next(&mut at);
                memory.stream(at, &source[..64]);
                memory.fence().unwrap();
            }
        });
        let two = best(COUNT, || {
            for _ in 0..COUNT {
                let at = next(&mut at);
                memory.store(at, &source[..128]);
                memory.write_back(at, 128);
                memory.fence().unwrap();
                memory.store(at + 2048, &source[..8]);
                memory.write_back(at + 2048, 8);
                memory.fence().unwrap();
            }
        });
        println!("\nns                                         here  reference");
        println!("64 bytes stored, written back, fence    {write_back:>7.0} {WRITE_BACK_NS:>10.0}");
        println!("the same line again and again           {same:>7.0}        216");
        println!("64 bytes past the cache, fence          {stream:>7.0} {STREAM_NS:>10.0}");
        println!("128 bytes, fence, a word, fence         {two:>7.0}        390");
        println!(
            "\nns for a run and a fence   in order: stored  past the cache   scattered: stored  past"
        );
        for len in [64, 128, 256, 512, 1024, 2048, 4096, 8192] {
            let mut time = |past: bool, scattered: bool| {
                let mut at = 0;
                let count = COUNT / (len / 64).max(4);
                best(count, || {
                    for _ in 0..count {
                        at = if scattered {
                            (at + 64 * 7919 * 64) % (SIZE - 8192) / 64 * 64
                        } else {
                            (at + len) % (SIZE - 8192)
                        };
                        if past {
                            memory.stream(at, &source[..len]);
                        } else {
                            memory.store(at, &source[..len]);
                            memory.write_back(at, len);
                        }
                        memory.fence().unwrap();
                    }
                })
            };
            let times = [(false, false), (true, false), (false, true), (true, true)]
                .map(|(past, scattered)| time(past, scattered));
            println!(
                "{len:>24} {:>18.0} {:>15.0} {:>19.0} {:>5.0}",
                times[0], times[1], times[2], times[3]
            );
        }
        // Where source and target lie to one another modulo 4096.
        println!("\nns for 4096 bytes past the cache, by where the target lies past the source");
        let aligned = source.as_ptr().align_offset(4096);
        for past in [0usize, 8, 16, 64, 2048, 4088] {
            let from = aligned + (4096 - past) % 4096;
            let from = if from + 4096 > source.len() {
                from - 4096
            } else {
                from
            };
            let count = 20_000;
            let mut at = 0;
            let time = best(count, || {
                for _ in 0..count {
                    at = (at + 4096) % (SIZE - 8192);
                    memory.stream(at, &source[from..from + 4096]);
                    memory.fence().unwrap();
                }
            });
            println!("{past:>24} {time:>18.0}");
        }
        std::fs::remove_file(path)?;
        let slowness = (write_back / WRITE_BACK_NS * stream / STREAM_NS).sqrt();
        println!("\nthis memory takes {slowness:.2} times the reference's time");
        Ok(slowness)
    }

    fn key(number: u64) -> [u8; 16] {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key[8..].copy_from_slice(&mixed.to_be_bytes());
        key
    }

    /// Numbers below a count, all of them, in no order.
    fn shuffled(count: u64) -> Vec<u64> {
        let mut numbers: Vec<u64> = (0..count).collect();
        let mut state = 88172645463325252u64;
        for place in (1..numbers.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            numbers.swap(place, (state % (place as u64 + 1)) as usize);
        }
        numbers
    }

    fn open<'a>(path: &Path, memory: &'a HostMemory) -> Result<Store<'a>> {
        Ok(HostStore::open_with(memory, || {
            PmemMedium::open_volatile(path, Access::ReadWrite)
        })?)
    }

    /// Operations a second. Where blanking is `outside`, the store is given
    /// time for it between every thousand.
    fn measure(
        store: &mut Store<'_>,
        numbers: &[u64],
        outside: bool,
        mut run: impl FnMut(&mut Store<'_>, u64) -> std::result::Result<(), StoreError>,
    ) -> Result<f64> {
        let mut time = Duration::ZERO;
        for chunk in numbers.chunks(1000) {
            if outside {
                store.maintain(64)?;
            }
            let begin = now();
            for number in chunk {
                run(store, *number)?;
            }
            time += now() - begin;
        }
        Ok(numbers.len() as f64 / time.as_secs_f64())
    }

    fn line(what: &str, rate: f64, slowness: f64, peer: Option<(f64, f64)>) {
        print!("{what:<44} {rate:>12.0} {:>12.0}", rate * slowness);
        match peer {
            Some((peer, goal)) => {
                println!(" {:>10.2} {goal:>6.1}", rate * slowness / peer);
            }
            None => println!(),
        }
    }

    fn keys(folder: &Path, slowness: f64) -> Result {
        let count = setting("PMEM_KEYS", 100_000);
        println!("\n{count} keys of 16 bytes, one commit each");
        println!(
            "{:<44} {:>12} {:>12} {:>10} {:>6}",
            "", "ops/s", "normalised", "CapybaraKV", "goal"
        );
        for (len, peer) in VALUES {
            for outside in [false, true] {
                let mut top = [0f64; 6];
                for _ in 0..setting("PMEM_ROUNDS", 3).max(1) {
                    let rates = round(folder, count, len, outside)?;
                    for (top, rate) in top.iter_mut().zip(rates) {
                        *top = top.max(rate);
                    }
                }
                let blanking = if outside { "outside" } else { "inside" };
                let name = |what: &str| format!("{what} {len} bytes, blanking {blanking}");
                line(&name("create"), top[0], slowness, Some((peer.create, 5.0)));
                line(&name("update"), top[1], slowness, Some((peer.update, 5.0)));
                line(&name("delete"), top[5], slowness, Some((peer.delete, 5.0)));
                if !outside {
                    line(&name("read, copied"), top[2], 1.0, Some((peer.read, 3.0)));
                    line(&name("read, checked"), top[3], 1.0, Some((peer.read, 3.0)));
                    line(
                        &name("read, unchecked"),
                        top[4],
                        1.0,
                        Some((peer.read, 6.0)),
                    );
                }
            }
        }
        start(folder, count)
    }

    fn round(folder: &Path, count: u64, len: usize, outside: bool) -> Result<[f64; 6]> {
        let path = folder.join("store");
        // Half full in the end, so that updates reclaim.
        let size = count * (len as u64 + 48) * 2 + (4 << 20);
        Setup::new(size.next_multiple_of(1 << 20))
            .medium(MediumChoice::Volatile)
            .create(&path)?;
        let memory = HostMemory::new();
        let mut store = open(&path, &memory)?;
        let in_order: Vec<u64> = (0..count).collect();
        let numbers = shuffled(count);
        let mut value = vec![0x5A; len];
        let create = measure(&mut store, &in_order, outside, |store, number| {
            value[..8].copy_from_slice(&number.to_le_bytes());
            store.put(&key(number), &value)
        })?;
        let update = measure(&mut store, &numbers, outside, |store, number| {
            value[..8].copy_from_slice(&(!number).to_le_bytes());
            store.put(&key(number), &value)
        })?;
        let mut buffer = vec![0; len];
        let copied = measure(&mut store, &numbers, false, |store, number| {
            let found = (**store).get(&key(number), &mut buffer)?;
            assert_eq!(found, Some(len));
            assert_eq!(buffer[..8], (!number).to_le_bytes());
            Ok(())
        })?;
        let checked = measure(&mut store, &numbers, false, |store, number| {
            let value = store.get_ref(&key(number))?.unwrap_or_default();
            assert_eq!(black_box(value)[..8], (!number).to_le_bytes());
            Ok(())
        })?;
        let unchecked = measure(&mut store, &numbers, false, |store, number| {
            let value = store.get_ref_unchecked(&key(number))?.unwrap_or_default();
            assert_eq!(black_box(value)[..8], (!number).to_le_bytes());
            Ok(())
        })?;
        let delete = measure(&mut store, &numbers, outside, |store, number| {
            store.delete(&key(number)).map(drop)
        })?;
        drop(store);
        std::fs::remove_file(&path)?;
        Ok([create, update, copied, checked, unchecked, delete])
    }

    fn start(folder: &Path, count: u64) -> Result {
        let path = folder.join("store");
        Setup::new((count * 256).next_multiple_of(1 << 20) + (4 << 20))
            .medium(MediumChoice::Volatile)
            .create(&path)?;
        let memory = HostMemory::new();
        let mut store = open(&path, &memory)?;
        for number in 0..count {
            store.put(&key(number), &[7; 64])?;
        }
        drop(store);
        println!("\nms to start with {count} keys of 64 bytes (CapybaraKV 31 to 40)");
        for what in ["after a kill", "after a close"] {
            let mut top = f64::INFINITY;
            for _ in 0..setting("PMEM_ROUNDS", 3).max(1) {
                let memory = HostMemory::new();
                let begin = now();
                let store = open(&path, &memory)?;
                top = top.min((now() - begin).as_secs_f64() * 1e3);
                assert_eq!(store.len(), count);
                if what == "after a close" {
                    store.close()?;
                }
            }
            if what == "after a kill" {
                open(&path, &memory)?.close()?;
            }
            println!("{what:<24} {top:>8.2}");
        }
        std::fs::remove_file(&path)?;
        Ok(())
    }

    fn logs(folder: &Path, slowness: f64) -> Result {
        println!("\nlogs, one commit each");
        println!(
            "{:<44} {:>12} {:>12} {:>10} {:>6}",
            "", "ops/s", "normalised", "multilog", "goal"
        );
        for (len, logs, peer) in [(64, 1, 2.0e6), (64, 2, 1.2e6), (4096, 1, 0.97e6)] {
            let mut top = 0f64;
            for _ in 0..setting("PMEM_ROUNDS", 3).max(1) {
                let path = folder.join("logs");
                Setup::new(64 << 20)
                    .logs(&[8 << 20, 8 << 20])
                    .medium(MediumChoice::Volatile)
                    .create(&path)?;
                let memory = HostMemory::new();
                let mut store = open(&path, &memory)?;
                let bytes = vec![0x5A; len];
                let numbers: Vec<u64> = (0..100_000).collect();
                // Every so often what is old is cut off, as a log is used.
                let every = (4 << 20) / len as u64;
                let rate = measure(&mut store, &numbers, false, |store, number| {
                    if logs == 1 {
                        store.append(0, &bytes)?;
                    } else {
                        for log in 0..logs {
                            store.tentatively_append(log, &bytes)?;
                        }
                        store.commit()?;
                    }
                    if number % every == every - 1 {
                        for log in 0..logs {
                            let tail = store.get_head_tail_and_capacity(log)?.tail;
                            store.advance_head(log, tail)?;
                        }
                    }
                    Ok(())
                })?;
                top = top.max(rate);
                drop(store);
                std::fs::remove_file(&path)?;
            }
            line(
                &format!("append {len} bytes to {logs}"),
                top,
                slowness,
                Some((peer, 1.5)),
            );
        }
        Ok(())
    }
}
