//! A store of a page, right on both kinds of media, with faults to switch on.
//! It judges the explorer: every fault must be found, and none without one.

use crate::script::{Op, Step};
use crate::sim::Sim;
use crate::spec::{Contents, Item, Refusal};
use crate::subject::{Failure, Leave, Opened, Started, Subject, Work};
use indelible::{Geometry, Medium, Order};

/// What is wrong with a toy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// A put returns before it is durable.
    NoFlush,
    /// Records are not checked.
    NoChecksum,
    /// What is found first is what counts, not what is newest.
    Oldest,
    /// Records go right behind what may be half-written.
    NoFreshSector,
    /// What was found is not written again before it is relied on.
    NoCopy,
    /// What is found is believed before it is durable.
    Credulous,
    /// A failed flush is taken for a good one.
    IgnoreFlush,
    /// Setting up leaves what was there.
    IdleSetup,
    /// A torn record is taken for damage.
    TornIsDamage,
}

/// One key, `k`, whose value is eight bytes. Records of 16 bytes, or a write
/// unit, are appended: value, ordinal, checksum. Opening erases the sector
/// after the newest record and goes on there, with a copy of that record.
pub struct Toy(pub Fault);

const LEN: usize = 16;
/// A value that says that there is none.
const ABSENT: [u8; 8] = [0; 8];

struct Page<'s> {
    fault: Fault,
    sim: &'s mut Sim,
    next: u64,
    ordinal: u32,
    value: Option<[u8; 8]>,
    damaged: u64,
}

impl Subject for Toy {
    fn setup(&self, sim: &mut Sim) -> Result<(), Failure> {
        if self.0 == Fault::IdleSetup {
            return Ok(());
        }
        let mut page = Page::new(self.0, sim);
        page.open()?;
        page.put(ABSENT)
    }

    fn session(&self, sim: &mut Sim, work: &mut Work<'_>) -> Result<(), Failure> {
        let mut page = Page::new(self.0, sim);
        page.open()?;
        let started = Started {
            damaged: page.damaged,
            ..Started::default()
        };
        let _: Leave = work(&mut page, &started)?;
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x1234_5678, |sum, byte| {
        (sum ^ u32::from(*byte))
            .wrapping_mul(0x0100_0193)
            .rotate_left(5)
    })
}

impl<'s> Page<'s> {
    fn new(fault: Fault, sim: &'s mut Sim) -> Self {
        Self {
            fault,
            sim,
            next: 0,
            ordinal: 0,
            value: None,
            damaged: 0,
        }
    }

    fn len(&self) -> u64 {
        u64::from(self.sim.geometry().write_unit).max(LEN as u64)
    }

    fn sector(&self) -> u64 {
        u64::from(self.sim.geometry().erase_unit)
    }

    fn open(&mut self) -> Result<(), Failure> {
        if self.fault != Fault::Credulous {
            self.sim.flush()?;
        }
        let Geometry {
            capacity, blank, ..
        } = self.sim.geometry();
        let mut bytes = [0; LEN];
        let mut behind = 0;
        for at in (0..capacity).step_by(self.len() as usize) {
            self.sim.read(at, &mut bytes)?;
            if bytes == [blank; LEN] {
                continue;
            }
            if self.fault == Fault::Credulous {
                behind = at + self.len();
            }
            let (ordinal, sum) = (word(&bytes, 8), word(&bytes, 12));
            if checksum(&bytes[..12]) != sum && self.fault != Fault::NoChecksum {
                self.damaged += u64::from(self.fault == Fault::TornIsDamage);
                continue;
            }
            if ordinal > self.ordinal && (self.fault != Fault::Oldest || self.ordinal == 0) {
                self.ordinal = ordinal;
                let mut value = [0; 8];
                value.copy_from_slice(&bytes[..8]);
                self.value = Some(value);
                behind = at + self.len();
            }
        }
        self.next = behind;
        if !matches!(self.fault, Fault::NoFreshSector | Fault::Credulous) {
            self.next_sector()?;
        }
        match self.value {
            Some(value) if !matches!(self.fault, Fault::NoCopy | Fault::Credulous) => {
                self.put(value)
            }
            _ => Ok(()),
        }
    }

    fn next_sector(&mut self) -> Result<(), Failure> {
        self.next =
            self.next.div_ceil(self.sector()) * self.sector() % self.sim.geometry().capacity;
        self.sim.erase(self.next, self.sector())?;
        self.sim.flush()?;
        Ok(())
    }

    fn put(&mut self, value: [u8; 8]) -> Result<(), Failure> {
        if self.next.is_multiple_of(self.sector()) {
            self.next_sector()?;
        }
        self.ordinal = self.ordinal.wrapping_add(1);
        let mut record = vec![self.sim.geometry().blank; self.len() as usize];
        record[..8].copy_from_slice(&value);
        record[8..12].copy_from_slice(&self.ordinal.to_le_bytes());
        let sum = checksum(&record[..12]);
        record[12..16].copy_from_slice(&sum.to_le_bytes());
        self.sim.write(self.next, &record)?;
        self.next += self.len();
        match self.fault {
            Fault::NoFlush => {}
            Fault::IgnoreFlush => drop(self.sim.flush()),
            _ => self.sim.flush()?,
        }
        self.value = Some(value);
        Ok(())
    }
}

fn word(bytes: &[u8; LEN], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Opened for Page<'_> {
    fn apply(&mut self, op: &Op) -> Result<Vec<Result<(), Refusal>>, Failure> {
        for step in op.steps() {
            let Step::Put { value, .. } = step else {
                panic!("toys only put")
            };
            let mut eight = [0; 8];
            eight.copy_from_slice(value);
            self.put(eight)?;
        }
        Ok(vec![Ok(()); op.steps().len()])
    }

    fn contents(&mut self, _: &[Vec<u8>]) -> Result<Contents, Failure> {
        let mut contents = Contents::empty(0);
        if let Some(value) = self.value.filter(|value| *value != ABSENT) {
            let item = Item {
                value: value.to_vec(),
                list: Vec::new(),
            };
            contents.items.insert(b"k".to_vec(), item);
        }
        Ok(contents)
    }

    fn sim(&self) -> &Sim {
        self.sim
    }
}

/// A geometry for toys.
pub fn geometry(order: Order, write_unit: u32) -> Geometry {
    Geometry {
        capacity: 4096,
        write_unit,
        erase_unit: 1024,
        blank: 0xFF,
        order,
    }
}
