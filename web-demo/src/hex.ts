/** The bytes of a segment with their meaning. */
import { count, h } from "./dom";
import type { Field, Segment } from "./lab/types";

export interface Shown {
  number: number;
  segment: Segment;
  bytes: Uint8Array;
  fields: Field[];
  /** The byte that was asked for. */
  offset: number;
}

/** Bytes shown at most: around the one asked for. */
const SHOWN = 4096;

/** Draws them; the meaning of a field shows when it is pointed at or focused. */
export function hex(shown: Shown, onbyte?: (offset: number) => void): HTMLElement {
  const { bytes, fields, segment } = shown;
  const wide = matchMedia("(min-width: 700px)").matches ? 16 : 8;
  const meaning = h("p", { class: "meaning", "aria-live": "polite" }, "\u00a0");
  const starts = new Map(fields.map((field) => [field.at, field]));
  const kinds = kindsOf(segment, bytes.length);
  const names = new Array<Field | undefined>(bytes.length);
  for (const field of fields) names.fill(field, field.at, field.at + field.len);
  const from = Math.max(0, Math.min(shown.offset - SHOWN / 2, bytes.length - SHOWN));
  const first = Math.floor(from / wide) * wide;
  const rows = [];
  let chosen: HTMLElement | undefined;
  for (let at = first; at < Math.min(bytes.length, first + SHOWN); at += wide) {
    const cells = [];
    let text = "";
    for (let i = at; i < Math.min(at + wide, bytes.length); i++) {
      const value = bytes[i]!;
      const cell = h("b", { class: kinds[i], "data-at": i }, value.toString(16).padStart(2, "0"));
      if (starts.has(i)) cell.classList.add("starts");
      if (i === shown.offset) {
        cell.classList.add("chosen");
        chosen = cell;
      }
      cells.push(cell);
      text += value >= 32 && value < 127 ? String.fromCharCode(value) : "\u00b7";
    }
    const place = h("i", {}, at.toString(16).padStart(4, "0"));
    rows.push(h("div", {}, place, ...cells, h("u", {}, text)));
  }
  const tell = (at: number) => {
    const field = names[at];
    const run = segment.runs.find((run) => run.at <= at && at < run.at + run.len);
    const whose = run ? ` \u2014 ${run.kind}${run.key === undefined ? "" : ` ${run.key}`}` : "";
    const brackets = run?.first || run?.last ? ` (${[run.first && "first", run.last && "last"].filter(Boolean).join(" and ")} of its transaction)` : "";
    meaning.textContent = field
      ? `byte ${count(at)}: ${field.name}${whose}${brackets}`
      : `byte ${count(at)}: blank, or nothing that counts`;
  };
  const find = (event: Event) => Number((event.target as HTMLElement).dataset?.["at"] ?? NaN);
  const box = h(
    "div",
    {
      class: "hex",
      tabindex: 0,
      role: "region",
      "aria-label": `Bytes of segment ${shown.number}`,
      onpointerover: (event: Event) => {
        const at = find(event);
        if (!Number.isNaN(at)) tell(at);
      },
      onclick: (event: Event) => {
        const at = find(event);
        if (Number.isNaN(at)) return;
        tell(at);
        onbyte?.(at);
      },
    },
    ...rows,
  );
  tell(shown.offset);
  requestAnimationFrame(() => {
    if (chosen) box.scrollTop = chosen.offsetTop - box.clientHeight / 2;
  });
  return h("div", { class: "bytes" }, meaning, box);
}

function kindsOf(segment: Segment, length: number): string[] {
  const kinds = new Array<string>(length).fill("blank");
  for (const run of segment.runs) kinds.fill(run.is, run.at, run.at + run.len);
  return kinds;
}
