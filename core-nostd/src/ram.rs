//! A medium in lent memory: for tests, examples and private stores.

use crate::math::Saturate;
use crate::medium::{Geometry, Medium, Order};

/// An access outside the lent memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfRange {
    /// The address in bytes.
    pub at: u64,
    /// Bytes asked for.
    pub len: u64,
}

impl core::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes at {} are out of range", self.len, self.at)
    }
}

impl core::error::Error for OutOfRange {}

/// A medium in lent memory. Everything written is at once as durable as the
/// memory is.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ram<'m> {
    bytes: &'m mut [u8],
    geometry: Geometry,
}

impl<'m> Ram<'m> {
    /// Memory used as persistent memory is: unordered, bytewise writes.
    #[must_use]
    pub fn new(bytes: &'m mut [u8]) -> Self {
        let geometry = Geometry {
            capacity: 0,
            write_unit: 1,
            erase_unit: 512,
            blank: 0,
            order: Order::Unordered,
        };
        Self::with_geometry(bytes, geometry)
    }

    /// Memory that stands in for a medium of another geometry; its capacity
    /// is the memory's length.
    #[must_use]
    pub fn with_geometry(bytes: &'m mut [u8], geometry: Geometry) -> Self {
        let capacity = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ram {
            bytes,
            geometry: Geometry {
                capacity,
                ..geometry
            },
        }
    }

    fn range(&self, at: u64, len: u64) -> Result<core::ops::Range<usize>, OutOfRange> {
        let fault = OutOfRange { at, len };
        let end = at.plus(len);
        if end > self.geometry.capacity {
            return Err(fault);
        }
        let from = usize::try_from(at).map_err(|_| fault)?;
        let to = usize::try_from(end).map_err(|_| fault)?;
        Ok(from..to)
    }
}

impl Medium for Ram<'_> {
    type Error = OutOfRange;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), OutOfRange> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let range = self.range(at, len)?;
        let bytes = self.bytes.get(range).ok_or(OutOfRange { at, len })?;
        crate::math::place(buf, 0, bytes);
        Ok(())
    }

    fn borrow(&self, at: u64, len: usize) -> Option<&[u8]> {
        let range = self
            .range(at, u64::try_from(len).unwrap_or(u64::MAX))
            .ok()?;
        self.bytes.get(range)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), OutOfRange> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let range = self.range(at, len)?;
        let to = self.bytes.get_mut(range).ok_or(OutOfRange { at, len })?;
        crate::math::place(to, 0, bytes);
        Ok(())
    }

    fn erase(&mut self, at: u64, len: u64) -> Result<(), OutOfRange> {
        let range = self.range(at, len)?;
        let blank = self.geometry.blank;
        self.bytes
            .get_mut(range)
            .ok_or(OutOfRange { at, len })?
            .fill(blank);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OutOfRange> {
        Ok(())
    }
}
