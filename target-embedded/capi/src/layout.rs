//! What a store is made of: before it is set up, and of one that is there.

use core::ffi::c_void;

use indelible::{Config, Error, Geometry, Layout, Medium, Operation, Order};
use indelible_embedded::factory_reset;

use crate::arguments::{Lent, fetch};
use crate::flash::{Flash, indelible_flash};
use crate::memory::indelible_sizes;
use crate::status::{indelible_error, indelible_status, tell};

/// What a store is made of, and what it is lent. Zero where nothing is said.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct indelible_config {
    /// The flash. Copied: only what `context` points at has to stay.
    pub flash: indelible_flash,
    /// Memory for the store's tables, aligned to 8 bytes: the store's alone
    /// from open to close.
    pub memory: *mut c_void,
    /// Its bytes: at least INDELIBLE_MEMORY_SIZE of `sizes`.
    pub memory_len: usize,
    /// How large its tables are. Tables may be larger than the store needs.
    pub sizes: indelible_sizes,
    /// `INDELIBLE_FLAG_...`, added together.
    pub flags: u32,
    /// The store's id, given at setup and compared at open. Both parts 0 are an
    /// id like any other, but that `indelible_open` takes any store then.
    pub id_high: u64,
    /// The lower half of the id.
    pub id_low: u64,
    /// At setup alone: a random number, another one at each setup of the same
    /// flash. It tells this store's bytes from any earlier one's.
    pub nonce: u64,
    /// At setup alone: bytes of a segment, a multiple of the erase unit; 0 to
    /// have one chosen.
    pub segment_size: u32,
    /// At setup alone: the guaranteed capacity of each log in bytes;
    /// `sizes.logs` of them.
    pub log_capacities: *const u64,
}

/// Flags of a configuration.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum indelible_flag {
    /// Never writes; an image that was not closed is repaired in memory alone.
    INDELIBLE_FLAG_READ_ONLY = 1,
    /// On media that are not ordered each commit syncs its data before its
    /// mark: a fault that undoes whole words of the newest commit is then known
    /// as damage as well.
    INDELIBLE_FLAG_TWO_SYNCS = 2,
    /// `indelible_open_or_setup` sets up over bytes that are no store's too.
    INDELIBLE_FLAG_OVERWRITE = 4,
}

impl indelible_flag {
    pub(crate) fn is_set(self, flags: u32) -> bool {
        flags & self as u32 != 0
    }
}

const FLAGS: u32 = 7;

/// The sizes of a store.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct indelible_layout {
    /// Bytes of flash that the store uses.
    pub capacity: u64,
    /// Bytes of keys and values with their framing that fit.
    pub kv_capacity: u64,
    /// Bytes of a segment.
    pub segment_size: u32,
    /// Segments: for `sizes.segments`.
    pub segments: u32,
    /// Logs: for `sizes.logs`.
    pub logs: u32,
    /// Segments that the logs may span: for `sizes.ring`.
    pub ring: u32,
    /// The longest key that the format allows.
    pub key_max: u32,
    /// The write unit that the store was set up with.
    pub write_unit: u32,
    /// The erase unit that the store was set up with.
    pub erase_unit: u32,
    /// The blank byte that the store was set up with.
    pub blank: u8,
    /// The `indelible_order` that the store was set up with.
    pub order: u8,
}

impl From<Layout> for indelible_layout {
    fn from(layout: Layout) -> Self {
        indelible_layout {
            capacity: layout.geometry.capacity,
            kv_capacity: layout.kv_capacity,
            segment_size: layout.segment_size,
            segments: layout.segments,
            logs: layout.logs,
            ring: layout.ring,
            key_max: layout.key_max,
            write_unit: layout.geometry.write_unit,
            erase_unit: layout.geometry.erase_unit,
            blank: layout.geometry.blank,
            order: (layout.geometry.order == Order::Unordered).into(),
        }
    }
}

