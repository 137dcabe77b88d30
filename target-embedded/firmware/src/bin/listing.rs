//! Opens whatever store the flash holds, as it is, and prints all of it: an
//! image that a host made, or another example.
//!
//! Each line is `key KEY VALUE`, `element KEY INDEX ELEMENT` or `log NUMBER HEAD
//! TAIL BYTES`, in hexadecimal. Then the program puts a key of its own and
//! appends to each log, so that the host can see that it could write.

#![no_std]
#![no_main]

use indelible::{Error, HashIndex, Layout, Mode, StaticMemory, Store};
use indelible_embedded::Nor;
use indelible_firmware::flash::{self, Driver};
use indelible_firmware::{Failure, entry, finish, print, println};
use static_cell::ConstStaticCell;

/// Room for any store on this flash with up to 4 logs and keys of 256 bytes.
static MEMORY: ConstStaticCell<StaticMemory<64, 4, 56, 8, 256>> =
    ConstStaticCell::new(StaticMemory::new());
static SLOTS: ConstStaticCell<[u64; HashIndex::slots_for(4096)]> =
    ConstStaticCell::new([0; HashIndex::slots_for(4096)]);

/// Bytes printed at a time.
const PIECE: usize = 256;

type Found = Store<'static, Nor<Driver>, HashIndex<'static>>;

#[entry]
fn main() -> ! {
    finish(run())
}

fn run() -> Result<(), Failure> {
    let medium = Nor::new(flash::take()?)?;
    let layout = Layout::read(&medium)?;
    println!("# segments {} of {}", layout.segments, layout.segment_size);
    let index = HashIndex::new(SLOTS.take());
    let lent = MEMORY.take().lend();
    let (mut store, report) = Store::start(medium, index, lent, None, Mode::ReadWrite)?;
    println!("# clean {}, damaged {}", report.clean, report.damaged);
    list_keys(&store)?;
    for log in 0..store.log_count() {
        list_log(&store, log)?;
    }
    let checked = store.check(&mut |finding| println!("# {finding:?}"))?;
    if checked.damaged > 0 {
        return Err(Failure::Wrong("damage"));
    }
    store.put(b"seen by firmware", b"yes")?;
    for log in 0..store.log_count() {
        store.append(log, b"seen by firmware\n")?;
    }
    flash::keep(&store.close()?.into_inner())?;
    Ok(())
}

fn hex(bytes: &[u8]) {
    for byte in bytes {
        print!("{byte:02x}");
    }
}

fn list_keys(store: &Found) -> Result<(), Failure> {
    let mut key = [0; 256];
    let mut scan = store.scan(b"");
    while let Some(entry) = scan.next(&mut key)? {
        print!("key ");
        hex(entry.key);
        print!(" ");
        let (mut at, mut piece) = (0, [0; PIECE]);
        while at < entry.value_len {
            let len = store.read_value(entry.key, at, &mut piece)?;
            let len = len.ok_or(Error::NotFound)?;
            hex(&piece[..len]);
            at += len as u64;
        }
        println!();
        for element in 0..store.list_len(entry.key)?.unwrap_or(0) {
            let len = store.list_read(entry.key, element, &mut piece)?;
            print!("element ");
            hex(entry.key);
            print!(" {element} ");
            hex(&piece[..len.unwrap_or(0)]);
            println!();
        }
    }
    Ok(())
}

fn list_log(store: &Found, log: usize) -> Result<(), Failure> {
    let span = store.get_head_tail_and_capacity(log)?;
    print!("log {log} {} {} ", span.head, span.tail);
    let (mut at, mut piece) = (span.head, [0; PIECE]);
    while at < span.tail {
        let len = (span.tail - at).min(PIECE as u64) as usize;
        store.read(log, at, &mut piece[..len])?;
        hex(&piece[..len]);
        at += len as u64;
    }
    println!();
    Ok(())
}
