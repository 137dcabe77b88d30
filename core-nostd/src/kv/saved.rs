//! The index, written down by a close and read back by the start after it.
//!
//! ```text
//! head   | form:32 flags:32 | keys:64 | tombstones:64 | capacity:64 | frame max:32 segments:32 |
//! rows   | live:32 n:32 |   of each segment
//! words  | 64 | ...         of the index
//! ```
//!
//! Anchored, for starts that build on it later (see `kept`): the head ends with
//! `| root:32 cold:32 | at:32 0:32 |`, each row with `| tombstones:32 seq:32 |`.
//!
//! It stands in free segments, opened one after the other, with nothing but a
//! header each, and runs on from one to the next. Nobody owns them: all that
//! tells of them is the close, which has their first sequence, the length and
//! one checksum over everything. Where that holds, it is what the close left,
//! whatever may have been begun in those segments since; where not, the index
//! is built from the records.

use crate::device::{CHUNK, Device};
use crate::error::Error;
use crate::fault::Fault;
use crate::format::frame::{Control, Kind, Writer};
use crate::format::header::Stream;
use crate::format::shape::Shape;
use crate::index::{Index, Loc};
use crate::kv::rebuild::Anchor;
use crate::layout::{Layout, Peek};
use crate::ledger::group::{CLOSE, KNOWN};
use crate::ledger::roots::NEWEST;
use crate::ledger::walk::Walk;
use crate::math::{Saturate, place, u32_at, u64_at};
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::report::Report;
use crate::segments::{Segment, Table};
use crate::store::Store;
use core::convert::Infallible;

/// Bytes of the head, and of an anchored one.
const HEAD: u64 = 40;
const HEAD_ANCHORED: u64 = 56;
/// Bytes of a word.
const WORD: u64 = 8;
/// In the form: the head and rows of one that is anchored.
const ANCHORED: u32 = 1 << 8;
/// Bits of the head's flags.
const LISTS: u32 = 1;
const DEPENDENTS: u32 = 2;

/// Bytes that a close keeps of what was saved.
pub(crate) const SAVED: usize = 16;

/// What a close says of the index that it saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Saved {
    /// The sequence of the first segment; the others follow.
    pub seq: u32,
    pub sum: u32,
    /// Bytes in all.
    pub len: u64,
}

impl Saved {
    pub(crate) fn encode(&self) -> [u8; SAVED] {
        let mut bytes = [0; SAVED];
        place(&mut bytes, 0, &self.seq.to_le_bytes());
        place(&mut bytes, 4, &self.sum.to_le_bytes());
        place(&mut bytes, 8, &self.len.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Saved {
            seq: u32_at(bytes, 0),
            sum: u32_at(bytes, 4),
            len: u64_at(bytes, 8),
        }
    }

    /// Whether a segment of this sequence is one of its segments.
    pub(crate) fn holds(&self, shape: &Shape, seq: u32) -> bool {
        let number = seq.checked_sub(self.seq).map(u64::from);
        number.is_some_and(|number| number < segments(shape, self.len))
    }
}

/// Bytes that a segment takes: whole words.
fn area(shape: &Shape) -> u32 {
    shape.segment_size.minus(shape.start)
}

/// Segments for this many bytes.
pub(crate) fn segments(shape: &Shape, len: u64) -> u64 {
    let area = u64::from(area(shape).max(1));
    len.plus(area.minus(1)).over(area)
}

/// Bytes of a head.
fn head_len(anchored: bool) -> u64 {
    if anchored { HEAD_ANCHORED } else { HEAD }
}

/// Bytes of so many rows.
fn rows_len(segments: u32, anchored: bool) -> u64 {
    let words = if anchored { 2 } else { 1 };
    u64::from(segments).times(WORD.times(words))
}

/// Behind the last location.
fn end(shape: &Shape) -> Loc {
    Loc(shape.address(shape.segments, 0).over(shape.unit.into()))
}

/// A segment's row, its first word.
fn row_word(row: &Segment) -> u64 {
    if !row.records() {
        return 0;
    }
    u64::from(row.live) | u64::from(row.n) << 32
}

/// The second word of an anchored row.
fn more_of_row(row: &Segment) -> u64 {
    if !row.records() {
        return 0;
    }
    #[cfg(feature = "resume")]
    let tombstones = row.tombstones;
    #[cfg(not(feature = "resume"))]
    let tombstones = 0u32;
    u64::from(tombstones) | u64::from(row.seq) << 32
}

/// Takes over the tombstones of such a word.
fn set_tombstones(row: &mut Segment, more: u64) {
    #[cfg(feature = "resume")]
    {
        row.tombstones = u32::try_from(more & 0xFFFF_FFFF).unwrap_or(0);
    }
    let _ = (row, more);
}

/// What the head says.
struct Head {
    form: u32,
    flags: u32,
    keys: u64,
    tombstones: u64,
    capacity: u64,
    frame_max: u32,
    segments: u32,
    /// Zeros where it is not anchored.
    anchor: Anchor,
}

impl Head {
    fn anchored(&self) -> bool {
        cfg!(feature = "resume") && self.form & ANCHORED != 0
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        let (bytes, len) = (self.encode(), head_len(self.anchored()));
        let words = usize::try_from(len.over(WORD)).unwrap_or(0);
        (0..words).map(move |word| u64_at(&bytes, word.times(8)))
    }

