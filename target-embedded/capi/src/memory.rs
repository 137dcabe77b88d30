//! How large the lent memory is, and how the tables lie in it.

use core::ffi::c_void;
use core::mem::{align_of, size_of};

use indelible::{HashIndex, LogState, Memory, Segment, Undo};

use crate::arguments::{Run, fetch};
use crate::status::{indelible_error, indelible_status, wide};

/// Bytes of the store object where pointers have 32 bits.
pub const INDELIBLE_STORE_SIZE_32: usize = 960;
/// Bytes of the store object where pointers have 64 bits.
pub const INDELIBLE_STORE_SIZE_64: usize = 1152;
/// Bytes of memory for each segment.
pub const INDELIBLE_SEGMENT_SIZE: usize = 24;
/// Bytes of memory for each log.
pub const INDELIBLE_LOG_SIZE: usize = 128;
/// Bytes of memory for each change in a transaction.
pub const INDELIBLE_CHANGE_SIZE: usize = 40;

/// What a segment takes in this build. A build of the whole workspace turns the
/// core's features for hosts on here too; memory of the header's size is refused
/// then.
const SEGMENT: usize = if Segment::LONG {
    size_of::<Segment>().next_multiple_of(8)
} else {
    INDELIBLE_SEGMENT_SIZE
};

/// How large the tables in the lent memory are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct indelible_sizes {
    /// Segments: the flash's capacity divided by the segment size.
    pub segments: u32,
    /// Logs.
    pub logs: u32,
    /// Segments that the logs may span: INDELIBLE_LOG_RING of each, or
    /// `ring` of `indelible_plan` or `indelible_survey`.
    pub ring: u32,
    /// Keys, with lists and elements: see INDELIBLE_INDEX_SLOTS. May be 0.
    pub keys: u32,
    /// Changes in a transaction: a put or list operation takes one, a delete
    /// or list append two. At least 2 where keys are used.
    pub changes: u32,
    /// Bytes of the longest key.
    pub key_max: u32,
}

/// A wrong size in the header must fail the build: too small is unsound, far
/// too large is waste.
const fn checked(declared: usize, actual: usize, slack: usize) {
    assert!(actual <= declared, "a size in memory.rs is too small");
    assert!(
        declared.wrapping_sub(actual) <= slack,
        "a size in memory.rs is too large"
    );
    assert!(
        declared.is_multiple_of(8),
        "sizes in memory.rs are multiples of 8"
    );
}

/// The size of the store object on this target.
pub(crate) const STORE_SIZE: usize = if size_of::<usize>() == 8 {
    INDELIBLE_STORE_SIZE_64
} else {
    INDELIBLE_STORE_SIZE_32
};

/// The same in words; a macro in the header.
pub(crate) const INDELIBLE_STORE_WORDS: usize = STORE_SIZE / 8;

const _: () = {
    // What is left grows and shrinks with the core.
    checked(STORE_SIZE, crate::handle::NEEDED, 256);
    assert!(align_of::<crate::handle::Handle>() <= 8);
    // A target may align 8-byte words to 4 bytes and so have smaller rows.
    checked(SEGMENT, size_of::<Segment>(), 7);
    checked(INDELIBLE_LOG_SIZE, size_of::<LogState>(), 7);
    checked(INDELIBLE_CHANGE_SIZE, size_of::<Undo>(), 7);
    assert!(align_of::<Segment>() <= 4 && align_of::<LogState>() <= 8 && align_of::<Undo>() <= 8);
};

impl indelible_sizes {
    fn slots(&self) -> usize {
        HashIndex::slots_for(narrow(self.keys))
    }

    /// Bytes of all tables.
    pub(crate) fn bytes(&self) -> u64 {
        let rows = [
            (wide(self.slots()), size_of::<u64>()),
            (self.changes.into(), INDELIBLE_CHANGE_SIZE),
            (self.logs.into(), INDELIBLE_LOG_SIZE),
            (self.segments.into(), SEGMENT),
            (self.ring.into(), size_of::<u32>()),
            // The longest key, and the one that `indelible_next` goes on from.
            (self.key_max.into(), 2),
        ];
        let sum = rows.iter().fold(0u64, |sum, (count, size)| {
            sum.saturating_add(count.saturating_mul(wide(*size)))
        });
        sum.checked_next_multiple_of(8).unwrap_or(u64::MAX)
    }
}

