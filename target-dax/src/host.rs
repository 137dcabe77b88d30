//! Stores for programs that have an allocator.
//!
//! The core works in memory that the caller lends, and lends for good. Here
//! [`HostMemory`] is that memory, an arena that the store borrows: declare it
//! first, open the store second, and the compiler sees to the rest. The index
//! grows by moving to a larger one; the old one's memory is used again when
//! the arena is dropped, so all of them together take at most twice the last.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use indelible::{
    Config, Error, Geometry, GeometryError, HashIndex, Index, Layout, LogState, Memory, Mode,
    OrderedIndex, OrderedNode, Report, Saving, ScanSlot, Segment, Store, Undo,
};

mod lender;
mod pages;
mod saves;

use lender::Lender;
use saves::Saves;
pub(crate) use saves::Step;

use crate::file::{self, Access, FileError, Reads};
use crate::{AnyMedium, HostMedium, MediumChoice, MediumKind};

/// Index changes that one transaction may hold, and how many more for each
/// segment: the largest value's chunks are as many as a few a segment.
const UNDO: usize = 4096;
const UNDO_PER_SEGMENT: usize = 16;

/// Index entries to begin with: room for the records that are there, and for
/// one in so many bytes of the store as long as that is not much.
const ENTRIES_MIN: usize = 1024;
const ENTRIES_SPARE: u64 = 1 << 21;
const BYTES_PER_ENTRY: u64 = 256;

/// The index is saved whenever so many times what that takes was written: 5 %
/// more is written so.
const SAVE_EVERY: u32 = 20;

/// What a store over a file fails with.
pub type StoreError = Error<FileError>;

/// Memory to lend to a [`HostStore`], which must not outlive it.
#[derive(Default)]
pub struct HostMemory {
    segments: Lender<Segment>,
    logs: Lender<LogState>,
    ring: Lender<u32>,
    undo: Lender<Undo>,
    slots: Lender<u64>,
    nodes: Lender<OrderedNode>,
    scratch: Lender<u8>,
}

impl HostMemory {
    /// Memory with nothing in it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes lent so far, the indexes of stores that were closed included.
    #[must_use]
    pub fn lent(&self) -> usize {
        self.segments.bytes()
            + self.logs.bytes()
            + self.ring.bytes()
            + self.undo.bytes()
            + self.slots.bytes()
            + self.nodes.bytes()
            + self.scratch.bytes()
    }
}

impl fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMemory").finish_non_exhaustive()
    }
}

/// An index that can be made in a [`HostMemory`].
pub trait HostIndex<'a>: Index + Sized {
    /// An empty index for at least `entries` entries.
    fn with_room(memory: &'a HostMemory, entries: usize) -> Self;
}

impl<'a> HostIndex<'a> for HashIndex<'a> {
    fn with_room(memory: &'a HostMemory, entries: usize) -> Self {
        HashIndex::in_zeros(memory.slots.lend_zeros(HashIndex::slots_for(entries)))
    }
}

impl<'a> HostIndex<'a> for OrderedIndex<'a> {
    fn with_room(memory: &'a HostMemory, entries: usize) -> Self {
        OrderedIndex::new(memory.nodes.lend_zeros(OrderedIndex::nodes_for(entries)))
    }
}

impl<'a, I: HostIndex<'a>> HostIndex<'a> for Saving<I> {
    fn with_room(memory: &'a HostMemory, entries: usize) -> Self {
        Saving(I::with_room(memory, entries))
    }
}

/// How a new store is to be made.
///
/// ```
/// use indelible_dax::Setup;
///
/// # let folder = tempfile::tempdir().unwrap();
/// let layout = Setup::new(4 << 20)
///     .logs(&[64 << 10, 64 << 10])
///     .create(folder.path().join("store"))
///     .unwrap();
/// assert_eq!(layout.logs, 2);
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    geometry: Geometry,
    logs: Vec<u64>,
    segment_size: Option<u32>,
    grows_to: u64,
    id: Option<u128>,
    medium: MediumChoice,
}