    fn encode(&self) -> [u8; HEAD_ANCHORED as usize] {
        let mut bytes = [0; HEAD_ANCHORED as usize];
        place(&mut bytes, 0, &self.form.to_le_bytes());
        place(&mut bytes, 4, &self.flags.to_le_bytes());
        place(&mut bytes, 8, &self.keys.to_le_bytes());
        place(&mut bytes, 16, &self.tombstones.to_le_bytes());
        place(&mut bytes, 24, &self.capacity.to_le_bytes());
        place(&mut bytes, 32, &self.frame_max.to_le_bytes());
        place(&mut bytes, 36, &self.segments.to_le_bytes());
        place(&mut bytes, 40, &self.anchor.root.to_le_bytes());
        place(&mut bytes, 44, &self.anchor.cold.to_le_bytes());
        place(&mut bytes, 48, &self.anchor.at.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        Head {
            form: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            keys: u64_at(bytes, 8),
            tombstones: u64_at(bytes, 16),
            capacity: u64_at(bytes, 24),
            frame_max: u32_at(bytes, 32),
            segments: u32_at(bytes, 36),
            anchor: Anchor {
                root: u32_at(bytes, 40),
                cold: u32_at(bytes, 44),
                at: u32_at(bytes, 48),
            },
        }
    }
}

// ----------------------------------------------------------------- writing

/// Writes words into segments, one after the other.
struct Sink<'s, 'a, M: Medium> {
    device: &'s mut Device<M>,
    table: &'s mut Table<'a>,
    writer: Writer,
    /// Words not yet summed and handed on.
    gathered: [u8; 64],
    fill: usize,
    sum: u32,
}

impl<'s, 'a, M: Medium> Sink<'s, 'a, M> {
    /// Begins in a new segment; returns its sequence too.
    fn new(
        device: &'s mut Device<M>,
        table: &'s mut Table<'a>,
    ) -> Result<(Self, u32), Fault<M::Error>> {
        let segment = table.open(device, Stream::Cold, 0, 0)?;
        let seq = table.get(segment).seq;
        let writer = Writer::new(segment, device.shape.start);
        let sink = Sink {
            sum: device.shape.salt(seq, 0),
            device,
            table,
            writer,
            gathered: [0; 64],
            fill: 0,
        };
        Ok((sink, seq))
    }

