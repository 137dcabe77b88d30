//! `log append`, `log read`, `log trim` and `log info`.

use std::path::Path;

use indelible_dax::Reads;

use super::kv::standard_input;
use super::stores::{in_one_file, opened_one, writing};
use crate::args::{Form, Log};
use crate::failure::{Code, Failure, Outcome};
use crate::output::Output;
use crate::text::{argument, escaped};

/// Bytes of a log that are read at a time.
const PIECE: u64 = 256 << 10;

pub fn run(command: Log) -> Outcome {
    let (Log::Append { store, .. }
    | Log::Read { store, .. }
    | Log::Trim { store, .. }
    | Log::Info { store, .. }) = &command;
    in_one_file(store, Code::NotFound, "a store in shards has no logs")?;
    match command {
        Log::Append {
            store,
            log,
            data,
            hex,
        } => {
            let data = match data {
                Some(data) => argument(&data, hex)?,
                None => standard_input()?,
            };
            let position = writing(&store, |open| {
                open.append(log, &data)
                    .map_err(|error| Failure::from(error).about(store.display()))
            })?;
            let mut output = Output::new();
            output.line(position)?;
            output.flush()
        }
        Log::Read {
            store,
            log,
            from,
            len,
            form,
        } => read(&store, log, from, len, form),
        Log::Trim {
            store,
            log,
            position,
        } => writing(&store, |open| {
            open.advance_head(log, position)
                .map_err(|error| Failure::from(error).about(store.display()))
        }),
        Log::Info { store, log } => info(&store, log),
    }
}

fn read(path: &Path, log: usize, from: Option<u64>, len: Option<u64>, form: Form) -> Outcome {
    let about = |error| Failure::from(error).about(path.display());
    opened_one(path, Reads::Mapped, |store| {
        let span = store.get_head_tail_and_capacity(log).map_err(about)?;
        let mut at = from.unwrap_or(span.head);
        let end = match len {
            Some(len) => at.saturating_add(len),
            None => span.tail.max(at),
        };
        // What is out of range is refused before anything is printed.
        for edge in [at, end] {
            store.read(log, edge, &mut []).map_err(about)?;
        }
        let mut output = Output::new();
        let mut shown = Vec::new();
        let mut buffer = vec![0; PIECE as usize];
        while at < end {
            let piece = &mut buffer[..(end - at).min(PIECE) as usize];
            store.read(log, at, piece).map_err(about)?;
            at += piece.len() as u64;
            if form.utf8 {
                // A character may lie across two pieces.
                shown.extend_from_slice(piece);
            } else {
                shown.clear();
                form.show(piece, &mut shown);
                output.bytes(&shown)?;
            }
        }
        if form.utf8 {
            output.bytes(escaped(&shown).as_bytes())?;
        }
        if form.is_shown() {
            output.bytes(b"\n")?;
        }
        output.flush()
    })
}

fn info(path: &Path, log: Option<usize>) -> Outcome {
    let about = |error| Failure::from(error).about(path.display());
    opened_one(path, Reads::Mapped, |store| {
        let logs = match log {
            Some(log) => log..log + 1,
            None => 0..store.layout().logs as usize,
        };
        let mut output = Output::new();
        for log in logs {
            let span = store.get_head_tail_and_capacity(log).map_err(about)?;
            output.line(format_args!(
                "log {log} head {} tail {} capacity {}",
                span.head, span.tail, span.capacity
            ))?;
        }
        output.flush()
    })
}
