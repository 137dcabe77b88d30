//! Makes an input of the `operations` fuzzer short and readable:
//! `shorten FILE`.

use std::process::ExitCode;

use arbitrary::{Arbitrary, Unstructured};
use fuzz_cases::operations::Plan;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: shorten FILE");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("shorten: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let plan = match Plan::arbitrary_take_rest(Unstructured::new(&bytes)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("shorten: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    // Panics are findings like others: not a word about each.
    std::panic::set_hook(Box::new(|_| {}));
    let Some(short) = plan.campaign().shortest() else {
        println!("nothing is wrong with it");
        return ExitCode::SUCCESS;
    };
    println!("{short:?}");
    if let Err(finding) = short.run_told(&mut |place| println!("{place}")) {
        println!("{finding}");
    }
    ExitCode::SUCCESS
}
