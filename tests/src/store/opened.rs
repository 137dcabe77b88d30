//! Operations on the real store, in the words of the tests.

use crate::script::{Op, Step};
use crate::sim::{Sim, SimError, Simulated};
use crate::spec::{Contents, Item, Log, Refusal};
use crate::subject::{Failure, Opened};
use core::any::Any;
use indelible::{Error, Index, Segment, Store};

/// A store that is open.
pub(super) struct Open<'a, 's, I: Index> {
    pub store: Store<'a, &'s mut dyn Simulated, I>,
    pub check: bool,
    /// Tables for a store that grows.
    pub spare: Vec<&'a mut [Segment]>,
}

type Answer = Result<(), Error<SimError>>;

impl<I: Index> Opened for Open<'_, '_, I> {
    fn apply(&mut self, op: &Op) -> Result<Vec<Result<(), Refusal>>, Failure> {
        match op {
            Op::Do(step) => Ok(vec![sorted(self.alone(step))?]),
            Op::Transaction(steps) => {
                let mut answers = self.tentatively(steps)?;
                answers.push(sorted(self.store.commit())?);
                Ok(answers)
            }
            Op::Aborted(steps) => {
                let answers = self.tentatively(steps)?;
                self.store.abort().map_err(failure)?;
                Ok(answers)
            }
            Op::Maintain(budget) => {
                self.store.maintain(*budget).map_err(failure)?;
                Ok(Vec::new())
            }
            Op::Grow(segments) => {
                self.grow(*segments)?;
                Ok(Vec::new())
            }
            Op::Close | Op::Reopen => Ok(Vec::new()),
        }
    }

    fn contents(&mut self, keys: &[Vec<u8>]) -> Result<Contents, Failure> {
        let mut contents = Contents::empty(0);
        let scanned = self.scanned()?;
        if self.check {
            self.walk_back(&scanned)?;
        }
        for key in scanned {
            let item = self.item(&key)?;
            let item = item.ok_or_else(|| wrong(&key, "is scanned but not found"))?;
            contents.items.insert(key, item);
        }
        for key in keys {
            let there = contents.items.contains_key(key);
            if self.store.contains(key).map_err(failure)? != there {
                return Err(wrong(key, "is found but not scanned"));
            }
        }
        if self.store.stats().keys != contents.items.len() as u64 {
            return Err(Failure::Wrong("keys are counted wrongly".into()));
        }
        for log in 0..self.store.log_count() {
            contents.logs.push(self.log(log)?);
        }
        if self.check && !self.store.in_transaction() {
            self.verify()?;
        }
        Ok(contents)
    }

    fn sim(&self) -> &Sim {
        let medium: &dyn Any = &**self.store.medium();
        medium.downcast_ref().expect("opened on a Sim")
    }
}

impl<I: Index> Open<'_, '_, I> {
    fn tentatively(&mut self, steps: &[Step]) -> Result<Vec<Result<(), Refusal>>, Failure> {
        steps.iter().map(|step| sorted(self.stage(step))).collect()
    }

