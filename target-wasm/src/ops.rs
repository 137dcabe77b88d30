//! Operations as JavaScript sends them, many in one message.
//!
//! ```text
//! kind:8 0:8 a:16 b:32 | key: a bytes | rest: b bytes      little-endian, no padding
//! 1 set          a key, b value
//! 2 delete       a key
//! 3 clear
//! 4 append       a is the log, b its data
//! 5 advance head a is the log, b is 8: the position
//! ```

use alloc::vec::Vec;

use crate::codes::code;
use crate::engine::EngineError;

/// Bytes before the key.
const HEAD: usize = 8;
/// The kinds whose `a` is a log.
const APPEND: u8 = 4;
const ADVANCE_HEAD: u8 = 5;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op<'o> {
    /// A key gets a value.
    Set {
        /// The key.
        key: &'o [u8],
        /// The value.
        value: &'o [u8],
    },
    /// A key goes.
    Delete {
        /// The key.
        key: &'o [u8],
    },
    /// Every key goes.
    Clear,
    /// A log gets bytes.
    Append {
        /// Which log.
        log: usize,
        /// What is added.
        data: &'o [u8],
    },
    /// A log's first bytes go.
    AdvanceHead {
        /// Which log.
        log: usize,
        /// The first position that stays.
        head: u64,
    },
}

impl<'o> Op<'o> {
    /// The operation of a kind whose key and value are the first bytes, and the
    /// bytes behind them.
    #[must_use]
    pub fn read(kind: u8, a: usize, b: usize, bytes: &'o [u8]) -> Option<(Self, &'o [u8])> {
        let keyed = !matches!(kind, APPEND | ADVANCE_HEAD);
        let (key, rest) = bytes.split_at_checked(if keyed { a } else { 0 })?;
        let (value, rest) = rest.split_at_checked(b)?;
        let op = match kind {
            1 => Op::Set { key, value },
            2 => Op::Delete { key },
            3 => Op::Clear,
            APPEND => Op::Append {
                log: a,
                data: value,
            },
            ADVANCE_HEAD => Op::AdvanceHead {
                log: a,
                head: u64::from_le_bytes(*value.first_chunk()?),
            },
            _ => return None,
        };
        Some((op, rest))
    }
}

/// Operations one after the other; ends at the first that is none.
#[derive(Clone, Copy, Debug)]
pub struct Ops<'o>(pub &'o [u8]);

impl<'o> Iterator for Ops<'o> {
    type Item = Op<'o>;

    fn next(&mut self) -> Option<Op<'o>> {
        let (head, bytes) = self.0.split_first_chunk::<HEAD>()?;
        let [kind, _, a0, a1, b @ ..] = *head;
        let a = usize::from(u16::from_le_bytes([a0, a1]));
        let b = usize::try_from(u32::from_le_bytes(b)).ok()?;
        let (op, rest) = Op::read(kind, a, b, bytes)?;
        self.0 = rest;
        Some(op)
    }
}

/// What became of operations, four numbers each: the code of its error or 0,
/// then the answer (a position, how many keys went) or the error's figures.
#[derive(Debug, Default)]
pub struct Results(pub Vec<f64>);

impl Results {
    /// Adds one.
    pub fn push(&mut self, result: Result<f64, EngineError>) {
        let row = match result {
            Ok(answer) => [0.0, answer, 0.0, 0.0],
            Err(error) => code(&error),
        };
        self.0.extend_from_slice(&row);
    }
}
