//! The long runs: 10,000 operations on flash of each write unit, the power cut
//! at every step. Minutes; two at a time.
//!
//!     cargo run --release -p indelible-powercut [OPERATIONS [SEED]]

use indelible_powercut::{Arena, Plan, run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

const THREADS: usize = 2;

/// Runs one flash, prints what was done and says whether all was well.
type Job = fn(u32, u64) -> bool;

fn cut<const UNIT: usize, const SECTOR: usize, const BYTES: usize, const USED: usize>(
    operations: u32,
    seed: u64,
) -> bool {
    let plan = Plan {
        seed,
        operations,
        tears: 1,
        goes_on: 4,
        cuts: 20,
    };
    let began = Instant::now();
    let mut arena = Box::new(Arena::<BYTES, USED>::new());
    let outcome = run::<UNIT, SECTOR, BYTES, USED>(&plan, &mut arena);
    let seconds = began.elapsed().as_secs();
    println!("units of {UNIT}, seed {seed}, {seconds} s: {outcome}");
    outcome.violation.is_none()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Ok(operations), Ok(seed)) = (
        arguments.next().unwrap_or(Ok(10_000)),
        arguments.next().unwrap_or(Ok(1)),
    ) else {
        eprintln!("usage: powercut [OPERATIONS [SEED]]");
        return ExitCode::from(2);
    };
    // The longest first, at the end.
    let jobs: Mutex<Vec<Job>> = Mutex::new(vec![
        cut::<512, 8192, { 32 * 8192 }, { 4 * 8192 / 512 }>,
        cut::<256, 4096, { 32 * 4096 }, { 4 * 4096 / 256 }>,
        cut::<32, 1024, { 32 * 1024 }, { 4 * 1024 / 32 }>,
        cut::<16, 1024, { 32 * 1024 }, { 4 * 1024 / 16 }>,
        cut::<8, 1024, { 32 * 1024 }, { 4 * 1024 / 8 }>,
        cut::<4, 1024, { 32 * 1024 }, { 4 * 1024 / 4 }>,
    ]);
    let work = || {
        let mut well = true;
        loop {
            let job = jobs.lock().ok().and_then(|mut jobs| jobs.pop());
            let Some(job) = job else {
                return well;
            };
            well &= job(operations as u32, seed);
        }
    };
    let well = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .all(|thread| thread.join().unwrap_or(false))
    });
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
