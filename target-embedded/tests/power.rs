//! Power fails at every unit and sector, on chips of every kind: with and
//! without error correction, with each read and write size.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::{
    Any, Cells, Chip, ChipError, Contents, Count, Room, Torn, apply, config, judge, open, seed,
    workload,
};
use indelible::{Error, Layout, Medium, setup};
use indelible_embedded::Nor;
use std::cell::RefCell;
use std::rc::Rc;

fn ecc(error: &ChipError) -> bool {
    *error == ChipError::Uncorrectable
}

type Make<const READ: usize, const WRITE: usize, const ERASE: usize> =
    fn(Chip<READ, WRITE, ERASE>) -> Nor<Chip<READ, WRITE, ERASE>>;

/// Runs a workload; what each cut leaves is recovered beside it.
fn everywhere<const READ: usize, const WRITE: usize, const ERASE: usize>(
    capacity: usize,
    commits: usize,
    kinds: &'static [Torn],
    make: Make<READ, WRITE, ERASE>,
) {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let ops = workload(commits, 8, &mut rng);
    let chip = Chip::<READ, WRITE, ERASE>::new(capacity, seed);
    let mut medium = make(chip.clone());
    let layout = setup(&mut medium, &config(seed)).unwrap();
    let mut room = Room::new(&layout);
    let medium: &mut Any<'_> = &mut medium;
    let (mut store, _) = open(medium, &mut room).unwrap();

    let legal = Rc::new(RefCell::new(vec![Contents::default()]));
    let cuts = Count::default();
    chip.watch({
        let (legal, cuts) = (legal.clone(), cuts.clone());
        move |cells| {
            let kind = kinds[cuts.get() as usize % kinds.len()];
            cuts.set(cuts.get() + 1);
            judge_cut(cells, kind, make, &layout, &legal.borrow(), cuts.get());
        }
    });
    let mut now = Contents::default();
    for op in &ops {
        let next = now.after(op);
        *legal.borrow_mut() = vec![now, next.clone()];
        apply(&mut store, op).unwrap();
        *legal.borrow_mut() = vec![next.clone()];
        now = next;
    }
    chip.unwatch();
    let cells = chip.cells.borrow();
    println!(
        "read {READ}, write {WRITE}, erase {ERASE}: {} commits, {} cuts, {} sectors erased",
        ops.len(),
        cuts.get(),
        cells.erased
    );
    assert!(cells.erased > 8, "nothing was reclaimed");
}

fn judge_cut<const READ: usize, const WRITE: usize, const ERASE: usize>(
    mut cells: Cells,
    kind: Torn,
    make: Make<READ, WRITE, ERASE>,
    layout: &Layout,
    legal: &[Contents],
    number: u64,
) {
    cells.torn = kind;
    cells.seed = number;
    cells.rng = fastrand::Rng::with_seed(number);
    let chip = Chip::<READ, WRITE, ERASE>::of(cells);
    let mut medium = make(chip);
    if let Err(what) = judge(&mut medium, layout, legal) {
        panic!("cut {number}, {kind:?}: {what}");
    }
}

fn plain<const READ: usize, const WRITE: usize, const ERASE: usize>(
    chip: Chip<READ, WRITE, ERASE>,
) -> Nor<Chip<READ, WRITE, ERASE>> {
    Nor::new(chip).unwrap()
}

fn corrected<const READ: usize, const WRITE: usize, const ERASE: usize>(
    chip: Chip<READ, WRITE, ERASE>,
) -> Nor<Chip<READ, WRITE, ERASE>> {
    Nor::new(chip).unwrap().ecc(ecc)
}

/// Without error correction a torn unit can always be read.
const READABLE: &[Torn] = &[Torn::Blank, Torn::Written, Torn::Subset];

macro_rules! power_fails {
    ($($name:ident: $read:literal, $write:literal, $erase:literal, $capacity:expr, $commits:expr, $kinds:expr, $make:ident;)*) => {$(
        #[test]
        fn $name() {
            everywhere::<$read, $write, $erase>($capacity, $commits, $kinds, $make);
        }
    )*};
}

power_fails! {
    on_a_chip_written_by_1: 1, 1, 1024, 20 << 10, 250, READABLE, plain;
    on_a_chip_written_by_2: 2, 2, 1024, 20 << 10, 250, READABLE, plain;
    on_a_chip_read_and_written_by_4: 4, 4, 1024, 20 << 10, 500, READABLE, plain;
    on_a_chip_read_by_64: 64, 256, 4096, 64 << 10, 400, READABLE, plain;
    on_ecc_flash_written_by_8: 8, 8, 2048, 32 << 10, 500, &common::TORN, corrected;
    on_ecc_flash_written_by_16: 1, 16, 2048, 32 << 10, 500, &common::TORN, corrected;
    on_ecc_flash_written_by_32: 4, 32, 2048, 32 << 10, 400, &common::TORN, corrected;
    on_ecc_flash_written_by_512: 16, 512, 8192, 128 << 10, 300, &common::TORN, corrected;
}