impl indelible_config {
    pub(crate) fn id(&self) -> u128 {
        (u128::from(self.id_high) << 64) | u128::from(self.id_low)
    }

    pub(crate) fn read_only(&self) -> bool {
        indelible_flag::INDELIBLE_FLAG_READ_ONLY.is_set(self.flags)
    }

    /// Copies a configuration, and refuses one with unknown flags.
    ///
    /// # Safety
    /// It is NULL or as the header asks.
    pub(crate) unsafe fn fetch(config: *const Self) -> Result<Self, indelible_error> {
        // SAFETY: the caller's promise.
        let config = unsafe { fetch(config)? };
        if config.flags & !FLAGS != 0 {
            return Err(indelible_status::INDELIBLE_ERR_ARGUMENT.into());
        }
        Ok(config)
    }

    /// The capacities of the logs.
    ///
    /// # Safety
    /// As the header asks.
    unsafe fn logs<'a>(&self) -> Result<&'a [u64], indelible_error> {
        let count = usize::try_from(self.sizes.logs).unwrap_or(usize::MAX);
        crate::arguments::aligned(self.log_capacities)?;
        let bytes = count.saturating_mul(size_of::<u64>());
        // SAFETY: the caller's promise, and aligned.
        unsafe {
            Lent::NOTHING.bytes(self.log_capacities.cast(), bytes)?;
            if count == 0 {
                return Ok(&[]);
            }
            Ok(core::slice::from_raw_parts(self.log_capacities, count))
        }
    }

    /// What the core's setup is told.
    ///
    /// # Safety
    /// As the header asks.
    pub(crate) unsafe fn core<'a>(&self) -> Result<Config<'a>, indelible_error> {
        Ok(Config {
            id: self.id(),
            nonce: self.nonce,
            segment_size: Some(self.segment_size).filter(|size| *size != 0),
            // SAFETY: the caller's promise.
            logs: unsafe { self.logs()? },
        })
    }

    /// Makes an empty store.
    ///
    /// # Safety
    /// As the header asks.
    #[inline(never)]
    pub(crate) unsafe fn set_up(&self) -> Result<(), indelible_error> {
        if self.read_only() {
            return Err(indelible_status::INDELIBLE_ERR_READ_ONLY.into());
        }
        let mut flash = Flash::new(&self.flash, false)?;
        // SAFETY: the caller's promise.
        let config = unsafe { self.core()? };
        let layout = factory_reset(&mut flash, &config)?;
        blank_as_told(&flash, &layout)
    }
}

/// The end of the first segment was just erased: it tells whether `blank` is
/// what an erased byte reads as.
fn blank_as_told(flash: &Flash, layout: &Layout) -> Result<(), indelible_error> {
    let mut last = [0u8; 1];
    let at = u64::from(layout.segment_size).saturating_sub(1);
    flash.read(at, &mut last).map_err(|cause| Error::Medium {
        operation: Operation::Read,
        at,
        cause,
    })?;
    let ([found], told) = (last, layout.geometry.blank);
    if found == told {
        return Ok(());
    }
    Err(indelible_error::geometry(
        c"blank byte",
        found.into(),
        told.into(),
    ))
}

/// What `indelible_setup` would make of `config`: sizes for its memory, before
/// there is a store. Touches no flash.
///
/// Errors: INDELIBLE_ERR_GEOMETRY with the limit that is met,
/// INDELIBLE_ERR_ARGUMENT. `error` gets the details; it may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_plan(
    config: *const indelible_config,
    layout: *mut indelible_layout,
    error: *mut indelible_error,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        let planned = || {
            let out = Lent::NOTHING.out(layout)?.required()?;
            let config = indelible_config::fetch(config)?;
            let geometry = Flash::new(&config.flash, false)?.geometry();
            out.set(Layout::plan(geometry, &config.core()?)?.into());
            Ok(())
        };
        tell(planned(), error)
    }
}