    fn word(&mut self, word: u64) -> Result<(), Fault<M::Error>> {
        let end = self
            .writer
            .end()
            .plus(u32::try_from(self.fill).unwrap_or(0));
        if end >= self.device.shape.segment_size {
            self.hand_on()?;
            self.writer.drain(self.device)?;
            let segment = self.table.open(self.device, Stream::Cold, 0, 0)?;
            self.writer = Writer::new(segment, self.device.shape.start);
        }
        if self.fill >= self.gathered.len() {
            self.hand_on()?;
        }
        place(&mut self.gathered, self.fill, &word.to_le_bytes());
        self.fill = self.fill.plus(8);
        Ok(())
    }

    fn hand_on(&mut self) -> Result<(), Fault<M::Error>> {
        let bytes = self.gathered.get(..self.fill).unwrap_or_default();
        self.sum = self.device.medium.crc32c(self.sum, bytes);
        self.fill = 0;
        self.writer.push(self.device, bytes)
    }

    /// Writes what is left, padded to a unit; returns the checksum.
    fn finish(mut self) -> Result<u32, Fault<M::Error>> {
        self.hand_on()?;
        let blank = [self.device.shape.geometry.blank; 8];
        while self.writer.end().modulo(self.device.shape.unit.max(8)) != 0 {
            self.writer.push(self.device, &blank)?;
        }
        self.writer.drain(self.device)?;
        Ok(self.sum)
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Before a close: writes a root, so that what is known is what the medium
    /// says, and the index. `None` where that is not to be or there is no room.
    pub(crate) fn save_index(&mut self) -> Result<Option<Saved>, Fault<M::Error>> {
        if !I::SAVED || self.root_due && self.loaded && !self.met_damage() {
            // Nothing was written: what was loaded is as good as before.
            return Ok(None);
        }
        if self.met_damage() {
            // The next start has to look for itself.
            if self.root_due && self.loaded && self.may_take(0).is_ok() {
                self.write_root(None)?;
            }
            return Ok(None);
        }
        let len = self.saved_len();
        let shape = self.device.shape;
        let needed = u32::try_from(segments(&shape, len)).unwrap_or(u32::MAX);
        let sequences = u32::MAX.minus(self.table.next_seq);
        let room = self.table.free() > needed || {
            self.table.yield_kept();
            self.table.free() > needed
        };
        if !room || self.may_take(0).is_err() || sequences.minus(2) < needed {
            return Ok(None);
        }
        if !Mutant::SaveWithoutRoot.on() {
            self.write_root(None)?;
        }
        self.give_up_victim();
        let head = self.saved_head();
        let index = &self.index;
        let (mut sink, seq) = Sink::new(&mut self.device, &mut self.table)?;
        for word in head.words() {
            sink.word(word)?;
        }
        for number in 0..shape.segments {
            let row = sink.table.get(number);
            sink.word(row_word(&row))?;
            if head.anchored() {
                sink.word(more_of_row(&row))?;
            }
        }
        index.save(&mut |word| sink.word(word))?;
        let sum = sink.finish()?;
        Ok(Some(Saved { seq, sum, len }))
    }

    /// All that is saved.
    #[cfg(feature = "resume")]
    pub(crate) fn saved_words(&self, word: &mut dyn FnMut(u64)) {
        let head = self.saved_head();
        head.words().for_each(&mut *word);
        for row in self.table.rows.iter() {
            word(row_word(row));
            if head.anchored() {
                word(more_of_row(row));
            }
        }
        let Ok(()) = self.index.save(&mut |one| {
            word(one);
            Ok::<(), Infallible>(())
        });
    }

    pub(crate) fn saved_len(&self) -> u64 {
        let mut words = 0u64;
        let Ok(()) = self.index.save(&mut |_| {
            words = words.plus(1);
            Ok::<(), Infallible>(())
        });
        let anchored = self.anchored();
        head_len(anchored)
            .plus(rows_len(self.device.shape.segments, anchored))
            .plus(words.times(WORD))
    }

    /// Whether a start may build on what is saved.
    pub(crate) fn anchored(&self) -> bool {
        cfg!(feature = "resume") && !self.device.shape.ordered()
    }

    /// Where what comes behind the root at the tail begins.
    fn anchor(&self) -> Anchor {
        let root = self.root_seq;
        let cold = self.cold.map_or((root, 0), |cold| (cold.seq, cold.at));
        Anchor {
            root,
            cold: cold.0,
            at: cold.1,
        }
    }

    fn saved_head(&self) -> Head {
        let anchored = if self.anchored() { ANCHORED } else { 0 };
        let lists = if self.lists { LISTS } else { 0 };
        let dependents = if self.dependents { DEPENDENTS } else { 0 };
        Head {
            form: I::FORM | anchored,
            anchor: self.anchor(),
            flags: lists | dependents,
            keys: self.keys,
            tombstones: self.tombstones,
            // An ordered index may hold more than it has room for for certain.
            capacity: u64::try_from(self.index.capacity().max(self.index.len()))
                .unwrap_or(u64::MAX),
            frame_max: self.frame_max,
            segments: self.device.shape.segments,
        }
    }

    /// Whether anything was met since the start that is not as it was written.
    pub(crate) fn met_damage(&self) -> bool {
        self.astray
            || !self.damages.is_empty()
            || self.device.met_damage()
            || self.table.rows.iter().any(|row| row.damaged)
    }
}

// ----------------------------------------------------------------- reading

/// Reads bytes from segments, each once, and sums what it hands out.
struct Source<'s, M: Medium> {
    device: &'s Device<M>,
    /// Of the segment that comes next.
    seq: u32,
    segment: u32,
    at: u32,
    /// Bytes not read yet.
    left: u64,
    sum: u32,
}

/// It cannot be read: a segment is not there any more, or the medium fails.
pub(crate) struct Unreadable;

/// What rows of segments come to.
#[derive(Default)]
struct Rows {
    live: u64,
    /// Bytes of tombstones.
    tombstones: u64,
    /// A segment that held records is not there any more.
    gone: bool,
}

impl<'s, M: Medium> Source<'s, M> {
    fn new(device: &'s Device<M>, saved: &Saved) -> Self {
        Source {
            sum: device.shape.salt(saved.seq, 0),
            at: device.shape.segment_size,
            device,
            seq: saved.seq,
            segment: 0,
            left: saved.len,
        }
    }

