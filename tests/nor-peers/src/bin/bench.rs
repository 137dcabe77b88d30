//! Measures every store with every workload on simulated NOR flash of 64
//! sectors of 4 KiB. Prints the same on every run but for the times.
//!
//!     bench [--write-size BYTES] [--workload w1,w2] [--peer NAME,NAME]
//!           [--seed NUMBER] [--untimed]
//!
//! `--peer` takes parts of names. `--untimed` leaves the times out.

use std::process::ExitCode;

use indelible_nor_peers::bench::{Runner, Workload, print};
use indelible_nor_peers::engines;

struct Options {
    word: usize,
    workloads: Vec<Workload>,
    peers: Vec<String>,
    seed: u64,
    timed: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        word: 4,
        workloads: Workload::ALL.to_vec(),
        peers: Vec::new(),
        seed: 1,
        timed: true,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--untimed" {
            options.timed = false;
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let wrong = || format!("{name} {value} makes no sense");
        match name.as_str() {
            "--write-size" => {
                options.word = value.parse().map_err(|_| wrong())?;
                if !options.word.is_power_of_two() || options.word > 512 {
                    return Err(wrong());
                }
            }
            "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
            "--peer" => options.peers = value.split(',').map(str::to_owned).collect(),
            "--workload" => {
                let named = |name: &str| Workload::ALL.into_iter().find(|w| w.name() == name);
                let named: Option<_> = value.split(',').map(named).collect();
                options.workloads = named.ok_or_else(wrong)?;
            }
            _ => return Err(format!("no option {name}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("bench: {wrong}");
            return ExitCode::from(2);
        }
    };
    let mut engines = engines::all(options.word);
    if !options.peers.is_empty() {
        engines.retain(|engine| {
            options
                .peers
                .iter()
                .any(|part| engine.name().contains(part))
        });
    }
    println!(
        "words of {} bytes, 64 sectors of 4096, seed {}; RAM on this host, without stack",
        options.word, options.seed
    );
    let mut runners: Vec<Runner<'_>> = engines
        .iter()
        .map(|engine| Runner::new(&**engine, options.word, options.seed))
        .collect();
    for workload in options.workloads {
        let rows: Vec<_> = engines
            .iter()
            .zip(&mut runners)
            // A close changes what the next opening costs, and nothing else.
            .filter(|(engine, _)| !engine.closes() || workload == Workload::Mount)
            .map(|(engine, runner)| (engine.name(), runner.run(workload)))
            .collect();
        print(workload, &rows, options.timed);
    }
    println!();
    for engine in &engines {
        println!("{}: {}", engine.name(), engine.note());
    }
    ExitCode::SUCCESS
}
