//! What stands on a medium, for a picture: segments, and runs of bytes in them.

use crate::live::Opened;
use crate::live::Refused;
use indelible::{Layout, Order, Owner, SegmentInfo};
use serde::Serialize;

/// A medium with its store.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    pub id: String,
    pub capacity: f64,
    pub flash: bool,
    pub write_unit: u32,
    pub erase_unit: u32,
    pub segment_size: u32,
    pub keys: f64,
    pub live_bytes: f64,
    pub kv_capacity: f64,
    pub segments: Vec<Segment>,
    pub logs: Vec<Log>,
}

/// A segment. `used` says how far it is filled.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    pub owner: &'static str,
    pub log: u8,
    pub seq: u32,
    pub used: u32,
    pub live: u32,
    pub erases: u32,
    pub damaged: bool,
    /// The ledger goes on here.
    pub tail: bool,
    pub runs: Vec<Run>,
}

/// Neighbouring bytes of one kind.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub at: u32,
    pub len: u32,
    /// `header`, `live`, `dead`, `commit`, `meta`, `log`, `past`, `damaged`.
    pub is: &'static str,
    /// The frame's kind, where it is one.
    pub kind: &'static str,
    pub first: bool,
    pub last: bool,
    pub healed: bool,
    pub body: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<u8>,
}

/// A log's bounds.
#[derive(Serialize)]
pub struct Log {
    pub head: f64,
    pub tail: f64,
    pub capacity: f64,
}

/// Bytes at the start of a segment that say whose it is.
pub const HEADER: u32 = 40;

fn owner(info: &SegmentInfo) -> &'static str {
    match info.owner {
        Owner::Blank | Owner::Unverified => "blank",
        Owner::Dirty | Owner::Erasing | Owner::Withheld => "dirty",
        Owner::Ledger => "ledger",
        Owner::Cold => "cold",
        Owner::Log => "log",
    }
}

/// Draws a store.
pub fn picture(store: &mut Opened<'_>) -> Result<Picture, Refused> {
    let layout = store.layout();
    let mut live = Vec::new();
    store.inspect_live(&mut |segment, at| live.push((segment, at)));
    live.sort_unstable();
    let logs = (0..store.log_count())
        .map(|log| store.get_head_tail_and_capacity(log))
        .collect::<Result<Vec<_>, _>>()?;
    let infos: Vec<_> = (0..layout.segments)
        .map(|i| store.segment_info(i))
        .collect();
    let ledger = infos.iter().filter(|info| info.owner == Owner::Ledger);
    let tail = ledger.map(|info| info.seq).max();
    let mut segments = Vec::new();
    for (number, info) in (0..).zip(&infos) {
        let runs = match info.owner {
            Owner::Ledger | Owner::Cold => records(store, number, &live)?,
            Owner::Log => {
                let span = logs.get(usize::from(info.log));
                let end = infos.iter().filter(|other| other.owner == Owner::Log);
                let end = end.filter(|other| other.log == info.log).map(|o| o.number);
                let newest = end.max() == Some(info.number);
                span.map_or(Vec::new(), |span| {
                    log_runs(&layout, info, span.head, span.tail, newest)
                })
            }
            _ => Vec::new(),
        };
        segments.push(Segment {
            owner: owner(info),
            log: info.log,
            seq: info.seq,
            used: info.used,
            live: info.live,
            erases: info.erases,
            damaged: info.damaged,
            tail: info.owner == Owner::Ledger && Some(info.seq) == tail,
            runs,
        });
    }
    let stats = store.stats();
    Ok(Picture {
        id: format!("{:032x}", store.id()),
        capacity: layout.geometry.capacity as f64,
        flash: layout.geometry.order == Order::Ordered,
        write_unit: layout.geometry.write_unit,
        erase_unit: layout.geometry.erase_unit,
        segment_size: layout.segment_size,
        keys: stats.keys as f64,
        live_bytes: stats.live_bytes as f64,
        kv_capacity: stats.kv_capacity as f64,
        segments,
        logs: logs
            .iter()
            .map(|span| Log {
                head: span.head as f64,
                tail: span.tail as f64,
                capacity: span.capacity as f64,
            })
            .collect(),
    })
}

