//! The workloads. Each compares what the store holds at its end with what it
//! was given: a store that lost data is not measured.

use std::collections::VecDeque;

use super::figures::{Cost, Meter, Mount};
use super::shape;
use crate::engine::{Engine, Fault, Key, Plan, RECORD, Store, VALUE_MAX, key};
use crate::nor::Flash;

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// 200 keys, 20,000 random updates, each durable.
    Updates,
    /// The same, 8 updates to a transaction.
    Transactions,
    /// Each of the 200 keys read 10 times, at random.
    Reads,
    /// 50,000 records appended to a log, each durable, the oldest dropped.
    Log,
    /// The store of [`Workload::Updates`] opened, and one key read.
    Mount,
    /// 2,000 keys, 20,000 random updates.
    Full,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 6] = [
        Workload::Updates,
        Workload::Transactions,
        Workload::Reads,
        Workload::Log,
        Workload::Mount,
        Workload::Full,
    ];

    /// Its short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Updates => "w1",
            Self::Transactions => "w2",
            Self::Reads => "w3",
            Self::Log => "w4",
            Self::Mount => "w5",
            Self::Full => "w6",
        }
    }

    /// What it does.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Updates => "200 keys of 16 bytes, values of 32, 20,000 random durable updates",
            Self::Transactions => "the same updates, 8 to a transaction",
            Self::Reads => "each of the 200 keys read 10 times, at random",
            Self::Log => "50,000 records of 32 bytes appended durably, the oldest dropped",
            Self::Mount => {
                "opened after w1, not closed before unless it says so, and one key read; 50 times, 400 updates apart"
            }
            Self::Full => {
                "2,000 keys of 16 bytes, values of 32: 96 KB in 256 KB, 20,000 random durable updates"
            }
        }
    }
}

/// What came of a workload.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Work that was done again and again. The flag says whether what should
    /// have been atomic was.
    Done(Cost, bool),
    /// The log: the fewest records that were kept once the log was full, and
    /// those at the end.
    Logged(Cost, usize, usize),
    /// 50 copies opened on the way, each with a lookup of another key: the mean
    /// and the most bytes read, and what the last cost.
    Opened(Mount, u64, u64),
}

const KEYS: usize = 200;
const KEYS_FULL: usize = 2000;
const UPDATES: usize = 20_000;
const GROUP: usize = 8;
const READS: usize = 10;
const RECORDS: usize = 50_000;
const VALUE: usize = 32;
/// Copies of the store that are opened while it is updated.
const MOUNTS: usize = 50;

type Value = [u8; VALUE];

/// Runs workloads with one store on flash with words of one length.
pub struct Runner<'e> {
    engine: &'e dyn Engine,
    word: usize,
    seed: u64,
    /// The flash behind [`Workload::Updates`], and what it holds.
    updated: Option<(Flash, Vec<Value>)>,
}

fn values(keys: usize, random: &mut fastrand::Rng) -> Vec<Value> {
    (0..keys).map(|_| value(random)).collect()
}

fn value(random: &mut fastrand::Rng) -> Value {
    let mut value = [0; VALUE];
    random.fill(&mut value);
    value
}

/// Says which operation of a workload failed.
fn at(number: usize, outcome: Result<(), Fault>) -> Result<(), Fault> {
    outcome.map_err(|fault| Fault::Failed(format!("fails at operation {number}: {fault}")))
}

fn load(store: &mut dyn Store, values: &[Value]) -> Result<(), Fault> {
    for (number, value) in values.iter().enumerate() {
        store.put(&key(number), value)?;
    }
    Ok(())
}

/// Reads a key, which must hold `value`.
fn expect(store: &mut dyn Store, number: usize, value: &Value) -> Result<(), Fault> {
    let mut found = [0; VALUE_MAX];
    let len = store.get(&key(number), &mut found)?;
    if len != Some(VALUE) || found[..VALUE] != value[..] {
        return Err(Fault::Failed(format!("key {number} has another value")));
    }
    Ok(())
}

fn verify(store: &mut dyn Store, values: &[Value]) -> Result<(), Fault> {
    for (number, value) in values.iter().enumerate() {
        expect(store, number, value)?;
    }
    Ok(())
}

