//! The laboratory of the demo page: the core on simulated media, power cuts
//! and damage, and pictures of what stands on a medium.
//!
//! Everything that judges is the crate `indelible-tests`, the same code that
//! runs natively; this crate gives it a voice in JavaScript.
//!
//! * [`Device`]: a simulated chip or file, or an image from a visitor's disk,
//!   with a store open on it: operations, its picture, its bytes explained;
//! * [`Crash`]: a workload's writes, cut anywhere, recovered and judged;
//! * [`Corruption`]: a populated image, struck anywhere and judged.
//!
//! Objects cross as plain JavaScript values; `web-demo/src/lab/types.ts` has their
//! types. Errors are strings for people.
//!
//! The engine of the package is in the same module, from its own sources: the
//! visitor's store and the laboratory are one download, with one core in it.

extern crate alloc;

#[allow(unsafe_code)]
mod below;
#[path = "../../../target-wasm/src/bind.rs"]
mod bind;
#[path = "../../../target-wasm/src/codes.rs"]
mod codes;
#[allow(unsafe_code)]
#[path = "../../../target-wasm/src/engine.rs"]
mod engine;
#[allow(dead_code)]
#[path = "../../../target-wasm/src/image.rs"]
mod image;
#[allow(unsafe_code)]
#[path = "../../../target-wasm/src/lent.rs"]
mod lent;
#[path = "../../../target-wasm/src/ops.rs"]
mod ops;

mod bytes;
mod corruption;
mod crash;
mod device;
mod live;
mod picture;

pub use bind::Handle;
pub use corruption::Corruption;
pub use crash::Crash;
pub use device::Device;

use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Hands a value to JavaScript. Numbers are numbers, maps are objects.
fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(JsValue::from)
}

/// An error for people.
fn told(error: impl core::fmt::Display) -> JsValue {
    JsValue::from_str(&error.to_string())
}
