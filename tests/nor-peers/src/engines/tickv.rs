//! tickv: hashes as keys, so the key itself goes with the value. It has no
//! update: a key is invalidated, then appended.

use std::cell::Cell;

use tickv::error_codes::ErrorCode;
use tickv::{FlashController, MAIN_KEY};

use crate::engine::{Engine, Fault, Key, Plan, Store, VALUE_MAX, Work};
use crate::nor::Flash;
use crate::shim::SECTOR;

/// Bytes in an entry: the key, the value's length, the value, padding. Where the
/// entries of a region end less than 11 bytes before the region does, it finds
/// none of the keys that went to the next one; with this length they do not.
const ENTRY: usize = 55;

/// tickv.
pub struct Tickv;

struct Controller {
    flash: Flash,
    /// Why the flash refused last: tickv's codes do not say.
    refused: Cell<Option<crate::nor::Refused>>,
}

impl Controller {
    fn note(
        &self,
        outcome: Result<(), crate::nor::Refused>,
        code: ErrorCode,
    ) -> Result<(), ErrorCode> {
        outcome.map_err(|refused| {
            self.refused.set(Some(refused));
            code
        })
    }
}

impl FlashController<SECTOR> for Controller {
    fn read_region(&self, region: usize, buf: &mut [u8; SECTOR]) -> Result<(), ErrorCode> {
        self.note(self.flash.read(region * SECTOR, buf), ErrorCode::ReadFail)
    }

    fn write(&self, address: usize, buf: &[u8]) -> Result<(), ErrorCode> {
        self.note(self.flash.program_bytes(address, buf), ErrorCode::WriteFail)
    }

    fn erase_region(&self, region: usize) -> Result<(), ErrorCode> {
        self.note(
            self.flash.erase(region * SECTOR, SECTOR),
            ErrorCode::EraseFail,
        )
    }
}

/// FNV-1a: any hash of 64 bits will do.
fn hash(key: &[u8]) -> u64 {
    key.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    })
}

struct Open<'a>(tickv::TicKV<'a, Controller, SECTOR>);

impl Open<'_> {
    fn fault(&self, code: ErrorCode) -> Fault {
        match self.0.controller.refused.take() {
            Some(refused) => Fault::Failed(format!("{code:?}: {refused}")),
            None => Fault::of(code),
        }
    }

    /// Appends; collects garbage where there is no room.
    fn insert(&self, key: &Key, entry: &[u8]) -> Result<(), Fault> {
        match self.0.append_key(hash(key), entry) {
            Err(ErrorCode::FlashFull | ErrorCode::RegionFull) => {
                self.0.garbage_collect().map_err(|code| self.fault(code))?;
                self.0.append_key(hash(key), entry)
            }
            other => other,
        }
        .map(|_| ())
        .map_err(|code| self.fault(code))
    }
}

impl Engine for Tickv {
    fn name(&self) -> String {
        "tickv".into()
    }

    fn note(&self) -> &'static str {
        "keys are hashes, so the 16 bytes go with the value, padded to 55, for it cannot find keys behind regions filled to their last 11 bytes; an update is invalidate and append, not atomic; garbage is collected when full; it reads whole regions and programs words again for neighbours"
    }

    fn programs_max(&self) -> u8 {
        u8::MAX
    }

    fn refuses_word(&self, _word: usize) -> Option<&'static str> {
        None
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn has_log(&self) -> bool {
        false
    }

    fn format(&self, flash: &Flash, plan: Plan) -> Result<(), Fault> {
        self.session(flash, plan, &mut |_| Ok(()))
    }

    fn session(&self, flash: &Flash, _plan: Plan, work: &mut Work<'_>) -> Result<(), Fault> {
        let mut region = Box::new([0; SECTOR]);
        let controller = Controller {
            flash: flash.clone(),
            refused: Cell::new(None),
        };
        let capacity = flash.shape().capacity();
        let mut open = Open(tickv::TicKV::new(controller, &mut region, capacity));
        open.0
            .initialise(hash(MAIN_KEY))
            .map_err(|code| open.fault(code))?;
        work(&mut open)
    }
}

impl Store for Open<'_> {
    fn get(&mut self, key: &Key, value: &mut [u8; VALUE_MAX]) -> Result<Option<usize>, Fault> {
        let mut entry = [0; ENTRY];
        match self.0.get_key(hash(key), &mut entry) {
            Ok(_) => {}
            Err(ErrorCode::KeyNotFound) => return Ok(None),
            Err(code) => return Err(self.fault(code)),
        }
        let Some([len, rest @ ..]) = entry.strip_prefix(key) else {
            return Err(Fault::Failed("the entry of another key".into()));
        };
        let Some(found) = rest.get(..usize::from(*len)) else {
            return Err(Fault::Failed(format!("a value of {len} bytes")));
        };
        value[..found.len()].copy_from_slice(found);
        Ok(Some(found.len()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Fault> {
        let mut entry = [&key[..], &[value.len() as u8], value].concat();
        if entry.len() > ENTRY {
            return Err(Fault::Lacks("room for a longer value here"));
        }
        entry.resize(ENTRY, 0);
        match self.0.invalidate_key(hash(key)) {
            Ok(_) | Err(ErrorCode::KeyNotFound) => {}
            Err(code) => return Err(self.fault(code)),
        }
        self.insert(key, &entry)
    }

    fn delete(&mut self, key: &Key) -> Result<(), Fault> {
        match self.0.invalidate_key(hash(key)) {
            Ok(_) => Ok(()),
            Err(code) => Err(self.fault(code)),
        }
    }

    fn ram(&self) -> usize {
        size_of_val(&self.0) + SECTOR
    }
}
