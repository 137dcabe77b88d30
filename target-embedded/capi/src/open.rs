//! Opening and closing.

use indelible::report::Hit;
use indelible::{HashIndex, Memory, Mode, Report};
use indelible_embedded::{Found, open_or_setup};

use crate::arguments::{Lent, Out, Run};
use crate::flash::Flash;
use crate::handle::{self, Beside, CStore, Slot, indelible_store};
use crate::layout::{indelible_config, indelible_flag};
use crate::memory::divide;
use crate::status::{indelible_error, indelible_item, indelible_status, log_number};

use indelible_status::INDELIBLE_ERR_NOT_A_STORE;

/// How many damages a report lists.
pub const INDELIBLE_DAMAGES_MAX: usize = 8;

/// A damaged run of the flash.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct indelible_damage {
    /// INDELIBLE_ITEM_LOG for a log's bytes or its tail, else
    /// INDELIBLE_ITEM_METADATA: records or commits.
    pub item: indelible_item,
    /// Which log.
    pub log: u32,
    /// Its address in bytes.
    pub address: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// What opening found. Nothing is dropped, healed or abandoned without a word
/// here.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct indelible_report {
    /// 1: the store had been closed; or it is new.
    pub clean: u8,
    /// 1: it was set up by this call.
    pub created: u8,
    /// 1: a power cut interrupted a transaction, which was dropped. It was
    /// never acknowledged.
    pub torn: u8,
    /// Bytes from its first to its last programmed one.
    pub torn_bytes: u64,
    /// Single flipped bits that were corrected.
    pub healed_bits: u32,
    /// Segments that a cut operation left behind; they are free again.
    pub abandoned: u32,
    /// Ledger segments that a torn succession left behind.
    pub torn_successions: u32,
    /// Damaged runs found.
    pub damaged: u32,
    /// The first of them.
    pub damages: [indelible_damage; INDELIBLE_DAMAGES_MAX],
}

const NO_DAMAGE: indelible_damage = indelible_damage {
    item: indelible_item::INDELIBLE_ITEM_NONE,
    log: 0,
    address: 0,
    len: 0,
};

impl From<&Report> for indelible_report {
    fn from(report: &Report) -> Self {
        let mut damages = [NO_DAMAGE; INDELIBLE_DAMAGES_MAX];
        for (to, damage) in damages.iter_mut().zip(&report.damages) {
            let (item, log) = match damage.hit {
                Hit::Log(log) => (indelible_item::INDELIBLE_ITEM_LOG, log_number(log)),
                _ => (indelible_item::INDELIBLE_ITEM_METADATA, 0),
            };
            *to = indelible_damage {
                item,
                log,
                address: damage.at,
                len: damage.len,
            };
        }
        indelible_report {
            clean: report.clean.into(),
            created: 0,
            torn: report.torn.is_some().into(),
            torn_bytes: report.torn.map_or(0, |torn| torn.bytes),
            healed_bits: report.healed_bits,
            abandoned: report.abandoned,
            torn_successions: report.torn_successions,
            damaged: report.damaged,
            damages,
        }
    }
}

/// Opens a store that is there.
///
/// # Safety
/// As the header asks.
unsafe fn start(
    config: &indelible_config,
    slot: &mut Slot<'_>,
    report: Out<indelible_report>,
) -> Result<Beside, indelible_error> {
    let id = Some(config.id()).filter(|id| *id != 0);
    let mode = if config.read_only() {
        Mode::ReadOnly
    } else {
        Mode::ReadWrite
    };
    // SAFETY: the caller's promise.
    unsafe {
        open(config, slot, |flash, index, memory| {
            let (store, found) = CStore::start(flash, index, memory, id, mode)?;
            report.set((&found).into());
            Ok(store)
        })
    }
}

/// Opens a store, or sets one up where there is none.
///
/// # Safety
/// As the header asks.
unsafe fn boot(
    config: &indelible_config,
    slot: &mut Slot<'_>,
    report: Out<indelible_report>,
) -> Result<Beside, indelible_error> {
    // SAFETY: the caller's promise.
    unsafe {
        let core = config.core()?;
        open(config, slot, |flash, index, memory| {
            let (store, found, what) = open_or_setup(flash, index, memory, &core)?;
            report.set(indelible_report {
                created: (what != Found::Store).into(),
                ..(&found).into()
            });
            Ok(store)
        })
    }
}

