// The synchronous store: for code that runs in a worker anyway, and for Node.
// Every call is done when it returns, every change durable.
import { bytes, decode, encoding, range, whole } from "./codec.js";
import { fault } from "./errors.js";

/** Entries that are fetched at once when a range is walked. */
const PAGE = 256;
const disposal = Symbol.dispose ?? Symbol.for("Symbol.dispose");

export class SyncStore {
  #engine;
  #info;
  #keys;
  #values;
  #closed;

  /** `closed` runs behind a close. */
  constructor(engine, info, { keys, values }, closed) {
    this.#engine = engine;
    this.#info = info;
    this.#keys = encoding(keys, "text");
    this.#values = encoding(values, "text");
    this.#closed = closed;
  }

  get name() {
    return this.#info.name;
  }
  get medium() {
    return this.#info.medium;
  }
  get durability() {
    return this.#info.durability;
  }
  get created() {
    return this.#info.created;
  }
  get report() {
    return this.#info.report;
  }

  get(key, as) {
    return decode(this.#alive().get(data(key, "a key")), encoding(as, this.#values));
  }

  has(key) {
    return this.#alive().has(data(key, "a key"));
  }

  size() {
    return this.#alive().size;
  }

  set(key, value) {
    this.#alive().set(data(key, "a key"), data(value, "a value"));
  }

  /** Says whether it was there. */
  delete(key) {
    return this.#alive().delete(data(key, "a key"));
  }

  clear() {
    this.#alive().clear();
  }

  entries(options) {
    return this.#walk(options, true);
  }

  keys(options) {
    return this.#walk(options, false);
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  log(number) {
    whole(number, "a log");
    return {
      append: (value) => this.#alive().append(number, data(value, "what is appended")),
      read: (from, length, as = "bytes") => {
        const { head, tail } = this.#alive().span(number);
        const at = from === undefined ? head : whole(from, "a position");
        const count = length === undefined ? Math.max(0, tail - at) : whole(length, "a length");
        return decode(this.#engine.read(number, at, count), encoding(as));
      },
      advanceHead: (to) => this.#alive().advanceHead(number, whole(to, "a position")),
      state: () => this.#alive().span(number),
    };
  }

  /**
   * Everything `body` changes becomes durable when it returns, at once; nothing
   * does if it throws. Inside, reads see the changes.
   */
  transaction(body) {
    return this.#alive().transaction(() => {
      const result = body(this);
      if (typeof result?.then === "function") throw fault("type", "the body of a synchronous transaction cannot wait");
      return result;
    });
  }

  check() {
    return this.#alive().check();
  }

  stats() {
    return this.#alive().stats();
  }

  export() {
    return this.#alive().export();
  }

  import(image) {
    this.#alive().import(bytes(image, "an image"));
  }

  close() {
    if (!this.#engine) return;
    const engine = this.#engine;
    this.#engine = undefined;
    try {
      engine.close();
    } finally {
      this.#closed?.();
    }
  }

  [disposal]() {
    this.close();
  }

  #alive() {
    if (!this.#engine) throw fault("closed", "the store is closed");
    return this.#engine;
  }

  *#walk(options, values) {
    const wanted = range(options);
    const keys = encoding(options?.keys, this.#keys);
    const as = encoding(options?.values, this.#values);
    let left = wanted.limit;
    for (let from = wanted; left > 0; ) {
      const page = this.#alive().scan({ ...from, values, limit: Math.min(left, PAGE) });
      for (let i = 0; i < page.keys.length; i++) {
        const key = decode(page.keys[i], keys);
        yield values ? [key, decode(page.values[i], as)] : key;
      }
      left -= page.keys.length;
      const last = page.keys.at(-1);
      if (page.done || !last) return;
      from = wanted.reverse ? { ...wanted, lte: undefined, lt: last } : { ...wanted, gte: undefined, gt: last };
    }
  }
}

/** Strings stay strings: the engine encodes them in place. */
const data = (value, what) => (typeof value === "string" ? value : bytes(value, what));
