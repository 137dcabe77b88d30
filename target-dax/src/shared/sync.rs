//! What threads wait on: the standard library's, or those of a checker that
//! tries the orders in which threads may run.

#[cfg(not(shuttle))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(shuttle)]
pub(super) use shuttle::sync::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use std::sync::PoisonError;
use std::time::Duration;

/// What a lock guards, also after a panic of who held it: what can be half
/// done under a lock here the store itself knows and refuses.
pub(super) fn whatever<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// A moment of the past.
#[cfg(not(shuttle))]
pub(super) struct Moment(std::time::Instant);

#[cfg(not(shuttle))]
impl Moment {
    pub(super) fn now() -> Self {
        Moment(std::time::Instant::now())
    }

    /// Whether it is at least so long ago.
    pub(super) fn is_past(&self, time: Duration) -> bool {
        self.0.elapsed() >= time
    }
}

/// For a checker time is a number of looks.
#[cfg(shuttle)]
pub(super) struct Moment(std::sync::atomic::AtomicU32);

#[cfg(shuttle)]
impl Moment {
    pub(super) fn now() -> Self {
        Moment(Default::default())
    }

    pub(super) fn is_past(&self, _: Duration) -> bool {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 3
    }
}

/// Lets other threads go on.
pub(super) fn pause() {
    #[cfg(not(shuttle))]
    std::thread::yield_now();
    #[cfg(shuttle)]
    shuttle::thread::yield_now();
}

/// Looks so often at most whether something is there.
pub(super) fn spin(looks: u32, there: impl Fn() -> bool) {
    // A checker has its own orders, and none in which time passes.
    let looks = if cfg!(shuttle) { 0 } else { looks };
    for _ in 0..looks {
        if there() {
            return;
        }
        std::hint::spin_loop();
    }
}
