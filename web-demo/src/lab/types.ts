/** What crosses from the laboratory (`lab/src`), as it is serialised there. */

export type Kind = "header" | "live" | "dead" | "commit" | "meta" | "log" | "past" | "damaged";

/** Neighbouring bytes of one kind, counted from the start of their segment. */
export interface Run {
  at: number;
  len: number;
  is: Kind;
  kind: string;
  first: boolean;
  last: boolean;
  healed: boolean;
  body: number;
  key?: string;
  log?: number;
}

export type Owner = "blank" | "dirty" | "ledger" | "cold" | "log";

export interface Segment {
  owner: Owner;
  log: number;
  seq: number;
  used: number;
  live: number;
  erases: number;
  damaged: boolean;
  tail: boolean;
  runs: Run[];
}

export interface Picture {
  id: string;
  capacity: number;
  flash: boolean;
  writeUnit: number;
  eraseUnit: number;
  segmentSize: number;
  keys: number;
  liveBytes: number;
  kvCapacity: number;
  segments: Segment[];
  logs: { head: number; tail: number; capacity: number }[];
}

export interface Field {
  at: number;
  len: number;
  name: string;
}

/** What opening a store had to say. */
export interface Started {
  clean: boolean;
  tornBytes: number | null;
  healedBits: number;
  damaged: number;
  abandoned: number;
}

export interface Listed {
  keys: { key: string; value: string; len: number; list: number; error: string | null }[];
  more: boolean;
  error: string | null;
}

export interface Checked {
  frames: number;
  entries: number;
  logBytes: number;
  healed: number;
  damaged: number;
  findings: { what: string; key: string | null; at: number; healed: boolean }[];
}

export interface LogText {
  head: number;
  tail: number;
  text: string;
  error: string | null;
}

export interface Timeline {
  name: string;
  ops: { label: string; start: number; end: number }[];
  events: { kind: "write" | "erase" | "flush"; at: number; len: number }[];
  stops: { event: number; step: number | null }[];
}

export interface Cut {
  doing: string | null;
  open: { kind: "word" | "unit" | "sector"; at: number; options: string[]; exact: boolean }[];
  statesLog2: number;
}

export interface Outcome {
  report: Started | null;
  verdict: "before" | "after" | "same" | "illegal";
  why: string;
  doing: string | null;
  rows: { key: string; value: string | null; before: string | null; after: string | null }[];
  logs: string[];
}

export interface Explored {
  workload: string;
  done: number;
  of: number;
  levels: {
    cuts: number;
    states: number;
    undone: number;
    done: number;
    nothing: number;
    complete: number;
    legalLog2: number;
  }[];
  violation: string | null;
}

export type Verdict =
  | "harmless"
  | "healed"
  | "named"
  | "withheld"
  | "refused"
  | "tail lost"
  | "misjudged"
  | "wrong";

export interface Struck {
  verdict: Verdict;
  why: string;
}

export interface Counted {
  columns: Verdict[];
  counts: number[];
  each: string;
}
