//! `check`: verifies everything.

use indelible_dax::Reads;
use indelible_dax::indelible::Item;

use super::{count, examined};
use crate::args::Check;
use crate::failure::{Code, Failure, Outcome};
use crate::json::Json;
use crate::output::Output;
use crate::text::escaped;

/// A finding that outlives its visit.
struct Found {
    item: Item,
    key: Option<Vec<u8>>,
    at: u64,
    healed: bool,
}

pub fn run(args: Check) -> Outcome {
    // What lies on a failing disk is read so that an unreadable page is an
    // error, not the end of the process.
    examined(&args.store, Reads::Positioned, |store| {
        let mut findings = Vec::new();
        let checked = store
            .check(&mut |finding| {
                findings.push(Found {
                    item: finding.item,
                    key: finding.key.map(<[u8]>::to_vec),
                    at: finding.at,
                    healed: finding.healed,
                });
            })
            .map_err(|error| Failure::from(error).about(args.store.display()))?;
        let report = store.report();
        let mut output = Output::new();
        if args.json {
            output.line(Json::object(|fields| {
                fields.add("clean", report.clean);
                fields.add("torn_bytes", report.torn.map(|torn| torn.bytes));
                fields.add("frames", checked.frames);
                fields.add("entries", checked.entries);
                fields.add("log_bytes", checked.log_bytes);
                fields.add("healed", checked.healed);
                fields.add("damaged", checked.damaged);
                fields.add(
                    "findings",
                    Json::array(findings.iter().map(|found| {
                        Json::object(|fields| {
                            fields.add("item", name(found.item).as_str());
                            if let Some(key) = &found.key {
                                fields.add_bytes("key", key);
                            }
                            fields.add("at", found.at);
                            fields.add("healed", found.healed);
                        })
                    })),
                );
            }))?;
        } else {
            for found in &findings {
                let state = if found.healed { "healed" } else { "damaged" };
                let key = found.key.as_deref().map(escaped);
                let key = key.map(|key| format!(" of `{key}`")).unwrap_or_default();
                output.line(format_args!(
                    "{state}: {}{key} at byte {}",
                    name(found.item),
                    found.at
                ))?;
            }
            output.line(format_args!(
                "{} frames, {} entries and {} bytes of logs checked: {} damaged, {} healed",
                checked.frames, checked.entries, checked.log_bytes, checked.damaged, checked.healed
            ))?;
        }
        output.flush()?;
        if checked.damaged == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Code::Damage,
            format_args!(
                "{}: {} damaged; `indelible export` saves what is whole",
                args.store.display(),
                count(checked.damaged, "item is", "items are")
            ),
        ))
    })
}

fn name(item: Item) -> String {
    match item {
        Item::Value => "value".to_string(),
        Item::Element => "list element".to_string(),
        Item::Log(log) => format!("log {log}"),
        Item::Metadata => "metadata".to_string(),
    }
}
