//! A medium with a store on it, to work with and to look at.

use crate::live::{Live, Refused, item, keys};
use crate::picture::picture;
use crate::{bytes, to_js, told};
use fastrand::Rng;
use indelible::{Config, Error, Geometry, Item, Layout, Mode, Order, Report};
use indelible_tests::sim::{Chooser, Sim, Simulated};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A simulated medium, or an image, with its store open.
#[wasm_bindgen]
pub struct Device {
    live: Live,
    rng: Rng,
    count: u32,
}

/// What opening a store had to say.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    pub clean: bool,
    pub torn_bytes: Option<f64>,
    pub healed_bits: u32,
    pub damaged: u32,
    pub abandoned: u32,
}

impl Started {
    /// The report, for JavaScript.
    pub fn of(report: &Report) -> Self {
        Self {
            clean: report.clean,
            torn_bytes: report.torn.map(|torn| torn.bytes as f64),
            healed_bits: report.healed_bits,
            damaged: report.damaged,
            abandoned: report.abandoned,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    keys: Vec<Entry>,
    more: bool,
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The key as text, with escapes where it is none.
    key: String,
    /// The first bytes of the value, the same way.
    value: String,
    len: f64,
    list: f64,
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    frames: f64,
    entries: f64,
    log_bytes: f64,
    healed: f64,
    damaged: f64,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    what: String,
    key: Option<String>,
    at: f64,
    healed: bool,
}

#[derive(Serialize)]
struct LogText {
    head: f64,
    tail: f64,
    text: String,
    error: Option<String>,
}

/// Findings and bytes of a log that are handed over at once.
const FINDINGS: usize = 100;
const LOG_BYTES: u64 = 16 * 1024;
/// Bytes of a value that a listing shows.
const VALUE_SHOWN: usize = 120;

/// NOR flash of 24 sectors of 2 KiB, with words of 4 bytes: so small that it
/// reclaims space all the time.
pub fn flash() -> Geometry {
    Geometry {
        capacity: 24 * 2048,
        write_unit: 4,
        erase_unit: 2048,
        blank: 0xFF,
        order: Order::Ordered,
    }
}

/// A file or persistent memory of the same size.
pub fn memory() -> Geometry {
    Geometry {
        capacity: 24 * 2048,
        write_unit: 1,
        erase_unit: 2048,
        blank: 0x00,
        order: Order::Unordered,
    }
}

#[wasm_bindgen]
impl Device {
    /// A blank chip, or a blank file, with an empty store and one log.
    #[wasm_bindgen(constructor)]
    pub fn new(is_flash: bool, seed: u32) -> Result<Device, JsValue> {
        let geometry = if is_flash { flash() } else { memory() };
        let config = Config {
            id: 0x0049_6e64_656c_6962_6c65,
            nonce: u64::from(seed),
            segment_size: Some(2048),
            logs: &[4096],
        };
        let live = Live::create(Sim::new(geometry), &config).map_err(told)?;
        Ok(Self::of(live, seed))
    }

    /// An image of any geometry, opened for reading: a store file, a flash
    /// dump. Nothing in it is changed.
    pub fn image(image: &[u8]) -> Result<Device, JsValue> {
        let probe = Geometry {
            capacity: image.len() as u64 / 8 * 8,
            write_unit: 1,
            erase_unit: 8,
            blank: 0,
            order: Order::Unordered,
        };
        let whole = image.get(..image.len() / 8 * 8).unwrap_or_default();
        let mut probe = Sim::with_image(probe, whole);
        let layout = Layout::read_of(&mut probe as &mut dyn Simulated).map_err(told)?;
        let held = usize::try_from(layout.geometry.capacity).map_err(told)?;
        let held = image.get(..held).unwrap_or(whole);
        let sim = Sim::with_image(layout.geometry, held);
        let live = Live::open(sim, Mode::ReadOnly).map_err(told)?;
        Ok(Self::of(live, 1))
    }

    /// What opening the store had to say.
    pub fn report(&self) -> Result<JsValue, JsValue> {
        to_js(&Started::of(&self.live.report))
    }

    /// Segments and what stands in them: a `Picture`.
    pub fn picture(&mut self) -> Result<JsValue, JsValue> {
        let picture = self.live.work(picture).map_err(told)?;
        to_js(&picture)
    }

    /// The bytes of a segment.
    pub fn bytes(&self, segment: u32) -> Vec<u8> {
        let size = self.live.with(|store| store.layout().segment_size) as usize;
        let image = self.live.sim().image();
        let at = segment as usize * size;
        image.get(at..at + size).unwrap_or_default().to_vec()
    }

    /// The whole image.
    pub fn export(&self) -> Uint8Array {
        Uint8Array::from(&self.live.sim().image()[..])
    }

    /// What the bytes of a segment mean: fields in order.
    pub fn fields(&mut self, segment: u32) -> Result<JsValue, JsValue> {
        let bytes = self.bytes(segment);
        let fields = self.live.work(|store| {
            let picture = picture(store)?;
            match picture.segments.get(segment as usize) {
                Some(segment) => bytes::fields(store, segment, &bytes),
                None => Ok(Vec::new()),
            }
        });
        to_js(&fields.map_err(told)?)
    }

    /// Does `count` operations of a mixed load: what each was, in words.
    pub fn traffic(&mut self, count: u32) -> Result<JsValue, JsValue> {
        let mut done = Vec::new();
        for _ in 0..count {
            done.push(self.operate().map_err(told)?);
        }
        to_js(&done)
    }

    /// Cuts the power in the middle of an operation and starts again: the
    /// operation, and what the start had to say.
    #[wasm_bindgen(js_name = powerCut)]
    pub fn power_cut(&mut self) -> Result<JsValue, JsValue> {
        let mut before = self.live.sim();
        before.rig_mut().start_journal();
        let mut doomed = Live::open(before.clone(), Mode::ReadWrite).map_err(told)?;
        let opened = doomed.sim().rig().journal().len();
        let (mut rng, count) = (self.rng.clone(), self.count);
        let what = operation(&mut doomed, &mut rng, count).map_err(told)?;
        let journal = doomed.sim().rig().journal().to_vec();
        let stop = self.rng.usize(opened..=journal.len());
        for event in journal.iter().take(stop) {
            before.replay(event).map_err(told)?;
        }
        let after = match &before {
            Sim::Memory(_) => before.cut(),
            Sim::Flash(medium) => {
                let torn = self.rng.usize(0..=medium.outstanding());
                Sim::Flash(medium.cut(torn))
            }
        };
        after.rig().set_chooser(Chooser::random(self.rng.u64(..)));
        self.live = Live::open(after, Mode::ReadWrite).map_err(told)?;
        self.count += 1;
        to_js(&(what, Started::of(&self.live.report)))
    }

    /// Up to `most` keys from `from` on, with the beginnings of their values.
    pub fn list(&self, from: &[u8], most: usize) -> Result<JsValue, JsValue> {
        let listed = self.live.with(|store| {
            let (mut found, error) = keys(store, from, most + 1);
            let more = found.len() > most;
            found.truncate(most);
            let entry = |key: Vec<u8>| {
                let (item, error) = match item(store, &key) {
                    Ok(item) => (item, None),
                    Err(error) => (Default::default(), Some(error.to_string())),
                };
                let shown = item.value.get(..VALUE_SHOWN).unwrap_or(&item.value);
                Entry {
                    key: text(&key),
                    value: text(shown),
                    len: item.value.len() as f64,
                    list: item.list.len() as f64,
                    error,
                }
            };
            Listed {
                keys: found.into_iter().map(entry).collect(),
                more,
                error,
            }
        });
        to_js(&listed)
    }

    /// The newest bytes of a log as text.
    pub fn log(&self, number: usize) -> Result<JsValue, JsValue> {
        let log = self.live.with(|store| {
            let span = store.get_head_tail_and_capacity(number)?;
            let from = span.head.max(span.tail.saturating_sub(LOG_BYTES));
            let mut bytes = vec![0; usize::try_from(span.tail - from).unwrap_or(0)];
            let read = store.read(number, from, &mut bytes);
            Ok(LogText {
                head: span.head as f64,
                tail: span.tail as f64,
                text: if read.is_ok() {
                    text(&bytes)
                } else {
                    String::new()
                },
                error: read.err().map(|error| error.to_string()),
            })
        });
        to_js(&log.map_err(|error: Refused| told(error))?)
    }

    /// Verifies everything.
    pub fn check(&mut self) -> Result<JsValue, JsValue> {
        let mut findings = Vec::new();
        let checked = self.live.work(|store| {
            store.check(&mut |finding| {
                if findings.len() < FINDINGS {
                    findings.push(Finding {
                        what: name(finding.item),
                        key: finding.key.map(text),
                        at: finding.at as f64,
                        healed: finding.healed,
                    });
                }
            })
        });
        let checked = checked.map_err(told)?;
        to_js(&Checked {
            frames: checked.frames as f64,
            entries: checked.entries as f64,
            log_bytes: checked.log_bytes as f64,
            healed: checked.healed as f64,
            damaged: checked.damaged as f64,
            findings,
        })
    }
}

impl Device {
    fn of(live: Live, seed: u32) -> Self {
        Self {
            live,
            rng: Rng::with_seed(seed.into()),
            count: 0,
        }
    }

    fn operate(&mut self) -> Result<String, Refused> {
        self.count += 1;
        operation(&mut self.live, &mut self.rng, self.count)
    }
}

/// One operation of the load: many updates of few keys, some of many, a log.
fn operation(live: &mut Live, rng: &mut Rng, count: u32) -> Result<String, Refused> {
    let kind = rng.u32(0..100);
    let key = match rng.u32(0..4) {
        0 => format!("sensor/{:02}", rng.u32(0..40)),
        _ => format!("setting/{}", rng.u32(0..6)),
    };
    let value = format!(
        "{}.{} degrees, reading {count}{}",
        rng.u32(12..30),
        rng.u32(0..10),
        ", as before".repeat(rng.usize(0..4))
    );
    let line = format!("{count:06} {key} changed\n");
    live.work(|store| match kind {
        0..55 => {
            store.put(key.as_bytes(), value.as_bytes())?;
            Ok(format!("put {key}"))
        }
        55..80 => {
            append(store, &line)?;
            Ok(format!("append {} bytes", line.len()))
        }
        80..90 => match store.delete(key.as_bytes()) {
            Ok(()) | Err(Error::NotFound) => Ok(format!("delete {key}")),
            Err(error) => Err(error),
        },
        _ => {
            room(store, line.len() as u64)?;
            let mut transaction = store.transaction();
            transaction.put(key.as_bytes(), value.as_bytes())?;
            transaction.put(b"newest", key.as_bytes())?;
            transaction.append(0, line.as_bytes())?;
            transaction.commit()?;
            Ok(format!("transaction: 2 puts, 1 append ({key})"))
        }
    })
}

/// Makes room in the log, as a log that keeps the newest does.
fn room(store: &mut crate::live::Opened<'_>, needed: u64) -> Result<(), Refused> {
    let span = store.get_head_tail_and_capacity(0)?;
    if span.tail - span.head + needed > span.capacity {
        store.advance_head(0, span.head + span.capacity / 3)?;
    }
    Ok(())
}

fn append(store: &mut crate::live::Opened<'_>, line: &str) -> Result<(), Refused> {
    room(store, line.len() as u64)?;
    store.append(0, line.as_bytes()).map(drop)
}

/// Bytes as text: as it is where it is UTF-8 without control characters but
/// line ends, with escapes otherwise.
pub fn text(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text)
            if text
                .chars()
                .all(|c| !c.is_control() || c == '\n' || c == '\t') =>
        {
            text.into()
        }
        _ => bytes.escape_ascii().to_string(),
    }
}

fn name(item: Item) -> String {
    match item {
        Item::Value => "value".into(),
        Item::Element => "list element".into(),
        Item::Log(log) => format!("log {log}"),
        Item::Metadata => "metadata".into(),
    }
}
