//! Writes and erases that wait in lent memory until somebody can wait for the
//! flash.

use crate::area::Misfit;
use crate::error::Error;
use crate::nor::{Nor, erase_unit};
use crate::polled::{Polled, finish};
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::ops::Range;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use embedded_storage_async::nor_flash::NorFlash;
use indelible::{Geometry, Layout, Medium, Operation};

/// Bytes of an entry before its data: what, address, length.
const ENTRY: usize = 9;
const WRITE: u8 = 1;
const ERASE: u8 = 2;

/// What waits, oldest first, in lent bytes.
struct Queue<'q> {
    bytes: &'q mut [u8],
    front: usize,
    back: usize,
}

/// One operation that waits; its place is on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiting {
    /// The bytes of the queue at `data` go to `at`.
    Write {
        at: u32,
        data: Range<usize>,
    },
    Erase(Range<u32>),
}

impl Queue<'_> {
    fn is_empty(&self) -> bool {
        self.front >= self.back
    }

    /// The entry at `at` of the queue, and where the next one is.
    fn entry(&self, at: usize) -> Option<(Waiting, usize)> {
        let start = at.checked_add(ENTRY)?;
        if start > self.back {
            return None;
        }
        let head = self.bytes.get(at..start)?;
        let (what, rest) = head.split_first()?;
        let word = |at: usize| Some(u32::from_le_bytes(*rest.get(at..)?.first_chunk()?));
        let (place, len) = (word(0)?, word(4)?);
        if *what == ERASE {
            return Some((Waiting::Erase(place..place.checked_add(len)?), start));
        }
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        let data = start..end;
        Some((Waiting::Write { at: place, data }, end))
    }

    /// Adds an operation; `false` where it does not fit.
    fn push(&mut self, what: u8, place: &Range<u32>, data: &[u8]) -> bool {
        if self.is_empty() {
            (self.front, self.back) = (0, 0);
        }
        let len = ENTRY.saturating_add(data.len());
        let end = self.back.saturating_add(len);
        let Some(into) = self.bytes.get_mut(self.back..end) else {
            return false;
        };
        let count = place.end.saturating_sub(place.start);
        let head = [what].into_iter();
        let head = head.chain(place.start.to_le_bytes());
        let head = head.chain(count.to_le_bytes());
        for (to, from) in into.iter_mut().zip(head.chain(data.iter().copied())) {
            *to = from;
        }
        self.back = end;
        true
    }

    /// The first erase unit of the erase in front is done.
    fn shorten(&mut self, left: &Range<u32>) {
        let from = self.front.saturating_add(1);
        let count = left.end.saturating_sub(left.start);
        let head = left.start.to_le_bytes().into_iter();
        let into = self.bytes.get_mut(from..).unwrap_or_default();
        for (to, from) in into.iter_mut().zip(head.chain(count.to_le_bytes())) {
            *to = from;
        }
    }

    /// What a read of `place` that found `buf` on the device is to see.
    fn overlay(&self, place: &Range<u32>, buf: &mut [u8]) {
        let mut at = self.front;
        while let Some((waiting, next)) = self.entry(at) {
            at = next;
            match waiting {
                Waiting::Erase(range) => {
                    let (into, _) = overlap(place, &range);
                    buf.get_mut(into).unwrap_or_default().fill(0xFF);
                }
                Waiting::Write { at, data } => {
                    let data = self.bytes.get(data).unwrap_or_default();
                    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    let (into, from) = overlap(place, &(at..at.saturating_add(len)));
                    let into = buf.get_mut(into).unwrap_or_default();
                    for (to, from) in into.iter_mut().zip(data.get(from..).unwrap_or_default()) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// Where two ranges meet, counted from the start of the one, and where that
/// begins counted from the start of the other.
fn overlap(one: &Range<u32>, other: &Range<u32>) -> (Range<usize>, usize) {
    let from = one.start.max(other.start);
    let to = one.end.min(other.end).max(from);
    let count = |from: u32, to: u32| usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    let into = count(one.start, from);
    let into = into..into.saturating_add(count(from, to));
    (into, count(other.start, from))
}

/// How a queue was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct QueueStats {
    /// The most bytes that ever waited.
    pub most: usize,
    /// How often the queue was too short, so that a call had to poll the flash
    /// until it was done instead of waiting for it.
    pub stalls: u32,
}

/// What the driver was doing when a future was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Nothing,
    /// It is begun anew: an erase may be.
    Erase,
    /// A unit may not be written twice, and nobody knows whether this one was.
    Write,
    /// It was written while the future was dropped.
    Written,
    /// It failed then.
    Failed,
}

/// A write that is finished even if it is dropped, by polling it.
struct Finished<'w, W: Future<Output = Result<(), E>>, E> {
    write: Pin<&'w mut W>,
    begun: &'w Cell<Begun>,
}

impl<W: Future<Output = Result<(), E>>, E> Future for Finished<'_, W, E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun.set(Begun::Write);
        let done = self.write.as_mut().poll(context);
        if done.is_ready() {
            self.begun.set(Begun::Nothing);
        }
        done
    }
}

