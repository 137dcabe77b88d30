//! A store over an image, whose memory grows as it has to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use indelible::{
    CheckCursor, Config, Error, Finding, Layout, Memory, Mode, Report, Store, Undo, setup,
};

use crate::below::{Below, Index, below, image_mut, index};
use crate::image::{Failed, Image, Port};
use crate::lent::Lent;
use crate::ops::{Op, Ops, Results};

/// Entries of the first index, and changes of the first undo memory. Each grows
/// fourfold when it is full: what is outgrown is kept until the store is closed.
const FIRST: usize = 1024;
const GROWTH: usize = 4;

/// What a record's frame takes beyond key and value, at most.
const FRAMING: usize = 40;
/// The part of the capacity that a transaction finds free.
const HEADROOM: u64 = 16;

/// What the engine's calls fail with.
pub type EngineError = Error<Failed>;

/// The core's store, as the engine holds it.
pub type Inner<P> = Store<'static, Below<'static, P>, Index>;

/// Is called with the store, a key and the length of its value; whether to go on.
pub type Visit<'v, P> = dyn FnMut(&Inner<P>, &[u8], u64) -> Result<bool, EngineError> + 'v;

/// How a store is made and opened.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// Bytes that the port holds.
    pub size: usize,
    /// The port holds nothing yet: a store is made on it.
    pub create: bool,
    /// Nothing is written, whatever has to be repaired.
    pub read_only: bool,
    /// A random number for a new store.
    pub nonce: u64,
    /// Bytes of a segment of a new store; chosen where `None`.
    pub segment_size: Option<u32>,
    /// The guaranteed bytes of each log of a new store.
    pub logs: &'o [u64],
}

/// An open store: keys with values, and logs. A change is durable when
/// [`Engine::batch`] or [`Engine::commit`] returns; whatever is only applied is
/// seen by reads, and gone with [`Engine::abort`].
pub struct Engine<P: Port + 'static> {
    // In this order: the store is dropped before the memory that it was lent.
    store: Inner<P>,
    report: Report,
    /// Room was made for the open transaction, which may have nothing in it yet.
    ready: bool,
    key: Vec<u8>,
    lent: Lent,
    image: Owned<Image<P>>,
}

