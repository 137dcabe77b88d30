/** Part 4: bits flipped, one or all. */
import { at, choose, count, failed, fill, h, many } from "../dom";
import { Lab } from "../lab/client";
import type { Counted, Picture, Struck, Verdict } from "../lab/types";
import { byteText, MediumPicture, type Spot } from "../picture";
import { inspect } from "./inspect";

interface Meaning {
  title: string;
  kind: string;
  /** A colour of the page. */
  colour: string;
  text(why: string): string;
}

const MEANING: Record<Verdict, Meaning> = {
  harmless: {
    title: "Unharmed",
    kind: "fine",
    colour: "harmless",
    text: () => "Nothing that counts stands there: every key, list and log reads as before.",
  },
  healed: {
    title: "Healed",
    kind: "good",
    colour: "healed",
    text: () => "A checksum told which bit it was. Every key, list and log reads as before, and the report says that a bit was healed.",
  },
  named: {
    title: "Named",
    kind: "told",
    colour: "named",
    text: (why) => `${many(Number(why), "key or log answers", "keys and logs answer")} with an error that says where the damage is. Everything else is right.`,
  },
  withheld: {
    title: "Named, with others",
    kind: "told",
    colour: "named",
    text: (why) => `${why} keys and logs answer with an error, for what was hit may have held newer values of them. None is wrong.`,
  },
  refused: { title: "Refused", kind: "told", colour: "named", text: (why) => `The store does not open, and says why: ${why}.` },
  "tail lost": { title: "The newest is gone", kind: "told", colour: "named", text: (why) => `All that stood of the newest transactions is blank: ${why}` },
  misjudged: { title: "Taken for a power cut", kind: "bad", colour: "bad", text: (why) => why },
  wrong: { title: "Wrong", kind: "bad", colour: "bad", text: (why) => why },
};

/** Bits judged in one message. */
const SLICE = 128;

