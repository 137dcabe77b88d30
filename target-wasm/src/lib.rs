//! Indelible stores in web pages and Node: the engine behind the npm package.
//!
//! JavaScript hands in finished media: a file, a database, or nothing at all
//! behind a [`Port`](image::Port). Nothing here waits, so whatever is asynchronous in a browser
//! (opening, locks, IndexedDB) stays in `js`. From the bottom to the top:
//!
//! * [`image`]: the medium, in memory and written through;
//! * [`index`](mod@index): a hash index and an ordered one in one;
//! * [`below`]: of what type the two are for the core;
//! * [`engine`]: the store over it, whose index and undo memory grow;
//! * [`ops`] and [`codes`]: many operations in one message, and what became of
//!   them, as numbers;
//! * `bind` (on wasm32): the functions that JavaScript calls.
//!
//! # Cost
//!
//! Memory: the image, that is the store's whole size; about 30 bytes an index
//! entry, in indexes that grow fourfold (what is outgrown stays until the store
//! is closed); 40 bytes for each change of the largest transaction; the longest
//! input and the longest answer.
//!
//! The allocator has a dozen blocks of a store to keep, and no operation
//! allocates, so it is chosen by size. The module after `wasm-opt -Oz` and
//! `brotli -q 11`, and milliseconds to make a store, put 5000 keys into it in a
//! transaction, walk and close it (Node 20, a loaded machine: believe that they
//! differ little):
//!
//! | allocator | bytes | ms |
//! | --- | --- | --- |
//! | dlmalloc 0.2 | 55,946 | 47 |
//! | talc 4 | 54,805 | 46 |
//! | linked_list_allocator 0.10 | 54,348 | 35 |
//! | lol_alloc 0.4, chosen | 53,947 | 44 |
//!
//! `opt-level = "z"`: `s` is 4 KB larger and `3` 20 KB, for gets that take a
//! tenth and a third less.
//!
//! # Images
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

pub mod below;
#[cfg(target_arch = "wasm32")]
mod bind;
pub mod codes;
pub mod engine;
#[cfg(target_arch = "wasm32")]
mod heap;
pub mod image;
pub mod index;
mod lent;
pub mod ops;

pub use indelible;
