//! Operations and power cuts, against the specification.
#![no_main]

use fuzz_cases::operations::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|plan: Plan| plan.run());
