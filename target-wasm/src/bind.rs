//! What JavaScript calls. `js/engine.js` is the only caller, and gives it words.
//!
//! Arguments are numbers. Bytes go through two buffers of the handle: `input`,
//! which the caller fills, and whatever `at` and `length` point to, valid until
//! the next call. A call that fails returns [`FAILED`]; `figure` then tells
//! the code of its error and what belongs to it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use wasm_bindgen::prelude::*;

use crate::below;
use crate::codes::{code, item_row};
use crate::engine::{Engine, EngineError, Options};
use crate::image::{Failed, Port};
use crate::ops::{Op, Results};
use indelible::Hit;

/// There is no such thing.
const ABSENT: i32 = -1;
/// There was an error.
const FAILED: i32 = -2;
/// The code of a call without a store.
const CLOSED: u8 = 28;

#[wasm_bindgen]
extern "C" {
    /// A medium of JavaScript that answers whether it did what it was asked.
    pub type JsPort;
    #[wasm_bindgen(method)]
    fn read(this: &JsPort, at: u32, bytes: &mut [u8]) -> bool;
    #[wasm_bindgen(method)]
    fn write(this: &JsPort, at: u32, bytes: &[u8]) -> bool;
    #[wasm_bindgen(method)]
    fn flush(this: &JsPort) -> bool;
}

fn done(well: bool) -> Result<(), Failed> {
    if well { Ok(()) } else { Err(below::FAULT) }
}

impl Port for JsPort {
    fn read(&self, at: usize, bytes: &mut [u8]) -> Result<(), Failed> {
        done(JsPort::read(self, at as u32, bytes))
    }
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Failed> {
        done(JsPort::write(self, at as u32, bytes))
    }
    fn flush(&mut self) -> Result<(), Failed> {
        done(JsPort::flush(self))
    }
}

/// A store, and the buffers of its calls.
#[wasm_bindgen]
pub struct Handle {
    engine: Option<Box<Engine<JsPort>>>,
    input: Vec<u8>,
    output: Vec<u8>,
    results: Results,
    figures: [f64; 8],
    /// Where the last answer lies.
    at: *const u8,
    length: usize,
}

