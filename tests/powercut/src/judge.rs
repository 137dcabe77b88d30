//! Cuts the power of a copy at every step, recovers it and compares.

use crate::flash::{Fate, Fault, Flash, Image, Step, Witness};
use crate::model::{Change, Difference, Model, stage};
use crate::random::Random;
use core::cell::{Cell, RefCell};
use core::fmt::{self, Debug, Write};
use heapless::String;
use indelible::{Error, HashIndex, Mode, Report, StaticMemory, Store};
use indelible_embedded::Nor;

/// The store's id.
pub const ID: u128 = 0x00BA_DC0F_FEE0;
/// Keys, lists, elements and chunks in the index at most.
const ENTRIES: usize = 256;

/// Memory that a store is lent.
#[derive(Debug)]
pub struct Lent {
    rows: StaticMemory<64, { crate::model::LOGS }, 16, 16, 16>,
    slots: [u64; HashIndex::slots_for(ENTRIES)],
}

impl Lent {
    /// As it is after a reset.
    pub const fn new() -> Self {
        Self {
            rows: StaticMemory::new(),
            slots: [0; HashIndex::slots_for(ENTRIES)],
        }
    }
}

impl Default for Lent {
    fn default() -> Self {
        Self::new()
    }
}

/// A store on simulated flash.
pub type Opened<'f, 'a, W, const UNIT: usize, const SECTOR: usize> =
    Store<'f, Nor<Flash<'f, 'a, W, UNIT, SECTOR>>, HashIndex<'f>>;

/// Turns the flash's power on and opens the store.
///
/// # Errors
/// The store's.
pub fn open<'f, 'a, W: Witness, const UNIT: usize, const SECTOR: usize>(
    image: &'f mut Image<'a>,
    witness: W,
    flicker: Option<u32>,
    lent: &'f mut Lent,
) -> Result<(Opened<'f, 'a, W, UNIT, SECTOR>, Report), Error<indelible_embedded::Error<Fault>>> {
    *lent = Lent::new();
    let nor = Nor::new(Flash::new(image, witness, flicker)).expect("there is a sector");
    let index = HashIndex::new(&mut lent.slots);
    Store::start(nor, index, lent.rows.lend(), Some(ID), Mode::ReadWrite)
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations on the original.
    pub operations: u32,
    /// Times that the original was opened.
    pub starts: u32,
    /// Times that its power was cut in the midst of an operation or a start.
    pub cut: u32,
    /// Units that it programmed.
    pub programs: u64,
    /// Sectors that it erased.
    pub erases: u64,
    /// Copies that were cut between two steps and recovered.
    pub clean: u64,
    /// Copies that were cut while a unit was programmed.
    pub torn: u64,
    /// Copies that were cut while a sector was erased.
    pub half_erased: u64,
    /// Recovered copies that then went on and were opened once more.
    pub went_on: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovered = self.clean + self.torn + self.half_erased;
        write!(
            f,
            "{} operations, {} units programmed, {} sectors erased, {} starts, {} after cuts\n\
             {recovered} copies cut and recovered: {} between steps, {} in a torn unit, \
             {} in a half-erased sector; {} of them went on",
            self.operations,
            self.programs,
            self.erases,
            self.starts,
            self.cut,
            self.clean,
            self.torn,
            self.half_erased,
            self.went_on,
        )
    }
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It does not open.
    NotOpened,
    /// It does not open once more after it went on.
    NotOpenedLater,
    /// It reports damage, and there is none.
    Damage,
    /// It holds neither what was before the operation nor what is after it.
    Differs(Difference),
    /// It holds something else after it went on.
    DiffersLater(Difference),
    /// An operation on it fails.
    OperationFailed,
}

/// A cut that the store did not survive, or an operation that failed.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is wrong.
    pub what: What,
    /// The operation during which it happened, counted from 0.
    pub operation: u32,
    /// The step at which it happened, counted from 0.
    pub step: u64,
    /// Where the power was cut; `None` where the original failed.
    pub cut: Option<Cut>,
    /// The store's error.
    pub error: String<160>,
}

