//! Histories of real threads.
#![cfg(not(shuttle))]

use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use indelible_threads::{Images, Random, Spec, Subject};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

const THREADS: u64 = 4;
const CALLS: usize = 5;

/// As long as a disk takes, so that calls overlap.
fn pause() {
    thread::sleep(Duration::from_micros(60));
}

fn rounds(open: impl Fn() -> Box<dyn Fn(u64)>) {
    let setting = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |it| it.parse().expect("a number"))
    };
    let seed: u64 = setting("INDELIBLE_SEED", 0x5EED);
    println!("INDELIBLE_SEED={seed}");
    for round in 0..setting("INDELIBLE_ROUNDS", 150) {
        open()(seed ^ round << 8);
    }
}

/// Threads call a new store; their history has to be linearizable.
fn judge<S: Subject + Sync>(store: &S, seed: u64) {
    let tester = Mutex::new(LinearizabilityTester::new(Spec::default()));
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (tester, start) = (&tester, &start);
            scope.spawn(move || {
                let mut random = Random(seed << 3 | number << 1 | 1);
                start.wait();
                for _ in 0..CALLS {
                    let call = random.call(S::LOG);
                    tester
                        .lock()
                        .unwrap()
                        .on_invoke(number, call.clone())
                        .unwrap();
                    let told = store.call(&call).unwrap();
                    tester.lock().unwrap().on_return(number, told).unwrap();
                }
            });
        }
    });
    let tester = tester.into_inner().unwrap();
    assert!(tester.is_consistent(), "seed {seed}: {tester:#?}");
}

#[test]
fn a_shared_store_is_linearizable() {
    let images = Images::new();
    rounds(|| {
        let store = images.shared(pause);
        Box::new(move |seed| judge(&store, seed))
    });
}

#[test]
fn a_store_in_shards_is_linearizable() {
    let images = Images::new();
    rounds(|| {
        let store = images.sharded(pause);
        Box::new(move |seed| judge(&store, seed))
    });
}
