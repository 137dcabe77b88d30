//! Logs: contiguous byte streams.

use core::ffi::c_void;

use crate::handle::{indelible_store, with_open};
use crate::status::indelible_status;

/// Head, tail and capacity of a log, in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct indelible_log_span {
    /// The first position that can be read.
    pub head: u64,
    /// The position behind the last byte.
    pub tail: u64,
    /// Bytes that fit between head and tail.
    pub capacity: u64,
}

fn number(log: u32) -> usize {
    usize::try_from(log).unwrap_or(usize::MAX)
}

/// Appends to a log: durable and atomic on return, or, in a transaction, when
/// it commits. One sync. `position` (may be NULL) gets the position of the
/// first byte.
///
/// Errors: INDELIBLE_ERR_LOG_FULL, INDELIBLE_ERR_INVALID_LOG,
/// INDELIBLE_ERR_READ_ONLY, INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_append(
    store: *mut indelible_store,
    log: u32,
    data: *const c_void,
    len: usize,
    position: *mut u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(position)?;
            let data = open.lent.bytes(data, len)?;
            out.set(match *open.staging {
                true => open.store.tentatively_append(number(log), data),
                false => open.store.append(number(log), data),
            }?);
            Ok(())
        })
    }
}

/// Reads `len` bytes of a log from `position` and checks them; one flipped bit
/// a block is healed. Sees the open transaction.
///
/// Errors: INDELIBLE_ERR_BEFORE_HEAD, INDELIBLE_ERR_PAST_TAIL,
/// INDELIBLE_ERR_INVALID_LOG, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_FLASH;
/// `buffer` then holds nothing of use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_read(
    store: *mut indelible_store,
    log: u32,
    position: u64,
    buffer: *mut c_void,
    len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let buffer = open.lent.buffer(buffer, len, &[])?;
            Ok(open.store.read(number(log), position, buffer)?)
        })
    }
}

/// Forgets what stands before `head`: durable on return, or, in a transaction,
/// when it commits; the room is there after that. One sync.
///
/// Errors: INDELIBLE_ERR_BEFORE_HEAD, INDELIBLE_ERR_PAST_TAIL, or as
/// `indelible_append`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_advance_head(
    store: *mut indelible_store,
    log: u32,
    head: u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            Ok(match *open.staging {
                true => open.store.tentatively_advance_head(number(log), head),
                false => open.store.advance_head(number(log), head),
            }?)
        })
    }
}

/// Head, tail and capacity of a log, as the open transaction sees them. Touches
/// no flash.
///
/// Errors: INDELIBLE_ERR_INVALID_LOG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_log(
    store: *mut indelible_store,
    log: u32,
    span: *mut indelible_log_span,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(span)?.required()?;
            let span = open.store.get_head_tail_and_capacity(number(log))?;
            out.set(indelible_log_span {
                head: span.head,
                tail: span.tail,
                capacity: span.capacity,
            });
            Ok(())
        })
    }
}