/// Divides the lent memory and puts the store that `make` makes with it into
/// its slot. Not inlined: what it takes of the stack is free again before
/// anything else goes on.
///
/// # Safety
/// As the header asks.
#[inline(never)]
unsafe fn open(
    config: &indelible_config,
    slot: &mut Slot<'_>,
    make: impl FnOnce(Flash, HashIndex<'static>, Memory<'static>) -> Result<CStore, indelible_error>,
) -> Result<Beside, indelible_error> {
    let flash = Flash::new(&config.flash, config.read_only())?;
    // SAFETY: the caller's promise: the memory is lent until close, and to this
    // store alone.
    let divided = unsafe { divide(config.memory, config.memory_len, &config.sizes)? };
    let store = make(flash, HashIndex::new(divided.slots), divided.tables)?;
    slot.store
        .write(store)
        .set_two_flushes(indelible_flag::INDELIBLE_FLAG_TWO_SYNCS.is_set(config.flags));
    Ok(Beside {
        key: divided.key,
        memory: divided.run,
    })
}

/// The place of the report, which shares nothing with the object or the lent
/// memory; nor do these with each other.
///
/// # Safety
/// As the header asks.
unsafe fn place_of(
    report: *mut indelible_report,
    own: Run,
    config: &indelible_config,
) -> Result<Out<indelible_report>, indelible_error> {
    let memory = Run::of(config.memory.cast_const(), config.memory_len)?;
    own.apart(memory)?;
    // SAFETY: the caller's promise.
    unsafe { Lent { store: own, memory }.out(report) }
}

/// Opens the store on the flash. What an unclean end left is put right, with a
/// few writes, before it returns. Reads each segment's head, the ledger from
/// its newest checkpoint and the head of each record.
///
/// `report` may be NULL. Whatever is in `memory` is overwritten.
///
/// Errors: INDELIBLE_ERR_NOT_A_STORE, INDELIBLE_ERR_VERSION_UNSUPPORTED,
/// INDELIBLE_ERR_ID_MISMATCH, INDELIBLE_ERR_LEDGER_LOST,
/// INDELIBLE_ERR_GEOMETRY_MISMATCH, INDELIBLE_ERR_MEMORY_TOO_SMALL,
/// INDELIBLE_ERR_INDEX_FULL where there are more keys than `sizes.keys`,
/// INDELIBLE_ERR_ALREADY_OPEN, INDELIBLE_ERR_FLASH; the store stays closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_open(
    store: *mut indelible_store,
    config: *const indelible_config,
    report: *mut indelible_report,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        handle::fill(store, |slot| {
            let config = indelible_config::fetch(config)?;
            let report = place_of(report, slot.own, &config)?;
            start(&config, slot, report)
        })
    }
}

/// What firmware wants when it boots: opens the store; where there is none,
/// because the flash is blank, or power failed while one was set up or reset,
/// sets it up.
///
/// Bytes that are no store's are left alone, with INDELIBLE_ERR_NOT_A_STORE and
/// the first of them in `address`, unless INDELIBLE_FLAG_OVERWRITE is given. So
/// are stores that are damaged beyond reading, or of another id or version.
///
/// Reads 20 bytes a segment more than `indelible_open`; where there is no store
/// all of the flash.
///
/// Errors: as `indelible_open` and `indelible_setup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_open_or_setup(
    store: *mut indelible_store,
    config: *const indelible_config,
    report: *mut indelible_report,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        handle::fill(store, |slot| {
            let config = indelible_config::fetch(config)?;
            let report = place_of(report, slot.own, &config)?;
            if config.read_only() {
                return start(&config, slot, report);
            }
            let overwrite = indelible_flag::INDELIBLE_FLAG_OVERWRITE.is_set(config.flags);
            match boot(&config, slot, report) {
                Err(error) if overwrite && error.status == INDELIBLE_ERR_NOT_A_STORE => {
                    config.set_up()?;
                    let opened = boot(&config, slot, report)?;
                    report.change(|report| report.created = 1);
                    Ok(opened)
                }
                other => other,
            }
        })
    }
}

/// Closes the store: aborts an open transaction and seals the last one, so that
/// the next open is clean. One sync. The memory is the caller's again, also
/// where it returns an error of the flash: a store that was not sealed loses
/// nothing either.
///
/// Errors: INDELIBLE_ERR_NOT_OPEN, INDELIBLE_ERR_BUSY, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_close(store: *mut indelible_store) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        handle::empty(store, |content| match content.close() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}
