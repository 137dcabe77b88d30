//! What stands on the medium, for a person who looks at a failure.

use super::opened::Open;
use core::fmt::Write;
use indelible::{Index, Owner};

impl<I: Index> Open<'_, '_, I> {
    pub(super) fn dumped(&mut self) -> String {
        let mut text = String::new();
        for segment in 0..self.store.layout().segments {
            let info = self.store.segment_info(segment);
            if info.seq == 0 && matches!(info.owner, Owner::Blank | Owner::Unverified) {
                continue;
            }
            let _ = writeln!(text, "segment {segment}: {info:?}");
            let read = self.store.inspect_segment(segment, &mut |frame| {
                let key = frame.key.unwrap_or_default().escape_ascii();
                let _ = writeln!(
                    text,
                    "  {:5}+{:<4} {}{} {:10} {key} ({} bytes)",
                    frame.at,
                    frame.len,
                    if frame.first { '[' } else { ' ' },
                    if frame.last { ']' } else { ' ' },
                    frame.kind,
                    frame.body_len,
                );
            });
            if let Err(error) = read {
                let _ = writeln!(text, "  {error}");
            }
        }
        text
    }
}