/// Bytes of a header, rounded to what is written at a time.
pub fn header_len(layout: &Layout) -> u32 {
    HEADER.next_multiple_of(unit(layout))
}

fn unit(layout: &Layout) -> u32 {
    match layout.geometry.order {
        Order::Ordered => layout.geometry.write_unit,
        Order::Unordered => layout.geometry.write_unit.max(8),
    }
}

fn plain(at: u32, len: u32, is: &'static str, kind: &'static str) -> Run {
    Run {
        at,
        len,
        is,
        kind,
        first: false,
        last: false,
        healed: false,
        body: 0,
        key: None,
        log: None,
    }
}

fn records(store: &mut Opened<'_>, segment: u32, live: &[(u32, u32)]) -> Result<Vec<Run>, Refused> {
    let mut runs = vec![plain(0, header_len(&store.layout()), "header", "header")];
    store.inspect_segment(segment, &mut |frame| {
        let is = match frame.kind {
            "damaged" => "damaged",
            "put" | "big" | "chunk" | "list" | "element" => {
                if live.binary_search(&(segment, frame.at)).is_ok() {
                    "live"
                } else {
                    "dead"
                }
            }
            "append" => "log",
            "commit" | "abort" | "close" => "commit",
            "superseded, damaged" => "dead",
            _ => "meta",
        };
        runs.push(Run {
            at: frame.at,
            len: frame.len,
            is,
            kind: frame.kind,
            first: frame.first,
            last: frame.last,
            healed: frame.healed,
            body: frame.body_len,
            key: frame.key.map(|key| key.escape_ascii().to_string()),
            log: frame.log,
        });
    })?;
    Ok(runs)
}

/// What of a log's segment is behind its head, between head and tail, and in
/// its checksums is a matter of blocks; here the payload counts as even.
fn log_runs(layout: &Layout, info: &SegmentInfo, head: u64, tail: u64, newest: bool) -> Vec<Run> {
    let start = header_len(layout);
    let mut runs = vec![plain(0, start, "header", "header")];
    let blocks = Blocks::of(layout);
    let base = u64::from(info.number) * u64::from(blocks.payload);
    let within = |position: u64| {
        let within = position.saturating_sub(base).min(u64::from(blocks.payload));
        u32::try_from(within).unwrap_or(0)
    };
    let (from, to) = (blocks.offset(within(head)), blocks.offset(within(tail)));
    let end = if newest { to } else { layout.segment_size };
    if from > start {
        runs.push(plain(start, from.min(end) - start, "past", "trimmed"));
    }
    if end > from {
        runs.push(Run {
            log: Some(info.log),
            ..plain(from, end - from, "log", "log bytes")
        });
    }
    runs
}

/// How a log's bytes stand in a segment: in blocks that end with a checksum.
pub struct Blocks {
    start: u32,
    block: u32,
    tail: u32,
    /// Log bytes in a segment.
    pub payload: u32,
}

impl Blocks {
    /// The blocks of a store's log segments.
    pub fn of(layout: &Layout) -> Self {
        let unit = unit(layout);
        let start = header_len(layout);
        let area = (layout.segment_size - start) / unit * unit;
        let block = if layout.segment_size >= 2048 {
            1024
        } else {
            area
        }
        .max(1);
        let tail = unit.clamp(4, 8);
        let rest = (area % block).saturating_sub(tail);
        Self {
            start,
            block,
            tail,
            payload: area / block * (block - tail) + rest,
        }
    }

    fn offset(&self, within: u32) -> u32 {
        let payload = self.block - self.tail;
        self.start + within / payload * self.block + within % payload
    }

    /// Whether an offset of the segment is in a block's checksum.
    pub fn is_sum(&self, offset: u32) -> bool {
        offset >= self.start && (offset - self.start) % self.block >= self.block - self.tail
    }
}
