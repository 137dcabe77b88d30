//! The store object, which refuses whoever comes in between.
//!
//! It lives in memory of the caller's, is zero before it is opened for the
//! first time, and is only ever touched through raw pointers: a call that
//! comes from a callback of another one must not make a reference to the
//! fields that the outer call is using. It reads `busy` and goes away.

use core::mem::MaybeUninit;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicU8, Ordering};

use indelible::{HashIndex, Store};

use crate::arguments::{Lent, Run, aligned_to_8};
use crate::flash::Flash;
use crate::memory::{INDELIBLE_STORE_WORDS, STORE_SIZE};
use crate::status::{indelible_error, indelible_status};

use indelible_status::{
    INDELIBLE_ERR_ALREADY_OPEN, INDELIBLE_ERR_ARGUMENT, INDELIBLE_ERR_BUSY, INDELIBLE_ERR_NOT_OPEN,
    INDELIBLE_OK,
};

/// The core's store as C sees it. `'static` stands for "until it is closed".
pub(crate) type CStore = Store<'static, Flash, HashIndex<'static>>;

/// A store: memory for it, never looked into. To be zero before it is opened
/// for the first time, not copied and not moved while it is open.
#[repr(C)]
pub struct indelible_store {
    opaque: [u64; INDELIBLE_STORE_WORDS],
}

/// What is in the store object. All zero is a closed one.
#[repr(C)]
pub(crate) struct Handle {
    /// A call is under way.
    busy: AtomicU8,
    /// A transaction was begun.
    staging: bool,
    /// The object's own address, scrambled, while it is open: a copy of it, or
    /// memory that happens to lie there, is not open.
    seal: usize,
    lent: Lent,
    last: indelible_error,
    /// Where `indelible_next` keeps the key that it goes on from.
    key: MaybeUninit<&'static mut [u8]>,
    store: MaybeUninit<CStore>,
}

const SEAL: usize = 0x1DE1_1B1E;

/// What a call on an open store works with.
pub(crate) struct Open<'h> {
    pub store: &'h mut CStore,
    pub staging: &'h mut bool,
    pub key: &'h mut [u8],
    pub lent: Lent,
}

/// A store object that this call has to itself.
struct Locked(*mut Handle);

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: `lock` has checked the pointer; nothing else of it is used.
        unsafe { (*addr_of!((*self.0).busy)).store(0, Ordering::Release) }
    }
}

#[cfg(target_has_atomic = "8")]
fn claim(busy: &AtomicU8) -> bool {
    busy.swap(1, Ordering::Acquire) == 0
}

/// Without compare-and-swap a caller that interrupts is refused as well, for
/// it finds the mark, or is gone before it is read. Threads that take turns in
/// the two lines are not told apart.
#[cfg(not(target_has_atomic = "8"))]
fn claim(busy: &AtomicU8) -> bool {
    if busy.load(Ordering::Acquire) != 0 {
        return false;
    }
    busy.store(1, Ordering::Relaxed);
    core::sync::atomic::compiler_fence(Ordering::Acquire);
    true
}

fn handle(store: *const indelible_store) -> Result<*mut Handle, indelible_error> {
    if store.is_null() {
        return Err(INDELIBLE_ERR_ARGUMENT.into());
    }
    aligned_to_8(store)?;
    // The object is aligned to 8 bytes, the most that C can be asked for in a
    // word; `memory.rs` checks that there is room to align it further.
    let at: *mut u8 = store.cast_mut().cast();
    let ahead = at.addr().wrapping_neg() & align_of::<Handle>().wrapping_sub(1);
    Ok(at.wrapping_add(ahead).cast())
}

/// # Safety
/// `store` is NULL or a store object as the header asks.
unsafe fn lock(store: *const indelible_store) -> Result<Locked, indelible_error> {
    let handle = handle(store)?;
    // SAFETY: not NULL, aligned, and large enough (`memory.rs` checks); every
    // value of the byte is one of an `AtomicU8`.
    if claim(unsafe { &*addr_of!((*handle).busy) }) {
        Ok(Locked(handle))
    } else {
        Err(INDELIBLE_ERR_BUSY.into())
    }
}

impl Locked {
    fn is_open(&self) -> bool {
        // SAFETY: locked, so the pointer is good and the field not in use.
        unsafe { addr_of!((*self.0).seal).read() == self.0.addr() ^ SEAL }
    }

    /// Keeps the details of an error; the status alone goes back.
    fn finish(&self, result: Result<(), indelible_error>) -> indelible_status {
        match result {
            Ok(()) => INDELIBLE_OK,
            Err(error) => {
                // SAFETY: as above.
                unsafe { addr_of_mut!((*self.0).last).write(error) }
                error.status
            }
        }
    }