impl<'e> Runner<'e> {
    /// For one store.
    #[must_use]
    pub fn new(engine: &'e dyn Engine, word: usize, seed: u64) -> Self {
        Self {
            engine,
            word,
            seed,
            updated: None,
        }
    }

    /// Runs a workload.
    ///
    /// # Errors
    /// Why the store cannot do it, or how it failed.
    pub fn run(&mut self, workload: Workload) -> Result<Outcome, Fault> {
        if let Some(needed) = self.engine.refuses_word(self.word) {
            return Err(Fault::Lacks(needed));
        }
        match workload {
            Workload::Updates => self.updates(KEYS).map(|cost| Outcome::Done(cost, true)),
            Workload::Full => self
                .updates(KEYS_FULL)
                .map(|cost| Outcome::Done(cost, true)),
            Workload::Transactions => self.transactions(),
            Workload::Reads => self.reads(),
            Workload::Log => self.log(),
            Workload::Mount => self.mount(),
        }
    }

    fn random(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }

    fn flash(&self, plan: Plan) -> Result<Flash, Fault> {
        let flash = Flash::new(shape(self.word), self.engine.programs_max());
        self.engine.format(&flash, plan)?;
        Ok(flash)
    }

    fn updates(&mut self, keys: usize) -> Result<Cost, Fault> {
        let plan = Plan { keys, log: false };
        let flash = self.flash(plan)?;
        let mut random = self.random();
        let mut held = values(keys, &mut random);
        let mut cost = Cost::default();
        self.engine.session(&flash, plan, &mut |store| {
            load(store, &held)?;
            let meter = Meter::start(&flash);
            for update in 0..UPDATES {
                let number = random.usize(..keys);
                held[number] = value(&mut random);
                at(update, store.put(&key(number), &held[number]))?;
            }
            cost = meter.stop(UPDATES as u64, store.ram());
            verify(store, &held)
        })?;
        if keys == KEYS {
            self.updated = Some((flash, held));
        }
        Ok(cost)
    }

    fn transactions(&self) -> Result<Outcome, Fault> {
        let plan = Plan {
            keys: KEYS,
            log: false,
        };
        let atomic = self.engine.has_transactions();
        let flash = self.flash(plan)?;
        let mut random = self.random();
        let mut held = values(KEYS, &mut random);
        let mut cost = Cost::default();
        self.engine.session(&flash, plan, &mut |store| {
            load(store, &held)?;
            let meter = Meter::start(&flash);
            for group in 0..UPDATES / GROUP {
                let chosen = random.choose_multiple(0..KEYS, GROUP);
                let changes: Vec<(Key, Vec<u8>)> = chosen
                    .into_iter()
                    .map(|number| {
                        held[number] = value(&mut random);
                        (key(number), held[number].to_vec())
                    })
                    .collect();
                if atomic {
                    at(group * GROUP, store.put_all(&changes))?;
                } else {
                    for (key, value) in &changes {
                        at(group * GROUP, store.put(key, value))?;
                    }
                }
            }
            cost = meter.stop(UPDATES as u64, store.ram());
            verify(store, &held)
        })?;
        Ok(Outcome::Done(cost, atomic))
    }

    /// The flash behind [`Workload::Updates`], whose work is done if it was not.
    fn after_updates(&mut self) -> Result<(Flash, Vec<Value>), Fault> {
        if self.updated.is_none() {
            self.updates(KEYS)?;
        }
        self.updated
            .clone()
            .ok_or(Fault::Lacks("store behind the updates"))
    }

    fn reads(&mut self) -> Result<Outcome, Fault> {
        let (flash, held) = self.after_updates()?;
        let flash = self.copy(&flash);
        let plan = Plan {
            keys: KEYS,
            log: false,
        };
        let mut order: Vec<usize> = (0..KEYS * READS).map(|at| at % KEYS).collect();
        self.random().shuffle(&mut order);
        let mut cost = Cost::default();
        self.engine.session(&flash, plan, &mut |store| {
            // What is cached on the way is cached.
            verify(store, &held)?;
            let meter = Meter::start(&flash);
            for number in &order {
                expect(store, *number, &held[*number])?;
            }
            cost = meter.stop(order.len() as u64, store.ram());
            Ok(())
        })?;
        Ok(Outcome::Done(cost, true))
    }

