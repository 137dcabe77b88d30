//! How far each leading shard's intents were carried out in a shard.
//!
//! A mark is 12 bytes in the shard's log: the leader's number (4), and the end
//! of its newest intent that was carried out here (8). Marks are a table
//! written over and over: when the log gets long, a transaction writes the
//! newest mark of each leader once more and forgets what stands before.

use std::collections::BTreeMap;

use indelible::LogSpan;

use super::super::batch::Batch;
use super::MARKS;

/// Bytes of a mark.
const MARK: usize = 12;

/// Marks that a log holds before it is written anew.
const MARKS_MAX: u64 = 1024;

/// A shard's marks.
#[derive(Debug, Default)]
pub(super) struct Marks {
    newest: BTreeMap<u32, u64>,
}

impl Marks {
    /// Reads what stands in the log.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut newest = BTreeMap::new();
        for mark in bytes.as_chunks::<MARK>().0 {
            let [a, b, c, d, end @ ..] = *mark;
            let leader = u32::from_le_bytes([a, b, c, d]);
            newest.insert(leader, u64::from_le_bytes(end));
        }
        Self { newest }
    }

    /// Whether an intent that ends there was carried out.
    pub(super) fn has(&self, leader: usize, end: u64) -> bool {
        let newest = self.newest.get(&(leader as u32));
        newest.is_some_and(|newest| *newest >= end)
    }

    /// Adds to a transaction that an intent was carried out, given how the log
    /// of marks reaches.
    pub(super) fn add(&self, leader: usize, end: u64, log: LogSpan, to: &mut Batch) {
        if log.tail - log.head >= MARKS_MAX * MARK as u64 {
            let all = self.newest.iter();
            let all = all.flat_map(|(leader, end)| mark(*leader, *end));
            to.append(MARKS, &all.collect::<Vec<_>>());
            to.advance_head(MARKS, log.tail);
        }
        to.append(MARKS, &mark(leader as u32, end));
    }

    /// Notes that such a transaction was committed.
    pub(super) fn note(&mut self, leader: usize, end: u64) {
        self.newest.insert(leader as u32, end);
    }
}

fn mark(leader: u32, end: u64) -> [u8; MARK] {
    let mut bytes = [0; MARK];
    bytes[..4].copy_from_slice(&leader.to_le_bytes());
    bytes[4..].copy_from_slice(&end.to_le_bytes());
    bytes
}

/// The least capacity of the log: marks before it is written anew, and a table
/// for so many leaders.
pub(super) fn capacity(shards: usize) -> u64 {
    (MARKS_MAX + 1 + shards as u64) * MARK as u64 * 2
}

#[cfg(test)]
mod tests {
    use super::super::super::batch::What;
    use super::*;

    /// A log of bytes.
    #[derive(Default)]
    struct Log {
        head: usize,
        bytes: Vec<u8>,
    }

    impl Log {
        fn carry_out(&mut self, marks: &Marks, leader: usize, end: u64) {
            let span = LogSpan {
                head: self.head as u64,
                tail: self.bytes.len() as u64,
                capacity: capacity(3),
            };
            let mut batch = Batch::new();
            marks.add(leader, end, span, &mut batch);
            for change in batch.changes() {
                assert_eq!(change.log, MARKS);
                match change.what {
                    What::Append => self.bytes.extend_from_slice(change.data),
                    _ => self.head = change.number as usize,
                }
            }
            // Room is free behind the transaction alone.
            assert!(self.bytes.len() as u64 - span.head <= capacity(3));
        }
    }

    #[test]
    fn the_table_is_written_anew_and_says_the_same() {
        let (mut log, mut marks) = (Log::default(), Marks::default());
        for end in 1..5000u64 {
            let leader = (end % 3) as usize;
            // One that fails leaves no trace.
            let mut none = Log::default();
            none.carry_out(&marks, leader, end + 7);
            assert!(!marks.has(leader, end));
            log.carry_out(&marks, leader, end);
            marks.note(leader, end);
            if end % 100 == 0 {
                let read = Marks::read(&log.bytes[log.head..]);
                assert_eq!(format!("{read:?}"), format!("{marks:?}"));
                assert!(read.has(leader, end) && !read.has(leader, end + 1));
            }
        }
        assert!(log.head > 0);
    }
}
