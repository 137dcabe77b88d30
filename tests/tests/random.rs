//! Random operations against the specification: with restarts, reclaiming and
//! aborts, in stores that are rather full.

use indelible::{Geometry, Order};
use indelible_tests::explorer::Run;
use indelible_tests::geometries;
use indelible_tests::random::Mix;
use indelible_tests::script::{Op, Workload};
use indelible_tests::seed::{mix, seed, times};
use indelible_tests::shrink::shrink;
use indelible_tests::sim::Sim;
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::{Failure, Subject};
use std::sync::Arc;

const LOGS: [u64; 2] = [700, 1500];

fn run(real: &Real, geometry: Geometry, ops: &[Op], may_fill: bool) -> Result<(), Failure> {
    let mut sim = Sim::new(geometry);
    real.setup(&mut sim)?;
    let mut workload = Workload::new("random", ops.to_vec()).logs(&LOGS);
    workload.may_fill = may_fill;
    let empty = Arc::new(Contents::empty(LOGS.len()));
    Run::new(real, &workload).go(&mut sim, vec![empty], None, ops)?;
    Ok(())
}

/// Runs random operations; makes what fails short, and says it.
fn judge(seed: u64, geometry: Geometry, real: &Real, percent: u64, count: usize) -> String {
    let layout = real.layout(&Sim::new(geometry)).unwrap();
    let seed = mix(&[seed, u64::from(geometry.write_unit)]);
    let unit = match geometry.order {
        Order::Ordered => u64::from(geometry.write_unit),
        Order::Unordered => 8,
    };
    let may_fill = percent > 100;
    let mix = Mix {
        keys: 14,
        value_max: 300,
        logs: LOGS.to_vec(),
        append_max: 200,
        live_max: layout.kv_capacity * percent / 100,
        unit,
        list_max: 5,
        restarts: true,
    };
    let operations = mix.operations(seed, count);
    let Err(failure) = run(real, geometry, &operations, may_fill) else {
        return String::new();
    };
    // Fewer operations need not leave the room that the generator saw to.
    let lenient = !failure.to_string().contains("NoRoom");
    let fails = |ops: &[Op]| {
        let result = std::panic::catch_unwind(|| run(real, geometry, ops, lenient));
        mix.fits(ops) && !matches!(result, Ok(Ok(())))
    };
    let short = shrink(&operations, &fails);
    let again = run(real, geometry, &short, lenient);
    format!(
        "{} {:?}: {failure}\nshortened, {again:?}:\n{short:#?}\n",
        geometries::name(geometry),
        real.index,
    )
}

fn everywhere(test: &str, percent: u64, count: usize) {
    everywhere_with(test, percent, count, |index| {
        Real::new(&LOGS).indexed(index)
    });
}

fn everywhere_with(test: &str, percent: u64, count: usize, real: impl Fn(Indexed) -> Real) {
    let seed = seed(test, 1);
    let count = count * times() as usize;
    let mut failures = String::new();
    for geometry in geometries::all() {
        for index in [Indexed::Hash, Indexed::Ordered] {
            let geometry = geometries::larger(geometry, 2);
            let real = real(index);
            failures += &judge(seed, geometry, &real, percent, count);
            let loads = real.loads();
            println!("{} {index:?}: {loads} loads", geometries::name(geometry));
            assert!(real.saving == (loads > 0) || percent > 100);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_half_full_store_does_what_is_specified() {
    everywhere("a_half_full_store", 50, 500);
}

#[test]
fn a_rather_full_store_refuses_nothing() {
    everywhere("a_rather_full_store", 80, 500);
}

#[test]
fn a_full_store_loses_nothing() {
    everywhere("a_full_store", 150, 500);
}

#[test]
fn an_index_that_is_saved_is_the_one_that_would_be_built() {
    let saving = |index| Real::new(&LOGS).indexed(index).saving().compared();
    everywhere_with("an_index_that_is_saved", 60, 500, saving);
}

#[test]
fn a_full_store_saves_its_index_where_there_is_room() {
    let saving = |index| Real::new(&LOGS).indexed(index).saving().compared();
    everywhere_with("a_full_store_saves", 150, 500, saving);
}