impl Setup {
    /// A store of `size` bytes, in a file or in persistent memory, without
    /// logs.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self::image(file::geometry(size))
    }

    /// An image of a medium of another geometry.
    #[must_use]
    pub fn image(geometry: Geometry) -> Self {
        Self {
            geometry,
            logs: Vec::new(),
            segment_size: None,
            grows_to: 0,
            id: None,
            medium: MediumChoice::Auto,
        }
    }

    /// Adds a log for each guaranteed capacity in bytes.
    #[must_use]
    pub fn logs(mut self, capacities: &[u64]) -> Self {
        self.logs.extend_from_slice(capacities);
        self
    }

    /// Chooses the segment size, which the core otherwise does.
    #[must_use]
    pub fn segment_size(mut self, bytes: u32) -> Self {
        self.segment_size = Some(bytes);
        self
    }

    /// Chooses segments that are long enough for the store to grow to `size`
    /// bytes ([`HostStore::grow`]), unless their size is chosen.
    #[must_use]
    pub fn grows_to(mut self, size: u64) -> Self {
        self.grows_to = size;
        self
    }

    /// Chooses the store's id, which is otherwise random.
    #[must_use]
    pub fn id(mut self, id: u128) -> Self {
        self.id = Some(id);
        self
    }

    /// Chooses the medium, which is otherwise chosen by the path. What is on
    /// it is the same.
    #[must_use]
    pub fn medium(mut self, choice: MediumChoice) -> Self {
        self.medium = choice;
        self
    }

    /// The smallest capacity in bytes that holds such a store.
    #[must_use]
    pub fn minimum(&self) -> u64 {
        Layout::minimum(self.geometry, &self.config(0, 0))
    }

    /// Creates the file and sets the store up in it, closed. Nothing is left
    /// behind where it fails.
    ///
    /// # Errors
    /// [`Error::Geometry`] names what does not fit, before anything is
    /// created; [`OpenError::File`] is a path that exists or a full disk.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Layout, OpenError> {
        let path = path.as_ref();
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| OpenError::NoRandom(error.into()))?;
        let (id, nonce) = random.split_at(16);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0u128, |number, byte| number << 8 | u128::from(*byte))
        };
        let id = self.id.unwrap_or(number(id));
        let mut config = self.config(id, number(nonce) as u64);
        let planned = self.plan(&config);
        let layout = planned.map_err(|error| OpenError::Store(Error::Geometry(error)))?;
        config.segment_size = Some(layout.segment_size);
        let mut medium =
            AnyMedium::create(path, self.geometry, self.medium).map_err(OpenError::File)?;
        let made = medium.kind();
        indelible::setup(&mut medium, &config).map_err(|error| {
            // The first error counts; a device stays.
            if made != MediumKind::DevDax {
                let _ = std::fs::remove_file(path);
            }
            OpenError::Store(error)
        })
    }

    /// The layout, with segments that are long enough for what it may grow to.
    fn plan(&self, config: &Config<'_>) -> Result<Layout, GeometryError> {
        let mut layout = Layout::plan(self.geometry, config)?;
        while layout.grows_to() < self.grows_to && self.segment_size.is_none() {
            let too_large = GeometryError::TooLarge {
                max: layout.grows_to(),
            };
            let longer = Config {
                segment_size: Some(layout.segment_size.checked_mul(2).ok_or(too_large)?),
                ..*config
            };
            layout = Layout::plan(self.geometry, &longer).map_err(|_| too_large)?;
        }
        Ok(layout)
    }

    fn config(&self, id: u128, nonce: u64) -> Config<'_> {
        Config {
            id,
            nonce,
            segment_size: self.segment_size,
            logs: &self.logs,
        }
    }
}

/// Why a store was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The file.
    File(FileError),
    /// What is on it.
    Store(StoreError),
    /// The system has no random numbers, which a new store needs.
    NoRandom(std::io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::File(error) => error.fmt(f),
            OpenError::Store(error) => error.fmt(f),
            OpenError::NoRandom(error) => write!(f, "the system has no random numbers: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::File(error) => error.source(),
            OpenError::Store(error) => error.source(),
            OpenError::NoRandom(error) => Some(error),
        }
    }
}

/// An open store over a file, whose index grows as it has to.
///
/// ```
/// use indelible_dax::{HostMemory, HostStore, Setup};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("store");
/// Setup::new(4 << 20).logs(&[64 << 10]).create(&path)?;
/// let memory = HostMemory::new();
/// let mut store: HostStore = HostStore::open(&path, &memory)?;
///
/// // Both or neither, whatever happens.
/// store.tentatively_put(b"stock/apples", b"41")?;
/// store.tentatively_append(0, b"sold an apple\n")?;
/// store.commit()?;
///
/// let mut key = vec![0; store.key_max()];
/// let mut scan = store.scan(b"stock/");
/// while let Some(entry) = scan.next(&mut key)? {
///     println!("{}: {} bytes", entry.key.escape_ascii(), entry.value_len);
/// }
/// store.close()?;
/// # Ok(())
/// # }
/// ```
///
/// It gives way to the core's [`Store`] for everything that it does not do
/// itself. Dropping it without [`HostStore::close`] is safe and leaves the
/// store as a power cut would. Closing it saves the index, so that opening it
/// again is quick however many keys there are; with a bare
/// [`HashIndex`] or [`OrderedIndex`] in place of [`Saving`] the index is built
/// from the records each time, and all of them are looked at.
pub struct HostStore<'a, I: Index = Saving<HashIndex<'a>>, M: HostMedium = AnyMedium> {
    store: Store<'a, M, I>,
    memory: &'a HostMemory,
    report: Report,
    saves: Saves,
}

