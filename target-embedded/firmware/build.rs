//! Says where the machine's memory is.

use std::env::var;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=memory");
    let script = match var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") => "mps2-an386.x",
        Ok("riscv32") => "virt.x",
        other => panic!("no machine for {other:?}: see README.md"),
    };
    let out = var("OUT_DIR").expect("cargo sets it");
    let from = Path::new("memory").join(script);
    std::fs::copy(&from, Path::new(&out).join("memory.x")).expect("the script is there");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}