impl<W: Future<Output = Result<(), E>>, E> Drop for Finished<'_, W, E> {
    fn drop(&mut self) {
        if self.begun.get() == Begun::Write {
            let done = finish(self.write.as_mut());
            self.begun.set(match done {
                Ok(()) => Begun::Written,
                Err(_) => Begun::Failed,
            });
        }
    }
}

/// NOR flash behind `embedded_storage_async` as a [`Medium`] for
/// [`AsyncStore`](crate::AsyncStore).
///
/// The core's operations do not wait: what they write and erase goes into a
/// queue in lent memory, and [`Queued::drain`] carries it out, in order. Reads
/// see the queue over the device.
///
/// * **Reads** ask the driver and poll it until it answers. For flash in the
///   address space that is at once; for a serial flash it is the time of the
///   transfer, a few dozen bytes mostly. The driver must get on without its
///   task: one that needs another task to run (a bus that somebody else holds)
///   would never answer.
/// * **The queue** is as long as you make it: [`Queued::len_for`] says how long
///   it has to be for what comes in normal operation. A call that needs more
///   polls the driver through what does not fit; [`Queued::stats`] counts that.
/// * **A failed operation** leaves everything in the queue in doubt: nothing is
///   written any more until the store is opened again.
pub struct Queued<'q, F: NorFlash> {
    nor: Nor<Polled<F>>,
    queue: Queue<'q>,
    begun: Cell<Begun>,
    doubt: bool,
    stats: QueueStats,
}

impl<'q, F: NorFlash> Queued<'q, F> {
    /// All of a device, with a queue in `queue`.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`] where it has no whole erase unit.
    pub fn new(flash: F, queue: &'q mut [u8]) -> Result<Self, Misfit> {
        Ok(Self::over(Nor::new(Polled(flash))?, queue))
    }

    /// The part `range` of a device, in bytes.
    ///
    /// # Errors
    /// [`Misfit::OutOfRange`], [`Misfit::Unaligned`].
    pub fn partition(flash: F, range: Range<u32>, queue: &'q mut [u8]) -> Result<Self, Misfit> {
        Ok(Self::over(Nor::partition(Polled(flash), range)?, queue))
    }

    fn over(nor: Nor<Polled<F>>, queue: &'q mut [u8]) -> Self {
        let queue = Queue {
            bytes: queue,
            front: 0,
            back: 0,
        };
        Queued {
            nor,
            queue,
            begun: Cell::new(Begun::Nothing),
            doubt: false,
            stats: QueueStats::default(),
        }
    }

    /// As [`Nor::ecc`].
    #[must_use]
    pub fn ecc(mut self, is_ecc: fn(&F::Error) -> bool) -> Self {
        self.nor = self.nor.ecc(is_ecc);
        self
    }

    /// Bytes of a queue that takes any one call whose keys, values and log
    /// bytes together take `payload` bytes of records
    /// ([`Layout::record_len`], [`Layout::append_len`]):
    ///
    /// ```text
    /// 2 * payload + (1 + logs) * segment size, and a sixteenth for the entries
    /// ```
    ///
    /// A call writes its own bytes and copies about as many to reclaim room;
    /// besides, it may write a root, which takes half a segment at most, copy
    /// what is left in a segment that it reclaims, and the first append to each
    /// log after a start that was not clean copies the segment of the log's
    /// tail. A store that is nearly full reclaims several segments in one call:
    /// that may pass it. Where the rare calls may stall, less will do: see
    /// [`QueueStats::most`].
    #[must_use]
    pub fn len_for(layout: &Layout, payload: u64) -> usize {
        let size = u64::from(layout.segment_size);
        let segments = u64::from(layout.logs).saturating_add(1);
        let bytes = size
            .saturating_mul(segments)
            .saturating_add(payload.saturating_mul(2));
        let entries = bytes.checked_div(16).unwrap_or(0).saturating_add(256);
        usize::try_from(bytes.saturating_add(entries)).unwrap_or(usize::MAX)
    }

    /// Carries out what waits, in order. Nothing is durable before this
    /// returns.
    ///
    /// Its future can be dropped: what is not done stays in the queue for the
    /// next call. A write that the driver has begun is finished in the drop, by
    /// polling it, for no unit may be written twice; an erase is begun anew. (A
    /// future that is forgotten instead of dropped, in the middle of a write,
    /// leaves everything in doubt.)
    ///
    /// # Errors
    /// [`indelible::Error::Medium`] with the operation that failed, once;
    /// [`indelible::Error::Poisoned`] from then on.
    pub async fn drain(&mut self) -> Result<(), indelible::Error<Error<F::Error>>> {
        match self.begun.replace(Begun::Nothing) {
            Begun::Nothing | Begun::Erase => {}
            Begun::Written => {
                if let Some((_, next)) = self.queue.entry(self.queue.front) {
                    self.queue.front = next;
                }
            }
            Begun::Write | Begun::Failed => self.doubt = true,
        }
        if self.doubt {
            return Err(indelible::Error::Poisoned);
        }
        while let Some((waiting, next)) = self.queue.entry(self.queue.front) {
            match waiting {
                Waiting::Write { at, data } => self.program(at, data).await?,
                Waiting::Erase(range) => self.erase_all(range).await?,
            }
            self.queue.front = next;
        }
        (self.queue.front, self.queue.back) = (0, 0);
        Ok(())
    }