    /// Fills `bytes` with the next ones.
    fn read(&mut self, segments: &[Segment], bytes: &mut [u8]) -> Result<(), Unreadable> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.at >= self.device.shape.segment_size {
                self.enter_next(segments)?;
            }
            let room = u64::from(self.device.shape.segment_size.minus(self.at));
            let count = usize::try_from(self.left.min(room)).unwrap_or(usize::MAX);
            let count = count.min(rest.len());
            let split = rest.split_at_mut_checked(count).filter(|_| count > 0);
            let (now, later) = split.ok_or(Unreadable)?;
            let read = self.device.read(self.segment, self.at, now);
            read.map_err(|_| Unreadable)?;
            self.sum = self.device.medium.crc32c(self.sum, now);
            self.at = self.at.plus(u32::try_from(now.len()).unwrap_or(0));
            self.left = self.left.minus(u64::try_from(now.len()).unwrap_or(0));
            rest = later;
        }
        Ok(())
    }

    fn enter_next(&mut self, segments: &[Segment]) -> Result<(), Unreadable> {
        let wanted = |row: &Segment| row.free() && row.seq == self.seq;
        let found = segments.iter().position(wanted).ok_or(Unreadable)?;
        self.segment = u32::try_from(found).unwrap_or(u32::MAX);
        self.seq = self.seq.plus(1);
        self.at = self.device.shape.start;
        Ok(())
    }

    fn head(&mut self, segments: &[Segment]) -> Result<Head, Unreadable> {
        let mut bytes = [0; HEAD_ANCHORED as usize];
        let (short, more) = bytes.split_at_mut(HEAD as usize);
        self.read(segments, short)?;
        if Head::decode(short).anchored() {
            self.read(segments, more)?;
        }
        Ok(Head::decode(&bytes))
    }

