//! The explorer, judged on toys.

use super::toy::{Fault, Toy, geometry};
use super::*;
use crate::script::put;
use indelible::Order;

fn workload() -> Workload {
    let puts = [b"one 1234", b"two 5678", b"three 90"];
    let ops = puts.iter().map(|value| put(b"k", *value)).collect();
    Workload::new("three puts", ops).then(vec![put(b"k", b"go on...")])
}

fn run(fault: Fault, order: Order, write_unit: u32, bounds: Bounds) -> Result<Tally, String> {
    explore(
        &Toy(fault),
        &workload(),
        geometry(order, write_unit),
        bounds,
    )
    .map_err(|found| found.to_string())
}

fn exhaustive() -> Bounds {
    Bounds {
        exhaustive_log2: 12,
        nested: 4,
        nested_cuts: usize::MAX,
        ..Bounds::quick()
    }
}

#[test]
fn a_right_toy_passes_everywhere() {
    let memory = run(Fault::None, Order::Unordered, 8, exhaustive().depth(3)).unwrap();
    println!("memory: {memory}");
    assert_eq!(memory.levels[0].complete, memory.levels[0].cuts);
    for write_unit in [1, 2, 4, 8, 16, 32, 256] {
        let flash = run(Fault::None, Order::Ordered, write_unit, Bounds::quick()).unwrap();
        println!("flash {write_unit}: {flash}");
    }
}

#[test]
fn a_right_toy_passes_with_unstable_bits() {
    let flash = run(Fault::None, Order::Ordered, 4, exhaustive().flickers(1)).unwrap();
    println!("{flash}");
}

#[test]
fn every_fault_is_found_on_memory() {
    for fault in [
        Fault::NoFlush,
        Fault::NoChecksum,
        Fault::Oldest,
        Fault::TornIsDamage,
    ] {
        let found = run(fault, Order::Unordered, 8, exhaustive()).expect_err("a counterexample");
        println!("{fault:?}: {found}");
    }
}

#[test]
fn every_fault_is_found_on_flash() {
    let faults = [
        Fault::NoFlush,
        Fault::NoChecksum,
        Fault::Oldest,
        Fault::NoFreshSector,
        Fault::NoCopy,
        Fault::TornIsDamage,
    ];
    for fault in faults {
        let bounds = exhaustive().flickers(1);
        let found = run(fault, Order::Ordered, 4, bounds).expect_err("a counterexample");
        println!("{fault:?}: {found}");
    }
}

#[test]
fn threads_find_the_same() {
    let one = run(Fault::None, Order::Ordered, 8, Bounds::quick()).unwrap();
    let bounds = Bounds {
        threads: 2,
        ..Bounds::quick()
    };
    let two = run(Fault::None, Order::Ordered, 8, bounds).unwrap();
    assert_eq!(one.visited(), two.visited());
}

#[test]
fn a_right_toy_survives_every_failing_operation() {
    for (order, write_unit) in [(Order::Unordered, 8), (Order::Ordered, 4)] {
        let geometry = geometry(order, write_unit);
        let bounds = Bounds::quick();
        let tally = explore_faults(&Toy(Fault::None), &workload(), geometry, bounds, 16);
        println!(
            "{order:?}: {}",
            tally.map_err(|found| found.to_string()).unwrap()
        );
    }
}

#[test]
fn a_flush_whose_failure_is_ignored_is_found() {
    let geometry = geometry(Order::Unordered, 8);
    let bounds = Bounds::quick();
    let found = explore_faults(&Toy(Fault::IgnoreFlush), &workload(), geometry, bounds, 16)
        .expect_err("a counterexample");
    println!("{found}");
}

#[test]
fn a_killed_process_must_not_be_believed_before_a_flush() {
    let found = run(Fault::Credulous, Order::Unordered, 8, exhaustive());
    let found = found.expect_err("a counterexample");
    assert!(found.contains("process killed"), "{found}");
    println!("{found}");
}

#[test]
fn a_setup_may_be_cut_anywhere() {
    for (order, write_unit) in [(Order::Unordered, 8), (Order::Ordered, 4)] {
        for over in [false, true] {
            let geometry = geometry(order, write_unit);
            let bounds = Bounds::quick();
            let tally = explore_setup(&Toy(Fault::None), &workload(), geometry, bounds, over);
            println!(
                "{order:?}: {}",
                tally.map_err(|found| found.to_string()).unwrap()
            );
        }
    }
}

#[test]
fn a_setup_that_leaves_an_old_store_is_found() {
    let geometry = geometry(Order::Ordered, 4);
    let bounds = Bounds::quick();
    let found = explore_setup(&Toy(Fault::IdleSetup), &workload(), geometry, bounds, true);
    println!("{}", found.expect_err("a counterexample"));
}
