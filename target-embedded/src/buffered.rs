//! A medium that fetches each record once.

use core::cell::RefCell;
use core::fmt;

use indelible::{Geometry, Medium};

/// A [`Medium`] with a buffer for the record that is being read.
///
/// The core reads a record in pieces, and some of them twice: its first word,
/// its key, all of it for its checksum, its value. Where each read is a
/// transaction on a bus, that costs; here a record of up to `N` bytes is
/// fetched whole once its length is known. A get of a key of 16 and a value of
/// 32 bytes then reads 60 bytes in two reads instead of 108 in five; records
/// that are longer are read as without it.
///
/// RAM: `N` and a few words. Memory-mapped flash has no need of it.
///
/// ```
/// use indelible::{Config, HashIndex, Mode, StaticMemory, Store, setup};
/// use indelible_embedded::{Buffered, Nor, RamFlash};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let mut bytes = vec![0xFF; 16 * 4096];
/// let flash = RamFlash::<4, 4, 4096>::new(&mut bytes);
/// let mut medium = Buffered::<_, 64>::new(Nor::new(flash)?);
/// let config = Config { id: 1, nonce: 2, segment_size: None, logs: &[] };
/// setup(&mut medium, &config)?;
///
/// let mut memory = StaticMemory::<16, 0, 0, 8, 16>::new();
/// let mut slots = [0; HashIndex::slots_for(20)];
/// let index = HashIndex::new(&mut slots);
/// let (mut store, _) = Store::start(medium, index, memory.lend(), None, Mode::ReadWrite)?;
/// store.put(b"name", b"value")?;
/// assert_eq!(store.get(b"name", &mut [0; 8])?, Some(5));
/// # Ok(())
/// # }
/// ```
pub struct Buffered<M, const N: usize> {
    medium: M,
    held: RefCell<Held<N>>,
}

/// What the buffer holds: the bytes from `at`.
struct Held<const N: usize> {
    at: u64,
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Held<N> {
    const EMPTY: Self = Held {
        at: 0,
        len: 0,
        bytes: [0; N],
    };

    /// The `len` bytes from `at`, if all of them are here.
    fn get(&self, at: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        let to = from.checked_add(len)?;
        self.bytes.get(..self.len)?.get(from..to)
    }
}

impl<M, const N: usize> Buffered<M, N> {
    /// With an empty buffer.
    pub const fn new(medium: M) -> Self {
        Buffered {
            medium,
            held: RefCell::new(Held::EMPTY),
        }
    }

    /// Gives the medium back.
    pub fn into_inner(self) -> M {
        self.medium
    }

    /// The medium, for looking at.
    pub fn get_ref(&self) -> &M {
        &self.medium
    }

    fn forget(&mut self) {
        self.held.get_mut().len = 0;
    }
}

impl<M: fmt::Debug, const N: usize> fmt::Debug for Buffered<M, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("medium", &self.medium)
            .field("size", &N)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<M: defmt::Format, const N: usize> defmt::Format for Buffered<M, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Buffered {} of {} bytes", self.medium, N);
    }
}

impl<M: Medium, const N: usize> Medium for Buffered<M, N> {
    type Error = M::Error;

    fn geometry(&self) -> Geometry {
        self.medium.geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        if let Ok(held) = self.held.try_borrow()
            && let Some(bytes) = held.get(at, buf.len())
        {
            for (to, from) in buf.iter_mut().zip(bytes) {
                *to = *from;
            }
            return Ok(());
        }
        self.medium.read(at, buf)
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.medium.borrow(at, len)
    }

    /// Fetches the record, unless it is here or too long. An error shows when
    /// it is read.
    fn will_read(&self, at: u64, len: usize) {
        let Ok(mut held) = self.held.try_borrow_mut() else {
            return;
        };
        if held.get(at, len).is_some() {
            return;
        }
        let Some(bytes) = held.bytes.get_mut(..len) else {
            return;
        };
        let fetched = self.medium.read(at, bytes).is_ok();
        held.at = at;
        held.len = if fetched { len } else { 0 };
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        self.forget();
        self.medium.write(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        self.forget();
        self.medium.erase(at, len)
    }

    fn will_flush(&mut self) {
        self.medium.will_flush();
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.medium.flush()
    }

    fn crc32c(&self, state: u32, bytes: &[u8]) -> u32 {
        self.medium.crc32c(state, bytes)
    }
}
