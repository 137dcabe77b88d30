//! A set of logs.

use crate::format::checkpoint::LOGS_MAX;

/// One bit for each log, as a close frame keeps them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogSet(pub [u8; LOGS_MAX.div_ceil(8)]);

impl LogSet {
    pub(crate) fn insert(&mut self, log: usize) {
        if let Some(byte) = self.0.get_mut(log >> 3) {
            *byte |= 1u8.wrapping_shl(bit_of(log));
        }
    }

    pub(crate) fn has(&self, log: usize) -> bool {
        let byte = self.0.get(log >> 3).copied().unwrap_or(0);
        byte.wrapping_shr(bit_of(log)) & 1 == 1
    }
}

fn bit_of(log: usize) -> u32 {
    u32::try_from(log & 7).unwrap_or(0)
}
