/** Part 5: an image from the visitor's disk, read in the page. */
import { at, bytes, count, failed, fill, h, many } from "../dom";
import { Lab } from "../lab/client";
import type { Checked, Listed, LogText, Picture, Started } from "../lab/types";
import { legend, MediumPicture } from "../picture";
import { inspect, tableOf } from "./inspect";

/** Keys that are listed at once. */
const PAGE = 50;
/** Larger files are refused: all of it is held in memory, more than once. */
const LARGEST = 256 << 20;

export function image() {
  const root = at("image-body");
  let lab: Lab | undefined;
  const input = h("input", { type: "file", id: "image-file", hidden: true, onchange: () => void take(input.files?.[0]) });
  const button = h("button", { type: "button", class: "main", onclick: () => input.click() }, "Choose a file");
  const example = h("button", { type: "button", onclick: () => void dump() }, "Take a dump of a chip");
  const shown = h("div", { id: "image-shown" });
  const drop = h(
    "div",
    { class: "drop" },
    h("p", {}, h("strong", {}, "Drop an image here")),
    h("p", { class: "note" }, "a store made by ", h("code", {}, "indelible create"), ", or a dump of a device\u2019s flash"),
    h("div", { class: "tools", style: "margin:0.4rem 0 0" }, button, example),
    input,
  );
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    void take(event.dataTransfer?.files[0]);
  });
  fill(root, drop, shown);

  async function take(file: File | undefined) {
    if (!file) return;
    input.value = "";
    if (file.size > LARGEST) return failed(shown, `${file.name} has ${bytes(file.size)}; this page takes up to ${bytes(LARGEST)}.`);
    fill(shown, h("p", { class: "note" }, "Opening\u2026"));
    await show(file.name, new Uint8Array(await file.arrayBuffer()));
  }

  /** For who has no image at hand: what the simulated chip leaves. */
  async function dump() {
    fill(shown, h("p", { class: "note" }, "Working on a simulated chip\u2026"));
    const chip = await Lab.make("Device", true, 7);
    await chip.call("traffic", 260);
    const image = await chip.call<Uint8Array>("export");
    chip.close();
    await show("a simulated chip, not closed", image);
  }

  async function show(name: string, image: Uint8Array) {
    try {
      lab?.close();
      const mine = (lab = await Lab.make("Device.image", image));
      const [picture, report, checked] = await Promise.all([
        mine.call<Picture>("picture"),
        mine.call<Started>("report"),
        mine.call<Checked>("check"),
      ]);
      const box = h("div");
      const view = new MediumPicture({ label: `Image ${name}`, onchoose: (spot) => void inspect(box, mine, picture, spot) });
      const logs = await Promise.all(picture.logs.map((_, i) => mine.call<LogText>("log", i)));
      const table = h("tbody");
      const more = h("div");
      fill(
        shown,
        h("h3", { style: "margin-top:1.6rem" }, name),
        h("p", { class: "note" }, summary(picture, image.length)),
        h("p", { class: `verdict ${checked.damaged > 0 || report.damaged > 0 ? "bad" : checked.healed > 0 ? "told" : "good"}` }, finding(checked)),
        h("p", { class: "note" }, said(report), ` Checked: ${many(checked.frames, "frame")}, ${many(checked.entries, "entry", "entries")}, ${many(checked.logBytes, "byte")} of logs.`),
        findings(checked),
        view.root,
        legend([
          ["live", "records that count"],
          ["dead", "replaced"],
          ["log", "logs"],
          ["meta", "bookkeeping"],
          ["commit", "ends of transactions"],
          ["damaged", "damaged"],
        ]),
        tableOf(() => picture, (spot) => view.choose(spot)),
        box,
        h("h3", { style: "margin-top:1.6rem" }, many(picture.keys, "key")),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Keys" },
          h("table", { id: "image-keys" },
            h("thead", {}, h("tr", {}, ...["key", "value", "bytes"].map((name) => h("th", { scope: "col" }, name)))),
            table)),
        more,
        ...logs.flatMap((log, i) => [
          h("h3", { style: "margin-top:1.6rem" }, `Log ${i}: bytes ${count(log.head)} to ${count(log.tail)}`),
          log.error ? h("p", { class: "failed" }, log.error) : h("pre", { class: "scroll log", tabindex: 0, role: "region", "aria-label": `Log ${i}` }, log.text || "empty"),
        ]),
      );
      view.show(picture, image.subarray(0, picture.capacity));
      await list(mine, table, more, new Uint8Array());
    } catch (error) {
      failed(shown, `${name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  async function list(mine: Lab, table: HTMLElement, more: HTMLElement, from: Uint8Array, skip = 0) {
    const page = await mine.call<Listed>("list", from, PAGE);
    for (const row of page.keys.slice(skip)) {
      const list = row.list > 0 ? ` and a list of ${count(row.list)}` : "";
      table.append(
        h("tr", {}, h("th", { scope: "row" }, h("code", {}, row.key)), h("td", {}, row.error ? h("span", { class: "failed" }, row.error) : h("code", {}, row.value)), h("td", {}, count(row.len), list)),
      );
    }
    fill(more);
    if (page.error) more.append(h("p", { class: "failed" }, page.error));
    const last = page.keys.at(-1);
    // Only keys that are text can be gone on from.
    if (page.more && last && !last.key.includes("\\")) {
      const next = () => list(mine, table, more, new TextEncoder().encode(last.key), 1);
      more.append(h("div", { class: "tools", style: "margin-top:0.6rem" }, h("button", { type: "button", onclick: () => void next() }, "More keys")));
    }
  }
}

function summary(picture: Picture, length: number) {
  const kind = picture.flash ? `flash with write units of ${bytes(picture.writeUnit)} and sectors of ${bytes(picture.eraseUnit)}` : "a file or persistent memory";
  const rest = length > picture.capacity ? `; ${bytes(length - picture.capacity)} behind it are not the store\u2019s` : "";
  return `${bytes(picture.capacity)} of ${kind}, ${many(picture.segments.length, "segment")} of ${bytes(picture.segmentSize)}${rest}. Store id ${picture.id}.`;
}

function said(report: Started) {
  const torn = report.tornBytes === null ? "" : ` A transaction cut by a power failure was dropped: ${many(report.tornBytes, "byte")}.`;
  const healed = report.healedBits > 0 ? ` ${many(report.healedBits, "flipped bit")} healed.` : "";
  return `${report.clean ? "The store had been closed." : "The store had not been closed, which is fine."}${torn}${healed}`;
}

function finding(checked: Checked) {
  if (checked.damaged > 0) return `${many(checked.damaged, "item is", "items are")} damaged`;
  if (checked.healed > 0) return `Sound; ${many(checked.healed, "bit")} healed`;
  return "Sound";
}

function findings(checked: Checked) {
  if (checked.findings.length === 0) return null;
  const rows = checked.findings.map((found) => h("li", {}, `${found.healed ? "healed" : "damaged"}: ${found.what}${found.key === null ? "" : ` of ${found.key}`} at byte ${count(found.at)}`));
  return h("ul", { class: "note" }, ...rows);
}
