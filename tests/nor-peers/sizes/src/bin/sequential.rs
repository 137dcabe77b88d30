//! sequential-storage: a map and a queue, without caches, each in half of the
//! flash.

#![no_std]
#![no_main]

use indelible_nor_sizes::{CAPACITY, Driver, firmware, serve, wait};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};

firmware!(main, may_panic);

const HALF: u32 = CAPACITY as u32 / 2;

fn main() -> ! {
    let config = const { MapConfig::new(0..HALF) };
    let mut map = MapStorage::<[u8; 16], _, _>::new(Driver, config, Cache::new_uncached());
    let config = const { QueueConfig::new(HALF..2 * HALF) };
    let mut queue = QueueStorage::new(Driver, config, Cache::new_uncached());
    let mut buffer = [0; 128];
    serve(|mail| match mail.operation {
        1 => {
            let value = &mail.bytes[..];
            wait(map.store_item(&mut buffer, &mail.key, &value)).is_ok()
        }
        2 => wait(map.remove_item(&mut buffer, &mail.key)).is_ok(),
        3 => match wait(map.fetch_item::<&[u8]>(&mut buffer, &mail.key)) {
            Ok(Some(value)) if value.len() <= mail.bytes.len() => {
                mail.bytes[..value.len()].copy_from_slice(value);
                true
            }
            _ => false,
        },
        4 => wait(queue.push(&mail.bytes, true)).is_ok(),
        5 => matches!(wait(queue.pop(&mut mail.bytes)), Ok(Some(_))),
        _ => matches!(wait(queue.peek(&mut mail.bytes)), Ok(Some(_))),
    })
}
