//! Persistent memory, files, browsers: 8-byte words in any order.

use super::bits::Bits;
use super::chooser::{Decision, Kind, Open, Site};
use super::error::{Operation, SimError, Violation};
use super::journal::Event;
use super::rig::Rig;
use crate::map::{self, Map, keys_within};
use core::cell::RefCell;
use core::ops::Range;
use indelible::{Geometry, Order};

/// The values that a word may have, the oldest first, without repeats.
type Versions = Vec<[u8; 8]>;

/// A medium whose outstanding 8-byte words are independently old or new after
/// a power cut, erases too.
///
/// A word stays *open* after a cut until the store reads it; only then the
/// chooser decides. What a failed flush left behind is *doubtful*: it reads as
/// new, later flushes prove nothing about it, and a cut may still take it.
#[derive(Clone, Debug)]
pub struct MemoryLike {
    bytes: RefCell<Vec<u8>>,
    open: RefCell<Map<u64, Word>>,
    outstanding: Map<u64, Versions>,
    doubtful: Map<u64, Versions>,
    /// Bytes written since the last flush: even blank ones are not to be
    /// written again. Behind a flush a byte written blank is durably blank, as
    /// if it never had been; nor could who opens the store next tell.
    written: Bits,
    /// Counters, failures, journal, decisions.
    pub rig: Rig,
}

#[derive(Clone, Debug)]
struct Word {
    rank: usize,
    versions: Versions,
}

impl Word {
    fn site(&self, word: u64) -> Site {
        Site {
            kind: Kind::Word,
            at: word * 8,
            rank: self.rank,
            options: self.versions.len(),
            exact: true,
        }
    }
}

impl MemoryLike {
    /// A blank medium.
    ///
    /// # Panics
    /// If the geometry is not that of an unordered medium of whole erase units.
    pub fn new(geometry: Geometry) -> Self {
        assert_eq!(geometry.order, Order::Unordered);
        assert_eq!(geometry.erase_unit % 8, 0);
        assert_eq!(geometry.capacity % u64::from(geometry.erase_unit), 0);
        let capacity = geometry.capacity as usize;
        Self {
            bytes: RefCell::new(vec![geometry.blank; capacity]),
            open: RefCell::default(),
            outstanding: Map::new(),
            doubtful: Map::new(),
            written: Bits::new(capacity),
            rig: Rig::new(geometry),
        }
    }

    /// A medium that durably holds `image`.
    pub fn with_image(geometry: Geometry, image: &[u8]) -> Self {
        let medium = Self::new(geometry);
        medium.bytes.borrow_mut().copy_from_slice(image);
        medium
    }

