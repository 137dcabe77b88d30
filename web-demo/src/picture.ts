/**
 * The medium as a picture: every segment a tile, every byte a cell of it.
 * What was written since the last picture glows for a moment.
 */
import { bytes, count, h, still } from "./dom";
import type { Kind, Picture, Run, Segment } from "./lab/types";

/** A byte: its segment, and its offset there. */
export interface Spot {
  segment: number;
  offset: number;
}

export interface Options {
  label: string;
  /** A byte was chosen, by click or by key. */
  onchoose?(spot: Spot): void;
}

/** Bytes in a row of a tile that shows bytes. */
const ROW = 64;
/** More segments than these are drawn as levels. */
const TILES = 96;
/** How long what was written glows, in milliseconds. */
const GLOW = 900;

const OWNER: Record<Segment["owner"], string> = {
  blank: "blank, free",
  dirty: "free, to be erased",
  ledger: "ledger: commits and records, in the order they were made",
  cold: "records that were moved out of the way",
  log: "log",
};

const WHAT: Record<Kind, string> = {
  header: "header of the segment",
  live: "record that counts",
  dead: "record that was replaced",
  commit: "end of a transaction",
  meta: "bookkeeping of the ledger",
  log: "bytes of a log",
  past: "log bytes before its head",
  damaged: "damaged",
};

/** What a segment is, in words. */
export function segmentText(number: number, segment: Segment, size: number): string {
  const whose = segment.owner === "log" ? `log ${segment.log}` : OWNER[segment.owner];
  const parts = [`Segment ${number}: ${whose}`];
  if (segment.owner === "ledger" || segment.owner === "cold") {
    parts.push(`${count(segment.live)} of ${count(segment.used)} bytes used are live`);
  }
  if (segment.damaged) parts.push("damage was met here");
  parts.push(`erased ${count(segment.erases)} times`);
  return `${parts.join("; ")} (${bytes(size)})`;
}

/** What a byte is, in words. */
export function byteText(picture: Picture, spot: Spot): string {
  const segment = picture.segments[spot.segment];
  if (segment === undefined) return "";
  const run = runAt(segment, spot.offset);
  const whose = segment.owner === "log" ? `log ${segment.log}` : segment.owner;
  const place = `segment ${spot.segment} (${whose}), byte ${count(spot.offset)}`;
  if (run === undefined) return `${place}: ${segment.runs.length ? "blank" : OWNER[segment.owner]}`;
  const name = run.is === "header" || run.is === "log" ? "" : `${run.kind}, `;
  const key = run.key === undefined ? "" : ` of ${run.key}`;
  const healed = run.healed ? ", one bit healed" : "";
  return `${place}: ${name}${WHAT[run.is]}${key}, ${many(run)}${healed}`;
}

function many(run: Run): string {
  return `${count(run.len)} bytes`;
}

function runAt(segment: Segment, offset: number): Run | undefined {
  return segment.runs.find((run) => run.at <= offset && offset < run.at + run.len);
}

interface Grid {
  columns: number;
  /** Width and height of a tile with its gap. */
  step: number;
  rise: number;
  /** Width and height of what is drawn. */
  width: number;
  height: number;
  /** Bytes are cells. */
  cells: boolean;
  rows: number;
  row: number;
}

export class MediumPicture {
  readonly root: HTMLElement;
  #canvas: HTMLCanvasElement;
  #hint: HTMLElement;
  #options: Options;
  #picture: Picture | undefined;
  #image: Uint8Array | undefined;
  #glow = new Map<number, number>();
  #grid: Grid | undefined;
  #chosen: Spot | undefined;
  #hover: Spot | undefined;
  #marks = new Map<number, string>();
  #frame = 0;

