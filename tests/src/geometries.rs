//! The media that stores are judged on: as small as the format allows, since
//! what matters is how often segments fill up, not how large they are.

use indelible::{Geometry, Order};

/// Every write unit that the store promises to work with.
pub const WRITE_UNITS: [u32; 7] = [1, 2, 4, 8, 16, 32, 256];

/// Segments of the small media, two erase units each.
const SEGMENTS: u64 = 12;

/// A file or persistent memory of 12 segments of 2 KiB.
pub fn memory() -> Geometry {
    Geometry {
        capacity: SEGMENTS * 2048,
        write_unit: 1,
        erase_unit: 1024,
        blank: 0x00,
        order: Order::Unordered,
    }
}

/// NOR flash of 12 segments with this write unit.
pub fn flash(write_unit: u32) -> Geometry {
    let (segment, erase_unit) = if write_unit > 32 {
        (8192, 4096)
    } else {
        (2048, 1024)
    };
    Geometry {
        capacity: SEGMENTS * segment,
        write_unit,
        erase_unit,
        blank: 0xFF,
        order: Order::Ordered,
    }
}

/// The small memory, and a small flash with each write unit.
pub fn all() -> Vec<Geometry> {
    let flashes = WRITE_UNITS.into_iter().map(flash);
    core::iter::once(memory()).chain(flashes).collect()
}

/// The same medium with more segments.
pub fn larger(geometry: Geometry, times: u64) -> Geometry {
    Geometry {
        capacity: geometry.capacity * times,
        ..geometry
    }
}

/// A geometry in a few letters, for reports.
pub fn name(geometry: Geometry) -> String {
    match geometry.order {
        Order::Unordered => "memory".into(),
        Order::Ordered => format!("flash {}", geometry.write_unit),
    }
}