/// A [`HostStore`] for programs that mostly walk keys in order.
pub type OrderedHostStore<'a, M = AnyMedium> = HostStore<'a, Saving<OrderedIndex<'a>>, M>;

impl<'a, I: HostIndex<'a>> HostStore<'a, I> {
    /// Opens a store for reading and writing.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: impl AsRef<Path>, memory: &'a HostMemory) -> Result<Self, OpenError> {
        Self::open_as(path, memory, Access::ReadWrite, Reads::Mapped)
    }

    /// Opens a store for reading. The file is never changed; what needs
    /// healing is healed in memory.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_read_only(
        path: impl AsRef<Path>,
        memory: &'a HostMemory,
    ) -> Result<Self, OpenError> {
        Self::open_as(path, memory, Access::ReadOnly, Reads::Mapped)
    }

    /// Opens a store with everything chosen.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_as(
        path: impl AsRef<Path>,
        memory: &'a HostMemory,
        access: Access,
        reads: Reads,
    ) -> Result<Self, OpenError> {
        Self::open_on(path, memory, access, reads, MediumChoice::Auto)
    }

    /// Opens a store with the medium chosen too.
    ///
    /// # Errors
    /// See [`OpenError`]; [`FileError::NotDax`] where persistent memory was
    /// chosen and the path leads to none.
    pub fn open_on(
        path: impl AsRef<Path>,
        memory: &'a HostMemory,
        access: Access,
        reads: Reads,
        choice: MediumChoice,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        Self::open_with(memory, || AnyMedium::open(path, access, reads, choice))
    }
}

