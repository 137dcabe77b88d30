//! What the named schedules are made of: a store on a simulated medium beside
//! what it must hold, and tapes of operations that can be cut anywhere.

use crate::script::{Op, Step};
use crate::sim::{Chooser, Decision, Event, Kind, Pattern, Sim, SimError, Site};
use crate::spec::{Contents, Spec};
use crate::store::{Real, Survey};
use crate::subject::{Failure, Leave, Opened, Subject};
use core::cell::RefCell;
use indelible::{
    Error, Geometry, HashIndex, Layout, LogState, Medium, Memory, Mode, Report, Segment,
    SegmentInfo, Store, Undo,
};
use std::rc::Rc;
use std::sync::Arc;

/// A store with a hash index.
pub type Db<'a, M> = Store<'a, M, HashIndex<'a>>;

/// Opens whatever store is on a medium and hands it to `work`.
///
/// # Errors
/// Where it does not start.
pub fn open<M: Medium, T>(
    medium: M,
    mode: Mode,
    work: impl FnOnce(&mut Db<'_, M>, &Report) -> T,
) -> Result<T, Error<M::Error>> {
    let layout = Layout::read(&medium)?;
    let mut slots = vec![0; HashIndex::slots_for(1024)];
    let mut segments = vec![Segment::default(); layout.segments as usize];
    let mut logs = vec![LogState::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Undo::default(); 64];
    let mut scratch = vec![0; layout.key_max as usize];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let index = HashIndex::new(&mut slots);
    let (mut store, report) = Store::start(medium, index, memory, None, mode)?;
    Ok(work(&mut store, &report))
}

/// A medium that a test can get at while a store is open on it.
#[derive(Clone, Debug)]
pub struct Shared(Rc<RefCell<Sim>>);

impl Shared {
    /// Shares a medium.
    pub fn new(sim: Sim) -> Self {
        Self(Rc::new(RefCell::new(sim)))
    }

    /// Damages it.
    pub fn edit(&self, edit: impl FnOnce(&mut [u8])) {
        self.0.borrow_mut().edit(edit);
    }
}

impl Medium for Shared {
    type Error = SimError;

    fn geometry(&self) -> Geometry {
        self.0.borrow().geometry()
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), SimError> {
        self.0.borrow().read(at, buf)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), SimError> {
        self.0.borrow_mut().write(at, bytes)
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), SimError> {
        self.0.borrow_mut().erase(at, len)
    }

    fn flush(&mut self) -> Result<(), SimError> {
        self.0.borrow_mut().flush()
    }
}

/// A frame and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its segment.
    pub segment: u32,
    /// Its offset there.
    pub at: u32,
    /// Its address on the medium.
    pub address: u64,
    /// Its length in bytes.
    pub len: u32,
    /// As in `FrameInfo`.
    pub kind: &'static str,
    /// It starts a transaction.
    pub first: bool,
    /// It ends a transaction.
    pub last: bool,
    /// Its key, empty where it has none.
    pub key: Vec<u8>,
    /// Bytes of its body.
    pub body_len: u32,
}

impl Placed {
    /// Its addresses.
    pub fn range(&self) -> core::ops::Range<usize> {
        let at = self.address as usize;
        at..at + self.len as usize
    }
}

/// Every committed frame of the store on a medium, by segment and offset.
pub fn frames(sim: &Sim) -> Vec<Placed> {
    let mut sim = sim.kill();
    let frames = open(&mut sim, Mode::ReadOnly, |store, _| {
        let mut frames = Vec::new();
        let size = u64::from(store.layout().segment_size);
        for segment in 0..store.layout().segments {
            let read = store.inspect_segment(segment, &mut |frame| {
                frames.push(Placed {
                    segment,
                    at: frame.at,
                    address: u64::from(segment) * size + u64::from(frame.at),
                    len: frame.len,
                    kind: frame.kind,
                    first: frame.first,
                    last: frame.last,
                    key: frame.key.unwrap_or_default().to_vec(),
                    body_len: frame.body_len,
                });
            });
            read.expect("a segment is inspected");
        }
        frames
    });
    frames.expect("the store opens")
}

