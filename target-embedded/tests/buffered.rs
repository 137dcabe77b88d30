//! A buffer for records: what is read through it, and how much of the device.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use core::cell::Cell;
use indelible::{
    Config, Geometry, HashIndex, Medium, Mode, Order, StaticMemory, Store, ram::Ram, setup,
};
use indelible_embedded::Buffered;

/// A medium that counts the bytes that are read.
struct Counting<'m> {
    ram: Ram<'m>,
    read: Cell<usize>,
}

impl Medium for Counting<'_> {
    type Error = <Ram<'static> as Medium>::Error;

    fn geometry(&self) -> Geometry {
        Geometry {
            write_unit: 4,
            erase_unit: 4096,
            blank: 0xFF,
            order: Order::Ordered,
            ..self.ram.geometry()
        }
    }
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        self.read.set(self.read.get() + buf.len());
        self.ram.read(at, buf)
    }
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error> {
        self.ram.write(at, bytes)
    }
    fn erase(&mut self, at: u64, len: u64) -> Result<(), Self::Error> {
        // The memory below is blank at zero, this medium at 0xFF.
        for at in (at..at + len).step_by(64) {
            self.ram.write(at, &[0xFF; 64])?;
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.ram.flush()
    }
}

#[test]
fn a_get_reads_its_record_once() {
    let mut bytes = vec![0; 16 * 4096];
    let counting = Counting {
        ram: Ram::new(&mut bytes),
        read: Cell::new(0),
    };
    let mut medium = Buffered::<_, 64>::new(counting);
    let config = Config {
        id: 1,
        nonce: 2,
        segment_size: None,
        logs: &[],
    };
    setup(&mut medium, &config).unwrap();
    let mut memory = StaticMemory::<16, 0, 0, 8, 16>::new();
    let mut slots = [0; HashIndex::slots_for(40)];
    let index = HashIndex::new(&mut slots);
    let (mut store, _) = Store::start(medium, index, memory.lend(), None, Mode::ReadWrite).unwrap();
    for round in 0..50u8 {
        for i in 0..20u8 {
            store.put(&[i; 16], &[i ^ round; 32]).unwrap();
        }
    }
    let read =
        |store: &Store<'_, Buffered<Counting<'_>, 64>, _>| store.medium().get_ref().read.get();
    let before = read(&store);
    for i in 0..20u8 {
        let mut value = [0; 32];
        assert_eq!(store.get(&[i; 16], &mut value).unwrap(), Some(32));
        assert_eq!(value, [i ^ 49; 32]);
    }
    let each = (read(&store) - before) / 20;
    assert!(each <= 64, "{each} bytes a get");
    // What is longer than the buffer is read all the same.
    store.put(b"long", &[7; 100]).unwrap();
    let mut value = [0; 100];
    assert_eq!(store.get(b"long", &mut value).unwrap(), Some(100));
    assert_eq!(value, [7; 100]);
}
