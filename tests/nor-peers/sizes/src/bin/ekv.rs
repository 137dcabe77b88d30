//! ekv: keys and transactions over them.

#![no_std]
#![no_main]

use ekv::flash::PageID;
use ekv::{Config, Database};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use indelible_nor_sizes::{Fault, SECTOR, SEGMENTS, erase, firmware, program, read, serve, wait};

firmware!(main, may_panic);

struct Pages;

impl ekv::flash::Flash for Pages {
    type Error = Fault;

    fn page_count(&self) -> usize {
        SEGMENTS
    }

    async fn erase(&mut self, page: PageID) -> Result<(), Fault> {
        erase(page.index() * SECTOR, SECTOR)
    }

    async fn read(&mut self, page: PageID, at: usize, data: &mut [u8]) -> Result<(), Fault> {
        read(page.index() * SECTOR + at, data)
    }

    async fn write(&mut self, page: PageID, at: usize, data: &[u8]) -> Result<(), Fault> {
        program(page.index() * SECTOR + at, data)
    }
}

fn main() -> ! {
    let database = Database::<_, NoopRawMutex>::new(Pages, Config::default());
    if wait(database.mount()).is_err() {
        let _ = wait(database.format());
    }
    serve(|mail| {
        wait(async {
            match mail.operation {
                1 => {
                    let mut transaction = database.write_transaction().await;
                    let written = transaction.write(&mail.key, &mail.bytes).await;
                    written.is_ok() && transaction.commit().await.is_ok()
                }
                2 => {
                    let mut transaction = database.write_transaction().await;
                    let deleted = transaction.delete(&mail.key).await;
                    deleted.is_ok() && transaction.commit().await.is_ok()
                }
                _ => {
                    let transaction = database.read_transaction().await;
                    transaction.read(&mail.key, &mut mail.bytes).await.is_ok()
                }
            }
        })
    })
}
