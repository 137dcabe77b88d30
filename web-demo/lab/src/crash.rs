//! The crash lab: a workload's writes, cut anywhere, recovered and judged.

use crate::device::{Started, text};
use crate::live::Live;
use crate::{to_js, told};
use indelible::{Geometry, Mode};
use indelible_tests::explorer::{Bounds, Legal, Run, Span, explore_each};
use indelible_tests::geometries;
use indelible_tests::script::{Op, Step, Workload, append, append_step, delete, put, put_step};
use indelible_tests::sim::{Decision, Event, Kind, Sim};
use indelible_tests::spec::Contents;
use indelible_tests::store::{Indexed, Real};
use indelible_tests::subject::Subject;
use indelible_tests::workloads;
use serde::Serialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// A workload on a medium, with everything that it did to it.
#[wasm_bindgen]
pub struct Crash {
    real: Real,
    workload: Workload,
    geometry: Geometry,
    origin: Sim,
    /// What it holds at first.
    start: Arc<Contents>,
    journal: Vec<Event>,
    spans: Vec<Span>,
    stops: Vec<Stop>,
}

/// A place where power can fail: behind `event` events; on flash within the
/// last of these, while its unit or sector number `step` is being done.
#[derive(Clone, Copy, Serialize)]
struct Stop {
    event: usize,
    step: Option<usize>,
}

#[derive(Serialize)]
struct Timeline {
    name: String,
    ops: Vec<OpRow>,
    events: Vec<EventRow>,
    stops: Vec<Stop>,
}

#[derive(Serialize)]
struct OpRow {
    label: String,
    start: usize,
    end: usize,
}

