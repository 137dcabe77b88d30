/** Part 1: a medium at work, as a picture: simulated, or the visitor's own. */
import { at, bytes, choose, count, failed, fill, h, many, still } from "../dom";
import { Lab } from "../lab/client";
import type { Picture, Started } from "../lab/types";
import { changed, changes, kill, mine } from "../mine";
import { legend, MediumPicture } from "../picture";
import { inspect, tableOf } from "./inspect";

type Source = "flash" | "file" | "yours";

/** Operations done before the first picture. */
const BEFORE = 700;
/** Milliseconds between two pictures. */
const BEAT = 140;

export async function medium() {
  const root = at("medium-body");
  let lab: Lab;
  let picture: Picture | undefined;
  let which: Source = "flash";
  let running = false;
  let busy: Promise<unknown> = Promise.resolve();
  let done = 0;
  let cuts = 0;

  const said = h("p", { class: "note", role: "status" }, "\u00a0");
  const figures = h("dl", { class: "figures" });
  const box = h("div", { id: "medium-bytes" });
  const view = new MediumPicture({
    label: "The medium",
    onchoose: (spot) => {
      if (running) toggle();
      if (picture) void inspect(box, lab, picture, spot);
    },
  });

  const flash = h("button", { type: "button", onclick: () => source("flash") }, "Flash chip");
  const file = h("button", { type: "button", onclick: () => source("file") }, "File");
  const yours = h("button", { type: "button", onclick: () => source("yours") }, "Your store");
  const run = h("button", { type: "button", class: "main", onclick: toggle }, "Run");
  const step = h("button", { type: "button", onclick: () => work(1) }, "One step");
  const plug = h("button", { type: "button", class: "plug", onclick: () => pull() }, "Pull the plug");

  fill(
    root,
    h(
      "div",
      { class: "tools" },
      h("span", { class: "either", role: "group", "aria-label": "Which medium" }, flash, file, yours),
      run,
      step,
      plug,
    ),
    view.root,
    legend([
      ["live", "records that count"],
      ["dead", "replaced"],
      ["log", "log"],
      ["past", "before the log's head"],
      ["meta", "bookkeeping"],
      ["commit", "ends of transactions"],
      ["header", "segment headers"],
      ["blank", "blank"],
      ["wear", "wear"],
    ]),
    said,
    figures,
    tableOf(() => picture, (spot) => view.choose(spot)),
    box,
  );

  async function look() {
    if (which === "yours") {
      // What stands in the file, read anew each time.
      const image = await (await mine()).export();
      await lab.remake("Device.image", image);
    }
    const [seen, image] = await Promise.all([
      lab.call<Picture>("picture"),
      lab.call<Uint8Array>("export"),
    ]);
    picture = seen;
    view.show(seen, image);
    const erases = seen.segments.map((segment) => segment.erases);
    const used = seen.segments.filter((s) => s.owner !== "blank" && s.owner !== "dirty").length;
    const rows: [string, string][] = [
      ["operations", count(done)],
      ["power cuts", count(cuts)],
      ["keys", count(seen.keys)],
      ["live", bytes(seen.liveBytes)],
      ["segments in use", `${used} of ${seen.segments.length}`],
      ["erases of a segment", `${Math.min(...erases)} to ${Math.max(...erases)}`],
    ];
    fill(figures, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  /** One thing after the other, whatever is clicked meanwhile. */
  function then(task: () => Promise<unknown>) {
    busy = busy.then(task).catch((error) => {
      running = false;
      failed(said, error);
    });
    return busy;
  }

  function work(operations: number) {
    return then(async () => {
      const words = which === "yours" ? await load() : await lab.call<string[]>("traffic", operations);
      done += operations;
      fill(said, words.at(-1));
      await look();
    });
  }

  /** A put to the visitor's store. */
  async function load() {
    const key = `load/${done % 7}`;
    await (await mine()).set(key, `operation ${done}, ${"\u00b7".repeat(done % 23)}`);
    changed();
    return [`put ${key}, durable`];
  }

  async function go() {
    while (running) {
      const since = performance.now();
      if (!document.hidden && seen) await work(1);
      await new Promise((resolve) => setTimeout(resolve, BEAT - (performance.now() - since)));
    }
  }

  function toggle() {
    running = !running;
    run.textContent = running ? "Pause" : "Run";
    if (running) void go();
  }

  function pull() {
    return then(async () => {
      if (which === "yours") return killed();
      const [what, report] = await lab.call<[string, Started]>("powerCut");
      cuts += 1;
      done += 1;
      const torn = report.tornBytes === null ? "" : ` ${many(report.tornBytes, "torn byte")} dropped.`;
      const damage = report.damaged > 0 ? ` ${many(report.damaged, "damaged place")}!` : "";
      fill(said, h("strong", {}, "Power cut"), ` in \u201c${what}\u201d. Started again, nothing acknowledged lost.${torn}${damage}`);
      await look();
    });
  }

  /** The worker of the visitor's store ends while it writes. */
  async function killed() {
    const writing = load().catch(() => ["the put was not acknowledged"]);
    await kill();
    const [what] = await writing;
    const { report } = await mine();
    cuts += 1;
    done += 1;
    const found = report.clean ? "closed in order" : "not closed, and sound";
    fill(said, h("strong", {}, "Worker killed"), `; ${what}. Opened again: ${found}.`);
    await look();
  }

  function source(next: Source) {
    return then(async () => {
      choose([flash, file, yours], { flash, file, yours }[next]);
      which = next;
      plug.textContent = next === "yours" ? "Kill its worker" : "Pull the plug";
      const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
      if (lab === undefined) lab = await Lab.make("Device", next === "flash", seed);
      else if (next !== "yours") await lab.remake("Device", next === "flash", seed);
      [done, cuts] = [0, 0];
      if (next !== "yours") {
        await lab.call("traffic", BEFORE);
        done = BEFORE;
      }
      fill(box);
      fill(said, "\u00a0");
      await look();
    });
  }

  changes.addEventListener("changed", () => {
    if (which === "yours" && !running) void then(look);
  });

  // It rests while nobody looks.
  let seen = true;
  new IntersectionObserver(([entry]) => (seen = entry?.isIntersecting ?? true)).observe(view.root);
  await source("flash");
  if (picture !== undefined && !still.matches) toggle();
}
