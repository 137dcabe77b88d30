//! Making a new store.

use crate::device::Device;
use crate::error::Error;
use crate::fault::Fault;
use crate::format::checkpoint::{Fixed, LOG_ROW, LogRow, SEGMENT_ROW, encode_segment, second_sum};
use crate::format::frame::{Control, Kind, Part, Spec};
use crate::format::header::{Header, Stream, encode};
use crate::format::shape::Shape;
use crate::layout::{Config, Layout};
use crate::math::Saturate;
use crate::medium::Medium;
use crate::segments::{Owner, Segment};

/// Makes an empty store on a medium. Whatever was there is invalidated
/// durably before the new store exists.
///
/// Erases every segment that is not blank; two flushes. On an unordered medium a
/// segment is believed to be as blank as it reads. Where a flush failed before,
/// it may be so in a cache alone: such a medium is to be written blank as a whole
/// and flushed first, or made anew.
///
/// # Errors
/// [`Error::Geometry`] with the limit that was met, or the medium's.
pub fn setup<M: Medium + ?Sized>(
    medium: &mut M,
    config: &Config<'_>,
) -> Result<Layout, Error<M::Error>> {
    let layout = Layout::plan(medium.geometry(), config).map_err(Error::Geometry)?;
    let shape = Shape::new(layout.geometry, layout.segment_size, config.nonce);
    let mut device = Device::new(medium, shape);
    let made = make(&mut device, config);
    device.told(made)?;
    Ok(layout)
}

fn make<M: Medium>(device: &mut Device<M>, config: &Config<'_>) -> Result<(), Fault<M::Error>> {
    let shape = device.shape;
    for segment in 0..shape.segments {
        // A half-erased sector can read as blank: the first segment is used at
        // once, the others are erased anew before they are.
        let used = segment == 0 && shape.ordered();
        if used || device.programmed(segment, 0, shape.segment_size)?.0 > 0 {
            device.erase(segment)?;
        }
    }
    device.flush()?;
    write_first(device, config)?;
    device.flush()
}

/// The first root: segment 0, with nothing in the store.
fn write_first<M: Medium>(
    device: &mut Device<M>,
    config: &Config<'_>,
) -> Result<(), Fault<M::Error>> {
    let shape = device.shape;
    let header = Header {
        stream: Stream::Root,
        log: 0,
        seq: 1,
        n: 1,
        erases: 0,
        index: 0,
    };
    let mut bytes = [shape.geometry.blank; 512];
    crate::math::place(&mut bytes, 0, &encode(&header, &shape));
    let len = usize::try_from(shape.start).unwrap_or(0);
    device.write(0, 0, bytes.get(..len).unwrap_or(&[]))?;
    let logs = u32::try_from(config.logs.len()).unwrap_or(0);
    let fixed = Fixed {
        id: config.id,
        segments: shape.segments,
        frame_max: 0,
        next_seq: 2,
        chain: 1,
        logs,
    }
    .encode();
    let log_row = |number: u32| {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let capacity = config.logs.get(at).copied().unwrap_or(0);
        LogRow {
            capacity,
            head: 0,
            tail: 0,
            sum: 0,
            broken: false,
        }
        .encode()
    };
    let segment_row = |number: u32| {
        let mut segment = Segment {
            owner: Owner::Blank,
            ..Segment::default()
        };
        if number == 0 {
            segment = Segment {
                owner: Owner::Ledger,
                seq: 1,
                used: shape.start,
                ..segment
            };
        }
        encode_segment(&segment)
    };
    let sum = second_sum(&fixed, logs, &log_row, shape.segments, &segment_row).to_le_bytes();
    let body = [
        Part::Bytes(&fixed),
        Part::Rows {
            count: logs,
            size: LOG_ROW,
            row: &log_row,
        },
        Part::Rows {
            count: shape.segments,
            size: SEGMENT_ROW,
            row: &segment_row,
        },
        Part::Bytes(&sum),
    ];
    let spec = Spec {
        first: true,
        ..Spec::new(Kind::Checkpoint)
    };
    let at = shape.start;
    let len = device.write_frame(0, 1, at, &spec, &[], &body)?;
    let at = at.plus(len);
    let close = Spec {
        last: true,
        ..Spec::with(Kind::Control, Control::Close.code())
    };
    device.write_frame(0, 1, at, &close, &[], &[])?;
    Ok(())
}