#[derive(Serialize)]
struct EventRow {
    kind: &'static str,
    at: f64,
    len: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CutRow {
    /// What was being done; none where the power failed between two operations.
    doing: Option<String>,
    open: Vec<OpenRow>,
    states_log2: f64,
}

#[derive(Serialize)]
struct OpenRow {
    kind: &'static str,
    at: f64,
    /// The bytes of each answer in hexadecimal; long ones in words.
    options: Vec<String>,
    /// These are all that the contract allows, not telling ones among them.
    exact: bool,
}

#[derive(Serialize)]
struct Outcome {
    report: Option<Started>,
    /// `before`, `after`, `same` (nothing was in flight), or `illegal`.
    verdict: &'static str,
    why: String,
    doing: Option<String>,
    rows: Vec<Row>,
    logs: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    key: String,
    value: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explored {
    workload: String,
    done: usize,
    of: usize,
    levels: Vec<LevelRow>,
    violation: Option<String>,
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelRow {
    cuts: f64,
    states: f64,
    undone: f64,
    done: f64,
    nothing: f64,
    complete: f64,
    legal_log2: f64,
}

/// The story of the page: an account, a transfer, a log of it.
fn transfers() -> Workload {
    let ops = vec![
        put(b"alice", b"100"),
        put(b"bob", b"20"),
        Op::Transaction(vec![
            put_step(b"alice", b"70"),
            put_step(b"bob", b"50"),
            append_step(0, b"alice pays bob 30\n"),
        ]),
        append(0, b"the bank closes\n"),
        delete(b"bob"),
    ];
    Workload::new("a transfer", ops).logs(&[300])
}

fn workload(number: usize, geometry: Geometry) -> Workload {
    match number {
        0 => transfers(),
        1 => workloads::spanning(),
        2 => workloads::succession(geometry),
        _ => workloads::reclaiming(geometry),
    }
}

fn bounds(depth: usize) -> Bounds {
    Bounds {
        samples: 4,
        patterns: 24,
        nested_cuts: 2,
        ..Bounds::quick().depth(depth)
    }
}

#[wasm_bindgen]
impl Crash {
    /// Runs a workload, by number, and keeps its journal.
    #[wasm_bindgen(constructor)]
    pub fn new(number: usize, is_flash: bool) -> Result<Crash, JsValue> {
        let geometry = if is_flash {
            geometries::flash(4)
        } else {
            geometries::memory()
        };
        let workload = workload(number, geometry);
        let real = Real::new(&workload.logs).indexed(Indexed::Ordered);
        let mut origin = Sim::new(geometry);
        origin.rig_mut().tearing = bounds(1).tearing;
        let empty = Arc::new(Contents::empty(workload.logs.len()));
        real.setup(&mut origin).map_err(told)?;
        let start = Run::new(&real, &workload)
            .go(&mut origin, vec![empty], None, &workload.prelude)
            .map_err(told)?;
        let mut sim = origin.clone();
        sim.rig_mut().start_journal();
        let mut run = Run::new(&real, &workload);
        run.go(&mut sim, vec![start.clone()], None, &workload.ops)
            .map_err(told)?;
        let spans = run.spans;
        let journal = sim.rig().journal().to_vec();
        let stops = stops(&origin, &journal)?;
        Ok(Self {
            real,
            workload,
            geometry,
            origin,
            start,
            journal,
            spans,
            stops,
        })
    }

    /// What was done to the medium, and where power can fail.
    pub fn timeline(&self) -> Result<JsValue, JsValue> {
        let events = self.journal.iter().map(|event| match event {
            Event::Write { at, bytes } => row("write", *at, bytes.len() as u64),
            Event::Erase { at, len } => row("erase", *at, *len),
            Event::Flush => row("flush", 0, 0),
        });
        let ops = self.spans.iter().filter(|span| span.end > span.start);
        to_js(&Timeline {
            name: self.workload.name.clone(),
            ops: ops
                .map(|span| OpRow {
                    label: label(span),
                    start: span.start,
                    end: span.end,
                })
                .collect(),
            events: events.collect(),
            stops: self.stops.clone(),
        })
    }

    /// What power failing at a stop leaves open.
    pub fn cut(&self, stop: usize) -> Result<JsValue, JsValue> {
        let (sim, _, doing) = self.after(stop)?;
        let open = sim.open().into_iter().map(|open| OpenRow {
            kind: match open.site.kind {
                Kind::Word => "word",
                Kind::HalfErased => "sector",
                Kind::Torn | Kind::Flicker => "unit",
            },
            at: open.site.at as f64,
            options: open.values.iter().map(|value| hex(value)).collect(),
            exact: open.site.exact,
        });
        to_js(&CutRow {
            doing,
            open: open.collect(),
            states_log2: sim.states_log2(),
        })
    }

    /// Recovers from power failing at a stop, with one answer for each thing
    /// that was open, and judges what is found.
    pub fn recover(&self, stop: usize, choices: &[u32]) -> Result<JsValue, JsValue> {
        let (sim, legal, doing) = self.after(stop)?;
        let sim = decided(sim, choices);
        let mut outcome = match Live::open(sim, Mode::ReadWrite) {
            Err(error) => Outcome::illegal(format!("the store does not open: {error}")),
            Ok(live) => {
                let (found, failed) = live.contents();
                let report = Some(Started::of(&live.report));
                let damaged = live.report.damaged > 0 || !failed.is_empty();
                let (verdict, why) = match judged(&legal, &found) {
                    _ if damaged => ("illegal", format!("damage reported: {}", failed.join("; "))),
                    Ok(verdict) => (verdict, String::new()),
                    Err(why) => ("illegal", why),
                };
                let logs = found.logs.iter().map(|log| text(&log.bytes)).collect();
                Outcome {
                    report,
                    verdict,
                    why,
                    doing: None,
                    rows: rows(&legal, &found),
                    logs,
                }
            }
        };
        outcome.doing = doing;
        to_js(&outcome)
    }

    /// The image that those answers make, not yet recovered.
    pub fn image(&self, stop: usize, choices: &[u32]) -> Result<Vec<u8>, JsValue> {
        let (sim, ..) = self.after(stop)?;
        Ok(decided(sim, choices).image())
    }

    /// Cuts everywhere, `depth` times in a row, with the explorer of the test
    /// suite; `watch` gets an `Explored` after each cut. Returns the last one.
    pub fn explore(&self, depth: usize, watch: &js_sys::Function) -> Result<JsValue, JsValue> {
        let mut last = Explored {
            workload: self.workload.name.clone(),
            done: 0,
            of: 0,
            levels: Vec::new(),
            violation: None,
        };
        let explored = explore_each(
            &self.real,
            &self.workload,
            self.geometry,
            bounds(depth),
            &mut |done, of, tally| {
                (last.done, last.of) = (done, of);
                last.levels = tally.levels.iter().map(LevelRow::of).collect();
                // A page that does not listen is no reason to stop.
                if let Ok(value) = to_js(&last) {
                    let _ = watch.call1(&JsValue::NULL, &value);
                }
            },
        );
        if let Err(found) = explored {
            last.violation = Some(found.to_string());
        }
        to_js(&last)
    }
}

impl Crash {
    /// The medium after power failed at a stop, undecided; what may be found;
    /// and what was being done.
    fn after(&self, stop: usize) -> Result<(Sim, Legal, Option<String>), JsValue> {
        let stop = *self.stops.get(stop).ok_or_else(|| told("no such stop"))?;
        let mut sim = self.origin.clone();
        for event in self.journal.iter().take(stop.event) {
            sim.replay(event).map_err(told)?;
        }
        let sim = match (&sim, stop.step) {
            (Sim::Flash(medium), Some(step)) => Sim::Flash(medium.cut(step)),
            _ => sim.cut(),
        };
        let within = |span: &&Span| match stop.step {
            // The last event is being done.
            Some(_) => span.start < stop.event && stop.event <= span.end,
            None => span.start < stop.event && stop.event < span.end,
        };
        let legal = match self.spans.iter().find(within) {
            Some(span) => (span.during.clone(), Some(label(span))),
            None => {
                let over = self.spans.iter().rev().find(|span| span.end <= stop.event);
                let legal =
                    over.map_or_else(|| vec![self.start.clone()], |span| span.after.clone());
                (legal, None)
            }
        };
        Ok((sim, legal.0, legal.1))
    }
}

impl Outcome {
    fn illegal(why: String) -> Self {
        Self {
            report: None,
            verdict: "illegal",
            why,
            doing: None,
            rows: Vec::new(),
            logs: Vec::new(),
        }
    }
}

impl LevelRow {
    fn of(level: &indelible_tests::explorer::Level) -> Self {
        Self {
            cuts: level.cuts as f64,
            states: level.visited as f64,
            undone: level.undone as f64,
            done: level.done as f64,
            nothing: (level.visited - level.undone - level.done) as f64,
            complete: level.complete as f64,
            legal_log2: level.legal_log2,
        }
    }
}

fn row(kind: &'static str, at: u64, len: u64) -> EventRow {
    EventRow {
        kind,
        at: at as f64,
        len: len as f64,
    }
}

/// Behind every event; on flash within every unit and sector too.
fn stops(origin: &Sim, journal: &[Event]) -> Result<Vec<Stop>, JsValue> {
    let mut sim = origin.clone();
    let mut stops = vec![Stop {
        event: 0,
        step: None,
    }];
    for (i, event) in journal.iter().enumerate() {
        let before = outstanding(&sim);
        sim.replay(event).map_err(told)?;
        let event = i + 1;
        let steps = before..outstanding(&sim).max(before);
        stops.extend(steps.map(|step| Stop {
            event,
            step: Some(step),
        }));
        stops.push(Stop { event, step: None });
    }
    Ok(stops)
}

fn outstanding(sim: &Sim) -> usize {
    match sim {
        Sim::Memory(_) => 0,
        Sim::Flash(medium) => medium.outstanding(),
    }
}

fn decided(mut sim: Sim, choices: &[u32]) -> Sim {
    let open = sim.open();
    let answers = open
        .iter()
        .zip(choices.iter().chain(core::iter::repeat(&0)));
    let decisions: Vec<_> = answers
        .map(|(open, choice)| Decision {
            site: open.site,
            choice: (*choice as usize).min(open.site.options - 1),
        })
        .collect();
    sim.pin(&decisions);
    sim
}

fn judged(legal: &Legal, found: &Contents) -> Result<&'static str, String> {
    match legal.iter().position(|contents| **contents == *found) {
        Some(_) if legal.len() < 2 => Ok("same"),
        Some(0) => Ok("before"),
        Some(_) => Ok("after"),
        None => {
            let differences = legal.iter().map(|legal| legal.difference(found));
            Err(differences.collect::<Vec<_>>().join(" or "))
        }
    }
}

/// What was found under each key, beside what may be.
fn rows(legal: &Legal, found: &Contents) -> Vec<Row> {
    let value = |contents: &Contents, key: &Vec<u8>| -> Option<String> {
        contents.items.get(key).map(|item| text(&item.value))
    };
    let all = legal.iter().map(|legal| &**legal).chain([found]);
    let mut keys: Vec<_> = all.flat_map(|contents| contents.items.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let rows = keys.into_iter().map(|key| Row {
        key: text(key),
        value: value(found, key),
        before: legal.first().and_then(|legal| value(legal, key)),
        after: legal.last().and_then(|legal| value(legal, key)),
    });
    rows.collect()
}

fn hex(bytes: &[u8]) -> String {
    if bytes.len() > 16 {
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        return format!("{} bytes, {ones} bits set", bytes.len());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn label(span: &Span) -> String {
    match &span.op {
        Some(op) => op_label(op),
        None => span.doing.clone(),
    }
}

fn op_label(op: &Op) -> String {
    match op {
        Op::Do(step) => step_label(step),
        Op::Transaction(steps) => {
            let steps: Vec<_> = steps.iter().map(step_label).collect();
            format!("transaction: {}", steps.join(", "))
        }
        Op::Aborted(_) => "a transaction given up".into(),
        Op::Maintain(_) => "maintain".into(),
        Op::Grow(segments) => format!("grow to {segments} segments"),
        Op::Close => "close".into(),
        Op::Reopen => "open again".into(),
    }
}

fn step_label(step: &Step) -> String {
    match step {
        Step::Put { key, value } if value.len() <= 24 => {
            format!("put {} = {}", text(key), text(value))
        }
        Step::Put { key, value } => format!("put {} ({} bytes)", text(key), value.len()),
        Step::Delete { key } => format!("delete {}", text(key)),
        Step::Append { log, data } => format!("append {} bytes to log {log}", data.len()),
        Step::AdvanceHead { log, .. } => format!("move the head of log {log}"),
        Step::ListAppend { key, .. } => format!("append to the list of {}", text(key)),
        Step::ListUpdate { key, .. } => format!("change the list of {}", text(key)),
        Step::ListTrim { key, .. } => format!("trim the list of {}", text(key)),
        Step::Create { key, .. } => format!("create {}", text(key)),
        Step::Update { key, .. } => format!("update {}", text(key)),
    }
}
