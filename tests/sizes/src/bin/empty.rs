//! The same program without a store: what the others' figures have besides it.

#![no_std]
#![no_main]

use indelible::Medium;
use indelible_sizes::{Flash, firmware, serve};

firmware!(main);

fn main() -> ! {
    let mut flash = Flash;
    serve(|mail| {
        let outcome = match mail.operation {
            1 => flash.write(mail.position, &mail.bytes),
            2 => flash.erase(mail.position, mail.position),
            3 => flash.flush(),
            _ => flash.read(mail.position, &mut mail.bytes),
        };
        outcome.is_ok()
    })
}