/// Every unit of a store that is full of different things decays in turn: what
/// stood in it is named, or answers that it may have held are withheld; never
/// is anything else shown, and never does the store stop opening for it.
fn decays<const READ: usize, const WRITE: usize, const ERASE: usize>(capacity: usize) {
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    let chip = Chip::<READ, WRITE, ERASE>::new(capacity, seed);
    let mut medium = corrected(chip.clone());
    let layout = setup(&mut medium, &config(seed)).unwrap();
    let mut now = Contents::default();
    let mut room = Room::new(&layout);
    let any: &mut Any<'_> = &mut medium;
    let (mut store, _) = open(any, &mut room).unwrap();
    for op in workload(120, 8, &mut rng) {
        apply(&mut store, &op).unwrap();
        now = now.after(&op);
    }
    store.close().unwrap();
    let whole = chip.cells.borrow().clone();
    let (mut shown, mut cut, mut named, mut refused) = (0, 0, 0, 0);
    for at in (0..capacity)
        .step_by(WRITE)
        .filter(|at| whole.is_written(*at))
    {
        let mut cells = whole.clone();
        cells.decay(at);
        let chip = Chip::<READ, WRITE, ERASE>::of(cells);
        match seen(&mut corrected(chip), &layout, &now) {
            Seen::Right => shown += 1,
            Seen::Cut => cut += 1,
            Seen::Named => named += 1,
            Seen::Refused => refused += 1,
            Seen::Wrong(what) => panic!("unit at {at}: {what}"),
        }
    }
    println!(
        "write {WRITE}: decayed units, {shown} of nothing needed, {cut} of the close, \
         {named} reported, {refused} of the newest root"
    );
    assert!(cut * WRITE <= 16.max(WRITE));
    assert!(named > 0 && shown > 0);
}

enum Seen {
    /// All is there.
    Right,
    /// All is there, and the close that ends it is taken for one that was cut:
    /// nothing stands behind it.
    Cut,
    Named,
    Refused,
    Wrong(String),
}

fn seen(medium: &mut Any<'_>, layout: &Layout, now: &Contents) -> Seen {
    let mut room = Room::new(layout);
    let (mut store, report) = match open(medium, &mut room) {
        Ok(opened) => opened,
        Err(Error::LedgerLost { .. }) => return Seen::Refused,
        Err(other) => return Seen::Wrong(format!("start: {other:?}")),
    };
    let mut named = report.damaged > 0;
    for (key, value) in &now.keys {
        let mut buf = [0; 512];
        match store.get(key, &mut buf) {
            Ok(Some(len)) if buf[..len] == **value => {}
            Err(Error::Corrupt { .. } | Error::Doubtful { .. }) => named = true,
            other => return Seen::Wrong(format!("{key:?}: {other:?}")),
        }
    }
    let mut log = vec![0; now.log.len()];
    match store.read(0, now.head, &mut log) {
        Ok(()) if log == now.log => {}
        Err(Error::Corrupt { .. } | Error::PastTail { .. } | Error::BeforeHead { .. }) => {
            named = true;
        }
        other => return Seen::Wrong(format!("log: {other:?}")),
    }
    match store.check(&mut |_| {}) {
        Ok(checked) if checked.damaged > 0 => named = true,
        Ok(_) => {}
        Err(other) => return Seen::Wrong(format!("check: {other:?}")),
    }
    match (named, report.torn) {
        (true, None) => Seen::Named,
        (false, None) => Seen::Right,
        (false, Some(_)) => Seen::Cut,
        (true, Some(_)) => Seen::Wrong("damaged and cut".into()),
    }
}

#[test]
fn a_decayed_unit_is_damage_of_what_stood_in_it() {
    decays::<8, 8, 2048>(32 << 10);
    decays::<1, 16, 2048>(32 << 10);
    decays::<4, 32, 2048>(32 << 10);
    decays::<16, 512, 8192>(128 << 10);
}

#[test]
fn an_error_that_is_not_the_correction_s_stays_an_error() {
    let chip = Chip::<1, 8, 2048>::new(32 << 10, 1);
    let mut medium = Nor::new(chip.clone()).unwrap().ecc(|_| false);
    setup(&mut medium, &config(1)).unwrap();
    chip.cells.borrow_mut().decay(8);
    let mut bytes = [0; 16];
    let failed = medium.read(0, &mut bytes);
    assert_eq!(
        failed,
        Err(indelible_embedded::Error::Driver(ChipError::Uncorrectable))
    );
    let corrected = Nor::new(chip.clone()).unwrap().ecc(ecc);
    corrected.read(0, &mut bytes).unwrap();
    assert_eq!(bytes[8..], [0, 0, 0, 0, 0xFC, 0xFF, 0xFF, 0xFF]);
    assert_eq!(bytes[..4], *b"iNDL");
    assert_eq!(corrected.unreadable(), 1);
}