impl<'a, I: HostIndex<'a>, M: HostMedium> HostStore<'a, I, M> {
    /// Opens a store on the medium that `medium` makes: the way in for one
    /// medium alone, such as [`FileMedium`](crate::FileMedium) over a
    /// [`Recorder`](crate::file::Recorder). It is called again where the index
    /// has to be made larger.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with(
        memory: &'a HostMemory,
        mut medium: impl FnMut() -> Result<M, FileError>,
    ) -> Result<Self, OpenError> {
        let mut entries = None;
        loop {
            let mut medium = medium().map_err(OpenError::File)?;
            medium.keep_heads(true);
            let layout = Layout::read(&medium).map_err(OpenError::Store)?;
            medium.adopt(layout.geometry).map_err(OpenError::File)?;
            let mode = match medium.access() {
                Access::ReadWrite => Mode::ReadWrite,
                Access::ReadOnly => Mode::ReadOnly,
            };
            let room = match entries {
                Some(entries) => entries,
                None => first_room::<I, M>(&layout, &medium).map_err(OpenError::Store)?,
            };
            let lent = Memory {
                segments: memory.segments.lend(layout.segments as usize),
                logs: memory.logs.lend(layout.logs as usize),
                ring: memory.ring.lend(layout.ring as usize),
                undo: memory.undo.lend(undo_rows(&layout)),
                scratch: memory.scratch.lend(layout.key_max as usize),
            };
            let index = I::with_room(memory, room);
            match Store::start(medium, index, lent, None, mode) {
                Ok((mut store, report)) => {
                    store.medium_mut().keep_heads(false);
                    return Ok(Self {
                        store,
                        memory,
                        report,
                        saves: Saves::every(SAVE_EVERY),
                    });
                }
                Err(Error::IndexFull { capacity }) => {
                    entries = Some(capacity.max(room).saturating_mul(2));
                }
                Err(error) => return Err(OpenError::Store(error)),
            }
        }
    }

    /// What was found when the store was opened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What the store is on.
    pub fn kind(&self) -> MediumKind {
        self.store.medium().kind()
    }

    /// Runs an operation, again with a larger index where it was full.
    fn growing<T>(
        &mut self,
        mut run: impl FnMut(&mut Store<'a, M, I>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if I::SAVED && !self.store.in_transaction() {
            self.saves.tend(&mut self.store)?;
        }
        loop {
            match run(&mut self.store) {
                Err(Error::IndexFull { capacity }) => {
                    let room = capacity.saturating_mul(2).max(ENTRIES_MIN);
                    self.store.swap_index(I::with_room(self.memory, room))?;
                    self.saves.restart();
                }
                result => return result,
            }
        }
    }

    /// Creates or replaces a key's value, durably.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::KeyTooLong`], [`Error::ValueTooLong`], or
    /// what the medium reports.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.growing(|store| store.put(key, value))
    }

    /// Creates or replaces a key's value when the open transaction is
    /// committed.
    ///
    /// # Errors
    /// As for [`HostStore::put`], and [`Error::TransactionTooLarge`].
    pub fn tentatively_put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.growing(|store| store.tentatively_put(key, value))
    }

    /// Creates a key, which must be absent, when the open transaction is
    /// committed.
    ///
    /// # Errors
    /// [`Error::KeyExists`], and as for [`HostStore::tentatively_put`].
    pub fn tentatively_create(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.growing(|store| store.tentatively_create(key, value))
    }

    /// Adds an element to a key's list when the open transaction is committed.
    ///
    /// # Errors
    /// As for [`HostStore::tentatively_put`].
    pub fn tentatively_list_append(
        &mut self,
        key: &[u8],
        element: &[u8],
    ) -> Result<(), StoreError> {
        self.growing(|store| store.tentatively_list_append(key, element))
    }

    /// Makes the store and its file `size` bytes long, between transactions:
    /// all or nothing, also where power fails. Nothing in it is moved; the file
    /// is made longer first, written with zeros and synced. Returns the new
    /// layout.
    ///
    /// A store grows by whole segments, up to [`Layout::grows_to`]; one that is
    /// to grow far needs long segments from the beginning
    /// ([`Setup::grows_to`]).
    ///
    /// # Errors
    /// [`Error::Geometry`] where it cannot be that large, before anything is
    /// done. [`FileError::NoSpace`] as the medium's: store and file are as they
    /// were. Others as for [`Store::grow`].
    ///
    /// ```
    /// # use indelible_dax::{HostMemory, HostStore, Setup};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("store");
    /// Setup::new(4 << 20).grows_to(1 << 30).create(&path)?;
    /// let memory = HostMemory::new();
    /// let mut store: HostStore = HostStore::open(&path, &memory)?;
    /// let before = store.room().record_bytes;
    /// store.grow(16 << 20)?;
    /// assert!(store.room().record_bytes > 4 * before);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grow(&mut self, size: u64) -> Result<Layout, StoreError> {
        let before = self.store.layout();
        let layout = before.grown(size).map_err(Error::Geometry)?;
        if self.store.in_transaction() {
            return Err(Error::TransactionOpen);
        }
        if self.store.medium().access() == Access::ReadOnly {
            return Err(Error::ReadOnly);
        }
        let at = before.geometry.capacity;
        let resized = self.store.medium_mut().resize(size);
        resized.map_err(|cause| Error::Medium {
            operation: indelible::Operation::Write,
            at,
            cause,
        })?;
        let table = self.memory.segments.lend(layout.segments as usize);
        if let Err(error) = self.store.grow(size, table) {
            if self.store.layout().segments == before.segments {
                // Nothing says that it has grown; the first error counts.
                let _ = self.store.medium_mut().resize(at);
            }
            return Err(error);
        }
        let undo = self.memory.undo.lend(undo_rows(&layout));
        self.store.swap_undo(undo);
        Ok(self.store.layout())
    }

    /// Saves the index now, between transactions, so that opening the store after
    /// a kill takes little longer than after a close: it loads what is saved, and
    /// looks at what was written since. `false` where there is no room for it, or
    /// nothing is saved here (a bare index, damage, an image of flash).
    ///
    /// The store does so by itself when 20 times as much was written as it takes
    /// (9 bytes a key, 16 with an ordered index) and has 100,000 entries or more:
    /// in pieces of 16 KiB, before writes. See [`HostStore::set_save_every`].
    ///
    /// # Errors
    /// [`Error::TransactionOpen`], or what the medium reports.
    ///
    /// ```
    /// # use indelible_dax::{HostMemory, HostStore, Setup};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("store");
    /// # Setup::new(4 << 20).create(&path)?;
    /// let memory = HostMemory::new();
    /// let mut store: HostStore = HostStore::open(&path, &memory)?;
    /// store.put(b"stock/apples", b"41")?;
    /// assert!(store.save_index()?);
    /// store.put(b"stock/pears", b"7")?;
    /// drop(store); // without a close, as a kill would
    ///
    /// let memory = HostMemory::new();
    /// let store: HostStore = HostStore::open(&path, &memory)?;
    /// assert!(store.report().index_loaded);
    /// assert_eq!(store.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_index(&mut self) -> Result<bool, StoreError> {
        let mut step = self.save_step(true)?;
        while step == Step::More {
            step = self.save_step(false)?;
        }
        Ok(step == Step::Saved)
    }

    /// A step of [`HostStore::save_index`], its first one or another.
    pub(crate) fn save_step(&mut self, first: bool) -> Result<Step, StoreError> {
        self.saves.step(&mut self.store, first)
    }

    /// Saves the index whenever `times` as much was written as that takes, 20 to
    /// begin with; 0 for never, but by [`HostStore::save_index`] and a close. The
    /// fewer, the less there is to be looked at after a kill.
    pub fn set_save_every(&mut self, times: u32) {
        self.saves.set_every(times);
    }

    /// A key's value, `None` where the key is absent.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Doubtful`] for a damaged one, or what
    /// the medium reports.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        read_value(|buf| self.store.get(key, buf))
    }

    /// Memory with which [`Store::scan_in`] shows all keys after a single pass
    /// through them: none where the index is ordered, else 16 bytes a key.
    ///
    /// ```
    /// # use indelible_dax::{HostMemory, HostStore, Setup};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("store");
    /// # Setup::new(4 << 20).create(&path)?;
    /// # let memory = HostMemory::new();
    /// # let store: HostStore = HostStore::open(&path, &memory)?;
    /// let mut slots = store.scan_slots();
    /// let mut scan = store.scan_in(b"stock/", &mut slots);
    /// # assert_eq!(scan.next(&mut [])?, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn scan_slots(&self) -> Vec<ScanSlot> {
        let keys = if I::ORDERED { 0 } else { self.store.len() };
        vec![ScanSlot::default(); usize::try_from(keys).unwrap_or(usize::MAX)]
    }

    /// Marks the store as cleanly closed and ends the lock. An open
    /// transaction is aborted.
    ///
    /// # Errors
    /// What the medium reports.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.close().map(drop)
    }
}

