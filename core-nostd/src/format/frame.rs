//! The frame: what every record and every ledger entry stands in.
//!
//! ```text
//! compact | word | key | body | pad | trailer |
//! long    | word | klen:16 a:16 blen:32 | header sum:32 | key sum:32 | key | body | pad | trailer |
//! word      kind:4 first:1 last:1 a:7 b:11 check:8       (a = 127, b = 2047: long)
//! trailer   ordered, compact, short   sum:32-b, count:b
//!           ordered, compact          sum:32, key check:16, 0:16-b, count:b
//!           ordered, long             sum:32, 0:32-b, count:b
//!           unordered, compact        sum:32, blank words:8, key check:16, mark:8
//!           unordered, long           sum:32, blank words:24, mark:8
//! ```
//!
//! `count` is a Berger code: how many programmed bits the last write unit
//! holds outside the count itself. Cutting its programming only loses bits, so
//! it loses the count in one direction: a deficit is a torn unit, any other
//! mismatch is corruption. `blank words` says how many aligned 8-byte words of
//! the frame are blank when it is whole: more than that is a torn frame.

use crate::checksum::{crc8, flipped_bit};
use crate::device::{CHUNK, Device};
use crate::fault::Fault;
use crate::format::shape::{Shape, WRITE_UNIT_MAX};
use crate::math::{Saturate, place, u16_at, u32_at};
use crate::medium::Medium;
use crate::mutants::Mutant;
use crate::store::Place;

/// Bytes of the first word.
const WORD: u32 = 4;
/// Bytes of a long header.
const LONG: u32 = 20;
/// `a` and `b` of a long frame's first word.
const LONG_A: u32 = 127;
const LONG_B: u32 = 2047;
/// The longest key and body of a compact frame.
const COMPACT_KEY: u32 = 126;
const COMPACT_BODY: u32 = 511;
/// The byte that keeps an unordered trailer away from blank.
const MARK: u32 = 0x5A;
/// Bytes of a link frame with the longest trailer.
pub(crate) const LINK_BYTES: u32 = WORD + LINK_BODY as u32 + 8;
/// Bytes of a link's body: segment, sequence, bytes used before it.
pub(crate) const LINK_BODY: usize = 12;
/// Bytes up to which 27 bits of checksum locate a flipped bit safely.
const SHORT_MAX: u32 = 128;

/// Bytes of a frame up to which it is put together in one piece.
const SHORT_FRAME: usize = 512;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Key and value.
    Put,
    /// A key is gone; in a cold segment the body is the order of the delete.
    Delete,
    /// Bytes appended to a log, short form of ordered media.
    Log,
    /// Commit, abort or close (`a` is a [`Control`]).
    Control,
    /// A change of segments or heads (`a` is a [`Meta`]).
    Meta,
    /// The state of the whole store.
    Checkpoint,
    /// The next ledger segment.
    Link,
    /// Bytes appended to a log, with absolute tail and full checksum.
    LogWide,
    /// A key whose value stands in chunks.
    Big,
    /// In a cold segment: the order that the following records stand for.
    Run,
    /// A chunk of a value.
    Chunk,
    /// A key's list: generation and bounds.
    List,
    /// An element of a list.
    Element,
}

impl Kind {
    fn code(self) -> u32 {
        match self {
            Kind::Put => 1,
            Kind::Delete => 2,
            Kind::Log => 3,
            Kind::Control => 4,
            Kind::Meta => 5,
            Kind::Checkpoint => 6,
            Kind::Link => 7,
            Kind::LogWide => 8,
            Kind::Big => 9,
            Kind::Run => 10,
            Kind::Chunk => 11,
            Kind::List => 12,
            Kind::Element => 13,
        }
    }

    fn of(code: u32) -> Option<Kind> {
        Some(match code {
            1 => Kind::Put,
            2 => Kind::Delete,
            3 => Kind::Log,
            4 => Kind::Control,
            5 => Kind::Meta,
            6 => Kind::Checkpoint,
            7 => Kind::Link,
            8 => Kind::LogWide,
            9 => Kind::Big,
            10 => Kind::Run,
            11 => Kind::Chunk,
            12 => Kind::List,
            13 => Kind::Element,
            _ => return None,
        })
    }

    /// Whether `a` of a compact frame is the length of a key.
    pub(crate) fn keyed(self) -> bool {
        matches!(
            self,
            Kind::Put | Kind::Delete | Kind::Big | Kind::Chunk | Kind::List | Kind::Element
        )
    }
}

/// What a control frame does to the group that it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Commit,
    Abort,
    Close,
    /// A commit whose group was durable before it was written.
    CommitFlushed,
}

/// What a meta frame changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meta {
    /// A log takes a segment for a number of its own.
    Open,
    /// A KV segment holds nothing live any more.
    Free,
    /// A log's head moves.
    Head,
    /// In a root: the saved index that a start may build on.
    #[cfg(feature = "resume")]
    Saved,
}

impl Control {
    pub(crate) fn code(self) -> u8 {
        match self {
            Control::Commit => 1,
            Control::Abort => 2,
            Control::Close => 3,
            Control::CommitFlushed => 4,
        }
    }

    pub(crate) fn of(code: u8) -> Option<Control> {
        match code {
            1 => Some(Control::Commit),
            2 => Some(Control::Abort),
            3 => Some(Control::Close),
            4 => Some(Control::CommitFlushed),
            _ => None,
        }
    }
}

impl Meta {
    pub(crate) fn code(self) -> u8 {
        match self {
            Meta::Open => 1,
            Meta::Free => 2,
            Meta::Head => 3,
            #[cfg(feature = "resume")]
            Meta::Saved => 4,
        }
    }

    pub(crate) fn of(code: u8) -> Option<Meta> {
        match code {
            1 => Some(Meta::Open),
            2 => Some(Meta::Free),
            3 => Some(Meta::Head),
            #[cfg(feature = "resume")]
            4 => Some(Meta::Saved),
            _ => None,
        }
    }
}

/// One bit to be read flipped: a healed single-bit fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// The byte, counted from the start of the frame.
    pub at: u32,
    pub mask: u8,
}

/// A frame found on the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub segment: u32,
    pub seq: u32,
    pub at: u32,
    pub kind: Kind,
    pub first: bool,
    pub last: bool,
    pub a: u8,
    pub key_len: u32,
    pub body_len: u32,
    /// Of a short log frame: bytes appended, and bytes of the remainder.
    pub appended: u32,
    pub long: bool,
    /// Bytes of the whole frame, a multiple of the unit.
    pub len: u32,
    pub trailer: u32,
    pub patch: Option<Patch>,
    /// The checksum was compared, with the patch, and holds.
    pub sound: bool,
}

impl Frame {
    fn header_len(&self) -> u32 {
        if self.long { LONG } else { WORD }
    }

    /// The offset of the key in the segment.
    pub(crate) fn key_at(&self) -> u32 {
        self.at.plus(self.header_len())
    }

    /// The offset of the body in the segment.
    pub(crate) fn body_at(&self) -> u32 {
        self.key_at().plus(self.key_len)
    }

    /// Whether it is an empty group, as proves or confirms a root.
    pub(crate) fn is_proof(&self) -> bool {
        let commit = self.kind == Kind::Control && Control::of(self.a) == Some(Control::Commit);
        commit && self.first && self.last && self.body_len == 0
    }

