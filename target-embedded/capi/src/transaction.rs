//! Transactions over keys, lists and logs.

use crate::handle::{indelible_store, with_open};
use crate::status::indelible_status;

use indelible_status::{INDELIBLE_ERR_NO_TRANSACTION, INDELIBLE_ERR_TRANSACTION_OPEN};

/// Begins a transaction: from now on every change is staged. Reads see what is
/// staged. A change that is refused leaves the transaction as it was.
///
/// Errors: INDELIBLE_ERR_TRANSACTION_OPEN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_begin(store: *mut indelible_store) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            if *open.staging {
                return Err(INDELIBLE_ERR_TRANSACTION_OPEN.into());
            }
            *open.staging = true;
            Ok(())
        })
    }
}

/// Makes everything staged durable, all or nothing. One sync. The transaction
/// is over, whatever is returned.
///
/// Errors: INDELIBLE_ERR_NO_TRANSACTION; INDELIBLE_ERR_INDEX_FULL: nothing of
/// it was done; INDELIBLE_ERR_FLASH, INDELIBLE_ERR_POISONED: the store is to be
/// opened again, and the transaction is there then as a whole or not at all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_commit(store: *mut indelible_store) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            if !*open.staging {
                return Err(INDELIBLE_ERR_NO_TRANSACTION.into());
            }
            *open.staging = false;
            open.store.commit().map_err(|error| {
                // Where it failed before it began. The first error tells more.
                let _ = open.store.abort();
                error.into()
            })
        })
    }
}

/// Forgets everything staged. One sync if anything was.
///
/// Errors: INDELIBLE_ERR_NO_TRANSACTION; INDELIBLE_ERR_FLASH: the store is to
/// be opened again. The transaction is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_abort(store: *mut indelible_store) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        with_open(store, |open| {
            if !*open.staging {
                return Err(INDELIBLE_ERR_NO_TRANSACTION.into());
            }
            *open.staging = false;
            Ok(open.store.abort()?)
        })
    }
}
