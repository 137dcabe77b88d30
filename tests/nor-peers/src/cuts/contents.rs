//! What a store should hold, and what it may hold after a cut.

use std::collections::BTreeMap;

use crate::engine::{Fault, Key, RECORD, Store, VALUE_MAX, key};

use super::tally::{Violation, Wrong};
use super::{KEYS, Part};

/// One operation.
#[derive(Clone, Debug)]
pub enum Step {
    /// Keys that change together; `None` deletes.
    Change(Vec<(usize, Option<Vec<u8>>)>),
    /// A record for the log.
    Append([u8; RECORD]),
}

/// Contents: the keys, or the numbers of the log's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    keys: BTreeMap<usize, Vec<u8>>,
    /// The first record that is there, and the one behind the last.
    log: (u32, u32),
}

/// What may be found: the contents before or after what was under way.
#[derive(Clone, Debug, Default)]
pub struct Legal {
    /// Acknowledged.
    before: Contents,
    /// With what was under way.
    after: Option<Contents>,
    /// Every value that a key ever had.
    history: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Makes each value another one.
    writes: u32,
}

/// Records that a store may drop at a time: a sector full, however it frames
/// them.
const DROP_MAX: u32 = 2 * (crate::shim::SECTOR / RECORD) as u32;

fn wrong<T>(violation: Violation, how: String) -> Result<T, Wrong> {
    Err((violation, how))
}

/// The record with this number.
fn record(number: u32) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    for (place, byte) in record.chunks_exact_mut(4).zip(0u32..) {
        let mixed = (number ^ byte.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        place.copy_from_slice(&mixed.to_le_bytes());
    }
    record[..4].copy_from_slice(&number.to_le_bytes());
    record
}

impl Step {
    /// Has the store do it.
    ///
    /// # Errors
    /// The store's.
    pub fn run(&self, store: &mut dyn Store) -> Result<(), Fault> {
        match self {
            Self::Append(record) => store.append(record),
            Self::Change(changes) => match &changes[..] {
                [(number, Some(value))] => store.put(&key(*number), value),
                [(number, None)] => store.delete(&key(*number)),
                many => {
                    let changes: Vec<(Key, Vec<u8>)> = many
                        .iter()
                        .map(|(number, value)| (key(*number), value.clone().unwrap_or_default()))
                        .collect();
                    store.put_all(&changes)
                }
            },
        }
    }
}

impl Legal {
    fn value(&mut self, number: usize, random: &mut fastrand::Rng) -> Vec<u8> {
        self.writes += 1;
        let mut value = vec![0; random.usize(4..=36)];
        random.fill(&mut value);
        value[..4].copy_from_slice(&self.writes.to_le_bytes());
        self.history.entry(number).or_default().push(value.clone());
        value
    }

    /// A next operation on the acknowledged contents.
    pub fn next(&mut self, part: Part, transactions: bool, random: &mut fastrand::Rng) -> Step {
        if part == Part::Log {
            return Step::Append(record(self.before.log.1));
        }
        let number = random.usize(..KEYS);
        match random.u8(..10) {
            0 if self.before.keys.contains_key(&number) => Step::Change(vec![(number, None)]),
            1..4 if transactions => {
                let many = random.usize(2..=8);
                let numbers = random.choose_multiple(0..KEYS, many);
                let change = |number| (number, Some(self.value(number, random)));
                Step::Change(numbers.into_iter().map(change).collect())
            }
            _ => Step::Change(vec![(number, Some(self.value(number, random)))]),
        }
    }

    /// It begins.
    pub fn begin(&mut self, step: &Step) {
        let mut after = self.before.clone();
        match step {
            Step::Append(_) => after.log.1 += 1,
            Step::Change(changes) => {
                for (number, value) in changes {
                    match value {
                        Some(value) => after.keys.insert(*number, value.clone()),
                        None => after.keys.remove(number),
                    };
                }
            }
        }
        self.after = Some(after);
    }

    /// It was acknowledged.
    pub fn acknowledge(&mut self) {
        if let Some(after) = self.after.take() {
            self.before = after;
        }
    }

    /// Compares all that a store shows with what it may show. What is found is
    /// settled: it may not be otherwise later.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&mut self, part: Part, store: &mut dyn Store) -> Result<(), Wrong> {
        match part {
            Part::Keys => self.check_keys(store),
            Part::Log => self.check_log(store),
        }
    }

    fn check_keys(&mut self, store: &mut dyn Store) -> Result<(), Wrong> {
        let mut found = BTreeMap::new();
        for number in 0..KEYS {
            let mut value = [0; VALUE_MAX];
            match store.get(&key(number), &mut value) {
                Ok(None) => {}
                Ok(Some(len)) => {
                    found.insert(number, value[..len].to_vec());
                }
                Err(fault) => {
                    return wrong(
                        Violation::Lost,
                        format!("key {number} cannot be read: {fault}"),
                    );
                }
            }
        }
        let after = self.after.take();
        let after = after.as_ref().unwrap_or(&self.before);
        let (mut old, mut new) = (None, None);
        for number in 0..KEYS {
            let found = found.get(&number);
            let before = self.before.keys.get(&number);
            let then = after.keys.get(&number);
            match (found == before, found == then) {
                (true, true) => {}
                (true, false) => old = Some(number),
                (false, true) => new = Some(number),
                (false, false) => return self.judge(number, found),
            }
        }
        if let (Some(old), Some(new)) = (old, new) {
            return wrong(
                Violation::Torn,
                format!("of one transaction key {new} changed and key {old} did not"),
            );
        }
        self.before.keys = found;
        Ok(())
    }

    /// A value that is neither the one before nor the one after.
    fn judge(&self, number: usize, found: Option<&Vec<u8>>) -> Result<(), Wrong> {
        let Some(found) = found else {
            return wrong(Violation::Lost, format!("key {number} is gone"));
        };
        let known = self.history.get(&number);
        if known.is_some_and(|known| known.contains(found)) {
            return wrong(
                Violation::Older,
                format!("key {number} has a value that was replaced or deleted"),
            );
        }
        wrong(
            Violation::Invented,
            format!("key {number} has a value that it never had: {found:02x?}"),
        )
    }

    fn check_log(&mut self, store: &mut dyn Store) -> Result<(), Wrong> {
        let mut found = Vec::new();
        if let Err(fault) = store.records(&mut |record| found.push(record.to_vec())) {
            return wrong(Violation::Lost, format!("the log cannot be read: {fault}"));
        }
        let mut numbers = Vec::new();
        for bytes in &found {
            let number = bytes
                .first_chunk()
                .map_or(0, |first| u32::from_le_bytes(*first));
            if bytes[..] != record(number) {
                return wrong(Violation::Invented, format!("record {bytes:02x?}"));
            }
            numbers.push(number);
        }
        let (first, end) = self.before.log;
        let end_after = self.after.take().map_or(end, |after| after.log.1);
        let begins = numbers.first().copied().unwrap_or(end);
        let ends = begins + numbers.len() as u32;
        if let Some(hole) = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
            return wrong(
                Violation::Lost,
                format!("record {} follows {}", hole[1], hole[0]),
            );
        }
        if ends < end || begins > first + DROP_MAX {
            return wrong(
                Violation::Lost,
                format!("records {begins}..{ends} of {first}..{end}"),
            );
        }
        if begins < first {
            return wrong(
                Violation::Older,
                format!("record {begins}, dropped, is back"),
            );
        }
        if ends > end_after {
            return wrong(Violation::Invented, format!("record {}", ends - 1));
        }
        self.before.log = (begins, ends);
        Ok(())
    }
}
