//! Random operations that a store of a given size must be able to do.

use crate::script::{Op, Step};
use crate::spec::Contents;
use fastrand::Rng;

/// What random operations are made of.
#[derive(Clone, Debug)]
pub struct Mix {
    /// How many keys there are to choose from.
    pub keys: usize,
    /// The longest value.
    pub value_max: usize,
    /// Guaranteed capacities of the logs.
    pub logs: Vec<u64>,
    /// The longest append.
    pub append_max: usize,
    /// Bytes of records, framing included, that are live at most.
    pub live_max: u64,
    /// The write unit, which frames are rounded to.
    pub unit: u64,
    /// The longest list.
    pub list_max: usize,
    /// Whether the store is closed, and dropped, now and then.
    pub restarts: bool,
}

impl Mix {
    /// This many operations. None of them has to be refused for want of room
    /// in a store with room for `live_max` bytes of records.
    pub fn operations(&self, seed: u64, count: usize) -> Vec<Op> {
        self.operations_after(&Contents::empty(self.logs.len()), seed, count)
    }

    /// The same for a store that holds something.
    pub fn operations_after(&self, contents: &Contents, seed: u64, count: usize) -> Vec<Op> {
        let mut rng = Rng::with_seed(seed);
        let mut contents = contents.clone();
        (0..count)
            .map(|_| {
                let mut open = contents.clone();
                let op = self.operation(&mut rng, &contents, &mut open);
                if !matches!(op, Op::Aborted(_)) {
                    contents = open;
                }
                op
            })
            .collect()
    }

    /// Whether these operations, too, leave the logs the room that they need.
    pub fn fits(&self, ops: &[Op]) -> bool {
        let mut contents = Contents::empty(self.logs.len());
        ops.iter().all(|op| {
            let mut open = contents.clone();
            let fits = op.steps().iter().all(|step| {
                let _ = open.apply(step);
                (open.logs.iter().zip(&contents.logs).zip(&self.logs))
                    .all(|((open, before), capacity)| open.tail() - before.head <= *capacity)
            });
            if !matches!(op, Op::Aborted(_)) {
                contents = open;
            }
            fits
        })
    }

    fn operation(&self, rng: &mut Rng, before: &Contents, open: &mut Contents) -> Op {
        let mut steps = |rng: &mut Rng| {
            let count = rng.usize(1..=6);
            (0..count)
                .map(|_| self.step(rng, before, open))
                .collect::<Vec<_>>()
        };
        match rng.u32(0..100) {
            0..=2 if self.restarts => Op::Close,
            3..=5 if self.restarts => Op::Reopen,
            6..=8 => Op::Maintain(rng.u32(0..8)),
            9..=24 => Op::Transaction(steps(rng)),
            25..=30 => Op::Aborted(steps(rng)),
            _ => Op::Do(self.step(rng, before, open)),
        }
    }

    /// A step, done to `open`; refused ones too.
    fn step(&self, rng: &mut Rng, before: &Contents, open: &mut Contents) -> Step {
        let mut step = self.any(rng, open);
        let mut after = open.clone();
        let _ = after.apply(&step);
        // An abort keeps what was there before, so both must fit.
        let live = self.live(&after) + self.live(before) / 8;
        let growing = self.live(&after) > self.live(open);
        if growing && live > self.live_max {
            let keys: Vec<_> = open.items.keys().cloned().collect();
            let key = keys.get(rng.usize(..keys.len().max(1)));
            let key = key.cloned().unwrap_or_else(|| key_name(0));
            step = Step::Delete { key };
        }
        if let Step::Append { log, data } = &step {
            let tail = open.logs[*log].tail() + data.len() as u64;
            if tail - before.logs[*log].head > self.logs[*log] {
                let by = open.logs[*log].bytes.len() as u64;
                step = Step::AdvanceHead {
                    log: *log,
                    by: rng.u64(0..=by),
                };
            }
        }
        let _ = open.apply(&step);
        step
    }

    fn any(&self, rng: &mut Rng, open: &Contents) -> Step {
        let key = key_name(rng.usize(..self.keys));
        let listed = open.items.get(&key).map_or(0, |item| item.list.len());
        let element = |rng: &mut Rng| bytes(rng, 40);
        match rng.u32(0..100) {
            0..=29 => {
                let value = bytes(rng, self.value_max);
                Step::Put { key, value }
            }
            30..=36 => {
                let value = bytes(rng, self.value_max);
                Step::Create { key, value }
            }
            37..=43 => {
                let value = bytes(rng, self.value_max);
                Step::Update { key, value }
            }
            44..=53 => Step::Delete { key },
            54..=65 if listed < self.list_max => {
                let element = element(rng);
                Step::ListAppend { key, element }
            }
            54..=69 => Step::ListUpdate {
                key,
                index: rng.u64(0..=listed as u64),
                element: element(rng),
            },
            70..=75 => Step::ListTrim {
                key,
                count: rng.u64(0..=listed as u64 + 1),
            },
            76..=93 if !self.logs.is_empty() => {
                let log = rng.usize(..self.logs.len());
                let data = bytes(rng, self.append_max);
                Step::Append { log, data }
            }
            94.. if !self.logs.is_empty() => {
                let log = rng.usize(..self.logs.len());
                let by = rng.u64(0..=open.logs[log].bytes.len() as u64 + 1);
                Step::AdvanceHead { log, by }
            }
            _ => Step::Put {
                key,
                value: Vec::new(),
            },
        }
    }

    /// An upper bound of the record bytes that contents take.
    fn live(&self, contents: &Contents) -> u64 {
        let frame = |len: usize| (len as u64 + 40).next_multiple_of(self.unit);
        let mut live = 0;
        for (key, item) in &contents.items {
            // A long value is kept in chunks, each with a frame of its own.
            let chunks = item.value.len().div_ceil(64);
            live += frame(key.len() + item.value.len());
            live += if chunks > 1 {
                chunks as u64 * frame(key.len())
            } else {
                0
            };
            live += if item.list.is_empty() {
                0
            } else {
                frame(key.len() + 24)
            };
            let elements = item.list.iter();
            live += elements.map(|e| frame(key.len() + e.len())).sum::<u64>();
        }
        live
    }
}

fn key_name(number: usize) -> Vec<u8> {
    // Of all lengths, and sharing prefixes.
    let name = format!("k{:0width$}", number, width = 1 + number % 9);
    name.into_bytes()
}

/// Up to `max` bytes: usually few, sometimes all blank, which a store must
/// tell from what was not written.
fn bytes(rng: &mut Rng, max: usize) -> Vec<u8> {
    let len = match rng.u8(0..4) {
        0 => rng.usize(0..=max),
        1 => rng.usize(0..=max.min(8)),
        _ => rng.usize(0..=max.min(60)),
    };
    match rng.u8(0..8) {
        0 => vec![0x00; len],
        1 => vec![0xFF; len],
        _ => (0..len).map(|_| rng.u8(..)).collect(),
    }
}
