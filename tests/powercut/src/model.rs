//! What the store must hold. Contents are told by numbers from which all
//! bytes follow, so that a copy of it is small.

use crate::random::Random;
use heapless::{Deque, Vec};
use indelible::{Error, Index, Medium, Store};

/// Keys there are.
pub const KEYS: usize = 16;
/// Logs there are.
pub const LOGS: usize = 2;
/// Bytes that each log is sure to hold.
pub const LOG_CAPACITY: u64 = 1024;
/// Pieces that a log holds at most.
const PIECES: usize = 64;
/// Elements in a list at most.
const ELEMENTS: usize = 4;
/// The longest value, element and append in bytes.
const VALUE_MAX: usize = 160;
const ELEMENT_MAX: usize = 24;
const APPEND_MAX: usize = 48;

/// Stands for bytes: all of them, and how many, follow from it. Zero: none.
pub type Salt = u32;

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts a value under a key.
    Put(u8, Salt),
    /// Deletes a key.
    Delete(u8),
    /// Appends an element to a key's list.
    Push(u8, Salt),
    /// Drops a list's first elements.
    Trim(u8, u8),
    /// Appends to a log.
    Append(u8, Salt),
    /// Advances a log's head by bytes.
    Advance(u8, u16),
}

/// A key's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    value: Salt,
    list: Vec<Salt, ELEMENTS>,
}

/// A log: the pieces appended to it, of which `cut` bytes of the first are
/// gone.
#[derive(Clone, Debug, Default)]
struct Log {
    pieces: Deque<Salt, PIECES>,
    cut: u64,
    head: u64,
    tail: u64,
}

/// All that the store must hold.
#[derive(Clone, Debug)]
pub struct Model {
    items: [Item; KEYS],
    logs: [Log; LOGS],
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The value of this key.
    Value(u8),
    /// The list of this key.
    List(u8),
    /// The number of keys.
    Keys(u64),
    /// Head or tail of this log.
    Span(u8),
    /// This log's bytes.
    Bytes(u8),
    /// Reading this key failed.
    Unreadable(u8),
    /// Reading this log failed.
    UnreadableLog(u8),
}

/// The name of key number `key`: of all lengths.
pub fn name(key: u8, bytes: &mut [u8; 12]) -> &[u8] {
    *bytes = *b"k__/name/of/";
    bytes[1] = b'0' + key / 10;
    bytes[2] = b'0' + key % 10;
    &bytes[..3 + usize::from(key) % 10]
}

/// The bytes that a salt stands for, `max` at most.
fn bytes_of(salt: Salt, max: usize, buffer: &mut [u8; VALUE_MAX]) -> &[u8] {
    let mut random = Random::new(salt.into());
    // Usually short; sometimes all blank, which a store must tell from what
    // was not written.
    let len = match random.below(4) {
        0 => random.up_to(max),
        _ => random.up_to(max / 3),
    };
    match random.below(8) {
        0 => buffer[..len].fill(0xFF),
        1 => buffer[..len].fill(0x00),
        _ => random.fill(&mut buffer[..len]),
    }
    &buffer[..len]
}

/// The value that a salt stands for.
pub fn value(salt: Salt, buffer: &mut [u8; VALUE_MAX]) -> &[u8] {
    bytes_of(salt, VALUE_MAX, buffer)
}

/// The element that a salt stands for.
pub fn element(salt: Salt, buffer: &mut [u8; VALUE_MAX]) -> &[u8] {
    bytes_of(salt, ELEMENT_MAX, buffer)
}

/// The append that a salt stands for: one byte at least.
pub fn piece(salt: Salt, buffer: &mut [u8; VALUE_MAX]) -> &[u8] {
    let len = bytes_of(salt, APPEND_MAX, buffer).len();
    if len == 0 {
        buffer[0] = salt as u8;
    }
    &buffer[..len.max(1)]
}

/// A buffer that holds whatever a salt stands for.
pub const fn buffer() -> [u8; VALUE_MAX] {
    [0; VALUE_MAX]
}

impl Default for Model {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Model {
    /// An empty store.
    pub const EMPTY: Self = Self {
        items: [const {
            Item {
                value: 0,
                list: Vec::new(),
            }
        }; KEYS],
        logs: [const {
            Log {
                pieces: Deque::new(),
                cut: 0,
                head: 0,
                tail: 0,
            }
        }; LOGS],
    };

    /// Bytes in a log.
    pub fn log_len(&self, log: u8) -> u64 {
        let log = &self.logs[usize::from(log)];
        log.tail - log.head
    }

    /// Where a log begins.
    pub fn head(&self, log: u8) -> u64 {
        self.logs[usize::from(log)].head
    }

    /// Whether a key is present.
    pub fn has(&self, key: u8) -> bool {
        self.items[usize::from(key)].value != 0
    }

    /// Elements in a key's list.
    pub fn list_len(&self, key: u8) -> usize {
        self.items[usize::from(key)].list.len()
    }

    /// Whether a change can be made after this state, which `committed` came
    /// before: logs have their capacity, counted from the committed head.
    pub fn allows(&self, committed: &Self, change: Change) -> bool {
        match change {
            Change::Put(..) => true,
            Change::Delete(key) => self.has(key),
            Change::Push(key, _) => self.has(key) && self.list_len(key) < ELEMENTS,
            Change::Trim(key, count) => {
                count > 0 && self.has(key) && usize::from(count) <= self.list_len(key)
            }
            Change::Append(log, salt) => {
                let len = piece(salt, &mut buffer()).len() as u64;
                let log = usize::from(log);
                let used = self.logs[log].tail - committed.logs[log].head;
                used + len <= LOG_CAPACITY && !self.logs[log].pieces.is_full()
            }
            Change::Advance(log, by) => by > 0 && u64::from(by) <= self.log_len(log),
        }
    }

