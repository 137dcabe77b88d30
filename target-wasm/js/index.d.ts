/** How bytes are handed out: as a string (UTF-8), or as they are. */
export type Encoding = "text" | "bytes";
/** What a value of an encoding is. */
export type Decoded<E extends Encoding> = E extends "text" ? string : Uint8Array;
/** Keys and values as they are handed in: strings (stored as UTF-8) and bytes, in any mixture. */
export type Data = string | ArrayBuffer | ArrayBufferView;

/** What the bytes are kept in. */
export type Medium = "opfs" | "indexeddb" | "memory" | "file";
/**
 * `strict`: what a call promised survives a crash and a power cut. `none`: it
 * ends with the page.
 */
export type Durability = "strict" | "none";

export interface OpenOptions<K extends Encoding = "text", V extends Encoding = "text"> {
  /** How keys are handed out; `"text"`. */
  keys?: K;
  /** How values are handed out unless a call says otherwise; `"text"`. */
  values?: V;
  /** Bytes of a new store, taken at once; 4 MiB. */
  size?: number;
  /** Bytes that each log of a new store is guaranteed; one log of 64 KiB. */
  logs?: readonly number[];
  /** Bytes of a segment of a new store. A key takes at most a sixteenth of one. */
  segmentSize?: number;
  /**
   * The media to try, in order; `["opfs", "indexeddb", "memory"]`, on Node
   * `["file"]`. The next is taken only where this browser does not have one.
   */
  media?: readonly Medium[];
  /**
   * Begins anew where opening fails by `data_lost`: the browser found its databases
   * damaged and deleted them (`"indexeddb"` in Chromium alone).
   */
  acceptLoss?: boolean;
  /** Where the engine is, if not beside the package's code: its address or the compiled module. */
  wasm?: string | URL | WebAssembly.Module;
  /** Makes the worker, where the package's own way does not suit; it must run `indelible-wasm/worker`. */
  worker?: () => Worker;
}

/** Which keys, and how many of them. Bounds are in the order of bytes. */
export interface Range {
  gte?: Data;
  gt?: Data;
  lt?: Data;
  lte?: Data;
  prefix?: Data;
  /** From the last to the first. */
  reverse?: boolean;
  limit?: number;
}

/** A range, and how what is in it is handed out. */
export interface RangeOptions<K extends Encoding = Encoding, V extends Encoding = Encoding> extends Range {
  keys?: K;
  values?: V;
}

/** What opening found. */
export interface Report {
  /** It had been closed. */
  clean: boolean;
  /** Bytes of a commit that was cut and had not been acknowledged. */
  torn?: number;
  /** Flipped bits that were corrected. */
  healed: number;
  /** Damaged runs of bytes. */
  damaged: number;
  /** The first of them. */
  damages: { what: "ledger" | "records" | "log"; log?: number; at: number; length: number }[];
  /** Segments that a cut operation left behind. */
  abandoned: number;
}

/** Something that `check` found. */
export interface Finding {
  code: string;
  message: string;
  /** Its address in the image in bytes. */
  at: number;
  key?: Uint8Array;
  log?: number;
}

export interface Checked {
  /** Nothing is damaged. */
  ok: boolean;
  frames: number;
  entries: number;
  logBytes: number;
  healed: number;
  damaged: number;
  findings: Finding[];
}

/** Limits and room, in bytes. */
export interface Stats {
  size: number;
  segmentSize: number;
  logs: number;
  keyMax: number;
  valueMax: number;
  used: number;
  capacity: number;
}

export interface LogState {
  /** The first position that can be read. */
  head: number;
  /** The position behind the last byte. */
  tail: number;
  /** Bytes that fit between them. */
  capacity: number;
}

/** One of a store's logs: bytes with contiguous positions. */
export interface Log {
  /** Adds bytes; the position of the first of them. */
  append(data: Data): Promise<number>;
  /** `length` bytes from a position; by default from the head to the tail. */
  read(from?: number, length?: number): Promise<Uint8Array>;
  read<E extends Encoding>(from: number | undefined, length: number | undefined, as: E): Promise<Decoded<E>>;
  /** Gives up the bytes before a position. */
  advanceHead(to: number): Promise<void>;
  state(): Promise<LogState>;
}

/**
 * What the body of a transaction gets. It sees the store and its own changes;
 * nobody else sees them before they are committed.
 */