    /// Whether it is a root's word of the saved index that starts may build on.
    pub(crate) fn names_saved(&self) -> bool {
        #[cfg(feature = "resume")]
        return self.kind == Kind::Meta && Meta::of(self.a) == Some(Meta::Saved);
        #[cfg(not(feature = "resume"))]
        false
    }

    /// Where the frame stands.
    pub(crate) fn place(&self) -> Place {
        Place {
            segment: self.segment,
            seq: self.seq,
            at: self.at,
        }
    }

    /// The body, to be copied as it is or healed.
    pub(crate) fn body(&self) -> Part<'static> {
        Part::Copy {
            segment: self.segment,
            at: self.body_at(),
            len: self.body_len,
            flip: self.patch.map(|patch| (self.at.plus(patch.at), patch.mask)),
        }
    }

    /// The offset behind the frame.
    pub(crate) fn end(&self) -> u32 {
        self.at.plus(self.len)
    }

    fn trailer_at(&self) -> u32 {
        self.end().minus(self.trailer)
    }
}

/// A compact item that is whole, as most frames of a rebuild are.
#[cfg(feature = "resume")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    pub key_len: u32,
    /// Bytes of the whole frame.
    pub len: u32,
}

#[cfg(feature = "resume")]
impl Plain {
    /// The offset of the key in the segment.
    pub(crate) fn key_at(&self, place: Place) -> u32 {
        place.at.plus(WORD)
    }

    /// The key, of the frame's bytes.
    pub(crate) fn key<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let len = usize::try_from(self.key_len).unwrap_or(usize::MAX);
        let key = bytes.get(WORD as usize..(WORD as usize).plus(len));
        key.unwrap_or_default()
    }
}

/// Touches what comes some records behind: each record tells only where the next
/// one is, so without that every one of them would be waited for.
#[cfg(feature = "resume")]
#[inline]
pub(crate) fn fetch_ahead(bytes: &[u8]) {
    const AHEAD: usize = 2048;
    const LINE: usize = 64;
    core::hint::black_box(bytes.get(AHEAD).copied());
    core::hint::black_box(bytes.get(AHEAD + LINE).copied());
}

/// What of a record need not be summed before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Nothing,
    /// Its body, which is not read, or is checked later.
    Body,
    /// The caller trusts the medium.
    Everything,
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing was programmed here.
    Blank,
    /// A whole frame, healed where its patch says so.
    Whole(Frame),
    /// A frame whose writing was cut.
    Torn(Frame),
    /// A frame whose content is damaged; whether its key can be trusted.
    Damaged(Frame, bool),
    /// No frame's first word.
    Noise,
}

/// What a frame to be written says, apart from key and body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub kind: Kind,
    pub first: bool,
    pub last: bool,
    pub a: u8,
    /// Short log frames: bytes appended, and the running sum of the block.
    pub appended: u32,
    pub data_sum: u32,
}

impl Spec {
    pub(crate) fn new(kind: Kind) -> Self {
        Spec {
            kind,
            first: false,
            last: false,
            a: 0,
            appended: 0,
            data_sum: 0,
        }
    }

    pub(crate) fn with(kind: Kind, a: u8) -> Self {
        Spec {
            a,
            ..Spec::new(kind)
        }
    }
}

/// A part of a body to be written.
#[derive(Clone, Copy)]
pub(crate) enum Part<'b> {
    Bytes(&'b [u8]),
    /// A run of the medium, one bit of it healed.
    Copy {
        segment: u32,
        at: u32,
        len: u32,
        flip: Option<(u32, u8)>,
    },
    /// Rows of `size` bytes (at most 32) made one by one.
    Rows {
        count: u32,
        size: u32,
        row: &'b dyn Fn(u32) -> [u8; 32],
    },
}

impl Part<'_> {
    pub(crate) fn len(&self) -> u32 {
        match self {
            Part::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Part::Copy { len, .. } => *len,
            Part::Rows { count, size, .. } => count.times(*size),
        }
    }
}

#[inline]
fn is_long(kind: Kind, key_len: u32, body_len: u32) -> bool {
    kind == Kind::Checkpoint || key_len > COMPACT_KEY || body_len > COMPACT_BODY
}

/// Bytes of the trailer behind `content` bytes: four where that saves a unit
/// and the frame is short, else eight.
#[inline]
fn trailer_len(shape: &Shape, kind: Kind, long: bool, content: u32) -> u32 {
    if !shape.ordered() || long {
        return 8;
    }
    if kind == Kind::Log && inline_remainder(shape) {
        return 4;
    }
    let (short, full) = (content.plus(4), content.plus(8));
    let free = short.round_up(shape.unit) == full.round_up(shape.unit);
    if free || short > SHORT_MAX { 8 } else { 4 }
}

/// Bytes of a frame on the medium.
#[inline]
pub(crate) fn frame_len(shape: &Shape, kind: Kind, key_len: u32, body_len: u32) -> u32 {
    let long = is_long(kind, key_len, body_len);
    let header = if long { LONG } else { WORD };
    let content = header.plus(key_len).plus(body_len);
    content
        .plus(trailer_len(shape, kind, long, content))
        .round_up(shape.unit)
}

/// Bytes of a frame before its body.
pub(crate) fn body_offset(kind: Kind, key_len: u32, body_len: u32) -> u32 {
    let long = is_long(kind, key_len, body_len);
    key_len.plus(if long { LONG } else { WORD })
}

/// The longest body that keeps a frame within `max` bytes.
pub(crate) fn body_max(key_len: u32, max: u32) -> u32 {
    let long = max.minus(LONG).minus(8).minus(key_len);
    let compact = max.minus(WORD).minus(8).minus(key_len);
    if key_len <= COMPACT_KEY && compact <= COMPACT_BODY {
        compact
    } else if long > COMPACT_BODY || key_len > COMPACT_KEY {
        long
    } else {
        COMPACT_BODY
    }
}

/// Whether short log frames carry their remainder's length in the first word.
#[inline]
fn inline_remainder(shape: &Shape) -> bool {
    shape.unit <= 8
}

/// Whether an append can be told by a short log frame.
pub(crate) fn short_log(shape: &Shape, appended: u32, remainder: u32) -> bool {
    if !shape.ordered() {
        false
    } else if inline_remainder(shape) {
        appended <= 255 && remainder <= 7
    } else {
        appended <= 0xFFFF && remainder <= COMPACT_BODY.minus(6)
    }
}

/// Bits of the count in a trailer's last word.
fn count_bits(shape: &Shape, trailer: u32) -> u32 {
    let unit_bits = shape.unit.times(8);
    if trailer == 8 {
        return unit_bits.min(16);
    }
    let mut bits = 3u32;
    while 1u32.wrapping_shl(bits).minus(1) < unit_bits.minus(bits) {
        bits = bits.plus(1);
    }
    bits
}

#[inline]
fn unordered_trailer(sum: u32, blanks: u32, check: u32) -> [u8; 8] {
    let word = blanks.min(0xFF_FFFF) | check << 8 | MARK << 24;
    (u64::from(word) << 32 | u64::from(sum)).to_le_bytes()
}

