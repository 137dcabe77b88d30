//! The list that each key has. Elements are counted from the first one left.

use core::ffi::c_void;

use crate::handle::{indelible_store, with_open};
use crate::kv::{change, found, needed_too};
use crate::status::indelible_status;

/// Appends an element to a key's list: durable on return, or, in a transaction,
/// when it commits. One sync.
///
/// Errors: INDELIBLE_NOT_FOUND where the key is absent, or as `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_list_append(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    element: *const c_void,
    element_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        change(
            store,
            (key, key_len),
            (element, element_len),
            |open, key, element| {
                Ok(match *open.staging {
                    true => open.store.tentatively_list_append(key, element),
                    false => open.store.list_append(key, element),
                }?)
            },
        )
    }
}

/// Reads one element. `element_len` (may be NULL) gets its length, also where
/// the buffer is too small for it.
///
/// Errors: INDELIBLE_NOT_FOUND where key or element is absent,
/// INDELIBLE_ERR_BUFFER_TOO_SMALL, INDELIBLE_ERR_CORRUPT,
/// INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_list_get(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    index: u64,
    element: *mut c_void,
    element_size: usize,
    element_len: *mut usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(element_len)?;
            let key = open.lent.bytes(key, key_len)?;
            let element = open.lent.buffer(element, element_size, &[key])?;
            let answer = open.store.list_read(key, index, element);
            let len = answer.map_err(|error| needed_too(error.into(), out))?;
            out.set(found(len)?);
            Ok(())
        })
    }
}

/// Replaces one element: durable on return, or, in a transaction, when it
/// commits. One sync.
///
/// Errors: INDELIBLE_NOT_FOUND where key or element is absent, or as
/// `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_list_update(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    index: u64,
    element: *const c_void,
    element_len: usize,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let key = open.lent.bytes(key, key_len)?;
            let element = open.lent.bytes(element, element_len)?;
            Ok(match *open.staging {
                true => open.store.tentatively_list_update(key, index, element),
                false => open.store.list_update(key, index, element),
            }?)
        })
    }
}

/// Drops the first `count` elements: durable on return, or, in a transaction,
/// when it commits. One sync.
///
/// Errors: INDELIBLE_NOT_FOUND where the key is absent or the list shorter, or
/// as `indelible_put`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_list_trim(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    count: u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let key = open.lent.bytes(key, key_len)?;
            Ok(match *open.staging {
                true => open.store.tentatively_list_trim(key, count),
                false => open.store.list_trim(key, count),
            }?)
        })
    }
}

/// How many elements the list of a key has.
///
/// Errors: INDELIBLE_NOT_FOUND where the key is absent, INDELIBLE_ERR_CORRUPT,
/// INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_list_length(
    store: *mut indelible_store,
    key: *const c_void,
    key_len: usize,
    count: *mut u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(count)?.required()?;
            let key = open.lent.bytes(key, key_len)?;
            out.set(found(open.store.list_len(key)?)?);
            Ok(())
        })
    }
}