/// A box that the store borrows from.
struct Owned<T>(*mut T);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is from `Box::into_raw` in `Engine::open`, and
        // what borrowed from it was dropped before.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl<P: Port> Engine<P> {
    /// Opens the store that the port holds, or makes one.
    ///
    /// Reads all of the port, but where one is made. Time grows with the records
    /// that are there: the index is built from them.
    ///
    /// # Errors
    /// [`Error::NotAStore`] where there is none, [`Error::Geometry`] where none
    /// can be made, and what [`Store::start`] reports.
    pub fn open(port: P, options: &Options<'_>) -> Result<Self, EngineError> {
        let image = if options.create {
            Image::blank(port, options.size)
        } else {
            Image::load(port, options.size).map_err(|cause| Error::Medium {
                operation: indelible::Operation::Read,
                at: 0,
                cause,
            })?
        };
        let image = Owned(Box::into_raw(Box::new(image)));
        // SAFETY: the pointer is from a box that nobody else has. The borrow
        // ends with `borrowed` or with the engine's store, and each goes before
        // the box does.
        let borrowed = unsafe { &mut *image.0 };
        let layout = if options.create {
            let config = Config {
                id: 0,
                nonce: options.nonce,
                segment_size: options.segment_size,
                logs: options.logs,
            };
            setup(&mut *below(borrowed), &config)?
        } else {
            Layout::read_of(below(borrowed))?
        };
        let mut entries = FIRST;
        loop {
            let mut lent = Lent::default();
            // SAFETY: as above. What was borrowed before was given up: by `setup`
            // and `read_of`, and by a start that failed.
            let borrowed = unsafe { &mut *image.0 };
            match start(borrowed, &layout, entries, options.read_only, &mut lent) {
                Ok((store, report)) => {
                    return Ok(Engine {
                        key: alloc::vec![0; store.key_max()],
                        ready: false,
                        store,
                        report,
                        lent,
                        image,
                    });
                }
                Err(Error::IndexFull { .. }) => entries = entries.saturating_mul(GROWTH),
                Err(error) => return Err(error),
            }
        }
    }

    /// What was found when the store was opened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The store, for looking at.
    pub fn store(&self) -> &Inner<P> {
        &self.store
    }

    /// Runs an operation, again with more memory where it had too little.
    fn growing<T>(
        &mut self,
        mut run: impl FnMut(&mut Inner<P>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        loop {
            match run(&mut self.store) {
                Err(Error::IndexFull { capacity }) => {
                    let entries = capacity.saturating_mul(GROWTH).max(FIRST);
                    // SAFETY: `lent` outlives the store, by the order of fields.
                    let index = unsafe { index(&mut self.lent, entries) };
                    self.store.swap_index(index)?;
                }
                Err(Error::TransactionTooLarge { limit }) => {
                    let count = limit.saturating_mul(GROWTH).max(FIRST);
                    // SAFETY: as above.
                    let undo = unsafe { self.lent.slice(count) };
                    self.store.swap_undo(undo);
                }
                result => return result,
            }
        }
    }

    /// Before a transaction is opened: makes room for what is known of it, for
    /// nothing is reclaimed while it is open. Where there is not so much room
    /// the operations themselves say what does not fit.
    fn prepare(&mut self, ops: &[u8]) -> Result<(), EngineError> {
        if self.ready || self.store.in_transaction() {
            return Ok(());
        }
        let count = Ops(ops).count().saturating_mul(FRAMING);
        self.reserve(ops.len().saturating_add(count))?;
        self.ready = true;
        Ok(())
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), EngineError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let wanted = bytes.max(headroom(&self.store.layout()));
        if self.store.room().record_bytes < wanted {
            return Ok(());
        }
        match self.store.reserve(wanted) {
            Err(Error::Full { .. }) => Ok(()),
            other => other,
        }
    }

    /// Applies operations in the open transaction, or opens one. Each has its
    /// own result; one that fails changes nothing.
    ///
    /// # Errors
    /// The port's, before anything is applied.
    pub fn apply(&mut self, ops: &[u8], results: &mut Results) -> Result<(), EngineError> {
        self.prepare(ops)?;
        for op in Ops(ops) {
            let done = self.stage(&op);
            results.push(done);
        }
        Ok(())
    }

    /// Applies operations and commits them: all of them or, where one fails,
    /// none. One operation takes no transaction and fewer bytes.
    ///
    /// # Errors
    /// The first that failed, and those of [`Engine::commit`].
    pub fn batch(&mut self, ops: &[u8], results: &mut Results) -> Result<(), EngineError> {
        let mut rest = Ops(ops);
        let first = rest.next();
        if let (Some(op), None) = (&first, rest.next())
            && !self.store.in_transaction()
        {
            let done = self.alone(op);
            results.push(done);
            return done.map(drop);
        }
        self.prepare(ops)?;
        for op in Ops(ops) {
            let done = self.stage(&op);
            results.push(done);
            if let Err(error) = done {
                self.abort()?;
                return Err(error);
            }
        }
        self.commit()
    }

    /// One operation, durable when it returns; or `staged`: in the open
    /// transaction, or in one that it opens.
    ///
    /// # Errors
    /// Its own, and the port's.
    pub fn one(&mut self, op: &Op<'_>, staged: bool) -> Result<f64, EngineError> {
        if !staged {
            return self.alone(op);
        }
        if !self.ready && !self.store.in_transaction() {
            self.reserve(0)?;
            self.ready = true;
        }
        self.stage(op)
    }

    fn alone(&mut self, op: &Op<'_>) -> Result<f64, EngineError> {
        match *op {
            Op::Set { key, value } => self.growing(|store| store.put(key, value)).map(|()| 0.0),
            Op::Delete { key } => present(self.growing(|store| store.delete(key))),
            Op::Append { log, data } => self.store.append(log, data).map(position),
            Op::AdvanceHead { log, head } => self.store.advance_head(log, head).map(|()| 0.0),
            Op::Clear => {
                let cleared = self.clear();
                match cleared {
                    Ok(count) => self.store.commit().map(|()| count),
                    Err(error) => self.store.abort().and(Err(error)),
                }
            }
        }
    }

    fn stage(&mut self, op: &Op<'_>) -> Result<f64, EngineError> {
        match *op {
            Op::Set { key, value } => self
                .growing(|store| store.tentatively_put(key, value))
                .map(|()| 0.0),
            Op::Delete { key } => present(self.growing(|store| store.tentatively_delete(key))),
            Op::Append { log, data } => self.store.tentatively_append(log, data).map(position),
            Op::AdvanceHead { log, head } => {
                self.store.tentatively_advance_head(log, head).map(|()| 0.0)
            }
            Op::Clear => self.clear(),
        }
    }

    /// Deletes every key, in the open transaction; how many there were.
    fn clear(&mut self) -> Result<f64, EngineError> {
        let mut count = 0u32;
        let mut key = core::mem::take(&mut self.key);
        let cleared = loop {
            let len = match self.store.last_before(None, &mut key) {
                Ok(Some(entry)) => entry.key.len(),
                Ok(None) => break Ok(f64::from(count)),
                Err(error) => break Err(error),
            };
            let key = key.get(..len).unwrap_or_default();
            if let Err(error) = self.growing(|store| store.tentatively_delete(key)) {
                break Err(error);
            }
            count = count.saturating_add(1);
        };
        self.key = key;
        cleared
    }

    /// Makes what was applied durable: one write a run, and one flush.
    ///
    /// # Errors
    /// The port's; the store is then to be opened again, and the transaction is
    /// there as a whole or not at all.
    pub fn commit(&mut self) -> Result<(), EngineError> {
        self.ready = false;
        self.store.commit()
    }

    /// Forgets what was applied.
    ///
    /// # Errors
    /// The port's; the store is then to be opened again.
    pub fn abort(&mut self) -> Result<(), EngineError> {
        self.ready = false;
        self.store.abort()
    }

    /// Reclaims room ahead of need; whether there is more to do.
    ///
    /// # Errors
    /// [`Error::TransactionOpen`], or the port's.
    pub fn maintain(&mut self, steps: u32) -> Result<bool, EngineError> {
        self.store.maintain(steps).map(|done| done.more)
    }

    /// Accepts what was damaged: lost stays lost, and nothing is withheld.
    ///
    /// # Errors
    /// The port's.
    pub fn accept_damage(&mut self) -> Result<(), EngineError> {
        self.store.accept_damage()
    }

    /// Reads the port again and verifies everything that can be reached; calls
    /// `visit` for what is damaged or was healed. What is applied and not
    /// committed is verified as it is in memory.
    ///
    /// # Errors
    /// The port's.
    pub fn check(
        &mut self,
        visit: &mut dyn FnMut(Finding<'_>),
    ) -> Result<CheckCursor, EngineError> {
        let reloaded = image_mut::<P>(self.store.medium_mut()).reload();
        reloaded.map_err(|cause| Error::Medium {
            operation: indelible::Operation::Read,
            at: 0,
            cause,
        })?;
        let mut cursor = CheckCursor::default();
        while self.store.check_step(&mut cursor, visit)? {}
        Ok(cursor)
    }

    /// One page of keys in order, from the first not less than `from` (or from
    /// the last backwards) and before `end`, as `each` is called with key and
    /// value; until it says `false`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] and [`Error::Doubtful`] for a damaged key.
    pub fn walk(
        &mut self,
        from: &[u8],
        end: Option<&[u8]>,
        reverse: bool,
        each: &mut Visit<'_, P>,
    ) -> Result<bool, EngineError> {
        let mut key = core::mem::take(&mut self.key);
        let walked = if reverse {
            self.walk_back(from, end, &mut key, each)
        } else {
            self.walk_on(from, end, &mut key, each)
        };
        self.key = key;
        walked
    }

    fn walk_on(
        &self,
        from: &[u8],
        end: Option<&[u8]>,
        key: &mut [u8],
        each: &mut Visit<'_, P>,
    ) -> Result<bool, EngineError> {
        let mut scan = self.store.scan(b"");
        scan.seek(from);
        while let Some(entry) = scan.next(key)? {
            if end.is_some_and(|end| entry.key >= end) {
                break;
            }
            if !each(&self.store, entry.key, entry.value_len)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn walk_back(
        &self,
        from: &[u8],
        end: Option<&[u8]>,
        key: &mut [u8],
        each: &mut Visit<'_, P>,
    ) -> Result<bool, EngineError> {
        let mut before: Option<Vec<u8>> = end.map(Vec::from);
        while let Some(entry) = self.store.last_before(before.as_deref(), key)? {
            if entry.key < from {
                break;
            }
            if !each(&self.store, entry.key, entry.value_len)? {
                return Ok(true);
            }
            let last = before.get_or_insert_default();
            last.clear();
            last.extend_from_slice(entry.key);
        }
        Ok(false)
    }

    /// Closes the store, so that the next opening finds it clean. What was
    /// applied and not committed is given up.
    ///
    /// # Errors
    /// The port's. A store that was not closed loses nothing either.
    pub fn close(self) -> Result<(), EngineError> {
        let Engine {
            store, lent, image, ..
        } = self;
        let closed = store.close().map(drop);
        drop(lent);
        drop(image);
        closed
    }
}

/// Starts the store with memory for `entries`.
fn start<P: Port>(
    image: &'static mut Image<P>,
    layout: &Layout,
    entries: usize,
    read_only: bool,
    lent: &mut Lent,
) -> Result<(Inner<P>, Report), EngineError> {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    // SAFETY: the caller keeps `lent` longer than the store.
    let (memory, index) = unsafe {
        let memory = Memory {
            segments: lent.slice(count(layout.segments)),
            logs: lent.slice(count(layout.logs)),
            ring: lent.slice(count(layout.ring)),
            undo: lent.slice::<Undo>(FIRST),
            scratch: lent.slice(count(layout.key_max)),
        };
        (memory, index(lent, entries))
    };
    let mode = if read_only {
        Mode::ReadOnly
    } else {
        Mode::ReadWrite
    };
    Store::start(below(image), index, memory, None, mode)
}

/// Room that a transaction finds at least, where the store has so much: its first
/// operations do not tell what is to come.
#[must_use]
pub fn headroom(layout: &Layout) -> u64 {
    layout.kv_capacity / HEADROOM
}

/// Whether there was something to delete.
fn present(deleted: Result<(), EngineError>) -> Result<f64, EngineError> {
    match deleted {
        Ok(()) => Ok(1.0),
        Err(Error::NotFound) => Ok(0.0),
        Err(error) => Err(error),
    }
}

/// A position as a number of JavaScript.
#[allow(clippy::cast_precision_loss)]
fn position(at: u64) -> f64 {
    at as f64
}
