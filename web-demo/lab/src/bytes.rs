//! What each byte of a medium means.

use crate::live::{Opened, Refused};
use crate::picture::{Blocks, Segment, header_len};
use indelible::Layout;
use serde::Serialize;

/// A stretch of bytes with one meaning.
#[derive(Serialize)]
pub struct Field {
    /// Its first byte, counted from the start of the segment.
    pub at: u32,
    pub len: u32,
    pub name: &'static str,
}

/// The fields of a segment's header, as ARCHITECTURE.md draws them.
const HEADER: [(u32, &str); 13] = [
    (4, "magic `iNDL`"),
    (1, "format version"),
    (1, "flags: what the segment is for"),
    (1, "write unit, as a power of two"),
    (1, "log"),
    (4, "segment size"),
    (4, "sequence: the order of openings"),
    (8, "nonce of the store"),
    (3, "erases of this segment: its wear"),
    (1, "erase unit, as a power of two"),
    (4, "number in its stream"),
    (4, "its own index"),
    (4, "checksum of the header"),
];

/// The fields of a segment, as far as it is filled.
pub fn fields(store: &Opened<'_>, segment: &Segment, bytes: &[u8]) -> Result<Vec<Field>, Refused> {
    let layout = store.layout();
    let mut fields = Vec::new();
    for run in &segment.runs {
        match run.is {
            "header" => header(&layout, &mut fields),
            "past" => push(&mut fields, run.at, run.len, "log bytes before the head"),
            "log" if segment.owner == "log" => log(&layout, run.at, run.len, &mut fields),
            "damaged" => push(
                &mut fields,
                run.at,
                run.len,
                "damaged: nothing whole stands here",
            ),
            _ => frame(run, bytes, &mut fields),
        }
    }
    Ok(fields)
}

fn push(fields: &mut Vec<Field>, at: u32, len: u32, name: &'static str) {
    if len > 0 {
        fields.push(Field { at, len, name });
    }
}

fn header(layout: &Layout, fields: &mut Vec<Field>) {
    let mut at = 0;
    for (len, name) in HEADER {
        push(fields, at, len, name);
        at += len;
    }
    push(
        fields,
        at,
        header_len(layout).saturating_sub(at),
        "padding to a whole write unit",
    );
}

fn log(layout: &Layout, at: u32, len: u32, fields: &mut Vec<Field>) {
    let blocks = Blocks::of(layout);
    let mut from = at;
    for offset in at + 1..=at + len {
        let ends = offset == at + len || blocks.is_sum(offset) != blocks.is_sum(from);
        if ends {
            let name = if blocks.is_sum(from) {
                "checksum of a block of the log"
            } else {
                "bytes of the log"
            };
            push(fields, from, offset - from, name);
            from = offset;
        }
    }
}

/// Bytes of a frame's first word, and of a long header.
const WORD: u32 = 4;
const LONG: u32 = 20;

fn frame(run: &crate::picture::Run, bytes: &[u8], fields: &mut Vec<Field>) {
    let word = bytes
        .get(run.at as usize..run.at as usize + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    let (a, b) = (word >> 6 & 0x7F, word >> 13 & 0x7FF);
    let long = a == 127 && b == 2047;
    let keyed = matches!(
        run.kind,
        "put" | "delete" | "big" | "chunk" | "list" | "element"
    );
    let at = run.at;
    push(
        fields,
        at,
        WORD,
        "first word: kind, first and last of a transaction, lengths, check",
    );
    let mut next = WORD;
    let mut key = if keyed { a } else { 0 };
    if long {
        let len = bytes.get(at as usize + 4..at as usize + 6);
        let len = len
            .and_then(|len| len.try_into().ok())
            .map_or(0, u16::from_le_bytes);
        key = u32::from(len);
        push(fields, at + WORD, 8, "long header: lengths of key and body");
        push(fields, at + 12, 4, "checksum of the header");
        push(fields, at + 16, 4, "checksum of the key");
        next = LONG;
    }
    let rest = run.len.saturating_sub(next);
    key = key.min(rest);
    push(fields, at + next, key, "key");
    next += key;
    let body = run.body.min(run.len.saturating_sub(next));
    let name = match run.kind {
        "put" => "value",
        "append" => "where the log ends now, and what is left of a unit",
        "checkpoint" => "the state of the store: segments, heads and tails",
        "link" => "the next segment of the ledger",
        _ => "body",
    };
    push(fields, at + next, body, name);
    next += body;
    push(
        fields,
        at + next,
        run.len.saturating_sub(next),
        "padding, checksum, and what tells a torn end",
    );
}
