//! Bytes programmed for each byte of payload under sustained random updates.
//!
//! Keys of 16 and values of 100 bytes fill a part of the store's capacity
//! (bytes of live records over `kv_capacity`), then they are updated at random
//! for ever. What is printed is measured after the store was overwritten
//! several times. Blanking (erases) is counted apart.
//!
//! `amplification [--rounds N]`

use indelible::{
    Config, Geometry, HashIndex, Layout, LogState, Memory, Mode, Order, Segment, Store, Undo, setup,
};
use indelible_tests::sim::Sim;
use std::process::ExitCode;

const KEY: usize = 16;
const VALUE: usize = 100;
/// Segments and their size.
const SIZES: [(u32, u32); 2] = [(64, 4096), (256, 16384)];
/// How much of the capacity is live, and the goal for uniform updates.
const LEVELS: [(u64, f64); 3] = [(50, 1.5), (80, 3.1), (90, 5.5)];

/// Which key is updated next.
enum Skew {
    Uniform,
    /// Cumulated weights, by rank.
    Zipf(Vec<f64>),
}

impl Skew {
    fn zipf(keys: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=keys).map(|rank| {
            sum += (rank as f64).powf(-0.99);
            sum
        });
        Self::Zipf(weights.collect())
    }

    fn rank(&self, rng: &mut fastrand::Rng, keys: usize) -> usize {
        match self {
            Self::Uniform => rng.usize(..keys),
            Self::Zipf(sums) => {
                let at = rng.f64() * sums[keys - 1];
                sums.partition_point(|sum| *sum < at).min(keys - 1)
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf(_) => "zipf 0.99",
        }
    }
}

/// What one run measured.
struct Measured {
    keys: usize,
    live: f64,
    programmed: f64,
    erased: f64,
    wear: (u32, u32),
}

fn geometry(order: Order, write_unit: u32, segments: u32, size: u32) -> Geometry {
    Geometry {
        capacity: u64::from(segments) * u64::from(size),
        write_unit,
        erase_unit: size,
        blank: if order == Order::Ordered { 0xFF } else { 0x00 },
        order,
    }
}

fn key(number: usize) -> [u8; KEY] {
    let mut key = [0; KEY];
    key.copy_from_slice(format!("{number:016x}").as_bytes());
    key
}

fn measure(
    geometry: Geometry,
    level: u64,
    zipf: bool,
    rounds: u64,
) -> Result<(Skew, Measured), Box<dyn std::error::Error>> {
    let config = Config {
        id: 1,
        nonce: 7,
        segment_size: Some(geometry.erase_unit),
        logs: &[],
    };
    let mut sim = Sim::new(geometry);
    setup(&mut sim, &config)?;
    let layout = Layout::read(&sim)?;
    let entries = (geometry.capacity / 100) as usize;
    let mut segments = vec![Segment::default(); layout.segments as usize];
    let mut logs = vec![LogState::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Undo::default(); 16];
    let mut scratch = vec![0; 64];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let mut slots = vec![0; HashIndex::slots_for(entries)];
    let index = HashIndex::new(&mut slots);
    let (mut store, _) = Store::start(&mut sim, index, memory, None, Mode::ReadWrite)?;

    let mut rng = fastrand::Rng::with_seed(level);
    let mut value = [0; VALUE];
    let mut keys = 0;
    loop {
        let stats = store.stats();
        if keys > 0 && stats.live_bytes * 100 >= stats.kv_capacity * level {
            break;
        }
        rng.fill(&mut value);
        store.put(&key(keys), &value)?;
        keys += 1;
    }
    let skew = if zipf {
        Skew::zipf(keys)
    } else {
        Skew::Uniform
    };
    // Neighbours in time are no neighbours in rank.
    let mut numbers: Vec<usize> = (0..keys).collect();
    rng.shuffle(&mut numbers);
    let round = geometry.capacity / (KEY + VALUE) as u64;
    let mut update = |store: &mut Store<'_, &mut Sim, HashIndex<'_>>, count| {
        for _ in 0..count {
            rng.fill(&mut value);
            let number = numbers[skew.rank(&mut rng, keys)];
            store.put(&key(number), &value)?;
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    update(&mut store, 4 * round)?;
    let before = store.medium().rig().counters();
    update(&mut store, rounds * round)?;
    let spent = store.medium().rig().counters().since(&before);
    let payload = (rounds * round * (KEY + VALUE) as u64) as f64;
    let stats = store.stats();
    let measured = Measured {
        keys,
        live: stats.live_bytes as f64 / stats.kv_capacity as f64,
        programmed: spent.bytes_written as f64 / payload,
        erased: (spent.erases * u64::from(geometry.erase_unit)) as f64 / payload,
        wear: (stats.erases_min, stats.erases_max),
    };
    Ok((skew, measured))
}

fn main() -> ExitCode {
    let mut rounds = 6;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--rounds", Some(number)) => rounds = number,
            _ => {
                eprintln!("amplification: {name} is not known or has no number");
                return ExitCode::from(2);
            }
        }
    }
    println!("keys of {KEY}, values of {VALUE} bytes; bytes for each byte of payload\n");
    println!(
        "{:13}{:>13}{:>11}{:>8}{:>8}{:>12}{:>7}{:>9}{:>10}",
        "medium", "segments", "updates", "live", "keys", "programmed", "goal", "blanked", "erases"
    );
    let media = [
        ("unordered 1", Order::Unordered, 1),
        ("ordered 4", Order::Ordered, 4),
    ];
    let mut failed = false;
    for (segments, size) in SIZES {
        for (medium, order, unit) in media {
            for zipf in [false, true] {
                for (level, goal) in LEVELS {
                    let name = format!("{medium:13}{:>13}", format!("{segments} x {size}"));
                    let geometry = geometry(order, unit, segments, size);
                    match measure(geometry, level, zipf, rounds) {
                        Ok((skew, measured)) => println!("{name}{}", line(&skew, &measured, goal)),
                        Err(error) => {
                            println!("{name} {level} %: {error}");
                            failed = true;
                        }
                    }
                }
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn line(skew: &Skew, measured: &Measured, goal: f64) -> String {
    let (least, most) = measured.wear;
    format!(
        "{:>11}{:>6.1} %{:>8}{:>12.3}{goal:>7}{:>9.3}{:>10}",
        skew.name(),
        measured.live * 100.0,
        measured.keys,
        measured.programmed,
        measured.erased,
        format!("{least}-{most}"),
    )
}
