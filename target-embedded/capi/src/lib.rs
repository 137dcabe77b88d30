//! The C API of Indelible: a static library and `include/indelible.h`.
//!
//! From the bottom to the top:
//!
//! * `status`: what every function returns, and the details of the last error;
//! * `arguments`: pointers and lengths from C become slices, or are refused;
//! * `flash`: the core's medium over a struct of C callbacks;
//! * `memory`: how large the lent memory is, and how the tables lie in it;
//! * `handle`: the store object, which refuses whoever comes in between;
//! * `layout`, `open`, `kv`, `transaction`, `log`, `list`, `scan`, `care`: the
//!   functions, each a thin layer over the core's of the same name.
//!
//! The header is generated from this crate and is what C programs are to read.
//! Its contract is the safety contract of every function here: pointers and
//! lengths describe memory that is there and that nobody else changes during
//! the call; memory lent at open stays lent until close.
#![no_std]
#![allow(non_camel_case_types)]
// One contract for all of them, in the documentation above and the header.
#![allow(clippy::missing_safety_doc)]

// On an operating system the standard library brings the panic handler.
#[cfg(not(target_os = "none"))]
extern crate std;

mod status;

mod arguments;
mod flash;
mod memory;

mod handle;

mod layout;
mod open;

mod kv;
mod log;
mod transaction;

mod care;
mod list;
mod scan;

pub use care::*;
pub use flash::*;
pub use handle::indelible_store;
pub use kv::*;
pub use layout::*;
pub use list::*;
pub use log::*;
pub use memory::*;
pub use open::*;
pub use scan::*;
pub use status::*;
pub use transaction::*;

/// Nothing here panics; if something does after all, it stops, and a watchdog
/// finds out. Callbacks are C.
#[cfg(all(target_os = "none", feature = "panic-handler"))]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
