//! Damages a populated image in one place after the other, and judges what the
//! store makes of it.

mod blow;
mod image;
mod judge;
mod look;
mod table;

pub use blow::{Blow, Content, flips, holes};
pub use image::{Populated, medium};
pub use judge::{Verdict, judge};
pub use table::{COLUMNS, Row};

use core::sync::atomic::{AtomicUsize, Ordering};

/// Strikes an image with each of these blows, on this many threads.
pub fn campaign(populated: &Populated, blows: &[Blow], threads: usize) -> Vec<(Blow, Verdict)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut verdicts = Vec::new();
        while let Some(blow) = blows.get(next.fetch_add(1, Ordering::Relaxed)) {
            verdicts.push((*blow, judge(populated, blow)));
        }
        verdicts
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let parts = threads.into_iter().map(|thread| thread.join());
        let mut all: Vec<_> = parts.flat_map(|part| part.unwrap_or_default()).collect();
        all.sort_by_key(|(blow, _)| *blow);
        all
    })
}
