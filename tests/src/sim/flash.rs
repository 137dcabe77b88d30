//! NOR flash: operations in order, units torn bit by bit, sectors half erased.

use super::bits::Bits;
use super::chooser::{Decision, Kind, Open, Site};
use super::error::{Operation, SimError, Violation};
use super::journal::Event;
use super::rig::{Rig, Tearing};
use super::torn;
use crate::map::{self, Map, keys_within};
use core::cell::RefCell;
use indelible::{Geometry, Order};

/// A medium whose operations persist in the order issued, unit by unit.
///
/// The unit being programmed at a cut is *torn*: each of its bits may have
/// arrived or not, and may read differently until it is erased: in every power
/// cycle, and from one look to the next, as [`Tearing`](super::Tearing) says.
/// A sector being erased at a cut holds arbitrary bits. Neither may be
/// programmed before it is erased, however blank it looks.
#[derive(Clone, Debug)]
pub struct FlashLike {
    bytes: RefCell<Vec<u8>>,
    /// Units programmed, torn or in half-erased sectors: not to be written.
    used: Bits,
    torn: RefCell<Map<u64, Torn>>,
    half: RefCell<Map<u64, Half>>,
    outstanding: Vec<Step>,
    /// Counters, failures, journal, decisions.
    pub rig: Rig,
}

#[derive(Clone, Debug)]
struct Torn {
    rank: usize,
    old: Box<[u8]>,
    new: Box<[u8]>,
    reading: Option<usize>,
}

#[derive(Clone, Debug)]
struct Half {
    rank: usize,
    old: Box<[u8]>,
}

impl Torn {
    fn site(&self, at: u64, tearing: Tearing) -> Site {
        Site {
            kind: Kind::Torn,
            at,
            rank: self.rank,
            options: torn::unit_options(&self.old, &self.new, tearing),
            exact: torn::unit_is_exhaustive(&self.old, &self.new, tearing),
        }
    }
}

impl Half {
    fn site(&self, at: u64, tearing: Tearing) -> Site {
        Site {
            kind: Kind::HalfErased,
            at,
            rank: self.rank,
            options: torn::sector_options(tearing),
            exact: false,
        }
    }
}

/// One unit programmed or one sector erased, with what undoes it.
#[derive(Clone, Debug)]
enum Step {
    Program {
        at: u64,
    },
    Erase {
        at: u64,
        bytes: Box<[u8]>,
        used: Vec<bool>,
        torn: Map<u64, Torn>,
        half: Option<Half>,
    },
}

impl FlashLike {
    /// A blank medium, as erased by its maker.
    ///
    /// # Panics
    /// If the geometry is not that of an ordered medium of whole erase units.
    pub fn new(geometry: Geometry) -> Self {
        assert_eq!(geometry.order, Order::Ordered);
        assert_eq!(geometry.erase_unit % geometry.write_unit, 0);
        assert_eq!(geometry.capacity % u64::from(geometry.erase_unit), 0);
        Self {
            bytes: RefCell::new(vec![geometry.blank; geometry.capacity as usize]),
            used: Bits::new((geometry.capacity / u64::from(geometry.write_unit)) as usize),
            torn: RefCell::default(),
            half: RefCell::default(),
            outstanding: Vec::new(),
            rig: Rig::new(geometry),
        }
    }

    /// A medium that holds `image`; units that are not blank count as
    /// programmed.
    pub fn with_image(geometry: Geometry, image: &[u8]) -> Self {
        let mut medium = Self::new(geometry);
        let unit = geometry.write_unit as usize;
        for (i, bytes) in image.chunks(unit).enumerate() {
            medium
                .used
                .set(i, bytes.iter().any(|b| *b != geometry.blank));
        }
        medium.bytes.get_mut().copy_from_slice(image);
        medium
    }

    fn unit(&self) -> u64 {
        u64::from(self.rig.geometry().write_unit)
    }

    fn sector(&self) -> u64 {
        u64::from(self.rig.geometry().erase_unit)
    }

