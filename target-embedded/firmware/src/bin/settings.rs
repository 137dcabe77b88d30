//! Typed settings under keys: what a device knows about itself. Each boot
//! counts itself, changes the volume and loses power without a word.

#![no_std]
#![no_main]

use indelible::{Config, HashIndex, StaticMemory};
use indelible_embedded::{Nor, TypedGet, TypedPut, open_or_setup};
use indelible_firmware::flash::{self, SECTOR};
use indelible_firmware::{Failure, entry, finish, println};
use serde::{Deserialize, Serialize};
use static_cell::ConstStaticCell;

/// How the device finds its network.
#[derive(Debug, Serialize, Deserialize)]
struct Network<'a> {
    name: &'a str,
    address: [u8; 4],
    dynamic: bool,
}

/// Names this store, so that no other is taken for it.
const ID: u128 = 0x5E77_1465;

/// 64 segments, no logs, 8 changes in a transaction, keys of up to 32 bytes.
static MEMORY: ConstStaticCell<StaticMemory<64, 0, 0, 8, 32>> =
    ConstStaticCell::new(StaticMemory::new());
/// Room for 32 keys.
static SLOTS: ConstStaticCell<[u64; HashIndex::slots_for(32)]> =
    ConstStaticCell::new([0; HashIndex::slots_for(32)]);

#[entry]
fn main() -> ! {
    finish(run())
}

fn run() -> Result<(), Failure> {
    let mut medium = Nor::new(flash::take()?)?;
    let config = Config {
        id: ID,
        // Tells this store's bytes from those of an earlier one: take it from
        // the chip's random numbers.
        nonce: 0x5EED,
        segment_size: Some(SECTOR as u32),
        logs: &[],
    };
    let index = HashIndex::new(SLOTS.take());
    let memory = MEMORY.take().lend();
    let (mut store, report, found) = open_or_setup(&mut medium, index, memory, &config)?;
    println!("{found:?}, clean {}", report.clean);

    // Values are encoded and decoded here.
    let mut buffer = [0; 64];
    if !store.contains(b"network")? {
        let factory = Network {
            name: "workshop",
            address: [192, 168, 7, 1],
            dynamic: true,
        };
        store.put_value(b"network", &factory, &mut buffer)?;
    }
    let network: Option<Network<'_>> = store.get_value(b"network", &mut buffer)?;
    println!("{:?}", network.ok_or(Failure::Wrong("no network"))?);

    let boots: u32 = store.get_value(b"boots", &mut buffer)?.unwrap_or(0) + 1;
    let volume: u8 = store.get_value(b"volume", &mut buffer)?.unwrap_or(50);
    println!("boot {boots}, volume {volume}");

    // Both or none.
    let mut transaction = store.transaction();
    transaction.put_value(b"boots", &boots, &mut buffer)?;
    transaction.put_value(b"volume", &(volume + 5), &mut buffer)?;
    transaction.commit()?;

    // The power goes: what was acknowledged is in the flash.
    drop(store);
    flash::keep(&medium.into_inner())?;
    Ok(())
}
