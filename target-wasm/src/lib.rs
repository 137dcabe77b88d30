//! Indelible stores in web pages and Node: the engine behind the npm package.
//!
//! JavaScript hands in finished media: a file, a database, or nothing at all
//! behind a [`Port`](image::Port). Nothing here waits, so whatever is asynchronous in a browser
//! (opening, locks, IndexedDB) stays in `js`. From the bottom to the top:
//!
//! * [`image`]: the medium, in memory and written through;
//! * [`index`](mod@index): a hash index and an ordered one in one;
//! * [`engine`]: the store over it, whose index and undo memory grow;
//! * [`ops`] and [`codes`]: many operations in one message, and what became of
//!   them, as numbers;
//! * `bind` (on wasm32): the functions that JavaScript calls.
//!
//! The image that a store leaves is that of a plain file: every other build of
//! Indelible opens it, and the same operations leave the same bytes there.
//!
//! ```
//! use indelible_wasm::engine::{Engine, Options};
//! use indelible_wasm::image::{Failed, Port};
//!
//! /// Keeps nothing: a store in memory alone.
//! struct Nowhere;
//!
//! impl Port for Nowhere {
//!     fn read(&self, _: usize, bytes: &mut [u8]) -> Result<(), Failed> {
//!         bytes.fill(0);
//!         Ok(())
//!     }
//!     fn write(&mut self, _: usize, _: &[u8]) -> Result<(), Failed> {
//!         Ok(())
//!     }
//!     fn flush(&mut self) -> Result<(), Failed> {
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), indelible_wasm::engine::EngineError> {
//! let options = Options {
//!     size: 1 << 20,
//!     create: true,
//!     read_only: false,
//!     nonce: 1,
//!     segment_size: None,
//!     logs: &[],
//! };
//! let mut engine = Engine::open(Nowhere, &options)?;
//! // Set `a` to `one`.
//! let op = [&[1, 0, 1, 0, 3, 0, 0, 0][..], b"aone"].concat();
//! engine.batch(&op, &mut Default::default())?;
//! assert_eq!(engine.store().get_ref(b"a")?, Some(&b"one"[..]));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod bind;
pub mod codes;
pub mod engine;
pub mod image;
pub mod index;
mod lent;
pub mod ops;

pub use indelible;
