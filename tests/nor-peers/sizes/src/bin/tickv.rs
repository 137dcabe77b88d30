//! tickv: keys.

#![no_std]
#![no_main]

use indelible_nor_sizes::{CAPACITY, SECTOR, erase, firmware, hash, program, read, serve};
use tickv::{ErrorCode, FlashController, MAIN_KEY, TicKV};

firmware!(main, may_panic);

static mut REGION: [u8; SECTOR] = [0; SECTOR];

struct Controller;

impl FlashController<SECTOR> for Controller {
    fn read_region(&self, region: usize, buf: &mut [u8; SECTOR]) -> Result<(), ErrorCode> {
        read(region * SECTOR, buf).map_err(|_| ErrorCode::ReadFail)
    }

    fn write(&self, address: usize, buf: &[u8]) -> Result<(), ErrorCode> {
        // Whole words: what stands around the bytes is written again.
        let mut at = address;
        for part in buf.chunks(4) {
            let mut padded = [0xFF; 8];
            let begin = at & !3;
            read(begin, &mut padded).map_err(|_| ErrorCode::ReadFail)?;
            padded[at - begin..][..part.len()].copy_from_slice(part);
            program(begin, &padded).map_err(|_| ErrorCode::WriteFail)?;
            at += part.len();
        }
        Ok(())
    }

    fn erase_region(&self, region: usize) -> Result<(), ErrorCode> {
        erase(region * SECTOR, SECTOR).map_err(|_| ErrorCode::EraseFail)
    }
}

fn main() -> ! {
    // SAFETY: the only reference.
    let region = unsafe { &mut *core::ptr::addr_of_mut!(REGION) };
    let store = TicKV::<_, SECTOR>::new(Controller, region, CAPACITY);
    let _ = store.initialise(hash(MAIN_KEY));
    serve(|mail| {
        let key = hash(&mail.key);
        match mail.operation {
            1 => store.append_key(key, &mail.bytes).is_ok(),
            2 => store.invalidate_key(key).is_ok(),
            3 => store.garbage_collect().is_ok(),
            _ => store.get_key(key, &mut mail.bytes).is_ok(),
        }
    })
}
