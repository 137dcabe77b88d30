/** Part 3: power cut anywhere in a recorded workload. */
import { at, choose, count, failed, fill, h, many, power } from "../dom";
import { Lab } from "../lab/client";
import type { Cut, Explored, Outcome, Timeline } from "../lab/types";

const WORKLOADS = [
  "A transfer between two accounts",
  "Transactions over keys, lists and logs",
  "The ledger moves to its next segment",
  "Space is won back",
];

const VERDICT: Record<Outcome["verdict"], [string, string]> = {
  before: ["As before", "fine"],
  after: ["All of it is there", "good"],
  same: ["Everything acknowledged is there", "good"],
  illegal: ["Violation", "bad"],
};

/** Undecided things that get a button each; the rest follow the quick choices. */
const BUTTONS = 160;

export async function crash() {
  const root = at("crash-body");
  let lab: Lab | undefined;
  let timeline: Timeline | undefined;
  let cut: Cut | undefined;
  let choices: number[] = [];
  let stop = 0;
  let asked = 0;

  const pick = h(
    "select",
    { "aria-label": "Workload", onchange: () => load() },
    ...WORKLOADS.map((name, i) => h("option", { value: i }, name)),
  );
  const memory = h("button", { type: "button", onclick: () => load(false) }, "File");
  const flash = h("button", { type: "button", onclick: () => load(true) }, "Flash chip");
  let isFlash = false;
  const canvas = h("canvas", { class: "timeline", role: "img", "aria-label": "Timeline" });
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 0,
    value: 0,
    "aria-label": "Where the power fails",
    oninput: () => to(Number(slider.value)),
  });
  const where = h("p", { class: "note" }, "\u00a0");
  const open = h("div");
  const outcome = h("div", { class: "card", "aria-live": "polite" });
  const result = h("div", { id: "crash-result" });
  const once = h("button", { type: "button", class: "main", onclick: () => every(1) }, "Try every cut");
  const twice = h("button", { type: "button", onclick: () => every(2) }, "\u2026and cut each recovery too");
  const halt = h("button", { type: "button", hidden: true, onclick: () => stopIt() }, "Stop");

  fill(
    root,
    h(
      "div",
      { class: "tools" },
      pick,
      h("span", { class: "either", role: "group", "aria-label": "Kind of medium" }, memory, flash),
    ),
    canvas,
    slider,
    where,
    h("div", { class: "pair" }, h("div", {}, h("h3", {}, "What had not been flushed"), open), outcome),
    h("div", { class: "tools", style: "margin-top:1.5rem" }, once, twice, halt),
    result,
  );

  async function load(flashy = isFlash) {
    isFlash = flashy;
    choose([memory, flash], isFlash ? flash : memory);
    try {
      const args = [Number(pick.value), isFlash] as const;
      if (lab === undefined) lab = await Lab.make("Crash", ...args);
      else await lab.remake("Crash", ...args);
      timeline = await lab.call<Timeline>("timeline");
      slider.max = String(timeline.stops.length - 1);
      fill(result);
      await to(middle(timeline));
    } catch (error) {
      failed(outcome, error);
    }
  }

  /** A stop late in a transaction, where there is something to see. */
  function middle(timeline: Timeline) {
    const ops = timeline.ops;
    const op = ops.find((op) => op.label.startsWith("transaction")) ?? ops[Math.min(2, ops.length - 1)];
    const event = op === undefined ? 0 : Math.max(op.start + 1, op.end - 2);
    const found = timeline.stops.findIndex((stop) => stop.event >= event);
    return Math.max(0, found);
  }

  async function to(number: number) {
    if (!lab || !timeline) return;
    stop = number;
    slider.value = String(number);
    const mine = ++asked;
    const found = await lab.call<Cut>("cut", number);
    if (mine !== asked) return;
    cut = found;
    // Half of them: what tears is what is interesting.
    choices = found.open.map((open, i) => (i % 2 === 0 ? Math.min(1, open.options.length - 1) : 0));
    const place = timeline.stops[number]!;
    const event = place.event === 0 ? undefined : timeline.events[place.event - 1];
    const done = event === undefined ? "before the first write" : `${place.step === null ? "behind" : "in"} ${event.kind} ${place.event} of ${timeline.events.length}`;
    fill(where, `Power fails ${done}`, found.doing ? `, in \u201c${found.doing}\u201d.` : ", between two operations.");
    slider.setAttribute("aria-valuetext", where.textContent ?? "");
    draw();
    words();
    await recover();
  }

  function words() {
    if (!cut) return;
    const rows = cut.open;
    if (rows.length === 0) {
      fill(open, h("p", { class: "note" }, "Nothing: everything was flushed, and a power cut takes nothing."));
      return;
    }
    const kind = rows[0]!.kind;
    const what = kind === "word" ? "word" : kind === "unit" ? "write unit" : "half-erased sector";
    const intro = h(
      "p",
      { class: "note" },
      `${many(rows.length, what)}${kind === "word" ? " of 8 bytes" : ""} may be old or new: ${power(cut.statesLog2)} possible media. ` +
        (kind === "word" ? "Press a word to let it arrive or not." : "Choose what it reads as."),
    );
    if (kind !== "word") {
      const selects = rows.map((row, i) => {
        const select = h(
          "select",
          {
            "aria-label": `${what} at byte ${row.at}`,
            onchange: () => {
              choices[i] = Number(select.value);
              void recover();
            },
          },
          ...row.options.map((option, n) => h("option", { value: n }, `${n === 0 ? "old " : n === 1 ? "new " : ""}${option}`)),
        );
        select.value = String(choices[i]);
        return select;
      });
      const note = rows[0]!.exact ? "These are all that it can read as." : "Telling ones among all that it can read as.";
      fill(open, intro, h("div", { class: "tools" }, ...selects), h("p", { class: "note" }, note));
      return;
    }
    const buttons = rows.slice(0, BUTTONS).map((row, i) => {
      const button = h(
        "button",
        {
          type: "button",
          "aria-pressed": choices[i]! > 0,
          title: `byte ${row.at}: ${row.options.join(" or ")}`,
          onclick: () => {
            choices[i] = (choices[i]! + 1) % row.options.length;
            words();
            void recover();
            (open.querySelectorAll(".words button")[i] as HTMLElement | undefined)?.focus();
          },
        },
        row.options[choices[i]! > 0 ? choices[i]! : row.options.length - 1],
      );
      button.setAttribute("aria-label", `${button.textContent}, the word at byte ${row.at}`);
      return button;
    });
    const quick = (name: string, choice: (i: number, last: number) => number) =>
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            choices = rows.map((row, i) => Math.min(choice(i, row.options.length - 1), row.options.length - 1));
            words();
            void recover();
          },
        },
        name,
      );
    fill(
      open,
      intro,
      h("div", { class: "words" }, ...buttons),
      h(
        "div",
        { class: "tools" },
        quick("All arrive", (_, last) => last),
        quick("None", () => 0),
        quick("All but the last", (i, last) => (i + 1 === rows.length ? 0 : last)),
        quick("At random", (_, last) => Math.floor(Math.random() * (last + 1))),
      ),
    );
  }

  async function recover() {
    if (!lab || !cut) return;
    const mine = asked;
    const found = await lab.call<Outcome>("recover", stop, Uint32Array.from(choices));
    if (mine !== asked) return;
    const [name, kind] = VERDICT[found.verdict];
    const report = found.report;
    const torn = report?.tornBytes != null ? `It dropped a torn transaction of ${many(report.tornBytes, "byte")}. ` : "";
    const closed = found.verdict === "same" && !torn ? "Nothing was in flight that could be seen. " : "";
    const doing = found.doing ? `\u201c${found.doing}\u201d ${found.verdict === "before" ? "never happened, as if it had not been begun." : "happened as a whole."} ` : "";
    const rows = found.rows.map((row) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, row.key),
        h("td", {}, row.value === null ? h("span", { class: "note" }, "absent") : h("code", {}, shorten(row.value) || "empty")),
      ),
    );
    const logs = found.logs.map((log, i) =>
      h("tr", {}, h("th", { scope: "row" }, `log ${i}`), h("td", {}, h("code", {}, shorten(log) || "empty"))),
    );
    outcome.dataset["verdict"] = found.verdict;
    fill(
      outcome,
      h("p", { class: `verdict ${kind}` }, name),
      h("p", {}, found.verdict === "illegal" ? found.why : `${doing}${torn}${closed}Recovery reports no damage: this was a power cut.`),
      h("table", {}, h("tbody", {}, ...rows, ...logs)),
    );
  }

  let exploring: Lab | undefined;

  function stopIt() {
    exploring?.close();
    exploring = undefined;
  }

  async function every(depth: number) {
    stopIt();
    halt.hidden = false;
    once.disabled = twice.disabled = true;
    fill(result, h("p", { class: "note" }, "Starting the explorer\u2026"));
    let last: Explored | undefined;
    try {
      const mine = (exploring = await Lab.make("Crash", Number(pick.value), isFlash));
      last = await mine.watch<Explored>("explore", [depth], (seen: Explored) => {
        last = seen;
        counted(seen);
      });
      counted(last, true);
    } catch (error) {
      if (last) counted(last);
      else failed(result, error);
    } finally {
      stopIt();
      halt.hidden = true;
      once.disabled = twice.disabled = false;
    }
  }

  function counted(seen: Explored, over = false) {
    const states = seen.levels.reduce((sum, level) => sum + level.states, 0);
    const sum = (what: "undone" | "done" | "nothing") => seen.levels.reduce((sum, level) => sum + level[what], 0);
    const cuts = seen.levels.reduce((sum, level) => sum + level.cuts, 0);
    const parts: [string, string, number][] = [
      ["healed", "with the operation in flight done", sum("done")],
      ["harmless", "with it undone, as if never begun", sum("undone")],
      ["dead", "with nothing in flight", sum("nothing")],
      ["bad", "violations", seen.violation ? 1 : 0],
    ];
    const bar = parts.map(([colour, , value]) =>
      h("i", { style: `width:${(100 * value) / Math.max(1, states)}%;background:var(--${colour})` }),
    );
    const data = result.dataset;
    data["done"] = String(over);
    data["cuts"] = String(cuts);
    data["states"] = String(states);
    data["sum"] = String(parts[0]![2] + parts[1]![2] + parts[2]![2]);
    data["violations"] = String(parts[3]![2]);
    const all = seen.of > 0 ? `${seen.done} of ${seen.of} places cut` : "";
    const kept = parts.map(([colour, text, value]) =>
      h("li", {}, h("i", { style: `background:var(--${colour})`, "aria-hidden": "true" }), `${count(value)} ${text}`),
    );
    const legal = seen.levels[0]?.legalLog2 ?? 0;
    const full = seen.levels.reduce((sum, level) => sum + level.complete, 0);
    fill(
      result,
      h("p", { class: `verdict ${seen.violation ? "bad" : "good"}` }, seen.violation ? "A violation" : `${count(states)} states, no violation`),
      h("div", { class: "share", "aria-hidden": "true" }, ...bar),
      h("ul", { class: "legend" }, ...kept),
      h(
        "p",
        { class: "note", role: over ? "status" : undefined },
        seen.violation ??
          `${all}; ${many(cuts, "power failure")} in all, those of recoveries included, ${count(full)} of them gone through in every state that recovery can tell apart. ` +
            `${power(legal)} media are possible; most differ only where nothing looks. In each state the store opened, was compared with the specification, worked on, and was opened again.`,
      ),
    );
  }

  function draw() {
    const box = canvas.getBoundingClientRect();
    if (!timeline || box.width === 0) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = box.width * ratio;
    canvas.height = box.height * ratio;
    const paper = canvas.getContext("2d")!;
    paper.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colour = (name: string) => style.getPropertyValue(`--${name}`);
    const events = timeline.events;
    const place = timeline.stops[stop]!;
    const wide = box.width / Math.max(1, events.length);
    const floor = box.height - 22;
    const most = Math.max(1, ...events.map((event) => Math.log2(event.len + 1)));
    canvas.setAttribute("aria-label", `Timeline of ${events.length} writes, erases and flushes; the power fails behind ${place.event}`);
    timeline.ops.forEach((op, i) => {
      const [x, width] = [op.start * wide, (op.end - op.start) * wide];
      if (i % 2 === 0) {
        paper.fillStyle = colour("blank");
        paper.fillRect(x, 0, width, floor + 4);
      }
      paper.fillStyle = colour("soft");
      paper.font = `11px ${style.fontFamily}`;
      const text = fit(paper, op.label, width - 8);
      if (text) paper.fillText(text, x + 4, box.height - 5);
    });
    events.forEach((event, i) => {
      const lost = i >= place.event;
      paper.globalAlpha = lost ? 0.28 : 1;
      const x = i * wide;
      if (event.kind === "flush") {
        paper.fillStyle = colour("ink");
        paper.fillRect(x + wide / 2 - 0.75, 4, 1.5, floor);
      } else {
        const tall = Math.max(4, (Math.log2(event.len + 1) / most) * (floor - 8));
        paper.fillStyle = colour(event.kind === "write" ? "live" : "meta");
        paper.fillRect(x + Math.min(1, wide / 6), floor + 4 - tall, Math.max(1, wide - Math.min(2, wide / 3)), tall);
      }
    });
    paper.globalAlpha = 1;
    paper.fillStyle = colour("bad");
    const x = Math.min(box.width - 2, place.event * wide - (place.step === null ? 0 : wide / 2));
    paper.fillRect(Math.max(0, x - 1), 0, 2, floor + 6);
  }

  new ResizeObserver(draw).observe(canvas);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  canvas.addEventListener("click", (event) => {
    if (!timeline) return;
    const box = canvas.getBoundingClientRect();
    const wanted = Math.round(((event.clientX - box.left) / box.width) * timeline.events.length);
    const found = timeline.stops.findIndex((stop) => stop.event >= wanted);
    if (found >= 0) void to(found);
  });
  await load();
}

function shorten(text: string) {
  const flat = text.replaceAll("\n", " \u21b5 ").trim();
  return flat.length > 64 ? `${flat.slice(0, 60)}\u2026` : flat;
}

function fit(paper: CanvasRenderingContext2D, text: string, width: number) {
  if (paper.measureText(text).width <= width) return text;
  for (let keep = text.length - 1; keep > 2; keep--) {
    const cut = `${text.slice(0, keep)}\u2026`;
    if (paper.measureText(cut).width <= width) return cut;
  }
  return "";
}
