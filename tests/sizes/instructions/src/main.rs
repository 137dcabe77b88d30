//! Runs each operation [`TIMES`] times on a store in plain memory, each in a
//! function of its own whose name callgrind can find. Prints how often it ran.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;

use indelible::{Config, Geometry, HashIndex, Medium, Memory, Mode, Order, Store, setup};

const TIMES: usize = 1000;
const KEY_LEN: usize = 16;
const VALUE_LEN: usize = 64;

/// Memory that forgets nothing.
struct Bytes(Vec<u8>);

impl Medium for Bytes {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.0.len() as u64,
            write_unit: 1,
            erase_unit: 4096,
            blank: 0,
            order: Order::Unordered,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Infallible> {
        buf.copy_from_slice(&self.0[at as usize..][..buf.len()]);
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.0.get(at as usize..)?.get(..len)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Infallible> {
        self.0[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Infallible> {
        self.0[at as usize..][..len as usize].fill(0);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

type Kv<'a> = Store<'a, Bytes, HashIndex<'a>>;
type Done<T = ()> = Result<T, indelible::Error<Infallible>>;

/// Measured functions: called by the name under which callgrind lists them.
/// Each holds that name, so that no two are the same function to the compiler.
macro_rules! measured {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty $body:block)*) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        fn $name($($argument: $type),*) -> $result {
            black_box(stringify!($name));
            $body
        }
    )*};
}

measured! {
    fn measured_put_new(store: &mut Kv<'_>, key: &[u8], value: &[u8]) -> Done { store.put(key, value) }
    fn measured_put_update(store: &mut Kv<'_>, key: &[u8], value: &[u8]) -> Done { store.put(key, value) }
    fn measured_get(store: &Kv<'_>, key: &[u8], buf: &mut [u8]) -> Done<Option<usize>> { store.get(key, buf) }
    fn measured_get_absent(store: &Kv<'_>, key: &[u8], buf: &mut [u8]) -> Done<Option<usize>> { store.get(key, buf) }
    fn measured_delete(store: &mut Kv<'_>, key: &[u8]) -> Done { store.delete(key) }
    fn measured_append(store: &mut Kv<'_>, data: &[u8]) -> Done<u64> { store.append(0, data) }
    fn measured_log_read(store: &Kv<'_>, position: u64, buf: &mut [u8]) -> Done { store.read(0, position, buf) }
    fn measured_stage(store: &mut Kv<'_>, key: &[u8], value: &[u8]) -> Done { store.tentatively_put(key, value) }
    fn measured_commit_of_8_puts(store: &mut Kv<'_>) -> Done { store.commit() }
    fn measured_commit_of_2_logs(store: &mut Kv<'_>) -> Done { store.commit() }
}

/// The `n`th key: scattered, as hashes or random numbers are.
fn key(n: usize) -> [u8; KEY_LEN] {
    let scattered = (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    scattered.to_be_bytes()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut bytes = Bytes(vec![0; 16 << 20]);
    let config = Config {
        id: 1,
        nonce: 2,
        segment_size: None,
        logs: &[64 << 10, 64 << 10],
    };
    let layout = setup(&mut bytes, &config).map_err(|error| format!("{error:?}"))?;
    let mut segments = vec![Default::default(); layout.segments as usize];
    let mut logs = vec![Default::default(); layout.logs as usize];
    let mut ring = vec![Default::default(); layout.ring as usize];
    let mut undo = vec![Default::default(); 64];
    let mut scratch = vec![0; layout.key_max as usize];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let mut slots = vec![0; HashIndex::slots_for(20 * TIMES)];
    let (mut store, _) = Kv::start(
        bytes,
        HashIndex::new(&mut slots),
        memory,
        None,
        Mode::ReadWrite,
    )
    .map_err(|error| format!("{error:?}"))?;
    let mut run = || -> Done {
        let (value, mut buf) = ([7; VALUE_LEN], [0; VALUE_LEN]);
        for n in 0..TIMES {
            measured_put_new(&mut store, &key(n), &value)?;
        }
        for n in 0..TIMES {
            measured_put_update(&mut store, &key(n), &value)?;
        }
        for n in 0..TIMES {
            measured_get(&store, &key(n), &mut buf)?;
            measured_get_absent(&store, &key(TIMES + n), &mut buf)?;
        }
        for n in 0..TIMES {
            measured_delete(&mut store, &key(n))?;
        }
        for _ in 0..TIMES {
            let position = measured_append(&mut store, &value)?;
            measured_log_read(&store, position, &mut buf)?;
            store.advance_head(0, position + VALUE_LEN as u64)?;
        }
        for n in 0..TIMES {
            for i in 0..8 {
                measured_stage(&mut store, &key(8 * n + i), &value)?;
            }
            measured_commit_of_8_puts(&mut store)?;
        }
        for _ in 0..TIMES {
            let heads = [
                store.tentatively_append(0, &value)?,
                store.tentatively_append(1, &value)?,
            ];
            measured_commit_of_2_logs(&mut store)?;
            store.advance_head(0, heads[0])?;
            store.advance_head(1, heads[1])?;
        }
        Ok(())
    };
    run().map_err(|error| format!("{error:?}"))?;
    for (name, count) in [
        ("measured_put_new", TIMES),
        ("measured_put_update", TIMES),
        ("measured_get", TIMES),
        ("measured_get_absent", TIMES),
        ("measured_delete", TIMES),
        ("measured_append", TIMES),
        ("measured_log_read", TIMES),
        ("measured_stage", 8 * TIMES),
        ("measured_commit_of_8_puts", TIMES),
        ("measured_commit_of_2_logs", TIMES),
    ] {
        println!("{name} {count}");
    }
    Ok(())
}
