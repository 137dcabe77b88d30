//! Keys and their values.

use core::ffi::c_void;

use crate::handle::{Open, indelible_store, with_open};
use crate::status::{indelible_error, indelible_status, wide};

use indelible_status::INDELIBLE_NOT_FOUND;

/// `NotFound` where there is no answer.
pub(crate) fn found<T>(answer: Option<T>) -> Result<T, indelible_error> {
    answer.ok_or(INDELIBLE_NOT_FOUND.into())
}

/// The length that a buffer would have had to have goes where lengths go.
pub(crate) fn needed_too(
    error: indelible_error,
    out: crate::arguments::Out<usize>,
) -> indelible_error {
    if error.status == indelible_status::INDELIBLE_ERR_BUFFER_TOO_SMALL {
        out.set(usize::try_from(error.needed).unwrap_or(usize::MAX));
    }
    error
}

/// Reads the whole value of a key and checks it; one flipped bit is healed.
/// Sees the open transaction.
///
/// `value_len` (may be NULL) gets the value's length, also where the buffer is
/// too small for it.
///
/// Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_BUFFER_TOO_SMALL,
/// INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_get(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    value: *mut c_void,
    value_size: usize,
    value_len: *mut usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(value_len)?;
            let key = open.lent.bytes(key, key_len)?;
            let value = open.lent.buffer(value, value_size, &[key])?;
            let answer = open.store.get(key, value);
            let len = answer.map_err(|error| needed_too(error.into(), out))?;
            out.set(found(len)?);
            Ok(())
        })
    }
}

/// Reads a part of a key's value from `offset`. `value_len` gets how many bytes
/// there were: fewer than `value_size` only at the value's end.
///
/// Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL,
/// INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_get_part(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    offset: u64,
    value: *mut c_void,
    value_size: usize,
    value_len: *mut usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(value_len)?.required()?;
            let key = open.lent.bytes(key, key_len)?;
            let value = open.lent.buffer(value, value_size, &[key])?;
            out.set(found(open.store.read_value(key, offset, value)?)?);
            Ok(())
        })
    }
}

/// The length of a key's value in bytes.
///
/// Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL,
/// INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_length(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    value_len: *mut u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(value_len)?.required()?;
            let key = open.lent.bytes(key, key_len)?;
            out.set(found(open.store.value_len(key)?)?);
            Ok(())
        })
    }
}

/// Whether a key is present: INDELIBLE_OK or INDELIBLE_NOT_FOUND.
///
/// Errors: INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_exists(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let key = open.lent.bytes(key, key_len)?;
            found(open.store.contains(key)?.then_some(()))
        })
    }
}

type Change = fn(&mut Open<'_>, &[u8], &[u8]) -> Result<(), indelible_error>;

/// Runs a change of a key, with a value or element.
///
/// # Safety
/// As the header asks.
pub(crate) unsafe fn change(
    store: *mut indelible_store,
    (key, key_len): (*const c_void, usize),
    (value, value_len): (*const c_void, usize),
    change: Change,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let key = open.lent.bytes(key, key_len)?;
            let value = open.lent.bytes(value, value_len)?;
            change(open, key, value)
        })
    }
}

/// Sets a key to a value: durable and atomic on return, or, in a transaction,
/// when it commits. One sync.
///
/// Errors: INDELIBLE_ERR_FULL, INDELIBLE_ERR_INDEX_FULL,
/// INDELIBLE_ERR_KEY_EMPTY, INDELIBLE_ERR_KEY_TOO_LONG,
/// INDELIBLE_ERR_VALUE_TOO_LONG, INDELIBLE_ERR_TRANSACTION_TOO_LARGE,
/// INDELIBLE_ERR_READ_ONLY, INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_put(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        change(
            store,
            (key, key_len),
            (value, value_len),
            |open, key, value| {
                Ok(match *open.staging {
                    true => open.store.tentatively_put(key, value),
                    false => open.store.put(key, value),
                }?)
            },
        )
    }
}

/// `indelible_put` of a key that must be absent.
///
/// Errors: INDELIBLE_ERR_KEY_EXISTS, or as `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_create(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        change(
            store,
            (key, key_len),
            (value, value_len),
            |open, key, value| {
                Ok(match *open.staging {
                    true => open.store.tentatively_create(key, value),
                    false => open.store.create(key, value),
                }?)
            },
        )
    }
}

/// `indelible_put` of a key that must be present; its list stays.
///
/// Errors: INDELIBLE_NOT_FOUND, or as `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_update(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        change(
            store,
            (key, key_len),
            (value, value_len),
            |open, key, value| {
                Ok(match *open.staging {
                    true => open.store.tentatively_update(key, value),
                    false => open.store.update(key, value),
                }?)
            },
        )
    }
}

/// Removes a key with its value and list: durable on return, or, in a
/// transaction, when it commits. Works in a full store. One sync.
///
/// Errors: INDELIBLE_NOT_FOUND, or as `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_delete(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        change(store, (key, key_len), (key, 0), |open, key, _| {
            Ok(match *open.staging {
                true => open.store.tentatively_delete(key),
                false => open.store.delete(key),
            }?)
        })
    }
}

/// What is left for keys.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct indelible_room {
    /// Bytes of keys and values with their framing: `indelible_record_size`
    /// says what one takes.
    pub left: u64,
    /// Index entries: keys, lists, elements, pieces of values.
    pub entries_left: u64,
    /// Keys that are there.
    pub keys: u64,
}

/// How much room is left for keys. Logs have their own: `indelible_log`.
///
/// Constant time; touches no flash.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_get_room(
    store: *mut indelible_store,
    room: *mut indelible_room,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(room)?.required()?;
            let room = open.store.room();
            out.set(indelible_room {
                left: room.record_bytes,
                entries_left: wide(room.entries),
                keys: open.store.len(),
            });
            Ok(())
        })
    }
}
