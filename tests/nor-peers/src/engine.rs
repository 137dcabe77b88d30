//! What is asked of a store here.

use crate::nor::Flash;

/// A key. Stores that take no such keys say in their notes what they do.
pub type Key = [u8; 16];

/// The longest value that is ever handed over.
pub const VALUE_MAX: usize = 64;

/// Bytes in a record of the log.
pub const RECORD: usize = 32;

/// The key with this number.
#[must_use]
pub fn key(number: usize) -> Key {
    let mut key = *b"settings/0000000";
    for (place, digit) in key[9..].iter_mut().rev().zip(digits(number)) {
        *place = digit;
    }
    key
}

/// The number of a key.
#[must_use]
pub fn number(key: &Key) -> usize {
    key[9..]
        .iter()
        .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

fn digits(mut number: usize) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let digit = (number % 10) as u8;
        number /= 10;
        Some(b'0' + digit)
    })
}

/// Why a store did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no such thing.
    Lacks(&'static str),
    /// It refused or failed, in its own words.
    Failed(String),
}

impl Fault {
    /// A store's own error.
    pub fn of(cause: impl std::fmt::Debug) -> Self {
        Self::Failed(format!("{cause:?}"))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lacks(what) => write!(f, "no {what}"),
            Self::Failed(how) => f.write_str(how),
        }
    }
}

/// An open store. What a call did is durable when it returns.
pub trait Store {
    /// Reads a value; its length, or `None` where there is none.
    ///
    /// # Errors
    /// The store's.
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault>;

    /// Sets a value.
    ///
    /// # Errors
    /// The store's.
    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault>;

    /// Removes a value that is there.
    ///
    /// # Errors
    /// The store's.
    fn delete(&mut self, key: &Key) -> Result<(), Fault>;

    /// Sets all or none, in the face of a power cut too. Keys differ.
    ///
    /// # Errors
    /// [`Fault::Lacks`] where the store has no transactions.
    fn put_all(&mut self, changes: &[(Key, Vec<u8>)]) -> Result<(), Fault> {
        let _ = changes;
        Err(Fault::Lacks("transactions"))
    }

    /// Appends a record to the log; drops the oldest where there is no room.
    ///
    /// # Errors
    /// The store's.
    fn append(&mut self, record: &[u8; RECORD]) -> Result<(), Fault> {
        let _ = record;
        Err(Fault::Lacks("log"))
    }

    /// Shows every record of the log, the oldest first.
    ///
    /// # Errors
    /// The store's.
    fn records(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        let _ = visit;
        Err(Fault::Lacks("log"))
    }

    /// Bytes of memory that it holds on this host: its own size, what it was
    /// lent and its caches, without the stack.
    fn ram(&self) -> usize;
}

/// What a store is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Keys at most.
    pub keys: usize,
    /// Whether there is a log, in all the room that keys do not take.
    pub log: bool,
}

/// What is done with an open store.
pub type Work<'w> = dyn FnMut(&mut dyn Store) -> Result<(), Fault> + 'w;

/// A kind of store.
pub trait Engine {
    /// Its name in tables.
    fn name(&self) -> String;

    /// How it got to its figures: what a reader of the table has to know.
    fn note(&self) -> &'static str;

    /// Whether it is Indelible.
    fn is_ours(&self) -> bool {
        false
    }

    /// How often it programs a word between two erases, by its documentation.
    fn programs_max(&self) -> u8 {
        1
    }

    /// Whether a panic may pass through it: not through C.
    fn unwinds(&self) -> bool {
        true
    }

    /// Why it cannot run on flash with words of this many bytes.
    fn refuses_word(&self, word: usize) -> Option<&'static str>;

    /// Whether it has transactions over several keys.
    fn has_transactions(&self) -> bool;

    /// Whether it has a log that drops its oldest records.
    fn has_log(&self) -> bool;

    /// Whether keys and the log lie side by side.
    fn has_both(&self) -> bool {
        self.has_log()
    }

    /// Makes an empty store on blank flash.
    ///
    /// # Errors
    /// The store's.
    fn format(&self, flash: &Flash, plan: Plan) -> Result<(), Fault>;

    /// Whether a session ends with a close, and not as a power failure would.
    fn closes(&self) -> bool {
        false
    }

    /// Opens the store that is on the flash, and does `work` with it. Leaves
    /// it as a power failure would, unless it [closes](Engine::closes).
    ///
    /// # Errors
    /// What the store says to being opened, or what `work` returns.
    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault>;
}
