#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
//! Runs a script of operations on a store in memory, with the core alone, and
//! writes the image that it leaves: what the same script in a page has to leave.
//!
//! ```text
//! script SCRIPT IMAGE
//!
//! store SIZE NONCE [LOG-BYTES]...      first line
//! set KEY VALUE | delete KEY | append LOG DATA | head LOG POSITION
//! begin | commit | abort
//! open                                 again, as after a power cut
//! close                                and open again
//! ```
//!
//! Keys, values and data are in hexadecimal, `-` for none.

use std::error::Error;

use indelible::ram::Ram;
use indelible::{Config, Layout, Memory, Mode, OrderedIndex, OrderedNode, Store, setup};
use indelible_wasm::engine::headroom;
use indelible_wasm::image::geometry;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Entries in the index and changes in a transaction, at most.
const ENTRIES: usize = 1 << 16;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, script, image] = &arguments[..] else {
        return Err("usage: script SCRIPT IMAGE".into());
    };
    let script = std::fs::read_to_string(script)?;
    let mut lines = script.lines();
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let ["store", size, nonce, logs @ ..] = &first[..] else {
        return Err("the first line is `store SIZE NONCE [LOG-BYTES]...`".into());
    };
    let logs = logs
        .iter()
        .map(|log| log.parse())
        .collect::<Result<Vec<u64>, _>>()?;
    let mut bytes = vec![0; size.parse()?];
    let shape = geometry(bytes.len() as u64);
    let config = Config {
        id: 0,
        nonce: nonce.parse()?,
        segment_size: None,
        logs: &logs,
    };
    let layout = setup(&mut Ram::with_geometry(&mut bytes, shape), &config).map_err(told)?;
    while session(&mut bytes, &layout, &mut lines)? {}
    std::fs::write(image, bytes)?;
    Ok(())
}

fn told<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

/// From one opening to the next; whether there is one.
fn session<'l>(
    bytes: &mut [u8],
    layout: &Layout,
    lines: &mut impl Iterator<Item = &'l str>,
) -> Outcome<bool> {
    let medium = Ram::with_geometry(bytes, layout.geometry);
    let mut segments = vec![Default::default(); layout.segments as usize];
    let mut logs = vec![Default::default(); layout.logs as usize];
    let mut ring = vec![0; layout.ring as usize];
    let mut undo = vec![Default::default(); ENTRIES];
    let mut scratch = vec![0; layout.key_max as usize];
    let mut nodes = vec![OrderedNode::default(); OrderedIndex::nodes_for(ENTRIES)];
    let memory = Memory {
        segments: &mut segments,
        logs: &mut logs,
        ring: &mut ring,
        undo: &mut undo,
        scratch: &mut scratch,
    };
    let index = OrderedIndex::new(&mut nodes);
    let started = Store::start(medium, index, memory, None, Mode::ReadWrite);
    let (mut store, _) = started.map_err(told)?;
    let mut begun = false;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let done = match (&words[..], begun) {
            (["set", key, value], false) => store.put(&hex(key)?, &hex(value)?),
            (["set", key, value], true) => store.tentatively_put(&hex(key)?, &hex(value)?),
            (["delete", key], false) => store.delete(&hex(key)?),
            (["delete", key], true) => store.tentatively_delete(&hex(key)?),
            (["append", log, data], false) => store.append(log.parse()?, &hex(data)?).map(drop),
            (["append", log, data], true) => store
                .tentatively_append(log.parse()?, &hex(data)?)
                .map(drop),
            (["head", log, at], false) => store.advance_head(log.parse()?, at.parse()?),
            (["head", log, at], true) => store.tentatively_advance_head(log.parse()?, at.parse()?),
            (["begin"], false) => {
                begun = true;
                // As the engine does it.
                let wanted = headroom(&store.layout());
                if store.room().record_bytes < wanted {
                    continue;
                }
                match store.reserve(wanted) {
                    Err(indelible::Error::Full { .. }) => Ok(()),
                    other => other,
                }
            }
            (["commit"], true) => {
                begun = false;
                store.commit()
            }
            (["abort"], true) => {
                begun = false;
                store.abort()
            }
            (["open"], false) => return Ok(true),
            (["close"], false) => {
                store.close().map_err(told)?;
                return Ok(true);
            }
            _ => return Err(format!("not understood: {line}").into()),
        };
        done.map_err(|error| format!("{line}: {error:?}"))?;
    }
    Ok(false)
}

fn hex(text: &str) -> Outcome<Vec<u8>> {
    if text == "-" {
        return Ok(Vec::new());
    }
    let digit = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or("?"), 16);
    Ok((0..text.len())
        .step_by(2)
        .map(digit)
        .collect::<Result<_, _>>()?)
}
