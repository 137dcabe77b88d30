//! The store object, which refuses whoever comes in between.
//!
//! It lives in memory of the caller's, is zero before it is opened for the
//! first time, and is only ever touched through raw pointers: a call that
//! comes from a callback of another one must not make a reference to the
//! fields that the outer call is using. It reads `busy` and goes away.

use core::mem::MaybeUninit;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicU8, Ordering};

use indelible::{CheckCursor, HashIndex, Store};

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

/// What the store object begins with; the store is behind it. All zero is a
/// closed one.
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
    /// How far `indelible_check_some` is.
    check: MaybeUninit<CheckCursor>,
    /// Where `indelible_next` keeps the key that it goes on from.
    key: MaybeUninit<&'static mut [u8]>,
}

/// The store may have to be aligned to more than the 8 bytes that its object
/// is: room for that.
const PADDING: usize = align_of::<CStore>().saturating_sub(8);

/// Bytes that an object needs.
pub(crate) const NEEDED: usize = size_of::<Handle>()
    .wrapping_add(PADDING)
    .wrapping_add(size_of::<CStore>());

/// Where in an object the store is.
fn store_of(handle: *mut Handle) -> *mut MaybeUninit<CStore> {
    let behind = handle.wrapping_add(1).cast::<u8>();
    let ahead = behind.addr().wrapping_neg() & align_of::<CStore>().wrapping_sub(1);
    behind.wrapping_add(ahead).cast()
}

const SEAL: usize = 0x1DE1_1B1E;

/// What a call on an open store works with.
pub(crate) struct Open<'h> {
    pub store: &'h mut CStore,
    pub staging: &'h mut bool,
    pub check: &'h mut CheckCursor,
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
    Ok(store.cast_mut().cast())
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
                store: (*store_of(self.0)).assume_init_mut(),
                staging: &mut *addr_of_mut!((*self.0).staging),
                check: (*addr_of_mut!((*self.0).check)).assume_init_mut(),
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

/// A closed store object that is being opened.
pub(crate) struct Slot<'h> {
    /// Where the store goes, at once: it is large for a stack.
    pub store: &'h mut MaybeUninit<CStore>,
    /// The object's own memory, which the lent memory must not share.
    pub own: Run,
}

/// What an open store object holds besides the store.
pub(crate) struct Beside {
    pub key: &'static mut [u8],
    pub memory: Run,
}

/// Opens a store object; `make` writes the store into its slot.
///
/// # Safety
/// `store` is NULL or a store object as the header asks; `make` has written a
/// store where it succeeds.
pub(crate) unsafe fn fill(
    store: *mut indelible_store,
    make: impl FnOnce(&mut Slot<'_>) -> Result<Beside, indelible_error>,
) -> indelible_status {
    // SAFETY: the caller's promise.
    let locked = match unsafe { lock(store) } {
        Ok(locked) => locked,
        Err(refused) => return refused.status,
    };
    if locked.is_open() {
        return locked.finish(Err(INDELIBLE_ERR_ALREADY_OPEN.into()));
    }
    let own = match Run::of(store, STORE_SIZE) {
        Ok(own) => own,
        Err(refused) => return locked.finish(Err(refused)),
    };
    let at = locked.0;
    // SAFETY: locked, so the pointer is good and nothing in it is in use; any
    // bytes are a `MaybeUninit`.
    let slot = unsafe { &mut *store_of(at) };
    let made = make(&mut Slot { store: slot, own });
    locked.finish(made.map(|beside| {
        let lent = Lent {
            store: own,
            memory: beside.memory,
        };
        // SAFETY: as above, and the store was written.
        unsafe {
            addr_of_mut!((*at).key).write(MaybeUninit::new(beside.key));
            addr_of_mut!((*at).lent).write(lent);
            addr_of_mut!((*at).last).write(indelible_error::NONE);
            addr_of_mut!((*at).staging).write(false);
            addr_of_mut!((*at).check).write(MaybeUninit::new(CheckCursor::default()));
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
        store_of(locked.0).read().assume_init()
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
