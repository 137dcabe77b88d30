//! Measures Indelible's file target and its peers in one process, one after
//! the other, on the same keys and values, each at its documented durable
//! setting, and prints what they do and how they compare.

mod engine;
mod engines;
mod table;
mod workload;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use engine::{Engine, Result};
use workload::{Amounts, Figures, Metric};

const HELP: &str = "\
Measures Indelible's file target against redb, fjall, LMDB and SQLite, and
RocksDB if built with the feature of that name.

usage: peers [--dir DIR]... [--keys N] [--puts N] [--gets N] [--batch N]
             [--updates N] [--rounds N] [--seed N] [--engine NAME]...

  --dir DIR      a folder to work in; given more than once, all are measured
                 one after the other (default: the temporary folder)
  --keys N       pairs loaded by durable batches (default 100000)
  --puts N       durable single puts after that (default keys / 10)
  --gets N       random lookups (default keys)
  --updates N    random updates by durable batches, after all else (default 0)
  --batch N      pairs in a batch (default 100)
  --rounds N     run everything N times, print the medians (default 1)
  --seed N       what keys and values derive from (default 1)
  --engine NAME  only this one; may be given more than once
";

struct Arguments {
    dirs: Vec<PathBuf>,
    engines: Vec<String>,
    amounts: Amounts,
    rounds: usize,
    die_in: Option<PathBuf>,
}

fn arguments() -> Result<Option<Arguments>> {
    let (mut dirs, mut engines, mut die_in) = (Vec::new(), Vec::new(), None);
    let (mut keys, mut puts, mut gets, mut updates) = (100_000, None, None, 0);
    let (mut batch, mut rounds, mut seed) = (100, 1, 1);
    let mut given = std::env::args_os().skip(1);
    while let Some(flag) = given.next() {
        let flag = flag.to_string_lossy().into_owned();
        if flag == "--help" || flag == "-h" {
            return Ok(None);
        }
        let value = given
            .next()
            .ok_or_else(|| format!("{flag} needs a value; see --help"))?;
        let number = || -> Result<u64> {
            let text = value.to_string_lossy();
            text.parse()
                .map_err(|_| format!("{flag} takes a number, not {text}").into())
        };
        match flag.as_str() {
            "--dir" => dirs.push(value.into()),
            "--die-in" => die_in = Some(value.into()),
            "--engine" => engines.push(value.to_string_lossy().into_owned()),
            "--keys" => keys = number()?.max(1),
            "--puts" => puts = Some(number()?),
            "--gets" => gets = Some(number()?),
            "--updates" => updates = number()?,
            "--batch" => batch = usize::try_from(number()?)?.max(1),
            "--rounds" => rounds = usize::try_from(number()?)?.max(1),
            "--seed" => seed = number()?,
            _ => return Err(format!("{flag} is not known; see --help").into()),
        }
    }
    if dirs.is_empty() {
        dirs.push(std::env::temp_dir());
    }
    let amounts = Amounts {
        keys,
        puts: puts.unwrap_or(keys / 10).max(1),
        gets: gets.unwrap_or(keys).max(1),
        updates,
        batch,
        seed,
    };
    Ok(Some(Arguments {
        dirs,
        engines,
        amounts,
        rounds,
        die_in,
    }))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(arguments) = arguments()? else {
        print!("{HELP}");
        return Ok(());
    };
    let Arguments {
        dirs,
        engines: wanted,
        amounts,
        rounds,
        die_in,
    } = arguments;
    let mut engines = engines::all(amounts.keys_total());
    if !wanted.is_empty() {
        engines.retain(|engine| {
            wanted
                .iter()
                .any(|name| name.eq_ignore_ascii_case(engine.name()))
        });
    }
    if engines.is_empty() {
        return Err("no engine of that name".into());
    }
    if let Some(dir) = die_in {
        return workload::put_and_die(engines[0].as_ref(), &dir, amounts);
    }

    println!(
        "peers: {} pairs of {}+{} bytes, batches of {}, then {} single puts, {} gets, {} updates; {rounds} rounds, seed {}",
        amounts.keys,
        engine::KEY_LEN,
        engine::VALUE_LEN,
        amounts.batch,
        amounts.puts,
        amounts.gets,
        amounts.updates,
        amounts.seed
    );
    for engine in &engines {
        println!("  {:<10} {}", engine.name(), engine.setting());
    }
    for dir in dirs {
        let root = dir.join(format!("indelible-peers-{}", std::process::id()));
        fs::create_dir_all(&root)?;
        let outcome = measure(&engines, &root, amounts, rounds);
        fs::remove_dir_all(&root)?;
        let (floor, figures) = outcome.map_err(|error| format!("in {}: {error}", dir.display()))?;
        println!(
            "\n{}: 128-byte write + fdatasync {floor:.0}/s",
            dir.display()
        );
        table::print(&engines, &figures);
    }
    Ok(())
}

fn measure(
    engines: &[Box<dyn Engine>],
    root: &std::path::Path,
    amounts: Amounts,
    rounds: usize,
) -> Result<(f64, Vec<Figures>)> {
    let floor = workload::floor(root)?;
    let mut runs = vec![Vec::new(); engines.len()];
    for round in 0..rounds {
        for turn in 0..engines.len() {
            let which = (turn + round) % engines.len();
            let engine = engines[which].as_ref();
            eprintln!("round {}: {}", round + 1, engine.name());
            let dir = root.join("store");
            fs::create_dir(&dir)?;
            let figures = workload::run(engine, &dir, amounts)
                .map_err(|error| format!("{}: {error}", engine.name()))?;
            runs[which].push(figures);
            fs::remove_dir_all(&dir)?;
        }
    }
    let medians = runs.iter().map(|runs| {
        std::array::from_fn(|metric| {
            let mut figures: Vec<f64> = runs.iter().map(|run| run[metric]).collect();
            workload::median(&mut figures)
        })
    });
    Ok((floor, medians.collect()))
}

/// How many times better `a` is than `b`.
fn ratio(metric: Metric, a: f64, b: f64) -> f64 {
    if metric.larger_is_better() {
        a / b
    } else {
        b / a
    }
}
