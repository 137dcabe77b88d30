//! sequential-storage: a map without caches.

#![no_std]
#![no_main]

use indelible_nor_sizes::{CAPACITY, Driver, firmware, serve, wait};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

firmware!(main, may_panic);

fn main() -> ! {
    let config = const { MapConfig::new(0..CAPACITY as u32) };
    let mut map = MapStorage::<[u8; 16], _, _>::new(Driver, config, Cache::new_uncached());
    let mut buffer = [0; 128];
    serve(|mail| match mail.operation {
        1 => {
            let value = &mail.bytes[..];
            wait(map.store_item(&mut buffer, &mail.key, &value)).is_ok()
        }
        2 => wait(map.remove_item(&mut buffer, &mail.key)).is_ok(),
        _ => match wait(map.fetch_item::<&[u8]>(&mut buffer, &mail.key)) {
            Ok(Some(value)) if value.len() <= mail.bytes.len() => {
                mail.bytes[..value.len()].copy_from_slice(value);
                true
            }
            _ => false,
        },
    })
}
