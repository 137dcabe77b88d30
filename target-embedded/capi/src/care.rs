//! Looking after a store: checking, idle time, figures, damage.

use core::ffi::c_void;

use indelible::{CheckCursor, Checked, Finding, Stats};

use crate::handle::{indelible_store, with_open};
use crate::status::{self, indelible_item, indelible_status, wide};

/// What a check met.
#[repr(C)]
pub struct indelible_finding {
    /// What was hit.
    pub item: indelible_item,
    /// Which log.
    pub log: u32,
    /// The key; NULL where it is not known. Valid as long as the callback runs.
    pub key: *const c_void,
    /// Its bytes.
    pub key_len: usize,
    /// The address on the flash in bytes.
    pub address: u64,
    /// 1: it was healed, nothing is lost. 0: it is damaged.
    pub healed: u8,
}

/// What a check looked at.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct indelible_checked {
    /// Frames of ledger and cold segments.
    pub frames: u64,
    /// Keys, lists, elements and pieces of values.
    pub entries: u64,
    /// Bytes of logs.
    pub log_bytes: u64,
    /// Flipped bits that were healed.
    pub healed: u64,
    /// Items that are damaged.
    pub damaged: u64,
}

impl From<Checked> for indelible_checked {
    fn from(checked: Checked) -> Self {
        indelible_checked {
            frames: checked.frames,
            entries: checked.entries,
            log_bytes: checked.log_bytes,
            healed: checked.healed,
            damaged: checked.damaged,
        }
    }
}

impl From<Finding<'_>> for indelible_finding {
    fn from(finding: Finding<'_>) -> Self {
        let (item, log) = status::item(finding.item);
        indelible_finding {
            item,
            log,
            key: finding
                .key
                .map_or(core::ptr::null(), |key| key.as_ptr().cast()),
            key_len: finding.key.map_or(0, <[u8]>::len),
            address: finding.at,
            healed: finding.healed.into(),
        }
    }
}

/// Called for each finding of a check. It calls nothing on the same store: that
/// is refused with INDELIBLE_ERR_BUSY.
pub type indelible_found =
    Option<unsafe extern "C" fn(context: *mut c_void, finding: *const indelible_finding)>;

/// Reads and verifies everything: each record, each log between head and tail,
/// the ledger. Calls `visit` (may be NULL) for each item that is damaged or was
/// healed, and counts in `checked` (may be NULL).
///
/// Returns INDELIBLE_OK also where damage was found. For a watchdog see
/// `indelible_check_some`.
///
/// Errors: INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_check(
    store: *mut indelible_store,
    visit: indelible_found,
    context: *mut c_void,
    checked: *mut indelible_checked,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(checked)?;
            let all = open.store.check(&mut |finding| {
                if let Some(visit) = visit {
                    // A callback as the header asks; the finding outlives it.
                    visit(context, &finding.into());
                }
            })?;
            out.set(all.into());
            Ok(())
        })
    }
}

/// The same in steps: at most `steps` more of the check that is under way, or
/// of a new one where none is. A step looks at one record or one block of a
/// log. `checked` (may be NULL) gets what was counted since it began, `more`
/// gets 0 where that is all, else 1. The store may be used between the calls;
/// what is written meanwhile may be looked at or not.
///
/// Errors: INDELIBLE_ERR_FLASH; the next call tries the same step again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_check_some(
    store: *mut indelible_store,
    steps: u32,
    visit: indelible_found,
    context: *mut c_void,
    checked: *mut indelible_checked,
    more: *mut u8,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(checked)?;
            let out_more = open.lent.out(more)?.required()?;
            let mut visit = |finding: Finding<'_>| {
                if let Some(visit) = visit {
                    // A callback as the header asks; the finding outlives it.
                    visit(context, &finding.into());
                }
            };
            let mut goes_on = true;
            let mut left = steps;
            while goes_on && left > 0 {
                goes_on = open.store.check_step(open.check, &mut visit)?;
                left = left.saturating_sub(1);
            }
            out.set(open.check.checked().into());
            if !goes_on {
                *open.check = CheckCursor::default();
            }
            out_more.set(goes_on.into());
            Ok(())
        })
    }
}