  constructor(options: Options) {
    this.#options = options;
    this.#canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": options.label });
    this.#hint = h("p", { class: "hint", "aria-live": "polite" }, "\u00a0");
    this.root = h("div", { class: "picture" }, this.#canvas, this.#hint);
    new ResizeObserver(() => this.#layout()).observe(this.root);
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.#canvas.addEventListener("pointerleave", () => this.#over(undefined));
    this.#canvas.addEventListener("click", (event) => {
      const spot = this.#spot(event);
      if (spot !== undefined) this.choose(spot);
    });
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    // Colours follow the theme.
    new MutationObserver(() => this.#draw()).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Shows a medium; what differs from the image shown before glows. */
  show(picture: Picture, image: Uint8Array) {
    const before = this.#image;
    const same = before !== undefined && before.length === image.length;
    if (same && !still.matches) {
      const now = performance.now();
      for (let i = 0; i < image.length; i += 4) {
        if (
          image[i] !== before[i] ||
          image[i + 1] !== before[i + 1] ||
          image[i + 2] !== before[i + 2] ||
          image[i + 3] !== before[i + 3]
        ) {
          this.#glow.set(i, now);
        }
      }
    } else {
      this.#glow.clear();
    }
    const reshape = this.#picture?.segments.length !== picture.segments.length;
    this.#picture = picture;
    this.#image = image;
    const used = picture.segments.filter((s) => s.owner !== "blank" && s.owner !== "dirty").length;
    this.#canvas.setAttribute(
      "aria-label",
      `${this.#options.label}: ${used} of ${picture.segments.length} segments in use, ` +
        `${count(picture.keys)} keys, ${count(picture.liveBytes)} live bytes. ` +
        "Arrow keys move over the segments, Enter opens one.",
    );
    if (reshape || this.#grid === undefined) this.#layout();
    else this.#draw();
  }

  /** Marks bytes with the name of a colour. */
  mark(marks: Map<number, string>) {
    this.#marks = marks;
    this.#draw();
  }

  choose(spot: Spot) {
    this.#chosen = spot;
    this.#over(spot);
    this.#options.onchoose?.(spot);
  }

  #over(spot: Spot | undefined) {
    this.#hover = spot;
    const shown = spot ?? this.#chosen;
    const text = shown && this.#picture ? byteText(this.#picture, shown) : "\u00a0";
    if (this.#hint.textContent !== text) this.#hint.textContent = text;
    this.#draw();
  }

  #layout() {
    const width = this.root.clientWidth;
    const picture = this.#picture;
    if (width === 0 || picture === undefined) return;
    const many = picture.segments.length;
    const cells = many <= TILES && picture.segmentSize <= 8192;
    const gap = cells ? (width < 600 ? 6 : 10) : 3;
    let columns: number;
    if (cells) {
      const wanted = many <= 10 ? 5 : many <= 24 ? 6 : 8;
      columns = width < 600 && many > 10 ? wanted / 2 : wanted;
    } else {
      columns = Math.max(8, Math.floor(width / (many > 400 ? 18 : 26)));
    }
    const tile = (width + gap) / columns - gap;
    const row = picture.segmentSize < 2048 ? ROW / 2 : ROW;
    const rows = Math.ceil(picture.segmentSize / row);
    const height = cells ? Math.round((tile * rows) / row) : Math.round(tile * 1.15);
    const grid: Grid = {
      columns,
      step: tile + gap,
      rise: height + gap + (cells ? 6 : 1),
      width: tile,
      height,
      cells,
      rows,
      row,
    };
    this.#grid = grid;
    const total = Math.ceil(many / columns) * grid.rise;
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(total * ratio);
    this.#canvas.style.height = `${total}px`;
    this.#draw();
  }

  #corner(grid: Grid, segment: number): [number, number] {
    return [(segment % grid.columns) * grid.step, Math.floor(segment / grid.columns) * grid.rise];
  }

