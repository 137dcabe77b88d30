//! Power fails everywhere, and recovery is judged.
//!
//! `cargo test -p indelible-tests --release --test explore -- --ignored`, or
//! the bin `explore`, looks further.

use indelible::Geometry;
use indelible_tests::explorer::{Bounds, Tally, explore};
use indelible_tests::geometries;
use indelible_tests::script::Workload;
use indelible_tests::store::Indexed;
use indelible_tests::workloads;

fn judge(workload: &Workload, geometry: Geometry, index: Indexed, bounds: Bounds) -> Tally {
    let real = workloads::real(workload, index);
    let start = std::time::Instant::now();
    match explore(&real, workload, geometry, bounds) {
        Ok(tally) => {
            println!("{}: {tally} ({:?})", workload.name, start.elapsed());
            tally
        }
        Err(found) => {
            println!("{found}");
            Tally::default()
        }
    }
}

fn everything_on(geometry: Geometry) {
    for workload in workloads::all(geometry) {
        judge(&workload, geometry, Indexed::Hash, Bounds::quick());
    }
}

#[test]
fn memory() {
    everything_on(geometries::memory());
}

#[test]
fn flash_with_units_of_1() {
    everything_on(geometries::flash(1));
}

#[test]
fn flash_with_units_of_4() {
    everything_on(geometries::flash(4));
}

#[test]
fn flash_with_units_of_8() {
    everything_on(geometries::flash(8));
}

#[test]
fn flash_with_units_of_256() {
    everything_on(geometries::flash(256));
}
