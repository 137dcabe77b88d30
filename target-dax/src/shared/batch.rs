//! Changes that are committed together.

use std::ops::Range;

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum What {
    Put = 1,
    Create,
    Update,
    Delete,
    Append,
    AdvanceHead,
    ListAppend,
    ListUpdate,
    ListTrim,
}

/// One change, its bytes borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'c> {
    pub what: What,
    pub log: usize,
    /// A position, an index or a count.
    pub number: u64,
    pub key: &'c [u8],
    /// A value, an element, or what is appended to a log.
    pub data: &'c [u8],
}

impl<'c> Change<'c> {
    pub(crate) fn new(what: What, key: &'c [u8], data: &'c [u8]) -> Self {
        Self {
            what,
            log: 0,
            number: 0,
            key,
            data,
        }
    }

    pub(crate) fn number(self, number: u64) -> Self {
        Self { number, ..self }
    }

    pub(crate) fn log(self, log: usize) -> Self {
        Self { log, ..self }
    }
}

/// A change in a batch: its bytes by where they lie.
#[derive(Clone, Debug)]
struct Row {
    what: What,
    log: usize,
    number: u64,
    key: Range<usize>,
    data: Range<usize>,
}

/// Changes of keys, lists and logs that are committed together: all of them or
/// none. A thread fills one by itself; [`SharedStore::commit`] makes it durable.
///
/// [`SharedStore::commit`]: super::SharedStore::commit
///
/// ```
/// let mut batch = indelible_dax::Batch::new();
/// batch.put(b"balance/alice", b"90").put(b"balance/bob", b"110");
/// batch.append(0, b"alice -> bob: 10\n");
/// assert_eq!(batch.len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

impl Batch {
    /// No changes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets all changes and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Creates a key or replaces its value; its list stays.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        self.push(Change::new(What::Put, key, value))
    }

    /// Creates a key that must be absent.
    pub fn create(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        self.push(Change::new(What::Create, key, value))
    }

    /// Replaces the value of a key that must be present.
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> &mut Self {
        self.push(Change::new(What::Update, key, value))
    }

    /// Deletes a key that must be present, with its list.
    pub fn delete(&mut self, key: &[u8]) -> &mut Self {
        self.push(Change::new(What::Delete, key, &[]))
    }

    /// Appends to a log.
    pub fn append(&mut self, log: usize, data: &[u8]) -> &mut Self {
        self.push(Change::new(What::Append, &[], data).log(log))
    }

    /// Forgets what a log holds before `head`.
    pub fn advance_head(&mut self, log: usize, head: u64) -> &mut Self {
        let change = Change::new(What::AdvanceHead, &[], &[]);
        self.push(change.log(log).number(head))
    }

    /// Appends to the list of a key that must be present.
    pub fn list_append(&mut self, key: &[u8], element: &[u8]) -> &mut Self {
        self.push(Change::new(What::ListAppend, key, element))
    }

    /// Replaces an element of a list.
    pub fn list_update(&mut self, key: &[u8], index: u64, element: &[u8]) -> &mut Self {
        self.push(Change::new(What::ListUpdate, key, element).number(index))
    }

    /// Drops the first `count` elements of a list.
    pub fn list_trim(&mut self, key: &[u8], count: u64) -> &mut Self {
        self.push(Change::new(What::ListTrim, key, &[]).number(count))
    }

    pub(crate) fn push(&mut self, change: Change<'_>) -> &mut Self {
        let row = Row {
            what: change.what,
            log: change.log,
            number: change.number,
            key: self.keep(change.key),
            data: self.keep(change.data),
        };
        self.rows.push(row);
        self
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        begin..self.bytes.len()
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().map(|row| Change {
            what: row.what,
            log: row.log,
            number: row.number,
            key: &self.bytes[row.key.clone()],
            data: &self.bytes[row.data.clone()],
        })
    }
}
