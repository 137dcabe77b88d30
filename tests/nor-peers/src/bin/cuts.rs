//! Cuts the power of every store on simulated NOR flash of 16 sectors of 4 KiB
//! with words of 4 bytes: at every step of a workload, and in random walks.
//!
//!     cuts [--every CUTS] [--walk CUTS] [--peer NAME,NAME] [--seed NUMBER]
//!          [--verbose]
//!
//! `--verbose` shows the first violation of each row. Ends with 1 where
//! Indelible has one.

use std::process::ExitCode;

use indelible_nor_peers::cuts::{Model, Part, Tally, Violation, every, walk};
use indelible_nor_peers::engine::{Engine, Fault};
use indelible_nor_peers::engines;

struct Options {
    every: u64,
    walk: u64,
    peers: Vec<String>,
    seed: u64,
    verbose: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        every: 6000,
        walk: 9000,
        peers: Vec::new(),
        seed: 1,
        verbose: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--verbose" {
            options.verbose = true;
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let wrong = |_| format!("{name} {value} makes no sense");
        match name.as_str() {
            "--every" => options.every = value.parse().map_err(wrong)?,
            "--walk" => options.walk = value.parse().map_err(wrong)?,
            "--seed" => options.seed = value.parse().map_err(wrong)?,
            "--peer" => options.peers = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("no option {name}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("cuts: {wrong}");
            return ExitCode::from(2);
        }
    };
    // Panics are counted, not shown.
    std::panic::set_hook(Box::new(|_| {}));
    println!("seed {}", options.seed);
    print!(
        "{:<28}{:<6}{:<7}{:<15}{:>9}",
        "", "part", "cuts at", "", "cuts"
    );
    for violation in Violation::ALL {
        print!("{:>9}", violation.name());
    }
    println!("{:>9}", "overprog");
    let mut ours = 0;
    for engine in engines::small() {
        let name = engine.name();
        if !options.peers.is_empty() && !options.peers.iter().any(|part| name.contains(part)) {
            continue;
        }
        for part in Part::ALL {
            if !part.is_in(&*engine) {
                continue;
            }
            match rows(&*engine, part, &options) {
                Ok(violations) if engine.is_ours() => ours += violations,
                Ok(_) => {}
                Err(fault) => println!("{name:<28}{:<6}{fault}", part.name()),
            }
        }
    }
    if ours == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the rows of one store; how many violations there were.
fn rows(engine: &dyn Engine, part: Part, options: &Options) -> Result<u64, Fault> {
    let name = engine.name();
    let head = |how: &str, model: Model| {
        print!("{name:<28}{:<6}{how:<7}{:<15}", part.name(), model.name());
    };
    let mut violations = 0;
    let mut row = |how: &str, model: Model, tally: &Tally| {
        head(how, model);
        violations += tally.violations();
        print!("{:>9}", tally.cuts);
        for violation in Violation::ALL {
            print!("{:>9}", tally.of(violation));
        }
        println!("{:>9}", tally.overprograms);
        if let Some(first) = tally.first.as_ref().filter(|_| options.verbose) {
            println!("    first: {first}");
        }
    };
    if options.every > 0 {
        let found = every(engine, part, options.every, options.seed)?;
        for (model, tally) in Model::ALL.into_iter().zip(&found.tallies) {
            row("every", model, tally);
        }
        if let Some(stopped) = found.stopped {
            println!(
                "    stopped uncut after {} operations: {stopped}",
                found.operations
            );
        }
    }
    if options.walk > 0 {
        for model in Model::ALL {
            let found = walk(engine, part, model, options.walk / 3, options.seed)?;
            row("walk", model, &found.tally);
            if found.uncut > 0 {
                println!("    {} of {} stores ended uncut", found.uncut, found.stores);
            }
        }
    }
    Ok(violations)
}