export interface Transaction<K extends Encoding = "text", V extends Encoding = "text"> {
  get(key: Data): Promise<Decoded<V> | undefined>;
  get<E extends Encoding>(key: Data, as: E): Promise<Decoded<E> | undefined>;
  has(key: Data): Promise<boolean>;
  set(key: Data, value: Data): Promise<void>;
  delete(key: Data): Promise<void>;
  clear(): Promise<void>;
  entries<EK extends Encoding = K, EV extends Encoding = V>(
    options?: RangeOptions<EK, EV>,
  ): AsyncGenerator<[Decoded<EK>, Decoded<EV>], void>;
  keys<EK extends Encoding = K>(options?: RangeOptions<EK>): AsyncGenerator<Decoded<EK>, void>;
  log(number: number): Log;
}

/** A store of keys with values, and of logs. See `Indelible.open`. */
export declare class Store<K extends Encoding = "text", V extends Encoding = "text"> implements AsyncDisposable {
  private constructor();
  readonly name: string;
  readonly medium: Medium;
  readonly durability: Durability;
  /** There was none, and opening made it. */
  readonly created: boolean;
  readonly report: Report;

  /** The value of a key, `undefined` where there is none. */
  get(key: Data): Promise<Decoded<V> | undefined>;
  get<E extends Encoding>(key: Data, as: E): Promise<Decoded<E> | undefined>;
  has(key: Data): Promise<boolean>;
  /** How many keys there are. */
  size(): Promise<number>;
  /** Durable when it resolves. */
  set(key: Data, value: Data): Promise<void>;
  /** Whether the key was there; durable when it resolves. */
  delete(key: Data): Promise<boolean>;
  /** Deletes every key; logs stay. */
  clear(): Promise<void>;
  /** Keys with values in order. Read in pages: what changes meanwhile may show. */
  entries<EK extends Encoding = K, EV extends Encoding = V>(
    options?: RangeOptions<EK, EV>,
  ): AsyncGenerator<[Decoded<EK>, Decoded<EV>], void>;
  /** Keys in order. */
  keys<EK extends Encoding = K>(options?: RangeOptions<EK>): AsyncGenerator<Decoded<EK>, void>;
  [Symbol.asyncIterator](): AsyncGenerator<[Decoded<K>, Decoded<V>], void>;
  log(number: number): Log;
  /**
   * Runs `body`, and commits what it changed when it returns: all of it at once,
   * or, where it throws, nothing. Transactions are serializable. From the first
   * read on nobody else writes, so do not wait for a change outside of `tx`
   * inside; a transaction that keeps others waiting for 10 s is given up.
   */
  transaction<T>(body: (tx: Transaction<K, V>) => Promise<T> | T): Promise<T>;
  /** Reads all of the store again and verifies it. */
  check(): Promise<Checked>;
  stats(): Promise<Stats>;
  /** The image of the store: it opens on every target of Indelible. */
  export(): Promise<Uint8Array>;
  /** Puts an image in the place of what is here, once it was checked. */
  import(image: Uint8Array | ArrayBuffer | Blob): Promise<void>;
  /**
   * Takes a copy of `size` bytes in place of the store, all or nothing: every
   * key, and the logs, whose positions stay. For a store that became too small,
   * or is larger than it need be. Needs memory, and for a moment room, for both.
   */
  resize(size: number): Promise<void>;
  /** Waits for what was called, and closes. */
  close(): Promise<void>;
  /** Ends at once, as a crash would: what was acknowledged is there, the rest may be. */
  terminate(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export declare const Indelible: {
  /** Opens the store `name` of this origin (on Node: the file `name`), or makes it. */
  open<K extends Encoding = "text", V extends Encoding = "text">(
    name: string,
    options?: OpenOptions<K, V>,
  ): Promise<Store<K, V>>;
  /** Asks the browser not to clear this site's storage when space is short; whether it agreed. */
  persist(): Promise<boolean>;
};

/** Which error it is; stable. */
export type Code =
  | "full" | "log_full" | "index_full" | "quota" | "memory"
  | "corrupt" | "doubtful" | "version_unsupported" | "not_a_store" | "ledger_lost" | "medium_too_small" | "id_mismatch" | "data_lost"
  | "medium" | "poisoned" | "read_only" | "locked" | "unavailable"
  | "closed" | "terminated" | "worker" | "unresponsive" | "transaction_lost"
  | (string & {});

/** The base class of every error of this package. Further fields say where, and which limit. */
export declare class IndelibleError extends Error {
  readonly code: Code;
  readonly [detail: string]: unknown;
}
/** Something is full. */
export declare class FullError extends IndelibleError {}
/** Bytes are damaged, or no store of this version. */
export declare class DamageError extends IndelibleError {}
/** The browser's storage failed, is missing, or in use elsewhere. */
export declare class MediumError extends IndelibleError {}
/** The call broke a limit or a rule. */
export declare class UsageError extends IndelibleError {}
/** A transaction was given up, or what became of a call cannot be known. */
export declare class InterruptedError extends IndelibleError {}