    /// Fills `buf` from `at`.
    ///
    /// # Errors
    /// Out of range, or injected.
    pub fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), SimError> {
        self.rig.admit(Operation::Read, at, buf.len() as u64)?;
        self.settle(at, buf.len());
        let at = at as usize;
        buf.copy_from_slice(&self.bytes.borrow()[at..at + buf.len()]);
        Ok(())
    }

    /// Writes `bytes` at `at`.
    ///
    /// # Errors
    /// A broken promise, or injected; half of the words have then been issued.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SimError> {
        match self.rig.admit(Operation::Write, at, bytes.len() as u64) {
            Err(SimError::Injected(operation)) => {
                let words = (bytes.len() / 16) * 8;
                self.put(at, &bytes[..words]);
                return Err(SimError::Injected(operation));
            }
            other => other?,
        }
        self.check_blank(at, bytes.len())?;
        self.rig.record(|| Event::Write {
            at,
            bytes: bytes.into(),
        });
        self.put(at, bytes);
        Ok(())
    }

    /// Erases `len` bytes from `at`.
    ///
    /// # Errors
    /// A broken promise, or injected; half of it has then been issued.
    pub fn erase(&mut self, at: u64, len: u64) -> Result<(), SimError> {
        match self.rig.admit(Operation::Erase, at, len) {
            Err(SimError::Injected(operation)) => {
                self.blank(at..at + len / 16 * 8);
                return Err(SimError::Injected(operation));
            }
            other => other?,
        }
        self.rig.record(|| Event::Erase { at, len });
        self.blank(at..at + len);
        Ok(())
    }

    /// Makes everything outstanding durable.
    ///
    /// # Errors
    /// Injected; everything outstanding is then doubtful for good.
    pub fn flush(&mut self) -> Result<(), SimError> {
        if let Err(error) = self.rig.admit(Operation::Flush, 0, 0) {
            for (word, versions) in core::mem::take(&mut self.outstanding) {
                merge(self.doubtful.entry(word).or_default(), versions);
            }
            return Err(error);
        }
        self.rig.record(|| Event::Flush);
        for word in core::mem::take(&mut self.outstanding).keys() {
            for byte in *word * 8..*word * 8 + 8 {
                self.written.set(byte as usize, false);
            }
        }
        Ok(())
    }

    /// What a power cut at this moment leaves: everything not known to be
    /// durable is open.
    pub fn cut(&self) -> Self {
        let mut words: Map<u64, Versions> = Map::new();
        for (word, open) in self.open.borrow().iter() {
            merge(words.entry(*word).or_default(), open.versions.clone());
        }
        for (word, versions) in self.doubtful.iter().chain(&self.outstanding) {
            merge(words.entry(*word).or_default(), versions.clone());
        }
        words.retain(|_, versions| versions.len() > 1);
        let open = words.into_iter().enumerate();
        let open = open.map(|(rank, (word, versions))| (word, Word { rank, versions }));
        let mut rig = Rig::new(self.rig.geometry());
        rig.tearing = self.rig.tearing;
        Self {
            bytes: self.bytes.clone(),
            open: RefCell::new(map::of(open)),
            outstanding: Map::new(),
            doubtful: Map::new(),
            written: Bits::new(rig.geometry().capacity as usize),
            rig,
        }
    }

    /// Whether a power cut now could take anything.
    pub fn is_durable(&self) -> bool {
        self.outstanding.is_empty() && self.doubtful.is_empty()
    }

    /// How many words are open.
    pub fn open_count(&self) -> usize {
        self.open.borrow().len()
    }

    /// The words that are open.
    pub fn open(&self) -> Vec<Open> {
        let open = self.open.borrow();
        let words = open.iter().map(|(number, word)| Open {
            site: word.site(*number),
            values: word.versions.iter().map(|value| value.to_vec()).collect(),
        });
        words.collect()
    }

    /// The logarithm to base 2 of the number of images that this medium may
    /// turn out to hold.
    pub fn states_log2(&self) -> f64 {
        let open = self.open.borrow();
        open.values()
            .map(|o| (o.versions.len() as f64).log2())
            .sum()
    }

    /// Decides again what was decided on another copy of this medium.
    pub fn pin(&mut self, decisions: &[Decision]) {
        for decision in decisions {
            let word = decision.site.at / 8;
            if let Some(open) = self.open.get_mut().remove(&word) {
                self.store(word, open.versions[decision.choice]);
            }
        }
    }

    /// The bytes as they read now, with everything open decided.
    pub fn image(&self) -> Vec<u8> {
        let len = self.bytes.borrow().len();
        self.settle(0, len);
        self.bytes.borrow().clone()
    }

    /// Damages the medium: `edit` gets its bytes, with everything open decided.
    pub fn edit(&mut self, edit: impl FnOnce(&mut [u8])) {
        let len = self.bytes.get_mut().len();
        self.settle(0, len);
        edit(self.bytes.get_mut());
    }

    fn check_blank(&self, at: u64, len: usize) -> Result<(), SimError> {
        let blank = self.rig.geometry().blank;
        for byte in at..at + len as u64 {
            let (word, lane) = (byte / 8, (byte % 8) as usize);
            let (visible, durable) = {
                let open = self.open.borrow();
                let all = |v: &Versions| v.iter().all(|value| value[lane] == blank);
                let durable = open.get(&word).is_none_or(|o| all(&o.versions))
                    && self.doubtful.get(&word).is_none_or(all)
                    && self.outstanding.get(&word).is_none_or(all);
                (self.bytes.borrow()[byte as usize], durable)
            };
            if !durable {
                let violation = match visible == blank {
                    true => Violation::NotDurablyBlank { at: byte },
                    false => Violation::NotBlank { at: byte },
                };
                return Err(self.rig.broke(violation));
            }
            if visible != blank {
                return Err(self.rig.broke(Violation::NotBlank { at: byte }));
            }
            if self.written.get(byte as usize) {
                return Err(self.rig.broke(Violation::WrittenTwice { at: byte }));
            }
        }
        Ok(())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        for word in at / 8..end.div_ceil(8) {
            let old = self.load(word);
            let mut value = old;
            for byte in at.max(word * 8)..end.min(word * 8 + 8) {
                value[(byte % 8) as usize] = bytes[(byte - at) as usize];
                self.written.set(byte as usize, true);
            }
            let versions = self.outstanding.entry(word).or_insert(vec![old]);
            merge(versions, vec![value]);
            self.store(word, value);
        }
    }

    fn blank(&mut self, range: Range<u64>) {
        let blank = [self.rig.geometry().blank; 8];
        for word in range.start / 8..range.end / 8 {
            let open = self.open.get_mut().remove(&word).map(|open| open.versions);
            let mut versions = open.unwrap_or_default();
            merge(
                &mut versions,
                self.doubtful.remove(&word).unwrap_or_default(),
            );
            merge(
                &mut versions,
                self.outstanding.remove(&word).unwrap_or_default(),
            );
            if versions.is_empty() {
                versions.push(self.load(word));
            }
            merge(&mut versions, vec![blank]);
            if versions.len() > 1 {
                self.outstanding.insert(word, versions);
            }
            self.store(word, blank);
            for byte in word * 8..word * 8 + 8 {
                self.written.set(byte as usize, false);
            }
        }
    }

    fn load(&self, word: u64) -> [u8; 8] {
        load(&self.bytes.borrow(), word)
    }

    fn store(&self, word: u64, value: [u8; 8]) {
        let at = word as usize * 8;
        self.bytes.borrow_mut()[at..at + 8].copy_from_slice(&value);
    }

    /// Decides every open word in the range.
    fn settle(&self, at: u64, len: usize) {
        if len == 0 || self.open.borrow().is_empty() {
            return;
        }
        let words = at / 8..(at + len as u64).div_ceil(8);
        let asked = keys_within(&self.open.borrow(), words);
        for word in asked {
            let Some(open) = self.open.borrow_mut().remove(&word) else {
                continue;
            };
            let choice = self.rig.decide(open.site(word));
            self.store(word, open.versions[choice]);
        }
    }
}

fn load(bytes: &[u8], word: u64) -> [u8; 8] {
    let at = word as usize * 8;
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    value
}

/// Adds versions that are not there yet, keeping order.
fn merge(into: &mut Versions, from: Versions) {
    for value in from {
        if !into.contains(&value) {
            into.push(value);
        }
    }
}