#[wasm_bindgen]
impl Handle {
    /// A handle without a store.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Handle {
        Handle {
            engine: None,
            input: Vec::new(),
            output: Vec::new(),
            results: Results::default(),
            figures: [0.0; 8],
            at: core::ptr::null(),
            length: 0,
        }
    }

    /// Makes room for `length` bytes of input; where they go.
    pub fn input(&mut self, length: usize) -> *mut u8 {
        if self.input.len() < length {
            self.input.resize(length, 0);
        }
        self.input.as_mut_ptr()
    }

    /// Where the bytes of the last answer are.
    pub fn at(&self) -> *const u8 {
        self.at
    }

    /// How many bytes the last answer has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// A figure of the last answer or error.
    pub fn figure(&self, number: usize) -> f64 {
        self.figures.get(number).copied().unwrap_or(0.0)
    }

    /// Opens the store of a port; the input is the capacity of each log, in 8
    /// bytes.
    #[allow(clippy::too_many_arguments)]
    pub fn open(
        &mut self,
        port: JsPort,
        size: usize,
        create: bool,
        read_only: bool,
        nonce_high: u32,
        nonce_low: u32,
        segment_size: u32,
        logs: usize,
    ) -> i32 {
        let (words, _) = self.input.as_chunks::<8>();
        let words = words.iter().take(logs);
        let logs: Vec<u64> = words.map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let options = Options {
            size,
            create,
            read_only,
            nonce: u64::from(nonce_high) << 32 | u64::from(nonce_low),
            segment_size: (segment_size > 0).then_some(segment_size),
            logs: &logs,
        };
        match Engine::open(port, &options) {
            Ok(engine) => {
                self.engine = Some(Box::new(engine));
                0
            }
            Err(error) => self.failed(&error),
        }
    }

    /// What opening found: figures clean, torn bytes or -1, healed bits, damaged
    /// runs, abandoned segments; the answer is four numbers for each of the
    /// first runs: whose (0 ledger, 1 cold, 2 log), log, address, length.
    pub fn report(&mut self) -> i32 {
        self.with(|engine, handle| {
            let report = engine.report();
            let torn = report.torn.map_or(-1.0, |torn| number(torn.bytes));
            handle.figures = [0.0; 8];
            for (to, from) in handle.figures.iter_mut().zip([
                f64::from(u8::from(report.clean)),
                torn,
                report.healed_bits.into(),
                report.damaged.into(),
                report.abandoned.into(),
            ]) {
                *to = from;
            }
            handle.results.0.clear();
            for damage in &report.damages {
                let (whose, log) = match damage.hit {
                    Hit::Ledger => (0.0, 0.0),
                    Hit::Cold => (1.0, 0.0),
                    Hit::Log(log) => (2.0, number(log as u64)),
                };
                let row = [whose, log, number(damage.at), number(damage.len)];
                handle.results.0.extend_from_slice(&row);
            }
            handle.answer_results();
            Ok(0)
        })
    }

    /// Figures of the store: bytes, bytes of a segment, logs, longest key,
    /// longest value, bytes that records take, bytes that fit, keys.
    pub fn about(&mut self) -> i32 {
        self.with(|engine, handle| {
            let store = engine.store();
            let layout = store.layout();
            let room = store.room();
            handle.figures = [
                number(layout.geometry.capacity),
                layout.segment_size.into(),
                layout.logs.into(),
                number(store.key_max() as u64),
                number(store.value_max()),
                number(layout.kv_capacity) - number(room.record_bytes),
                number(layout.kv_capacity),
                number(store.len()),
            ];
            Ok(0)
        })
    }

    /// How many keys there are.
    pub fn size(&self) -> f64 {
        let engine = self.engine.as_ref();
        engine.map_or(0.0, |engine| number(engine.store().len()))
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        let engine = self.engine.as_ref();
        engine.is_some_and(|engine| engine.store().in_transaction())
    }

    /// Applies operations, `length` bytes of input, in the open transaction.
    /// The answer is four numbers for each.
    pub fn apply(&mut self, length: usize) -> i32 {
        self.with(|engine, handle| {
            handle.results.0.clear();
            let ops = handle.input.get(..length).unwrap_or_default();
            let done = engine.apply(ops, &mut handle.results);
            handle.answer_results();
            done.map(|()| 0)
        })
    }

    /// One operation: its kind and numbers as in `ops`, the input is its key and
    /// what follows. In a transaction where `staged`, else durable. Figure 0 is
    /// its answer.
    pub fn one(&mut self, kind: u8, a: usize, b: usize, staged: bool) -> i32 {
        self.with(|engine, handle| {
            if let Some((op, _)) = Op::read(kind, a, b, &handle.input) {
                handle.figures[0] = engine.one(&op, staged)?;
            }
            Ok(0)
        })
    }

    /// Makes what was applied durable.
    pub fn commit(&mut self) -> i32 {
        self.with(|engine, _| engine.commit().map(|()| 0))
    }

    /// Forgets what was applied.
    pub fn abort(&mut self) -> i32 {
        self.with(|engine, _| engine.abort().map(|()| 0))
    }

    /// The value of the key of `length` bytes of input is the answer; its
    /// length, or -1 where there is none.
    pub fn get(&mut self, length: usize) -> i32 {
        self.with(|engine, handle| {
            let key = handle.input.get(..length).unwrap_or_default();
            let store = engine.store();
            if let Some(value) = store.get_ref(key)? {
                handle.at = value.as_ptr();
                handle.length = value.len();
                return Ok(value.len() as i32);
            }
            let Some(len) = store.value_len(key)? else {
                return Ok(ABSENT);
            };
            handle.output.clear();
            handle.output.resize(len as usize, 0);
            store.get(key, &mut handle.output)?;
            handle.answer_output();
            Ok(len as i32)
        })
    }

    /// Whether there is the key of `length` bytes of input: 1 or 0.
    pub fn has(&mut self, length: usize) -> i32 {
        self.with(|engine, handle| {
            let key = handle.input.get(..length).unwrap_or_default();
            engine.store().contains(key).map(i32::from)
        })
    }

    /// A page of entries from the first `from` bytes of input, and before the
    /// `end` bytes behind them where it is not negative: `limit` of them, or as
    /// many as fill `bytes`. The answer is key length, value length (4 bytes
    /// each), key and value of each; figure 0 is 1 where there may be more.
    /// How many they are.
    #[allow(clippy::too_many_arguments)]
    pub fn scan(
        &mut self,
        from: usize,
        end: i32,
        reverse: bool,
        values: bool,
        limit: u32,
        bytes: usize,
    ) -> i32 {
        self.with(|engine, handle| {
            let (from, rest) = handle.input.split_at_checked(from).unwrap_or_default();
            let end = usize::try_from(end).ok().and_then(|end| rest.get(..end));
            let output = &mut handle.output;
            output.clear();
            let mut count = 0u32;
            let more = engine.walk(from, end, reverse, &mut |store, key, len| {
                if count >= limit || output.len() >= bytes {
                    return Ok(false);
                }
                count = count.saturating_add(1);
                let len = if values { len as usize } else { 0 };
                output.extend_from_slice(&(key.len() as u32).to_le_bytes());
                output.extend_from_slice(&(len as u32).to_le_bytes());
                output.extend_from_slice(key);
                let at = output.len();
                output.resize(at.saturating_add(len), 0);
                if let Some(value) = output.get_mut(at..).filter(|_| values) {
                    store.get(key, value)?;
                }
                Ok(true)
            })?;
            handle.figures = [0.0; 8];
            handle.figures[0] = f64::from(u8::from(more));
            handle.answer_output();
            Ok(count as i32)
        })
    }

    /// Head, tail and capacity of a log, as figures.
    pub fn span(&mut self, log: usize) -> i32 {
        self.with(|engine, handle| {
            let span = engine.store().get_head_tail_and_capacity(log)?;
            handle.figures = [0.0; 8];
            let [head, tail, capacity, ..] = &mut handle.figures;
            *head = number(span.head);
            *tail = number(span.tail);
            *capacity = number(span.capacity);
            Ok(0)
        })
    }

    /// `length` bytes of a log from a position are the answer.
    pub fn read(&mut self, log: usize, position: f64, length: usize) -> i32 {
        self.with(|engine, handle| {
            let store = engine.store();
            let span = store.get_head_tail_and_capacity(log)?;
            // Nothing that a log cannot have is made room for.
            let length = length.min(span.capacity.saturating_add(1) as usize);
            handle.output.clear();
            handle.output.resize(length, 0);
            store.read(log, position as u64, &mut handle.output)?;
            handle.answer_output();
            Ok(length as i32)
        })
    }

    /// Verifies everything. Figures: frames, entries, log bytes, healed,
    /// damaged. The answer is, for each finding, what was hit, which log,
    /// healed, and the key's length or -1 (4 bytes each), address (8), key.
    pub fn check(&mut self) -> i32 {
        self.with(|engine, handle| {
            let output = &mut handle.output;
            output.clear();
            let cursor = engine.check(&mut |finding| {
                let (what, log) = item_row(finding.item);
                let key_len = finding.key.map_or(u32::MAX, |key| key.len() as u32);
                for word in [what as u32, log as u32, finding.healed.into(), key_len] {
                    output.extend_from_slice(&word.to_le_bytes());
                }
                output.extend_from_slice(&number(finding.at).to_le_bytes());
                output.extend_from_slice(finding.key.unwrap_or_default());
            })?;
            let checked = cursor.checked();
            handle.figures = [
                number(checked.frames),
                number(checked.entries),
                number(checked.log_bytes),
                number(checked.healed),
                number(checked.damaged),
                0.0,
                0.0,
                0.0,
            ];
            handle.answer_output();
            Ok(0)
        })
    }

    /// Accepts damage.
    pub fn accept_damage(&mut self) -> i32 {
        self.with(|engine, _| engine.accept_damage().map(|()| 0))
    }

    /// The image is the answer.
    pub fn image(&mut self) -> i32 {
        self.with(|engine, handle| {
            let bytes = below::image::<JsPort>(engine.store().medium()).bytes();
            handle.at = bytes.as_ptr();
            handle.length = bytes.len();
            Ok(0)
        })
    }

    /// Closes the store.
    pub fn close(&mut self) -> i32 {
        match self.engine.take().map(|engine| engine.close()) {
            Some(Err(error)) => self.failed(&error),
            _ => 0,
        }
    }
}

impl Handle {
    /// Runs a call on the store.
    fn with(
        &mut self,
        run: impl FnOnce(&mut Engine<JsPort>, &mut Handle) -> Result<i32, EngineError>,
    ) -> i32 {
        let Some(mut engine) = self.engine.take() else {
            self.figures[0] = f64::from(CLOSED);
            return FAILED;
        };
        let result = run(&mut engine, self);
        self.engine = Some(engine);
        match result {
            Ok(answer) => answer,
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &EngineError) -> i32 {
        let [code, a, b, c] = code(error);
        self.figures = [code, a, b, c, 0.0, 0.0, 0.0, 0.0];
        FAILED
    }

    fn answer_output(&mut self) {
        self.at = self.output.as_ptr();
        self.length = self.output.len();
    }

    fn answer_results(&mut self) {
        self.at = self.results.0.as_ptr().cast();
        self.length = size_of_val(self.results.0.as_slice());
    }
}

/// JavaScript's numbers are exact up to 2^53, far beyond a store's size.
#[allow(clippy::cast_precision_loss)]
fn number(value: u64) -> f64 {
    value as f64
}
