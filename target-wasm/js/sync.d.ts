import type { Checked, Data, Decoded, Durability, Encoding, LogState, Medium, OpenOptions, RangeOptions, Report, Stats } from "./index.js";

export type * from "./index.js";
export { DamageError, FullError, IndelibleError, InterruptedError, MediumError, UsageError } from "./index.js";

/** One of a store's logs. */
export interface SyncLog {
  append(data: Data): number;
  read(from?: number, length?: number): Uint8Array;
  read<E extends Encoding>(from: number | undefined, length: number | undefined, as: E): Decoded<E>;
  advanceHead(to: number): void;
  state(): LogState;
}

/** A store whose calls are done when they return, every change durable. */
export declare class SyncStore<K extends Encoding = "text", V extends Encoding = "text"> implements Disposable {
  private constructor();
  readonly name: string;
  readonly medium: Medium;
  readonly durability: Durability;
  readonly created: boolean;
  readonly report: Report;
  get(key: Data): Decoded<V> | undefined;
  get<E extends Encoding>(key: Data, as: E): Decoded<E> | undefined;
  has(key: Data): boolean;
  size(): number;
  set(key: Data, value: Data): void;
  delete(key: Data): boolean;
  clear(): void;
  entries<EK extends Encoding = K, EV extends Encoding = V>(
    options?: RangeOptions<EK, EV>,
  ): Generator<[Decoded<EK>, Decoded<EV>], void>;
  keys<EK extends Encoding = K>(options?: RangeOptions<EK>): Generator<Decoded<EK>, void>;
  [Symbol.iterator](): Generator<[Decoded<K>, Decoded<V>], void>;
  log(number: number): SyncLog;
  /** Commits when `body` returns, aborts when it throws. */
  transaction<T>(body: (store: this) => T): T;
  check(): Checked;
  stats(): Stats;
  export(): Uint8Array;
  import(image: Uint8Array | ArrayBuffer): void;
  /** As of the asynchronous store. */
  resize(size: number): void;
  close(): void;
  [Symbol.dispose](): void;
}

/** Opens a store for this worker alone (on Node: for this process). OPFS, memory and files only. */
export declare function openSync<K extends Encoding = "text", V extends Encoding = "text">(
  name: string,
  options?: Omit<OpenOptions<K, V>, "worker">,
): Promise<SyncStore<K, V>>;
