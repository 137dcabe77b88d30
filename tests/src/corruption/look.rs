//! Reads everything there is in a store, item by item: damage to one must not
//! hide the others.

use crate::map::Map;
use crate::sim::{Sim, SimError, Simulated};
use crate::spec::Contents;
#[cfg(feature = "indexes")]
use indelible::HashIndex;
use indelible::{
    Error, Index, Layout, LogState, Memory, Mode, OrderedIndex, OrderedNode, Report, Segment,
    Store, Undo,
};

/// An answer, or the error that came instead, in words.
type Answer<T> = Result<T, String>;

/// Everything that a store answered.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What `start` had to say.
    pub report: Report,
    /// Flipped bits that `check` met and healed.
    pub healed: u64,
    /// Damaged items that `check` met.
    pub damaged: u64,
    /// Each key asked for, and those that a scan showed.
    items: Map<Vec<u8>, Held>,
    /// In order.
    scanned: Vec<Vec<u8>>,
    /// The last error of the scan, which may have hidden keys.
    scan_error: Option<String>,
    logs: Vec<HeldLog>,
    /// Errors that name nothing, and what never may be.
    wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Held {
    value: Answer<Option<Vec<u8>>>,
    contains: Answer<bool>,
    list: Answer<Vec<Answer<Vec<u8>>>>,
}

#[derive(Clone, Debug)]
struct HeldLog {
    head: u64,
    tail: u64,
    pieces: Vec<(u64, Answer<Vec<u8>>)>,
}

/// How what was read compares with what should be there.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Answers that are not right, and are no errors.
    pub wrong: Vec<String>,
    /// Keys and logs that answer with an error which names damage.
    pub named: Vec<String>,
}

/// More entries than any image of the campaign has.
const ENTRIES: usize = 256;
/// Longer than any value of the campaign.
const VALUE: usize = 4096;

/// Why a store did not open.
#[derive(Clone, Debug)]
pub struct Refused(pub String);

/// An open store of either index.
pub type Opened<'a, 's, I> = Store<'a, &'s mut dyn Simulated, I>;

/// What is done with a store that was opened.
pub trait Visit {
    /// Does it.
    fn visit<I: Index>(&mut self, store: &mut Opened<'_, '_, I>, report: &Report);
}

/// Opens a store as a program does that knows nothing of it: with an ordered
/// index for reading, with a hash index for writing too.
///
/// # Errors
/// Where it does not open.
pub fn open(sim: &mut Sim, mode: Mode, visit: &mut impl Visit) -> Result<(), Refused> {
    let sim: &mut dyn Simulated = sim;
    let layout = Layout::read_of(&mut *sim).map_err(|error| Refused(error.to_string()))?;
    let mut segments = vec![Segment::default(); layout.segments as usize];
    let mut logs = vec![LogState::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Undo::default(); 64];
    let mut scratch = vec![0; layout.key_max as usize];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let id = Some(crate::store::ID);
    let refused = |error: Error<SimError>| Refused(error.to_string());
    if mode == Mode::ReadOnly || cfg!(not(feature = "indexes")) {
        let mut nodes = vec![OrderedNode::default(); OrderedIndex::nodes_for(ENTRIES)];
        let index = OrderedIndex::new(&mut nodes);
        let (mut store, report) = Store::start(sim, index, memory, id, mode).map_err(refused)?;
        visit.visit(&mut store, &report);
        return Ok(());
    }
    #[cfg(feature = "indexes")]
    if mode == Mode::ReadWrite {
        let mut slots = vec![0; HashIndex::slots_for(ENTRIES)];
        let index = HashIndex::new(&mut slots);
        let (mut store, report) = Store::start(sim, index, memory, id, mode).map_err(refused)?;
        visit.visit(&mut store, &report);
    }
    Ok(())
}

