//! Reads everything that should be in a store, item by item: damage to one
//! must not hide the others.

use super::opened::Open;
use crate::subject::Opened;
use indelible::{Index, Owner, SegmentInfo, Stats};
#[cfg(feature = "indexes")]
use {
    crate::map::Map,
    crate::sim::SimError,
    crate::spec::{Contents, Item, Log},
    indelible::Error,
};

/// How a store answers when it is compared with what it should hold.
#[cfg(feature = "indexes")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Answers that are not right, and are no errors.
    pub wrong: Vec<String>,
    /// Errors that name what was hit.
    pub named: Vec<String>,
}

/// What tests ask of a store beyond [`Opened`].
pub trait Inspect: Opened {
    /// Compares each item with what it should be. `told` says that the store
    /// reported damage as it started.
    #[cfg(feature = "indexes")]
    fn survey(&mut self, truth: &Contents, told: bool) -> Survey;

    /// The state of its space.
    fn stats(&self) -> Stats;

    /// What is known of each segment that is somebody's.
    fn segments(&self) -> Vec<SegmentInfo>;

    /// Every segment and frame, in words.
    fn dump(&mut self) -> String;
}

#[cfg(feature = "indexes")]
type Answer = Result<(), Error<SimError>>;

impl<I: Index> Inspect for Open<'_, '_, I> {
    #[cfg(feature = "indexes")]
    fn survey(&mut self, truth: &Contents, told: bool) -> Survey {
        let mut survey = Survey::default();
        for (key, item) in &truth.items {
            let answer = self.survey_item(key, item, &mut survey);
            survey.note(&key.escape_ascii().to_string(), answer);
        }
        let answer = self.survey_scan(truth, &mut survey);
        survey.note("scan", answer);
        for (number, log) in truth.logs.iter().enumerate() {
            let answer = self.survey_log(number, log, told, &mut survey);
            survey.note(&format!("log {number}"), answer);
        }
        survey
    }

    fn stats(&self) -> Stats {
        self.store.stats()
    }

    fn segments(&self) -> Vec<SegmentInfo> {
        let all = 0..self.store.layout().segments;
        let infos = all.map(|segment| self.store.segment_info(segment));
        let used =
            |info: &SegmentInfo| matches!(info.owner, Owner::Ledger | Owner::Cold | Owner::Log);
        infos.filter(used).collect()
    }

    fn dump(&mut self) -> String {
        self.dumped()
    }
}

#[cfg(feature = "indexes")]
impl Survey {
    fn note(&mut self, what: &str, answer: Answer) {
        match answer {
            Ok(()) => {}
            Err(error @ (Error::Corrupt { .. } | Error::Doubtful { .. })) => {
                self.named.push(format!("{what}: {error}"));
            }
            Err(error) => self.wrong.push(format!("{what}: {error}")),
        }
    }

    fn expect(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }
}

#[cfg(feature = "indexes")]
impl<I: Index> Open<'_, '_, I> {
    fn survey_item(&mut self, key: &[u8], item: &Item, survey: &mut Survey) -> Answer {
        let name = || key.escape_ascii().to_string();
        let mut buffer = vec![0; 4096];
        let value = self.store.get(key, &mut buffer);
        let list = self.store.list_len(key);
        match value {
            Err(error) => survey.note(&name(), Err(error)),
            Ok(found) => survey
                .expect(found.map(|len| &buffer[..len]) == Some(&item.value), || {
                    format!("{} has another value ({found:?} bytes)", name())
                }),
        }
        let len = list?.unwrap_or(0);
        survey.expect(len == item.list.len() as u64, || {
            format!("the list of {} has {len} elements", name())
        });
        for (index, element) in item.list.iter().enumerate() {
            match self.store.list_read(key, index as u64, &mut buffer) {
                Err(error) => survey.note(&name(), Err(error)),
                Ok(found) => survey
                    .expect(found.map(|len| &buffer[..len]) == Some(element), || {
                        format!("element {index} of {} is another", name())
                    }),
            }
        }
        Ok(())
    }

    fn survey_scan(&mut self, truth: &Contents, survey: &mut Survey) -> Answer {
        let mut buffer = vec![0; self.store.key_max()];
        let mut found = Map::new();
        let mut scan = self.store.scan(b"");
        while let Some(entry) = scan.next(&mut buffer)? {
            found.insert(entry.key.to_vec(), ());
        }
        for key in found.keys() {
            survey.expect(truth.items.contains_key(key), || {
                format!("{} is back from the past", key.escape_ascii())
            });
        }
        for key in truth.items.keys().filter(|key| !found.contains_key(*key)) {
            // Not scanned is fine only where looking it up is an error.
            let answer = self.store.contains(key);
            survey.expect(answer.is_err(), || {
                format!("{} is not scanned", key.escape_ascii())
            });
        }
        Ok(())
    }

    fn survey_log(&mut self, number: usize, log: &Log, told: bool, survey: &mut Survey) -> Answer {
        let span = self.store.get_head_tail_and_capacity(number)?;
        survey.expect(
            told || (span.head, span.tail) == (log.head, log.tail()),
            || format!("log {number} is from {} to {}", span.head, span.tail),
        );
        let mut at = log.head;
        for piece in log.bytes.chunks(100) {
            let mut buffer = vec![0; piece.len()];
            match self.store.read(number, at, &mut buffer) {
                Ok(()) => survey.expect(buffer == piece, || {
                    format!("log {number} has other bytes behind {at}")
                }),
                Err(Error::BeforeHead { .. } | Error::PastTail { .. }) if told => {
                    survey
                        .named
                        .push(format!("log {number}: {at} is gone, as was reported"));
                }
                Err(error) => survey.note(&format!("log {number}"), Err(error)),
            }
            at += piece.len() as u64;
        }
        Ok(())
    }
}
