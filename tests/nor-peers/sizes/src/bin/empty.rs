//! The same program without a store: what the others' figures have besides it.

#![no_std]
#![no_main]

use indelible_nor_sizes::{erase, firmware, program, read, serve};

firmware!(main, may_panic);

fn main() -> ! {
    serve(|mail| {
        let at = mail.position as usize;
        match mail.operation {
            1 => program(at, &mail.bytes),
            2 => erase(at, mail.log),
            _ => read(at, &mut mail.bytes),
        }
        .is_ok()
    })
}
