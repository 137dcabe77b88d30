//! The orders in which threads may run, tried by a scheduler of our own
//! choosing: `RUSTFLAGS='--cfg shuttle' cargo test -p indelible-threads`.
#![cfg(shuttle)]

use std::sync::Arc;

use indelible_threads::{Call, Images, KEYS, Random, Spec, Subject};
use shuttle::sync::Mutex;
use shuttle::{scheduler, thread};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

const THREADS: u64 = 3;
const CALLS: usize = 3;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |it| it.parse().expect("a number"))
}

/// Runs threads over a store in orders chosen at random, in two ways. A failure
/// prints the schedule, which `INDELIBLE_SCHEDULE` runs again.
fn explore(run: impl Fn() + Send + Sync + 'static) {
    let (seed, rounds) = (
        setting("INDELIBLE_SEED", 0x5EED),
        setting("INDELIBLE_ROUNDS", 1500),
    );
    println!("INDELIBLE_SEED={seed}");
    let run = Arc::new(run);
    if let Ok(schedule) = std::env::var("INDELIBLE_SCHEDULE") {
        return shuttle::replay(move || run(), &schedule);
    }
    let config = shuttle::Config::new;
    let again = Arc::clone(&run);
    let random = scheduler::RandomScheduler::new_from_seed(seed, rounds as usize);
    shuttle::Runner::new(random, config()).run(move || run());
    // Few switches, where they hurt (Burckhardt et al. 2010).
    let few = scheduler::PctScheduler::new_from_seed(seed, 3, rounds as usize);
    shuttle::Runner::new(few, config()).run(move || again());
}

type Tester = Arc<Mutex<LinearizabilityTester<u64, Spec>>>;

/// Each thread's calls, judged.
fn judge<S: Subject>(store: S, calls: Vec<Vec<Call>>) {
    let tester: Tester = Arc::new(Mutex::new(LinearizabilityTester::new(Spec::default())));
    let threads: Vec<_> = calls
        .into_iter()
        .zip(0..)
        .map(|(calls, number)| {
            let (store, tester) = (store.clone(), Arc::clone(&tester));
            thread::spawn(move || {
                for call in calls {
                    tester
                        .lock()
                        .unwrap()
                        .on_invoke(number, call.clone())
                        .unwrap();
                    let told = store.call(&call).unwrap();
                    tester.lock().unwrap().on_return(number, told).unwrap();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let tester = tester.lock().unwrap();
    assert!(tester.is_consistent(), "{tester:#?}");
}

/// Other calls each time the function is called.
fn calls(log: bool) -> Vec<Vec<Call>> {
    use shuttle::rand::{Rng, thread_rng};
    let mut random = Random(thread_rng().r#gen::<u64>() | 1);
    (0..THREADS)
        .map(|_| (0..CALLS).map(|_| random.call(log)).collect())
        .collect()
}

#[test]
fn a_shared_store_is_linearizable_in_any_order() {
    let images = Images::new();
    explore(move || judge(images.shared(thread::yield_now), calls(true)));
}

#[test]
fn a_store_in_shards_is_linearizable_in_any_order() {
    let images = Images::new();
    explore(move || judge(images.sharded(thread::yield_now), calls(false)));
}

/// What reads all shards beside what writes to all of them.
#[test]
fn transactions_over_shards_are_seen_whole() {
    let images = Images::new();
    let batch = |value| Call::Batch((0..KEYS).map(|key| (key, value)).collect());
    explore(move || {
        let writer = vec![batch(1), batch(2), batch(3)];
        let calls = vec![
            writer,
            vec![Call::GetAll; 4],
            vec![Call::GetAll, Call::Add(1)],
        ];
        judge(images.sharded(thread::yield_now), calls);
    });
}

/// A store that is closed while others work: each call is done or refused.
#[test]
fn closing_comes_between_calls() {
    let images = Images::new();
    explore(move || {
        let store = images.shared(thread::yield_now);
        let writers: Vec<_> = (0..2)
            .map(|number| {
                let store = store.clone();
                thread::spawn(move || store.put(&[number + 1], b"value").is_ok())
            })
            .collect();
        store.close().unwrap();
        writers
            .into_iter()
            .for_each(|writer| assert!(writer.join().is_ok()));
        assert!(store.put(b"late", b"").is_err() && store.get(b"late").is_err());
    });
}