/// The segment table of the store on a medium.
pub fn segments(sim: &Sim) -> Vec<SegmentInfo> {
    let mut sim = sim.kill();
    let rows = open(&mut sim, Mode::ReadOnly, |store, _| {
        let count = store.layout().segments;
        (0..count).map(|i| store.segment_info(i)).collect()
    });
    rows.expect("the store opens")
}

/// The sequences in the whole headers that stand on a medium, by segment.
pub fn header_sequences(sim: &Sim, segment_size: u32) -> Vec<(u32, u32)> {
    let image = sim.image();
    let headers = image.chunks(segment_size as usize).enumerate();
    let headers = headers.filter(|(_, bytes)| {
        let sum = !indelible::checksum::crc32c(u32::MAX, &bytes[..36]);
        bytes.starts_with(b"iNDL") && bytes[36..40] == sum.to_le_bytes()
    });
    headers
        .map(|(segment, bytes)| {
            let seq = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
            (segment as u32, seq)
        })
        .collect()
}

/// A store on its medium, and what it must hold.
#[derive(Clone, Debug)]
pub struct Bench {
    /// How it is opened.
    pub real: Arc<Real>,
    /// Its medium.
    pub sim: Sim,
    /// What it must hold.
    pub truth: Contents,
}

impl Bench {
    /// A new store with these logs.
    pub fn new(geometry: Geometry, logs: &[u64]) -> Self {
        Self::with(geometry, Real::new(logs))
    }

    /// A new store of this kind.
    pub fn with(geometry: Geometry, real: Real) -> Self {
        let mut sim = Sim::new(geometry);
        real.setup(&mut sim).expect("a store is set up");
        let truth = Contents::empty(real.logs.len());
        Self {
            real: Arc::new(real),
            sim,
            truth,
        }
    }

    /// The same store on another medium, which may hold something else.
    pub fn on(&self, sim: Sim, truth: &Contents) -> Self {
        Self {
            real: self.real.clone(),
            sim,
            truth: truth.clone(),
        }
    }

    /// The layout of the store.
    pub fn layout(&self) -> Layout {
        self.real.layout(&self.sim).expect("a layout")
    }

    fn keys(&self) -> Vec<Vec<u8>> {
        self.truth.items.keys().cloned().collect()
    }

