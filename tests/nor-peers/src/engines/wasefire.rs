//! wasefire-store: numbers below 4096 as keys, so the key itself goes with the
//! value.

use std::borrow::Cow;

use wasefire_error::{Code, Error};
use wasefire_store::{Storage, StorageIndex, StoreUpdate};

use crate::engine::{Engine, Fault, Key, Plan, Store, VALUE_MAX, Work, number};
use crate::nor::Flash;

/// wasefire-store.
pub struct Wasefire;

struct Driver(Flash);

impl Storage for Driver {
    fn word_size(&self) -> usize {
        self.0.shape().word
    }

    fn page_size(&self) -> usize {
        self.0.shape().sector
    }

    fn num_pages(&self) -> usize {
        self.0.shape().sectors
    }

    fn max_word_writes(&self) -> usize {
        2
    }

    fn max_page_erases(&self) -> usize {
        10_000
    }

    fn read_slice(&self, index: StorageIndex, length: usize) -> Result<Cow<'_, [u8]>, Error> {
        let mut bytes = vec![0; length];
        let at = index.range(length, self)?.start;
        self.0.read(at, &mut bytes).map_err(|_| fault())?;
        Ok(bytes.into())
    }

    fn write_slice(&mut self, index: StorageIndex, value: &[u8]) -> Result<(), Error> {
        let at = index.range(value.len(), self)?.start;
        self.0.program(at, value).map_err(|_| fault())
    }

    fn erase_page(&mut self, page: usize) -> Result<(), Error> {
        let size = self.page_size();
        self.0.erase(page * size, size).map_err(|_| fault())
    }
}

fn fault() -> Error {
    Error::world(Code::Generic)
}

struct Open {
    store: wasefire_store::Store<Driver>,
    keys: usize,
}

/// A key and its value in one piece.
fn entry(key: &Key, value: &[u8]) -> Vec<u8> {
    [key, value].concat()
}

impl Engine for Wasefire {
    fn name(&self) -> String {
        "wasefire-store".into()
    }

    fn note(&self) -> &'static str {
        "keys are numbers below 4096, so the 16 bytes go with the value; each read allocates; RAM with 2 bytes an entry"
    }

    fn programs_max(&self) -> u8 {
        2
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        (word != 4).then_some("words but of 4 bytes")
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn has_log(&self) -> bool {
        false
    }

    fn format(&self, flash: &Flash, _plan: Plan) -> Result<(), Fault> {
        open(flash).map(|_| ())
    }

    fn session(&self, flash: &Flash, plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        let store = open(flash)?;
        let keys = plan.keys;
        work(&mut Open { store, keys })
    }
}

fn open(flash: &Flash) -> Result<wasefire_store::Store<Driver>, Fault> {
    wasefire_store::Store::new(Driver(flash.clone())).map_err(|(error, _)| Fault::of(error))
}

impl Store for Open {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        let Some(found) = self.store.find(number(key)).map_err(Fault::of)? else {
            return Ok(None);
        };
        let Some(found) = found.strip_prefix(key) else {
            return Err(Fault::Failed("the entry of another key".into()));
        };
        let Some(place) = value.get_mut(..found.len()) else {
            return Err(Fault::Failed(format!("a value of {} bytes", found.len())));
        };
        place.copy_from_slice(found);
        Ok(Some(found.len()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        let entry = entry(key, value);
        self.store.insert(number(key), &entry).map_err(Fault::of)
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        self.store.remove(number(key)).map_err(Fault::of)
    }

    fn put_all(&mut self, changes: &[(Key, Vec<u8>)]) -> Result<(), Fault> {
        let updates: Vec<StoreUpdate<Vec<u8>>> = changes
            .iter()
            .map(|(key, value)| StoreUpdate::Insert {
                key: number(key),
                value: entry(key, value),
            })
            .collect();
        self.store.transaction(&updates).map_err(Fault::of)
    }

    fn ram(&self) -> usize {
        size_of_val(&self.store) + self.keys * size_of::<u16>()
    }
}
