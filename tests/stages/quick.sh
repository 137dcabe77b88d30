#!/usr/bin/env bash
# Formatting, lints, the tests of the core and of the file target, and random
# operations against the specification on every geometry: minutes, not tens.
set -euo pipefail
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test -p indelible
cargo test -p indelible-dax --lib --test host --test round_trip
cargo test -p indelible-tests --test smoke --test random