    /// Opens the store, which must hold one of `legal` and know of no damage,
    /// does these operations, each of which must be done as specified, and
    /// leaves it: in order after a final [`Op::Close`], else as a killed
    /// process does.
    ///
    /// # Errors
    /// On anything else.
    pub fn resumed(&mut self, legal: &[Contents], ops: &[Op]) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut truth = self.truth.clone();
        let keys: Vec<_> = legal.iter().flat_map(|l| l.items.keys().cloned()).collect();
        let (real, sim) = (self.real.clone(), &mut self.sim);
        real.open(sim, Mode::ReadWrite, &mut |store, found| {
            report = found.clone();
            if found.damaged > 0 {
                return Err(Failure::Damage(format!("after a power cut: {found:?}")));
            }
            truth = one_of(store.contents(&keys)?, legal)?;
            let mut spec = Spec::of(truth.clone());
            for op in ops.iter().filter(|op| **op != Op::Close) {
                follow(store, &mut spec, op)?;
            }
            truth = one_of(store.contents(&keys)?, &[spec.committed().clone()])?;
            Ok(match ops.last() {
                Some(Op::Close) => Leave::Close,
                _ => Leave::Drop,
            })
        })?;
        self.truth = truth;
        match self.sim.rig().violation() {
            Some(broken) => Err(Failure::Wrong(format!("a broken promise: {broken:?}"))),
            None => Ok(report),
        }
    }

    /// As [`Bench::resumed`], which must succeed.
    pub fn resume(&mut self, what: &str, legal: &[Contents], ops: &[Op]) -> Report {
        match self.resumed(legal, ops) {
            Ok(report) => report,
            Err(failure) => panic!("{what}: {failure}"),
        }
    }

    /// Does operations on the store as it is.
    pub fn run(&mut self, ops: &[Op]) -> Report {
        let legal = [self.truth.clone()];
        self.resume("an undisturbed store", &legal, ops)
    }

    /// After a recovery: the store takes writes, and holds them from one
    /// unclean end to the next.
    pub fn goes_on(&mut self, what: &str) {
        for round in 0..2u8 {
            let ops = [crate::script::put(b"afterwards", &[round; 5])];
            let legal = [self.truth.clone()];
            self.resume(&format!("{what}, afterwards"), &legal, &ops);
        }
    }

    /// Does operations and keeps what they did to the medium.
    pub fn tape(&mut self, ops: &[Op]) -> Tape {
        let origin = self.sim.clone();
        self.sim.rig_mut().start_journal();
        let mut spec = Spec::of(self.truth.clone());
        let mut marks = Vec::new();
        let (real, sim) = (self.real.clone(), &mut self.sim);
        let done = real.session(sim, &mut |store, _| {
            marks.push((events(store), self.truth.clone()));
            for op in ops {
                follow(store, &mut spec, op)?;
                marks.push((events(store), spec.committed().clone()));
            }
            Ok(Leave::Drop)
        });
        done.expect("an undisturbed store does as it should");
        self.truth = spec.committed().clone();
        let journal = self.sim.rig().journal().to_vec();
        Tape {
            origin,
            events: journal,
            marks,
        }
    }

    /// Reads everything on a damaged medium. What a store must not do is to
    /// answer wrongly; [`Survey::named`] is what it says that it lost.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn survey(&mut self, mode: Mode) -> Result<(Survey, Report), Failure> {
        let mut answer = Survey::default();
        let mut report = Report::default();
        let truth = self.truth.clone();
        let (real, sim) = (self.real.clone(), &mut self.sim);
        real.open(sim, mode, &mut |store, found| {
            report = found.clone();
            answer = store.survey(&truth, found.damaged > 0);
            Ok(Leave::Drop)
        })?;
        Ok((answer, report))
    }

    /// Puts into a store that may know of damage, reads it back, and leaves it
    /// as a killed process does.
    pub fn write_through(&mut self, what: &str, key: &[u8], value: &[u8]) {
        let mut buffer = vec![0; value.len() + 1];
        let read = open(&mut self.sim, Mode::ReadWrite, |store, _| {
            store.put(key, value)?;
            store.get(key, &mut buffer)
        });
        match read {
            Ok(Ok(Some(len))) => assert_eq!(&buffer[..len], value, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(self.sim.rig().violation(), None, "{what}");
    }

    /// The newest committed put of a key.
    pub fn newest_put(&self, key: &[u8]) -> Placed {
        let rows = segments(&self.sim);
        let puts = frames(&self.sim).into_iter();
        let puts = puts.filter(|frame| frame.kind == "put" && frame.key == key);
        let newest = puts.max_by_key(|frame| (rows[frame.segment as usize].seq, frame.at));
        newest.unwrap_or_else(|| panic!("no put of {}", key.escape_ascii()))
    }

    /// The segment of highest sequence that is the ledger's.
    pub fn newest_ledger(&self) -> (u32, SegmentInfo) {
        let rows = segments(&self.sim).into_iter().enumerate();
        let rows = rows.filter(|(_, row)| row.owner == indelible::Owner::Ledger);
        let newest = rows.max_by_key(|(_, row)| row.seq).expect("a ledger");
        (newest.0 as u32, newest.1)
    }

    /// Reads every key back to the specification and finds what is there.
    pub fn contents(&mut self) -> Result<Contents, Failure> {
        let keys = self.keys();
        let mut contents = Contents::default();
        let (real, sim) = (self.real.clone(), &mut self.sim);
        real.session(sim, &mut |store, _| {
            contents = store.contents(&keys)?;
            Ok(Leave::Drop)
        })?;
        Ok(contents)
    }
}

fn events(store: &mut dyn Opened) -> usize {
    store.sim().rig().journal().len()
}

fn one_of(found: Contents, legal: &[Contents]) -> Result<Contents, Failure> {
    if legal.contains(&found) {
        return Ok(found);
    }
    let differences: Vec<_> = legal.iter().map(|l| l.difference(&found)).collect();
    let differences = differences.join(" -- or -- ");
    Err(Failure::Wrong(format!("expected / found: {differences}")))
}

/// Does one operation on the store and on the specification.
fn follow<S: Opened + ?Sized>(store: &mut S, spec: &mut Spec, op: &Op) -> Result<(), Failure> {
    let answers = store.apply(op)?;
    for (step, answer) in op.steps().iter().zip(&answers) {
        let expected = spec.tentatively(step);
        if expected != *answer {
            let what = format!("{step:?} was answered {answer:?}, expected {expected:?}");
            return Err(Failure::Wrong(what));
        }
    }
    if let Some(Err(refusal)) = answers.get(op.steps().len()) {
        return Err(Failure::Wrong(format!("{op:?} was refused: {refusal:?}")));
    }
    match op {
        Op::Aborted(_) => spec.abort(),
        _ => spec.commit(),
    }
    Ok(())
}

/// Operations, and what they did to the medium from the opening of the store.
#[derive(Clone, Debug)]
pub struct Tape {
    /// The medium before.
    pub origin: Sim,
    /// Everything issued.
    pub events: Vec<Event>,
    /// Where the first operation begins, then where each one ends, with what
    /// the store then holds.
    pub marks: Vec<(usize, Contents)>,
}

/// A write unit that was programmed.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The event that programmed it.
    pub event: usize,
    /// Which of the units of that event.
    pub number: usize,
    /// Its address.
    pub at: u64,
    /// What it should hold.
    pub bytes: Vec<u8>,
}

