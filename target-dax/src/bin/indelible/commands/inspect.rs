//! `inspect`: what a store is made of.

use indelible_dax::indelible::{Owner, SegmentInfo};
use indelible_dax::{HostStore, Reads};

use super::stores::{in_one_file, opened_one};
use crate::args::Inspect;
use crate::failure::{Code, Failure, Outcome};
use crate::json::Json;
use crate::output::Output;
use crate::text::escaped;

/// Segments in a line of the map.
const MAP_WIDTH: u32 = 64;

pub fn run(args: Inspect) -> Outcome {
    let one = args.store.join("shard.00000");
    let why = format!(
        "a store in shards; inspect one of them, such as {}",
        one.display()
    );
    in_one_file(&args.store, Code::Usage, &why)?;
    opened_one(&args.store, Reads::Positioned, |store| {
        let mut output = Output::new();
        let about = |failure: Failure| failure.about(args.store.display());
        match (args.segment, args.ledger) {
            (Some(segment), _) => records(store, segment, args.json, &mut output),
            (None, true) => ledger(store, args.json, &mut output),
            (None, false) => map(store, args.json, &mut output),
        }
        .map_err(about)?;
        output.flush()
    })
}

fn owner(info: &SegmentInfo) -> &'static str {
    match info.owner {
        Owner::Blank => "blank",
        Owner::Unverified => "unverified",
        Owner::Dirty => "dirty",
        Owner::Erasing => "erasing",
        Owner::Withheld => "withheld",
        Owner::Saved => "saved index",
        Owner::Ledger => "ledger",
        Owner::Cold => "relocated",
        Owner::Log => "log",
    }
}

/// A segment's letter in the map.
fn letter(info: &SegmentInfo) -> char {
    match info.owner {
        _ if info.damaged => '!',
        Owner::Blank | Owner::Unverified => '.',
        Owner::Dirty | Owner::Erasing | Owner::Withheld => 'x',
        Owner::Saved => 'i',
        Owner::Ledger => 'L',
        Owner::Cold => 'C',
        Owner::Log => char::from_digit(u32::from(info.log) % 10, 10).unwrap_or('0'),
    }
}

fn is_used(info: &SegmentInfo) -> bool {
    matches!(info.owner, Owner::Ledger | Owner::Cold | Owner::Log) || info.damaged
}

fn segment_json(number: u32, info: &SegmentInfo) -> Json {
    Json::object(|fields| {
        fields.add("segment", number);
        fields.add("owner", owner(info));
        if info.owner == Owner::Log {
            fields.add("log", u64::from(info.log));
            fields.add("number", info.number);
        }
        fields.add("sequence", info.seq);
        fields.add("used", info.used);
        fields.add("live", info.live);
        fields.add("erases", info.erases);
        fields.add("damaged", info.damaged);
    })
}

fn segment_line(number: u32, info: &SegmentInfo) -> String {
    let mut line = format!(
        "segment {number:>5}  {:<10} sequence {:>6}",
        owner(info),
        info.seq
    );
    match info.owner {
        Owner::Log => line += &format!("  log {} part {}", info.log, info.number),
        _ => line += &format!("  used {:>8}  live {:>8}", info.used, info.live),
    }
    line += &format!("  erases {}", info.erases);
    if info.damaged {
        line += "  damaged";
    }
    line
}

fn map(store: &HostStore<'_>, json: bool, output: &mut Output) -> Outcome {
    let layout = store.layout();
    let infos: Vec<(u32, SegmentInfo)> = (0..layout.segments)
        .map(|segment| (segment, store.segment_info(segment)))
        .collect();
    if json {
        return output.line(Json::object(|fields| {
            fields.add("segment_size", layout.segment_size);
            fields.add(
                "segments",
                Json::array(
                    infos
                        .iter()
                        .map(|(number, info)| segment_json(*number, info)),
                ),
            );
        }));
    }
    output.line(format_args!(
        "{} segments of {} bytes: L ledger, C relocated records, 0-9 logs, i saved index, \
         . blank, x to be erased, ! damaged",
        layout.segments, layout.segment_size
    ))?;
    for (row, infos) in infos.chunks(MAP_WIDTH as usize).enumerate() {
        let letters: String = infos.iter().map(|(_, info)| letter(info)).collect();
        output.line(format_args!("{:>8}  {letters}", row as u32 * MAP_WIDTH))?;
    }
    for (number, info) in infos.iter().filter(|(_, info)| is_used(info)) {
        output.line(segment_line(*number, info))?;
    }
    Ok(())
}

