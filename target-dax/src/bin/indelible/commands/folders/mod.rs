//! The tree of folders that keys are exported to. No symlink in it is
//! followed, and nothing is written outside it.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{Folders, check_name};
#[cfg(windows)]
pub use windows::{Folders, check_name};
