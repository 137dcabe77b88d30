//! `stat`.

use indelible_dax::indelible::Order;
use indelible_dax::{MediumKind, Reads};

use super::reading;
use crate::args::Stat;
use crate::failure::{Failure, Outcome};
use crate::json::Json;
use crate::output::Output;
use crate::text::bytes;

pub fn run(args: Stat) -> Outcome {
    reading(&args.store, Reads::Mapped, |store| {
        let layout = store.layout();
        let geometry = layout.geometry;
        let stats = store.stats();
        let mut logs = Vec::new();
        for log in 0..layout.logs as usize {
            let span = store
                .get_head_tail_and_capacity(log)
                .map_err(|error| Failure::from(error).about(args.store.display()))?;
            logs.push(span);
        }
        let report = store.report();
        let mut output = Output::new();
        if args.json {
            output.line(Json::object(|fields| {
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
                fields.add(
                    "logs",
                    Json::array(logs.iter().map(|span| {
                        Json::object(|fields| {
                            fields.add("head", span.head);
                            fields.add("tail", span.tail);
                            fields.add("capacity", span.capacity);
                        })
                    })),
                );
            }))?;
            return output.flush();
        }
        let media = match geometry.order {
            Order::Unordered => store.kind().to_string(),
            Order::Ordered => "the image of ordered media".to_string(),
        };
        output.line(format_args!(
            "store     {} in {media}, write unit {}, erase unit {}, blank 0x{:02X}",
            bytes(geometry.capacity),
            bytes(geometry.write_unit.into()),
            bytes(geometry.erase_unit.into()),
            geometry.blank
        ))?;
        output.line(format_args!("id        {:032x}", store.id()))?;
        output.line(format_args!(
            "closed    {}",
            if report.clean {
                "cleanly"
            } else {
                "not: the last writer was killed or cut off"
            }
        ))?;
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
        let percent = stats.live_bytes as f64 * 100.0 / stats.kv_capacity.max(1) as f64;
        output.line(format_args!(
            "records   {} keys, {} of {} ({percent:.1} %), of that tombstones {}",
            stats.keys,
            bytes(stats.live_bytes),
            bytes(stats.kv_capacity),
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
        output.flush()
    })
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