/// A value of any length; a short one is looked up once.
pub(crate) fn read_value(
    get: impl Fn(&mut [u8]) -> Result<Option<usize>, StoreError>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut short = [0; 512];
    let mut needed = match get(&mut short) {
        Err(Error::BufferTooSmall { needed }) => needed,
        got => return Ok(got?.map(|len| short[..len].to_vec())),
    };
    loop {
        let mut value = vec![0; needed];
        match get(&mut value) {
            // It grew meanwhile.
            Err(Error::BufferTooSmall { needed: more }) if more > needed => needed = more,
            got => {
                return Ok(got?.map(|len| {
                    value.truncate(len);
                    value
                }));
            }
        }
    }
}

/// Index changes that a transaction may make.
fn undo_rows(layout: &Layout) -> usize {
    UNDO + UNDO_PER_SEGMENT * layout.segments as usize
}

/// Entries for the first index: as many as the one has that was saved, else
/// for the records that are there.
fn first_room<I: Index, M: HostMedium>(layout: &Layout, medium: &M) -> Result<usize, StoreError> {
    if I::SAVED
        && let Some(saved) = layout.saved_entries(medium)?
        // Not more than the store can hold, whatever a damaged image says.
        && let Ok(saved) = usize::try_from(saved.min(layout.kv_capacity / 8))
    {
        return Ok(saved);
    }
    let there = layout.estimate_records(medium)?;
    let spare = (layout.kv_capacity / BYTES_PER_ENTRY).min(ENTRIES_SPARE);
    Ok(usize::try_from(spare.max(there + there / 8))
        .unwrap_or(ENTRIES_MIN)
        .max(ENTRIES_MIN))
}

impl<'a, I: Index, M: HostMedium> Deref for HostStore<'a, I, M> {
    type Target = Store<'a, M, I>;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

impl<I: Index, M: HostMedium> DerefMut for HostStore<'_, I, M> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.store
    }
}

impl<I: Index, M: HostMedium> fmt::Debug for HostStore<'_, I, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostStore").finish_non_exhaustive()
    }
}
