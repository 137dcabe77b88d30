//! The API called from Rust, so that Miri can watch it: what a callback that
//! calls back may alias, where lent memory goes, what a copy of an object is.
//!
//! `cargo +nightly miri test -p indelible-capi --test soundness` (with
//! MIRIFLAGS=-Zmiri-permissive-provenance: callbacks hand pointers on).

#![allow(clippy::indexing_slicing)]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use indelible_capi::indelible_status::*;
use indelible_capi::*;

const SEGMENT: usize = 1024;
const SEGMENTS: usize = 12;
const WORDS: usize = size_of::<indelible_store>() / 8;

/// What the callbacks work on.
struct Device {
    bytes: Vec<u8>,
    /// The store that `read` calls back into, and what it answers.
    store: *mut indelible_store,
    answer: Option<indelible_status>,
}

unsafe extern "C" fn read(device: *mut c_void, at: u64, buffer: *mut c_void, len: usize) -> c_int {
    // SAFETY: the test's device, and the library's buffer.
    unsafe {
        let device = device.cast::<Device>();
        if !(*device).store.is_null() {
            let answer = indelible_put((*device).store, c"k".as_ptr().cast(), 1, null(), 0);
            (*device).answer = Some(answer);
            let mut error = MaybeUninit::uninit();
            assert_eq!(
                indelible_last_error((*device).store, error.as_mut_ptr()),
                INDELIBLE_ERR_BUSY
            );
        }
        let bytes = &(&(*device).bytes)[at as usize..][..len];
        buffer.cast::<u8>().copy_from(bytes.as_ptr(), len);
    }
    0
}

unsafe extern "C" fn program(
    device: *mut c_void,
    at: u64,
    data: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: the test's device, and the library's data.
    unsafe {
        let device = device.cast::<Device>();
        let data = std::slice::from_raw_parts(data.cast::<u8>(), len);
        (&mut (*device).bytes)[at as usize..][..len].copy_from_slice(data);
    }
    0
}

unsafe extern "C" fn erase(device: *mut c_void, at: u64, len: usize) -> c_int {
    // SAFETY: the test's device.
    unsafe {
        let device = device.cast::<Device>();
        (&mut (*device).bytes)[at as usize..][..len].fill(0xFF);
    }
    0
}

unsafe extern "C" fn visit(store: *mut c_void, entry: *const indelible_entry) -> c_int {
    // SAFETY: the entry is there, and the store is the one that is scanned.
    unsafe {
        let key = std::slice::from_raw_parts((*entry).key.cast::<u8>(), (*entry).key_len);
        let value = std::slice::from_raw_parts((*entry).value.cast::<u8>(), (*entry).value_len);
        assert_eq!((key, value), (&b"a"[..], &b"value"[..]));
        assert_eq!(indelible_close(store.cast()), INDELIBLE_ERR_BUSY);
    }
    0
}

fn text(text: &str) -> *const c_void {
    text.as_ptr().cast()
}

fn configuration(device: *mut Device, memory: &mut [MaybeUninit<u64>]) -> indelible_config {
    indelible_config {
        flash: indelible_flash {
            context: device.cast(),
            read: Some(read),
            program: Some(program),
            erase: Some(erase),
            sync: None,
            capacity: (SEGMENT * SEGMENTS) as u64,
            write_unit: 4,
            erase_unit: SEGMENT as u32,
            blank: 0xFF,
            order: 0,
        },
        memory_len: std::mem::size_of_val(memory),
        memory: memory.as_mut_ptr().cast(),
        sizes: indelible_sizes {
            segments: SEGMENTS as u32,
            logs: 0,
            ring: 0,
            keys: 8,
            changes: 4,
            key_max: 8,
        },
        flags: 0,
        id_high: 0,
        id_low: 0,
        nonce: 1,
        segment_size: 0,
        log_capacities: null(),
    }
}

#[test]
fn lent_memory_and_calls_from_callbacks() {
    let device = Box::into_raw(Box::new(Device {
        bytes: vec![0xFF; SEGMENT * SEGMENTS],
        store: null_mut(),
        answer: None,
    }));
    // Never written before it is lent.
    let mut memory = vec![MaybeUninit::<u64>::uninit(); 120];
    let config = configuration(device, &mut memory);
    // SAFETY: zero is a closed store; pointers are those of live objects, used
    // by one call at a time but where that is what is tested.
    unsafe {
        let store = Box::into_raw(Box::new(MaybeUninit::<indelible_store>::zeroed()));
        let store: *mut indelible_store = store.cast();
        assert_eq!(
            indelible_open_or_setup(store, &config, null_mut()),
            INDELIBLE_OK
        );
        assert_eq!(
            indelible_put(store, text("a"), 1, text("value"), 5),
            INDELIBLE_OK
        );

        (*device).store = store;
        let mut value = [MaybeUninit::<u8>::uninit(); 8];
        let mut len = 0;
        let got = indelible_get(store, text("a"), 1, value.as_mut_ptr().cast(), 8, &mut len);
        assert_eq!((got, len), (INDELIBLE_OK, 5));
        assert_eq!((*device).answer, Some(INDELIBLE_ERR_BUSY));
        (*device).store = null_mut();

        let (mut key, mut value) = ([0u8; 8], [0u8; 8]);
        let scanned = indelible_scan(
            store,
            null(),
            0,
            key.as_mut_ptr().cast(),
            8,
            value.as_mut_ptr().cast(),
            8,
            Some(visit),
            store.cast(),
        );
        assert_eq!(scanned, INDELIBLE_OK);
        let mut key_len = 0;
        let next = |len| {
            indelible_next(
                store,
                null(),
                0,
                key.as_mut_ptr().cast(),
                8,
                len,
                null_mut(),
            )
        };
        let mut next = next;
        assert_eq!((next(&mut key_len), key_len), (INDELIBLE_OK, 1));
        assert_eq!(next(&mut key_len), INDELIBLE_NOT_FOUND);

        // One of two neighbours is aligned to 16 bytes, the other to 8 alone.
        let mut copies = [const { MaybeUninit::<[u64; WORDS]>::uninit() }; 2];
        for at in 0..2 {
            let copy = copies.as_mut_ptr().cast::<u64>().add(at);
            copy.copy_from(store.cast(), WORDS);
            assert_eq!(
                indelible_exists(copy.cast(), text("a"), 1),
                INDELIBLE_ERR_NOT_OPEN
            );
        }

        assert_eq!(indelible_close(store), INDELIBLE_OK);
        // The memory is the caller's again.
        memory.fill(MaybeUninit::new(u64::MAX));
        assert_eq!(
            indelible_exists(store, text("a"), 1),
            INDELIBLE_ERR_NOT_OPEN
        );
        let config = configuration(device, &mut memory);
        assert_eq!(indelible_open(store, &config, null_mut()), INDELIBLE_OK);
        assert_eq!(indelible_exists(store, text("a"), 1), INDELIBLE_OK);
        assert_eq!(indelible_delete(store, text("a"), 1), INDELIBLE_OK);
        assert_eq!(indelible_close(store), INDELIBLE_OK);
        drop(Box::from_raw(store.cast::<MaybeUninit<indelible_store>>()));
        drop(Box::from_raw(device));
    }
}
