//! The schedules that break naive stores, each as a function that panics where
//! the store breaks too.

pub mod damage;
pub mod limits;
pub mod reclaiming;
pub mod restart;
pub mod sealing;
pub mod tearing;

use indelible::{Geometry, Order};
use indelible_tests::geometries::{flash, memory};

/// Media on which programming can be cut within a unit.
fn flashes() -> Vec<Geometry> {
    [1, 4, 8, 32, 256].map(flash).to_vec()
}

/// Those and memory.
fn media() -> Vec<Geometry> {
    let mut media = flashes();
    media.push(memory());
    media
}

/// The write unit, as far as frames are concerned.
fn unit(geometry: Geometry) -> u32 {
    match geometry.order {
        Order::Ordered => geometry.write_unit,
        Order::Unordered => 8,
    }
}