    /// Takes in what is live in each segment.
    fn rows(&mut self, head: &Head, table: &mut Table<'_>) -> Result<Rows, Unreadable> {
        let mut rows = Rows::default();
        let mut bytes = [0; CHUNK];
        let len = usize::try_from(rows_len(1, head.anchored())).unwrap_or(8);
        let mut number = 0u32;
        while number < head.segments {
            let left = usize::try_from(head.segments.minus(number)).unwrap_or(usize::MAX);
            let piece = bytes.get_mut(..left.times(len).min(CHUNK));
            let piece = piece.unwrap_or_default();
            self.read(table.rows, piece)?;
            let mut at = 0usize;
            while at < piece.len() {
                // The second one counts only where it is anchored.
                let words = (u64_at(piece, at), u64_at(piece, at.plus(8)));
                rows.take(head, table, number, words)?;
                (number, at) = (number.plus(1), at.plus(len));
            }
        }
        Ok(rows)
    }

    /// Whether all of it was read, and is what was written.
    fn sound(&self, saved: &Saved) -> bool {
        self.left == 0 && (self.sum == saved.sum || Mutant::LoadUnsummed.on())
    }
}

impl Rows {
    /// Takes in what is live in a segment.
    fn take(
        &mut self,
        head: &Head,
        table: &mut Table<'_>,
        number: u32,
        (word, more): (u64, u64),
    ) -> Result<(), Unreadable> {
        let live = u32::try_from(word & 0xFFFF_FFFF).unwrap_or(0);
        let row = table.row(number).filter(|row| row.records());
        if !head.anchored() {
            let Some(row) = row else {
                return Ok(());
            };
            row.live = live;
            row.n = u32::try_from(word >> 32).unwrap_or(0);
            self.live = self.live.plus(live.into());
            return Ok(());
        }
        // Behind the anchor's root stands what was written since.
        let Some(row) = row.filter(|row| row.seq < head.anchor.root) else {
            // None of the records that the root brought along is named yet.
            let before = more != 0 && more >> 32 < head.anchor.root.into();
            self.gone |= before || live > 0;
            return Ok(());
        };
        if more >> 32 != u64::from(row.seq) {
            return Err(Unreadable);
        }
        self.tombstones = self.tombstones.plus(more & 0xFFFF_FFFF);
        set_tombstones(row, more);
        row.live = live;
        row.n = u32::try_from(word >> 32).unwrap_or(0);
        self.live = self.live.plus(live.into());
        Ok(())
    }
}