/// Where the power of a copy was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The address of the unit or sector in bytes.
    pub at: usize,
    /// It is a sector.
    pub erase: bool,
    /// The seed of what is torn; `None` where the cut falls before the step.
    pub torn: Option<u64>,
    /// Looks until the torn unit reads differently.
    pub flicker: Option<u32>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "operation {}, step {}, {:?}: {:?} {}",
            self.operation, self.step, self.cut, self.what, self.error
        )
    }
}

/// What the store may hold.
#[derive(Debug)]
pub(crate) struct Expected {
    pub before: Model,
    pub after: Model,
    /// There need not be a store.
    pub setting_up: bool,
}

/// What the judge and the one who works with the original both know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub expected: RefCell<Expected>,
    pub counts: Cell<Counts>,
    pub violation: RefCell<Option<Violation>>,
    /// Steps until the original's power is cut.
    pub cut_after: Cell<Option<u32>>,
    /// It was.
    pub cut: Cell<bool>,
}

impl Shared {
    pub(crate) const fn new() -> Self {
        Self {
            expected: RefCell::new(Expected {
                before: Model::EMPTY,
                after: Model::EMPTY,
                setting_up: true,
            }),
            counts: Cell::new(Counts {
                operations: 0,
                starts: 0,
                cut: 0,
                programs: 0,
                erases: 0,
                clean: 0,
                torn: 0,
                half_erased: 0,
                went_on: 0,
            }),
            violation: RefCell::new(None),
            cut_after: Cell::new(None),
            cut: Cell::new(false),
        }
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        count(&mut counts);
        self.counts.set(counts);
    }

    fn step(&self) -> u64 {
        let counts = self.counts.get();
        counts.programs + counts.erases
    }

    /// Notes what is wrong; the first one stays.
    pub(crate) fn blame(&self, what: What, cut: Option<Cut>, error: Option<&dyn Debug>) {
        let mut text = String::new();
        if let Some(error) = error {
            // A long one is cut short.
            let _ = write!(text, "{error:?}");
        }
        self.violation.borrow_mut().get_or_insert(Violation {
            what,
            operation: self.counts.get().operations,
            step: self.step(),
            cut,
            error: text,
        });
    }
}

/// Looks on while the original works.
#[derive(Debug)]
pub struct Judge<'j, 'a, const UNIT: usize, const SECTOR: usize> {
    pub(crate) shared: &'j Shared,
    pub(crate) spare: Image<'a>,
    pub(crate) lent: &'j mut Lent,
    pub(crate) random: Random,
    /// Torn states to try at each step.
    pub(crate) tears: u32,
    /// One recovered copy in so many goes on.
    pub(crate) goes_on: u32,
}

impl<const UNIT: usize, const SECTOR: usize> Witness for Judge<'_, '_, UNIT, SECTOR> {
    fn before(&mut self, image: &Image<'_>, step: Step<'_>) -> Fate {
        let fate = self.fate();
        if self.shared.violation.borrow().is_none() {
            self.shared.count(|counts| counts.clean += 1);
            self.judge(image, step, None);
            for _ in 0..self.tears {
                self.shared.count(|counts| match step {
                    Step::Program { .. } => counts.torn += 1,
                    Step::Erase { .. } => counts.half_erased += 1,
                });
                let seed = self.random.next();
                self.judge(image, step, Some(seed));
            }
        }
        self.shared.count(|counts| match step {
            Step::Program { .. } => counts.programs += 1,
            Step::Erase { .. } => counts.erases += 1,
        });
        fate
    }
}

