//! One store lives through many power cuts, one after the other: nothing may
//! be lost, and nothing may be used up.

use indelible::{Geometry, Mode, Order};
use indelible_tests::explorer::{Run, one};
use indelible_tests::geometries;
use indelible_tests::random::Mix;
use indelible_tests::script::{Op, Workload};
use indelible_tests::seed::{mix, seed, times};
use indelible_tests::sim::{Chooser, Decision, Sim};
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::{Leave, Subject};
use std::sync::Arc;

const LOGS: [u64; 2] = [700, 1500];

fn operations(geometry: Geometry, live_max: u64) -> Mix {
    Mix {
        keys: 12,
        value_max: 300,
        logs: LOGS.to_vec(),
        append_max: 200,
        live_max,
        unit: match geometry.order {
            Order::Ordered => u64::from(geometry.write_unit),
            Order::Unordered => 8,
        },
        list_max: 4,
        restarts: true,
    }
}

/// What a power cut left, in words.
fn dump(real: &Real, left: &Sim) -> String {
    let mut text = String::new();
    let shown = real.open(&mut left.clone(), Mode::ReadOnly, &mut |store, report| {
        text = format!("{report:?}\n{}", store.dump());
        Ok(Leave::Drop)
    });
    match shown {
        Ok(()) => text,
        Err(failure) => failure.to_string(),
    }
}

/// A decision in short.
fn told(decision: &Decision) -> String {
    let site = decision.site;
    format!(
        "{:?}@{}={}/{}",
        site.kind, site.at, decision.choice, site.options
    )
}

/// Cuts power `lives` times.
fn live(
    geometry: Geometry,
    index: Indexed,
    seed: u64,
    lives: u64,
    flickers: usize,
) -> Result<(), String> {
    let real = Real::new(&LOGS).indexed(index);
    let mut sim = Sim::new(geometry);
    sim.rig_mut().tearing.flickers = flickers;
    sim.rig_mut().tearing.decays = flickers > 0;
    let layout = real.layout(&sim).map_err(|failure| failure.to_string())?;
    let mix_of_operations = operations(geometry, layout.kv_capacity * 6 / 10);
    real.setup(&mut sim)
        .map_err(|failure| failure.to_string())?;
    let mut legal = vec![Arc::new(Contents::empty(LOGS.len()))];
    let mut retry: Option<Op> = None;
    let mut place = String::new();
    for life in 0..lives {
        let seed = mix(&[seed, life]);
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = rng.usize(0..12);
        // Where the cut undid an operation, it is done again first.
        let from = &legal[legal.len() - 1];
        let ops = mix_of_operations.operations_after(from, seed, count);
        let workload = Workload::new("a life", ops.clone()).logs(&LOGS);
        let mut origin = sim.clone();
        sim.rig_mut().start_journal();
        let mut run = Run::new(&real, &workload);
        let lived = run.go(&mut sim, legal, retry.as_ref(), &ops);
        origin.pin(&sim.rig().decisions());
        if let Err(failure) = lived {
            let left = dump(&real, &origin);
            let done: Vec<_> = run.spans.iter().map(|span| &span.doing).collect();
            let choices: Vec<_> = sim.rig().decisions().iter().map(told).collect();
            return Err(format!(
                "life {life} ({place}; {choices:?}): {failure}, after {done:#?}\n{left}"
            ));
        }
        let which = |count| rng.usize(..count);
        let cut = one(&origin, sim.rig().journal(), &run.spans, which);
        let cut = cut.map_err(|error| error.to_string())?;
        (sim, legal, retry, place) = (cut.sim, cut.legal, cut.op, cut.place);
        sim.rig().set_chooser(Chooser::random(seed));
    }
    Ok(())
}

/// On all media, or on the one that `INDELIBLE_ON` names.
fn everywhere(test: &str, flickers: usize) {
    let seed = seed(test, 1);
    let only = std::env::var("INDELIBLE_ON").ok();
    let mut failures = String::new();
    for geometry in geometries::all() {
        if only
            .as_ref()
            .is_some_and(|only| *only != geometries::name(geometry))
        {
            continue;
        }
        let larger = geometries::larger(geometry, 2);
        for (index, geometry) in [(Indexed::Hash, geometry), (Indexed::Ordered, larger)] {
            let seed = mix(&[seed, u64::from(geometry.write_unit)]);
            if let Err(failure) = live(geometry, index, seed, 60 * times(), flickers) {
                failures += &format!("{} {index:?}: {failure}\n", geometries::name(geometry));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_store_survives_many_power_cuts() {
    everywhere("a_store_survives_many_power_cuts", 0);
}

#[test]
fn a_store_survives_units_that_read_differently_from_one_look_to_the_next() {
    everywhere("a_store_survives_units", 1);
}