#[inline]
fn first_word(spec: &Spec, a: u32, b: u32) -> [u8; 4] {
    let word = spec.kind.code()
        | u32::from(spec.first) << 4
        | u32::from(spec.last) << 5
        | (a & 127) << 6
        | (b & 2047) << 13;
    let [x, y, z, _] = word.to_le_bytes();
    [x, y, z, crc8([x, y, z])]
}

/// Of a frame's first word: it begins a group, it ends one.
const FIRST: u32 = 1 << 4;
const LAST: u32 = 1 << 5;

/// The bits of a frame's first word, if its check holds.
#[inline]
fn sound_bits(word: [u8; 4]) -> Option<u32> {
    let [x, y, z, check] = word;
    (crc8([x, y, z]) == check).then(|| u32::from_le_bytes([x, y, z, 0]))
}

/// What a frame's first word says of its lengths: of a compact one with a key
/// the key's and the body's.
#[inline]
fn lengths(bits: u32) -> (u32, u32) {
    (bits.wrapping_shr(6) & 127, bits.wrapping_shr(13) & 2047)
}

/// The lengths that a first word (and long header) gives.
#[inline]
fn parse_word(shape: &Shape, word: [u8; 4]) -> Option<Frame> {
    let bits = sound_bits(word)?;
    let kind = Kind::of(bits & 15)?;
    let (a, b) = lengths(bits);
    let mut frame = Frame {
        segment: 0,
        seq: 0,
        at: 0,
        kind,
        first: bits & FIRST != 0,
        last: bits & LAST != 0,
        a: u8::try_from(a).unwrap_or(0),
        key_len: 0,
        body_len: b,
        appended: 0,
        long: false,
        len: 0,
        trailer: 0,
        patch: None,
        sound: false,
    };
    if a == LONG_A && b == LONG_B {
        frame.long = true;
        return Some(frame);
    }
    if kind.keyed() {
        frame.key_len = a;
    }
    if kind == Kind::Log && inline_remainder(shape) {
        frame.appended = b.wrapping_shr(3);
        frame.body_len = b & 7;
    }
    complete(shape, &mut frame);
    Some(frame)
}

/// The length of a compact frame with a key and a long trailer, by its first
/// word; `None` for another.
#[cfg(feature = "resume")]
#[inline]
fn keyed_len(shape: &Shape, bits: u32) -> Option<u32> {
    let (a, b) = lengths(bits);
    let content = WORD.plus(a).plus(b);
    let keyed = Kind::of(bits & 15).is_some_and(Kind::keyed);
    let long = a == LONG_A && b == LONG_B;
    // Of what has a key, the kind does not matter.
    let compact = keyed && !long && trailer_len(shape, Kind::Put, false, content) == 8;
    compact.then(|| content.plus(8).round_up(shape.unit))
}

/// The lengths that follow from the others.
#[inline]
fn complete(shape: &Shape, frame: &mut Frame) {
    let content = frame.header_len().plus(frame.key_len).plus(frame.body_len);
    frame.trailer = trailer_len(shape, frame.kind, frame.long, content);
    frame.len = content.plus(frame.trailer).round_up(shape.unit);
}

// ---------------------------------------------------------------- reading

impl<M: Medium> Device<M> {
    /// Parses the frame at an offset without summing its content. `end` is
    /// where frames of this segment end.
    pub(crate) fn parse(
        &self,
        segment: u32,
        seq: u32,
        at: u32,
        end: u32,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        if at.plus(WORD) > end {
            return Ok(None);
        }
        let mut word = [0u8; WORD as usize];
        self.read(segment, at, &mut word)?;
        self.parse_from(word, segment, seq, at, end)
    }

    fn parse_from(
        &self,
        word: [u8; 4],
        segment: u32,
        seq: u32,
        at: u32,
        end: u32,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        let Some(mut frame) = parse_word(&self.shape, word) else {
            return Ok(None);
        };
        frame.segment = segment;
        frame.seq = seq;
        frame.at = at;
        if frame.long && !self.parse_long(&mut frame, word, end)? {
            return Ok(None);
        }
        Ok((frame.end() <= end).then_some(frame))
    }

    /// Where the header at an offset ends, if its first word is sound and says
    /// that it is a long one; and whether its second crash word is blank.
    pub(crate) fn long_header_at(
        &self,
        segment: u32,
        at: u32,
    ) -> Result<Option<(u32, bool)>, Fault<M::Error>> {
        let mut bytes = [0u8; 16];
        if at.plus(LONG) > self.shape.segment_size {
            return Ok(None);
        }
        self.read(segment, at, &mut bytes)?;
        let word = crate::math::take(&bytes, 0);
        if !parse_word(&self.shape, word).is_some_and(|frame| frame.long) {
            return Ok(None);
        }
        let blank = self.shape.geometry.blank;
        let second = bytes.iter().skip(8).all(|byte| *byte == blank);
        Ok(Some((at.plus(LONG), second)))
    }

    /// Reads and checks the long part of a header, healing one bit of it.
    fn parse_long(
        &self,
        frame: &mut Frame,
        word: [u8; 4],
        end: u32,
    ) -> Result<bool, Fault<M::Error>> {
        if frame.at.plus(LONG) > end {
            return Ok(false);
        }
        let mut bytes = [0u8; LONG as usize];
        self.read(frame.segment, frame.at, &mut bytes)?;
        place(&mut bytes, 0, &word);
        let salt = self.shape.salt(frame.seq, frame.at);
        let sum = self.medium.crc32c(salt, bytes.get(..12).unwrap_or(&[]));
        let difference = sum ^ u32_at(&bytes, 12);
        if difference != 0 && !difference.is_power_of_two() {
            let Some(bit) = flipped_bit(difference, u32::MAX, 96) else {
                return Ok(false);
            };
            let patch = Patch {
                at: bit >> 3,
                mask: 1u8.wrapping_shl(bit & 7),
            };
            apply(Some(patch), 0, &mut bytes);
            frame.patch = Some(patch);
        }
        frame.key_len = u32::from(u16_at(&bytes, 4));
        frame.a = u8::try_from(u16_at(&bytes, 6)).unwrap_or(u8::MAX);
        frame.body_len = u32_at(&bytes, 8);
        complete(&self.shape, frame);
        Ok(true)
    }

    /// The compact item whose bytes these begin with, if its checksum holds and
    /// no group begins with it that goes on: it is what [`Device::examine`] takes
    /// for whole.
    #[cfg(feature = "resume")]
    #[inline]
    pub(crate) fn plain(&self, place: Place, bytes: &[u8]) -> Option<Plain> {
        let bits = sound_bits(*bytes.first_chunk()?)?;
        let goes_on = bits & (FIRST | LAST) == FIRST;
        if bits & 15 != Kind::Put.code() || goes_on {
            return None;
        }
        let (key_len, _) = lengths(bits);
        let len = keyed_len(&self.shape, bits)?;
        let frame = bytes.get(..usize::try_from(len).ok()?)?;
        let (covered, trailer) = frame.split_last_chunk::<8>()?;
        let sum = self.medium.crc32c(self.first_sum(place), covered);
        (sum == u32_at(trailer, 0)).then_some(Plain { key_len, len })
    }

