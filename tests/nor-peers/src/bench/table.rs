//! The printed tables.

use std::time::Duration;

use super::figures::Cost;
use super::workload::{Outcome, Workload};
use crate::engine::Fault;

const NAME: usize = 30;
const CELL: usize = 11;

/// Prints the table of a workload: a row a store. Without `timed` nothing
/// stands there that differs from run to run.
pub fn print(workload: Workload, rows: &[(String, Result<Outcome, Fault>)], timed: bool) {
    println!("\n{}: {}", workload.name(), workload.title());
    let (mut names, time) = header(workload);
    if timed {
        names.push(time);
    }
    print!("{:<NAME$}", "");
    for name in names {
        print!("{name:>CELL$}");
    }
    println!();
    for (name, outcome) in rows {
        match outcome {
            Ok(outcome) => row(name, outcome, timed),
            Err(fault) => println!("{name:<NAME$}  {fault}"),
        }
    }
}

fn header(workload: Workload) -> (Vec<&'static str>, &'static str) {
    match workload {
        Workload::Mount => (
            vec![
                "ready,read",
                "get,read",
                "together",
                "mean",
                "most",
                "programmed",
                "erases",
            ],
            "ready,ns",
        ),
        Workload::Log => (
            vec![
                "bytes/op", "words/op", "erases", "most", "least", "read/op", "RAM", "kept",
                "fewest",
            ],
            "ns/op",
        ),
        _ => (
            vec![
                "bytes/op", "words/op", "erases", "most", "least", "read/op", "RAM",
            ],
            "ns/op",
        ),
    }
}

fn row(name: &str, outcome: &Outcome, timed: bool) {
    let (mut cells, time) = match outcome {
        Outcome::Done(cost, _) => costs(cost),
        Outcome::Logged(cost, fewest, kept) => {
            let (mut cells, time) = costs(cost);
            cells.extend([kept.to_string(), fewest.to_string()]);
            (cells, time)
        }
        Outcome::Opened(mount, mean, most) => (
            [
                mount.ready,
                mount.get,
                mount.ready + mount.get,
                *mean,
                *most,
                mount.programmed,
                mount.erases,
            ]
            .map(|cell| cell.to_string())
            .to_vec(),
            nanoseconds(mount.time, 1),
        ),
    };
    if timed {
        cells.push(time);
    }
    print!("{name:<NAME$}");
    for cell in cells {
        print!("{cell:>CELL$}");
    }
    if matches!(outcome, Outcome::Done(_, false)) {
        print!("  not atomic: single updates");
    }
    println!();
}

fn costs(cost: &Cost) -> (Vec<String>, String) {
    let cells = vec![
        format!("{:.1}", cost.programmed_each()),
        format!("{:.2}", cost.each(cost.counts.words)),
        cost.counts.erases.to_string(),
        cost.most.to_string(),
        cost.least.to_string(),
        format!("{:.1}", cost.read_each()),
        cost.ram.to_string(),
    ];
    (cells, nanoseconds(cost.time, cost.operations))
}

fn nanoseconds(time: Duration, operations: u64) -> String {
    format!("{:.0}", time.as_nanos() as f64 / operations as f64)
}