export async function damage() {
  const root = at("damage-body");
  let lab: Lab;
  let device: Lab | undefined;
  let picture: Picture | undefined;
  let spot: Spot = { segment: 0, offset: 0 };
  let isFlash = false;
  let image: Uint8Array;
  let sweeping: Lab[] = [];

  const memory = h("button", { type: "button", onclick: () => load(false) }, "File");
  const flash = h("button", { type: "button", onclick: () => load(true) }, "Flash chip");
  const all = h("button", { type: "button", class: "main", onclick: () => sweep() }, "Flip every bit");
  const halt = h("button", { type: "button", hidden: true, onclick: () => end() }, "Stop");
  const view = new MediumPicture({ label: "The store to damage", onchoose: (chosen) => void select(chosen) });
  const bits = h("span", { class: "bits", role: "group", "aria-label": "Flip a bit" });
  const where = h("p", { class: "note" }, "\u00a0");
  const verdict = h("div", { "aria-live": "polite" });
  const box = h("div");
  const result = h("div", { id: "damage-result" });

  for (let bit = 7; bit >= 0; bit--) {
    bits.append(h("button", { type: "button", "aria-label": `Flip bit ${bit}`, onclick: () => flip(bit) }, String(bit)));
  }
  fill(
    root,
    h(
      "div",
      { class: "tools" },
      h("span", { class: "either", role: "group", "aria-label": "Kind of medium" }, memory, flash),
      all,
      halt,
    ),
    h(
      "div",
      { class: "pair" },
      h("div", {}, view.root),
      h(
        "div",
        {},
        h(
          "div",
          { class: "card" },
          h("h3", {}, "Strike here"),
          where,
          h("div", { class: "tools" }, h("span", {}, "flip bit"), bits),
          h(
            "div",
            { class: "tools" },
            h("button", { type: "button", onclick: () => hole(8, false) }, "Blank 8 bytes"),
            h("button", { type: "button", onclick: () => hole(8, true) }, "8 bytes of noise"),
            h("button", { type: "button", onclick: () => hole(1024, true) }, "Lose the segment"),
          ),
          verdict,
        ),
      ),
    ),
    result,
    box,
  );

  async function load(flashy: boolean) {
    end();
    isFlash = flashy;
    choose([memory, flash], isFlash ? flash : memory);
    try {
      if (lab === undefined) lab = await Lab.make("Corruption", isFlash);
      else await lab.remake("Corruption", isFlash);
      image = await lab.call<Uint8Array>("image");
      fill(result);
      view.mark(new Map());
      await draw();
      const live = picture!.segments.findIndex((segment) => segment.runs.some((run) => run.is === "live"));
      const run = picture!.segments[live]?.runs.find((run) => run.is === "live");
      await select({ segment: Math.max(0, live), offset: (run?.at ?? 0) + 9 });
      fill(verdict, h("p", { class: "note" }, "Choose a byte in the picture, then strike."));
    } catch (error) {
      failed(verdict, error);
    }
  }

  async function draw() {
    device?.close();
    device = await Lab.make("Device.image", image);
    picture = await device.call<Picture>("picture");
    view.show(picture, image);
  }

  async function select(chosen: Spot) {
    if (!picture || !device) return;
    spot = chosen;
    fill(where, byteText(picture, spot));
    await inspect(box, device, picture, spot, (offset) => void select({ segment: spot.segment, offset }));
  }

  function address() {
    return spot.segment * picture!.segmentSize + spot.offset;
  }

  async function flip(bit: number) {
    await struck(`bit ${bit} of byte ${count(address())}`, lab.call<Struck>("flip", address() * 8 + bit));
  }

  async function hole(len: number, noise: boolean) {
    const from = Math.floor(address() / len) * len;
    const what = noise ? "noise over" : "blank:";
    await struck(`${what} ${many(len, "byte")} from ${count(from)}`, lab.call<Struck>("hole", from, len, noise));
  }

  async function struck(what: string, call: Promise<Struck>) {
    try {
      const found = await call;
      const meaning = MEANING[found.verdict];
      verdict.dataset["verdict"] = found.verdict;
      fill(
        verdict,
        h("p", { class: `verdict ${meaning.kind}` }, meaning.title),
        h("p", {}, meaning.text(found.why)),
        h("p", { class: "note" }, `Struck: ${what}. Opened for reading, then for writing; everything compared; worked on; opened again and compared.`),
      );
    } catch (error) {
      failed(verdict, error);
    }
  }

  function end() {
    for (const worker of sweeping) worker.close();
    sweeping = [];
    halt.hidden = true;
    all.disabled = false;
  }

  /** Every bit, on as many workers as there are processors to spare. */
  async function sweep() {
    end();
    all.disabled = true;
    halt.hidden = false;
    const total = image.length * 8;
    const counts = new Map<Verdict, number>();
    const marks = new Map<number, string>();
    const started = performance.now();
    let next = 0;
    let done = 0;
    let told = 0;
    const mine = (sweeping = await Promise.all(
      Array.from({ length: Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1)) }, () =>
        Lab.make("Corruption", isFlash),
      ),
    ));
    const work = async (worker: Lab) => {
      while (next < total && mine === sweeping) {
        const first = next;
        next += SLICE;
        const slice = await worker.call<Counted>("sweep", first, Math.min(SLICE, total - first));
        slice.columns.forEach((column, i) => counts.set(column, (counts.get(column) ?? 0) + slice.counts[i]!));
        [...slice.each].forEach((digit, i) => {
          const byte = Math.floor((first + i) / 8);
          const worst = Math.max(Number(digit), rank(marks.get(byte), slice.columns));
          marks.set(byte, MEANING[slice.columns[worst]!].colour);
        });
        done += slice.each.length;
        if (performance.now() - told > 120 || done === total) {
          told = performance.now();
          counted(counts, done, total, performance.now() - started);
          view.mark(new Map(marks));
        }
      }
    };
    try {
      await Promise.all(mine.map(work));
    } catch (error) {
      if (mine === sweeping) failed(result, error);
    } finally {
      if (mine === sweeping) end();
    }
  }

  function rank(colour: string | undefined, columns: Verdict[]) {
    return Math.max(0, columns.findIndex((column) => MEANING[column].colour === colour));
  }

  function counted(counts: Map<Verdict, number>, done: number, total: number, time: number) {
    const of = (...names: Verdict[]) => names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
    const parts: [string, string, number][] = [
      ["healed", "healed", of("healed")],
      ["harmless", "hit nothing that counts", of("harmless")],
      ["named", "named", of("named", "withheld", "refused", "tail lost")],
      ["bad", "wrong, or taken for a power cut", of("misjudged", "wrong")],
    ];
    const data = result.dataset;
    data["done"] = String(done === total);
    data["total"] = String(total);
    data["sum"] = String(parts.reduce((sum, part) => sum + part[2], 0));
    data["wrong"] = String(parts[3]![2]);
    fill(
      result,
      h("p", { class: `verdict ${parts[3]![2] > 0 ? "bad" : "good"}`, style: "margin-top:1.5rem" }, `${count(done)} of ${count(total)} bits flipped, ${parts[3]![2] === 0 ? "none wrong" : `${count(parts[3]![2])} wrong`}`),
      h("div", { class: "share", "aria-hidden": "true" }, ...parts.map(([colour, , value]) => h("i", { style: `width:${(100 * value) / total}%;background:var(--${colour})` }))),
      h("ul", { class: "legend" }, ...parts.map(([colour, name, value]) => h("li", {}, h("i", { style: `background:var(--${colour})`, "aria-hidden": "true" }), `${count(value)} ${name}`))),
      h("p", { class: "note", role: done === total ? "status" : undefined }, `One at a time, each on a fresh copy: opened twice, compared, worked on, opened again. ${(time / 1000).toFixed(0)} s so far; the picture shows the worst of each byte's eight bits.`),
    );
  }

  await load(false);
}