    /// Behind the compact frames from `at` on that end no group, and begin none
    /// but at `at`: as far as the medium lends them and their words are sound.
    #[cfg(feature = "resume")]
    pub(crate) fn inside_group(&self, segment: u32, from: u32, end: u32) -> u32 {
        let mut at = from;
        let Some(mut bytes) = self.borrow(segment, from, end.minus(from)) else {
            return at;
        };
        while let Some(bits) = bytes.first_chunk().and_then(|word| sound_bits(*word)) {
            if bits & LAST != 0 || bits & FIRST != 0 && at != from {
                break;
            }
            let Some(len) = keyed_len(&self.shape, bits) else {
                break;
            };
            let Some(rest) = bytes.get(usize::try_from(len).unwrap_or(usize::MAX)..) else {
                break;
            };
            at = at.plus(len);
            bytes = rest;
            fetch_ahead(bytes);
        }
        at
    }

    /// The item of a key, where the medium lends it and the checksum that is
    /// asked for holds: the quick way to most records. The frame is made in one
    /// go, of what was checked: copies of one that was just put together keep
    /// the processor waiting for longer than all the rest takes.
    #[cfg_attr(target_arch = "wasm32", inline)]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(crate) fn quick(&self, place: Place, key: &[u8], trust: Trust) -> Option<Frame> {
        let word = *self.borrow(place.segment, place.at, WORD)?.first_chunk()?;
        let [x, y, z, check] = word;
        let bits = u32::from_le_bytes([x, y, z, 0]);
        let kind = match bits & 15 {
            1 => Kind::Put,
            9 => Kind::Big,
            _ => return None,
        };
        // The frame's own sum covers the word.
        if trust == Trust::Body && crc8([x, y, z]) != check {
            return None;
        }
        let a = bits.wrapping_shr(6) & 127;
        let b = bits.wrapping_shr(13) & 2047;
        let long = a == LONG_A && b == LONG_B;
        let (key_len, body_len) = if long {
            self.quick_lengths(place)?
        } else {
            (a, b)
        };
        if usize::try_from(key_len).ok()? != key.len() {
            return None;
        }
        let header = if long { LONG } else { WORD };
        let content = header.plus(key_len).plus(body_len);
        let len = content.plus(8).round_up(self.shape.unit);
        let ends = place.at.plus(len) <= self.shape.segment_size;
        if trailer_len(&self.shape, kind, long, content) != 8 || !ends {
            return None;
        }
        let bytes = self.borrow(place.segment, place.at, len)?;
        let (covered, trailer) = bytes.split_last_chunk::<8>()?;
        let from = usize::try_from(header).ok()?;
        if covered.get(from..from.plus(key.len()))? != key {
            return None;
        }
        let holds = match trust {
            Trust::Nothing => {
                let first = self.first_sum(place);
                self.medium.crc32c(first, covered) == u32_at(trailer, 0)
            }
            Trust::Body => self.key_holds(place, long, key, covered, trailer),
            Trust::Everything => true,
        };
        holds.then_some(Frame {
            segment: place.segment,
            seq: place.seq,
            at: place.at,
            kind,
            first: bits & 16 != 0,
            last: bits & 32 != 0,
            // Of a long frame of an item it is nothing.
            a: u8::try_from(a).unwrap_or(0),
            key_len,
            body_len,
            appended: 0,
            long,
            len,
            trailer: 8,
            patch: None,
            sound: trust == Trust::Nothing,
        })
    }

    /// Key and body length of a long header that is lent and sound.
    #[inline]
    fn quick_lengths(&self, place: Place) -> Option<(u32, u32)> {
        let header = self.borrow(place.segment, place.at, LONG)?;
        let salt = self.shape.salt(place.seq, place.at);
        let sum = self.medium.crc32c(salt, header.get(..12)?);
        let lengths = (u32::from(u16_at(header, 4)), u32_at(header, 8));
        (sum == u32_at(header, 12)).then_some(lengths)
    }

    /// Whether the key's own checksum of an item that is lent holds.
    #[inline]
    fn key_holds(
        &self,
        place: Place,
        long: bool,
        key: &[u8],
        covered: &[u8],
        trailer: &[u8; 8],
    ) -> bool {
        let salt = !self.shape.salt(place.seq, place.at);
        if long {
            return self.medium.crc32c(salt, key) == u32_at(covered, 16);
        }
        let at = if self.shape.ordered() { 4 } else { 5 };
        let named = covered.get(..(WORD as usize).plus(key.len()));
        named.is_some_and(|named| {
            self.medium.crc32c(salt, named) & 0xFFFF == u32::from(u16_at(trailer, at))
        })
    }

    /// What a frame's checksum starts from.
    fn first_sum(&self, place: Place) -> u32 {
        if Mutant::NoSalt.on() {
            return 0;
        }
        self.shape.salt(place.seq, place.at)
    }

    /// The checksum of everything before the trailer, with the frame's patch.
    fn frame_sum(&self, frame: &Frame) -> Result<u32, Fault<M::Error>> {
        let mut state = self.first_sum(frame.place());
        let covered = frame.len.minus(frame.trailer);
        if frame.patch.is_none() {
            return self.sum(frame.segment, frame.at, covered, state);
        }
        let mut done = 0u32;
        let mut chunk = [0u8; CHUNK];
        while done < covered {
            let count = covered.minus(done).min(CHUNK as u32);
            let Some(part) = chunk.get_mut(..usize::try_from(count).unwrap_or(0)) else {
                break;
            };
            self.read(frame.segment, frame.at.plus(done), part)?;
            apply(frame.patch, done, part);
            state = self.medium.crc32c(state, part);
            done = done.plus(count);
        }
        Ok(state)
    }

    /// What stands at `at`: the whole judgement of one frame.
    pub(crate) fn examine(
        &self,
        segment: u32,
        seq: u32,
        at: u32,
        end: u32,
    ) -> Result<Seen, Fault<M::Error>> {
        if at.plus(WORD) > end {
            return Ok(Seen::Blank);
        }
        let mut word = [0u8; WORD as usize];
        self.read(segment, at, &mut word)?;
        let blank = self.shape.geometry.blank;
        if word.iter().all(|byte| *byte == blank) {
            return Ok(Seen::Blank);
        }
        match self.parse_from(word, segment, seq, at, end)? {
            Some(frame) => self.judge(frame),
            None => self.heal_word(word, segment, seq, at, end),
        }
    }

    /// The frame at an offset, if a walk would take it: whole, or a short log
    /// frame of whose count alone a bit is missing.
    pub(crate) fn accepted(
        &self,
        segment: u32,
        seq: u32,
        at: u32,
        end: u32,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        Ok(match self.examine(segment, seq, at, end)? {
            Seen::Whole(frame) => Some(frame),
            Seen::Torn(frame) if frame.kind == Kind::Log && self.sum_agrees(&frame)? => Some(frame),
            _ => None,
        })
    }

    /// Tries every single flip of a first word that fails its check.
    fn heal_word(
        &self,
        word: [u8; 4],
        segment: u32,
        seq: u32,
        at: u32,
        end: u32,
    ) -> Result<Seen, Fault<M::Error>> {
        for bit in 0..32u32 {
            let patch = Patch {
                at: bit >> 3,
                mask: 1u8.wrapping_shl(bit & 7),
            };
            let mut other = word;
            apply(Some(patch), 0, &mut other);
            let Some(mut frame) = self.parse_from(other, segment, seq, at, end)? else {
                continue;
            };
            if frame.patch.is_some() {
                continue;
            }
            frame.patch = Some(patch);
            let mut trailer = [0u8; 8];
            if self.trailer(&frame, &mut trailer)? == self.frame_sum(&frame)? & self.mask(&frame) {
                return Ok(Seen::Whole(frame));
            }
        }
        Ok(Seen::Noise)
    }

    /// Which bits of a sum a frame keeps.
    fn mask(&self, frame: &Frame) -> u32 {
        if frame.trailer == 8 {
            return u32::MAX;
        }
        let mut bits = 32u32.minus(count_bits(&self.shape, 4));
        if frame.kind == Kind::Log && inline_remainder(&self.shape) {
            bits = bits.minus(16);
        }
        1u32.wrapping_shl(bits).wrapping_sub(1)
    }

    /// The sum kept in a frame's trailer; fills `trailer` with its bytes.
    fn trailer(&self, frame: &Frame, trailer: &mut [u8; 8]) -> Result<u32, Fault<M::Error>> {
        let len = usize::try_from(frame.trailer).unwrap_or(8);
        if let Some(part) = trailer.get_mut(..len) {
            self.read(frame.segment, frame.trailer_at(), part)?;
            apply(frame.patch, frame.len.minus(frame.trailer), part);
        }
        Ok(u32_at(trailer, 0) & self.mask(frame))
    }

    /// Judges a frame whose header is sound: whole, torn or damaged.
    pub(crate) fn judge(&self, frame: Frame) -> Result<Seen, Fault<M::Error>> {
        self.will_read(frame.segment, frame.at, frame.len);
        let mut seen = if self.holds_in_place(&frame) {
            Seen::Whole(frame)
        } else {
            self.judge_piecewise(frame)?
        };
        if let Seen::Whole(frame) = &mut seen {
            frame.sound = true;
        }
        Ok(seen)
    }

    fn judge_piecewise(&self, frame: Frame) -> Result<Seen, Fault<M::Error>> {
        let mut trailer = [0u8; 8];
        let kept = self.trailer(&frame, &mut trailer)?;
        let difference = (kept ^ self.frame_sum(&frame)?) & self.mask(&frame);
        if difference == 0 || Mutant::SkipRecoveryChecksum.on() {
            // The sum of a short log frame leaves out what it keeps of the
            // log's: more than one bit missing there is a torn unit.
            let short = frame.kind == Kind::Log && frame.trailer == 4;
            if short && self.count_deficit(&frame)? > 1 && !Mutant::NoUnitCount.on() {
                return Ok(Seen::Torn(frame));
            }
            return Ok(Seen::Whole(frame));
        }
        if self.shape.ordered() {
            self.judge_ordered(frame, difference)
        } else {
            self.judge_unordered(frame, &trailer, difference)
        }
    }

    /// Whether the medium lends the whole frame, and its sum holds: the quick
    /// way to most judgements.
    fn holds_in_place(&self, frame: &Frame) -> bool {
        if frame.patch.is_some() || frame.trailer != 8 {
            return false;
        }
        let lent = self.borrow(frame.segment, frame.at, frame.len);
        let Some((covered, trailer)) = lent.and_then(|bytes| bytes.split_last_chunk::<8>()) else {
            return false;
        };
        self.medium.crc32c(self.first_sum(frame.place()), covered) == u32_at(trailer, 0)
    }

    /// Whether a frame's sum is the one that it keeps.
    pub(crate) fn sum_agrees(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut trailer = [0u8; 8];
        let kept = self.trailer(frame, &mut trailer)?;
        Ok((kept ^ self.frame_sum(frame)?) & self.mask(frame) == 0)
    }

    /// Whether the key and body of a copy are those that a frame's checksum is
    /// of.
    pub(crate) fn same_content(
        &self,
        frame: &Frame,
        copy: &Frame,
    ) -> Result<bool, Fault<M::Error>> {
        let mut header = [0u8; LONG as usize];
        let len = usize::try_from(frame.header_len()).unwrap_or(0);
        let header = header.get_mut(..len).unwrap_or_default();
        self.read_in(frame, frame.at, header)?;
        let mut state = self.shape.salt(frame.seq, frame.at);
        state = self.medium.crc32c(state, header);
        let content = frame.key_len.plus(frame.body_len);
        state = self.sum(copy.segment, copy.key_at(), content, state)?;
        let written = frame.header_len().plus(content).plus(frame.trailer);
        for _ in 0..frame.len.minus(written) {
            state = self.medium.crc32c(state, &[self.shape.geometry.blank]);
        }
        let mut trailer = [0u8; 8];
        Ok((self.trailer(frame, &mut trailer)? ^ state) & self.mask(frame) == 0)
    }

    fn judge_ordered(&self, frame: Frame, difference: u32) -> Result<Seen, Fault<M::Error>> {
        let missing = self.count_deficit(&frame)?;
        if let Some(healed) = self.heal(&frame, difference, missing != 0)?
            && self.count_deficit(&healed)? == 0
        {
            return Ok(Seen::Whole(healed));
        }
        if missing > 0 && !Mutant::NoUnitCount.on() {
            return Ok(Seen::Torn(frame));
        }
        // A unit that reads differently from one look to the next was being
        // programmed when power failed.
        let mut trailer = [0u8; 8];
        let again = self.trailer(&frame, &mut trailer)? ^ self.frame_sum(&frame)?;
        if again & self.mask(&frame) != difference || self.count_deficit(&frame)? != missing {
            return Ok(Seen::Torn(frame));
        }
        self.damaged(frame)
    }

    fn judge_unordered(
        &self,
        frame: Frame,
        trailer: &[u8; 8],
        difference: u32,
    ) -> Result<Seen, Fault<M::Error>> {
        if Mutant::NoBlankCount.on() {
            return self.damaged(frame);
        }
        let covered = frame.len.minus(8);
        let blank = self.shape.geometry.blank;
        let torn = trailer.iter().all(|byte| *byte == blank);
        let recorded = u32_at(trailer, 4) & if frame.long { 0xFF_FFFF } else { 0xFF };
        let found = self.blank_words(frame.segment, frame.at, covered)?;
        let missing = found.minus(recorded);
        if torn || missing > 1 {
            return Ok(Seen::Torn(frame));
        }
        if let Some(healed) = self.heal(&frame, difference, false)? {
            let Some(patch) = healed.patch else {
                return Ok(Seen::Whole(healed));
            };
            // One word too many is blank: the flip must be what blanked it.
            let word = frame.at.plus(patch.at.round_down(8));
            if missing == 0 || self.blank_words(frame.segment, word, 8)? == 1 {
                return Ok(Seen::Whole(healed));
            }
        }
        if missing > 0 {
            return Ok(Seen::Torn(frame));
        }
        self.damaged(frame)
    }

    /// A damaged frame, and whether its key's own checksum holds.
    fn damaged(&self, frame: Frame) -> Result<Seen, Fault<M::Error>> {
        let mut named = false;
        if frame.kind.keyed() && frame.patch.is_none() && frame.trailer == 8 {
            named = if frame.long {
                self.long_key_holds(&frame)?
            } else {
                self.compact_key_holds(&frame)?
            };
        }
        Ok(Seen::Damaged(frame, named))
    }

    fn long_key_holds(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut kept = [0u8; 4];
        self.read(frame.segment, frame.at.plus(16), &mut kept)?;
        let salt = !self.shape.salt(frame.seq, frame.at);
        let sum = self.sum(frame.segment, frame.key_at(), frame.key_len, salt)?;
        Ok(sum == u32::from_le_bytes(kept))
    }

    fn compact_key_holds(&self, frame: &Frame) -> Result<bool, Fault<M::Error>> {
        let mut trailer = [0u8; 8];
        self.read(frame.segment, frame.trailer_at(), &mut trailer)?;
        let at = if self.shape.ordered() { 4 } else { 5 };
        let salt = !self.shape.salt(frame.seq, frame.at);
        let len = WORD.plus(frame.key_len);
        let sum = self.sum(frame.segment, frame.at, len, salt)?;
        Ok(sum & 0xFFFF == u32::from(u16_at(&trailer, at)))
    }

    /// The frame with the one flip that explains `difference`, if there is
    /// exactly one and it cannot well be chance. A torn unit can only have
    /// lost bits of its `last_unit`.
    fn heal(
        &self,
        frame: &Frame,
        difference: u32,
        last_unit: bool,
    ) -> Result<Option<Frame>, Fault<M::Error>> {
        if frame.patch.is_some() {
            return Ok(None);
        }
        let mut healed = *frame;
        if difference.is_power_of_two() {
            let bit = difference.trailing_zeros();
            let at = frame.len.minus(frame.trailer).plus(bit >> 3);
            healed.patch = Some(Patch {
                at,
                mask: 1u8.wrapping_shl(bit & 7),
            });
            return Ok(Some(healed));
        }
        let mask = self.mask(frame);
        let bits = frame.len.minus(frame.trailer).times(8);
        let unit_bits = self.shape.unit.times(8);
        let spare = mask.count_ones().minus(17);
        let few = if last_unit { bits.min(unit_bits) } else { bits };
        // A short log frame's body is covered by the block's sum as well, a
        // checkpoint has a second checksum.
        let backed = matches!(frame.kind, Kind::Log | Kind::Checkpoint);
        if !backed && !last_unit && few > 1u32.wrapping_shl(spare.min(31)) {
            return Ok(None);
        }
        let Some(bit) = flipped_bit(difference, mask, few) else {
            return Ok(None);
        };
        let bit = bits.minus(few).plus(bit);
        healed.patch = Some(Patch {
            at: bit >> 3,
            mask: 1u8.wrapping_shl(bit & 7),
        });
        Ok(Some(healed))
    }

    /// How many programmed bits the last unit lacks: positive for a torn
    /// unit, negative where it has too many. Unordered media have no count.
    pub(crate) fn count_deficit(&self, frame: &Frame) -> Result<i32, Fault<M::Error>> {
        let mut unit = [0u8; WRITE_UNIT_MAX as usize];
        let len = self.shape.unit.min(frame.len);
        let Some(unit) = unit.get_mut(..usize::try_from(len).unwrap_or(0)) else {
            return Ok(0);
        };
        let at = frame.len.minus(len);
        self.read(frame.segment, frame.at.plus(at), unit)?;
        apply(frame.patch, at, unit);
        let (programmed, count) = unit_count(&self.shape, unit, frame.trailer);
        let programmed = i32::try_from(programmed).unwrap_or(i32::MAX);
        let count = i32::try_from(count.min(0x7FFF_FFFF)).unwrap_or(i32::MAX);
        Ok(count.saturating_sub(programmed))
    }

    /// The running sum that a short log frame keeps, 16 bits of it.
    pub(crate) fn log_sum(&self, frame: &Frame) -> Result<u32, Fault<M::Error>> {
        let mut trailer = [0u8; 8];
        self.trailer(frame, &mut trailer)?;
        let bits = 16u32.minus(count_bits(&self.shape, 4));
        Ok(u32_at(&trailer, 0).wrapping_shr(bits) & 0xFFFF)
    }

    /// Reads a run inside a frame, healed.
    pub(crate) fn read_in(
        &self,
        frame: &Frame,
        at: u32,
        buf: &mut [u8],
    ) -> Result<(), Fault<M::Error>> {
        self.read(frame.segment, at, buf)?;
        apply(frame.patch, at.minus(frame.at), buf);
        Ok(())
    }
}

