//! A start that builds on an index saved earlier finds what a start finds that
//! looks at every record: random histories with sessions that end in closes and
//! in power cuts, before any operation of the medium, each image opened both
//! ways.
//!
//! `SEED` runs one history alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use indelible::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The medium's contract: what is not flushed is there word by word or not.
#[derive(Clone)]
struct Image {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Operations until power fails.
    left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Off;

/// An image that stays when the store is gone.
struct Words(Rc<RefCell<Image>>);

impl Image {
    fn new(len: usize) -> Self {
        let (now, durable) = (vec![0; len], vec![0; len]);
        let left = u64::MAX;
        Image { now, durable, left }
    }

    fn run(&mut self) -> Result<(), Off> {
        self.left = self.left.checked_sub(1).ok_or(Off)?;
        Ok(())
    }

    /// What is left of it without power.
    fn cut(&mut self, random: &mut Random) {
        for (now, old) in self.now.chunks_mut(8).zip(self.durable.chunks(8)) {
            if now != old && random.below(2) == 0 {
                now.copy_from_slice(old);
            }
        }
        self.durable.clone_from(&self.now);
        self.left = u64::MAX;
    }
}

impl Words {
    fn of(image: &Image) -> Self {
        Words(Rc::new(RefCell::new(image.clone())))
    }

