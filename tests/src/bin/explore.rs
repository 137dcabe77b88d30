//! Cuts power everywhere in every workload, further than `cargo test` does.
//!
//! ```text
//! cargo run --release -p indelible-tests --bin explore -- [OPTION]...
//!
//! --quick            as far as `cargo test` goes on memory
//! --brief            as far as `cargo test` goes on flash
//! --on MEDIUM        only on `memory`, or on flash with this write unit
//! --workload WORDS   only the workloads with these words in their name
//! --depth N          let power fail this often
//! --ordered          with the ordered index
//! --faults           fail operations of the medium instead
//! --dump             show what a counterexample left on the medium
//! ```

use indelible::{Geometry, Mode};
use indelible_tests::explorer::{Bounds, Counterexample, Tally, explore, explore_faults};
use indelible_tests::geometries;
use indelible_tests::script::Workload;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::Leave;
use indelible_tests::workloads;
use std::process::ExitCode;
use std::time::Instant;

struct Options {
    on: Option<String>,
    workload: String,
    bounds: Bounds,
    index: Indexed,
    faults: bool,
    dump: bool,
}

fn main() -> ExitCode {
    let Some(options) = parse() else {
        eprintln!("unknown option: see the head of tests/src/bin/explore.rs");
        return ExitCode::from(2);
    };
    let mut total = Tally::default();
    let mut found = 0;
    let chosen = |geometry: &Geometry| {
        let unit = geometry.write_unit.to_string();
        let name = geometries::name(*geometry);
        options
            .on
            .as_ref()
            .is_none_or(|on| *on == name || (*on == unit && name != "memory"))
    };
    for geometry in geometries::all().into_iter().filter(chosen) {
        for workload in workloads::all(geometry) {
            if !workload.name.contains(&options.workload) {
                continue;
            }
            let start = Instant::now();
            match judge(&options, &workload, geometry) {
                Ok(tally) => {
                    println!("{}: {tally} ({:.1?})", workload.name, start.elapsed());
                    total.add(&tally);
                }
                Err(counterexample) => {
                    found += 1;
                    show(&options, &workload, &counterexample);
                }
            }
        }
    }
    println!("{found} counterexamples. All: {total}");
    match found {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn parse() -> Option<Options> {
    let mut options = Options {
        on: None,
        workload: String::new(),
        bounds: Bounds::thorough(),
        index: Indexed::Hash,
        faults: false,
        dump: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.bounds = Bounds::quick(),
            "--brief" => options.bounds = Bounds::brief(),
            "--on" => options.on = Some(args.next()?),
            "--workload" => options.workload = args.next()?,
            "--depth" => options.bounds.depth = args.next()?.parse().ok()?,
            "--ordered" => options.index = Indexed::Ordered,
            "--faults" => options.faults = true,
            "--dump" => options.dump = true,
            _ => return None,
        }
    }
    Some(options)
}

fn judge(
    options: &Options,
    workload: &Workload,
    geometry: Geometry,
) -> Result<Tally, Box<Counterexample>> {
    let real = workloads::real(workload, options.index);
    match options.faults {
        true => explore_faults(&real, workload, geometry, options.bounds, 16),
        false => explore(&real, workload, geometry, options.bounds),
    }
}

fn show(options: &Options, workload: &Workload, found: &Counterexample) {
    println!("{found}");
    let Some(left) = found.left.as_ref().filter(|_| options.dump) else {
        return;
    };
    let real: Real = workloads::real(workload, options.index);
    let shown = real.open(
        &mut left.as_ref().clone(),
        Mode::ReadOnly,
        &mut |store, report| {
            println!("{report:?}\n{}", store.dump());
            Ok(Leave::Drop)
        },
    );
    if let Err(failure) = shown {
        println!("{failure}");
    }
}