/// The layout of the store on a flash: what memory it needs, found at run time.
/// Reads the head of each segment. Only `read` and `capacity` have to be right.
///
/// Errors: INDELIBLE_ERR_NOT_A_STORE, INDELIBLE_ERR_VERSION_UNSUPPORTED,
/// INDELIBLE_ERR_LEDGER_LOST, INDELIBLE_ERR_FLASH_TOO_SMALL,
/// INDELIBLE_ERR_FLASH. `error` gets the details; it may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_survey(
    flash: *const indelible_flash,
    layout: *mut indelible_layout,
    error: *mut indelible_error,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        let surveyed = || {
            let out = Lent::NOTHING.out(layout)?.required()?;
            let flash = Flash::new(&fetch(flash)?, true)?;
            out.set(Layout::read(&flash)?.into());
            Ok(())
        };
        tell(surveyed(), error)
    }
}

/// Makes an empty store on the flash, whatever was there: also the factory
/// reset of a closed one. Erases what is not blank. Uses no memory.
///
/// Power may fail meanwhile: the next `indelible_open_or_setup` finds the old
/// store, whole, or finishes this. `indelible_open` does not.
///
/// Errors: INDELIBLE_ERR_GEOMETRY with the limit that is met,
/// INDELIBLE_ERR_FLASH, INDELIBLE_ERR_ARGUMENT, INDELIBLE_ERR_READ_ONLY.
/// `error` gets the details; it may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_setup(
    config: *const indelible_config,
    error: *mut indelible_error,
) -> indelible_status {
    // SAFETY: as the header asks.
    unsafe {
        let result = indelible_config::fetch(config).and_then(|config| config.set_up());
        tell(result, error)
    }
}

/// Bytes that a key with a value takes of `kv_capacity`, and programs when it
/// is put. 0 where `layout` is NULL or was not made by this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_record_size(
    layout: *const indelible_layout,
    key_len: u32,
    value_len: u64,
) -> u64 {
    // SAFETY: NULL or as the header asks.
    let layout = unsafe { fetch(layout) }.ok().and_then(core_layout);
    layout.map_or(0, |layout| layout.record_len(key_len, value_len))
}

/// How often keys can be updated, all of them together, until the flash has
/// been erased `rated_erases` times: an estimate. `record_size` is that of one
/// key and value, `live_bytes` its sum over all keys. 0 where they do not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_lifetime_updates(
    layout: *const indelible_layout,
    record_size: u64,
    live_bytes: u64,
    rated_erases: u32,
) -> u64 {
    // SAFETY: NULL or as the header asks.
    let layout = unsafe { fetch(layout) }.ok().and_then(core_layout);
    layout.map_or(0, |layout| {
        layout.updates(record_size, live_bytes, rated_erases)
    })
}

/// How many appends of `len` bytes the logs take, all of them together, until
/// the flash has been erased `rated_erases` times: an estimate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn indelible_lifetime_appends(
    layout: *const indelible_layout,
    len: u64,
    rated_erases: u32,
) -> u64 {
    // SAFETY: NULL or as the header asks.
    let layout = unsafe { fetch(layout) }.ok().and_then(core_layout);
    layout.map_or(0, |layout| layout.appends(len, rated_erases))
}

/// The core's layout again: planned anew for the same geometry, so that numbers
/// that nobody made are refused.
fn core_layout(layout: indelible_layout) -> Option<Layout> {
    let geometry = Geometry {
        capacity: layout.capacity,
        write_unit: layout.write_unit,
        erase_unit: layout.erase_unit,
        blank: layout.blank,
        order: match layout.order {
            0 => Order::Ordered,
            _ => Order::Unordered,
        },
    };
    let config = Config {
        id: 0,
        nonce: 0,
        segment_size: Some(layout.segment_size),
        logs: &[],
    };
    let planned = Layout::plan(geometry, &config).ok()?;
    Some(Layout {
        logs: layout.logs,
        ring: layout.ring.min(planned.segments),
        kv_capacity: layout.kv_capacity,
        ..planned
    })
}