    /// Fills `buf` from `at`.
    ///
    /// # Errors
    /// Out of range, or injected.
    pub fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), SimError> {
        self.rig.admit(Operation::Read, at, buf.len() as u64)?;
        self.settle(at, buf.len() as u64);
        let at = at as usize;
        buf.copy_from_slice(&self.bytes.borrow()[at..at + buf.len()]);
        Ok(())
    }

    /// Programs `bytes` at `at`.
    ///
    /// # Errors
    /// A broken promise, or injected; half of the units are then programmed
    /// and the next one is torn.
    pub fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SimError> {
        let admitted = self.rig.admit(Operation::Write, at, bytes.len() as u64);
        if let Err(SimError::Violation(_)) = admitted {
            return admitted;
        }
        let unit = self.unit();
        for i in at / unit..(at + bytes.len() as u64) / unit {
            if self.used.get(i as usize) {
                return Err(self.rig.broke(self.why_used(i)));
            }
        }
        let units = bytes.len() / unit as usize;
        let done = match admitted {
            Ok(()) => units,
            Err(_) => units / 2,
        };
        if admitted.is_ok() {
            self.rig.record(|| Event::Write {
                at,
                bytes: bytes.into(),
            });
        }
        for (i, value) in bytes.chunks(unit as usize).take(done).enumerate() {
            self.program(at + i as u64 * unit, value);
        }
        if admitted.is_err() && done < units {
            let at = at + done as u64 * unit;
            let from = done * unit as usize;
            self.program(at, &bytes[from..from + unit as usize]);
            self.undo(true);
        }
        admitted
    }

    /// Erases `len` bytes from `at`.
    ///
    /// # Errors
    /// A broken promise, or injected; the first sector is then half erased.
    pub fn erase(&mut self, at: u64, len: u64) -> Result<(), SimError> {
        let admitted = self.rig.admit(Operation::Erase, at, len);
        match admitted {
            Ok(()) => {
                self.rig.record(|| Event::Erase { at, len });
                let sectors = (at..at + len).step_by(self.sector() as usize);
                sectors.for_each(|at| self.erase_sector(at));
            }
            Err(SimError::Injected(_)) if len > 0 => {
                self.erase_sector(at);
                self.undo(true);
            }
            Err(_) => {}
        }
        admitted
    }

    /// Makes everything outstanding durable.
    ///
    /// # Errors
    /// Injected; everything outstanding stays in doubt.
    pub fn flush(&mut self) -> Result<(), SimError> {
        self.rig.admit(Operation::Flush, 0, 0)?;
        self.rig.record(|| Event::Flush);
        self.outstanding.clear();
        Ok(())
    }

    /// Units and sectors that a cut can still take, in order.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// What a power cut leaves that comes while outstanding step `torn` is
    /// being done; the steps after it never were. With `torn` at
    /// [`FlashLike::outstanding`] the cut falls between two steps.
    pub fn cut(&self, torn: usize) -> Self {
        let mut after = self.clone();
        while after.outstanding.len() > torn + 1 {
            after.undo(false);
        }
        if after.outstanding.len() > torn {
            after.undo(true);
        }
        after.outstanding.clear();
        let mut rig = Rig::new(self.rig.geometry());
        rig.tearing = self.rig.tearing;
        let decays = rig.tearing.decays;
        after.rig = rig;
        for (rank, (_, unit)) in after.torn.get_mut().iter_mut().enumerate() {
            unit.rank = rank;
            if decays {
                unit.reading = None;
            }
        }
        for (rank, (_, sector)) in after.half.get_mut().iter_mut().enumerate() {
            sector.rank = rank;
        }
        after
    }

    /// How many units and sectors are undecided.
    pub fn open_count(&self) -> usize {
        self.torn.borrow().len() + self.half.borrow().len()
    }

    /// The units and sectors that are undecided.
    pub fn open(&self) -> Vec<Open> {
        let tearing = self.rig.tearing;
        let blank = self.rig.geometry().blank;
        let (torn, half) = (self.torn.borrow(), self.half.borrow());
        let torn = torn.iter().filter(|(_, unit)| unit.reading.is_none());
        let torn = torn.map(|(at, unit)| {
            let site = unit.site(*at, tearing);
            let value = |i| torn::unit_value(*at, &unit.old, &unit.new, i, tearing);
            let values = (0..site.options).map(value).collect();
            Open { site, values }
        });
        let half = half.iter().map(|(at, sector)| {
            let site = sector.site(*at, tearing);
            let value = |i| torn::sector_value(*at, &sector.old, blank, i, tearing);
            let values = (0..site.options).map(value).collect();
            Open { site, values }
        });
        let mut open: Vec<Open> = torn.chain(half).collect();
        open.sort_unstable_by_key(|open| open.site.at);
        open
    }

    /// The logarithm to base 2 of the number of images that this medium may
    /// turn out to hold, changes of reading not counted.
    pub fn states_log2(&self) -> f64 {
        let torn = self.torn.borrow();
        let torn = torn.values().filter(|t| t.reading.is_none());
        let torn: f64 = torn.map(|t| torn::unit_states_log2(&t.old, &t.new)).sum();
        let half = self.half.borrow();
        torn + half.values().map(|h| h.old.len() as f64 * 8.0).sum::<f64>()
    }

    /// Decides again what was decided on another copy of this medium.
    pub fn pin(&mut self, decisions: &[Decision]) {
        for decision in decisions {
            let at = decision.site.at;
            match decision.site.kind {
                Kind::HalfErased => self.settle_sector(at, Some(decision.choice)),
                Kind::Torn | Kind::Flicker => self.pin_unit(decision),
                Kind::Word => {}
            }
        }
    }

    fn pin_unit(&mut self, decision: &Decision) {
        let tearing = self.rig.tearing;
        let at = decision.site.at;
        let Some(unit) = self.torn.get_mut().get_mut(&at) else {
            return;
        };
        let options = torn::unit_options(&unit.old, &unit.new, tearing);
        let reading = match unit.reading {
            Some(before) => flicker(before, decision.choice, options),
            None => decision.choice,
        };
        unit.reading = Some(reading);
        let value = torn::unit_value(at, &unit.old, &unit.new, reading, tearing);
        self.bytes.get_mut()[at as usize..at as usize + value.len()].copy_from_slice(&value);
    }

    /// The bytes as they read now, with everything undecided decided.
    pub fn image(&self) -> Vec<u8> {
        self.settle(0, self.rig.geometry().capacity);
        self.bytes.borrow().clone()
    }

    /// Damages the medium: `edit` gets its bytes, with everything undecided
    /// decided.
    pub fn edit(&mut self, edit: impl FnOnce(&mut [u8])) {
        self.settle(0, self.rig.geometry().capacity);
        edit(self.bytes.get_mut());
    }

    fn why_used(&self, unit: u64) -> Violation {
        let at = unit * self.unit();
        let range = at as usize..(at + self.unit()) as usize;
        let blank = self.rig.geometry().blank;
        let half = self
            .half
            .borrow()
            .contains_key(&(at / self.sector() * self.sector()));
        if self.torn.borrow().contains_key(&at) || half {
            Violation::NotDurablyBlank { at }
        } else if self.bytes.borrow()[range].iter().any(|b| *b != blank) {
            Violation::NotBlank { at }
        } else {
            Violation::WrittenTwice { at }
        }
    }

    fn program(&mut self, at: u64, value: &[u8]) {
        self.used.set((at / self.unit()) as usize, true);
        self.bytes.get_mut()[at as usize..at as usize + value.len()].copy_from_slice(value);
        self.outstanding.push(Step::Program { at });
    }

    fn erase_sector(&mut self, at: u64) {
        let (sector, unit, blank) = (self.sector(), self.unit(), self.rig.geometry().blank);
        let range = at as usize..(at + sector) as usize;
        let units = at / unit..(at + sector) / unit;
        let torn = self.torn.get_mut();
        let inside = keys_within(torn, at..at + sector);
        let step = Step::Erase {
            at,
            bytes: self.bytes.get_mut()[range.clone()].into(),
            used: units.clone().map(|i| self.used.get(i as usize)).collect(),
            torn: map::of(inside.iter().filter_map(|at| Some((*at, torn.remove(at)?)))),
            half: self.half.get_mut().remove(&at),
        };
        self.outstanding.push(step);
        self.bytes.get_mut()[range].fill(blank);
        units.for_each(|i| self.used.set(i as usize, false));
    }

    /// Takes back the last outstanding step; where it is `torn`, half way.
    fn undo(&mut self, torn: bool) {
        let (unit, sector) = (self.unit(), self.sector());
        let blank = self.rig.geometry().blank;
        match self.outstanding.pop() {
            None => {}
            Some(Step::Program { at }) => {
                let bytes = &mut self.bytes.get_mut()[at as usize..(at + unit) as usize];
                let (old, new) = (vec![blank; bytes.len()].into(), Box::from(&*bytes));
                bytes.fill(blank);
                self.used.set((at / unit) as usize, torn);
                if torn {
                    let unit = Torn {
                        rank: 0,
                        old,
                        new,
                        reading: None,
                    };
                    self.torn.get_mut().insert(at, unit);
                }
            }
            Some(Step::Erase {
                at,
                bytes,
                used,
                torn: units,
                half,
            }) => {
                let range = at as usize..(at + sector) as usize;
                self.bytes.get_mut()[range].copy_from_slice(&bytes);
                for (i, used) in used.into_iter().enumerate() {
                    self.used.set((at / unit) as usize + i, used || torn);
                }
                if torn {
                    self.half.get_mut().insert(
                        at,
                        Half {
                            rank: 0,
                            old: bytes,
                        },
                    );
                } else {
                    map::add(self.torn.get_mut(), units);
                    map::add(self.half.get_mut(), half.map(|half| (at, half)));
                }
            }
        }
    }

    /// Decides everything in the range, and lets torn units change.
    fn settle(&self, at: u64, len: u64) {
        if len == 0 {
            return;
        }
        if !self.half.borrow().is_empty() {
            let first = at / self.sector() * self.sector();
            let sectors = keys_within(&self.half.borrow(), first..at + len);
            sectors
                .into_iter()
                .for_each(|at| self.settle_sector(at, None));
        }
        if !self.torn.borrow().is_empty() {
            let first = at / self.unit() * self.unit();
            let mut torn = self.torn.borrow_mut();
            for key in keys_within(&torn, first..at + len) {
                if let Some(unit) = torn.get_mut(&key) {
                    self.look(key, unit);
                }
            }
        }
    }

    fn settle_sector(&self, at: u64, choice: Option<usize>) {
        let Some(half) = self.half.borrow_mut().remove(&at) else {
            return;
        };
        let tearing = self.rig.tearing;
        let choice = choice.unwrap_or_else(|| self.rig.decide(half.site(at, tearing)));
        let blank = self.rig.geometry().blank;
        let value = torn::sector_value(at, &half.old, blank, choice, tearing);
        self.bytes.borrow_mut()[at as usize..at as usize + value.len()].copy_from_slice(&value);
    }

    fn look(&self, at: u64, unit: &mut Torn) {
        let tearing = self.rig.tearing;
        if unit.reading.is_some() && !self.rig.may_flicker() {
            return;
        }
        let site = unit.site(at, tearing);
        let reading = match unit.reading {
            None => self.rig.decide(site),
            Some(before) => {
                let choice = self.rig.decide(Site {
                    kind: Kind::Flicker,
                    options: site.options.min(4),
                    ..site
                });
                flicker(before, choice, site.options)
            }
        };
        if unit.reading.is_some_and(|before| before != reading) {
            self.rig.flickered();
        }
        unit.reading = Some(reading);
        let value = torn::unit_value(at, &unit.old, &unit.new, reading, tearing);
        self.bytes.borrow_mut()[at as usize..at as usize + value.len()].copy_from_slice(&value);
    }
}

/// A unit that was looked at before stays as it was, or looks blank, or looks
/// written, or is in between.
fn flicker(before: usize, choice: usize, options: usize) -> usize {
    [before, 0, 1, options - 1][choice]
}