impl<M: Medium, I: Index> Store<'_, M, I> {
    /// Takes the index and all that comes with it from what was saved: by the
    /// close that the walk has ended with, or by an earlier one, whatever was
    /// written since. `false`: it has to be built.
    pub(crate) fn load_index(
        &mut self,
        walk: &Walk,
        report: &mut Report,
    ) -> Result<bool, Fault<M::Error>> {
        self.loaded = false;
        self.table.forget_kept();
        if !I::SAVED || report.damaged != 0 || walk.named {
            return Ok(false);
        }
        self.group = crate::store::Group::default();
        let at_close = walk.saved.filter(|_| walk.closed && report.torn.is_none());
        self.loaded = match at_close {
            Some(saved) => self.load_from(&saved).is_ok(),
            None => self.build_on_saved(walk, report)?,
        };
        if !self.loaded {
            // As the root and the walk have left them.
            for row in self.table.rows.iter_mut().filter(|row| row.records()) {
                row.n = row.seq;
            }
        }
        Ok(self.loaded)
    }

    /// Loads what was saved, without what was in segments that are not there
    /// any more; returns where it is anchored.
    pub(crate) fn load_from(&mut self, saved: &Saved) -> Result<Option<Anchor>, Unreadable> {
        let shape = self.device.shape;
        let mut source = Source::new(&self.device, saved);
        let head = source.head(self.table.rows)?;
        let form = if head.anchored() { ANCHORED } else { 0 };
        let fits = saved.len.modulo(WORD) == 0
            && head.form == I::FORM | form
            && (head.segments == shape.segments
                || head.anchored() && head.segments < shape.segments)
            && head.frame_max <= shape.payload();
        if !fits {
            return Err(Unreadable);
        }
        for row in self.table.rows.iter_mut() {
            row.live = 0;
            set_tombstones(row, 0);
        }
        let taken = source.rows(&head, &mut self.table)?;
        let before = head_len(head.anchored()).plus(rows_len(head.segments, head.anchored()));
        let count = saved.len.minus(before).over(WORD);
        let rows = &*self.table.rows;
        let loaded = self
            .index
            .load(count, end(&shape), &mut |bytes: &mut [u8]| {
                source.read(rows, bytes)
            })?;
        if !loaded || !source.sound(saved) {
            return Err(Unreadable);
        }
        let mut dropped = 0u64;
        if taken.gone && !Mutant::KeepMoved.on() {
            let mut gone = |loc: Loc, primary| {
                let (segment, _) = shape.place(loc.0.times(shape.unit.into()));
                let row = rows.get(usize::try_from(segment).unwrap_or(usize::MAX));
                let stands = row.is_some_and(|row| row.records() && row.seq < head.anchor.root);
                dropped = dropped.plus(u64::from(primary && !stands));
                !stands
            };
            if !self.index.leave_out(&mut gone) {
                return Err(Unreadable);
            }
        }
        self.live = taken.live;
        self.keys = head.keys.minus(dropped);
        self.tombstones = head.tombstones;
        self.frame_max = self.frame_max.max(head.frame_max);
        self.lists = head.flags & LISTS != 0;
        self.dependents = head.flags & DEPENDENTS != 0;
        if !head.anchored() {
            return Ok(None);
        }
        self.tombstones = taken.tombstones;
        self.table.keep(&shape, saved);
        Ok(Some(head.anchor))
    }
}

impl Layout {
    /// How many entries the index had room for that the last close saved, so
    /// that one can be lent that the start can load: a hash index of
    /// [`HashIndex::slots_for`](crate::HashIndex::slots_for) as many. `None`
    /// where there is none. Only a hint: what was saved is not checked.
    ///
    /// # Errors
    /// The medium's.
    pub fn saved_entries<M: Medium>(&self, medium: &M) -> Result<Option<u64>, Error<M::Error>> {
        let shape = Shape::new(self.geometry, self.segment_size, self.nonce);
        let mut device = Device::unknown(Peek(medium));
        device.shape = shape;
        device.told(capacity_saved(&device))
    }
}

/// How many entries the index that was saved had room for.
fn capacity_saved<M: Medium>(device: &Device<M>) -> Result<Option<u64>, Fault<M::Error>> {
    let shape = device.shape;
    let (Some(root), _) = device.newest_root(NEWEST)? else {
        return Ok(None);
    };
    // A close that saved follows its root at once.
    let (segment, seq) = (root.frame.segment, root.frame.seq);
    let mut last = root.frame;
    let mut named = None;
    while let Some(frame) = device.parse(segment, seq, last.end(), shape.link_at)? {
        if frame.names_saved() {
            named = Some(frame.body_at());
        }
        last = frame;
    }
    let close = last.kind == Kind::Control && Control::of(last.a) == Some(Control::Close);
    if close && last.body_len >= CLOSE {
        named = Some(last.body_at().plus(KNOWN as u32));
    }
    let Some(at) = named else {
        return Ok(None);
    };
    let mut bytes = [0; SAVED];
    device.read(segment, at, &mut bytes)?;
    let saved = Saved::decode(&bytes);
    for segment in 0..shape.segments {
        let header = device.header(segment)?;
        if header.is_some_and(|(header, _)| header.seq == saved.seq) {
            let mut bytes = [0; HEAD_ANCHORED as usize];
            device.read(segment, shape.start, &mut bytes)?;
            return Ok(Some(Head::decode(&bytes).capacity));
        }
    }
    Ok(None)
}