/// Flips the patched bit if `bytes`, which start at `from`, hold it.
pub(crate) fn apply(patch: Option<Patch>, from: u32, bytes: &mut [u8]) {
    let Some(patch) = patch else { return };
    let Some(at) = patch.at.checked_sub(from) else {
        return;
    };
    if let Some(byte) = bytes.get_mut(usize::try_from(at).unwrap_or(usize::MAX)) {
        *byte ^= patch.mask;
    }
}

/// The programmed bits of a unit outside its count, and that count.
fn unit_count(shape: &Shape, unit: &[u8], trailer: u32) -> (u32, u32) {
    let blank = shape.geometry.blank;
    let bits = count_bits(shape, trailer);
    let mut word = [0u8; 4];
    let tail = unit.len().min(4);
    let from = unit.len().minus(tail);
    place(
        &mut word,
        4usize.minus(tail),
        unit.get(from..).unwrap_or(&[]),
    );
    let ones = u32::from_le_bytes([blank; 4]);
    let count = (u32::from_le_bytes(word) ^ !ones).wrapping_shr(32u32.minus(bits));
    let field = if bits == 32 {
        u32::MAX
    } else {
        !(u32::MAX.wrapping_shr(bits))
    };
    let mut programmed = 0u32;
    for byte in unit.iter().take(from) {
        programmed = programmed.plus((*byte ^ blank).count_ones());
    }
    let valid = u32::MAX.wrapping_shl(32u32.minus(8u32.times(tail as u32)));
    let outside = (u32::from_le_bytes(word) ^ ones) & !field & valid;
    (programmed.plus(outside.count_ones()), count)
}

