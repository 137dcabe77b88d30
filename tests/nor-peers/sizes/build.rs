//! Links firmware by the script of the core's own sizes.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sizes/link.x");
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