/// A frame that outlives its visit.
struct Frame {
    segment: u32,
    at: u32,
    len: u32,
    kind: &'static str,
    first: bool,
    last: bool,
    log: Option<u8>,
    key: Option<Vec<u8>>,
    body_len: u32,
    healed: bool,
}

fn frames(store: &mut HostStore<'_>, segment: u32) -> Outcome<Vec<Frame>> {
    let mut frames = Vec::new();
    store.inspect_segment(segment, &mut |frame| {
        frames.push(Frame {
            segment,
            at: frame.at,
            len: frame.len,
            kind: frame.kind,
            first: frame.first,
            last: frame.last,
            log: frame.log,
            key: frame.key.map(<[u8]>::to_vec),
            body_len: frame.body_len,
            healed: frame.healed,
        });
    })?;
    Ok(frames)
}

impl Frame {
    fn json(&self) -> Json {
        Json::object(|fields| {
            fields.add("segment", self.segment);
            fields.add("at", self.at);
            fields.add("bytes", self.len);
            fields.add("kind", self.kind);
            fields.add("first", self.first);
            fields.add("last", self.last);
            if let Some(log) = self.log {
                fields.add("log", u64::from(log));
            }
            if let Some(key) = &self.key {
                fields.add_bytes("key", key);
            }
            fields.add("body", self.body_len);
            fields.add("healed", self.healed);
        })
    }

    fn line(&self) -> String {
        // The transaction's brackets.
        let begins = if self.first { '[' } else { ' ' };
        let ends = if self.last { ']' } else { ' ' };
        let mut line = format!(
            "{:>5}+{:<8} {begins}{:<10}{ends} {:>7} bytes",
            self.segment, self.at, self.kind, self.len
        );
        if let Some(log) = self.log {
            line += &format!("  log {log}");
        }
        if let Some(key) = &self.key {
            line += &format!("  {}", escaped(key));
        }
        if self.body_len > 0 {
            line += &format!("  ({} of body)", self.body_len);
        }
        if self.healed {
            line += "  healed";
        }
        line
    }
}

fn records(store: &mut HostStore<'_>, segment: u32, json: bool, output: &mut Output) -> Outcome {
    let count = store.layout().segments;
    if segment >= count {
        return Err(Failure::new(
            Code::NotFound,
            format_args!("no segment {segment}: the store has {count}"),
        ));
    }
    let info = store.segment_info(segment);
    let frames = frames(store, segment)?;
    if json {
        return output.line(Json::object(|fields| {
            fields.add("info", segment_json(segment, &info));
            fields.add("records", Json::array(frames.iter().map(Frame::json)));
        }));
    }
    output.line(segment_line(segment, &info))?;
    for frame in &frames {
        output.line(frame.line())?;
    }
    Ok(())
}

/// The ledger's segments in the order of their opening, frame by frame.
fn ledger(store: &mut HostStore<'_>, json: bool, output: &mut Output) -> Outcome {
    let mut segments: Vec<(u32, u32)> = (0..store.layout().segments)
        .map(|segment| (store.segment_info(segment), segment))
        .filter(|(info, _)| info.owner == Owner::Ledger)
        .map(|(info, segment)| (info.seq, segment))
        .collect();
    segments.sort_unstable();
    if json {
        let mut entries = Vec::new();
        for (_, segment) in segments {
            entries.extend(frames(store, segment)?.iter().map(Frame::json));
        }
        return output.line(Json::object(|fields| {
            fields.add("entries", Json::array(entries));
        }));
    }
    for (_, segment) in segments {
        output.line(segment_line(segment, &store.segment_info(segment)))?;
        for frame in frames(store, segment)? {
            output.line(frame.line())?;
        }
    }
    Ok(())
}
