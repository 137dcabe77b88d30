//! The part of a device that a medium lives on.

use crate::error::Error;
use core::fmt;
use core::ops::Range;
use indelible::{Geometry, Order};

/// Write and read sizes that work are powers of two up to this.
pub(crate) const UNIT_MAX: usize = 512;

/// Why a device, or a part of it, cannot carry a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misfit {
    /// The range is empty, or passes the device.
    OutOfRange {
        /// Its first byte.
        from: u32,
        /// The byte behind its last one.
        to: u32,
        /// Bytes of the device.
        capacity: usize,
    },
    /// The range does not start and end at an erase unit.
    Unaligned {
        /// Its first byte.
        from: u32,
        /// The byte behind its last one.
        to: u32,
        /// Bytes of an erase unit.
        erase_unit: u32,
    },
    /// Another partition has some of the range.
    Overlap {
        /// The first byte of the other.
        from: u32,
        /// The byte behind its last one.
        to: u32,
    },
    /// A device is divided into more partitions than are kept account of.
    TooMany {
        /// The most there can be.
        max: usize,
    },
    /// The write unit of a byte-writable memory is no power of two from 1 to
    /// 512, or its erase unit none that is a multiple of it and of 8.
    Units {
        /// Bytes programmed together.
        write_unit: u32,
        /// Bytes erased together.
        erase_unit: u32,
    },
    /// The device is in use.
    Busy,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { from, to, capacity } => {
                write!(
                    f,
                    "no partition {from}..{to} on a device of {capacity} bytes"
                )
            }
            Self::Unaligned {
                from,
                to,
                erase_unit,
            } => write!(
                f,
                "partition {from}..{to} is not made of erase units of {erase_unit} bytes"
            ),
            Self::Overlap { from, to } => write!(f, "partition {from}..{to} is there already"),
            Self::TooMany { max } => write!(f, "more than {max} partitions of one device"),
            Self::Units {
                write_unit,
                erase_unit,
            } => write!(
                f,
                "write unit {write_unit} and erase unit {erase_unit} are no powers of two that divide each other"
            ),
            Self::Busy => f.write_str("the device is in use"),
        }
    }
}

impl core::error::Error for Misfit {}

/// A run of whole erase units of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    from: u32,
    len: u32,
}

impl Area {
    /// All whole erase units of a device, as far as 32 bits reach.
    pub(crate) fn whole(capacity: usize, erase_unit: u32) -> Result<Area, Misfit> {
        let len = u32::try_from(capacity).unwrap_or(u32::MAX);
        let len = len & !erase_unit.wrapping_sub(1);
        Area::part(0..len, capacity, erase_unit)
    }

    /// A part of a device.
    pub(crate) fn part(
        range: Range<u32>,
        capacity: usize,
        erase_unit: u32,
    ) -> Result<Area, Misfit> {
        let Range {
            start: from,
            end: to,
        } = range;
        if (from | to) & erase_unit.wrapping_sub(1) != 0 {
            return Err(Misfit::Unaligned {
                from,
                to,
                erase_unit,
            });
        }
        let fits = usize::try_from(to).is_ok_and(|to| to <= capacity);
        match to.checked_sub(from) {
            Some(len) if len > 0 && fits => Ok(Area { from, len }),
            _ => Err(Misfit::OutOfRange { from, to, capacity }),
        }
    }

    pub(crate) fn range(&self) -> Range<u32> {
        self.from..self.from.saturating_add(self.len)
    }

    pub(crate) fn overlaps(&self, other: &Area) -> bool {
        let (one, other) = (self.range(), other.range());
        one.start < other.end && other.start < one.end
    }

    /// Where `len` bytes from `at` lie on the device.
    pub(crate) fn place<E>(&self, at: u64, len: u64) -> Result<Range<u32>, Error<E>> {
        let capacity = u64::from(self.len);
        let range = (|| {
            let end = at.checked_add(len).filter(|end| *end <= capacity)?;
            let from = self.from.checked_add(u32::try_from(at).ok()?)?;
            let to = self.from.checked_add(u32::try_from(end).ok()?)?;
            Some(from..to)
        })();
        range.ok_or(Error::OutOfRange { at, len, capacity })
    }

    /// The geometry of a medium here whose operations persist in order.
    pub(crate) fn geometry(&self, write_unit: u32, erase_unit: u32) -> Geometry {
        Geometry {
            capacity: u64::from(self.len),
            write_unit,
            erase_unit,
            blank: 0xFF,
            order: Order::Ordered,
        }
    }
}

/// Fails the build where sizes do not work.
pub(crate) const fn check_sizes(read: usize, write: usize, erase: usize) {
    assert!(
        read.is_power_of_two() && read <= UNIT_MAX,
        "READ_SIZE of this driver is no power of two from 1 to 512"
    );
    assert!(
        write.is_power_of_two() && write <= UNIT_MAX,
        "WRITE_SIZE of this driver is no power of two from 1 to 512"
    );
    assert!(
        erase.is_power_of_two() && erase >= write && erase >= 8 && erase < 1 << 31,
        "ERASE_SIZE of this driver is no power of two that is a multiple of WRITE_SIZE and of 8"
    );
}
