//! `check`: verifies everything.

use indelible_dax::host::HostIndex;
use indelible_dax::indelible::{Checked, Item};
use indelible_dax::{HostStore, Reads};

use super::count;
use super::stores::{Stores, examined, unfinished};
use crate::args::Check;
use crate::failure::{Code, Failure, Outcome};
use crate::json::{Fields, Json};
use crate::output::Output;
use crate::text::escaped;

/// A finding that outlives its visit.
struct Found {
    item: Item,
    key: Option<Vec<u8>>,
    at: u64,
    healed: bool,
}

/// What was found in a store, or in a shard of one.
struct Verified {
    clean: bool,
    torn_bytes: Option<u64>,
    checked: Checked,
    findings: Vec<Found>,
}

pub fn run(args: Check) -> Outcome {
    // What lies on a failing disk is read so that an unreadable page is an
    // error, not the end of the process.
    examined(&args.store, Reads::Positioned, |stores| {
        let mut all = Vec::new();
        for store in stores.all_mut() {
            let verified = verify(store);
            all.push(verified.map_err(|failure| failure.about(args.store.display()))?);
        }
        let mut output = Output::new();
        let damaged: u64 = all.iter().map(|shard| shard.checked.damaged).sum();
        match (&*stores, all.as_slice()) {
            (Stores::Shards(reader), all) => {
                // Where damage hides what waits, that was found.
                let waiting = match unfinished(&args.store, reader) {
                    Err(failure) if damaged == 0 => return Err(failure),
                    waiting => waiting.ok(),
                };
                shards(all, waiting, args.json, &mut output)?;
            }
            (Stores::One(_), [one]) if args.json => {
                output.line(Json::object(|fields| one.json(fields)))?;
            }
            (Stores::One(_), all) => {
                for one in all {
                    one.lines("", &mut output)?;
                }
            }
        }
        output.flush()?;
        if damaged == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Code::Damage,
            format_args!(
                "{}: {} damaged; `indelible export` saves what is whole",
                args.store.display(),
                count(damaged, "item is", "items are")
            ),
        ))
    })
}

fn verify<'a, I: HostIndex<'a>>(store: &mut HostStore<'a, I>) -> Outcome<Verified> {
    let mut findings = Vec::new();
    let checked = store.check(&mut |finding| {
        findings.push(Found {
            item: finding.item,
            key: finding.key.map(<[u8]>::to_vec),
            at: finding.at,
            healed: finding.healed,
        });
    })?;
    let report = store.report();
    Ok(Verified {
        clean: report.clean,
        torn_bytes: report.torn.map(|torn| torn.bytes),
        checked,
        findings,
    })
}

/// All shards one behind the other, and what waits for all of them.
fn shards(all: &[Verified], waiting: Option<u64>, json: bool, output: &mut Output) -> Outcome {
    if json {
        return output.line(Json::object(|fields| {
            let damaged: u64 = all.iter().map(|shard| shard.checked.damaged).sum();
            fields.add("damaged", damaged);
            fields.add("unfinished", waiting);
            let shards = all.iter();
            let shards = shards.map(|shard| Json::object(|fields| shard.json(fields)));
            fields.add("shards", Json::array(shards));
        }));
    }
    for (number, shard) in all.iter().enumerate() {
        shard.lines(&format!("shard {number}: "), output)?;
    }
    match waiting {
        Some(0) | None => Ok(()),
        Some(waiting) => output.line(format_args!(
            "{} over shards, which the next command that writes carries out",
            count(waiting, "unfinished transaction", "unfinished transactions")
        )),
    }
}

impl Verified {
    fn json(&self, fields: &mut Fields) {
        fields.add("clean", self.clean);
        fields.add("torn_bytes", self.torn_bytes);
        fields.add("frames", self.checked.frames);
        fields.add("entries", self.checked.entries);
        fields.add("log_bytes", self.checked.log_bytes);
        fields.add("healed", self.checked.healed);
        fields.add("damaged", self.checked.damaged);
        fields.add(
            "findings",
            Json::array(self.findings.iter().map(Found::json)),
        );
    }

    fn lines(&self, begin: &str, output: &mut Output) -> Outcome {
        for found in &self.findings {
            output.line(format_args!("{begin}{}", found.line()))?;
        }
        let checked = &self.checked;
        output.line(format_args!(
            "{begin}{} frames, {} entries and {} bytes of logs checked: {} damaged, {} healed",
            checked.frames, checked.entries, checked.log_bytes, checked.damaged, checked.healed
        ))
    }
}

impl Found {
    fn json(&self) -> Json {
        Json::object(|fields| {
            fields.add("item", name(self.item).as_str());
            if let Some(key) = &self.key {
                fields.add_bytes("key", key);
            }
            fields.add("at", self.at);
            fields.add("healed", self.healed);
        })
    }

    fn line(&self) -> String {
        let state = if self.healed { "healed" } else { "damaged" };
        let key = self.key.as_deref().map(escaped);
        let key = key.map(|key| format!(" of `{key}`")).unwrap_or_default();
        format!("{state}: {}{key} at byte {}", name(self.item), self.at)
    }
}

fn name(item: Item) -> String {
    match item {
        Item::Value => "value".to_string(),
        Item::Element => "list element".to_string(),
        Item::Log(log) => format!("log {log}"),
        Item::Metadata => "metadata".to_string(),
    }
}