impl<const UNIT: usize, const SECTOR: usize> Judge<'_, '_, UNIT, SECTOR> {
    /// Whether the original's own power is cut here.
    fn fate(&mut self) -> Fate {
        match self.shared.cut_after.take() {
            Some(0) => {
                self.shared.cut.set(true);
                self.shared.count(|counts| counts.cut += 1);
                Fate::Cut(self.random.next())
            }
            Some(steps) => {
                self.shared.cut_after.set(Some(steps - 1));
                Fate::Done
            }
            None => Fate::Done,
        }
    }

    /// Recovers a copy whose power was cut at a step.
    fn judge(&mut self, image: &Image<'_>, step: Step<'_>, torn: Option<u64>) {
        self.spare.copy(image);
        if let Some(seed) = torn {
            self.spare.tear(step, seed);
        }
        // In half of the cases what is torn reads differently while the store
        // starts.
        let flicker = (self.random.below(2) == 0).then(|| self.random.below(24));
        let on = self.random.below(self.goes_on) == 0;
        if let Err((what, error)) = self.recover(flicker, on) {
            let (at, erase) = match step {
                Step::Program { at, .. } => (at, false),
                Step::Erase { at, .. } => (at, true),
            };
            let cut = Cut {
                at,
                erase,
                torn,
                flicker,
            };
            let error = error.as_ref().map(|error| error as &dyn Debug);
            self.shared.blame(what, Some(cut), error);
        }
    }

    fn recover(&mut self, flicker: Option<u32>, on: bool) -> Result<(), Wrong> {
        let Some(mut holds) = self.first_start(flicker, on)? else {
            return Ok(());
        };
        if !on {
            return Ok(());
        }
        self.shared.count(|counts| counts.went_on += 1);
        for change in self.later() {
            holds.apply(change);
        }
        self.spare.flicker();
        let (store, report) = open::<_, UNIT, SECTOR>(&mut self.spare, (), None, self.lent)
            .map_err(|error| (What::NotOpened, Some(error)))?;
        undamaged(&report)?;
        holds
            .compare(&store)
            .map_err(|difference| (What::DiffersLater(difference), None))
    }

    /// What a recovered copy is to do.
    fn later(&self) -> [Change; 2] {
        let salt = u32::MAX - self.shared.counts.get().operations;
        [
            Change::Put((salt % 16) as u8, salt),
            Change::Delete((salt % 16) as u8),
        ]
    }

    /// Opens the copy and says which of the two it holds; none where there need
    /// not be a store. Where it is to go on, it does.
    fn first_start(&mut self, flicker: Option<u32>, on: bool) -> Result<Option<Model>, Wrong> {
        let later = self.later();
        let expected = self.shared.expected.borrow();
        let opened = open::<_, UNIT, SECTOR>(&mut self.spare, (), flicker, self.lent);
        let (mut store, report) = match opened {
            Ok(opened) => opened,
            Err(Error::NotAStore) if expected.setting_up => return Ok(None),
            Err(error) => return Err((What::NotOpened, Some(error))),
        };
        undamaged(&report)?;
        let holds = expected.found(&store)?;
        if on {
            for change in later {
                stage(&mut store, change)
                    .and_then(|()| store.commit())
                    .map_err(|error| (What::OperationFailed, Some(error)))?;
            }
        }
        Ok(Some(holds.clone()))
    }
}

/// What is wrong, and the store's error.
pub(crate) type Wrong = (What, Option<Error<indelible_embedded::Error<Fault>>>);

fn undamaged(report: &Report) -> Result<(), Wrong> {
    match report.damaged {
        0 => Ok(()),
        _ => Err((What::Damage, None)),
    }
}

impl Expected {
    /// Which of the two a store holds.
    pub(crate) fn found<W: Witness, const UNIT: usize, const SECTOR: usize>(
        &self,
        store: &Opened<'_, '_, W, UNIT, SECTOR>,
    ) -> Result<&Model, Wrong> {
        match self.after.compare(store) {
            Ok(()) => Ok(&self.after),
            Err(difference) => match self.before.compare(store) {
                Ok(()) => Ok(&self.before),
                Err(_) => Err((What::Differs(difference), None)),
            },
        }
    }
}
