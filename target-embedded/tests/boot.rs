//! Opening whatever is on a chip at boot, and starting over, with power
//! failing anywhere in it.
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
    Any, Chip, ChipError, Contents, Count, Fault, ID, Op, Room, TORN, apply, config, contents,
    open, seed, workload,
};
use embedded_storage::nor_flash::NorFlash;
use indelible::{Config, Error, Layout, setup};
use indelible_embedded::{BootError, Found, Nor, factory_reset, open_or_setup};

const CAPACITY: usize = 32 << 10;
type Flash = Chip<1, 8, 2048>;

fn medium(chip: &Flash) -> Nor<Flash> {
    Nor::new(chip.clone())
        .unwrap()
        .ecc(|error| *error == ChipError::Uncorrectable)
}

fn layout() -> Layout {
    Layout::plan(indelible::Medium::geometry(&medium(&chip())), &config(1)).unwrap()
}

fn chip() -> Flash {
    Flash::new(CAPACITY, 1)
}

fn boot(chip: &Flash, nonce: u64) -> Result<(Found, Contents), BootError<Fault>> {
    let mut room = Room::new(&layout());
    let (memory, index) = room.lend();
    let mut medium = medium(chip);
    let medium: &mut Any<'_> = &mut medium;
    let (mut store, report, found) = open_or_setup(medium, index, memory, &config(nonce))?;
    assert_eq!(report.damaged, 0);
    let shown = contents(&store)?;
    assert_eq!(store.check(&mut |_| {})?.damaged, 0);
    apply(&mut store, &Op::Put(b"booted".to_vec(), b"yes".to_vec()))?;
    Ok((found, shown))
}

/// A chip with a store that has been used, and what the store holds.
fn used(commits: usize) -> (Flash, Contents) {
    let chip = chip();
    let mut medium = medium(&chip);
    setup(&mut medium, &config(7)).unwrap();
    let mut room = Room::new(&layout());
    let any: &mut Any<'_> = &mut medium;
    let (mut store, _) = open(any, &mut room).unwrap();
    let mut now = Contents::default();
    for op in workload(commits, 8, &mut fastrand::Rng::with_seed(seed())) {
        apply(&mut store, &op).unwrap();
        now = now.after(&op);
    }
    (chip, now)
}

/// Cuts `work` at each of its units and sectors, in each way a unit may be
/// torn, and boots what is left; `judge` sees what was found and shown. Then
/// power fails once more, somewhere in that boot.
fn everywhere(
    chip: &Flash,
    work: impl FnOnce(&Flash),
    judge: impl Fn(Found, &Contents, bool) + 'static,
) -> u64 {
    let cuts = Count::default();
    chip.watch({
        let cuts = cuts.clone();
        move |cells| {
            for torn in TORN {
                cuts.set(cuts.get() + 1);
                let mut cells = cells.clone();
                cells.torn = torn;
                cells.seed = cuts.get();
                let mut twice = cells.clone();
                let (found, shown) = boot(&Flash::of(cells), 100 + cuts.get())
                    .unwrap_or_else(|error| panic!("cut {}, {torn:?}: {error:?}", cuts.get()));
                judge(found, &shown, false);
                let fail_in = twice.rng.u64(..40) + cuts.get() % 40;
                twice.fail_in = Some(fail_in);
                let chip = Flash::of(twice);
                let first = boot(&chip, 200 + cuts.get());
                chip.cells.borrow_mut().fail_in = None;
                if first.is_err() {
                    let (found, shown) = boot(&chip, 300 + cuts.get()).unwrap_or_else(|error| {
                        panic!(
                            "cut {}, {torn:?}, again in {fail_in}: {error:?}",
                            cuts.get()
                        )
                    });
                    judge(found, &shown, true);
                }
            }
        }
    });
    work(chip);
    chip.unwatch();
    cuts.get()
}

#[test]
fn a_blank_chip_is_set_up_wherever_power_fails() {
    let chip = chip();
    let cuts = everywhere(
        &chip,
        |chip| {
            let (found, shown) = boot(chip, 1).unwrap();
            assert_eq!((found, shown), (Found::Blank, Contents::default()));
        },
        |_, shown, again| {
            let booted = shown.keys.contains_key(&b"booted"[..]);
            assert!(
                shown.keys.len() == usize::from(booted) && shown.log.is_empty(),
                "{again}"
            );
        },
    );
    println!("{cuts} cuts");
    assert_eq!(boot(&chip, 2).unwrap().0, Found::Store);
}

