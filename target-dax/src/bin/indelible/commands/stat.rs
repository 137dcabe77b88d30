//! `stat`.

use std::path::Path;

use indelible_dax::indelible::{LogSpan, Order};
use indelible_dax::{HostStore, MediumKind, Reads, ShardedReader};

use super::stores::{Stores, opened, unfinished};
use crate::args::Stat;
use crate::failure::{Failure, Outcome};
use crate::json::{Fields, Json};
use crate::output::Output;
use crate::text::bytes;

pub fn run(args: Stat) -> Outcome {
    let path = &args.store;
    opened(path, Reads::Mapped, |stores| {
        let mut output = Output::new();
        match (&*stores, args.json) {
            (Stores::One(store), true) => {
                let logs = logs(path, store)?;
                output.line(Json::object(|fields| json(store, &logs, fields)))?;
            }
            (Stores::One(store), false) => lines(store, &logs(path, store)?, &mut output)?,
            (Stores::Shards(reader), json) => shards(path, reader, json, &mut output)?,
        }
        output.flush()
    })
}

fn logs(path: &Path, store: &HostStore<'_>) -> Outcome<Vec<LogSpan>> {
    let logs = 0..store.layout().logs as usize;
    logs.map(|log| store.get_head_tail_and_capacity(log))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::from(error).about(path.display()))
}

fn json(store: &HostStore<'_>, logs: &[LogSpan], fields: &mut Fields) {
    let layout = store.layout();
    let geometry = layout.geometry;
    let stats = store.stats();
    let report = store.report();
    fields.add("id", format!("{:032x}", store.id()).as_str());
    fields.add("clean", report.clean);
    fields.add("medium", short(store.kind()));
    fields.add("capacity", geometry.capacity);
    fields.add("write_unit", geometry.write_unit);
    fields.add("erase_unit", geometry.erase_unit);
    fields.add("blank", u64::from(geometry.blank));
    fields.add("ordered", geometry.order == Order::Ordered);
    fields.add("segment_size", layout.segment_size);
    fields.add("grows_to", layout.grows_to());
    fields.add("segments", stats.segments);
    fields.add("segments_ledger", stats.ledger);
    fields.add("segments_relocated", stats.cold);
    fields.add("segments_logs", stats.logs);
    fields.add("segments_blank", stats.blank);
    fields.add("segments_dirty", stats.dirty);
    fields.add("record_bytes", stats.live_bytes);
    fields.add("record_bytes_tombstones", stats.tombstone_bytes);
    fields.add("record_bytes_max", stats.kv_capacity);
    fields.add("keys", stats.keys);
    fields.add("index_entries", stats.index_len);
    fields.add("key_max", store.key_max());
    fields.add("value_max", store.value_max());
    fields.add("erases_min", stats.erases_min);
    fields.add("erases_max", stats.erases_max);
    fields.add("erases_total", stats.erases_total);
    fields.add("healed_bits", stats.healed_bits);
    fields.add("damaged", report.damaged);
    let logs = logs.iter().map(|span| {
        Json::object(|fields| {
            fields.add("head", span.head);
            fields.add("tail", span.tail);
            fields.add("capacity", span.capacity);
        })
    });
    fields.add("logs", Json::array(logs));
}