// ---------------------------------------------------------------- writing

/// Gathers a run of bytes into few writes of whole units.
pub(crate) struct Writer<const N: usize = { WRITE_UNIT_MAX as usize }> {
    segment: u32,
    /// The segment offset of the first gathered byte.
    at: u32,
    fill: usize,
    /// Blank words of what was already written out.
    blank_words: u32,
    /// The checksum of what was pushed but for what is gathered from `summed`
    /// on: many pieces are summed by one call. `None` where nobody asks for it.
    sum: Option<u32>,
    summed: usize,
    gathered: [u8; N],
}

impl Writer {
    /// Starts at a unit boundary.
    pub(crate) fn new(segment: u32, at: u32) -> Self {
        Self::sized(segment, at)
    }
}

impl<const N: usize> Writer<N> {
    /// As [`Writer::new`], for what gathers `N` bytes: a unit at least.
    pub(crate) fn sized(segment: u32, at: u32) -> Self {
        Writer {
            segment,
            at,
            fill: 0,
            blank_words: 0,
            sum: None,
            summed: 0,
            gathered: [0; N],
        }
    }

    /// Starts at another unit boundary.
    pub(crate) fn restart(&mut self, segment: u32, at: u32) {
        self.segment = segment;
        self.at = at;
        self.fill = 0;
        self.blank_words = 0;
        self.summed = 0;
    }

