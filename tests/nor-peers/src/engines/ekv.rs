//! ekv: a log-structured merge tree, with its checksums on.

use ekv::flash::{Flash as Pages, PageID};
use ekv::{Config, Database, ReadError};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;

use crate::engine::{Engine, Fault, Key, Plan, Store, VALUE_MAX, Work};
use crate::nor::{Flash, Refused};
use crate::shim::{SECTOR, wait};

/// ekv.
pub struct Ekv;

struct Driver(Flash);

impl Pages for Driver {
    type Error = Refused;

    fn page_count(&self) -> usize {
        self.0.shape().sectors
    }

    async fn erase(&mut self, page: PageID) -> Result<(), Refused> {
        self.0.erase(page.index() * SECTOR, SECTOR)
    }

    async fn read(&mut self, page: PageID, at: usize, data: &mut [u8]) -> Result<(), Refused> {
        self.0.read(page.index() * SECTOR + at, data)
    }

    async fn write(&mut self, page: PageID, at: usize, data: &[u8]) -> Result<(), Refused> {
        self.0.program(page.index() * SECTOR + at, data)
    }
}

type Open = Database<Driver, NoopRawMutex>;

fn open(flash: &Flash) -> Open {
    let mut config = Config::default();
    // It levels wear by this: another one at each start, the same in each run.
    config.random_seed = flash.counts().reads as u32;
    Database::new(Driver(flash.clone()), config)
}

impl Engine for Ekv {
    fn name(&self) -> String {
        "ekv".into()
    }

    fn note(&self) -> &'static str {
        "crc on, 64 pages, keys of 16 and values of 64 bytes at most, the rest as it comes; without the memory of a transaction"
    }

    fn refuses_word(&self, word: usize) -> Option<&'static str> {
        (word > 4).then_some("words above 4 bytes")
    }

    fn has_transactions(&self) -> bool {
        true
    }

    fn has_log(&self) -> bool {
        false
    }

    fn format(&self, flash: &Flash, _plan: Plan) -> Result<(), Fault> {
        wait(open(flash).format()).map_err(Fault::of)
    }

    fn session(&self, flash: &Flash, _plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        let mut database = open(flash);
        wait(database.mount()).map_err(Fault::of)?;
        work(&mut database)
    }
}

impl Store for Open {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        wait(async {
            match self.read_transaction().await.read(key, value).await {
                Ok(len) => Ok(Some(len)),
                Err(ReadError::KeyNotFound) => Ok(None),
                Err(other) => Err(Fault::of(other)),
            }
        })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        wait(async {
            let mut transaction = self.write_transaction().await;
            transaction.write(key, value).await.map_err(Fault::of)?;
            transaction.commit().await.map_err(Fault::of)
        })
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        wait(async {
            let mut transaction = self.write_transaction().await;
            transaction.delete(key).await.map_err(Fault::of)?;
            transaction.commit().await.map_err(Fault::of)
        })
    }

    fn put_all(&mut self, changes: &[(Key, Vec<u8>)]) -> Result<(), Fault> {
        let mut sorted: Vec<_> = changes.iter().collect();
        sorted.sort();
        wait(async {
            let mut transaction = self.write_transaction().await;
            for (key, value) in sorted {
                transaction.write(key, value).await.map_err(Fault::of)?;
            }
            transaction.commit().await.map_err(Fault::of)
        })
    }

    fn ram(&self) -> usize {
        size_of::<Open>()
    }
}