  #draw() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame((now) => this.#paint(now));
  }

  #paint(now: number) {
    this.#frame = 0;
    const [picture, grid, image] = [this.#picture, this.#grid, this.#image];
    const canvas = this.#canvas.getContext("2d");
    if (!picture || !grid || !image || !canvas) return;
    const ratio = devicePixelRatio || 1;
    const colour = colours(this.root);
    canvas.setTransform(ratio, 0, 0, ratio, 0, 0);
    canvas.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const worn = Math.max(1, ...picture.segments.map((segment) => segment.erases));
    picture.segments.forEach((segment, number) => {
      const [x, y] = this.#corner(grid, number);
      if (grid.cells) this.#tile(canvas, grid, colour, picture, image, segment, number, x, y);
      else level(canvas, grid, colour, picture, segment, x, y);
      if (!grid.cells) return;
      // Wear, as a line below.
      canvas.fillStyle = colour.rule!;
      canvas.fillRect(x, y + grid.height + 3, grid.width, 2);
      canvas.fillStyle = colour.wear!;
      canvas.fillRect(x, y + grid.height + 3, (grid.width * segment.erases) / worn, 2);
    });
    this.#outline(canvas, grid, colour.rule!, this.#hover);
    this.#outline(canvas, grid, colour.ink!, this.#chosen);
    this.#shine(canvas, grid, colour.glow!, picture.segmentSize, now);
  }

  #tile(
    canvas: CanvasRenderingContext2D,
    grid: Grid,
    colour: Record<string, string>,
    picture: Picture,
    image: Uint8Array,
    segment: Segment,
    number: number,
    x: number,
    y: number,
  ) {
    canvas.fillStyle = segment.owner === "dirty" ? colour.dirty! : colour.blank!;
    canvas.fillRect(x, y, grid.width, grid.height);
    const cell = grid.width / grid.row;
    const tall = grid.height / grid.rows;
    const base = number * picture.segmentSize;
    const blank = picture.flash ? 0xff : 0;
    const stripe = (from: number, to: number) => {
      // A run of bytes is up to three rectangles, but by rows it is simple.
      for (let at = from; at < to; ) {
        const row = Math.floor(at / grid.row);
        const end = Math.min(to, (row + 1) * grid.row);
        canvas.fillRect(x + (at - row * grid.row) * cell, y + row * tall, (end - at) * cell, tall);
        at = end;
      }
    };
    for (const run of segment.runs) {
      canvas.fillStyle = colour[run.is]!;
      canvas.globalAlpha = 0.62;
      stripe(run.at, run.at + run.len);
      // Bytes with many programmed bits are darker: the texture is the data.
      canvas.globalAlpha = 1;
      for (let at = run.at; at < run.at + run.len; at++) {
        const bits = ones[image[base + at]! ^ blank]!;
        if (bits === 0) continue;
        canvas.globalAlpha = bits / 10;
        const row = Math.floor(at / grid.row);
        canvas.fillRect(x + (at - row * grid.row) * cell, y + row * tall, cell, tall);
      }
      canvas.globalAlpha = 1;
    }
    if (segment.owner === "dirty") {
      canvas.globalAlpha = 0.3;
      canvas.fillStyle = colour.header!;
      for (let row = 0; row < grid.rows; row++) {
        for (let at = 0; at < grid.row; at++) {
          const value = image[base + row * grid.row + at];
          if (value !== blank) canvas.fillRect(x + at * cell, y + row * tall, cell, tall);
        }
      }
      canvas.globalAlpha = 1;
    }
    for (const [at, name] of this.#marks) {
      if (at < base || at >= base + picture.segmentSize) continue;
      const offset = at - base;
      const row = Math.floor(offset / grid.row);
      canvas.fillStyle = colour[name]!;
      canvas.fillRect(x + (offset - row * grid.row) * cell, y + row * tall, cell, tall);
    }
    if (segment.tail) caret(canvas, grid, colour.ink!, x, y, segment.used, cell, tall);
  }

  #shine(
    canvas: CanvasRenderingContext2D,
    grid: Grid,
    glow: string,
    size: number,
    now: number,
  ) {
    if (this.#glow.size === 0) return;
    const cell = grid.width / grid.row;
    const tall = grid.height / grid.rows;
    canvas.fillStyle = glow;
    for (const [at, since] of this.#glow) {
      const left = 1 - (now - since) / GLOW;
      if (left <= 0) {
        this.#glow.delete(at);
        continue;
      }
      const segment = Math.floor(at / size);
      const [x, y] = this.#corner(grid, segment);
      canvas.globalAlpha = left;
      if (grid.cells) {
        const offset = at - segment * size;
        const row = Math.floor(offset / grid.row);
        canvas.fillRect(x + (offset - row * grid.row) * cell, y + row * tall, 4 * cell, tall);
      }
    }
    canvas.globalAlpha = 1;
    if (this.#glow.size > 0) this.#draw();
  }

  #outline(
    canvas: CanvasRenderingContext2D,
    grid: Grid,
    colour: string,
    spot: Spot | undefined,
  ) {
    if (spot === undefined) return;
    const [x, y] = this.#corner(grid, spot.segment);
    canvas.strokeStyle = colour;
    canvas.lineWidth = 1.5;
    canvas.strokeRect(x - 0.75, y - 0.75, grid.width + 1.5, grid.height + 1.5);
  }

  #spot(event: MouseEvent): Spot | undefined {
    const [grid, picture] = [this.#grid, this.#picture];
    if (!grid || !picture) return undefined;
    const box = this.#canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const column = Math.floor(x / grid.step);
    const segment = Math.floor(y / grid.rise) * grid.columns + column;
    if (column >= grid.columns || segment >= picture.segments.length) return undefined;
    const [left, top] = this.#corner(grid, segment);
    const across = Math.min(grid.row - 1, Math.floor(((x - left) / grid.width) * grid.row));
    const down = Math.min(grid.rows - 1, Math.floor(((y - top) / grid.height) * grid.rows));
    const offset = grid.cells ? down * grid.row + across : 0;
    return { segment, offset: Math.min(offset, picture.segmentSize - 1) };
  }

  #point(event: PointerEvent) {
    this.#over(this.#spot(event));
  }

  #key(event: KeyboardEvent) {
    const [grid, picture] = [this.#grid, this.#picture];
    if (!grid || !picture) return;
    const moves: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -grid.columns,
      ArrowDown: grid.columns,
    };
    const at = this.#hover?.segment ?? this.#chosen?.segment ?? 0;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose({ segment: at, offset: 0 });
    }
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const to = Math.max(0, Math.min(picture.segments.length - 1, at + move));
    this.#over({ segment: to, offset: 0 });
  }
}