    /// # Safety
    /// The store is open.
    unsafe fn open<'h>(&'h self) -> Open<'h> {
        // SAFETY: locked, and open: `fill` has written every field. The lock
        // lends it to this call alone.
        unsafe {
            Open {
                store: (*addr_of_mut!((*self.0).store)).assume_init_mut(),
                staging: &mut *addr_of_mut!((*self.0).staging),
                key: (*addr_of_mut!((*self.0).key)).assume_init_mut(),
                lent: addr_of!((*self.0).lent).read(),
            }
        }
    }
}

/// Runs one function on an open store.
///
/// # Safety
/// `store` is NULL or a store object as the header asks.
pub(crate) unsafe fn with_open(
    store: *mut indelible_store,
    work: impl FnOnce(&mut Open<'_>) -> Result<(), indelible_error>,
) -> indelible_status {
    // SAFETY: the caller's promise.
    let locked = match unsafe { lock(store) } {
        Ok(locked) => locked,
        Err(refused) => return refused.status,
    };
    if !locked.is_open() {
        return locked.finish(Err(INDELIBLE_ERR_NOT_OPEN.into()));
    }
    // SAFETY: it is open.
    let result = work(&mut unsafe { locked.open() });
    locked.finish(result)
}

/// What an open store object is filled with.
pub(crate) struct Content {
    pub store: CStore,
    pub key: &'static mut [u8],
    pub memory: Run,
}

/// Opens a store object with what `make` gives. `make` gets the object's own
/// run of memory, which the lent memory must not share.
///
/// # Safety
/// `store` is NULL or a store object as the header asks.
pub(crate) unsafe fn fill(
    store: *mut indelible_store,
    make: impl FnOnce(Run) -> Result<Content, indelible_error>,
) -> indelible_status {
    // SAFETY: the caller's promise.
    let locked = match unsafe { lock(store) } {
        Ok(locked) => locked,
        Err(refused) => return refused.status,
    };
    if locked.is_open() {
        return locked.finish(Err(INDELIBLE_ERR_ALREADY_OPEN.into()));
    }
    let result = Run::of(store, STORE_SIZE).and_then(|own| Ok((own, make(own)?)));
    locked.finish(result.map(|(own, content)| {
        let lent = Lent {
            store: own,
            memory: content.memory,
        };
        let at = locked.0;
        // SAFETY: locked, so the pointer is good and nothing in it is in use.
        unsafe {
            addr_of_mut!((*at).store).write(MaybeUninit::new(content.store));
            addr_of_mut!((*at).key).write(MaybeUninit::new(content.key));
            addr_of_mut!((*at).lent).write(lent);
            addr_of_mut!((*at).last).write(indelible_error::NONE);
            addr_of_mut!((*at).staging).write(false);
            addr_of_mut!((*at).seal).write(at.addr() ^ SEAL);
        }
    }))
}

/// Takes the store out of its object, which is closed from then on, and runs
/// `work` on it.
///
/// # Safety
/// `store` is NULL or a store object as the header asks.
pub(crate) unsafe fn empty(
    store: *mut indelible_store,
    work: impl FnOnce(CStore) -> Result<(), indelible_error>,
) -> indelible_status {
    // SAFETY: the caller's promise.
    let locked = match unsafe { lock(store) } {
        Ok(locked) => locked,
        Err(refused) => return refused.status,
    };
    if !locked.is_open() {
        return locked.finish(Err(INDELIBLE_ERR_NOT_OPEN.into()));
    }
    // SAFETY: locked and open, so the store is there; with the seal gone it is
    // not read again, so that it is moved out, not copied.
    let content = unsafe {
        addr_of_mut!((*locked.0).seal).write(0);
        addr_of!((*locked.0).store).read().assume_init()
    };
    locked.finish(work(content))
}

/// The details of the last error, and what results must not be written to.
///
/// # Safety
/// `store` is NULL or a store object as the header asks.
pub(crate) unsafe fn last_error(
    store: *const indelible_store,
) -> Result<(indelible_error, Lent), indelible_error> {
    // SAFETY: the caller's promise.
    let locked = unsafe { lock(store)? };
    let own = Run::of(store, STORE_SIZE)?;
    // SAFETY: locked; `last` is zero, which is no error, or was written.
    let last = unsafe { addr_of!((*locked.0).last).read() };
    Ok((
        last,
        Lent {
            store: own,
            memory: Run::default(),
        },
    ))
}