    fn log(&self) -> Result<Outcome, Fault> {
        if !self.engine.has_log() {
            return Err(Fault::Lacks("log"));
        }
        let plan = Plan { keys: 0, log: true };
        let flash = self.flash(plan)?;
        let mut random = self.random();
        let mut held: VecDeque<[u8; RECORD]> = VecDeque::new();
        let mut cost = Cost::default();
        let mut fewest = usize::MAX;
        let mut kept = 0;
        self.engine.session(&flash, plan, &mut |store| {
            let meter = Meter::start(&flash);
            for number in 0..RECORDS {
                let mut record = [0; RECORD];
                random.fill(&mut record);
                at(number, store.append(&record))?;
                held.push_back(record);
            }
            cost = meter.stop(RECORDS as u64, store.ram());
            kept = newest(store, &held)?;
            // As many again as are kept: some of them are dropped on the way.
            for _ in 0..kept / 50 {
                fewest = fewest.min(newest(store, &held)?);
                for _ in 0..50 {
                    let mut record = [0; RECORD];
                    random.fill(&mut record);
                    store.append(&record)?;
                    held.push_back(record);
                }
            }
            Ok(())
        })?;
        Ok(Outcome::Logged(cost, fewest, kept))
    }

    fn mount(&mut self) -> Result<Outcome, Fault> {
        let plan = Plan {
            keys: KEYS,
            log: false,
        };
        let (flash, held) = self.after_updates()?;
        let mut held = held.clone();
        let mut random = self.random();
        let (mut sum, mut most) = (0, 0);
        let mut last = Mount::default();
        let flash = self.copy(&flash);
        let mut copies = Vec::new();
        let mut update = |store: &mut dyn Store, held: &mut Vec<Value>| {
            for _ in 0..UPDATES / MOUNTS {
                let number = random.usize(..KEYS);
                held[number] = value(&mut random);
                store.put(&key(number), &held[number])?;
            }
            Ok(())
        };
        if self.engine.closes() {
            for _ in 0..MOUNTS {
                self.engine
                    .session(&flash, plan, &mut |store| update(store, &mut held))?;
                copies.push((self.copy(&flash), held.clone()));
            }
        } else {
            self.engine.session(&flash, plan, &mut |store| {
                for _ in 0..MOUNTS {
                    update(store, &mut held)?;
                    copies.push((self.copy(&flash), held.clone()));
                }
                Ok(())
            })?;
        }
        for (flash, held) in copies {
            last = self.opened(&flash, plan, &held, random.usize(..KEYS))?;
            sum += last.ready + last.get;
            most = most.max(last.ready + last.get);
        }
        Ok(Outcome::Opened(last, sum / MOUNTS as u64, most))
    }

    fn copy(&self, flash: &Flash) -> Flash {
        let copy = Flash::holding(
            flash.shape(),
            self.engine.programs_max(),
            flash.image().to_vec(),
        );
        copy.set_programs(&flash.programs());
        copy
    }

    /// Opens a copy, and reads a key.
    fn opened(
        &self,
        flash: &Flash,
        plan: Plan,
        held: &[Value],
        number: usize,
    ) -> Result<Mount, Fault> {
        let flash = self.copy(flash);
        let meter = Meter::start(&flash);
        let mut mount = Mount::default();
        self.engine.session(&flash, plan, &mut |store| {
            let cost = meter.stop(1, 0);
            let before = flash.counts();
            expect(store, number, &held[number])?;
            mount = Mount {
                ready: cost.counts.bytes_read,
                get: flash.counts().since(&before).bytes_read,
                programmed: cost.programmed,
                erases: cost.counts.erases,
                time: cost.time,
            };
            verify(store, held)
        })?;
        Ok(mount)
    }
}

/// How many of the newest records the log has: all that it shows have to be
/// those, in order.
fn newest(store: &mut dyn Store, held: &VecDeque<[u8; RECORD]>) -> Result<usize, Fault> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    store.records(&mut |record| found.push(record.to_vec()))?;
    let kept = found.len();
    let expected = held.iter().skip(held.len().saturating_sub(kept));
    if kept > held.len()
        || !found
            .iter()
            .zip(expected)
            .all(|(found, held)| found[..] == held[..])
    {
        return Err(Fault::Failed("the log has other records".into()));
    }
    Ok(kept)
}