/// A flush that had something to do.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// The flush.
    pub flush: usize,
    /// The addresses of the 8-byte words written since the one before.
    pub written: Vec<u64>,
    /// Those of the words erased.
    pub erased: Vec<u64>,
}

impl Tape {
    /// Where the first operation begins.
    pub fn from(&self) -> usize {
        self.marks[0].0
    }

    /// What the store held before the first operation.
    pub fn before(&self) -> &Contents {
        &self.marks[0].1
    }

    /// What it holds after the last.
    pub fn after(&self) -> &Contents {
        &self.marks[self.marks.len() - 1].1
    }

    /// What may be found after a cut at an event.
    pub fn legal(&self, event: usize) -> Vec<Contents> {
        let next = self.marks.iter().position(|(end, _)| *end > event);
        match next {
            Some(0) => vec![self.before().clone()],
            Some(i) => vec![self.marks[i - 1].1.clone(), self.marks[i].1.clone()],
            None => vec![self.after().clone()],
        }
    }

    /// The medium when the first `count` events were issued.
    pub fn until(&self, count: usize) -> Sim {
        let mut sim = self.origin.clone();
        for event in &self.events[..count] {
            sim.replay(event).expect("what was done can be done again");
        }
        sim
    }

    /// The flushes of the operations.
    pub fn epochs(&self) -> Vec<Epoch> {
        let mut epochs = Vec::new();
        let (mut written, mut erased) = (Vec::new(), Vec::new());
        for (i, event) in self.events.iter().enumerate() {
            let words = |at: u64, len: u64| (at / 8..(at + len).div_ceil(8)).map(|word| word * 8);
            match event {
                Event::Write { at, bytes } => written.extend(words(*at, bytes.len() as u64)),
                Event::Erase { at, len } => erased.extend(words(*at, *len)),
                Event::Flush => {
                    let written = core::mem::take(&mut written);
                    let erased = core::mem::take(&mut erased);
                    if i >= self.from() && !(written.is_empty() && erased.is_empty()) {
                        epochs.push(Epoch {
                            flush: i,
                            written,
                            erased,
                        });
                    }
                }
            }
        }
        epochs
    }

    /// The last flush of the operations: what acknowledges the last of them.
    pub fn last_epoch(&self) -> Epoch {
        let epochs = self.epochs();
        epochs.last().expect("a flush").clone()
    }

    /// What a power cut leaves just before a flush, of whose words those stay
    /// that `keep` names.
    pub fn cut_at(&self, epoch: &Epoch, keep: impl Fn(u64) -> bool) -> Sim {
        let mut sim = self.until(epoch.flush).cut();
        let words = epoch.written.iter().chain(&epoch.erased);
        let decisions: Vec<_> = words.map(|at| word(*at, keep(*at))).collect();
        sim.pin(&decisions);
        sim
    }

