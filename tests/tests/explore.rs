//! Power fails everywhere, and recovery is judged. The bin `explore` looks
//! further: see its head.

use indelible::Geometry;
use indelible_tests::explorer::{Bounds, Tally, explore, explore_faults, explore_setup};
use indelible_tests::geometries;
use indelible_tests::script::{Op, Workload};
use indelible_tests::store::Indexed;
use indelible_tests::workloads;

fn judge(workload: &Workload, geometry: Geometry, index: Indexed, bounds: Bounds) -> Tally {
    let real = workloads::real(workload, index);
    match explore(&real, workload, geometry, bounds) {
        Ok(tally) => {
            println!("{}: {tally}", workload.name);
            tally
        }
        Err(found) => panic!("{found}"),
    }
}

fn everything_on(geometry: Geometry, index: Indexed, bounds: Bounds) {
    let mut all = Tally::default();
    for workload in workloads::all(geometry) {
        all.add(&judge(&workload, geometry, index, bounds));
    }
    println!("all: {all}");
}

/// One test for each kind of medium, so that a failure says which.
macro_rules! on_every_medium {
    ($($name:ident: $geometry:expr, $index:ident, $bounds:expr;)*) => {$(
        #[test]
        fn $name() {
            everything_on($geometry, Indexed::$index, $bounds);
        }
    )*};
}

on_every_medium! {
    power_fails_on_memory: geometries::memory(), Hash, Bounds::quick();
    power_fails_on_memory_in_key_order: geometries::memory(), Ordered, Bounds::brief();
    power_fails_on_flash_by_1: geometries::flash(1), Hash, Bounds::brief();
    power_fails_on_flash_by_2: geometries::flash(2), Ordered, Bounds::brief();
    power_fails_on_flash_by_4: geometries::flash(4), Hash, Bounds::brief();
    power_fails_on_flash_by_8: geometries::flash(8), Ordered, Bounds::brief();
    power_fails_on_flash_by_16: geometries::flash(16), Hash, Bounds::brief();
    power_fails_on_flash_by_32: geometries::flash(32), Ordered, Bounds::brief();
    power_fails_on_flash_by_256: geometries::flash(256), Hash, Bounds::brief();
}

/// Closes that save the index, starts that load it, and what comes next, which
/// takes its segments away.
fn saved_on(geometry: Geometry, index: Indexed, bounds: Bounds) {
    let closing = [
        workloads::reopening(),
        workloads::closing(geometry),
        workloads::maintaining(geometry),
    ];
    for workload in closing {
        let real = workloads::real(&workload, index).saving();
        match explore(&real, &workload, geometry, bounds) {
            Ok(tally) => println!("{}, saved: {tally}", workload.name),
            Err(found) => panic!("{found}"),
        }
        assert!(real.loads() > 0);
    }
}

#[test]
fn power_fails_around_saved_indexes_on_memory() {
    saved_on(geometries::memory(), Indexed::Hash, Bounds::quick());
}

#[test]
fn power_fails_around_saved_indexes_on_flash_by_4() {
    saved_on(geometries::flash(4), Indexed::Hash, Bounds::brief());
}

#[test]
fn power_fails_around_saved_indexes_on_flash_by_16() {
    saved_on(geometries::flash(16), Indexed::Ordered, Bounds::brief());
}

/// Whatever happens behind a close: starts build on the index that it saved,
/// and what they find is what one finds that looks at all.
fn resumed_on(geometry: Geometry, index: Indexed, bounds: Bounds) {
    for mut workload in workloads::all(geometry) {
        workload.prelude.push(Op::Close);
        let real = workloads::real(&workload, index).saving().compared();
        match explore(&real, &workload, geometry, bounds) {
            Ok(tally) => println!("{}, saved before: {tally}", workload.name),
            Err(found) => panic!("{found}"),
        }
        println!("{} starts built on what was saved", real.resumes());
        assert!(real.resumes() > 0, "{}", workload.name);
    }
}

#[test]
fn power_fails_behind_saved_indexes() {
    resumed_on(geometries::memory(), Indexed::Hash, Bounds::brief());
}

#[test]
fn power_fails_behind_saved_indexes_in_key_order() {
    resumed_on(geometries::memory(), Indexed::Ordered, Bounds::brief());
}

/// A store grows on a medium that is longer, and is worked on behind its old
/// end.
fn grown(workload: Workload, index: Indexed, saving: bool, bounds: Bounds) {
    let geometry = workloads::growing_on(geometries::memory());
    let mut real = workloads::real(&workload, index).begins(workloads::GROWING[0]);
    real.saving = saving;
    match explore(&real, &workload, geometry, bounds) {
        Ok(tally) => println!("{}: {tally}", workload.name),
        Err(found) => panic!("{found}"),
    }
}

#[test]
fn power_fails_as_a_store_grows() {
    let workload = workloads::growing_with_all(geometries::memory());
    grown(workload, Indexed::Hash, false, Bounds::quick());
}

#[test]
fn power_fails_as_a_full_store_grows() {
    let workload = workloads::growing(geometries::memory());
    let bounds = Bounds::quick().depth(1);
    grown(workload, Indexed::Ordered, true, bounds);
}

#[test]
fn power_fails_three_times() {
    for geometry in [geometries::memory(), geometries::flash(4)] {
        let short = [
            workloads::puts(),
            workloads::spanning(),
            workloads::reopening(),
        ];
        for workload in short {
            let bounds = Bounds::brief().depth(3);
            let tally = judge(&workload, geometry, Indexed::Hash, bounds);
            assert_eq!(tally.levels.len(), 3);
        }
    }
}

#[test]
fn every_operation_of_the_medium_fails_once() {
    for geometry in [
        geometries::memory(),
        geometries::flash(4),
        geometries::flash(256),
    ] {
        let reclaiming = workloads::reclaiming(geometry);
        for workload in [workloads::spanning(), workloads::lists(), reclaiming] {
            let real = workloads::real(&workload, Indexed::Hash);
            let bounds = Bounds::brief().depth(1);
            match explore_faults(&real, &workload, geometry, bounds, 101) {
                Ok(tally) => println!("{}, one operation failing: {tally}", workload.name),
                Err(found) => panic!("{found}"),
            }
        }
    }
}

#[test]
fn every_operation_fails_once_as_a_store_grows() {
    let small = geometries::memory();
    let workload = workloads::growing_with_all(small);
    let real = workloads::real(&workload, Indexed::Hash).begins(workloads::GROWING[0]);
    let geometry = workloads::growing_on(small);
    let bounds = Bounds::brief().depth(1);
    match explore_faults(&real, &workload, geometry, bounds, 101) {
        Ok(tally) => println!("{}, one operation failing: {tally}", workload.name),
        Err(found) => panic!("{found}"),
    }
}

#[test]
fn setting_up_may_be_cut_anywhere() {
    for geometry in [
        geometries::memory(),
        geometries::flash(4),
        geometries::flash(256),
    ] {
        for over in [false, true] {
            let workload = workloads::spanning();
            let real = workloads::real(&workload, Indexed::Hash);
            match explore_setup(&real, &workload, geometry, Bounds::brief(), over) {
                Ok(tally) => println!("setting up, over a store: {over}: {tally}"),
                Err(found) => panic!("{found}"),
            }
        }
    }
}
