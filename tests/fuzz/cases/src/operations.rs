//! Operations and power cuts on simulated media, all of it compared with the
//! executable specification.

use core::fmt::{self, Debug, Formatter};

use arbitrary::{Arbitrary, Unstructured};
use indelible::{Config, Geometry, Layout, Order};
use indelible_tests::script::{Op, Step};
use indelible_tests::sim::Operation;
use indelible_tests::store::Indexed;

use crate::campaign::{Campaign, Fault, Stretch};

/// What to run.
#[derive(Arbitrary)]
pub struct Plan {
    medium: u8,
    logs: u8,
    index: u8,
    seed: u64,
    #[arbitrary(with = acts)]
    acts: Vec<Act>,
}

#[derive(Arbitrary)]
enum Act {
    Do(Change),
    Transaction(#[arbitrary(with = changes)] Vec<Change>),
    Aborted(#[arbitrary(with = changes)] Vec<Change>),
    Maintain(u8),
    Close,
    Reopen,
    /// Power fails somewhere in what was done since the last time.
    Cut(u16),
    /// An operation of the medium fails in it.
    Fail(u8, u16),
}

#[derive(Arbitrary)]
enum Change {
    Put(Name, Length),
    Create(Name, Length),
    Update(Name, Length),
    Delete(Name),
    ListAppend(Name, Length),
    ListUpdate(Name, u8, Length),
    ListTrim(Name, u8),
    Append(u8, Length),
    AdvanceHead(u8, u16),
}

/// One of few keys, so that they meet again.
#[derive(Arbitrary, Clone, Copy)]
struct Name(u8);

/// How long a value is: mostly short.
#[derive(Arbitrary, Clone, Copy)]
struct Length(u8);

/// Acts of a plan and changes of a transaction, so that a run stays short.
const ACTS_MAX: usize = 48;
const CHANGES_MAX: usize = 8;

fn acts(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Act>> {
    several(bytes, ACTS_MAX)
}

fn changes(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Change>> {
    several(bytes, CHANGES_MAX)
}

/// Up to `max` of something, as far as there are bytes: their number comes
/// first, so that random bytes make long plans as often as short ones.
fn several<'b, T: Arbitrary<'b>>(
    bytes: &mut Unstructured<'b>,
    max: usize,
) -> arbitrary::Result<Vec<T>> {
    let count = bytes.int_in_range(0..=max)?;
    let mut found = Vec::with_capacity(count);
    while found.len() < count && !bytes.is_empty() {
        found.push(bytes.arbitrary()?);
    }
    Ok(found)
}

const GEOMETRIES: [Geometry; 10] = [
    unordered(1),
    unordered(8),
    ordered(1),
    ordered(4),
    ordered(16),
    ordered(256),
    unordered(64),
    ordered(2),
    ordered(8),
    ordered(32),
];

const fn unordered(write_unit: u32) -> Geometry {
    Geometry {
        capacity: 24 << 10,
        write_unit,
        erase_unit: 512,
        blank: 0,
        order: Order::Unordered,
    }
}

const fn ordered(write_unit: u32) -> Geometry {
    let erase_unit = if write_unit > 64 { 4096 } else { 1024 };
    let capacity = 24 * erase_unit as u64;
    Geometry {
        capacity,
        write_unit,
        erase_unit,
        blank: 0xFF,
        order: Order::Ordered,
    }
}

const OPERATIONS: [Operation; 4] = [
    Operation::Read,
    Operation::Write,
    Operation::Erase,
    Operation::Flush,
];

const LOGS: [&[u64]; 3] = [&[], &[600], &[300, 1500]];

/// Room for hardly anything.
fn smallest(geometry: Geometry, logs: &[u64]) -> u64 {
    let config = Config {
        id: 0,
        nonce: 0,
        segment_size: None,
        logs,
    };
    Layout::minimum(geometry, &config).next_multiple_of(geometry.erase_unit.into())
}

impl Name {
    fn key(self) -> Vec<u8> {
        let few = self.0 % 12;
        let len = if few == 11 {
            40
        } else {
            usize::from(few) % 9 + 1
        };
        vec![b'a' + few; len]
    }
}

impl Length {
    /// A value.
    fn bytes(self, fill: &mut u8) -> Vec<u8> {
        let len = match self.0 {
            0..200 => usize::from(self.0) / 4,
            200..250 => usize::from(self.0 - 200) * 6,
            250.. => usize::from(self.0 - 250) * 100 + 300,
        };
        Self::filled(len, fill)
    }

    /// An element of a list, which has to fit into one record.
    fn element(self, fill: &mut u8) -> Vec<u8> {
        Self::filled(usize::from(self.0) % 25, fill)
    }

    fn filled(len: usize, fill: &mut u8) -> Vec<u8> {
        *fill = fill.wrapping_add(1);
        // Blank bytes, of either kind, are the ones to confuse.
        let pattern = match *fill % 4 {
            0 => [0, 0],
            1 => [0xFF, 0xFF],
            2 => [*fill, 0],
            _ => [*fill, 0xFF],
        };
        pattern.into_iter().cycle().take(len).collect()
    }
}

impl Change {
    fn step(&self, logs: usize, fill: &mut u8) -> Option<Step> {
        let log = |n: &u8| (logs > 0).then(|| usize::from(*n) % logs);
        Some(match self {
            Self::Put(key, value) => Step::Put {
                key: key.key(),
                value: value.bytes(fill),
            },
            Self::Create(key, value) => Step::Create {
                key: key.key(),
                value: value.bytes(fill),
            },
            Self::Update(key, value) => Step::Update {
                key: key.key(),
                value: value.bytes(fill),
            },
            Self::Delete(key) => Step::Delete { key: key.key() },
            Self::ListAppend(key, element) => Step::ListAppend {
                key: key.key(),
                element: element.element(fill),
            },
            Self::ListUpdate(key, index, element) => Step::ListUpdate {
                key: key.key(),
                index: u64::from(*index % 8),
                element: element.element(fill),
            },
            Self::ListTrim(key, count) => Step::ListTrim {
                key: key.key(),
                count: u64::from(*count % 8),
            },
            Self::Append(n, data) => Step::Append {
                log: log(n)?,
                data: data.bytes(fill),
            },
            Self::AdvanceHead(n, by) => Step::AdvanceHead {
                log: log(n)?,
                by: u64::from(*by % 512),
            },
        })
    }
}

impl Debug for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.campaign().fmt(f)
    }
}

impl Plan {
    /// What it says to do.
    pub fn campaign(&self) -> Campaign {
        let logs = LOGS[usize::from(self.logs) % LOGS.len()];
        let mut geometry = GEOMETRIES[usize::from(self.medium) % GEOMETRIES.len()];
        if self.index & 12 == 12 {
            geometry.capacity = smallest(geometry, logs);
        }
        Campaign {
            geometry,
            flickers: usize::from(self.index >> 1 & 1),
            index: match self.index % 2 {
                0 => Indexed::Hash,
                _ => Indexed::Ordered,
            },
            logs: logs.to_vec(),
            seed: self.seed,
            stretches: self.stretches(logs.len()),
        }
    }

    fn stretches(&self, logs: usize) -> Vec<Stretch> {
        let mut fill = 0;
        let mut steps = |changes: &[Change]| -> Vec<Step> {
            changes
                .iter()
                .filter_map(|change| change.step(logs, &mut fill))
                .collect()
        };
        let mut stretches = vec![Stretch::default()];
        for act in &self.acts {
            let op = match act {
                Act::Do(change) => steps(std::slice::from_ref(change)).pop().map(Op::Do),
                Act::Transaction(changes) => Some(Op::Transaction(steps(changes))),
                Act::Aborted(changes) => Some(Op::Aborted(steps(changes))),
                Act::Maintain(budget) => Some(Op::Maintain(u32::from(*budget % 16))),
                Act::Close => Some(Op::Close),
                Act::Reopen => Some(Op::Reopen),
                Act::Cut(_) | Act::Fail(..) => None,
            };
            if let Some(stretch) = stretches.last_mut() {
                stretch.ops.extend(op);
                match act {
                    Act::Cut(at) => {
                        stretch.cut = Some(*at);
                        stretches.push(Stretch::default());
                    }
                    Act::Fail(kind, at) => {
                        stretch.fault = Some(Fault {
                            operation: OPERATIONS[usize::from(kind % 4)],
                            at: *at,
                            power: kind & 4 != 0,
                        });
                        stretches.push(Stretch::default());
                    }
                    _ => {}
                }
            }
        }
        stretches
    }

    /// Does it.
    ///
    /// # Panics
    /// On every finding.
    pub fn run(&self) {
        let campaign = self.campaign();
        if let Err(finding) = campaign.run() {
            panic!("{finding}\n{campaign:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs that the fuzzer found something with, by what it was.
    #[test]
    fn findings_stay_fixed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/findings");
        let files = std::fs::read_dir(folder).expect("the folder of findings");
        let mut runs = 0;
        for file in files {
            let path = file.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            let plan = Plan::arbitrary_take_rest(Unstructured::new(&bytes));
            println!("{}", path.display());
            plan.expect("any bytes are a plan").run();
            runs += 1;
        }
        assert!(runs >= 3, "{runs}");
    }

    #[test]
    fn every_seed_runs() {
        for seed in crate::seeds::operations() {
            let plan = Plan::arbitrary_take_rest(Unstructured::new(&seed));
            plan.expect("any bytes are a plan").run();
        }
    }
}
