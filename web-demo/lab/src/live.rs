//! A store that stays open between calls from the page.

use indelible::{
    Config, Error, Layout, LogState, Memory, Mode, OrderedIndex, OrderedNode, Report, Segment,
    Store, Undo, setup,
};
use indelible_tests::sim::{Sim, SimError, Simulated};
use indelible_tests::spec::{Contents, Item, Log};
use self_cell::{MutBorrow, self_cell};
use std::any::Any;

/// A store open on a simulated medium.
pub type Opened<'a> = Store<'a, &'a mut dyn Simulated, OrderedIndex<'a>>;

/// Why a store does not do something.
pub type Refused = Error<SimError>;

/// What a store borrows.
pub struct Lent {
    sim: Sim,
    nodes: Vec<OrderedNode>,
    segments: Vec<Segment>,
    logs: Vec<LogState>,
    ring: Vec<u32>,
    undo: Vec<Undo>,
    scratch: Vec<u8>,
}

self_cell!(
    struct Cell {
        owner: MutBorrow<Lent>,
        #[not_covariant]
        dependent: Opened,
    }
);

/// A medium with a store open on it.
pub struct Live {
    cell: Cell,
    /// What opening it had to say.
    pub report: Report,
}

/// Index changes in a transaction, at most.
const CHANGES: usize = 256;
/// Entries of the first index, which grows fourfold, and of the last.
const ENTRIES: usize = 1024;
const ENTRIES_MAX: usize = ENTRIES << 14;

impl Live {
    /// Makes an empty store on a medium and opens it.
    pub fn create(mut sim: Sim, config: &Config<'_>) -> Result<Self, Refused> {
        setup(&mut sim as &mut dyn Simulated, config)?;
        Self::open(sim, Mode::ReadWrite)
    }

    /// Opens the store on a medium, whoever made it.
    pub fn open(mut sim: Sim, mode: Mode) -> Result<Self, Refused> {
        let layout = Layout::read_of(&mut sim as &mut dyn Simulated)?;
        let mut entries = ENTRIES;
        loop {
            match Self::open_with(sim, &layout, entries, mode) {
                Err((back, Error::IndexFull { .. })) if entries < ENTRIES_MAX => sim = back,
                other => return other.map_err(|(_, error)| error),
            }
            entries *= 4;
        }
    }

    /// With an index of `entries` entries; gives the medium back where it fails.
    fn open_with(
        sim: Sim,
        layout: &Layout,
        entries: usize,
        mode: Mode,
    ) -> Result<Self, (Sim, Refused)> {
        let lent = Lent {
            sim,
            nodes: vec![OrderedNode::default(); OrderedIndex::nodes_for(entries)],
            segments: vec![Segment::default(); layout.segments as usize],
            logs: vec![LogState::default(); layout.logs as usize],
            ring: vec![0; layout.ring as usize],
            undo: vec![Undo::default(); CHANGES],
            scratch: vec![0; layout.key_max as usize],
        };
        let mut report = Report::default();
        let cell = Cell::try_new_or_recover(MutBorrow::new(lent), |lent| {
            let lent = lent.borrow_mut();
            let memory = Memory {
                segments: &mut lent.segments,
                logs: &mut lent.logs,
                ring: &mut lent.ring,
                undo: &mut lent.undo,
                scratch: &mut lent.scratch,
            };
            let index = OrderedIndex::new(&mut lent.nodes);
            let sim: &mut dyn Simulated = &mut lent.sim;
            let (store, found) = Store::start(sim, index, memory, None, mode)?;
            report = found;
            Ok::<_, Refused>(store)
        });
        match cell {
            Ok(cell) => Ok(Self { cell, report }),
            Err((lent, error)) => Err((lent.into_inner().sim, error)),
        }
    }

    /// Looks at the store.
    pub fn with<R>(&self, look: impl FnOnce(&Opened<'_>) -> R) -> R {
        self.cell.with_dependent(|_, store| look(store))
    }

    /// Works with the store.
    pub fn work<R>(&mut self, work: impl FnOnce(&mut Opened<'_>) -> R) -> R {
        self.cell.with_dependent_mut(|_, store| work(store))
    }

    /// The medium below.
    pub fn sim(&self) -> Sim {
        self.with(|store| {
            let medium: &dyn Any = &**store.medium();
            medium.downcast_ref::<Sim>().expect("opened on one").clone()
        })
    }

    /// Everything that the store holds, and what could not be read.
    pub fn contents(&self) -> (Contents, Vec<String>) {
        self.with(|store| {
            let mut contents = Contents::empty(0);
            let mut failed = Vec::new();
            let (keys, error) = keys(store, b"", usize::MAX);
            failed.extend(error);
            for key in keys {
                match item(store, &key) {
                    Ok(item) => drop(contents.items.insert(key, item)),
                    Err(error) => failed.push(format!("{}: {error}", key.escape_ascii())),
                }
            }
            for number in 0..store.log_count() {
                match log(store, number) {
                    Ok(log) => contents.logs.push(log),
                    Err(error) => failed.push(format!("log {number}: {error}")),
                }
            }
            (contents, failed)
        })
    }
}

/// At most `most` keys from `from` on, and the error that ended the walk.
pub fn keys(store: &Opened<'_>, from: &[u8], most: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let mut buffer = vec![0; store.key_max()];
    let mut keys = Vec::new();
    let mut scan = store.scan(b"");
    scan.seek(from);
    while keys.len() < most {
        match scan.next(&mut buffer) {
            Ok(Some(entry)) => keys.push(entry.key.to_vec()),
            Ok(None) => break,
            Err(error) => return (keys, Some(error.to_string())),
        }
    }
    (keys, None)
}

/// A key's value and list.
pub fn item(store: &Opened<'_>, key: &[u8]) -> Result<Item, Refused> {
    let mut item = Item {
        value: value(store, key)?.unwrap_or_default(),
        list: Vec::new(),
    };
    for index in 0..store.list_len(key)?.unwrap_or(0) {
        let mut buffer = vec![0; store.layout().segment_size as usize];
        let len = store.list_read(key, index, &mut buffer)?.unwrap_or(0);
        buffer.truncate(len);
        item.list.push(buffer);
    }
    Ok(item)
}

/// A key's value.
pub fn value(store: &Opened<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    let Some(len) = store.value_len(key)? else {
        return Ok(None);
    };
    let mut value = vec![0; usize::try_from(len).unwrap_or(0)];
    store.get(key, &mut value)?;
    Ok(Some(value))
}

fn log(store: &Opened<'_>, number: usize) -> Result<Log, Refused> {
    let span = store.get_head_tail_and_capacity(number)?;
    let mut bytes = vec![0; usize::try_from(span.tail - span.head).unwrap_or(0)];
    store.read(number, span.head, &mut bytes)?;
    Ok(Log {
        head: span.head,
        bytes,
    })
}