const ones = Uint8Array.from({ length: 256 }, (_, i) => {
  let bits = 0;
  for (let rest = i; rest > 0; rest &= rest - 1) bits++;
  return bits;
});

/** Where the ledger goes on. */
function caret(
  canvas: CanvasRenderingContext2D,
  grid: Grid,
  colour: string,
  x: number,
  y: number,
  used: number,
  cell: number,
  tall: number,
) {
  const row = Math.floor(used / grid.row);
  canvas.fillStyle = colour;
  canvas.fillRect(x + (used - row * grid.row) * cell, y + row * tall, Math.max(2, cell), tall * 2);
}

/** A segment as levels: how much of it is what. */
function level(
  canvas: CanvasRenderingContext2D,
  grid: Grid,
  colour: Record<string, string>,
  picture: Picture,
  segment: Segment,
  x: number,
  y: number,
) {
  canvas.fillStyle = segment.owner === "dirty" ? colour.dirty! : colour.blank!;
  canvas.fillRect(x, y, grid.width, grid.height);
  const shares = new Map<Kind, number>();
  for (const run of segment.runs) shares.set(run.is, (shares.get(run.is) ?? 0) + run.len);
  let bottom = y + grid.height;
  for (const kind of ORDER) {
    const tall = (grid.height * (shares.get(kind) ?? 0)) / picture.segmentSize;
    bottom -= tall;
    canvas.fillStyle = colour[kind]!;
    canvas.fillRect(x, bottom, grid.width, tall);
  }
  if (segment.tail) {
    canvas.fillStyle = colour.ink!;
    canvas.fillRect(x, bottom - 2, grid.width, 2);
  }
}

const ORDER: Kind[] = ["live", "log", "commit", "meta", "header", "dead", "past", "damaged"];
const NAMES = [
  ...ORDER,
  "blank",
  "dirty",
  "ink",
  "rule",
  "wear",
  "glow",
  "healed",
  "harmless",
  "named",
  "bad",
];

function colours(element: Element): Record<string, string> {
  const style = getComputedStyle(element);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`)]));
}

/** What the colours mean. */
export function legend(kinds: [string, string][]): HTMLElement {
  const items = kinds.map(([name, text]) =>
    h("li", {}, h("i", { style: `background:var(--${name})`, "aria-hidden": "true" }), text),
  );
  return h("ul", { class: "legend" }, ...items);
}

/** The same medium as a table, for who cannot see the picture. */
export function asTable(picture: Picture, open: (spot: Spot) => void): HTMLElement {
  const rows = picture.segments.map((segment, number) => {
    const name = segment.owner === "log" ? `log ${segment.log}` : segment.owner;
    const button = h("button", { class: "link", onclick: () => open({ segment: number, offset: 0 }) });
    button.textContent = `${number}`;
    button.setAttribute("aria-label", `Open segment ${number}`);
    return h(
      "tr",
      {},
      h("td", {}, button),
      h("td", {}, name + (segment.tail ? ", goes on here" : "")),
      h("td", {}, count(segment.used)),
      h("td", {}, count(segment.live)),
      h("td", {}, count(segment.erases)),
    );
  });
  const names = ["segment", "whose", "used", "live", "erases"];
  const head = h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Segments" },
    h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)));
}