/// Idle work: reclaims and erases ahead of need, at most `budget` steps. A step
/// copies one record, or frees or erases one segment. `more` (may be NULL)
/// gets 1 where there is more to do, else 0.
///
/// Errors: INDELIBLE_ERR_TRANSACTION_OPEN, INDELIBLE_ERR_READ_ONLY,
/// INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_maintain(
    store: *mut indelible_store,
    budget: u32,
    more: *mut u8,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(more)?;
            refuse_staging(*open.staging)?;
            out.set(open.store.maintain(budget)?.more.into());
            Ok(())
        })
    }
}

/// Makes sure that a transaction with this many bytes of keys, values and
/// framing will find room, reclaiming for it where necessary.
///
/// Errors: INDELIBLE_ERR_FULL, or as `indelible_maintain`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_reserve(
    store: *mut indelible_store,
    bytes: u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            refuse_staging(*open.staging)?;
            Ok(open.store.reserve(bytes)?)
        })
    }
}

/// The core knows of a transaction only when it has its first change.
fn refuse_staging(staging: bool) -> Result<(), status::indelible_error> {
    if staging {
        return Err(indelible_status::INDELIBLE_ERR_TRANSACTION_OPEN.into());
    }
    Ok(())
}

/// Accepts damage: what is lost stays lost, answers are no longer withheld,
/// damaged segments can be reclaimed, and logs go on from what is there.
///
/// Errors: INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_accept_damage(store: *mut indelible_store) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe { with_open(store, |open| Ok(open.store.accept_damage()?)) }
}

/// The state of a store's space.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct indelible_stats {
    /// Segments in all.
    pub segments: u32,
    /// Segments of the ledger.
    pub ledger: u32,
    /// Segments of relocated records.
    pub cold: u32,
    /// Segments of logs.
    pub logs: u32,
    /// Free segments that are known or believed to be blank.
    pub blank: u32,
    /// Free segments that are to be erased.
    pub dirty: u32,
    /// Bytes of records that are needed, marks of deletes included.
    pub live_bytes: u64,
    /// Marks of deletes among them.
    pub tombstone_bytes: u64,
    /// Bytes of records that fit.
    pub kv_capacity: u64,
    /// Keys.
    pub keys: u64,
    /// Entries in the index: keys, lists, elements, pieces of values.
    pub index_len: u64,
    /// Entries that fit into the lent index.
    pub index_capacity: u64,
    /// Erases of all segments.
    pub erases_total: u64,
    /// Erases of the least erased segment.
    pub erases_min: u32,
    /// Erases of the most erased segment.
    pub erases_max: u32,
    /// Single flipped bits corrected since open.
    pub healed_bits: u32,
}

impl From<Stats> for indelible_stats {
    fn from(stats: Stats) -> Self {
        indelible_stats {
            segments: stats.segments,
            ledger: stats.ledger,
            cold: stats.cold,
            logs: stats.logs,
            blank: stats.blank,
            dirty: stats.dirty,
            live_bytes: stats.live_bytes,
            tombstone_bytes: stats.tombstone_bytes,
            kv_capacity: stats.kv_capacity,
            keys: stats.keys,
            index_len: wide(stats.index_len),
            index_capacity: wide(stats.index_capacity),
            erases_total: stats.erases_total,
            erases_min: stats.erases_min,
            erases_max: stats.erases_max,
            healed_bits: stats.healed_bits,
        }
    }
}

/// The state of the store's space. Goes through the table of segments; touches
/// no flash.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_get_stats(
    store: *mut indelible_store,
    stats: *mut indelible_stats,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(stats)?.required()?;
            out.set(open.store.stats().into());
            Ok(())
        })
    }
}