impl Look {
    /// Reads all of a store; `keys` are looked up whether a scan shows them or
    /// not.
    pub fn at<I: Index>(store: &mut Opened<'_, '_, I>, report: &Report, keys: &[Vec<u8>]) -> Self {
        let mut look = Look {
            report: report.clone(),
            ..Self::default()
        };
        look.scan(store);
        let mut keys: Vec<_> = look.scanned.iter().chain(keys).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let held = look.held(store, &key);
            look.items.insert(key, held);
        }
        for number in 0..store.log_count() {
            let log = look.log(store, number);
            look.logs.extend(log);
        }
        let checked = store.check(&mut |finding| {
            look.healed += u64::from(finding.healed);
            look.damaged += u64::from(!finding.healed);
        });
        if let Err(error) = checked {
            look.wrong.push(format!("check: {error}"));
        }
        look
    }

    /// Leaves some keys out.
    pub fn forget(&mut self, keys: impl Fn(&[u8]) -> bool) {
        self.items.retain(|key, _| !keys(key));
        self.scanned.retain(|key| !keys(key));
    }

    /// An answer, with any error in words; one that names no damage is wrong.
    fn answer<T>(&mut self, what: &str, answer: Result<T, Error<SimError>>) -> Answer<T> {
        answer.map_err(|error| {
            if !matches!(error, Error::Corrupt { .. } | Error::Doubtful { .. }) {
                self.wrong.push(format!("{what}: {error}"));
            }
            error.to_string()
        })
    }

    fn scan<I: Index>(&mut self, store: &mut Opened<'_, '_, I>) {
        let mut buffer = vec![0; store.key_max()];
        let mut scan = store.scan(b"");
        // A scan goes on behind an error.
        for _ in 0..2 * ENTRIES {
            match scan.next(&mut buffer) {
                Ok(Some(entry)) => {
                    let key = entry.key.to_vec();
                    if self.scanned.last().is_some_and(|last| *last >= key) {
                        self.wrong.push("a scan is out of order".into());
                    }
                    self.scanned.push(key);
                }
                Ok(None) => return,
                Err(error) => {
                    self.scan_error = self.answer::<()>("scan", Err(error)).err();
                }
            }
        }
        self.wrong.push("a scan does not end".into());
    }

    fn held<I: Index>(&mut self, store: &mut Opened<'_, '_, I>, key: &[u8]) -> Held {
        let name = key.escape_ascii().to_string();
        let mut buffer = vec![0; VALUE];
        let value = store.get(key, &mut buffer);
        let value = value.map(|len| len.map(|len| buffer[..len].to_vec()));
        let len = store.list_len(key);
        let mut list = Vec::new();
        for index in 0..*len.as_ref().unwrap_or(&None).as_ref().unwrap_or(&0) {
            let element = store.list_read(key, index, &mut buffer);
            let element = match element {
                Ok(None) => Err("an element is not there".into()),
                Ok(Some(len)) => Ok(buffer[..len].to_vec()),
                Err(error) => self.answer(&name, Err(error)),
            };
            list.push(element);
        }
        Held {
            value: self.answer(&name, value),
            contains: self.answer(&name, store.contains(key)),
            list: self.answer(&name, len).map(|_| list),
        }
    }

    fn log<I: Index>(&mut self, store: &mut Opened<'_, '_, I>, number: usize) -> Option<HeldLog> {
        let what = format!("log {number}");
        let span = self.answer(&what, store.get_head_tail_and_capacity(number));
        let span = span.ok()?;
        let mut pieces = Vec::new();
        let mut at = span.head;
        while at < span.tail && pieces.len() < 4096 {
            let len = (span.tail - at).min(50);
            let mut buffer = vec![0; len as usize];
            let answer = store.read(number, at, &mut buffer).map(|()| buffer);
            pieces.push((at, self.answer(&what, answer)));
            at += len;
        }
        Some(HeldLog {
            head: span.head,
            tail: span.tail,
            pieces,
        })
    }

    /// Compares everything with what should be there. `told` says that damage
    /// was reported, now or by an earlier start: a log's end may then lack.
    pub fn compare(&self, truth: &Contents, told: bool) -> Compared {
        let mut compared = Compared {
            wrong: self.wrong.clone(),
            named: Vec::new(),
        };
        for (key, held) in &self.items {
            compared.item(key, held, truth);
        }
        compared.scan(self, truth);
        for (number, log) in truth.logs.iter().enumerate() {
            match self.logs.get(number) {
                Some(held) => compared.log(number, held, log, told),
                None => compared.wrong.push(format!("log {number} is not there")),
            }
        }
        compared
    }
}

impl Compared {
    fn expect(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }

    fn item(&mut self, key: &[u8], held: &Held, truth: &Contents) {
        let item = truth.items.get(key);
        let name = key.escape_ascii();
        let mut error = None;
        match &held.value {
            Ok(value) => self.expect(
                value.as_ref() == item.map(|item| &item.value),
                || match value {
                    Some(value) => format!("{name} has another value, of {} bytes", value.len()),
                    None => format!("{name} is not there"),
                },
            ),
            Err(what) => error = Some(what),
        }
        match &held.contains {
            Ok(there) => self.expect(*there == item.is_some(), || {
                format!("{name} is there: {there}")
            }),
            Err(what) => error = Some(what),
        }
        let elements = item.map_or(&[][..], |item| &item.list[..]);
        match &held.list {
            Ok(list) => {
                self.expect(list.len() == elements.len(), || {
                    format!("the list of {name} has {} elements", list.len())
                });
                for (found, element) in list.iter().zip(elements) {
                    match found {
                        Ok(found) => self.expect(found == element, || {
                            format!("an element of {name} is another")
                        }),
                        Err(what) => error = Some(what),
                    }
                }
            }
            Err(what) => error = Some(what),
        }
        if let Some(what) = error {
            self.named.push(format!("{name}: {what}"));
        }
    }

    /// A scan must show what is there, or fail; and what it shows beside that
    /// must fail when it is read.
    fn scan(&mut self, look: &Look, truth: &Contents) {
        for key in truth.items.keys() {
            let shown = look.scanned.binary_search(key).is_ok() || look.scan_error.is_some();
            self.expect(shown, || format!("{} is not scanned", key.escape_ascii()));
        }
        for key in &look.scanned {
            let told = look.items.get(key).is_some_and(|held| held.value.is_err());
            self.expect(told || truth.items.contains_key(key), || {
                format!("{} is scanned", key.escape_ascii())
            });
        }
    }

    fn log(&mut self, number: usize, held: &HeldLog, log: &crate::spec::Log, told: bool) {
        let right = (held.head, held.tail) == (log.head, log.tail());
        let what = || format!("log {number} is from {} to {}", held.head, held.tail);
        self.expect(right || told, what);
        let mut error = (!right).then(what);
        for (at, piece) in &held.pieces {
            let bytes = match piece {
                Ok(bytes) => bytes,
                Err(what) => {
                    error = Some(format!("log {number}: {what}"));
                    continue;
                }
            };
            let theirs = (*at..).zip(bytes);
            let right = theirs.into_iter().all(|(at, byte)| {
                let within = at.checked_sub(log.head).map(|at| at as usize);
                let expected = within.and_then(|within| log.bytes.get(within));
                expected.is_none_or(|expected| expected == byte)
            });
            self.expect(right, || format!("log {number} has other bytes at {at}"));
        }
        self.named.extend(error);
    }
}