    /// Makes a change that is allowed.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Put(key, salt) => self.items[usize::from(key)].value = salt,
            Change::Delete(key) => self.items[usize::from(key)] = Item::default(),
            Change::Push(key, salt) => {
                let _ = self.items[usize::from(key)].list.push(salt);
            }
            Change::Trim(key, count) => {
                let list = &mut self.items[usize::from(key)].list;
                list.rotate_left(count.into());
                list.truncate(list.len() - usize::from(count));
            }
            Change::Append(log, salt) => {
                let log = &mut self.logs[usize::from(log)];
                log.tail += piece(salt, &mut buffer()).len() as u64;
                let _ = log.pieces.push_back(salt);
            }
            Change::Advance(log, by) => self.logs[usize::from(log)].advance(by.into()),
        }
    }

    /// Compares a store with this.
    ///
    /// # Errors
    /// The first difference.
    pub fn compare<M: Medium, I: Index>(&self, store: &Store<'_, M, I>) -> Result<(), Difference> {
        let mut present = 0;
        for (key, item) in (0u8..).zip(&self.items) {
            present += u64::from(item.value != 0);
            item.compare(store, key)?;
        }
        if store.len() != present {
            return Err(Difference::Keys(store.len()));
        }
        for (number, log) in (0u8..).zip(&self.logs) {
            log.compare(store, number)?;
        }
        Ok(())
    }
}

impl Item {
    fn compare<M: Medium, I: Index>(
        &self,
        store: &Store<'_, M, I>,
        key: u8,
    ) -> Result<(), Difference> {
        let (mut found, mut wanted, mut bytes) = (buffer(), buffer(), [0; 12]);
        let name = name(key, &mut bytes);
        let len = store
            .get(name, &mut found)
            .map_err(|_| Difference::Unreadable(key))?;
        let same = match len {
            None => self.value == 0,
            Some(len) => self.value != 0 && found[..len] == *value(self.value, &mut wanted),
        };
        if !same {
            return Err(Difference::Value(key));
        }
        let count = store
            .list_len(name)
            .map_err(|_| Difference::Unreadable(key))?;
        if count.unwrap_or(0) != self.list.len() as u64 {
            return Err(Difference::List(key));
        }
        for (at, salt) in (0..).zip(&self.list) {
            let len = store
                .list_read(name, at, &mut found)
                .map_err(|_| Difference::Unreadable(key))?;
            if len.map(|len| &found[..len]) != Some(element(*salt, &mut wanted)) {
                return Err(Difference::List(key));
            }
        }
        Ok(())
    }
}

impl Log {
    fn advance(&mut self, by: u64) {
        self.head += by;
        self.cut += by;
        while let Some(salt) = self.pieces.front() {
            let len = piece(*salt, &mut buffer()).len() as u64;
            if self.cut < len {
                break;
            }
            self.cut -= len;
            self.pieces.pop_front();
        }
    }

    fn compare<M: Medium, I: Index>(
        &self,
        store: &Store<'_, M, I>,
        number: u8,
    ) -> Result<(), Difference> {
        let log = usize::from(number);
        let span = store
            .get_head_tail_and_capacity(log)
            .map_err(|_| Difference::UnreadableLog(number))?;
        if (span.head, span.tail) != (self.head, self.tail) {
            return Err(Difference::Span(number));
        }
        let (mut found, mut wanted) = (buffer(), buffer());
        let (mut at, mut cut) = (self.head, self.cut as usize);
        for salt in &self.pieces {
            let rest = &piece(*salt, &mut wanted)[cut..];
            let found = &mut found[..rest.len()];
            store
                .read(log, at, found)
                .map_err(|_| Difference::UnreadableLog(number))?;
            if found != rest {
                return Err(Difference::Bytes(number));
            }
            at += rest.len() as u64;
            cut = 0;
        }
        Ok(())
    }
}

/// Makes a change tentatively in a store.
///
/// # Errors
/// The store's.
pub fn stage<M: Medium, I: Index>(
    store: &mut Store<'_, M, I>,
    change: Change,
) -> Result<(), Error<M::Error>> {
    let (mut bytes, mut contents) = ([0; 12], buffer());
    match change {
        Change::Put(key, salt) => {
            store.tentatively_put(name(key, &mut bytes), value(salt, &mut contents))
        }
        Change::Delete(key) => store.tentatively_delete(name(key, &mut bytes)),
        Change::Push(key, salt) => {
            store.tentatively_list_append(name(key, &mut bytes), element(salt, &mut contents))
        }
        Change::Trim(key, count) => {
            store.tentatively_list_trim(name(key, &mut bytes), count.into())
        }
        Change::Append(log, salt) => store
            .tentatively_append(log.into(), piece(salt, &mut contents))
            .map(|_| ()),
        Change::Advance(log, by) => {
            let head = store.get_head_tail_and_capacity(log.into())?.head;
            store.tentatively_advance_head(log.into(), head + u64::from(by))
        }
    }
}
