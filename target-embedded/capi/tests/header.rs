//! `include/indelible.h` is what the crate's source says it is.
//!
//! After a change: `INDELIBLE_WRITE_HEADER=1 cargo test -p indelible-capi`.

#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn the_committed_header_is_current() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_crate(here)
        .with_config(config)
        .generate()
        .unwrap()
        .write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = here.join("include/indelible.h");
    if std::env::var_os("INDELIBLE_WRITE_HEADER").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made
        .lines()
        .zip(committed.lines())
        .position(|(a, b)| a != b);
    assert!(
        made == committed,
        "include/indelible.h differs from the source, first in line {}: \
         run INDELIBLE_WRITE_HEADER=1 cargo test -p indelible-capi --test header",
        differs.map_or(committed.lines().count(), |line| line + 1)
    );
}