    /// As [`Writer::new`], for a frame whose checksum starts from `salt`.
    fn summing(segment: u32, at: u32, salt: u32) -> Self {
        Writer {
            sum: Some(salt),
            ..Self::sized(segment, at)
        }
    }

    /// Sums what is gathered.
    fn add_up<M: Medium>(&mut self, device: &Device<M>) {
        if let Some(sum) = self.sum {
            let bytes = self.gathered.get(self.summed..self.fill).unwrap_or(&[]);
            self.sum = Some(device.medium.crc32c(sum, bytes));
            self.summed = self.fill;
        }
    }

    /// The checksum of everything pushed; what follows is not summed.
    fn take_sum<M: Medium>(&mut self, device: &Device<M>) -> u32 {
        self.add_up(device);
        self.sum.take().unwrap_or(0)
    }

    fn full(&self) -> bool {
        self.fill >= self.gathered.len()
    }

    /// Writes out all whole units gathered; what is left moves to the front.
    pub(crate) fn drain<M: Medium>(
        &mut self,
        device: &mut Device<M>,
    ) -> Result<(), Fault<M::Error>> {
        let unit = usize::try_from(device.shape.unit).unwrap_or(1);
        let whole = self.fill.round_down(unit);
        self.add_up(device);
        let bytes = self.gathered.get(..whole).unwrap_or(&[]);
        self.blank_words = self.blank_words.plus(crate::device::count_blank_words(
            bytes,
            device.shape.geometry.blank,
        ));
        self.write_out(device, whole)
    }

    /// Writes out so many bytes, whole units.
    fn write_out<M: Medium>(
        &mut self,
        device: &mut Device<M>,
        whole: usize,
    ) -> Result<(), Fault<M::Error>> {
        if whole == 0 {
            return Ok(());
        }
        let bytes = self.gathered.get(..whole).unwrap_or(&[]);
        device.write(self.segment, self.at, bytes)?;
        // What is left is less than a unit, so it does not overlap.
        self.fill = self.fill.minus(whole);
        self.summed = self.fill;
        let middle = whole.min(self.gathered.len());
        let (front, rest) = self.gathered.split_at_mut(middle);
        place(front, 0, rest.get(..self.fill).unwrap_or_default());
        self.at = self.at.plus(u32::try_from(whole).unwrap_or(0));
        Ok(())
    }

    /// Adds bytes, writing out what is certainly not the last unit.
    pub(crate) fn push<M: Medium>(
        &mut self,
        device: &mut Device<M>,
        mut bytes: &[u8],
    ) -> Result<(), Fault<M::Error>> {
        // Long runs go straight out from where a cache line and a unit begin.
        let line = usize::try_from(device.shape.unit).unwrap_or(1).max(64);
        while !bytes.is_empty() {
            let long = bytes.len() > self.gathered.len();
            let end = usize::try_from(self.end()).unwrap_or(0);
            let next = end.plus(line).round_down(line);
            if self.full() || long && next.minus(end) == line {
                self.drain(device)?;
            }
            if self.fill == 0 && long {
                bytes = self.through(device, bytes)?;
            }
            let mut room = self.gathered.len().minus(self.fill);
            if long {
                room = room.min(next.minus(end));
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            place(&mut self.gathered, self.fill, now);
            self.fill = self.fill.plus(now.len());
            bytes = later;
        }
        Ok(())
    }

    /// Writes whole units straight from a large slice; returns the rest, which
    /// is never empty.
    fn through<'b, M: Medium>(
        &mut self,
        device: &mut Device<M>,
        bytes: &'b [u8],
    ) -> Result<&'b [u8], Fault<M::Error>> {
        let unit = usize::try_from(device.shape.unit).unwrap_or(1).max(8);
        let whole = bytes.len().minus(1).round_down(unit);
        let (now, later) = bytes.split_at_checked(whole).unwrap_or((&[], bytes));
        self.blank_words = self.blank_words.plus(crate::device::count_blank_words(
            now,
            device.shape.geometry.blank,
        ));
        self.sum = self.sum.map(|sum| device.medium.crc32c(sum, now));
        device.write(self.segment, self.at, now)?;
        self.at = self.at.plus(u32::try_from(whole).unwrap_or(0));
        Ok(later)
    }

    /// The bytes gathered and not written: less than a unit after a drain.
    pub(crate) fn left(&self) -> &[u8] {
        self.gathered.get(..self.fill).unwrap_or(&[])
    }

    /// The segment offset behind everything pushed.
    pub(crate) fn end(&self) -> u32 {
        self.at.plus(u32::try_from(self.fill).unwrap_or(0))
    }

    /// Blank words of everything written out so far.
    pub(crate) fn blank_words(&self) -> u32 {
        self.blank_words
    }

    /// Blank words of everything pushed so far.
    fn all_blank_words(&self, blank: u8) -> u32 {
        self.blank_words
            .plus(crate::device::count_blank_words(self.left(), blank))
    }
}