    async fn program(
        &mut self,
        at: u32,
        data: Range<usize>,
    ) -> Result<(), indelible::Error<Error<F::Error>>> {
        let data = self.queue.bytes.get(data).unwrap_or_default();
        let done = {
            let mut write = pin!(self.nor.driver().0.write(at, data));
            let finished = Finished {
                write: write.as_mut(),
                begun: &self.begun,
            };
            finished.await
        };
        self.done(Operation::Write, at, done)
    }

    /// Erase unit by erase unit, so that other tasks come to their turn.
    async fn erase_all(
        &mut self,
        mut range: Range<u32>,
    ) -> Result<(), indelible::Error<Error<F::Error>>> {
        while range.start < range.end {
            let to = range.start.saturating_add(erase_unit::<Polled<F>>());
            let one = range.start..to.min(range.end);
            self.begun.set(Begun::Erase);
            let done = self.nor.driver().0.erase(one.start, one.end).await;
            self.done(Operation::Erase, one.start, done)?;
            self.nor.erased(&one);
            range.start = one.end;
            self.queue.shorten(&range);
        }
        Ok(())
    }

    fn done(
        &mut self,
        operation: Operation,
        at: u32,
        done: Result<(), F::Error>,
    ) -> Result<(), indelible::Error<Error<F::Error>>> {
        self.begun.set(Begun::Nothing);
        done.map_err(|cause| {
            self.doubt = true;
            indelible::Error::Medium {
                operation,
                at: at.saturating_sub(self.nor.range().start).into(),
                cause: Error::Driver(cause),
            }
        })
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.begun.get() == Begun::Nothing
    }

    /// How the queue was used.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        self.stats
    }

    /// How often a unit could not be read: [`Nor::unreadable`].
    #[must_use]
    pub fn unreadable(&self) -> u32 {
        self.nor.unreadable()
    }

    /// Gives the driver back; what waits is lost, as if power had failed.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.nor.into_inner().0
    }

    /// Queues an operation; where the queue is full, what waits is carried out
    /// here and now. `false` where it does not fit into the empty queue either.
    fn enqueue(
        &mut self,
        what: u8,
        place: &Range<u32>,
        data: &[u8],
    ) -> Result<bool, Error<F::Error>> {
        if self.doubt {
            return Err(Error::InDoubt);
        }
        let mut fits = self.queue.push(what, place, data);
        if !fits {
            self.stats.stalls = self.stats.stalls.saturating_add(1);
            match finish(self.drain()) {
                Ok(()) => {}
                Err(indelible::Error::Medium { cause, .. }) => return Err(cause),
                Err(_) => return Err(Error::InDoubt),
            }
            fits = self.queue.push(what, place, data);
        }
        self.stats.most = self.stats.most.max(self.queue.back);
        Ok(fits)
    }
}

impl<F: NorFlash> Medium for Queued<'_, F> {
    type Error = Error<F::Error>;

    fn geometry(&self) -> Geometry {
        self.nor.geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        self.nor.read(at, buf)?;
        if !self.queue.is_empty() {
            let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
            self.queue.overlay(&self.nor.place(at, len)?, buf);
        }
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let place = self.nor.place(at, len)?;
        if self.enqueue(WRITE, &place, bytes)? {
            return Ok(());
        }
        let done = self.nor.write(at, bytes);
        self.doubt |= done.is_err();
        done
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        let place = self.nor.place(at, len)?;
        if self.enqueue(ERASE, &place, &[])? {
            return Ok(());
        }
        let done = self.nor.erase(at, len);
        self.doubt |= done.is_err();
        done
    }

    /// The order of operations is all that an ordered medium is asked for;
    /// whoever needs them done drains.
    fn flush(&mut self) -> Result<(), Self::Error> {
        if self.doubt {
            return Err(Error::InDoubt);
        }
        Ok(())
    }
}

impl<F: NorFlash> fmt::Debug for Queued<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.queue.back.saturating_sub(self.queue.front);
        f.debug_struct("Queued")
            .field("nor", &self.nor)
            .field("waiting", &waiting)
            .field("in_doubt", &self.doubt)
            .field("stats", &self.stats)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<F: NorFlash> defmt::Format for Queued<'_, F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let waiting = self.queue.back.saturating_sub(self.queue.front);
        defmt::write!(
            f,
            "Queued {}, {} waiting, {}",
            self.nor,
            waiting,
            self.stats
        );
    }
}
