//! Keys in order.

use core::ffi::{c_int, c_void};

use crate::handle::{CStore, indelible_store, with_open};
use crate::kv::found;
use crate::status::{indelible_error, indelible_status, wide};

use indelible_status::INDELIBLE_ERR_ARGUMENT;

/// A key and its value, valid as long as the callback runs.
#[repr(C)]
pub struct indelible_entry {
    /// The key.
    pub key: *const c_void,
    /// Its bytes.
    pub key_len: usize,
    /// The value, cut to the buffer; NULL where none was lent.
    pub value: *const c_void,
    /// Bytes of it that are there.
    pub value_len: usize,
    /// Bytes of the whole value.
    pub value_total: u64,
}

/// Called for each key of a scan; anything but 0 ends it. It calls nothing on
/// the same store: that is refused with INDELIBLE_ERR_BUSY.
pub type indelible_visit =
    Option<unsafe extern "C" fn(context: *mut c_void, entry: *const indelible_entry) -> c_int>;

/// Calls `visit` for each key that starts with `prefix`, in bytewise order,
/// with its value read and checked where a buffer for values is lent. Sees the
/// open transaction.
///
/// Goes through all keys once for every 32 that it finds.
///
/// Errors: INDELIBLE_ERR_BUFFER_TOO_SMALL where a key does not fit,
/// INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL at the end where damage may
/// have hidden keys, INDELIBLE_ERR_FLASH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_scan(
    store: *mut indelible_store,
    prefix: *const c_void,
    prefix_len: usize,
    key: *mut c_void,
    key_size: usize,
    value: *mut c_void,
    value_size: usize,
    visit: indelible_visit,
    context: *mut c_void,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let visit = visit.ok_or(INDELIBLE_ERR_ARGUMENT)?;
            let prefix = open.lent.bytes(prefix, prefix_len)?;
            let key = open.lent.buffer(key, key_size, &[prefix])?;
            let value = open.lent.buffer(value, value_size, &[prefix, key])?;
            scan(open.store, prefix, key, value, &mut |entry| {
                // A callback as the header asks; the entry outlives the call.
                visit(context, entry) == 0
            })
        })
    }
}

/// Goes on as long as `visit` says so.
fn scan(
    store: &CStore,
    prefix: &[u8],
    key: &mut [u8],
    value: &mut [u8],
    visit: &mut dyn FnMut(&indelible_entry) -> bool,
) -> Result<(), indelible_error> {
    let mut scan = store.scan(prefix);
    loop {
        let next = if value.is_empty() {
            scan.next(key)?
        } else {
            scan.next_with_value(key, value)?
        };
        let Some(entry) = next else {
            return Ok(());
        };
        let there = usize::try_from(entry.value_len).unwrap_or(usize::MAX);
        let lent = !value.is_empty();
        let goes_on = visit(&indelible_entry {
            key: entry.key.as_ptr().cast(),
            key_len: entry.key.len(),
            value: if lent {
                value.as_ptr().cast()
            } else {
                core::ptr::null()
            },
            value_len: there.min(value.len()),
            value_total: entry.value_len,
        });
        if !goes_on {
            return Ok(());
        }
    }
}

/// The key behind another one, among those that start with `prefix`: a scan
/// that the caller drives, and may change the store between its steps.
///
/// `key` and `key_len` hold the key to go on from (0 bytes to begin) and get
/// the next one. `value_len` (may be NULL) gets the length of its value.
///
/// Goes through all keys each time: `indelible_scan` costs less.
///
/// Errors: INDELIBLE_NOT_FOUND at the end, or as `indelible_scan`; then `key`
/// and `key_len` are as they were.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_next(
    store: *mut indelible_store,
    prefix: *const c_void,
    prefix_len: usize,
    key: *mut c_void,
    key_size: usize,
    key_len: *mut usize,
    value_len: *mut u64,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            let out = open.lent.out(key_len)?.required()?;
            let out_value = open.lent.out(value_len)?;
            let prefix = open.lent.bytes(prefix, prefix_len)?;
            let key = open.lent.buffer(key, key_size, &[prefix])?;
            let before = key.get(..out.get()?).ok_or(INDELIBLE_ERR_ARGUMENT)?;
            let kept = open.key.get_mut(..before.len());
            let kept = kept.ok_or(indelible_error::limit(
                indelible_status::INDELIBLE_ERR_KEY_TOO_LONG,
                wide(before.len()),
                0,
            ))?;
            kept.copy_from_slice(before);
            let result = next(open.store, prefix, kept, key);
            if result.is_err() {
                // A key that was read but not handed over.
                if let Some(before) = key.get_mut(..kept.len()) {
                    before.copy_from_slice(kept);
                }
            }
            let (len, value_len) = found(result?)?;
            out.set(len);
            out_value.set(value_len);
            Ok(())
        })
    }
}

/// The lengths of the key behind `before`, and of its value.
fn next(
    store: &CStore,
    prefix: &[u8],
    before: &[u8],
    key: &mut [u8],
) -> Result<Option<(usize, u64)>, indelible_error> {
    let mut scan = store.scan(prefix);
    if !before.is_empty() {
        scan.seek(before);
    }
    loop {
        let Some(entry) = scan.next(key)? else {
            return Ok(None);
        };
        if entry.key != before {
            return Ok(Some((entry.key.len(), entry.value_len)));
        }
    }
}