impl<M: Medium> Device<M> {
    /// Writes one frame at an offset; returns its length in bytes.
    pub(crate) fn write_frame(
        &mut self,
        segment: u32,
        seq: u32,
        at: u32,
        spec: &Spec,
        key: &[u8],
        body: &[Part<'_>],
    ) -> Result<u32, Fault<M::Error>> {
        let mut body_len = 0u32;
        for part in body {
            body_len = body_len.plus(part.len());
        }
        let key_len = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let long = is_long(spec.kind, key_len, body_len);
        let salt = self.shape.salt(seq, at);
        let first = if Mutant::NoSalt.on() { 0 } else { salt };
        if !long && !self.shape.ordered() && self.borrow(segment, at, WORD).is_some() {
            // The medium is memory: its frames are put together at once.
            let word = self.compact_word(spec, key_len, body_len);
            let frame = (Place { segment, seq, at }, first, word);
            let short = body_len.plus(key_len) <= 96;
            let done = match short {
                true => self.write_short::<128>(frame, key, body),
                false => self.write_short::<SHORT_FRAME>(frame, key, body),
            };
            if let Some(done) = done {
                return done;
            }
        }
        let mut writer: Writer = Writer::summing(segment, at, first);
        let mut check = 0;
        if long {
            let header = self.long_header(spec, salt, key, body_len);
            writer.push(self, &header)?;
        } else {
            let word = self.compact_word(spec, key_len, body_len);
            check = self.key_check(salt, &word, key);
            writer.push(self, &word)?;
        }
        writer.push(self, key)?;
        for part in body {
            self.push_part(&mut writer, part)?;
        }
        let header = if long { LONG } else { WORD };
        let content = header.plus(key_len).plus(body_len);
        let trailer = trailer_len(&self.shape, spec.kind, long, content);
        let len = content.plus(trailer).round_up(self.shape.unit);
        let mut pad = len.minus(trailer).minus(content);
        while pad > 0 {
            let blanks = [self.shape.geometry.blank; 32];
            let now = pad.min(32);
            let part = blanks.get(..usize::try_from(now).unwrap_or(0));
            writer.push(self, part.unwrap_or(&[]))?;
            pad = pad.minus(now);
        }
        self.push_trailer(&mut writer, spec, trailer, check)?;
        self.finish(&mut writer)?;
        Ok(len)
    }

    /// A compact frame of unordered media in one piece of up to `N` bytes, with
    /// its place, what its checksum starts from and its first word. `None`
    /// where it has to be gathered.
    fn write_short<const N: usize>(
        &mut self,
        (at, first, word): (Place, u32, [u8; 4]),
        key: &[u8],
        body: &[Part<'_>],
    ) -> Option<Result<u32, Fault<M::Error>>> {
        if Mutant::MarkBeforeData.on() {
            return None;
        }
        let mut bytes = [self.shape.geometry.blank; N];
        let named = (WORD as usize).plus(key.len());
        bytes.get_mut(..WORD as usize)?.copy_from_slice(&word);
        place(bytes.get_mut(..named)?, WORD as usize, key);
        let mut end = named;
        for part in body {
            let part = match *part {
                Part::Bytes(part) => part,
                // What is relocated.
                Part::Copy {
                    segment,
                    at,
                    len,
                    flip: None,
                } => self.borrow(segment, at, len)?,
                _ => return None,
            };
            let behind = end.plus(part.len());
            place(bytes.get_mut(..behind)?, end, part);
            end = behind;
        }
        let unit = usize::try_from(self.shape.unit).ok()?;
        let bytes = bytes.get_mut(..end.plus(8).round_up(unit))?;
        let (covered, trailer) = bytes.split_last_chunk_mut::<8>()?;
        let salt = self.shape.salt(at.seq, at.at);
        let check = self.medium.crc32c(!salt, covered.get(..named)?) & 0xFFFF;
        let sum = self.medium.crc32c(first, covered);
        let blanks = crate::device::count_blank_words(covered, self.shape.geometry.blank);
        *trailer = unordered_trailer(sum, blanks, check);
        let len = u32::try_from(bytes.len()).ok()?;
        Some(self.write(at.segment, at.at, bytes).map(|()| len))
    }

    fn finish(&mut self, writer: &mut Writer) -> Result<(), Fault<M::Error>> {
        if Mutant::MarkBeforeData.on() {
            let unit = usize::try_from(self.shape.unit).unwrap_or(1);
            let cut = writer.fill.minus(unit).round_down(unit);
            let at = writer.at.plus(u32::try_from(cut).unwrap_or(0));
            let bytes = writer.gathered;
            self.write(
                writer.segment,
                at,
                bytes.get(cut..writer.fill).unwrap_or(&[]),
            )?;
            writer.fill = cut;
        }
        let unit = usize::try_from(self.shape.unit).unwrap_or(1);
        writer.write_out(self, writer.fill.round_down(unit))
    }

    /// What of a compact frame's first word and key is kept beside its checksum,
    /// so that damage in the body is known to be that key's.
    fn key_check(&self, salt: u32, word: &[u8], key: &[u8]) -> u32 {
        let sum = self.medium.crc32c(!salt, word);
        self.medium.crc32c(sum, key) & 0xFFFF
    }

    fn long_header(
        &self,
        spec: &Spec,
        salt: u32,
        key: &[u8],
        body_len: u32,
    ) -> [u8; LONG as usize] {
        let mut bytes = [0u8; LONG as usize];
        place(&mut bytes, 0, &first_word(spec, LONG_A, LONG_B));
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
        place(&mut bytes, 4, &key_len.to_le_bytes());
        place(&mut bytes, 6, &u16::from(spec.a).to_le_bytes());
        place(&mut bytes, 8, &body_len.to_le_bytes());
        let header = self.medium.crc32c(salt, bytes.get(..12).unwrap_or(&[]));
        place(&mut bytes, 12, &header.to_le_bytes());
        let key = self.medium.crc32c(!salt, key);
        place(&mut bytes, 16, &key.to_le_bytes());
        bytes
    }

    fn compact_word(&self, spec: &Spec, key_len: u32, body_len: u32) -> [u8; 4] {
        let a = if spec.kind.keyed() {
            key_len
        } else {
            u32::from(spec.a)
        };
        let mut b = body_len;
        if spec.kind == Kind::Log && inline_remainder(&self.shape) {
            b = spec.appended << 3 | body_len;
        }
        first_word(spec, a, b)
    }

    fn push_part(&mut self, writer: &mut Writer, part: &Part<'_>) -> Result<(), Fault<M::Error>> {
        let (segment, at, len, flip) = match *part {
            Part::Bytes(bytes) => return writer.push(self, bytes),
            Part::Rows { count, size, row } => {
                for number in 0..count {
                    let bytes = row(number);
                    let len = usize::try_from(size).unwrap_or(0);
                    writer.push(self, bytes.get(..len).unwrap_or(&[]))?;
                }
                return Ok(());
            }
            Part::Copy {
                segment,
                at,
                len,
                flip,
            } => (segment, at, len, flip),
        };
        let mut chunk = [0u8; 256];
        let mut done = 0u32;
        while done < len {
            let count = usize::try_from(len.minus(done))
                .unwrap_or(0)
                .min(chunk.len());
            let Some(bytes) = chunk.get_mut(..count) else {
                break;
            };
            let from = at.plus(done);
            self.read(segment, from, bytes)?;
            if let Some((flipped, mask)) = flip {
                apply(Some(Patch { at: flipped, mask }), from, bytes);
            }
            writer.push(self, bytes)?;
            done = done.plus(u32::try_from(count).unwrap_or(0));
        }
        Ok(())
    }

    fn push_trailer(
        &mut self,
        writer: &mut Writer,
        spec: &Spec,
        trailer: u32,
        check: u32,
    ) -> Result<(), Fault<M::Error>> {
        let mut bytes = [0u8; 8];
        let sum = writer.take_sum(self);
        if !self.shape.ordered() {
            let blanks = writer.all_blank_words(self.shape.geometry.blank);
            return writer.push(self, &unordered_trailer(sum, blanks, check));
        }
        let bits = count_bits(&self.shape, trailer);
        let len = usize::try_from(trailer).unwrap_or(8);
        let low = if trailer == 8 {
            sum
        } else if spec.kind == Kind::Log && inline_remainder(&self.shape) {
            let kept = 16u32.minus(bits);
            (sum & 1u32.wrapping_shl(kept).wrapping_sub(1)) | (spec.data_sum & 0xFFFF) << kept
        } else {
            sum & 1u32.wrapping_shl(32u32.minus(bits)).wrapping_sub(1)
        };
        place(&mut bytes, 0, &low.to_le_bytes());
        if trailer == 8 {
            place(&mut bytes, 4, &check.to_le_bytes());
        }
        // The count field is zero while the rest of its unit is counted.
        let part = bytes.get(..len).unwrap_or(&[]);
        writer.push(self, part)?;
        let unit = usize::try_from(self.shape.unit).unwrap_or(1);
        let from = writer.fill.minus(unit);
        let last = writer.gathered.get(from..writer.fill).unwrap_or(&[]);
        let (programmed, _) = unit_count(&self.shape, last, trailer);
        let blank = u32::from_le_bytes([self.shape.geometry.blank; 4]);
        let shift = 32u32.minus(bits);
        let count = (programmed ^ !blank).wrapping_shl(shift);
        let word_at = writer.fill.minus(4);
        let word = if trailer == 8 {
            count | check
        } else {
            low | count
        };
        place(&mut writer.gathered, word_at, &word.to_le_bytes());
        Ok(())
    }
}
