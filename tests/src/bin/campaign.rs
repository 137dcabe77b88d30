//! The corruption campaign in full: every single-bit flip, every word and every
//! sector of small populated images, closed and unclosed.
//!
//! `campaign [--stride N] [--threads N] [--only TEXT] [--show N] [--map]`

use indelible::Order;
use indelible_tests::corruption::{
    Blow, Content, Populated, Row, Verdict, campaign, flips, holes, medium,
};
use std::process::ExitCode;

/// The images.
const MEDIA: [(Order, u32); 5] = [
    (Order::Unordered, 1),
    (Order::Ordered, 4),
    (Order::Ordered, 1),
    (Order::Ordered, 32),
    (Order::Ordered, 256),
];

struct Arguments {
    stride: usize,
    threads: usize,
    only: String,
    show: usize,
    map: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        stride: 1,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        only: String::new(),
        show: 0,
        map: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut number = || -> Result<usize, String> {
            let text = arguments.next().ok_or(format!("{name} needs a value"))?;
            text.parse()
                .map_err(|_| format!("{name}: {text} is no number"))
        };
        match name.as_str() {
            "--stride" => parsed.stride = number()?.max(1),
            "--threads" => parsed.threads = number()?,
            "--only" => parsed.only = arguments.next().unwrap_or_default(),
            "--show" => parsed.show = number()?,
            "--map" => parsed.map = true,
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("campaign: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{}", Row::titles());
    let mut bad = 0;
    for (order, unit) in MEDIA {
        for closed in [true, false] {
            let geometry = medium(order, unit);
            let populated = match Populated::new(geometry, closed) {
                Ok(populated) => populated,
                Err(failure) => {
                    eprintln!("campaign: {order:?} {unit}: {failure}");
                    return ExitCode::FAILURE;
                }
            };
            bad += strike(&populated, &arguments);
        }
    }
    if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// All blows on one image; returns how many verdicts must not be.
fn strike(populated: &Populated, arguments: &Arguments) -> usize {
    let (unit, bytes) = (populated.geometry.write_unit, populated.image.len());
    let medium = match populated.geometry.order {
        Order::Unordered => "unordered".into(),
        Order::Ordered => format!("ordered {unit}"),
    };
    let state = if populated.closed {
        "closed"
    } else {
        "unclosed"
    };
    let sector = u64::from(populated.geometry.erase_unit);
    let kinds: [(&str, Vec<Blow>); 5] = [
        ("flip", flips(bytes)),
        ("word blank", holes(bytes, 8, Content::Blank)),
        ("word noise", holes(bytes, 8, Content::Noise)),
        ("sector blank", holes(bytes, sector, Content::Blank)),
        ("sector noise", holes(bytes, sector, Content::Noise)),
    ];
    let mut bad = 0;
    let mut told = false;
    for (kind, blows) in kinds {
        let name = format!("{medium}, {state}, {kind}");
        if !name.contains(&arguments.only) {
            continue;
        }
        if !told {
            told = true;
            let (roots, openings) = populated.roots();
            println!(
                "{medium}, {state}: {} of {bytes} bytes in use, {} keys, {} cold segments, {roots} roots, {openings} segments opened",
                populated.used(),
                populated.stats.keys,
                populated.stats.cold,
            );
            if arguments.map {
                println!("{}", populated.map);
            }
        }
        let blows: Vec<_> = match kind {
            "flip" | "word blank" | "word noise" => {
                blows.into_iter().step_by(arguments.stride).collect()
            }
            _ => blows,
        };
        let row = Row::new(&name, campaign(populated, &blows, arguments.threads));
        println!("{row}");
        for (blow, verdict) in row.examples.iter().take(arguments.show) {
            println!("    {blow:?}: {verdict:?}");
        }
        let fatal = row.examples.iter().filter(|(blow, verdict)| match verdict {
            Verdict::Wrong(_) => true,
            Verdict::Misjudged(_) | Verdict::TailLost(_) => !populated.looks_like_a_cut(blow),
            _ => false,
        });
        bad += fatal.count();
    }
    bad
}