    /// Every unit that the operations programmed.
    pub fn units(&self) -> Vec<Unit> {
        let size = self.origin.rig().geometry().write_unit as usize;
        let mut units = Vec::new();
        for (event, what) in self.events.iter().enumerate().skip(self.from()) {
            let Event::Write { at, bytes } = what else {
                continue;
            };
            for (number, bytes) in bytes.chunks(size).enumerate() {
                units.push(Unit {
                    event,
                    number,
                    at: at + (number * size) as u64,
                    bytes: bytes.to_vec(),
                });
            }
        }
        units
    }

    /// What a power cut leaves while a unit is programmed, undecided.
    pub fn cut_in(&self, unit: &Unit) -> Sim {
        self.cut_step(unit.event, unit.number)
    }

    /// The same, with the unit holding `content`.
    pub fn tear(&self, unit: &Unit, content: &[u8]) -> Sim {
        let mut sim = self.cut_in(unit);
        reread(&mut sim, unit.at, content);
        sim
    }

    /// What a power cut leaves while step `step` of an event is done: one of its
    /// units programmed, or one of its sectors erased.
    pub fn cut_step(&self, event: usize, step: usize) -> Sim {
        let mut sim = self.until(event);
        let Sim::Flash(before) = &sim else {
            panic!("only ordered media tear units");
        };
        let outstanding = before.outstanding();
        sim.replay(&self.events[event])
            .expect("it can be done again");
        let Sim::Flash(medium) = sim else {
            unreachable!("it was flash before")
        };
        Sim::Flash(medium.cut(outstanding + step))
    }

    /// Cuts at every flush and unit, and at the end: each with what happened
    /// in words and with what may be found. Each state is decided by telling
    /// patterns, at most `most` of them a cut.
    pub fn cuts(&self, most: usize) -> Vec<(String, Sim, Vec<Contents>)> {
        self.cuts_between(self.from(), self.events.len(), most)
    }

    /// As [`Tape::cuts`], from one event to another, which is left out.
    pub fn cuts_between(
        &self,
        from: usize,
        to: usize,
        most: usize,
    ) -> Vec<(String, Sim, Vec<Contents>)> {
        let mut cuts = Vec::new();
        let mut add = |event: usize, sim: Sim| {
            let patterns = Pattern::all(sim.open_count());
            let stride = patterns.len().div_ceil(most).max(1);
            for pattern in patterns.into_iter().step_by(stride) {
                let sim = sim.clone();
                sim.rig().set_chooser(Chooser::Pattern(pattern));
                let what = format!("power failed at event {event}, {pattern:?}");
                cuts.push((what, sim, self.legal(event)));
            }
        };
        let to = to.min(self.events.len());
        for (i, event) in self.events.iter().enumerate().take(to).skip(from) {
            match (&self.origin, event) {
                (Sim::Memory(_), Event::Flush) => add(i, self.until(i).cut()),
                (Sim::Memory(_), _) | (_, Event::Flush) => {}
                (Sim::Flash(_), Event::Write { at: _, bytes }) => {
                    let size = self.origin.rig().geometry().write_unit as usize;
                    (0..bytes.len() / size).for_each(|step| add(i, self.cut_step(i, step)));
                }
                (Sim::Flash(_), Event::Erase { at: _, len }) => {
                    let size = u64::from(self.origin.rig().geometry().erase_unit);
                    let sectors = (len / size) as usize;
                    (0..sectors).for_each(|step| add(i, self.cut_step(i, step)));
                }
            }
        }
        add(to, self.until(to).cut());
        cuts
    }
}

/// The decision that a word is new or old.
fn word(at: u64, new: bool) -> Decision {
    let site = Site {
        kind: Kind::Word,
        at,
        rank: 0,
        options: 2,
        exact: true,
    };
    Decision {
        site,
        choice: usize::from(new),
    }
}

/// Lets a torn unit read as `content` from now on.
pub fn reread(sim: &mut Sim, at: u64, content: &[u8]) {
    let at = at as usize;
    sim.edit(|image| image[at..at + content.len()].copy_from_slice(content));
}