fn lines(store: &HostStore<'_>, logs: &[LogSpan], output: &mut Output) -> Outcome {
    let layout = store.layout();
    let geometry = layout.geometry;
    let stats = store.stats();
    output.line(format_args!(
        "store     {} in {}, write unit {}, erase unit {}, blank 0x{:02X}",
        bytes(geometry.capacity),
        medium(store),
        bytes(geometry.write_unit.into()),
        bytes(geometry.erase_unit.into()),
        geometry.blank
    ))?;
    output.line(format_args!("id        {:032x}", store.id()))?;
    output.line(format_args!("closed    {}", closed(store.report().clean)))?;
    output.line(format_args!(
        "segments  {} of {}: {} ledger, {} relocated records, {} logs, {} blank, {} to be erased",
        stats.segments,
        bytes(layout.segment_size.into()),
        stats.ledger,
        stats.cold,
        stats.logs,
        stats.blank,
        stats.dirty
    ))?;
    if geometry.order == Order::Unordered {
        output.line(format_args!("grows to  {}", bytes(layout.grows_to())))?;
    }
    output.line(format_args!(
        "records   {}, of that tombstones {}",
        records(stats.keys, stats.live_bytes, stats.kv_capacity),
        bytes(stats.tombstone_bytes)
    ))?;
    output.line(format_args!(
        "index     {} entries; keys up to {}, values up to {}",
        stats.index_len,
        bytes(store.key_max() as u64),
        bytes(store.value_max())
    ))?;
    output.line(format_args!(
        "wear      {} to {} erases a segment, {} in all",
        stats.erases_min, stats.erases_max, stats.erases_total
    ))?;
    for (log, span) in logs.iter().enumerate() {
        output.line(format_args!(
            "log {log:<5} head {} tail {} capacity {}",
            span.head,
            span.tail,
            bytes(span.capacity)
        ))?;
    }
    Ok(())
}

/// All shards together, then a line each.
fn shards(path: &Path, reader: &ShardedReader<'_>, as_json: bool, output: &mut Output) -> Outcome {
    // Where damage hides it, the report says so, and `check` names it.
    let waiting = unfinished(path, reader).ok();
    let all = reader.shards();
    let sum = |of: fn(&HostStore<'_>) -> u64| all.iter().map(of).sum::<u64>();
    let keys = sum(|shard| shard.stats().keys);
    let live = sum(|shard| shard.stats().live_bytes);
    let most = sum(|shard| shard.stats().kv_capacity);
    let size = sum(|shard| shard.layout().geometry.capacity);
    if as_json {
        let mut each = Vec::new();
        for shard in all {
            let logs = logs(path, shard)?;
            each.push(Json::object(|fields| json(shard, &logs, fields)));
        }
        return output.line(Json::object(|fields| {
            fields.add("capacity", size);
            fields.add("keys", keys);
            fields.add("record_bytes", live);
            fields.add("record_bytes_max", most);
            fields.add("unfinished", waiting);
            fields.add("shards", Json::array(each));
        }));
    }
    let count = super::count(all.len() as u64, "shard", "shards");
    output.line(format_args!("store     {} in {count}", bytes(size)))?;
    output.line(format_args!("records   {}", records(keys, live, most)))?;
    if let Some(waiting @ 1..) = waiting {
        output.line(format_args!(
            "waiting   {} over shards, for the next command that writes",
            super::count(waiting, "transaction", "transactions")
        ))?;
    }
    for (number, shard) in all.iter().enumerate() {
        let stats = shard.stats();
        output.line(format_args!(
            "shard {number:<3} {} in {}, grows to {}, {}; closed {}",
            bytes(shard.layout().geometry.capacity),
            medium(shard),
            bytes(shard.layout().grows_to()),
            records(stats.keys, stats.live_bytes, stats.kv_capacity),
            closed(shard.report().clean)
        ))?;
    }
    Ok(())
}

fn medium(store: &HostStore<'_>) -> String {
    match store.layout().geometry.order {
        Order::Unordered => store.kind().to_string(),
        Order::Ordered => "the image of ordered media".to_string(),
    }
}

fn records(keys: u64, live: u64, most: u64) -> String {
    let percent = live as f64 * 100.0 / most.max(1) as f64;
    let keys = super::count(keys, "key", "keys");
    format!(
        "{keys}, {} of {} ({percent:.1} %)",
        bytes(live),
        bytes(most)
    )
}

fn closed(clean: bool) -> &'static str {
    match clean {
        true => "cleanly",
        false => "not: the last writer was killed or cut off",
    }
}

fn short(kind: MediumKind) -> &'static str {
    match kind {
        MediumKind::File => "file",
        MediumKind::FsDax => "fsdax",
        MediumKind::DevDax => "devdax",
        MediumKind::View => "view",
        _ => "other",
    }
}