    /// Grows to so many segments, and has so much more room.
    fn grow(&mut self, segments: u32) -> Result<(), Failure> {
        let before = self.store.layout();
        if before.segments >= segments {
            return Ok(());
        }
        let free = |store: &Store<'_, _, I>| {
            let stats = store.stats();
            stats.blank + stats.dirty
        };
        let had = free(&self.store);
        let capacity = u64::from(segments) * u64::from(before.segment_size);
        let table = self.spare.pop().expect("a table for each growth");
        self.store.grow(capacity, table).map_err(failure)?;
        let (now, has) = (self.store.layout(), free(&self.store));
        // Two checkpoints are written.
        let added = segments - before.segments;
        if now.segments != segments || has + 2 < had + added {
            let what = format!("grown from {before:?}, {had} free, to {now:?}, {has} free");
            return Err(Failure::Wrong(what));
        }
        Ok(())
    }

    /// One change, durable on return.
    fn alone(&mut self, step: &Step) -> Answer {
        let store = &mut self.store;
        match step {
            Step::Put { key, value } => store.put(key, value),
            Step::Create { key, value } => store.create(key, value),
            Step::Update { key, value } => store.update(key, value),
            Step::Delete { key } => store.delete(key),
            Step::Append { log, data } => store.append(*log, data).map(drop),
            Step::AdvanceHead { log, by } => {
                let head = store.get_head_tail_and_capacity(*log)?.head + by;
                store.advance_head(*log, head)
            }
            Step::ListAppend { key, element } => store.list_append(key, element),
            Step::ListUpdate {
                key,
                index,
                element,
            } => store.list_update(key, *index, element),
            Step::ListTrim { key, count } => store.list_trim(key, *count),
        }
    }

    /// One change of a transaction.
    fn stage(&mut self, step: &Step) -> Answer {
        let store = &mut self.store;
        match step {
            Step::Put { key, value } => store.tentatively_put(key, value),
            Step::Create { key, value } => store.tentatively_create(key, value),
            Step::Update { key, value } => store.tentatively_update(key, value),
            Step::Delete { key } => store.tentatively_delete(key),
            Step::ListAppend { key, element } => store.tentatively_list_append(key, element),
            Step::ListUpdate {
                key,
                index,
                element,
            } => store.tentatively_list_update(key, *index, element),
            Step::ListTrim { key, count } => store.tentatively_list_trim(key, *count),
            Step::Append { log, data } => store.tentatively_append(*log, data).map(drop),
            Step::AdvanceHead { log, by } => {
                let head = store.get_head_tail_and_capacity(*log)?.head + by;
                store.tentatively_advance_head(*log, head)
            }
        }
    }

    /// The keys that a scan shows, which must be in order.
    fn scanned(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut buffer = vec![0; self.store.key_max()];
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut scan = self.store.scan(b"");
        while let Some(entry) = scan.next(&mut buffer).map_err(failure)? {
            let key = entry.key.to_vec();
            if keys.last().is_some_and(|last| *last >= key) {
                return Err(wrong(&key, "is scanned out of order"));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// The same keys come backwards.
    fn walk_back(&self, scanned: &[Vec<u8>]) -> Result<(), Failure> {
        let mut buffer = vec![0; self.store.key_max()];
        let mut end: Option<Vec<u8>> = None;
        for key in scanned.iter().rev().map(Some).chain([None]) {
            let last = self.store.last_before(end.as_deref(), &mut buffer);
            let last = last.map_err(failure)?.map(|entry| entry.key.to_vec());
            if last.as_ref() != key {
                let key = key.or(last.as_ref()).map_or(&b""[..], |key| key);
                return Err(wrong(key, "is not what comes before"));
            }
            end = last;
        }
        Ok(())
    }

    fn item(&mut self, key: &[u8]) -> Result<Option<Item>, Failure> {
        let Some(len) = self.store.value_len(key).map_err(failure)? else {
            return Ok(None);
        };
        let mut value = vec![0; len as usize];
        let got = self.store.get(key, &mut value).map_err(failure)?;
        if got != Some(value.len()) {
            return Err(wrong(key, "has a length other than its value's"));
        }
        let mut list = Vec::new();
        for index in 0..self.store.list_len(key).map_err(failure)?.unwrap_or(0) {
            let mut element = vec![0; 4096];
            match self.store.list_read(key, index, &mut element) {
                Ok(Some(len)) => element.truncate(len),
                Ok(None) => return Err(wrong(key, "lacks an element of its list")),
                Err(error) => return Err(failure(error)),
            }
            list.push(element);
        }
        Ok(Some(Item { value, list }))
    }

    fn log(&mut self, log: usize) -> Result<Log, Failure> {
        let span = self
            .store
            .get_head_tail_and_capacity(log)
            .map_err(failure)?;
        let mut bytes = vec![0; (span.tail - span.head) as usize];
        self.store
            .read(log, span.head, &mut bytes)
            .map_err(failure)?;
        Ok(Log {
            head: span.head,
            bytes,
        })
    }

    fn verify(&mut self) -> Result<(), Failure> {
        let mut first = None;
        let checked = self.store.check(&mut |finding| {
            // A cut may leave all of a commit but one bit, which is healed.
            if !finding.healed {
                first.get_or_insert(format!("{finding:?}"));
            }
        });
        checked.map_err(failure)?;
        match first {
            None => Ok(()),
            Some(finding) => Err(Failure::Damage(format!("check found {finding}"))),
        }
    }
}

fn wrong(key: &[u8], what: &str) -> Failure {
    Failure::Wrong(format!("{} {what}", key.escape_ascii()))
}

/// Parts refusals, which the specification knows, from everything else.
fn sorted(answer: Answer) -> Result<Result<(), Refusal>, Failure> {
    let error = match answer {
        Ok(()) => return Ok(Ok(())),
        Err(error) => error,
    };
    let refusal = match error {
        Error::NotFound => Refusal::NotFound,
        Error::KeyExists => Refusal::KeyExists,
        Error::PastTail { tail } => Refusal::PastTail { tail },
        Error::Full { .. }
        | Error::LogFull { .. }
        | Error::IndexFull { .. }
        | Error::TransactionTooLarge { .. } => Refusal::NoRoom,
        other => return Err(failure(other)),
    };
    Ok(Err(refusal))
}

/// What an error means that is no refusal.
pub(super) fn failure(error: Error<SimError>) -> Failure {
    match error {
        Error::Medium { cause, .. } => Failure::Medium(cause),
        Error::Corrupt { .. } | Error::Doubtful { .. } => Failure::Damage(error.to_string()),
        other => Failure::Wrong(format!("unexpected error: {other}")),
    }
}