/// Flips bits of a medium.
pub fn flip(sim: &mut Sim, bits: &[u64]) {
    sim.edit(|image| {
        for bit in bits {
            image[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
    });
}

/// Bytes that look like nothing, never blank, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| rng.u8(1..0xFF)).collect()
}

/// An open store and its specification, for schedules that have to see how the
/// store's segments change.
pub struct Driver<'d, 'a, M: Medium> {
    /// The store.
    pub store: &'d mut Db<'a, M>,
    spec: Spec,
}

impl<M: Medium> core::fmt::Debug for Driver<'_, '_, M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Driver")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

impl Bench {
    /// Drives the store through a session, and leaves it as a killed process
    /// does.
    pub fn drive<T>(&mut self, work: impl FnOnce(&mut Driver<'_, '_, &mut Sim>) -> T) -> T {
        let mut truth = self.truth.clone();
        let done = open(&mut self.sim, Mode::ReadWrite, |store, report| {
            assert_eq!(report.damaged, 0, "{report:?}");
            let spec = Spec::of(truth.clone());
            let mut driver = Driver { store, spec };
            let done = work(&mut driver);
            truth = driver.spec.committed().clone();
            done
        });
        self.truth = truth;
        assert_eq!(self.sim.rig().violation(), None);
        done.expect("the store starts")
    }
}

impl<M: Medium> Driver<'_, '_, M> {
    /// Does a step that must not be refused.
    pub fn step(&mut self, step: &Step) {
        let store = &mut *self.store;
        let done = match step {
            Step::Put { key, value } => store.put(key, value),
            Step::Delete { key } => store.delete(key),
            Step::Append { log, data } => store.append(*log, data).map(drop),
            other => panic!("not for driving: {other:?}"),
        };
        done.unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
        self.spec.tentatively(step).expect("not refused");
        self.spec.commit();
    }

    /// Puts all or none of these.
    pub fn together(&mut self, steps: &[Step], commit: bool) {
        for step in steps {
            let Step::Put { key, value } = step else {
                panic!("not for driving: {step:?}");
            };
            self.store
                .tentatively_put(key, value)
                .expect("there is room");
            self.spec.tentatively(step).expect("not refused");
        }
        if commit {
            self.store.commit().expect("it commits");
            self.spec.commit();
        } else {
            self.store.abort().expect("it aborts");
            self.spec.abort();
        }
    }

    /// The newest ledger segment: number and sequence.
    pub fn ledger(&self) -> (u32, u32) {
        let rows = (0..self.store.layout().segments).map(|i| (i, self.store.segment_info(i)));
        let rows = rows.filter(|(_, row)| row.owner == indelible::Owner::Ledger);
        let newest = rows.max_by_key(|(_, row)| row.seq);
        newest.map(|(i, row)| (i, row.seq)).expect("a ledger")
    }

    /// Whether a segment is still what it was when it had this sequence.
    pub fn stands(&self, (segment, seq): (u32, u32)) -> bool {
        let row = self.store.segment_info(segment);
        let records = matches!(row.owner, indelible::Owner::Ledger | indelible::Owner::Cold);
        records && row.seq == seq
    }

    /// Puts values that `key` names until the ledger goes on in another
    /// segment.
    pub fn fill(&mut self, mut key: impl FnMut(u8) -> Vec<u8>) {
        let here = self.ledger();
        for i in 0..=u8::MAX {
            let (key, value) = (key(i), vec![i | 1; 100]);
            self.step(&Step::Put { key, value });
            if self.ledger() != here {
                return;
            }
        }
        panic!("the ledger stays where it is");
    }

    /// Maintains step by step until a segment is reclaimed.
    pub fn reclaim(&mut self, segment: (u32, u32)) {
        for _ in 0..2000 {
            if !self.stands(segment) {
                return;
            }
            let done = self.store.maintain(1).expect("it maintains");
            assert!(
                done.more,
                "there is nothing more to do: {:?}",
                self.store.stats()
            );
        }
        panic!("segment {segment:?} is not reclaimed");
    }
}