#[test]
fn a_reset_that_is_cut_leaves_the_old_store_or_is_gone_on_with() {
    let (chip, old) = used(400);
    let cuts = everywhere(
        &chip,
        |chip| {
            factory_reset(&mut medium(chip), &config(8)).unwrap();
        },
        move |_, shown, _| {
            let mut shown = shown.clone();
            shown.keys.remove(&b"booted"[..]);
            assert!(shown == old || shown == Contents::default(), "{shown:?}");
        },
    );
    println!("{cuts} cuts");
    assert_eq!(boot(&chip, 9).unwrap(), (Found::Store, Contents::default()));
}

#[test]
fn what_is_no_store_s_is_left_alone() {
    for at in [0usize, 5000, CAPACITY - 16] {
        let chip = chip();
        chip.clone().write(at as u32 & !7, &[0xA5; 8]).unwrap();
        let before = chip.cells.borrow().bytes.clone();
        assert_eq!(
            boot(&chip, 1).unwrap_err(),
            BootError::Foreign {
                at: (at & !7) as u64
            }
        );
        assert_eq!(chip.cells.borrow().bytes, before);
        factory_reset(&mut medium(&chip), &config(2)).unwrap();
        assert_eq!(boot(&chip, 3).unwrap(), (Found::Store, Contents::default()));
    }
}

#[test]
fn a_store_of_another_version_is_named_and_left_alone() {
    let (chip, _) = used(50);
    {
        // Every header becomes one of version 9, its checksum with it.
        let mut cells = chip.cells.borrow_mut();
        for at in (0..CAPACITY).step_by(2048) {
            if cells.bytes[at..].starts_with(b"iNDL") {
                cells.bytes[at + 4] = 9;
                let sum = !indelible::checksum::crc32c(u32::MAX, &cells.bytes[at..at + 36]);
                cells.bytes[at + 36..at + 40].copy_from_slice(&sum.to_le_bytes());
            }
        }
    }
    let before = chip.cells.borrow().bytes.clone();
    let refused = boot(&chip, 1).unwrap_err();
    assert_eq!(
        refused,
        BootError::Store(Error::VersionUnsupported {
            found: 9,
            supported: indelible::VERSION,
        })
    );
    let text = refused.to_string();
    assert!(
        text.contains('9') && text.contains(&indelible::VERSION.to_string()),
        "{text}"
    );
    assert_eq!(chip.cells.borrow().bytes, before);
}

#[test]
fn a_store_with_another_id_or_without_a_root_is_left_alone() {
    let (chip, _) = used(50);
    let mut room = Room::new(&layout());
    let (memory, index) = room.lend();
    let other = Config { id: 5, ..config(1) };
    let refused = open_or_setup(medium(&chip), index, memory, &other).err();
    assert_eq!(
        refused,
        Some(BootError::Store(Error::IdMismatch {
            expected: 5,
            found: ID
        }))
    );
    for at in (0..CAPACITY).step_by(2048) {
        for within in (40..2048).step_by(8) {
            chip.cells.borrow_mut().decay(at + within);
        }
    }
    let before = chip.cells.borrow().bytes.clone();
    let refused = boot(&chip, 1).unwrap_err();
    assert!(
        matches!(refused, BootError::Store(Error::LedgerLost { .. })),
        "{refused:?}"
    );
    assert_eq!(chip.cells.borrow().bytes, before);
    factory_reset(&mut medium(&chip), &config(2)).unwrap();
    assert_eq!(boot(&chip, 3).unwrap(), (Found::Store, Contents::default()));
}

#[test]
fn log_bytes_that_look_like_a_mark_are_none() {
    // The bytes of a real mark, from a reset that is cut behind it.
    let (chip, _) = used(20);
    chip.cells.borrow_mut().fail_in = Some(6);
    factory_reset(&mut medium(&chip), &config(8)).unwrap_err();
    let bytes = chip.cells.borrow().bytes.clone();
    let at = bytes
        .windows(8)
        .position(|bytes| bytes == b"iNDreset")
        .unwrap();
    assert!(at.is_multiple_of(2048));
    let mark = bytes[at..at + 20].to_vec();

    let chip = self::chip();
    let mut medium = medium(&chip);
    setup(&mut medium, &config(7)).unwrap();
    let mut room = Room::new(&layout());
    let any: &mut Any<'_> = &mut medium;
    let (mut store, _) = open(any, &mut room).unwrap();
    for _ in 0..20 {
        store.append(0, &mark).unwrap();
        store.put(&mark, &mark).unwrap();
    }
    drop(store);
    assert_eq!(boot(&chip, 2).unwrap().0, Found::Store);
}