    fn left(&self) -> u64 {
        self.0.borrow().left
    }
}

impl Medium for Words {
    type Error = Off;

    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.0.borrow().now.len() as u64,
            write_unit: 1,
            erase_unit: 512,
            blank: 0,
            order: Order::Unordered,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Off> {
        let image = self.0.borrow();
        let bytes = image.now.get(at as usize..).ok_or(Off)?;
        buf.copy_from_slice(bytes.get(..buf.len()).ok_or(Off)?);
        Ok(())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Off> {
        let mut image = self.0.borrow_mut();
        image.run()?;
        image.now[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), Off> {
        let mut image = self.0.borrow_mut();
        image.run()?;
        image.now[at as usize..][..len as usize].fill(0);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Off> {
        let image = &mut *self.0.borrow_mut();
        image.run()?;
        image.durable.clone_from(&image.now);
        Ok(())
    }
}

/// The same, and it lends what it holds; nothing is written to it.
struct Lends(Vec<u8>);

impl Medium for Lends {
    type Error = Off;

    fn geometry(&self) -> Geometry {
        Geometry {
            capacity: self.0.len() as u64,
            write_unit: 1,
            erase_unit: 512,
            blank: 0,
            order: Order::Unordered,
        }
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Off> {
        let bytes = self.borrow(at, buf.len()).ok_or(Off)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        self.0.get(at as usize..)?.get(..len)
    }

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Off> {
        Err(Off)
    }

    fn erase(&mut self, _: u64, _: u64) -> Result<(), Off> {
        Err(Off)
    }

    fn flush(&mut self) -> Result<(), Off> {
        Ok(())
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

/// Memory for one store.
struct Lent {
    segments: Vec<Segment>,
    logs: Vec<LogState>,
    ring: Vec<u32>,
    undo: Vec<Undo>,
    scratch: Vec<u8>,
    slots: Vec<u64>,
}

impl Lent {
    fn new(medium: &impl Medium<Error = Off>) -> Self {
        let layout = Layout::read(medium).unwrap();
        let saved = layout.saved_entries(medium).unwrap();
        let entries = saved.map_or(700, |saved| (saved as usize).min(2000));
        Lent {
            segments: vec![Segment::default(); layout.segments as usize],
            logs: vec![LogState::default(); layout.logs as usize],
            ring: vec![0; layout.ring as usize],
            undo: vec![Undo::default(); 128],
            scratch: vec![0; 64],
            slots: vec![0; HashIndex::slots_for(entries)],
        }
    }

    fn start<'a, M: Medium<Error = Off>, I: Index>(
        &'a mut self,
        medium: M,
        mode: Mode,
        index: impl FnOnce(HashIndex<'a>) -> I,
    ) -> Result<(Store<'a, M, I>, Report), Error<Off>> {
        let memory = Memory {
            segments: &mut self.segments,
            logs: &mut self.logs,
            ring: &mut self.ring,
            undo: &mut self.undo,
            scratch: &mut self.scratch,
        };
        let index = index(HashIndex::new(&mut self.slots));
        Store::start(medium, index, memory, None, mode)
    }
}

/// All that a start finds out.
#[derive(Debug, PartialEq)]
struct Found {
    records: BTreeSet<(u32, u32)>,
    rows: Vec<(u32, u32, u32, bool)>,
    live: u64,
    tombstones: u64,
    keys: u64,
    entries: usize,
    torn: bool,
    clean: bool,
    damages: Vec<(u64, u64)>,
    answers: Vec<String>,
}

fn found<I: Index>(store: &Store<'_, impl Medium<Error = Off>, I>, report: &Report) -> Found {
    let mut records = BTreeSet::new();
    store.inspect_live(&mut |segment, at| assert!(records.insert((segment, at))));
    let stats = store.stats();
    let rows = (0..stats.segments).map(|segment| {
        let row = store.segment_info(segment);
        let records = matches!(row.owner, Owner::Ledger | Owner::Cold);
        let used = if records { row.used } else { 0 };
        (
            if records { row.seq } else { 0 },
            used,
            row.live,
            row.damaged,
        )
    });
    let mut answers = Vec::new();
    for key in 0..KEYS {
        let mut buf = [0; 4096];
        let got = store.get(&name(key), &mut buf);
        let got = got.map(|len| len.map(|len| (len, checksum::crc32c(0, &buf[..len]))));
        let list = store.list_len(&name(key));
        answers.push(format!("{key} {got:?} {list:?}"));
    }
    Found {
        records,
        rows: rows.collect(),
        live: stats.live_bytes,
        tombstones: stats.tombstone_bytes,
        keys: stats.keys,
        entries: stats.index_len,
        torn: report.torn.is_some(),
        clean: report.clean,
        damages: report.damages.iter().map(|at| (at.at, at.len)).collect(),
        answers,
    }
}

const KEYS: u64 = 120;

fn name(key: u64) -> Vec<u8> {
    format!("key {key:03} of some").into_bytes()
}

/// Opens an image in both ways; whether the saved index was used.
fn compare(image: &Image) -> bool {
    let medium = Words::of(image);
    let (mut one, mut other) = (Lent::new(&medium), Lent::new(&medium));
    let built = other.start(Words::of(image), Mode::ReadOnly, |index| index);
    let resumed = one.start(medium, Mode::ReadOnly, Saving);
    let (mut built, resumed) = (built.unwrap(), resumed.unwrap());
    assert!(!built.1.index_loaded);
    let loaded = resumed.1.index_loaded;
    let lists = empty_lists(&mut built.0);
    let (mut built, resumed) = (found(&built.0, &built.1), found(&resumed.0, &resumed.1));
    allow_for_lists(&mut built, &resumed, &lists);
    allow_for_aborts(&mut built, &resumed);
    assert_eq!(resumed, built, "loaded: {loaded}");
    loaded
}

/// Where the empty lists lie that keep older ones from coming back, and how long
/// they are.
fn empty_lists<I: Index>(store: &mut Store<'_, Words, I>) -> BTreeMap<(u32, u32), u64> {
    let mut lists = BTreeMap::new();
    for segment in 0..store.stats().segments {
        let mut visit = |frame: FrameInfo<'_>| {
            if frame.kind == "list" {
                lists.insert((segment, frame.at), u64::from(frame.len));
            }
        };
        store.inspect_segment(segment, &mut visit).unwrap();
    }
    lists
}

/// A running store shows such a list until its key is deleted the next time,
/// one that was built only if no delete came between the choice of its segment
/// and its copy. Neither is ever seen.
fn allow_for_lists(built: &mut Found, resumed: &Found, lists: &BTreeMap<(u32, u32), u64>) {
    let more: Vec<_> = resumed
        .records
        .difference(&built.records)
        .copied()
        .collect();
    for at in more {
        let Some(len) = lists.get(&at) else { continue };
        built.records.insert(at);
        built.rows[at.0 as usize].2 += *len as u32;
        built.live += len;
        built.entries += 1;
    }
}

/// Tombstones of aborted groups count until their segments are reclaimed, also
/// those that a start does not see because their segment ends before them.
fn allow_for_aborts(built: &mut Found, resumed: &Found) {
    let mut more = 0;
    for (row, other) in built.rows.iter_mut().zip(&resumed.rows) {
        more += u64::from(other.2.saturating_sub(row.2));
        row.2 = row.2.max(other.2);
    }
    built.live += more;
    built.tombstones += more;
}

fn change<I: Index>(store: &mut Store<'_, Words, I>, random: &mut Random, alone: bool) {
    let key = name(random.below(KEYS));
    let len = match random.below(60) {
        0 => 1500 + random.below(500),
        1..=9 => 200 + random.below(150),
        _ => random.below(90),
    };
    let value = vec![random.next() as u8; len as usize];
    let refused = match (random.below(12), alone) {
        (0..=5, true) => store.put(&key, &value),
        (0..=5, false) => store.tentatively_put(&key, &value),
        (6..=8, true) => store.delete(&key),
        (6..=8, false) => store.tentatively_delete(&key),
        (9, true) => store.list_append(&key, &value[..value.len().min(60)]),
        (9, false) => store.tentatively_list_append(&key, &value[..value.len().min(60)]),
        (10, true) => store.list_trim(&key, 1),
        (10, false) => store.tentatively_list_trim(&key, 1),
        (_, true) => store.append(0, &value[..value.len().min(100)]).map(drop),
        (_, false) => {
            let data = &value[..value.len().min(100)];
            store.tentatively_append(0, data).map(drop)
        }
    };
    if let Err(Error::LogFull { .. }) = refused {
        let tail = store.get_head_tail_and_capacity(0).unwrap().tail;
        let _ = store.tentatively_advance_head(0, tail);
    }
}

/// An index that is being saved, its bytes, and how many are written.
type InPieces = Option<(IndexSave, Vec<u8>, usize)>;

/// Begins to save the index, or goes on.
fn save<I: Index>(store: &mut Store<'_, Words, I>, random: &mut Random, saving: &mut InPieces) {
    let Some((save, bytes, done)) = saving else {
        let mut bytes = Vec::new();
        let begun = store.begin_save(&mut |word| bytes.extend_from_slice(&word.to_le_bytes()));
        if let Ok(Some(save)) = begun {
            assert_eq!(save.len(), bytes.len() as u64);
            *saving = Some((save, bytes, 0));
        }
        return;
    };
    let end = bytes
        .len()
        .min(*done + 512 * (1 + random.below(4) as usize));
    let more = store.save_some(save, &bytes[*done..end]);
    *done = end;
    if !more.unwrap_or(false) {
        *saving = None;
    }
}

/// A few operations; ends early where power fails.
fn work<I: Index>(
    store: &mut Store<'_, Words, I>,
    random: &mut Random,
    operations: u64,
    aborts: bool,
) {
    let mut saving = None;
    let saves = random.below(3);
    for _ in 0..operations {
        if saves > 0 && (saving.is_some() && random.below(2) == 0 || random.below(40) == 0) {
            save(store, random, &mut saving);
        }
        match random.below(10) {
            0..=5 => change(store, random, true),
            6..=8 => {
                for _ in 0..1 + random.below(12) {
                    change(store, random, false);
                }
                if aborts && random.below(6) == 0 {
                    let _ = store.abort();
                } else {
                    let _ = store.commit();
                }
            }
            _ => {
                let _ = store.maintain(random.below(30) as u32);
            }
        }
        if store.in_transaction() {
            let _ = store.commit();
        }
        if store.medium().left() == 0 {
            return;
        }
    }
}

/// One store through many sessions; how many starts were compared, and how
/// many of them built on a saved index behind an unclean end.
/// Starts, and how many of them resumed, of a history in which each is compared.
pub fn history(seed: u64) -> (u64, u64) {
    let (starts, resumed, _) = sessions(seed, 14);
    (starts, resumed)
}

/// As many sessions of one store; its image too.
fn sessions(seed: u64, count: u64) -> (u64, u64, Image) {
    let mut random = Random(seed);
    let aborts = seed % 2 == 1;
    let segments = [24, 40, 75][random.below(3) as usize];
    let mut image = Image::new(segments * 4096);
    let config = Config {
        id: 1,
        nonce: random.next(),
        segment_size: Some(4096),
        logs: &[3000],
    };
    let mut medium = Words::of(&image);
    setup(&mut medium, &config).unwrap();
    image.clone_from(&medium.0.borrow());
    let (mut starts, mut resumed) = (0, 0);
    for _ in 0..count {
        let operations = random.below(300);
        image.left = match random.below(8) {
            // In the start, or soon behind it.
            0 => random.below(60),
            1..=3 => random.below(8 * operations.max(1)),
            _ => u64::MAX,
        };
        let medium = Words::of(&image);
        let shared = Rc::clone(&medium.0);
        let mut lent = Lent::new(&medium);
        let mut closed = false;
        if let Ok((mut store, _)) = lent.start(medium, Mode::ReadWrite, Saving) {
            work(&mut store, &mut random, operations, aborts);
            if random.below(3) == 0 {
                closed = store.close().is_ok();
            }
        }
        image.clone_from(&shared.borrow());
        image.cut(&mut random);
        starts += 1;
        resumed += u64::from(compare(&image) && !closed);
    }
    (starts, resumed, image)
}

#[test]
fn a_start_that_resumes_finds_what_one_finds_that_looks_at_all() {
    if let Ok(seed) = std::env::var("SEED") {
        history(seed.parse().unwrap());
        return;
    }
    let histories = std::env::var("HISTORIES").map_or(60, |text| text.parse().unwrap());
    let (mut starts, mut resumed) = (0, 0);
    for seed in 0..histories {
        let done = std::panic::catch_unwind(|| history(seed));
        let (more, of_them) = done.unwrap_or_else(|_| panic!("SEED={seed}"));
        (starts, resumed) = (starts + more, resumed + of_them);
    }
    println!("{starts} starts, {resumed} of them resumed");
    assert!(resumed * 4 > starts, "{resumed} of {starts} resumed");
}

/// What a store answers of each key: nothing else may be said once bits of its
/// image have flipped, but that something is wrong.
fn answers(image: &Image, saving: bool) -> (Vec<Result<String, ()>>, Report) {
    let medium = Words::of(image);
    let mut lent = Lent::new(&medium);
    let nothing = (vec![Err(()); KEYS as usize], Report::default());
    if saving {
        let started = lent.start(medium, Mode::ReadOnly, Saving);
        started.map_or(nothing, |(store, report)| (told(&store), report))
    } else {
        let started = lent.start(medium, Mode::ReadOnly, |index| index);
        started.map_or(nothing, |(store, report)| (told(&store), report))
    }
}

fn told<I: Index>(store: &Store<'_, Words, I>) -> Vec<Result<String, ()>> {
    let told = (0..KEYS).map(|key| {
        let mut buf = [0; 4096];
        let got = store.get(&name(key), &mut buf).map_err(drop)?;
        let value = got.map(|len| (len, checksum::crc32c(0, &buf[..len])));
        let mut list = Vec::new();
        let len = store.list_len(&name(key)).map_err(drop)?.unwrap_or(0);
        for element in 0..len {
            let got = store.list_read(&name(key), element, &mut buf);
            let got = got.map_err(drop)?;
            list.push(got.map(|len| (len, checksum::crc32c(0, &buf[..len]))));
        }
        Ok(format!("{value:?} {list:?}"))
    });
    told.collect()
}

#[test]
fn flipped_bits_are_never_silent() {
    let (mut flips, mut loaded, mut refused, mut errors, mut torn) = (0, 0, 0, 0, 0);
    let images = std::env::var("IMAGES").map_or(12, |text| text.parse().unwrap());
    let mut seed = 0;
    while flips < images * 200 {
        seed += 1;
        let (_, _, image) = sessions(seed, 6);
        let (whole, report) = answers(&image, true);
        if !report.index_loaded {
            continue;
        }
        let used: Vec<_> = (0..image.now.len() as u64 / 8)
            .filter(|word| image.now[*word as usize * 8..][..8] != [0; 8])
            .collect();
        let mut random = Random(seed);
        for _ in 0..200 {
            let mut flipped = image.clone();
            let at = used[random.below(used.len() as u64) as usize] * 8 + random.below(8);
            flipped.now[at as usize] ^= 1 << random.below(8);
            if random.below(2) == 0 {
                // More than can be healed.
                flipped.now[at as usize] ^= 1 + random.below(255) as u8;
                let near = (at ^ random.below(8)) as usize;
                flipped.now[near] ^= 1 << random.below(8);
            }
            let (told, report) = answers(&flipped, true);
            let mut built = None;
            for (key, (told, whole)) in told.iter().zip(&whole).enumerate() {
                errors += u64::from(told.is_err());
                if told.is_err() || told == whole {
                    continue;
                }
                // Words that are blank now: the newest transaction was cut. Or more
                // flips than a check of 16 bits tells. It is reported.
                torn += 1;
                assert!(report.torn.is_some() || report.damaged > 0);
                let (built, _) = built.get_or_insert_with(|| answers(&flipped, false));
                assert_eq!(*told, built[key], "seed {seed}, {at}: key {key}, {whole:?}");
            }
            flips += 1;
            loaded += u64::from(report.index_loaded);
            refused += u64::from(told.iter().all(Result::is_err));
        }
    }
    println!(
        "{flips} flips, {loaded} loaded, {refused} refused, {errors} errors, {torn} told of otherwise"
    );
}

/// All that a start finds out that looks at all records, or builds on what is
/// saved; why not, where it fails.
fn outcome(medium: impl Medium<Error = Off>, saving: bool) -> String {
    let Ok(layout) = Layout::read(&medium) else {
        return "no store".into();
    };
    assert!(layout.segments > 0);
    let mut lent = Lent::new(&medium);
    if saving {
        let started = lent.start(medium, Mode::ReadOnly, Saving);
        let found = started.map(|(store, report)| (found(&store, &report), report));
        return format!("{found:?}");
    }
    let started = lent.start(medium, Mode::ReadOnly, |index| index);
    let found = started.map(|(store, report)| (found(&store, &report), report));
    format!("{found:?}")
}

/// A store in which records stand before and behind copies of older ones, at many
/// moments.
fn rewritten(seed: u64) -> Vec<Image> {
    let mut random = Random(seed);
    let mut medium = Words::of(&Image::new(24 * 4096));
    let config = Config {
        id: 1,
        nonce: random.next(),
        segment_size: Some(4096),
        logs: &[],
    };
    setup(&mut medium, &config).unwrap();
    let image = Rc::clone(&medium.0);
    let mut lent = Lent::new(&medium);
    let (mut store, _) = lent.start(medium, Mode::ReadWrite, Saving).unwrap();
    let mut images = Vec::new();
    let mut written = [0; KEYS as usize];
    for number in 0..1400 {
        let value = vec![random.next() as u8; 150 + random.below(200) as usize];
        // Those that are copied next are soon written again.
        let some = [(); 4].map(|()| random.below(KEYS) as usize);
        let oldest = some.into_iter().min_by_key(|key| written[*key]).unwrap();
        written[oldest] = number;
        store.put(&name(oldest as u64), &value).unwrap();
        if random.below(6) == 0 {
            store.maintain(random.below(9) as u32).unwrap();
        }
        if number > 900 && random.below(5) == 0 {
            images.push(image.borrow().clone());
        }
    }
    images
}

fn same_where_lent(image: &Image, seed: u64, flips: &[u64]) {
    let mut random = Random(seed);
    for flips in flips.iter().copied() {
        let mut image = image.clone();
        for _ in 0..flips {
            let at = random.below(image.now.len() as u64);
            image.now[at as usize] ^= 1 << random.below(8);
        }
        for saving in [false, true] {
            let copied = outcome(Words::of(&image), saving);
            let lent = outcome(Lends(image.now.clone()), saving);
            assert_eq!(lent, copied, "seed {seed}, {flips} flips");
        }
    }
}

/// Where the medium lends, records are taken in many at a time.
#[test]
fn records_are_taken_in_alike_whether_the_medium_lends_or_not() {
    let histories = std::env::var("HISTORIES").map_or(12, |text| text.parse().unwrap());
    for seed in 0..histories {
        same_where_lent(&sessions(seed, 4).2, seed, &[0, 1, 1, 2, 2, 9, 40]);
        for image in rewritten(seed) {
            same_where_lent(&image, seed, &[0, 1]);
        }
    }
}