fn narrow(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The lent memory, divided.
pub(crate) struct Divided {
    pub slots: &'static mut [u64],
    pub tables: Memory<'static>,
    /// Room for a key.
    pub key: &'static mut [u8],
    pub run: Run,
}

/// Divides lent memory into tables and makes each row a valid one.
///
/// # Safety
/// `len` bytes are there, which are the result's alone as long as it lives.
pub(crate) unsafe fn divide(
    memory: *mut c_void,
    len: usize,
    sizes: &indelible_sizes,
) -> Result<Divided, indelible_error> {
    let run = check(memory, len, sizes)?;
    let mut rest = Rest {
        at: memory.cast(),
        left: len,
    };
    // SAFETY: within `len` bytes that the caller promises, of which `Rest`
    // gives each byte once; from the strictest alignment to the laxest.
    unsafe {
        let slots = rest.take(sizes.slots(), 0u64)?;
        let undo = rest.take(narrow(sizes.changes), Undo::default())?;
        let logs = rest.take(narrow(sizes.logs), LogState::default())?;
        let segments = rest.take(narrow(sizes.segments), Segment::default())?;
        let ring = rest.take(narrow(sizes.ring), 0u32)?;
        let scratch = rest.take(narrow(sizes.key_max), 0u8)?;
        let key = rest.take(narrow(sizes.key_max), 0u8)?;
        Ok(Divided {
            slots,
            tables: Memory {
                segments,
                logs,
                ring,
                undo,
                scratch,
            },
            key,
            run,
        })
    }
}

fn check(memory: *mut c_void, len: usize, sizes: &indelible_sizes) -> Result<Run, indelible_error> {
    if memory.is_null() {
        return Err(indelible_status::INDELIBLE_ERR_ARGUMENT.into());
    }
    crate::arguments::aligned_to_8(memory.cast_const())?;
    let needed = sizes.bytes();
    if needed > wide(len) {
        let status = indelible_status::INDELIBLE_ERR_MEMORY_TOO_SMALL;
        return Err(indelible_error {
            what: c"memory, in bytes".as_ptr(),
            ..indelible_error::limit(status, needed, wide(len))
        });
    }
    Run::of(memory.cast_const(), len)
}

/// Memory not yet given out.
struct Rest {
    at: *mut u8,
    left: usize,
}

impl Rest {
    /// The next `count` rows, each set to `value`.
    ///
    /// # Safety
    /// `left` bytes at `at` can be written and are nobody else's for `'static`;
    /// `at` is aligned for `T`.
    unsafe fn take<T: Copy>(
        &mut self,
        count: usize,
        value: T,
    ) -> Result<&'static mut [T], indelible_error> {
        let bytes = count.checked_mul(size_of::<T>());
        let Some((bytes, left)) =
            bytes.and_then(|bytes| Some((bytes, self.left.checked_sub(bytes)?)))
        else {
            return Err(indelible_status::INDELIBLE_ERR_MEMORY_TOO_SMALL.into());
        };
        let rows: *mut T = self.at.cast();
        // SAFETY: `count` rows lie within `left` bytes, aligned by the caller's
        // promise, and each is written before the slice exists.
        let rows = unsafe {
            for row in 0..count {
                rows.add(row).write(value);
            }
            core::slice::from_raw_parts_mut(rows, count)
        };
        self.at = self.at.wrapping_add(bytes);
        self.left = left;
        Ok(rows)
    }
}

/// Bytes of memory for these sizes: INDELIBLE_MEMORY_SIZE at run time. 0 where
/// `sizes` is NULL or nothing has room for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_memory_size(sizes: *const indelible_sizes) -> usize {
    // SAFETY: NULL or as the header asks.
    match unsafe { fetch(sizes) } {
        Ok(sizes) => usize::try_from(sizes.bytes()).unwrap_or(0),
        Err(_) => 0,
    }
}
