//! The corruption lab: a populated image, struck anywhere and judged.

use crate::{to_js, told};
use indelible::{Geometry, Order};
use indelible_tests::corruption::{Blow, COLUMNS, Content, Populated, Row, Verdict, judge};
use indelible_tests::script::{Op, append, delete, list_append_step, put, put_step};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A closed store with keys, a list and a log, and what it holds.
#[wasm_bindgen]
pub struct Corruption {
    populated: Populated,
}

#[derive(Serialize)]
struct Struck {
    /// One of the columns.
    verdict: &'static str,
    why: String,
}

#[derive(Serialize)]
struct Counted {
    columns: [&'static str; 8],
    counts: [f64; 8],
    /// The verdict of each flip, a digit each: its column.
    each: String,
}

fn medium(is_flash: bool) -> Geometry {
    Geometry {
        capacity: 10 * 1024,
        write_unit: if is_flash { 4 } else { 1 },
        erase_unit: 1024,
        blank: if is_flash { 0xFF } else { 0 },
        order: if is_flash {
            Order::Ordered
        } else {
            Order::Unordered
        },
    }
}

/// Keys, a list, a log; some of it replaced and deleted. The judge keeps keys
/// that begin with `n` to itself.
fn operations() -> Vec<Op> {
    let mut ops = Vec::new();
    for round in 0..6u8 {
        for (i, key) in ["author", "colour", "city", "a longer key"]
            .iter()
            .enumerate()
        {
            let value = format!("value {round} of the key {key}, number {i}");
            ops.push(put(key.as_bytes(), value.as_bytes()));
        }
        ops.push(append(0, format!("line {round} of the log\n").as_bytes()));
    }
    ops.push(Op::Do(list_append_step(b"author", b"first of a list")));
    ops.push(Op::Do(list_append_step(b"author", b"second")));
    ops.push(delete(b"colour"));
    ops.push(Op::Transaction(vec![
        put_step(b"city", b"Lisbon"),
        put_step(b"author", b"Ada"),
    ]));
    ops
}

#[wasm_bindgen]
impl Corruption {
    /// Fills a store and closes it.
    #[wasm_bindgen(constructor)]
    pub fn new(is_flash: bool) -> Result<Corruption, JsValue> {
        let populated = Populated::with(medium(is_flash), &[256], operations(), true);
        Ok(Self {
            populated: populated.map_err(told)?,
        })
    }

    /// The image, undamaged.
    pub fn image(&self) -> Vec<u8> {
        self.populated.image.clone()
    }

    /// Bits of the image.
    pub fn bits(&self) -> f64 {
        self.populated.image.len() as f64 * 8.0
    }

    /// Flips one bit, opens the image for reading and for writing, works on,
    /// opens it again, and judges everything.
    pub fn flip(&self, bit: f64) -> Result<JsValue, JsValue> {
        self.struck(Blow::Flip { bit: bit as u64 })
    }

    /// The same with a run of bytes that is blanked or overwritten with noise.
    pub fn hole(&self, at: f64, len: f64, noise: bool) -> Result<JsValue, JsValue> {
        let content = if noise {
            Content::Noise
        } else {
            Content::Blank
        };
        self.struck(Blow::Hole {
            at: at as u64,
            len: len as u64,
            content,
        })
    }

    /// The image with that hole.
    pub fn struck_image(&self, at: f64, len: f64, noise: bool) -> Vec<u8> {
        let content = if noise {
            Content::Noise
        } else {
            Content::Blank
        };
        let blow = Blow::Hole {
            at: at as u64,
            len: len as u64,
            content,
        };
        let mut image = self.populated.image.clone();
        blow.strike(&mut image, self.populated.geometry.blank);
        image
    }

    /// Flips each bit from `first` on, `count` of them, one at a time.
    pub fn sweep(&self, first: f64, count: f64) -> Result<JsValue, JsValue> {
        let bits = first as u64..(first + count) as u64;
        let verdicts: Vec<_> = bits
            .map(|bit| Blow::Flip { bit })
            .map(|blow| (blow, judge(&self.populated, &blow)))
            .collect();
        let digit = |verdict: &Verdict| char::from(b'0' + column(verdict) as u8);
        let each = verdicts.iter().map(|(_, verdict)| digit(verdict)).collect();
        let row = Row::new("flips", verdicts);
        to_js(&Counted {
            columns: COLUMNS,
            counts: row.counts.map(|count| count as f64),
            each,
        })
    }

    fn struck(&self, blow: Blow) -> Result<JsValue, JsValue> {
        let verdict = judge(&self.populated, &blow);
        let name = COLUMNS.get(column(&verdict)).copied().unwrap_or("wrong");
        to_js(&Struck {
            verdict: name,
            why: match verdict {
                Verdict::Harmless | Verdict::Healed => String::new(),
                Verdict::Named { items } => format!("{items}"),
                Verdict::Refused(why)
                | Verdict::TailLost(why)
                | Verdict::Misjudged(why)
                | Verdict::Wrong(why) => why,
            },
        })
    }
}

fn column(verdict: &Verdict) -> usize {
    let row = Row::new("one", vec![(Blow::Flip { bit: 0 }, verdict.clone())]);
    row.counts.iter().position(|count| *count > 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use indelible_tests::corruption::{campaign, flips};

    /// What the page says that it shows, at a stride.
    #[test]
    fn no_flip_is_wrong() {
        for is_flash in [false, true] {
            let populated = Populated::with(medium(is_flash), &[256], operations(), true);
            let populated = populated.unwrap_or_else(|error| panic!("{error}"));
            let blows: Vec<_> = flips(populated.image.len())
                .into_iter()
                .step_by(13)
                .collect();
            let row = Row::new("flips", campaign(&populated, &blows, 1));
            println!("{row}");
            assert_eq!(row.examples, [], "flash: {is_flash}");
        }
    }
}
