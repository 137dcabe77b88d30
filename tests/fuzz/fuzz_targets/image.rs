//! Any bytes, opened as a store.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz_cases::image::run(bytes));
