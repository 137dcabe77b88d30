//! sequential-storage: a map, or a queue, with all its caches or none.

use sequential_storage::PageState;
use sequential_storage::cache::key_pointers::HeapKeyPointers;
use sequential_storage::cache::page_pointers::HeapPagePointers;
use sequential_storage::cache::page_states::HeapPageStates;
use sequential_storage::cache::{Cache, CacheImpl, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use crate::engine::{Engine, Fault, Key, Plan, RECORD, Store, VALUE_MAX, Work};
use crate::nor::Flash;
use crate::shim::{Driver, wait};

/// The longest item: a key and a value.
const BUFFER: usize = 128;

/// sequential-storage on flash with words of `WORD` bytes.
pub struct Sequential<const WORD: usize> {
    /// Whether it has all of its caches, with a slot for each key.
    pub cached: bool,
}

struct Map<const WORD: usize, C: CacheImpl<Key>> {
    map: MapStorage<Key, Driver<WORD>, C>,
    buffer: [u8; BUFFER],
    caches: usize,
}

struct Queue<const WORD: usize, C: CacheImpl<()>> {
    queue: QueueStorage<Driver<WORD>, C>,
    caches: usize,
}

/// Bytes of the caches on the heap: as their arrays would have.
fn caches(pages: usize, keys: usize) -> usize {
    let states = size_of::<Option<PageState>>() * pages;
    let pointers = 2 * size_of::<Option<std::num::NonZeroU32>>() * pages;
    let keys = size_of::<Option<(Key, std::num::NonZeroU32)>>() * keys;
    states + pointers + keys
}

impl<const WORD: usize> Sequential<WORD> {
    fn map<C: CacheImpl<Key>>(
        flash: &Flash,
        cache: C,
        caches: usize,
        work: &mut Work<'_>,
    ) -> Result<(), Fault> {
        let end = flash.shape().capacity() as u32;
        let config = MapConfig::try_new(0..end).map_err(Fault::of)?;
        work(&mut Map::<WORD, C> {
            map: MapStorage::new(Driver(flash.clone()), config, cache),
            buffer: [0; BUFFER],
            caches,
        })
    }

    fn queue<C: CacheImpl<()>>(
        flash: &Flash,
        cache: C,
        caches: usize,
        work: &mut Work<'_>,
    ) -> Result<(), Fault> {
        let end = flash.shape().capacity() as u32;
        let config = QueueConfig::try_new(0..end).map_err(Fault::of)?;
        work(&mut Queue::<WORD, C> {
            queue: QueueStorage::new(Driver(flash.clone()), config, cache),
            caches,
        })
    }
}

impl<const WORD: usize> Engine for Sequential<WORD> {
    fn name(&self) -> String {
        if self.cached {
            "sequential-storage, cached".into()
        } else {
            "sequential-storage".into()
        }
    }

    fn note(&self) -> &'static str {
        if self.cached {
            "page states, page pointers and a key pointer a key; w4 is its queue, which drops a page at a time"
        } else {
            "no cache; w4 is its queue, which drops a page at a time"
        }
    }

    fn programs_max(&self) -> u8 {
        // Removing clears a word that was programmed: its Multiwrite trait.
        2
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        (word > 32).then_some("words above 32 bytes")
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn has_log(&self) -> bool {
        true
    }

    fn has_both(&self) -> bool {
        false
    }

    fn format(&self, _flash: &Flash, _plan: Plan) -> Result<(), Fault> {
        Ok(())
    }

    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        let pages = flash.shape().sectors;
        let states = HeapPageStates::new(pages);
        let pointers = HeapPagePointers::new(pages);
        match (plan.log, self.cached) {
            (false, false) => Self::map(flash, Cache::new_uncached(), 0, work),
            (false, true) => {
                let keys = HeapKeyPointers::new(plan.keys);
                let cache = Cache::new(states, pointers, keys);
                Self::map(flash, cache, caches(pages, plan.keys), work)
            }
            (true, false) => Self::queue(flash, Cache::new_uncached(), 0, work),
            (true, true) => {
                let cache = Cache::new(states, pointers, Uncached);
                Self::queue(flash, cache, caches(pages, 0), work)
            }
        }
    }
}

impl<const WORD: usize, C: CacheImpl<Key>> Store for Map<WORD, C> {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        let found = wait(self.map.fetch_item::<&[u8]>(&mut self.buffer, key)).map_err(Fault::of)?;
        let Some(found) = found else {
            return Ok(None);
        };
        let Some(place) = value.get_mut(..found.len()) else {
            return Err(Fault::Failed(format!("a value of {} bytes", found.len())));
        };
        place.copy_from_slice(found);
        Ok(Some(found.len()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        wait(self.map.store_item(&mut self.buffer, key, &value)).map_err(Fault::of)
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        wait(self.map.remove_item(&mut self.buffer, key)).map_err(Fault::of)
    }

    fn ram(&self) -> usize {
        size_of_val(&self.map) + BUFFER + self.caches
    }
}

impl<const WORD: usize, C: CacheImpl<()>> Store for Queue<WORD, C> {
    fn get(&mut self, _key: &Key, _value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        Err(Fault::Lacks("keys beside a log"))
    }

    fn put(&mut self, _key: &Key, _value: &[u8]) -> Result<(), Fault> {
        Err(Fault::Lacks("keys beside a log"))
    }

    fn delete(&mut self, _key: &Key) -> Result<(), Fault> {
        Err(Fault::Lacks("keys beside a log"))
    }

    fn append(&mut self, record: &[u8; RECORD]) -> Result<(), Fault> {
        wait(self.queue.push(record, true)).map_err(Fault::of)
    }

    fn records(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Fault> {
        let mut records = wait(self.queue.iter()).map_err(Fault::of)?;
        let mut buffer = [0; BUFFER];
        while let Some(record) = wait(records.next(&mut buffer)).map_err(Fault::of)? {
            visit(&record);
        }
        Ok(())
    }

    fn ram(&self) -> usize {
        size_of_val(&self.queue) + BUFFER + self.caches
    }
}
